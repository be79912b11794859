"""Calls that take turns."""

from __future__ import annotations

import queue
import threading

import pytest

from tui.engine.turns import Turns

PATIENCE = 60.0
MOMENT = 0.05
"""Seconds in which something would have happened that must not."""


class Calls:
    """Calls that begin when their turn comes, and end when they are told to."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._begun = queue.Queue[tuple[threading.Thread, threading.Event]]()

    def make(self) -> None:
        threading.Thread(target=self._call, daemon=True).start()

    def _call(self) -> None:
        with self._turns.taken():
            end = threading.Event()
            self._begun.put((threading.current_thread(), end))
            end.wait(PATIENCE)

    def begun(self, timeout: float = PATIENCE) -> tuple[threading.Thread, threading.Event]:
        """The one that has begun next."""
        return self._begun.get(timeout=timeout)

    def none_begins(self) -> bool:
        try:
            self.begun(MOMENT)
        except queue.Empty:
            return True
        return False


def ended(call: tuple[threading.Thread, threading.Event]) -> bool:
    thread, end = call
    end.set()
    thread.join(PATIENCE)
    return not thread.is_alive()


@pytest.mark.parametrize("count", [2, 8])
def test_one_call_after_the_other(count: int) -> None:
    calls = Calls(Turns(PATIENCE))
    for _ in range(count):
        calls.make()
    for _ in range(count):
        going = calls.begun()
        assert calls.none_begins()
        assert ended(going)
    assert calls.none_begins()


def test_a_call_that_takes_long_is_passed_and_its_end_ends_no_other_turn() -> None:
    clock = [0.0]
    calls = Calls(Turns(1.0, lambda: clock[0]))
    calls.make()
    long = calls.begun()
    clock[0] = 1.0
    calls.make()
    second = calls.begun()
    assert ended(long)
    calls.make()
    assert calls.none_begins()
    assert ended(second)
    assert ended(calls.begun())
