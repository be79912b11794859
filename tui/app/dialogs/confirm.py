"""The question before anything is written: what will happen, to what, and what can be undone."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.types import CSSPathType
from textual.widgets import Button

from tui.app.dialogs.clipboard import copy_commands, copy_remedy
from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.plan_view import PAGING, PlanView, plan_lines
from tui.app.glyphs import UNICODE, Glyphs
from tui.model.plan import Plan


class ConfirmPlan(Dialog[bool]):
    """Shows a plan and asks; the focus is on "Not now"."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "plan.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "leave", "Not now", show=False, id="confirm-no"),
        Binding("y", "agree", "Yes", show=False, id="confirm-yes"),
        Binding("c", "copy", "Copy the commands", show=False, id="confirm-copy"),
        Binding("down", "scroll_plan(1)", "Down", show=False, id="confirm-down"),
        Binding("up", "scroll_plan(-1)", "Up", show=False, id="confirm-up"),
        *PAGING,
    ]
    HARMLESS = False

    def __init__(self, plan: Plan, host_name: str, *, verb: str, glyphs: Glyphs = UNICODE) -> None:
        """Ask whether ``plan`` shall run; ``verb`` is the word on the button."""
        super().__init__(glyphs)
        self.plan = plan
        self._host_name = host_name
        self._verb = verb

    def compose(self) -> ComposeResult:
        """The plan, and two buttons."""
        yes = button(self._verb, "agree")
        yes.disabled = self.plan.refused
        hint = "n not now  y yes  c copy commands"
        if self.plan.refused:
            hint = "c copy what to do  esc not now" if self.plan.remedies else "esc not now"
        yield from self.boxed(
            self.plan.title,
            PlanView(plan_lines(self.plan, self.glyphs, self._host_name), glyphs=self.glyphs),
            Buttons(hint, button("Not now", "leave"), yes),
        )

    def on_mount(self) -> None:
        """Nothing happens by a habitual Enter."""
        self.query_one("#leave", Button).focus()

    @on(PlanView.Below)
    def tell_below(self, event: PlanView.Below) -> None:
        """More of the plan is out of view."""
        self.query_one(Buttons).above(event.words)

    @on(Button.Pressed, "#agree")
    def agree_by_button(self) -> None:
        """The plan shall run."""
        self.action_agree()

    def action_agree(self) -> None:
        """The plan shall run, unless it refuses itself."""
        if not self.plan.refused:
            self.answer(answer=True)

    def action_copy(self) -> None:
        """Give the commands to the clipboard; of a plan that is refused what to do about that."""
        if self.plan.refused:
            copy_remedy(self.app, self.plan.remedies)
        else:
            copy_commands(self.app, self.plan.commands)

    def action_page_plan(self, pages: int) -> None:
        """Page without leaving the buttons."""
        self.query_one(PlanView).page(pages)

    def action_scroll_plan(self, lines: int) -> None:
        """Scroll without leaving the buttons."""
        self.query_one(PlanView).scroll_relative(y=lines, animate=False)
