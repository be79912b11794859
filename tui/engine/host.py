"""One host, kept in sight: events first, one bulk call a tick for the rest, one picture for everybody.

Every thread replaces the immutable picture through ``apply``, with a pure function of ``tui.model.tracking``;
whoever waits for something waits for a picture in which it is so.
"""

from __future__ import annotations

import os
import threading
import time
import uuid as uuids
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import PurePath
from typing import Any, TypeVar

from tui.engine.access import explained
from tui.engine.connection import (
    BlockJobChanged,
    Connection,
    ConnectionClosed,
    DomainChanged,
    Event,
)
from tui.engine.control import Level, LogLine
from tui.engine.doctor import diagnose
from tui.engine.errors import AccessDenied, HostError, NoConnection, ReadOnlyError
from tui.engine.files import Files, FilesHere
from tui.engine.hierarchy_facts import saved_of, view_of
from tui.engine.look import LOGICAL
from tui.engine.planning import make_plan
from tui.engine.poller import Poller
from tui.engine.pool import CallPool
from tui.engine.reader import Reader
from tui.engine.runner import PlanRun
from tui.engine.ssh_files import FilesThere, ssh_words
from tui.engine.uri import is_local, unattended
from tui.model import tracking, xml
from tui.model.command import addressed
from tui.model.finding import Finding, Severity
from tui.model.hierarchy import SnapshotView
from tui.model.hierarchy_file import Saved
from tui.model.host import HostState, Link
from tui.model.job import Phase
from tui.model.journal import Entry
from tui.model.plan import Plan
from tui.model.request import Request
from tui.model.steps import Undo

CALLS_IN_FLIGHT = 16
PRESENT = 5.0
"""Seconds for which a plan is taken to describe the host as it is."""
STOPPED = 60.0
"""Seconds within which a plan that is left gets to its next look at that."""
RETRY_DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds to wait before the next attempt to connect; the last one repeats."""
DENIED_DELAY = 600.0
"""The same for a host that does not let us in: many of them count, and lock out who asks too often."""

Found = TypeVar("Found")


class Host:
    """The real ``Control``: a connection that comes back by itself, and what is known through it."""

    def __init__(
        self,
        uri: str | None,
        *,
        read_only: bool = False,
        may_ask: bool = True,
        places: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to connect, in the background.

        Args:
            uri: libvirt's; ``None`` is its own choice.
            read_only: open a connection that cannot write, and refuse to.
            may_ask: let ssh ask on the terminal, as for a password.
            places: directories to propose for new images, ahead of the storage pools'.
            clock: wall clock, seconds since the epoch.
            monotonic: for rates and delays, seconds.
        """
        self.uri = uri or ""
        self.read_only = read_only
        self.clock = clock
        self._may_ask = may_ask
        self._places = places
        self._named = (uri,) if uri else ()
        """What commands that are proposed have to name it by; by default it is found without."""
        self._wanted = self.uri or os.environ.get("LIBVIRT_DEFAULT_URI", "")
        self._state = HostState(uri=self._wanted or "default", link_since=clock(), read_only=read_only)
        self._changed = threading.Condition()
        self._listeners: dict[int, tuple[Callable[[HostState], None], Callable[[LogLine], None]]] = {}
        self._connection: Connection | None = None
        self._closed = False
        self._runs: list[PlanRun] = []
        self._pool = CallPool("host", CALLS_IN_FLIGHT, self._report_bug)
        self._reader = Reader(self, self._pool)
        self._poller = Poller(self, self._pool, monotonic)
        self._pool.submit(self.connect, urgent=True)

    # What everybody may ask

    @property
    def state(self) -> HostState:
        """The latest picture."""
        return self._state

    @property
    def local(self) -> bool:
        """Whether the host's files are this machine's files."""
        return is_local(self._state.uri)

    @property
    def reached_by(self) -> str:
        """The URI by which anybody reaches the host without being asked for anything."""
        return unattended(self._wanted or self._state.uri)

    @property
    def files(self) -> Files | None:
        """The host's images, where they can be handled from here."""
        # Which host libvirt chose by itself is known only when it has answered.
        return FilesHere() if self.local else self._files_there

    @cached_property
    def _files_there(self) -> Files | None:
        words = ssh_words(self._wanted)
        return FilesThere(words) if words else None

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
        return self._planned(request, uuids.uuid4().hex[:8])

    def _planned(self, request: Request, plan_id: str) -> Plan:
        now = self.clock()
        plan = make_plan(
            request, self.connection(), self._state, plan_id, now, under_way=self.under_way, files=self.files
        )
        facts = tuple((label, addressed(value, *self._named)) for label, value in plan.facts)
        findings = tuple(finding.addressed(*self._named) for finding in plan.findings)
        return replace(plan, request=request, made=now, facts=facts, findings=findings)

    def run(self, plan: Plan) -> PlanRun:
        """Begin to carry out a plan; one that it takes back, and that is carried out here, is stopped first."""
        if self.read_only:
            message = f"{self._state.name} was opened read-only."
            raise ReadOnlyError(message, remedy="Start without --read-only to change anything.")
        if plan.refused:
            message = f"{plan.title} is refused by its own checks."
            raise HostError(message, remedy="Look at the findings of the plan.")
        self._insist_on_present(plan)
        undoes = any(isinstance(step, Undo) for step in plan.steps)
        for other in self._runs if undoes else ():
            if other.plan.id in plan.closes and other.outcome is None:
                # What is to be taken back must not be carried on meanwhile.
                other.leave()
                if other.wait(STOPPED) is None:
                    message = f"{other.plan.title} could not be stopped within {STOPPED:g} s."
                    raise HostError(message, remedy="Try again.")
        run = PlanRun(self, plan)
        self._runs = [r for r in self._runs if r.outcome is None] + [run]
        run.start()
        return run

    def _insist_on_present(self, plan: Plan) -> None:
        """A question may have stood on the screen for an hour: what was true for the plan may be so no more."""
        if plan.request is None or self.clock() - plan.made < PRESENT:
            return
        # Under the same id, which is a part of the names that a move gives.
        again = self._planned(plan.request, plan.id)
        reasons = [f.reason for f in again.findings if f.severity is Severity.REFUSED]
        if again.steps != plan.steps:
            reasons.append("other steps are needed now.")
        if reasons:
            message = f"{plan.title} was not begun, since things have changed meanwhile: {reasons[0]}"
            raise HostError(message, remedy="Look at the plan again.")

    def refresh(self, uuid: str | None = None) -> None:
        """Read one domain again, chains of a shut-off one from its images, or read all of them.

        A host that is lost is tried to be reached at once.
        """
        if not self.connected:
            self._poller.connect_in(0.0)
        elif uuid is None:
            self._pool.submit(lambda: self._reader.read_all(resync=False), urgent=True)
        else:
            self._reader.read(uuid, urgent=True)

    def examine(self, uuid: str | None = None) -> tuple[Finding, ...]:
        """Look for what is wrong or left over, on one domain or everywhere."""
        found = diagnose(self.connection(), self._state, uuid, local=self.local, now=self.clock())
        return tuple(finding.addressed(*self._named) for finding in found)

    def snapshots(self, uuid: str) -> SnapshotView:
        """The snapshots of a domain, and what their images are to its chains."""
        return view_of(uuid, self.connection(), self._state, self.clock(), self.files)

    def save_snapshots(self, uuid: str) -> Saved:
        """The same with all that is needed to define them again."""
        return saved_of(uuid, self.connection(), self._state, self.clock(), self.files)

    def go_on(self, uuid: str) -> None:
        """Tell a plan that holds a guest still for the user that he has done his part."""
        self.apply(lambda state: replace(state, awaited=state.awaited - {uuid}))

    def dismiss(self, number: int) -> None:
        """Take an ended job off the picture."""
        self.apply(lambda state: tracking.without_job(state, number))

    def places(self) -> tuple[str, ...]:
        """Places for new images: directories that were given, then the pools' own, then pools of volumes."""
        try:
            pools = self.connection().pools()
        except HostError:
            # Embedded hypervisors have no pools, and a lost host has no completion.
            pools = ()
        parsed = [xml.parse(pool) for pool in pools]
        paths = (pool.findtext("target/path") for pool in parsed if pool.get("type") != LOGICAL)
        found = sorted({p for p in paths if p and PurePath(p).is_absolute() and p != "/dev"})
        groups = sorted(pool.findtext("name") or "" for pool in parsed if pool.get("type") == LOGICAL)
        named = (f"pool:{name}" for name in groups if name)
        return (*self._places, *(p for p in found if p not in self._places), *named)

    def close(self) -> None:
        """Let go of the host at once; jobs go on in QEMU."""
        for run in self._runs:
            run.leave()
        self._closed = True
        self._poller.close()
        with self._changed:
            connection, self._connection = self._connection, None
            self._listeners.clear()
            self._changed.notify_all()
        if connection is not None:
            # A dead host would hold this for as long as its timeouts last.
            threading.Thread(target=connection.close, name="host-close", daemon=True).start()
        self._pool.close()

    # What runs, steps, reader and poller need

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None

    @property
    def own_plans(self) -> frozenset[str]:
        """Ids of the plans that are being carried out here."""
        return frozenset(run.plan.id for run in self._runs if run.outcome is None)

    @property
    def under_way(self) -> tuple[Entry, ...]:
        """Those plans as they would stand in the journal now."""
        return tuple(run.entry for run in self._runs if run.outcome is None)

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
                self._poller.wake()
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

    # The connection

    def connect(self) -> None:
        """Try to open a connection and read everything; else the poller tries again later."""
        wanted = self._wanted
        opened = wanted if self._may_ask else unattended(wanted)
        try:
            connection = Connection(opened or None, read_only=self.read_only, on_event=self._hear)
            uri = connection.uri()
            about: dict[str, Any] = {
                # What was added to it is nothing that a person would type.
                "uri": wanted if uri == opened else uri,
                "hostname": connection.hostname(),
                "libvirt": connection.libvirt_version(),
                "hypervisor": connection.hypervisor(),
            }
        except HostError as error:
            self._retry(explained(error))
            return
        with self._changed:
            # Somebody may have asked for a connection while another was being opened.
            if self._closed or self._connection is not None:
                threading.Thread(target=connection.close, daemon=True).start()
                return
            self._connection = connection
        # Jobs that were known before the connection was lost go on at once.
        self._poller.wake()
        now = self.clock()
        # Until the listing has arrived nothing is known, and a host without domains must not look like that.
        self.apply(
            lambda s: replace(
                s, **about, link=Link.LIVE, link_since=now, retries=0, error=None, refreshed=now, listed=False
            )
        )
        self.log(f"Connected to {about['hostname']} ({about['uri']}).")
        self._reader.read_all(resync=True)

    def _retry(self, failure: NoConnection) -> None:
        now, error = self.clock(), str(failure)
        attempt = self._state.retries
        delay = RETRY_DELAYS[min(attempt, len(RETRY_DELAYS) - 1)]
        if isinstance(failure, AccessDenied):
            delay = DENIED_DELAY
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
        self._poller.connect_in(delay)

    def lose(self, reason: str) -> None:
        """Give up a connection that is gone, and try for another one."""
        with self._changed:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        # What is being read or asked there never arrives; all of it is read anew after the reconnect.
        self._reader.forget()
        self._poller.forget()
        threading.Thread(target=connection.close, name="host-close", daemon=True).start()
        self._retry(NoConnection(f"The connection was lost: {reason.rstrip('.')}."))

    def _hear(self, event: Event) -> None:
        """Called by libvirt's event thread, which must not be held up."""
        match event:
            case DomainChanged(uuid=uuid):
                self._reader.read(uuid)
            case BlockJobChanged(uuid=uuid, target=target, event=kind):
                now = self.clock()
                state = self.apply(lambda s: tracking.with_block_event(s, uuid, target, kind, now))
                job = state.job(uuid, target)
                name = job.domain if job else uuid
                self.log(f"{name} {target}: libvirt says {kind}.", domain=name)
                self._reader.read(uuid, urgent=True)
            case ConnectionClosed(reason=reason):
                self._pool.submit(lambda: self.lose(reason), urgent=True)

    def _report_bug(self, error: Exception) -> None:
        self.log(f"Something unexpected happened: {type(error).__name__}: {error}", Level.ERROR)
