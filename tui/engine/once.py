"""Doing something for each of many once at a time, however many reasons there are for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from tui.engine.pool import CallPool

Wish = TypeVar("Wish")


class OnceEach(Generic[Wish]):
    """Carries out wishes for keys in the threads of a pool: what is wished meanwhile is carried out after it."""

    def __init__(
        self, pool: CallPool, do: Callable[[str, Wish], None], merged: Callable[[Wish, Wish], Wish]
    ) -> None:
        """Carry a key's wish out by ``do``; ``merged`` makes one of an earlier and a later wish that both wait."""
        self._pool = pool
        self._do = do
        self._merged = merged
        self._lock = threading.Lock()
        self._waiting: dict[str, Wish] = {}
        self._under_way: dict[str, object] = {}
        """What is queued or carried out, so that it can be told from what was forgotten."""

    def ask(self, key: str, wish: Wish, *, urgent: bool = False) -> None:
        """Have it done soon."""
        with self._lock:
            earlier = self._waiting.get(key)
            self._waiting[key] = wish if earlier is None else self._merged(earlier, wish)
            if key in self._under_way:
                return
            mine = self._under_way[key] = object()
        self._pool.submit(partial(self._run, key, mine), urgent=urgent)

    def forget(self) -> None:
        """Do nothing of what waits; what is being done holds up nobody any more."""
        with self._lock:
            self._waiting.clear()
            self._under_way.clear()

    def _run(self, key: str, mine: object) -> None:
        with self._lock:
            if self._under_way.get(key) is not mine:
                return
            wish = self._waiting.pop(key)
        try:
            self._do(key, wish)
        finally:
            with self._lock:
                still = self._under_way.get(key) is mine
                again = still and key in self._waiting
                if still and not again:
                    del self._under_way[key]
            if again:
                self._pool.submit(partial(self._run, key, mine))
