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

Answer = TypeVar("Answer")


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
        otherwise: Callable[[Exception], None],
    ) -> None:
        """Run ``work`` in a thread, then ``then`` with its answer or ``otherwise`` with its error here."""

        def thread() -> None:
            try:
                answer = work()
            except Exception as error:  # noqa: BLE001  the boundary of this thread
                mishap = error
                self.post_message(self.Answered(lambda: otherwise(mishap)))
            else:
                self.post_message(self.Answered(lambda: then(answer)))

        threading.Thread(target=thread, name="virt-mirror work", daemon=True).start()

    @on(Answered)
    def deliver(self, event: Answered) -> None:
        """Back in the screen's thread."""
        event.then()
