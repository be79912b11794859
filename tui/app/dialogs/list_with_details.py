"""A list, and all that is known of what is under its cursor: the focus goes from the one to the other, and back."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from textual import events, on
from textual.content import Content
from textual.widget import Widget

from tui.app.dialogs.dialog import Dialog
from tui.app.widgets.items import Items


class ListWithDetails(Dialog[None]):
    """The details are the widget ``#details``; while they have the focus, the class ``-reading`` gives them room.

    Their title says so with a sign and words, for whoever sees no difference in the colour of a frame, and names the
    key that goes there and back.
    """

    @property
    @abstractmethod
    def list_view(self) -> Items[Any]:
        """The list."""

    @property
    def _details(self) -> Widget:
        return self.query_one("#details")

    @on(Items.Chosen)
    def action_read_details(self) -> None:
        """To the details, which the arrows scroll, and back."""
        self.set_focus(self.list_view if self.focused is self._details else self._details)

    @on(events.DescendantFocus)
    def give_room(self) -> None:
        """Most of the room is for what has the focus."""
        reading = self.focused is self._details
        self.set_class(reading, "-reading")
        # Not in the footer alone, which has no room for it where the terminal is narrow.
        words = f"{self.glyphs.more} Details: {self.glyphs.words('↑ ↓ scroll, tab back')}"
        self._details.border_title = Content(words if reading else "Details: tab")

    def action_leave(self) -> None:
        """From the details to the list; from there close."""
        if self.has_class("-reading"):
            self.action_read_details()
        else:
            super().action_leave()
