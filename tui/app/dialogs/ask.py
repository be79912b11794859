"""A question that can be answered with yes or no."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Button

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.flow import Flow, Line
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import shown


class Question(Dialog[bool]):
    """Asks; the focus is on the answer that changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "leave", "No", show=False, id="question-no"),
        Binding("y", "agree", "Yes", show=False, id="question-yes"),
    ]
    HARMLESS = False

    def __init__(self, title: str, text: str, yes: str, no: str, *, glyphs: Glyphs = UNICODE) -> None:
        """Ask ``text``, one paragraph, with the words on the buttons."""
        super().__init__(glyphs)
        self._title = title
        self._text = text
        self._yes = yes
        self._no = no

    def compose(self) -> ComposeResult:
        """The question, and two buttons."""
        yield from self.boxed(
            self._title,
            VerticalScroll(Flow([Line(Content(""), shown(self._text))]), classes="body", can_focus=False),
            Buttons("n no  y yes", button(self._no, "leave"), button(self._yes, "agree")),
        )

    def on_mount(self) -> None:
        """Nothing happens by a habitual Enter."""
        self.query_one("#leave", Button).focus()

    @on(Button.Pressed, "#agree")
    def agree_by_button(self) -> None:
        """Yes."""
        self.action_agree()

    def action_agree(self) -> None:
        """Yes."""
        self.answer(answer=True)
