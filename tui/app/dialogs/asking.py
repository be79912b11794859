"""Asking a host for plans while somebody types: nobody waits for it, and it is not asked for what is past."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tui.engine.control import Control
from tui.engine.errors import HostError
from tui.model.plan import Plan
from tui.model.request import Request


@dataclass(frozen=True, slots=True)
class Answer:
    """A plan, or why there is none."""

    number: int
    """Of the question: an answer to any but the latest is of no use."""
    request: Request
    plan: Plan | None
    error: str = ""


class Asker:
    """One thread that has one question in flight and one in wait: the latest replaces the one before.

    A daemon thread, as a host may keep it for minutes, and a program that is told to quit does not wait.
    """

    def __init__(self, control: Control, tell: Callable[[Answer], object]) -> None:
        """Answer to ``tell``, in the thread of its own."""
        self._control = control
        self._tell = tell
        self._changed = threading.Condition()
        self._next: tuple[int, Request] | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="plans", daemon=True)

    def ask(self, number: int, request: Request) -> None:
        """Ask; returns at once."""
        with self._changed:
            self._next = (number, request)
            if not self._thread.is_alive() and not self._stopped:
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        """Ask nothing more; returns at once."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _work(self) -> None:
        while question := self._wait():
            number, request = question
            self._tell(self._answer(number, request))

    def _wait(self) -> tuple[int, Request] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._next)
            question, self._next = self._next, None
            return None if self._stopped else question

    def _answer(self, number: int, request: Request) -> Answer:
        try:
            return Answer(number, request, self._control.plan(request))
        except HostError as error:
            return Answer(number, request, None, str(error))
        except Exception as error:  # noqa: BLE001  the thread's edge: else the form would say "checking" for ever
            return Answer(
                number, request, None, f"The plan could not be made: {type(error).__name__}: {error}"
            )


def ask_places(control: Control, tell: Callable[[tuple[str, ...]], object]) -> None:
    """Find out where the host has storage pools, in a daemon thread; nothing is said if that fails."""

    def work() -> None:
        try:
            places = control.places()
        except Exception:  # noqa: BLE001  the thread's edge; completion is a convenience
            return
        tell(places)

    threading.Thread(target=work, name="places", daemon=True).start()
