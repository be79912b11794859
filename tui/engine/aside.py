"""A connection beside that of a host, for a call that takes long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tui.engine.connection import Connection
from tui.engine.errors import HostError, NoConnection
from tui.engine.uri import embedded_root
from tui.model.host import Link

if TYPE_CHECKING:
    from tui.engine.host import Host

_NOTICED = 5.0
"""Seconds within which a host is seen to be gone that another connection has lost."""


@contextmanager
def aside(host: Host) -> Iterator[Connection]:
    """A connection of its own, or the host's where there can be no other without asking for a password.

    While a thread waits for the end of a long call, libvirt's client often leaves lying what other threads send over
    the same connection, until its keepalive stirs it seconds later.

    Raises:
        NoConnection: when the host is gone, which then shows in its picture too.
    """
    own = _opened(host)
    try:
        yield own or host.connection()
    except NoConnection:
        if own is not None and not _answers(own):
            host.wait_for(lambda s: True if s.link is not Link.LIVE else None, timeout=_NOTICED)
        raise
    finally:
        if own is not None:
            own.close()


def _opened(host: Host) -> Connection | None:
    uri = host.reached_by
    if embedded_root(uri) is not None:
        return None
    try:
        return Connection(uri or None, read_only=host.read_only, on_event=lambda _event: None)
    except HostError:
        return None


def _answers(connection: Connection) -> bool:
    try:
        connection.hostname()
    except HostError:
        return False
    return True
