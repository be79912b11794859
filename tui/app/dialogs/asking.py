"""Asking hosts while somebody types: nobody waits for them, and they are not asked for what is past."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tui.engine.control import Control
from tui.engine.errors import HostError
from tui.model.plan import Plan
from tui.model.request import Request

Question = TypeVar("Question")
Given = TypeVar("Given")

Outdated = Callable[[], bool]
"""Whether another question has taken the place of the one that is being answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A plan, or why there is none."""

    wish: object
    """What was filled in."""
    plan: Plan | None
    error: str = ""


def answer_of(control: Control, request: Request) -> Answer:
    """What a host says to a request."""
    try:
        return Answer(request, control.plan(request))
    except HostError as error:
        return Answer(request, None, str(error))
    except Exception as error:  # noqa: BLE001  of several domains the others are asked all the same
        return Answer(request, None, f"The plan could not be made: {type(error).__name__}: {error}")


class Asker(Generic[Question, Given]):
    """One thread that has one question in flight and one in wait: the latest replaces the one before.

    A daemon thread, as a host may keep it for minutes, and a program that is told to quit does not wait.
    """

    def __init__(
        self, answer: Callable[[Question, Outdated], Given], tell: Callable[[int, Given | Exception], object]
    ) -> None:
        """Have questions answered, and tell the answers or errors with their numbers, in the thread of its own."""
        self._answer = answer
        self._tell = tell
        self._changed = threading.Condition()
        self._next: tuple[int, Question] | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="plans", daemon=True)

    def ask(self, number: int, question: Question) -> None:
        """Ask; returns at once."""
        with self._changed:
            self._next = (number, question)
            if not self._thread.is_alive() and not self._stopped:
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        """Ask nothing more; returns at once."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _work(self) -> None:
        while asked := self._wait():
            number, question = asked
            given: Given | Exception
            try:
                given = self._answer(question, self._outdated)
            except Exception as error:  # noqa: BLE001  the thread's edge: the next question is for it as well
                given = error
            self._tell(number, given)

    def _outdated(self) -> bool:
        return self._stopped or self._next is not None

    def _wait(self) -> tuple[int, Question] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._next)
            asked, self._next = self._next, None
            return None if self._stopped else asked


def ask_aside(look: Callable[[], tuple[str, ...]], tell: Callable[[tuple[str, ...]], object]) -> None:
    """Find out what a field can be completed to, in a daemon thread; nothing is said if that fails."""

    def work() -> None:
        try:
            found = look()
        except Exception:  # noqa: BLE001  the thread's edge; completion is a convenience
            return
        tell(found)

    threading.Thread(target=work, name="proposals", daemon=True).start()
