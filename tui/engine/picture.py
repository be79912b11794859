"""What is known of a host, one picture for everybody: who looks on is told of each, and who waits looks at each.

Every thread replaces the immutable picture through ``apply``, with a pure function of ``tui.model.tracking``;
whoever waits for something waits for a picture in which it is so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from tui.engine.control import Level, LogLine
from tui.model import tracking
from tui.model.host import HostState
from tui.model.job import Phase

Found = TypeVar("Found")


class Picture:
    """The latest picture, and those who look at it."""

    def __init__(self, state: HostState, clock: Callable[[], float]) -> None:
        """Begin with a picture; ``clock`` says when something was logged, seconds since the epoch."""
        self.clock = clock
        self._state = state
        self._changed = threading.Condition()
        self._listeners: dict[int, tuple[Callable[[HostState], None], Callable[[LogLine], None]]] = {}
        self._closed = False

    @property
    def state(self) -> HostState:
        """The latest picture."""
        return self._state

    def subscribe(
        self, on_state: Callable[[HostState], None], on_log: Callable[[LogLine], None]
    ) -> Callable[[], None]:
        """Be told of every new picture and log line, the present picture first."""
        with self._changed:
            number = max(self._listeners, default=0) + 1
            self._listeners[number] = (on_state, on_log)
            on_state(self._state)

        def unsubscribe() -> None:
            with self._changed:
                self._listeners.pop(number, None)

        return unsubscribe

    def apply(self, change: Callable[[HostState], HostState]) -> HostState:
        """Replace the picture by what a pure function makes of it, and show it to everybody."""
        with self._changed:
            before, self._state = self._state, change(self._state)
            if self._state is not before and self._state != before:
                self._changed.notify_all()
                for on_state, _on_log in self._listeners.values():
                    on_state(self._state)
            return self._state

    def apply_news(self, change: Callable[[HostState], HostState]) -> None:
        """As ``apply``, and log the jobs that ended by it."""
        with self._changed:
            before = self._state
            after = self.apply(change)
        running = {job.number for job in before.active_jobs}
        for job in after.jobs:
            if job.number in running and job.phase.ended:
                level = Level.ERROR if job.phase is Phase.FAILED else Level.INFO
                remark = job.remark or ""
                self.log(f"{job.domain} {job.target}: {job.phase}. {remark}", level, domain=job.domain)

    def go_on(self, uuid: str) -> None:
        """Tell a plan that holds a guest still for the user that he has done his part."""
        self.apply(
            lambda state: replace(state, awaited={u: a for u, a in state.awaited.items() if u != uuid})
        )

    def give_up(self, uuid: str) -> None:
        """Tell it that he will not do it."""

        def given_up(state: HostState) -> HostState:
            found = state.awaited.get(uuid)
            if found is None:
                return state
            return replace(state, awaited={**state.awaited, uuid: replace(found, given_up=True)})

        self.apply(given_up)

    def dismiss(self, number: int) -> None:
        """Take an ended job off the picture."""
        self.apply(lambda state: tracking.without_job(state, number))

    def wait_for(
        self,
        found: Callable[[HostState], Found | None],
        *,
        timeout: float | None = None,
        stop: threading.Event | None = None,
    ) -> Found | None:
        """Block until ``found`` returns something for the picture of the moment, and return that.

        ``None`` when ``timeout`` seconds have passed, ``stop`` is set (see ``nudge``) or the host is closed.
        """
        result: list[Found] = []

        def enough() -> bool:
            answer = found(self._state)
            if answer is not None:
                result.append(answer)
            return bool(result) or self._closed or (stop is not None and stop.is_set())

        with self._changed:
            self._changed.wait_for(enough, timeout)
        return result[0] if result else None

    def nudge(self) -> None:
        """Make those who wait look again whether they should still wait."""
        with self._changed:
            self._changed.notify_all()

    def log(
        self,
        text: str,
        level: Level = Level.INFO,
        *,
        commands: tuple[str, ...] = (),
        domain: str | None = None,
    ) -> None:
        """Tell everybody what happened."""
        line = LogLine(self.clock(), self._state.name, level, text, commands, domain)
        with self._changed:
            for _on_state, on_log in self._listeners.values():
                on_log(line)

    def hide(self) -> None:
        """Tell nobody anything more, and let nobody wait."""
        with self._changed:
            self._closed = True
            self._listeners.clear()
            self._changed.notify_all()
