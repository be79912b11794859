"""The line in which a filter is typed: there when it is needed, gone when it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input


class FilterBox(Input):
    """A text that narrows a list while it is typed. Enter and the arrows go to the list, escape clears."""

    BINDINGS: ClassVar = [
        Binding("escape", "clear", "Clear the filter", show=False),
        Binding("enter,down,tab", "leave", "Go to the list", show=False),
    ]
    DEFAULT_CSS = """
    FilterBox, FilterBox:focus {
        height: 1;
        border: none;
        padding: 0 1;
        background: $panel;
    }
    """

    @dataclass
    class Left(Message):
        """The user goes back to the list."""

        box: FilterBox

        @property
        def control(self) -> FilterBox:
            """The box that is left."""
            return self.box

    def __init__(self, placeholder: str, *, id: str | None = None) -> None:  # noqa: A002
        """Begin out of view and empty; ``display`` brings it into view."""
        super().__init__(placeholder=placeholder, id=id, compact=True, select_on_focus=False)
        self.display = False

    def action_clear(self) -> None:
        """Show everything again and go away."""
        self.value = ""
        self.display = False
        self.post_message(self.Left(self))

    def action_leave(self) -> None:
        """Keep the filter and go to the list."""
        self.display = bool(self.value)
        self.post_message(self.Left(self))

    @on(Input.Submitted)
    def stay_quiet(self, event: Input.Submitted) -> None:
        """Enter is for the list only."""
        event.stop()
