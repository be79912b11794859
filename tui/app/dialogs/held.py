"""What a snapshot holds: for each disk what the guest uses from now on, and what a backup is made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import OptionList

from tui.app.dialogs.clipboard import copy_text
from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.flow import EMPTY, Flow, Line
from tui.app.dialogs.passages import Passages
from tui.app.dialogs.plan_view import finding_lines, xml_line
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Level, Outcome
from tui.model.live_steps import TakeTogether
from tui.model.methods import Method
from tui.model.plan import HeldDisk, Plan
from tui.model.text import counted


class HeldDialog(Dialog[None]):
    """Two definitions for each disk; the one under the cursor can be copied."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "snapshots.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Close", show=False, id="held-close"),
        Binding("c,y", "copy", "Copy this definition", show=False, id="held-copy"),
        Binding("a", "copy_all", "Copy all definitions", show=False, id="held-copy-all"),
    ]

    def __init__(self, plan: Plan, outcome: Outcome, *, glyphs: Glyphs = UNICODE) -> None:
        """Show what that plan has made."""
        super().__init__(glyphs)
        self._plan = plan
        self._outcome = outcome
        by_hand = any(isinstance(step, TakeTogether) and step.asks for step in plan.steps)
        self.parts: list[tuple[str, str]] = []
        """What each definition is, and its XML, or why there is none."""
        for held in plan.held:
            target = shown(held.target).plain
            now = f"{target}, by {shown(held.method).plain}: what the guest uses now"
            self.parts += [
                (now, held.disk),
                (f"{target}: what a backup is made from", held.backup or _none(held, by_hand=by_hand)),
            ]

    def compose(self) -> ComposeResult:
        """What was seen while it was taken, and the definitions."""
        yield from self.boxed(
            join("Taken: ", shown(self._plan.title)),
            VerticalScroll(
                Flow(finding_lines(self._outcome.findings, self.glyphs), id="proof"), classes="proof"
            ),
            Passages(id="held"),
            Buttons("c copy this  a copy all  esc close", button("Close", "leave")),
        )

    def on_mount(self) -> None:
        """Arrows go from one definition to the next."""
        self.query_one(".proof").display = bool(self._outcome.findings)
        held = self.query_one("#held", Passages)
        held.show(_lines(title, text) for title, text in self.parts)
        held.focus()

    @on(OptionList.OptionSelected, "#held")
    def action_copy(self) -> None:
        """Give the definition under the cursor to the clipboard."""
        place = self.query_one("#held", Passages).highlighted
        if place is None or place >= len(self.parts):
            return
        text = self.parts[place][1]
        if _is_xml(text):
            copy_text(self.app, text, "The definition was")
        else:
            self.news.say(Level.INFO, text)

    def action_copy_all(self) -> None:
        """Give all of them to the clipboard."""
        texts = [text for _, text in self.parts if _is_xml(text)]
        if texts:
            copy_text(
                self.app,
                "\n".join(texts),
                counted(len(texts), "definition was", "definitions were"),
            )


def _none(held: HeldDisk, *, by_hand: bool) -> str:
    """Why there is nothing that a backup could be made from."""
    if held.method == Method.INTERNAL:
        return "Nothing: the state lies inside of the image, which the guest goes on writing to."
    if by_hand:
        return "You hold this state by yourself: only you know where."
    return "Your own command holds this state: only you know where."


def _is_xml(text: str) -> bool:
    return text.lstrip().startswith("<")


def _lines(title: str, text: str) -> Iterator[Line]:
    yield Line(Content(""), Content(title).stylize("bold"))
    yield from (xml_line(f"  {line}") for line in text.splitlines())
    yield EMPTY
