"""What all dialogs share: the box, its title and its buttons, and that escape is harmless."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.types import CSSPathType
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import shown
from tui.app.widgets.news import NewsBar

Answer = TypeVar("Answer")

_WIDEST_LABEL = 16
_BACK = "shift+tab"
_STEPS = ("tab", _BACK)
"""The keys that go from field to field."""


class Buttons(Vertical):
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
        """The hint to the left, the buttons to the right, and a line above them that keeps clear of the rest."""
        yield Static(classes="above", markup=False)
        with Horizontal():
            yield Static(Content(self._hint), classes="hint")
            yield from self._buttons

    def above(self, words: str) -> None:
        """Say something in the line above."""
        self.query_one(".above", Static).update(Content(words))

    def hint(self, hint: str) -> None:
        """Name other keys."""
        self.query_one(".hint", Static).update(Content(hint))


class Dialog(ModalScreen[Answer]):
    """A box in the middle of the screen."""

    CSS_PATH: ClassVar[CSSPathType | None] = "dialog.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close, and do nothing", show=False, id="dialog-leave"),
        # Before the next key is looked at, which is for the field that these go to, however busy the present one is.
        Binding("tab", "step('tab')", "Next field", show=False, priority=True),
        Binding("shift+tab", "step('shift+tab')", "Field before", show=False, priority=True),
    ]
    AUTO_FOCUS = ""
    """Each dialog says itself where the focus is harmless."""
    HARMLESS: ClassVar[bool | None] = None
    """What escape answers."""

    def __init__(self, glyphs: Glyphs = UNICODE) -> None:
        """Draw with these signs."""
        super().__init__()
        self.glyphs = glyphs
        self._ahead: list[events.Key] | None = []
        """What was typed before anything here had the focus; ``None`` from then on."""
        self.news = NewsBar(glyphs=glyphs)
        """What is said in passing; the box makes room for it."""
        self.set_class(glyphs.ascii, "-ascii")

    def boxed(self, title: Content | str, *parts: Widget) -> ComposeResult:
        """The box with its title; a ``str`` is taken for a text from a host."""
        with Vertical(id="box"):
            yield Static(title if isinstance(title, Content) else shown(title), id="title")
            yield from parts
        yield self.news

    def follow(self) -> None:
        """The hosts have news: show what is so by now, where anything of it is shown."""

    # Quick fingers: what follows the key that opened this is for its first field, if it is one to type in. Buttons
    # get nothing of it, since nobody has seen yet what they would do.

    def type_ahead(self, event: events.Key) -> None:
        """A key that was pressed for this dialog and went elsewhere, because it was not there yet."""
        if self._ahead is not None:
            self._ahead.append(event)
        elif event.key in _STEPS:
            self._step(event.key)
        elif isinstance(self.focused, Input):
            self.focused._forward_event(_anew(event))  # noqa: SLF001  what Textual does with a key press

    def action_step(self, key: str) -> None:
        """To the next field or the one before."""
        if self._ahead is not None:
            self._ahead.append(events.Key(key, None))
        else:
            self._step(key)

    def _step(self, key: str) -> None:
        if key == _BACK:
            self.focus_previous()
        else:
            self.focus_next()

    def _forward_event(self, event: events.Event) -> None:
        """As Textual's; in its own task, so that no later key can overtake those that are kept."""
        if isinstance(event, events.Key) and self._ahead is not None:
            self._ahead.append(event)
        else:
            super()._forward_event(event)

    def set_focus(
        self,
        widget: Widget | None,
        scroll_visible: bool = True,  # noqa: FBT001, FBT002  as Textual declares it
        from_app_focus: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """As Textual's; the first field gets what was typed ahead."""
        super().set_focus(widget, scroll_visible, from_app_focus)
        if self.focused is None or self._ahead is None:
            return
        ahead, self._ahead = self._ahead, None
        for event in ahead:
            self.type_ahead(event)

    def answer(self, answer: Answer | None) -> None:
        """Close with an answer, once: of two quick keys the second must not close what lies beneath."""
        if self.is_active:
            self.dismiss(answer)
            self.news.hand_over()

    def action_leave(self) -> None:
        """Close, and do nothing."""
        self.answer(self.HARMLESS)  # type: ignore[arg-type]  # each dialog's own kind of harmless

    @on(Button.Pressed, "#leave")
    def leave_by_button(self, event: Button.Pressed) -> None:
        """The harmless button does what escape does."""
        event.stop()
        self.action_leave()


def _anew(event: events.Key) -> events.Key:
    """The same key, which has not been anywhere yet."""
    return events.Key(event.key, event.character)


def button(label: str, name: str) -> Button:
    """A button of one line."""
    return Button(shown(label, width=_WIDEST_LABEL), id=name, compact=True)
