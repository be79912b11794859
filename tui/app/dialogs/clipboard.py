"""Handing text to the terminal's clipboard, so that pasting it cannot do more than it shows."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import App

from tui.app.dialogs.on_screen import on_screen
from tui.app.widgets.news import say
from tui.engine.control import Level
from tui.model.text import counted, printable


def copy_commands(app: App[object], commands: Iterable[str]) -> None:
    """Send commands to the clipboard, without escapes that a shell or a terminal would obey.

    Terminals do not say whether they took it, so nothing is claimed.
    """
    lines = [printable(command) for command in commands]
    if not lines:
        return
    app.copy_to_clipboard("\n".join(lines))
    what = counted(len(lines), "command")
    say(app, Level.INFO, f"{what} sent to the terminal's clipboard")


def copy_text(app: App[object], text: str, what: str) -> None:
    """Send some lines to the clipboard, and say what they are."""
    app.copy_to_clipboard("\n".join(map(printable, text.splitlines())))
    say(app, Level.INFO, f"{what} sent to the terminal's clipboard")


def copy_remedy(app: App[object], remedy: str) -> None:
    """Send what to do about a finding to the clipboard, in one line that no shell runs by itself."""
    if remedy:
        app.copy_to_clipboard(printable(on_screen(remedy)))
        say(app, Level.INFO, "What to do was sent to the terminal's clipboard")
    else:
        say(app, Level.INFO, "There is nothing to do about this")
