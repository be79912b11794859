"""Doing something for each of many once at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import pytest

from tui.engine.once import OnceEach
from tui.engine.pool import CallPool

PATIENCE = 60.0


class Work:
    """Wishes that are carried out, each until it is let go."""

    def __init__(self) -> None:
        self.bugs = queue.Queue[Exception]()
        self.pool = CallPool("test", 4, self.bugs.put)
        self.once = OnceEach[str](self.pool, self._do, lambda earlier, later: earlier + later)
        self._begun = queue.Queue[tuple[str, str, threading.Event]]()
        self.fails = False

    def _do(self, key: str, wish: str) -> None:
        end = threading.Event()
        self._begun.put((key, wish, end))
        assert end.wait(PATIENCE)
        if self.fails:
            message = "a bug"
            raise RuntimeError(message)

    def begun(self) -> tuple[str, str, threading.Event]:
        return self._begun.get(timeout=PATIENCE)

    def ends_with(self, key: str) -> None:
        """Nothing else was to be done before this."""
        self.once.ask(key, "last")
        found, wish, end = self.begun()
        assert (found, wish) == (key, "last")
        end.set()


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.pool.close()


def test_what_is_wished_meanwhile_is_done_once_after_it(work: Work) -> None:
    work.once.ask("db01", "a")
    _key, _wish, end = work.begun()
    work.once.ask("db01", "b")
    work.once.ask("db01", "c")
    end.set()
    key, wish, end = work.begun()
    assert (key, wish) == ("db01", "bc")
    end.set()
    work.ends_with("other")


def test_others_do_not_wait_for_it(work: Work) -> None:
    work.once.ask("db01", "a")
    _key, _wish, held = work.begun()
    work.once.ask("web01", "b")
    key, _wish, end = work.begun()
    assert key == "web01"
    end.set()
    held.set()


def test_a_bug_in_one_loses_no_wish(work: Work) -> None:
    work.fails = True
    work.once.ask("db01", "a")
    _key, _wish, end = work.begun()
    work.once.ask("db01", "b")
    end.set()
    assert "a bug" in str(work.bugs.get(timeout=PATIENCE))
    key, wish, end = work.begun()
    assert (key, wish) == ("db01", "b")
    end.set()


def test_what_was_forgotten_under_way_holds_up_nothing_and_ends_nothing(work: Work) -> None:
    """As a reading that a lost connection never answers, beside one after the reconnect."""
    work.once.ask("db01", "old")
    _key, _wish, stuck = work.begun()
    work.once.ask("db01", "waits")
    work.once.forget()
    work.once.ask("db01", "new")
    key, wish, end = work.begun()
    assert (key, wish) == ("db01", "new")
    stuck.set()
    work.once.ask("db01", "later")
    work.ends_with("other")
    end.set()
    key, wish, end = work.begun()
    assert (key, wish) == ("db01", "later")
    end.set()
