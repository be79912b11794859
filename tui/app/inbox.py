"""Where news from the threads of the hosts waits for the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tui.model.host import HostState


class Inbox:
    """The latest picture of each host, and one wake-up for however many pictures came.

    A picture replaces the one before, so a screen that is slow sees fewer of them, never older ones. Log
    lines do not come this way: each of them counts.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        """Call ``wake`` when there is something again; from any thread, it must return at once."""
        self._wake = wake
        self._lock = threading.Lock()
        self._latest: dict[int, HostState] = {}

    def put(self, number: int, state: HostState) -> None:
        """From the thread of the host of that number: here is a new picture."""
        with self._lock:
            first = not self._latest
            self._latest[number] = state
        if first:
            self._wake()

    def take(self) -> dict[int, HostState]:
        """On the screen's side: all that is new, by the number of the host."""
        with self._lock:
            latest, self._latest = self._latest, {}
        return latest
