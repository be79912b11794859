"""What the forms share: fill in on the left, see on the right what would happen, start when nothing forbids it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.types import CSSPathType
from textual.widgets import Button, Input

from tui.app.dialogs.asking import Answer, Asker
from tui.app.dialogs.choices import Mistakes, Part
from tui.app.dialogs.clipboard import copy_commands
from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Check, Choice
from tui.app.dialogs.flow import Flow, Line
from tui.app.dialogs.plan_view import PlanView, plan_lines, sorted_findings
from tui.app.glyphs import DIM, SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.engine.control import Control
from tui.model.finding import Acceptance, Severity
from tui.model.plan import Plan
from tui.model.request import Request

DEBOUNCE = 0.2
"""Seconds without a key press before the host is asked."""

_HINT = "enter go on  f2 plan  esc not now"
_HINT_AT_CHECK = "space yes or no  enter go on  esc not now"
_HINT_AT_START = "enter starts it  esc not now"


class FormFields(VerticalScroll, can_focus=False):
    """The left half of a form: keeps what is filled in, and says when it changes."""

    @dataclass
    class Edited(Message):
        """Something was filled in."""

        fields: FormFields

    @dataclass
    class Entered(Message):
        """Enter was pressed in a field of one line: go on."""

        fields: FormFields

    def __init__(self) -> None:
        """Stand to the left of the plan."""
        super().__init__(id="fields")

    @abstractmethod
    def enter_first(self) -> None:
        """Go to where filling in begins."""

    @abstractmethod
    def enter_part(self, part: Part) -> None:
        """Go to a part that is wrong."""

    @abstractmethod
    def show_problems(self, problems: Mapping[Part, str]) -> None:
        """Say under each field what is wrong with it, and under no other."""

    @on(Choice.Changed)
    @on(Check.Changed)
    @on(Input.Changed)
    def tell_edited(self, event: Message) -> None:
        """One message for all fields."""
        event.stop()
        self.post_message(self.Edited(self))

    @on(Input.Submitted)
    def tell_entered(self, event: Input.Submitted) -> None:
        """One message for all fields."""
        event.stop()
        self.post_message(self.Entered(self))


class RequestForm(Dialog[Plan | None]):
    """Answers the plan that was shown when Start was pressed, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "plan.tcss", "form.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "Go on", show=False, id="form-go-on"),
        Binding("f2", "turn", "Choices or plan", show=False, id="form-turn"),
        Binding("c", "copy", "Copy the commands", show=False, id="form-copy"),
    ]
    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = {}
    """What a user may take upon himself here, and what it is called."""

    @dataclass
    class Answered(Message):
        """The host has answered."""

        answer: Answer

    def __init__(
        self,
        control: Control,
        title: Content,
        fields: FormFields,
        *,
        debounce: float = DEBOUNCE,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Fill in ``fields``, and ask the host after ``debounce`` seconds without a key."""
        super().__init__(glyphs)
        self._control = control
        self._title = title
        self.fields = fields
        self._debounce = debounce
        self._asker = Asker(control, lambda answer: self.post_message(self.Answered(answer)))
        self._number = 0
        self._asked: Request | Mistakes | None = None
        self._answer: Answer | None = None
        self._timer: Timer | None = None
        self.going = False
        """Whether the user wants to go on as soon as the host has answered."""

    @abstractmethod
    def wish(self) -> Request | Mistakes:
        """What the form stands for at this moment, or what keeps it from being a request."""

    def compose(self) -> ComposeResult:
        """Choices, plan, what the user takes upon himself, the verdict, the buttons."""
        tabs = Choice((("choices", "choices"), ("plan", "plan")), glyphs=self.glyphs, id="tab")
        checks = (Check(f"accept: {what}", id=a.value) for a, what in self.ACCEPTANCES.items())
        yield from self.boxed(
            self._title,
            tabs,
            Horizontal(self.fields, PlanView(glyphs=self.glyphs), id="panes"),
            Vertical(*checks, id="accept"),
            Flow(id="verdict"),
            Buttons(_HINT, button("Not now", "leave"), button("Start", "start")),
        )

    def on_mount(self) -> None:
        """Begin where filling in begins."""
        for acceptance in self.ACCEPTANCES:
            self.check(acceptance).display = False
        self.fields.enter_first()
        self.judge()

    def on_unmount(self) -> None:
        """Ask nothing more."""
        self._asker.stop()

    @property
    def accepted(self) -> frozenset[Acceptance]:
        """What is ticked of that."""
        return frozenset(a for a in self.ACCEPTANCES if self.check(a).value)

    def check(self, acceptance: Acceptance) -> Check:
        """Where it is ticked."""
        return self.query_one(f"#{acceptance}", Check)

    @property
    def _start(self) -> Button:
        return self.query_one("#start", Button)

    @property
    def plan(self) -> Plan | None:
        """The plan for exactly what the form holds at this moment, if it is known and may be started."""
        answer = self._answer
        if answer is None or answer.plan is None or answer.plan.refused or self._control.read_only:
            return None
        return answer.plan if answer.request == self.wish() else None

    @property
    def checking(self) -> bool:
        """Whether the host is being asked, or about to be."""
        return self._asked is not None and not isinstance(self._asked, Mistakes) and self._answer is None

    @on(FormFields.Edited)
    @on(Check.Changed)
    def judge_again(self) -> None:
        """What is shown may no longer speak of what is filled in."""
        self.judge()

    def judge(self) -> None:
        """Ask the host about what is filled in, unless it was asked that already."""
        request = self.wish()
        if request == self._asked:
            return
        self._number += 1
        self._asked = request
        self._answer = None
        self.going = False
        if self._timer:
            self._timer.stop()
        mistakes = request.sentences if isinstance(request, Mistakes) else {}
        self.fields.show_problems(dict(mistakes))
        if not isinstance(request, Mistakes):
            if self._debounce:
                self._timer = self.set_timer(self._debounce, self._ask)
            else:
                self._ask()
        self._show()

    def _ask(self) -> None:
        if self._asked is not None and not isinstance(self._asked, Mistakes):
            self._asker.ask(self._number, self._asked)

    @on(Answered)
    def take_answer(self, event: Answered) -> None:
        """Show the plan, unless the form has moved on since it was asked for."""
        if event.answer.number != self._number:
            return
        self._answer = event.answer
        self._show()
        if self.going:
            self._go_on()

    @on(events.DescendantFocus)
    def name_the_keys(self) -> None:
        """What enter does depends on where the focus is."""
        at_check = isinstance(self.focused, Check)
        hint = _HINT_AT_START if self._start.has_focus else _HINT_AT_CHECK if at_check else _HINT
        self.query_one(Buttons).hint(hint)

    @on(FormFields.Entered)
    def action_go_on(self) -> None:
        """Enter: to the button, or to what stands in the way; if that is not known yet, as soon as it is."""
        self.going = True
        self._go_on()

    def _go_on(self) -> None:
        if isinstance(self._asked, Mistakes):
            self.going = False
            self.fields.enter_part(next(iter(self._asked.sentences)))
        elif self._answer is not None:
            self.going = False
            if self.plan:
                self._start.focus()
            else:
                self._go_to_obstacle()

    def _go_to_obstacle(self) -> None:
        plan = self._answer.plan if self._answer else None
        refusals = [f for f in plan.findings if f.severity is Severity.REFUSED] if plan else []
        acceptance = refusals[0].acceptance if refusals else None
        if acceptance is not None and acceptance in self.ACCEPTANCES:
            self.check(acceptance).focus()
            return
        self.query_one("#tab", Choice).value = "plan"
        view = self.query_one(PlanView)
        view.scroll_home(animate=False)
        self.call_after_refresh(view.focus)

    def _show(self) -> None:
        self.query_one("#verdict", Flow).show(self._verdict())
        self._start.disabled = self.plan is None
        view = self.query_one(PlanView)
        answer = self._answer
        if answer is None:
            view.mark_old(old=True)
            return
        if answer.plan is None:
            bad = SEVERITY_STYLES[Severity.REFUSED]
            view.show([Line(styled(f"{self.glyphs.bad} ", bad), shown(answer.error))])
        else:
            view.show(plan_lines(answer.plan, self.glyphs, self._control.state.name))
        view.scroll_home(animate=False)
        self._show_acceptances(answer.plan)

    def _show_acceptances(self, plan: Plan | None) -> None:
        offered = {finding.acceptance for finding in plan.findings} if plan else set()
        for acceptance in self.ACCEPTANCES:
            check = self.check(acceptance)
            check.display = acceptance in offered or check.value
        some = any(self.check(a).display for a in self.ACCEPTANCES)
        self.query_one("#accept").set_class(some, "-some")

    def _verdict(self) -> Iterator[Line]:
        answer = self._answer
        if isinstance(self._asked, Mistakes):
            yield Line(Content(""), styled("not complete yet", DIM))
        elif answer is None:
            yield Line(Content(""), styled("checking…" if not self.glyphs.ascii else "checking...", DIM))
        elif answer.plan is None:
            yield self._weighed(Severity.REFUSED, shown(answer.error))
        elif answer.plan.refused:
            refusals = [f for f in sorted_findings(answer.plan.findings) if f.severity is Severity.REFUSED]
            more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
            yield self._weighed(Severity.REFUSED, join("refused: ", shown(refusals[0].reason), more))
        elif self._control.read_only:
            yield self._weighed(Severity.WARNING, "read-only: nothing is started on this host")
        else:
            warnings = sum(f.severity is Severity.WARNING for f in answer.plan.findings)
            if warnings:
                words = "1 warning" if warnings == 1 else f"{warnings} warnings"
                yield self._weighed(Severity.WARNING, f"may start, with {words}")
            else:
                yield self._weighed(Severity.FINE, "may start, nothing speaks against it")

    def _weighed(self, severity: Severity, text: Content | str) -> Line:
        sign = styled(f"{self.glyphs.severity(severity)} ", SEVERITY_STYLES[severity])
        return Line(sign, join(text).stylize(SEVERITY_STYLES[severity]))

    @on(Choice.Changed, "#tab")
    def show_tab(self, event: Choice.Changed) -> None:
        """In a narrow window, one at a time."""
        event.stop()
        self.set_class(event.value == "plan", "-plan")

    def action_turn(self) -> None:
        """From the choices to the plan and back."""
        tab = self.query_one("#tab", Choice)
        to_plan = tab.value == "choices"
        tab.value = "plan" if to_plan else "choices"
        self.call_after_refresh(self.query_one(PlanView).focus if to_plan else self.fields.enter_first)

    def action_copy(self) -> None:
        """Give the commands to the clipboard, if they are those of the present input."""
        if self._answer and self._answer.plan:
            copy_commands(self.app, self._answer.plan.commands)

    @on(Button.Pressed, "#start")
    def start(self) -> None:
        """Answer the plan that is on the screen, and no other."""
        plan = self.plan
        if plan:
            self.answer(plan)
