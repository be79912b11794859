"""Work that may block, away from the screen's thread.

Textual's own thread workers are joined when the program ends, so one silent host would hold up the exit.
These are daemon threads: nobody waits for them, and what they bring after the end is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from textual import on
from textual.message import Message
from textual.widget import Widget

from tui.engine.errors import HostError
from tui.engine.own_files import FileTrouble

Answer = TypeVar("Answer")
Heard = TypeVar("Heard")


class Background(Widget):
    """Takes work for threads and hands the answers back in the screen's thread. Draws nothing."""

    DEFAULT_CSS = "Background { display: none; }"

    @dataclass
    class Answered(Message, bubble=False):
        """A thread is done: call this."""

        then: Callable[[], None]

    def do(
        self,
        work: Callable[[], Answer],
        then: Callable[[Answer], None],
        otherwise: Callable[[str], None],
    ) -> None:
        """Run ``work`` in a thread; then here ``then`` with its answer, or ``otherwise`` with a sentence why not.

        An error that nobody expected is raised here after that, for whoever takes the others of its kind.
        """

        def thread() -> None:
            try:
                answer = work()
            except Exception as error:  # noqa: BLE001  the boundary of this thread
                mishap = error
                self.post_message(self.Answered(lambda: _fail(mishap, otherwise)))
            else:
                self.post_message(self.Answered(lambda: then(answer)))

        threading.Thread(target=thread, name="virt-mirror work", daemon=True).start()

    @on(Answered)
    def deliver(self, event: Answered) -> None:
        """Back in the screen's thread."""
        event.then()


def _fail(error: Exception, otherwise: Callable[[str], None]) -> None:
    if isinstance(error, HostError | FileTrouble):
        otherwise(str(error))
        return
    otherwise(f"Something went wrong inside virt-mirror: {type(error).__name__}: {error}")
    raise error


class Turn:
    """Of several questions the latest: what is answered to one before it is for nobody."""

    def __init__(self) -> None:
        """Nothing has been asked yet."""
        self._number = 0

    def begin(self) -> Callable[[Callable[[Heard], None]], Callable[[Heard], None]]:
        """Ask anew: what this returns wraps a hearer, who hears nothing once something else has been asked."""
        self.forget()
        number = self._number

        def only(hear: Callable[[Heard], None]) -> Callable[[Heard], None]:
            return lambda heard: hear(heard) if number == self._number else None

        return only

    def forget(self) -> None:
        """Hear nothing of what has been asked so far."""
        self._number += 1
