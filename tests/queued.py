"""A queue that is carried out on a real host, and what is waited for in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.engine import PATIENCE, accepted
from tui.engine.host import Host
from tui.engine.queue import QueueRunner
from tui.model.queue import Queue, State
from tui.model.request import Request

if TYPE_CHECKING:
    from tests.guests import Guest


class Queued:
    """A queue of what is to be done on one host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.runner = QueueRunner()
        self._changed = threading.Condition()
        self.runner.subscribe(self._wake)

    def _wake(self, _queue: Queue) -> None:
        with self._changed:
            self._changed.notify_all()

    def add(self, *requests: Request) -> None:
        self.runner.add([(self.host, accepted(self.host, request)) for request in requests])

    def until(self, true: Callable[[Queue], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: true(self.runner.queue), 2 * PATIENCE), self.runner.queue

    def until_ended(self) -> dict[str, State]:
        self.until(lambda queue: all(item.state.ended for item in queue.items))
        return {item.domain: item.state for item in self.runner.queue.items}

    def id_of(self, guest: Guest) -> int:
        return next(item.id for item in self.runner.queue.items if item.uuid == guest.uuid)

    def message(self, guest: Guest) -> str:
        item = self.runner.queue.item(self.id_of(guest))
        assert item
        return item.message
