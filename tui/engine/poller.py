"""What is due at its time: the progress of running jobs, an event that is overdue, the next try to connect."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from tui.engine.errors import HostError, NoConnection
from tui.engine.pool import CallPool
from tui.engine.room import RoomWatch
from tui.model import tracking
from tui.model.job import Job

if TYPE_CHECKING:
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

    def _pause(self) -> float | None:
        if self._retry_at is not None:
            return max(0.0, self._retry_at - self._monotonic())
        return TICK if self._host.state.active_jobs and self._host.connected else None

    def _ask_progress(self) -> None:
        """One bulk call for what the guests write, one call for each job."""
        jobs = [
            job for job in self._host.state.active_jobs if job.number not in self._asking and not job.starting
        ]
        if not jobs:
            return
        numbers = {job.number for job in jobs}
        self._asking |= numbers
        try:
            stats = self._host.connection().block_stats({job.uuid for job in jobs})
        except NoConnection as error:
            self._asking -= numbers
            self._host.lose(error.message)
            return
        except HostError:
            # A domain that just went makes the whole call fail; its event tells why.
            stats = {}
        self._room.look(jobs)
        for job in jobs:
            self._pool.submit(partial(self._ask_job, job, stats.get(job.uuid, {})), urgent=True)

    def _ask_job(self, job: Job, stats: dict[str, Any]) -> None:
        try:
            progress = self._host.connection().job(job.uuid, job.target)
        except NoConnection as error:
            self._host.lose(error.message)
            return
        except HostError:
            progress = None
        finally:
            self._asking.discard(job.number)
        if progress is not None:
            written, at, now = _guest_written(stats, job.target), self._monotonic(), self._host.clock()
            self._host.apply(
                lambda s: tracking.with_progress(s, job.number, progress, written, at=at, now=now)
            )
        else:
            # No job says nothing of how it ended: the XML and the event do.
            if not job.type.mirrors:
                self._host.apply(lambda s: tracking.with_missing(s, job.number, self._host.clock()))
            self._host.refresh(job.uuid)


def _guest_written(stats: dict[str, Any], target: str) -> int | None:
    """Bytes the guest has written to a disk, out of the rows of a domstats answer."""
    for number in range(stats.get("block.count", 0)):
        if stats.get(f"block.{number}.name") == target:
            written = stats.get(f"block.{number}.wr.bytes")
            return int(written) if written is not None else None
    return None
