"""The fields that ask for another host: one that is open, or a URI."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from tui.app.dialogs.choices import Part
from tui.app.dialogs.connect import uri_problem
from tui.app.dialogs.fields import Choice, Field, Taken
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import shown_middle
from tui.app.widgets.entry import Entry

Peer = tuple[str, str]
"""The URI of a host, and what people call it."""

_ANOTHER = ""
_WIDEST = 46
"""Cells for hosts side by side, and for the URI of one."""


class PeerFields(Vertical):
    """Hosts that are open are offered; a URI that is typed counts only once it is whole."""

    def __init__(self, label: str, peers: Sequence[Peer], *, glyphs: Glyphs = UNICODE) -> None:
        """Offer these hosts, of which the first is chosen."""
        super().__init__(id="peer")
        self._label = label
        self._peers = tuple(peers)
        self._glyphs = glyphs
        self._typed = ""
        """The URI as it was when the field was left."""

    def compose(self) -> ComposeResult:
        """A line for those that are open, and one for any other."""
        hosts = (*self._peers, (_ANOTHER, "another"))
        upright = sum(len(name) + 4 for _, name in hosts) > _WIDEST
        host = Choice(hosts, glyphs=self._glyphs, upright=upright, id="host")
        yield Field(self._label, host)
        yield Field("URI", Entry(placeholder="qemu+ssh://root@host-b/system", id="uri"))

    def on_mount(self) -> None:
        """Ask only for what there is a choice of."""
        self.query_one("#host-field").display = bool(self._peers)
        self.explain()

    def destination(self, mistakes: dict[Part, str]) -> str:
        """The URI of the host; what is wrong with it goes to the mistakes."""
        found = self.query_one("#host", Choice).value or self._typed
        if self._by_hand and self._typed != self._text:
            mistakes[Part.URI] = "Enter asks this host, once its URI is whole."
        elif problem := uri_problem(found):
            mistakes[Part.URI] = problem if found else "Name the other host."
        return found

    def enter(self) -> None:
        """Go to the first of the fields."""
        self.query_one("#host" if self._peers else "#uri").focus()

    @property
    def _by_hand(self) -> bool:
        return self.query_one("#host", Choice).value == _ANOTHER

    @property
    def _text(self) -> str:
        return self.query_one("#uri", Input).value.strip()

    @on(Input.Submitted)
    @on(Input.Blurred)
    def take_uri(self, event: Input.Submitted | Input.Blurred) -> None:
        """It is whole, so that the host can be asked: half a URI names some other host, or none."""
        event.stop()
        entered = isinstance(event, Input.Submitted)
        if entered or self._typed != self._text:
            self._typed = self._text
            self.post_message(Taken(entered=entered))

    @on(Choice.Changed)
    def explain(self) -> None:
        """Say which host it is."""
        uri = self.query_one("#host", Choice).value
        self.query_one("#host-field", Field).note(shown_middle(uri, width=_WIDEST).plain)
        self.query_one("#uri-field").display = self._by_hand
