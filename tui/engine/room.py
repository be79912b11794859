"""Room where running copies write: before it is used up they crawl, and the user is told while there is time."""

from __future__ import annotations

import math
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from tui.engine.control import Level
from tui.engine.errors import HostError, NoConnection
from tui.model import tracking
from tui.model.job import Job, JobType
from tui.model.quantity import size
from tui.model.steps import SetSpeed
from tui.model.storage import FileSource, Layer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.engine.files import Files
    from tui.engine.filling import Crawl
    from tui.engine.host import Host
    from tui.engine.pool import CallPool

SECTOR = 512
"""Bytes in which the kernel counts blocks, whatever the file system's own are."""
LOOK_THERE = 5.0
"""Seconds between two looks at a file system of another machine."""
CRAWL = 1024 * 1024
"""Bytes per second of a copy whose destination is nearly full."""
MOST_RESERVED = 1024**3
SHARE_RESERVED = 20
"""A file system is nearly full when a 20th of it is left, or 1 GiB of a large one."""


def taken(status: os.stat_result) -> int:
    """Bytes that a file takes of its file system, holes left out."""
    return status.st_blocks * SECTOR


def few(free: int, total: int) -> int | None:
    """The bytes that are free in a file system, when they are few; ``None`` while there is room."""
    return free if free < min(MOST_RESERVED, total // SHARE_RESERVED) else None


def left_in(path: str) -> int | None:
    """Bytes that are left where a file lies, when they are few; ``None`` while there is room, or nobody can see."""
    try:
        system = os.statvfs(os.path.dirname(path))  # noqa: PTH120  the name stays as it is
    except (OSError, ValueError):
        return None
    return few(system.f_bavail * system.f_frsize, system.f_blocks * system.f_frsize)


def crawling(files: Files, host: Host, domain: str, at: str = "") -> Crawl:
    """Whether the copy to a path is to crawl; the user is told of the first one that is.

    Args:
        files: where the copies go.
        host: whose log it is told in.
        domain: the name of the domain that they are made for.
        at: the name of the host that they go to, when it is another one.
    """
    warned: list[str] = []

    def crawls(path: str) -> bool:
        left = files.left_for(path)
        if left is not None and not warned:
            warned.append(path)
            where = f"{path} at {at}" if at else path
            words = f"Only {size(left)} are left for {where}: its copy crawls until there is room."
            host.log(words, Level.WARNING, domain=domain)
        return left is not None

    return crawls


class RoomWatch:
    """Slows the copies of this program when their destination is nearly full, and lets them go on when it is not."""

    def __init__(self, host: Host, pool: CallPool) -> None:
        """Nothing is slowed yet. Hosts elsewhere are asked in the threads of ``pool``."""
        self._host = host
        self._pool = pool
        self._there: dict[str, int | None] = {}
        """By path on a host elsewhere: what was left there when it was asked last."""
        self._asked: dict[str, float] = {}
        """When that was, on a monotonic clock; infinite while it is being asked."""
        self._slowed: dict[int, int] = {}
        """By number of a job: the limit that it had."""
        self._warned: set[int] = set()

    def look(self, jobs: Iterable[Job]) -> None:
        """Look once at the room for each of these jobs."""
        if self._host.read_only:
            return
        for job in jobs:
            if job.type is JobType.COPY and self._ours(job):
                self._look_at(job)

    def _ours(self, job: Job) -> bool:
        """Whether it is for this program to steer: another one that is at work watches by itself."""
        entry = next((e for e in self._host.state.entries_of(job.uuid) if e.id == job.plan), None)
        return entry is not None and (entry.id in self._host.own_plans or entry.stale(self._host.clock()))

    def _look_at(self, job: Job) -> None:
        path = _file(job.destination.active)
        left = self._left(path) if path else None
        if left is not None and job.number not in self._slowed:
            self._slow(job, left)
        elif left is None and job.number in self._slowed:
            self._let_go(job)
        source = _file(job.source)
        left = self._left(source) if source else None
        if left is not None and job.number not in self._warned:
            self._warned.add(job.number)
            self._host.log(
                f"Only {size(left)} are left where {job.domain} writes now ({source}); it stops when they are used"
                " up. Make room there, or end the job.",
                Level.WARNING,
                domain=job.domain,
            )

    def _left(self, path: str) -> int | None:
        """As ``left_in``; elsewhere as it was when somebody looked last."""
        if self._host.local:
            return left_in(path)
        if self._host.files is not None and time.monotonic() - self._asked.get(path, -math.inf) > LOOK_THERE:
            self._asked[path] = math.inf
            self._pool.submit(partial(self._ask, self._host.files, path))
        return self._there.get(path)

    def _ask(self, files: Files, path: str) -> None:
        try:
            self._there[path] = files.left_for(path)
        except HostError:
            # The connection tells by itself when the host is gone; ssh alone is no reason to slow anything.
            self._there.pop(path, None)
        self._asked[path] = time.monotonic()

    def _slow(self, job: Job, left: int) -> None:
        limit = job.progress.bandwidth if job.progress else 0
        slower = limit == 0 or limit > CRAWL
        if self._set_speed(job, CRAWL) if slower else True:
            self._slowed[job.number] = limit
            self._tell(
                job, f"Only {size(left)} are left at its destination: it crawls until there is room.", slower
            )

    def _let_go(self, job: Job) -> None:
        limit = self._slowed[job.number]
        crawls = job.progress is not None and job.progress.bandwidth == CRAWL
        # Whoever changed the limit meanwhile has decided.
        if self._set_speed(job, limit) if crawls and limit != CRAWL else True:
            del self._slowed[job.number]
            self._host.apply(partial(tracking.with_remark, number=job.number, remark=None))
            self._host.log(f"{job.domain} {job.target}: there is room again.", domain=job.domain)

    def _tell(self, job: Job, remark: str, slower: bool) -> None:  # noqa: FBT001
        commands = SetSpeed(job.uuid, job.domain, job.target, CRAWL).commands if slower else ()
        self._host.apply(partial(tracking.with_remark, number=job.number, remark=remark))
        text = f"{job.domain} {job.target}: {remark}"
        self._host.log(text, Level.WARNING, commands=commands, domain=job.domain)

    def _set_speed(self, job: Job, limit: int) -> bool:
        try:
            self._host.connection().set_speed(job.uuid, job.target, limit)
        except NoConnection:
            return False
        except HostError:
            # It has just ended, or is ending; the next look knows.
            return False
        return True


def _file(layer: Layer | None) -> str | None:
    return layer.source.path if layer and isinstance(layer.source, FileSource) else None
