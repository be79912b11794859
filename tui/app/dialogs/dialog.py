"""What all dialogs share: the box, its title and its buttons, and that escape is harmless."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.types import CSSPathType
from textual.widget import Widget
from textual.widgets import Button, Static

from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import shown

Answer = TypeVar("Answer")

_WIDEST_LABEL = 16


class Buttons(Horizontal):
    """The buttons of a dialog, the harmless one first; the arrows go from one to the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "app.focus_previous", "Button to the left", show=False),
        Binding("right", "app.focus_next", "Button to the right", show=False),
    ]

    def __init__(self, hint: str, *buttons: Button) -> None:
        """Stand in the last line of the box; ``hint`` names the keys and is ours."""
        super().__init__()
        self._hint = hint
        self._buttons = buttons

    def compose(self) -> ComposeResult:
        """The hint to the left, the buttons to the right."""
        yield Static(Content(self._hint), classes="hint")
        yield from self._buttons

    def hint(self, hint: str) -> None:
        """Name other keys."""
        self.query_one(".hint", Static).update(Content(hint))


class Dialog(ModalScreen[Answer]):
    """A box in the middle of the screen."""

    CSS_PATH: ClassVar[CSSPathType | None] = "dialog.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close, and do nothing", show=False, id="dialog-leave"),
    ]
    AUTO_FOCUS = ""
    """Each dialog says itself where the focus is harmless."""
    HARMLESS: ClassVar[bool | None] = None
    """What escape answers."""

    def __init__(self, glyphs: Glyphs = UNICODE) -> None:
        """Draw with these signs."""
        super().__init__()
        self.glyphs = glyphs
        self.set_class(glyphs.ascii, "-ascii")

    def boxed(self, title: Content | str, *parts: Widget) -> ComposeResult:
        """The box with its title; a ``str`` is taken for a text from a host."""
        with Vertical(id="box"):
            yield Static(title if isinstance(title, Content) else shown(title), id="title")
            yield from parts

    def answer(self, answer: Answer | None) -> None:
        """Close with an answer, once: of two quick keys the second must not close what lies beneath."""
        if self.is_active:
            self.dismiss(answer)

    def action_leave(self) -> None:
        """Close, and do nothing."""
        self.answer(self.HARMLESS)  # type: ignore[arg-type]  # each dialog's own kind of harmless

    @on(Button.Pressed, "#leave")
    def leave_by_button(self, event: Button.Pressed) -> None:
        """The harmless button does what escape does."""
        event.stop()
        self.action_leave()


def button(label: str, name: str) -> Button:
    """A button of one line."""
    return Button(shown(label, width=_WIDEST_LABEL), id=name, compact=True)
