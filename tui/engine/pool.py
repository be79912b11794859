"""A few threads for calls that block. They never delay the end of the program, as an executor's would."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class CallPool:
    """Runs functions in daemon threads, urgent ones first."""

    def __init__(self, name: str, size: int, on_bug: Callable[[Exception], None]) -> None:
        """Start ``size`` threads; ``on_bug`` hears of what a function should have caught itself."""
        self._work: queue.PriorityQueue[tuple[int, int, Callable[[], None] | None]] = queue.PriorityQueue()
        self._on_bug = on_bug
        self._lock = threading.Lock()
        self._count = 0
        self._size = size
        for number in range(size):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def submit(self, function: Callable[[], None], *, urgent: bool = False) -> None:
        """Run a function soon; among equals, in the order of submission."""
        self._put(0 if urgent else 1, function)

    def close(self) -> None:
        """Let the threads end once they have finished what they are doing; returns at once."""
        for _ in range(self._size):
            self._put(-1, None)

    def _put(self, priority: int, function: Callable[[], None] | None) -> None:
        with self._lock:
            self._count += 1
            self._work.put((priority, self._count, function))

    def _run(self) -> None:
        while True:
            _priority, _number, function = self._work.get()
            if function is None:
                return
            try:
                function()
            except Exception as error:  # noqa: BLE001  # the outermost boundary of these threads
                self._on_bug(error)
