"""What is due at its time: the progress of running jobs, an event that is overdue, the next try to connect."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from tui.engine.disk_calls import guest_written
from tui.engine.errors import HostError, NoConnection
from tui.engine.on_the_way import leaves
from tui.engine.pool import CallPool
from tui.engine.room import RoomWatch
from tui.model import on_the_way, tracking
from tui.model.job import Job
from tui.model.migrate_steps import Migrate

if TYPE_CHECKING:
    from tui.engine.connection import Connection
    from tui.engine.host import Host

TICK = 1.0
"""Seconds between two looks at running jobs."""


class Poller:
    """One thread that sleeps until something is due, and has the pool do it: a host without jobs costs nothing."""

    def __init__(self, host: Host, pool: CallPool, monotonic: Callable[[], float]) -> None:
        """Begin to sleep; ``monotonic`` is the clock of rates and delays, in seconds."""
        self._host = host
        self._pool = pool
        self._monotonic = monotonic
        self._closed = False
        self._wake = threading.Event()
        self._retry_at: float | None = None
        self._room = RoomWatch(host, pool)
        self._asking: set[int] = set()
        """Jobs whose progress was asked for and has not arrived: a slow tick is left out, not queued."""
        self._looks_elsewhere = False
        """Whether migrations are asked for that other programs lead; likewise."""
        threading.Thread(target=self._tick, name="host-tick", daemon=True).start()

    def wake(self) -> None:
        """Something may be due sooner than it was."""
        self._wake.set()

    def connect_in(self, seconds: float) -> None:
        """Try to connect after so many seconds."""
        self._retry_at = self._monotonic() + seconds
        self._wake.set()

    def forget(self) -> None:
        """What was asked never arrives: the connection is gone."""
        self._asking.clear()
        self._looks_elsewhere = False

    def close(self) -> None:
        """Let the thread end; returns at once."""
        self._closed = True
        self._wake.set()

    def _tick(self) -> None:
        while not self._closed:
            self._wake.wait(self._pause())
            self._wake.clear()
            now = self._monotonic()
            if self._retry_at is not None and now >= self._retry_at:
                self._retry_at = None
                self._pool.submit(self._host.connect, urgent=True)
            if self._host.connected and self._host.state.active_jobs:
                self._host.apply_news(lambda s: tracking.with_overdue(s, self._host.clock()))
                self._pool.submit(self._ask_progress, urgent=True)
            if self._host.connected and not self._looks_elsewhere and self._led_elsewhere():
                self._looks_elsewhere = True
                self._pool.submit(self._look_elsewhere, urgent=True)

    def _pause(self) -> float | None:
        if self._retry_at is not None:
            return max(0.0, self._retry_at - self._monotonic())
        busy = self._host.state.active_jobs or self._led_elsewhere()
        return TICK if busy and self._host.connected else None

    def _led_elsewhere(self) -> set[str]:
        """UUIDs of the domains that other programs take to another host, or did when it was last looked."""
        state = self._host.state
        shown = {uuid for uuid, migration in state.migrations.items() if not migration.led}
        return shown | on_the_way.led_elsewhere(state, self._host.own_plans).keys()

    def _look_elsewhere(self) -> None:
        """See how far the migrations are that other programs lead."""
        try:
            self._host.asked(self._look_at_others)
        finally:
            self._looks_elsewhere = False

    def _look_at_others(self, _connection: Connection) -> None:
        steps = on_the_way.led_elsewhere(self._host.state, self._host.own_plans)
        for uuid in self._led_elsewhere():
            step = steps.get(uuid)
            if step is None or not self._leaves(step):
                self._host.apply(partial(on_the_way.without_other, uuid=uuid))

    def _leaves(self, step: Migrate) -> bool:
        try:
            return leaves(step, self._host)
        except NoConnection:
            raise
        except HostError:
            # It has just gone, or come back: whoever reads it again finds out.
            self._host.refresh(step.uuid)
            return False

    def _ask_progress(self) -> None:
        """One bulk call for what the guests write that are not being pulled, one call for each job."""
        jobs = [
            job for job in self._host.state.active_jobs if job.number not in self._asking and not job.starting
        ]
        if jobs:
            self._host.asked(partial(self._ask_jobs, jobs))

    def _ask_jobs(self, jobs: list[Job], connection: Connection) -> None:
        numbers = {job.number for job in jobs}
        self._asking |= numbers
        asked = {job.uuid for job in jobs} - self._host.state.pulled
        try:
            stats = connection.block_stats(asked) if asked else {}
        except NoConnection:
            self._asking -= numbers
            raise
        except HostError:
            # A domain that just went makes the whole call fail; its event tells why.
            stats = {}
        self._room.look(jobs)
        for job in jobs:
            self._pool.submit(partial(self._ask_job, job, stats.get(job.uuid, {})), urgent=True)

    def _ask_job(self, job: Job, stats: dict[str, Any]) -> None:
        try:
            self._host.asked(partial(self._ask_how_far, job, stats))
        finally:
            self._asking.discard(job.number)

    def _ask_how_far(self, job: Job, stats: dict[str, Any], connection: Connection) -> None:
        try:
            progress = connection.job(job.uuid, job.target)
        except NoConnection:
            raise
        except HostError:
            progress = None
        if progress is not None:
            written, at, now = guest_written(stats, job.target), self._monotonic(), self._host.clock()
            self._host.apply(
                lambda s: tracking.with_progress(s, job.number, progress, written, at=at, now=now)
            )
        else:
            # No job says nothing of how it ended: the XML and the event do.
            if not job.type.mirrors:
                self._host.apply(lambda s: tracking.with_missing(s, job.number, self._host.clock()))
            self._host.refresh(job.uuid)
