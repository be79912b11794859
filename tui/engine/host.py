"""One host, kept in sight: events first, one bulk call a tick for the rest, one picture for everybody.

Every thread replaces the immutable picture through ``apply``, with a pure function of ``tui.model.tracking``;
whoever waits for something waits for a picture in which it is so.
"""

from __future__ import annotations

import threading
import time
import uuid as uuids
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any, TypeVar

from tui.engine import journal
from tui.engine.connection import (
    BlockJobChanged,
    Connection,
    ConnectionClosed,
    DomainChanged,
    Event,
)
from tui.engine.control import Level, LogLine
from tui.engine.errors import HostError, NoConnection, ReadOnlyError
from tui.engine.images import ImageError, read_chain
from tui.engine.planning import make_plan
from tui.engine.pool import CallPool
from tui.engine.recovery import recover
from tui.engine.runner import PlanRun
from tui.engine.uri import is_local
from tui.model import tracking, xml
from tui.model.definition import parse_domain
from tui.model.domain import Definition, Domain, RunState
from tui.model.host import HostState, Link
from tui.model.job import Job
from tui.model.plan import Plan
from tui.model.request import Request

TICK = 1.0
"""Seconds between two looks at running jobs."""
CALLS_IN_FLIGHT = 16
RETRY_DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds to wait before the next attempt to connect; the last one repeats."""

Found = TypeVar("Found")


class Host:
    """The real ``Control``: a connection that comes back by itself, and what is known through it."""

    def __init__(
        self,
        uri: str | None,
        *,
        read_only: bool = False,
        places: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to connect, in the background.

        Args:
            uri: libvirt's; ``None`` is its own choice.
            read_only: open a connection that cannot write, and refuse to.
            places: directories to propose for new images, ahead of the storage pools'.
            clock: wall clock, seconds since the epoch.
            monotonic: for rates and delays, seconds.
        """
        self.uri = uri or ""
        self.read_only = read_only
        self.clock = clock
        self._places = places
        self._monotonic = monotonic
        self._state = HostState(uri=self.uri or "default", link_since=clock(), read_only=read_only)
        self._changed = threading.Condition()
        self._listeners: dict[int, tuple[Callable[[HostState], None], Callable[[LogLine], None]]] = {}
        self._connection: Connection | None = None
        self._closed = threading.Event()
        self._wake = threading.Event()
        self._retry_at: float | None = None
        self._reading: dict[str, bool] = {}
        """Domains being read; true when something happened meanwhile, so that they are read again."""
        self._asking: set[int] = set()
        """Jobs whose progress was asked for and has not arrived: a slow tick is left out, not queued."""
        self._told: set[str] = set()
        self._runs: list[PlanRun] = []
        self._pool = CallPool("host", CALLS_IN_FLIGHT, self._report_bug)
        self._pool.submit(self._connect, urgent=True)
        threading.Thread(target=self._tick, name="host-tick", daemon=True).start()

    # What everybody may ask

    @property
    def state(self) -> HostState:
        """The latest picture."""
        return self._state

    @property
    def local(self) -> bool:
        """Whether the host's files are this machine's files."""
        return is_local(self._state.uri)

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

    def plan(self, request: Request) -> Plan:
        """Look at the host and make the plan; changes nothing."""
        return make_plan(request, self.connection(), self._state, uuids.uuid4().hex[:8], self.clock())

    def run(self, plan: Plan) -> PlanRun:
        """Begin to carry out a plan."""
        if self.read_only:
            message = f"{self._state.name} was opened read-only."
            raise ReadOnlyError(message, remedy="Start without --read-only to change anything.")
        if plan.refused:
            message = f"{plan.title} is refused by its own checks."
            raise HostError(message, remedy="Look at the findings of the plan.")
        run = PlanRun(self, plan)
        self._runs = [r for r in self._runs if r.outcome is None] + [run]
        run.start()
        return run

    def refresh(self, uuid: str | None = None) -> None:
        """Read one domain again, chains of a shut-off one from its images, or read all of them."""
        if uuid is None:
            self._pool.submit(lambda: self._list(resync=False), urgent=True)
        else:
            self._read(uuid, urgent=True)

    def dismiss(self, number: int) -> None:
        """Take an ended job off the picture."""
        self.apply(lambda state: tracking.without_job(state, number))

    def places(self) -> tuple[str, ...]:
        """Directories for new images: those that were given, then the storage pools'."""
        try:
            pools = self.connection().pools()
        except HostError:
            # Embedded hypervisors have no pools, and a lost host has no completion.
            pools = ()
        paths = (xml.parse(pool).findtext("target/path") for pool in pools)
        found = sorted({p for p in paths if p and PurePath(p).is_absolute() and p != "/dev"})
        return (*self._places, *(p for p in found if p not in self._places))

    def close(self) -> None:
        """Let go of the host at once; jobs go on in QEMU."""
        for run in self._runs:
            run.leave()
        self._closed.set()
        self._wake.set()
        with self._changed:
            connection, self._connection = self._connection, None
            self._listeners.clear()
            self._changed.notify_all()
        if connection is not None:
            # A dead host would hold this for as long as its timeouts last.
            threading.Thread(target=connection.close, name="host-close", daemon=True).start()
        self._pool.close()

    # What runs and steps need

    def connection(self) -> Connection:
        """The open connection.

        Raises:
            NoConnection: when there is none now.
        """
        connection = self._connection
        if connection is None:
            why = self._state.error or "It is not connected yet."
            message = f"There is no connection to {self._state.name}."
            raise NoConnection(message, remedy=why)
        return connection

    def apply(self, change: Callable[[HostState], HostState]) -> HostState:
        """Replace the picture by what a pure function makes of it, and show it to everybody."""
        with self._changed:
            before, self._state = self._state, change(self._state)
            if self._state is not before and self._state != before:
                self._changed.notify_all()
                for on_state, _on_log in self._listeners.values():
                    on_state(self._state)
            if len(before.active_jobs) != len(self._state.active_jobs):
                self._wake.set()
            return self._state

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
            return bool(result) or self._closed.is_set() or (stop is not None and stop.is_set())

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

    # The connection

    def _connect(self) -> None:
        try:
            connection = Connection(self.uri or None, read_only=self.read_only, on_event=self._hear)
            uri = connection.uri()
            about: dict[str, Any] = {
                "uri": uri,
                "hostname": connection.hostname(),
                "libvirt": connection.libvirt_version(),
                "hypervisor": connection.hypervisor(),
            }
        except HostError as error:
            self._retry(str(error))
            return
        with self._changed:
            if self._closed.is_set():
                threading.Thread(target=connection.close, daemon=True).start()
                return
            self._connection = connection
        now = self.clock()
        # Until the listing has arrived nothing is known, and a host without domains must not look like that.
        self.apply(
            lambda s: replace(
                s, **about, link=Link.LIVE, link_since=now, retries=0, error=None, refreshed=now, listed=False
            )
        )
        self.log(f"Connected to {about['hostname']} ({uri}).")
        self._list(resync=True)

    def _retry(self, error: str) -> None:
        now = self.clock()
        attempt = self._state.retries
        delay = RETRY_DELAYS[min(attempt, len(RETRY_DELAYS) - 1)]
        was = self._state.link
        self.apply(
            lambda s: replace(
                s,
                link=Link.LOST,
                link_since=now if was is not Link.LOST else s.link_since,
                retries=attempt + 1,
                error=error,
            )
        )
        if was is not Link.LOST or attempt == 0:
            self.log(error, Level.ERROR)
        self._retry_at = self._monotonic() + delay
        self._wake.set()

    def _lose(self, reason: str) -> None:
        with self._changed:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        # What is being read or asked there never arrives; all of it is read anew after the reconnect.
        self._reading.clear()
        self._asking.clear()
        threading.Thread(target=connection.close, name="host-close", daemon=True).start()
        self._retry(f"The connection was lost: {reason}.")

    def _hear(self, event: Event) -> None:
        """Called by libvirt's event thread, which must not be held up."""
        match event:
            case DomainChanged(uuid=uuid):
                self._read(uuid)
            case BlockJobChanged(uuid=uuid, target=target, event=kind):
                now = self.clock()
                state = self.apply(lambda s: tracking.with_block_event(s, uuid, target, kind, now))
                job = state.job(uuid, target)
                name = job.domain if job else uuid
                self.log(f"{name} {target}: libvirt says {kind}.", domain=name)
                self._read(uuid, urgent=True)
            case ConnectionClosed(reason=reason):
                self._pool.submit(lambda: self._lose(reason), urgent=True)

    # Reading

    def _list(self, *, resync: bool) -> None:
        """Read every domain. ``resync`` says that events may have been missed, so that none is waited for."""
        try:
            names = self.connection().list_domains()
        except NoConnection as error:
            self._lose(error.message)
            return
        except HostError as error:
            self.log(str(error), Level.ERROR)
            return
        now = self.clock()

        def listed(state: HostState) -> HostState:
            state = tracking.with_domains(state, names, now)
            known = {d.uuid for d in state.domains}
            new = [
                Domain(Definition(name, uuid), RunState.UNKNOWN, persistent=False)
                for uuid, name in names.items()
                if uuid not in known
            ]
            domains = tuple(sorted([*state.domains, *new], key=lambda d: (d.name, d.uuid)))
            return replace(state, domains=domains, listed=True, unread=len(names) + 1, refreshed=now)

        for domain in self.apply(listed).domains:
            self._read(domain.uuid, listing=True, resync=resync)
        self._pool.submit(self._measure)

    def _measure(self) -> None:
        """Learn the sizes of all disks at once, as the last part of a listing."""
        try:
            sizes = self.connection().capacities()
        except HostError:
            # Drivers other than QEMU's have no such statistics; the sizes stay unknown.
            sizes = {}
        self.apply(lambda s: replace(s, capacities={**s.capacities, **sizes}))
        self._count_read()

    def _read(self, uuid: str, *, urgent: bool = False, listing: bool = False, resync: bool = False) -> None:
        """Read a domain soon, once, however many reasons there are for it."""
        with self._changed:
            busy = uuid in self._reading
            self._reading[uuid] = busy
        if not busy:
            self._pool.submit(lambda: self._read_now(uuid, listing=listing, resync=resync), urgent=urgent)
        elif listing:
            self._count_read()

    def _read_now(self, uuid: str, *, listing: bool, resync: bool) -> None:
        try:
            self._look_at(uuid, chains=not listing, first_look=resync)
        except NoConnection as error:
            self._lose(error.message)
        except HostError as error:
            self.log(f"{uuid} could not be read: {error}", Level.ERROR)
        except xml.InvalidXML as error:
            self.log(f"{uuid} has a definition that cannot be read: {error}", Level.ERROR)
        finally:
            if listing:
                self._count_read()
            with self._changed:
                again = self._reading.pop(uuid, False)
        if again and self._connection is not None:
            self._read(uuid)

    def _count_read(self) -> None:
        self.apply(lambda s: replace(s, unread=max(0, s.unread - 1)))

    def _look_at(self, uuid: str, *, chains: bool, first_look: bool) -> None:
        reading = self.connection().read(uuid)
        now = self.clock()
        if reading is None:
            self.apply(lambda s: tracking.without_domain(s, uuid, now))
            return
        definition = parse_domain(reading.xml)
        if chains and self.local and not reading.state.active:
            definition = _with_chains(definition)
        domain = Domain(definition, reading.state, reading.persistent)
        entries, problems = journal.read(definition.plans, uuid)
        for problem in problems:
            if problem not in self._told:
                self._told.add(problem)
                self.log(f"{domain.name}: {problem}", Level.WARNING, domain=domain.name)
        before = self._state
        after = self.apply(lambda s: tracking.with_domain(s, domain, entries, now, first_look=first_look))
        self._tell_endings(before, after)
        if chains:
            self._measure_disks(domain)
        own = {run.plan.id for run in self._runs if run.outcome is None}
        others = tuple(entry for entry in entries if entry.id not in own)
        if others and not self.read_only:
            recover(self, domain, others)

    def _measure_disks(self, domain: Domain) -> None:
        """Learn the sizes of disks that came after the listing, or whose domain was off."""
        sizes = {}
        for disk in domain.disks:
            if not disk.empty and self._state.capacity(domain.uuid, disk.target) is None:
                try:
                    sizes[domain.uuid, disk.target] = (
                        self.connection().block_sizes(domain.uuid, disk.target).capacity
                    )
                except NoConnection:
                    raise
                except HostError:
                    # An image that is missing or cannot be opened has no size to show.
                    continue
        if sizes:
            self.apply(lambda s: replace(s, capacities={**s.capacities, **sizes}))

    def _tell_endings(self, before: HostState, after: HostState) -> None:
        running = {job.number for job in before.active_jobs}
        for job in after.jobs:
            if job.number in running and job.phase.ended:
                level = Level.ERROR if job.phase.value == "failed" else Level.INFO
                self.log(
                    f"{job.domain} {job.target}: {job.phase}. {job.remark or ''}", level, domain=job.domain
                )

    # The tick

    def _tick(self) -> None:
        """Sleep until something is due: progress of jobs, an overdue event, the next attempt to connect."""
        while not self._closed.is_set():
            self._wake.wait(self._pause())
            self._wake.clear()
            now = self._monotonic()
            if self._retry_at is not None and now >= self._retry_at:
                self._retry_at = None
                self._pool.submit(self._connect, urgent=True)
            if self._connection is not None and self._state.active_jobs:
                before = self._state
                after = self.apply(lambda s: tracking.with_overdue(s, self.clock()))
                self._tell_endings(before, after)
                self._pool.submit(self._ask_progress, urgent=True)

    def _pause(self) -> float | None:
        if self._retry_at is not None:
            return max(0.0, self._retry_at - self._monotonic())
        return TICK if self._state.active_jobs and self._connection is not None else None

    def _ask_progress(self) -> None:
        """One bulk call for what the guests write, one call for each job."""
        jobs = [job for job in self._state.active_jobs if job.number not in self._asking and not job.starting]
        if not jobs:
            return
        numbers = {job.number for job in jobs}
        self._asking |= numbers
        try:
            stats = self.connection().block_stats({job.uuid for job in jobs})
        except NoConnection as error:
            self._asking -= numbers
            self._lose(error.message)
            return
        except HostError:
            # A domain that just went makes the whole call fail; its event tells why.
            stats = {}
        for job in jobs:
            self._pool.submit(partial(self._ask_job, job, stats.get(job.uuid, {})), urgent=True)

    def _ask_job(self, job: Job, stats: dict[str, Any]) -> None:
        try:
            progress = self.connection().job(job.uuid, job.target)
        except NoConnection as error:
            self._lose(error.message)
            return
        except HostError:
            progress = None
        finally:
            self._asking.discard(job.number)
        if progress is not None:
            written, at, now = _guest_written(stats, job.target), self._monotonic(), self.clock()
            self.apply(lambda s: tracking.with_progress(s, job.number, progress, written, at=at, now=now))
        else:
            # No job says nothing of how it ended: the XML and the event do.
            self._read(job.uuid)

    def _report_bug(self, error: Exception) -> None:
        self.log(f"Something unexpected happened: {type(error).__name__}: {error}", Level.ERROR)


def _guest_written(stats: dict[str, Any], target: str) -> int | None:
    """Bytes the guest has written to a disk, out of the rows of a domstats answer."""
    for number in range(stats.get("block.count", 0)):
        if stats.get(f"block.{number}.name") == target:
            written = stats.get(f"block.{number}.wr.bytes")
            return int(written) if written is not None else None
    return None


def _with_chains(definition: Definition) -> Definition:
    """Follow the chains of a domain that is off, whose XML names the active layers only."""
    disks = []
    for disk in definition.disks:
        chain = disk.chain
        if chain.active is not None and not chain.complete and len(chain.layers) == 1:
            try:
                chain = read_chain(chain.active)
            except ImageError:
                # Not readable from here: the chain stays unknown, which is what it is.
                chain = disk.chain
        disks.append(replace(disk, chain=chain))
    return replace(definition, disks=tuple(disks))
