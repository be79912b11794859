"""A list, and all that is known of what is under its cursor: the focus goes from the one to the other, and back."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from textual import events, on
from textual.widget import Widget

from tui.app.dialogs.dialog import Dialog
from tui.app.widgets.items import Items


class ListWithDetails(Dialog[None]):
    """The details are the widget ``#details``; while they have the focus, the class ``-reading`` gives them room."""

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
        self.set_class(self.focused is self._details, "-reading")

    def action_leave(self) -> None:
        """From the details to the list; from there close."""
        if self.has_class("-reading"):
            self.action_read_details()
        else:
            super().action_leave()
