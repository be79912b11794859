"""A line to type in whose keys act in the order in which they were pressed."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from tui.app.text import shown_middle
from tui.app.widgets.at_once import act_at_once
from tui.model.text import printable


class Entry(Input):
    """As Textual's, which does what a key is bound to only after letters that came at once with it.

    So ctrl+u would take away what was typed after it, wherever a terminal hands on several keys at a time.
    """

    _proposal = ""

    def propose(self, text: str) -> None:
        """Show in grey what an empty field stands for, a text from a host; what is too long loses its middle."""
        self._proposal = text
        self._fit()

    def on_resize(self) -> None:
        """Another width has room for more of it."""
        if self._proposal:
            self._fit()

    def _fit(self) -> None:
        room = self.content_size.width
        self.placeholder = (
            shown_middle(self._proposal, width=room).plain if room else printable(self._proposal)
        )

    async def on_key(self, event: events.Key) -> None:
        """Do what the key is bound to before the next one is looked at."""
        await act_at_once(self, event)
