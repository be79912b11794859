"""The other hosts that plans of a host are about: opened when they are needed, and closed with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tui.engine.errors import NoConnection, StepFailed
from tui.model.hierarchy import KnownSnapshot
from tui.model.host import HostState, Link

if TYPE_CHECKING:
    from tui.engine.host import Host

REACHED = 60.0
"""Seconds for which another host is waited for."""


class Peers:
    """Those of one host, by the URIs by which plans name them."""

    def __init__(self, open_host: Callable[[str], Host]) -> None:
        """Open them in this way."""
        self._open = open_host
        self._lock = threading.Lock()
        self._known: dict[str, Host] = {}
        self._opened: list[Host] = []
        self.secrets: dict[str, tuple[KnownSnapshot, ...]] = {}
        """By domain: snapshots that are set aside, with what no journal may hold; those that are opened here have
        it too."""

    def get(self, uri: str) -> Host:
        """A host, once all that is there has been read.

        Raises:
            StepFailed: when it cannot be reached.
        """
        with self._lock:
            peer = self._known.get(uri)
            if peer is None:
                peer = self._known[uri] = self._open(uri)
                peer.peers.secrets = self.secrets
                self._opened.append(peer)
        try:
            _await_listed(peer)
        except StepFailed:
            self._forget_unreached(uri, peer)
            raise
        return peer

    def _forget_unreached(self, uri: str, peer: Host) -> None:
        """Do not go on trying a host that has never answered: its URI may be a slip of the pen."""
        with self._lock:
            if peer not in self._opened or peer.state.hostname is not None:
                return
            self._known.pop(uri, None)
            self._opened.remove(peer)
        peer.close()

    def introduce(self, uri: str, peer: Host) -> None:
        """Know a host that somebody else has opened, and closes."""
        with self._lock:
            self._known[uri] = peer

    def close(self) -> None:
        """Let go of those that were opened here."""
        with self._lock:
            opened, self._opened = self._opened, []
        for peer in opened:
            peer.close()


@contextmanager
def peer_of(host: Host, uri: str) -> Iterator[Host]:
    """Another host; that it is lost is a failure of the step, and not of the host that has the domain.

    Raises:
        StepFailed: when it is not reached, or is lost meanwhile.
    """
    peer = host.peer(uri)
    try:
        yield peer
    except NoConnection as error:
        if not host.connected:
            raise
        message = f"The connection to {peer.state.name} broke: {error.message}"
        raise StepFailed(message) from error


def _await_listed(peer: Host) -> None:
    def known(state: HostState) -> bool | None:
        if state.complete:
            return True
        return False if state.link is Link.LOST else None

    if not peer.wait_for(known, timeout=REACHED):
        state = peer.state
        message = f"{state.name} is not reached."
        raise StepFailed(message, remedy=state.error or "It does not answer.")
