"""Calls that wait for each other, as a client library needs them that gets lost when two are in flight.

When a connection ends, libvirt's client before 10.4 leaves a call's stack to the call that comes after it in the same
connection, which may end the process: CVE-2024-4418. One call at a time cannot meet that, and is no slower where the
answer comes at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Lets one call begin after the other, and past any that takes long: a guest may keep it for half a minute."""

    def __init__(self, patience: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Wait so many seconds at most for a call that is in flight."""
        self._patience = patience
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._current: object | None = None
        self._since = 0.0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have one's turn for the length of a call."""
        mine = object()
        with self._changed:
            while (
                self._current is not None and (left := self._since + self._patience - self._monotonic()) > 0
            ):
                self._changed.wait(left)
            self._current, self._since = mine, self._monotonic()
        try:
            yield
        finally:
            with self._changed:
                if self._current is mine:
                    self._current = None
                    self._changed.notify()
