"""Where to write a file."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Input

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Field
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.widgets.entry import Entry
from tui.model.text import printable


def file_problem(text: str) -> str:
    """Why no new file can be written there; empty when one can."""
    if not text.strip():
        return "A file needs a name."
    try:
        path = Path(text.strip()).expanduser()
        if path.is_dir():
            return "This is a directory: add a name."
        if path.exists():
            return "This file exists already: choose another name."
        if not path.parent.is_dir():
            return "There is no such directory."
    except (OSError, ValueError, RuntimeError):
        # Of a home that nobody has, pathlib says so by a RuntimeError.
        return "There can be no file of this name."
    return ""


class SaveDialog(Dialog[str | None]):
    """Asks for the name of a new file on this machine; never one that exists."""

    def __init__(self, default: str, *, title: str = "Save to a file", glyphs: Glyphs = UNICODE) -> None:
        """Ask, beginning with ``default``."""
        super().__init__(glyphs)
        self._default = default
        self._title = title

    def compose(self) -> ComposeResult:
        """The name, and two buttons."""
        yield from self.boxed(
            Content(self._title),
            Field("File", Entry(printable(self._default), select_on_focus=False, id="file")),
            Buttons("enter save  esc not now", button("Not now", "leave"), button("Save", "save")),
        )

    def on_mount(self) -> None:
        """Typing is harmless."""
        self.query_one("#file-field", Field).note("On the machine where this program runs.")
        self.query_one("#file", Input).focus()

    @on(Input.Changed, "#file")
    def forget_problem(self) -> None:
        """Do not scold while somebody types."""
        self.query_one("#file-field", Field).problem("")

    @on(Input.Submitted, "#file")
    @on(Button.Pressed, "#save")
    def save_file(self) -> None:
        """Answer, if a new file can be written there."""
        text = self.query_one("#file", Input).value
        problem = file_problem(text)
        if problem:
            self.query_one("#file-field", Field).problem(problem)
            self.query_one("#file", Input).focus()
            return
        self.answer(str(Path(text.strip()).expanduser()))
