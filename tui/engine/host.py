"""One host, kept in sight: events first, one bulk call a tick for the rest, one picture for everybody."""

from __future__ import annotations

import threading
import time
import uuid as uuids
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import PurePath
from typing import Any

from tui.engine.access import explained
from tui.engine.connection import (
    BlockJobChanged,
    Connection,
    ConnectionClosed,
    DomainChanged,
    Event,
)
from tui.engine.control import Level
from tui.engine.doctor import diagnose
from tui.engine.errors import AccessDenied, HostError, NoConnection, ReadOnlyError
from tui.engine.files import Files, FilesHere
from tui.engine.hierarchy_facts import saved_of, view_of
from tui.engine.history import History
from tui.engine.peers import Peers
from tui.engine.picture import Picture
from tui.engine.poller import Poller
from tui.engine.pool import CallPool
from tui.engine.present import insist_on_present, planned
from tui.engine.reader import Reader
from tui.engine.runner import PlanRun
from tui.engine.ssh import ssh_words
from tui.engine.ssh_files import FilesThere
from tui.engine.uri import is_local, meant, unattended
from tui.model import on_the_way, tracking
from tui.model.finding import Finding
from tui.model.hierarchy import SnapshotView
from tui.model.hierarchy_file import Saved
from tui.model.host import HostState, Link, Memory
from tui.model.journal import Entry, latest
from tui.model.plan import Plan
from tui.model.request import Request
from tui.model.steps import Undo
from tui.model.storage_pool import LOGICAL

CALLS_IN_FLIGHT = 16
STOPPED = 60.0
"""Seconds within which a plan that is left gets to its next look at that."""
FAREWELL = 0.2
"""Seconds that plans get to be left, when the host is let go of."""
RETRY_DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds to wait before the next attempt to connect; the last one repeats."""
DENIED_DELAY = 600.0
"""The same for a host that does not let us in: many of them count, and lock out who asks too often."""


class Host(Picture):
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
        history: History | None = None,
    ) -> None:
        """Begin to connect, in the background.

        Args:
            uri: libvirt's; ``None`` is its own choice.
            read_only: open a connection that cannot write, and refuse to.
            may_ask: let ssh ask on the terminal, as for a password.
            places: directories to propose for new images, ahead of the storage pools'.
            clock: wall clock, seconds since the epoch.
            monotonic: for rates and delays, seconds.
            history: keeps how plans ended.
        """
        self._wanted = meant(uri)
        super().__init__(
            HostState(uri=self._wanted or "default", link_since=clock(), read_only=read_only), clock
        )
        self.uri = uri or ""
        self.read_only = read_only
        self.history = history
        self._may_ask = may_ask
        self._places = places
        self.named = (uri,) if uri else ()
        """What commands that are proposed have to name it by; by default it is found without."""
        self._connection: Connection | None = None
        self._runs: list[PlanRun] = []
        self.done_plans: set[str] = set()
        """Plans whose entries are to go: one that stays, or lands late, is taken out at the next look."""
        self.peers = Peers(self._open_peer)
        self._pool = CallPool("host", CALLS_IN_FLIGHT, self._report_bug)
        self._reader = Reader(self, self._pool)
        self._poller = Poller(self, self._pool, monotonic)
        self._pool.submit(self.connect, urgent=True)

    # What everybody may ask

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

    def plan(self, request: Request) -> Plan:
        """Look at the host and make the plan; changes nothing."""
        return planned(request, self, uuids.uuid4().hex[:8])

    def run(self, plan: Plan) -> PlanRun:
        """Begin to carry out a plan; one that it takes back, and that is carried out here, is stopped first."""
        if self.read_only:
            message = f"{self._state.name} was opened read-only."
            raise ReadOnlyError(message, remedy="Start without --read-only to change anything.")
        if plan.refused:
            message = f"{plan.title} is refused by its own checks."
            raise HostError(message, remedy="Look at the findings of the plan.")
        insist_on_present(plan, self)
        undoes = any(isinstance(step, Undo) for step in plan.steps)
        for other in self._runs if undoes else ():
            if other.plan.id in plan.closes and other.outcome is None:
                # What is to be taken back must not be carried on meanwhile.
                other.leave()
                if other.wait(STOPPED) is None:
                    message = f"{other.plan.title} could not be stopped within {STOPPED:g} s."
                    raise HostError(message, remedy="Try again.")
        run = PlanRun(self, plan)
        with self._changed:
            self._runs = [r for r in self._runs if r.outcome is None] + [run]
        run.start()
        return run

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
        found = diagnose(
            self.connection(),
            self._state,
            uuid,
            local=self.local,
            files=self.files,
            now=self.clock(),
            history=self.history,
        )
        return tuple(finding.addressed(*self.named) for finding in found)

    def snapshots(self, uuid: str) -> SnapshotView:
        """The snapshots of a domain, and what their images are to its chains."""
        return view_of(uuid, self.connection(), self._state, self.clock(), self.files)

    def save_snapshots(self, uuid: str) -> Saved:
        """The same with all that is needed to define them again."""
        return saved_of(uuid, self.connection(), self._state, self.clock(), self.files)

    def memory(self) -> Memory:
        """How much the host has, and how much of it more guests could have."""
        return self.connection().memory()

    def call_back(self, uuid: str) -> bool:
        """Stop what copies files for the migration of a domain ahead of it; whether that is what its plan is at."""
        found = [run for run in self._runs if run.plan.uuid == uuid and run.outcome is None and run.ahead]
        for run in found:
            run.leave()
        return bool(found)

    def places(self) -> tuple[str, ...]:
        """Places for new images: directories that were given, then the pools' own, then pools of volumes."""
        try:
            pools = self.connection().pools()
        except HostError:
            # Embedded hypervisors have no pools, and a lost host has no completion.
            pools = ()
        paths = (pool.path for pool in pools if pool.type != LOGICAL)
        found = sorted({p for p in paths if PurePath(p).is_absolute() and p != "/dev"})
        groups = sorted(pool.name for pool in pools if pool.type == LOGICAL)
        named = (f"pool:{name}" for name in groups if name)
        return (*self._places, *(p for p in found if p not in self._places), *named)

    def close(self) -> None:
        """Let go of the host at once; jobs go on in QEMU."""
        for run in self._runs:
            run.leave()
        until = time.monotonic() + FAREWELL
        for run in self._runs:
            # It signs off in the journal, and is kept in the history.
            run.wait(max(0.0, until - time.monotonic()))
        self.hide()
        self._poller.close()
        with self._changed:
            connection, self._connection = self._connection, None
        self.peers.close()
        if connection is not None:
            _let_go(connection)
        self._pool.close()

    def peer(self, uri: str) -> Host:
        """Another host, once all that is there has been read.

        Raises:
            HostError: when it cannot be reached.
        """
        return self.peers.get(uri)

    def _open_peer(self, uri: str) -> Host:
        peer = Host(uri, read_only=self.read_only, may_ask=False, history=self.history)
        # Whoever has gone there looks back to where he came from.
        peer.peers.introduce(self.reached_by, self)
        return peer

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
        """As ``Control.under_way``."""
        return tuple(run.entry for run in self._runs if run.outcome is None)

    @property
    def plans(self) -> tuple[Entry, ...]:
        """The plans in progress: those that are carried out here may not be in the picture yet."""
        return latest(self._state.entries, self.under_way)

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

    def is_reached_by(self, connection: Connection) -> bool:
        """Whether that is the open connection."""
        return self._connection is connection

    def asked(self, ask: Callable[[Connection], None]) -> None:
        """Ask the host something, if it is reached; a connection that turns out to be gone is given up.

        Raises:
            HostError: what ``ask`` raises otherwise.
        """
        connection = self._connection
        if connection is None:
            return
        try:
            ask(connection)
        except NoConnection as error:
            self.lose(error.message, connection)

    def apply(self, change: Callable[[HostState], HostState]) -> HostState:
        """As ``Picture.apply``; the poller looks at once at what is to be followed."""
        with self._changed:
            before = self._state
            after = super().apply(change)
            jobs = len(before.active_jobs) != len(after.active_jobs)
            migrations = before.migrations.keys() != after.migrations.keys()
            # A journal may tell of a migration that another program leads.
            if jobs or migrations or before.entries != after.entries:
                self._poller.wake()
            return after

    # The connection

    def connect(self) -> None:
        """Try to open a connection and read everything; else the poller tries again later."""
        wanted = self._wanted
        opened = wanted if self._may_ask else unattended(wanted)
        try:
            connection = Connection(opened or None, read_only=self.read_only, on_event=self._hear)
        except HostError as error:
            self._retry(explained(error))
            return
        try:
            uri = connection.uri()
            about: dict[str, Any] = {
                # What was added to it is nothing that a person would type.
                "uri": wanted if uri == opened else uri,
                "hostname": connection.hostname(),
                "libvirt": connection.libvirt_version(),
                "hypervisor": connection.hypervisor(),
            }
        except HostError as error:
            _let_go(connection)
            self._retry(explained(error))
            return
        with self._changed:
            # Somebody may have asked for a connection while another was being opened.
            if self._closed or self._connection is not None:
                _let_go(connection)
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
        with self._changed:
            if self._connection is not None:
                # Another try has reached it meanwhile.
                return
            before = self._state
            self.apply(
                lambda s: replace(
                    s,
                    link=Link.LOST,
                    link_since=now if s.link is not Link.LOST else s.link_since,
                    retries=s.retries + 1,
                    error=error,
                )
            )
        if before.link is not Link.LOST or before.retries == 0:
            self.log(error, Level.ERROR)
        delay = RETRY_DELAYS[min(before.retries, len(RETRY_DELAYS) - 1)]
        self._poller.connect_in(DENIED_DELAY if isinstance(failure, AccessDenied) else delay)

    def lose(self, reason: str, connection: Connection | None = None) -> None:
        """Give up the connection, and try for another one.

        Args:
            reason: what happened to it.
            connection: the one that is gone, if that is known: what comes late from one before is no news.
        """
        with self._changed:
            lost = self._connection
            if lost is None or connection not in (None, lost):
                return
            self._connection = None
            # What is being read or asked there never arrives; all of it is read anew after the reconnect.
            self._reader.forget()
            self._poller.forget()
        _let_go(lost)
        self._retry(NoConnection(f"The connection was lost: {reason.rstrip('.')}."))

    def _hear(self, event: Event) -> None:
        """Called by libvirt's event thread, which must not be held up."""
        match event:
            case DomainChanged(uuid=uuid):
                self._reader.read(uuid)
            case BlockJobChanged(uuid=uuid, target=target, event=kind):
                now = self.clock()
                self.apply(lambda s: tracking.with_block_event(s, uuid, target, kind, now))
                state = self.apply(lambda s: on_the_way.with_disk_event(s, uuid, target, kind))
                domain = state.domain(uuid)
                name = domain.name if domain else uuid
                self.log(f"{name} {target}: libvirt says {kind}.", domain=name)
                self._reader.read(uuid, urgent=True)
            case ConnectionClosed(connection=connection, reason=reason):
                self._pool.submit(lambda: self.lose(reason, connection), urgent=True)

    def _report_bug(self, error: Exception) -> None:
        self.log(f"Something unexpected happened: {type(error).__name__}: {error}", Level.ERROR)


def _let_go(connection: Connection) -> None:
    # A dead host would hold this for as long as its timeouts last.
    threading.Thread(target=connection.close, name="host-close", daemon=True).start()
