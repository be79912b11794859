"""How many of the queue may run at once."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Input

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Field
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.widgets.entry import Entry
from tui.model.queue import Limits

_MOST = 99
_PARTS = ("per-host", "per-destination")


class LimitsDialog(Dialog[Limits | None]):
    """Asks for the limits; answers ``None`` to leave them as they are."""

    def __init__(self, limits: Limits, *, glyphs: Glyphs = UNICODE) -> None:
        """Begin with what is so now."""
        super().__init__(glyphs)
        self._limits = limits

    def compose(self) -> ComposeResult:
        """Two numbers."""
        limits = self._limits
        yield from self.boxed(
            Content("Limits of the queue"),
            Field("On one host", Entry(str(limits.per_host), id="per-host")),
            Field("To one place", Entry(str(limits.per_destination), id="per-destination")),
            Buttons("enter set them  esc not now", button("Not now", "leave"), button("Set", "set")),
        )

    def on_mount(self) -> None:
        """Typing is harmless."""
        self.query_one("#per-host-field", Field).note("As many items may run at once on each host.")
        self.query_one("#per-destination-field", Field).note(
            "As many may write to one file system at once; they share its speed and its room."
        )
        self.query_one("#per-host", Input).focus()

    @on(Input.Changed)
    def judge(self, event: Input.Changed) -> None:
        """Say at once what is wrong."""
        wrong = "" if _number(event.value) else f"A number from 1 to {_MOST}."
        self.query_one(f"#{event.input.id}-field", Field).problem(wrong)
        self.query_one("#set", Button).disabled = self._wish() is None

    def _wish(self) -> Limits | None:
        host, destination = (_number(self.query_one(f"#{part}", Input).value) for part in _PARTS)
        return Limits(host, destination) if host and destination else None

    @on(Input.Submitted)
    @on(Button.Pressed, "#set")
    def set_limits(self) -> None:
        """Answer, if both are numbers."""
        wish = self._wish()
        if wish is not None:
            self.answer(wish)


def _number(text: str) -> int | None:
    """A limit; ``None`` for what is none."""
    text = text.strip()
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0  # noqa: PLR2004
    return number if 1 <= number <= _MOST else None
