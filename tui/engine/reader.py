"""Reading the domains of a host into its picture, each of them once at a time, however many reasons there are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tui.engine import journal
from tui.engine.control import Level
from tui.engine.errors import HostError, NoConnection
from tui.engine.look import with_chains
from tui.engine.on_the_way import leaves
from tui.engine.once import OnceEach
from tui.engine.pool import CallPool
from tui.engine.recovery import forget_quarantines, recover
from tui.model import tracking, xml
from tui.model.domain import Domain
from tui.model.host import HostState
from tui.model.job import Progress
from tui.model.journal import Entry
from tui.model.migrate_steps import Migrate

if TYPE_CHECKING:
    from tui.engine.connection import Connection
    from tui.engine.host import Host


@dataclass(frozen=True, slots=True)
class _Wish:
    """Why a domain is read."""

    listings: frozenset[object] = frozenset()
    """Those that are not complete without it."""
    resync: bool = False
    """Events may have been missed, so that none is waited for."""
    chains: bool = False
    """Those of a domain that is off are wanted as well, which only its images tell."""

    def also(self, later: _Wish) -> _Wish:
        """One look for both."""
        return _Wish(self.listings | later.listings, self.resync or later.resync, self.chains or later.chains)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a look has shown of a domain."""

    connection: Connection
    domain: Domain
    entries: tuple[Entry, ...]
    on_the_way: bool
    listings: frozenset[object]

    def also(self, later: _Seen) -> _Seen:
        """What was seen last counts."""
        return replace(later, listings=self.listings | later.listings)


class Reader:
    """Looks at domains in the threads of a pool, and puts what it saw into the host's picture."""

    def __init__(self, host: Host, pool: CallPool) -> None:
        """Nothing is read until somebody asks."""
        self._host = host
        self._pool = pool
        self._looks = OnceEach(pool, self._read_now, _Wish.also)
        self._closer_looks = OnceEach(pool, self._look_closer, _Seen.also)
        """By themselves: their calls may wait for half a minute, and what a definition says is news before that."""
        self._lock = threading.Lock()
        self._told: set[str] = set()
        """Problems with journals that were logged, so that each is logged once."""
        self._listing: object = None
        """The listing that the picture counts down; an earlier one's answers count nothing any more."""
        self._unmeasured = False
        """Whether its disks are still to be measured."""
        self._released: set[str] = set()
        """Plans that nobody carries out any more, and whose guest was let go."""

    def forget(self) -> None:
        """What is being read never arrives: the connection is gone, and all is read anew after the next."""
        self._looks.forget()
        self._closer_looks.forget()
        with self._lock:
            self._listing = None
            self._unmeasured = False

    def read_all(self, *, resync: bool) -> None:
        """Read every domain. ``resync`` says that events may have been missed, so that none is waited for."""
        try:
            connection = self._host.connection()
        except NoConnection:
            return
        try:
            names = connection.list_domains()
        except HostError as error:
            # A host whose domains are not known must not look like one that has none.
            self._host.lose(error.message, connection)
            return
        now, listing = self._host.clock(), object()

        def listed(state: HostState) -> HostState:
            self._listing = listing
            return tracking.with_listing(state, names, now)

        found = self._apply(connection, listed)
        with self._lock:
            self._unmeasured = True
        for domain in found.domains:
            self._looks.ask(domain.uuid, _Wish(frozenset({listing}), resync))
        self._measure_when_read(found)

    def _apply(self, connection: Connection, change: Callable[[HostState], HostState]) -> HostState:
        """Put what a connection has shown into the picture."""
        return self._host.apply(self._shown_by(connection, change))

    def _shown_by(
        self, connection: Connection, change: Callable[[HostState], HostState]
    ) -> Callable[[HostState], HostState]:
        """The change, but none once the host is reached by another connection, or by none."""
        return lambda state: change(state) if self._host.is_reached_by(connection) else state

    def _measure_when_read(self, state: HostState) -> None:
        """Measure the disks as the last part of a listing: by then it is known which domains are being pulled."""
        with self._lock:
            due = self._unmeasured and state.unread <= 1
            self._unmeasured = self._unmeasured and not due
            listings = frozenset({self._listing})
        if due:
            self._pool.submit(partial(self._measure, listings))

    def _measure(self, listings: frozenset[object]) -> None:
        """Learn the sizes of all disks at once."""
        pulled = self._host.state.pulled
        others = {domain.uuid for domain in self._host.state.domains} - pulled if pulled else None
        try:
            sizes, busy = self._host.connection().capacities(others)
        except HostError:
            # Drivers other than QEMU's have no such statistics, and the sizes stay unknown; or one of those that
            # were named has just gone, and each is asked by itself.
            sizes, busy = {}, frozenset(others or ())
        self._host.apply(lambda s: replace(s, capacities={**s.capacities, **sizes}))
        self._count(listings, len(busy))
        for uuid in busy:
            self._pool.submit(partial(self._measure_busy, uuid, listings))
        self._count(listings, -1)

    def _measure_busy(self, uuid: str, listings: frozenset[object]) -> None:
        """Wait for a domain that had something else to do, as libvirtd has that has just been started."""

        def measure(connection: Connection) -> None:
            reading = connection.read(uuid)
            if reading is not None and not reading.on_the_way:
                self._measure_disks(connection, reading.domain)

        try:
            self._host.asked(measure)
        except (HostError, xml.InvalidXML):
            # Whoever reads its definition says what is wrong with it.
            return
        finally:
            self._count(listings, -1)

    def read(self, uuid: str, *, urgent: bool = False) -> None:
        """Read a domain soon, once, however many reasons there are for it."""
        self._looks.ask(uuid, _Wish(chains=True), urgent=urgent)

    def _count(self, listings: frozenset[object], more: int) -> None:
        """So many more answers belong to a listing; fewer when one has arrived."""

        def counted(state: HostState) -> HostState:
            return replace(state, unread=max(0, state.unread + more)) if self._listing in listings else state

        if listings:
            self._measure_when_read(self._host.apply(counted))

    def _read_now(self, uuid: str, wish: _Wish) -> None:
        try:
            self._host.asked(partial(self._look_at, uuid, wish))
        except HostError as error:
            self._host.log(f"{uuid} could not be read: {error}", Level.ERROR)
        except xml.InvalidXML as error:
            self._host.log(f"{uuid} has a definition that cannot be read: {error}", Level.ERROR)
        finally:
            self._count(wish.listings, -1)

    def _look_at(self, uuid: str, wish: _Wish, connection: Connection) -> None:
        reading = connection.read(uuid)
        now = self._host.clock()
        if reading is None:
            self._apply(connection, lambda s: tracking.without_domain(s, uuid, now))
            return
        domain, entries, problems = journal.seen(reading, connection)
        if wish.chains and self._host.local and not reading.state.active:
            domain = with_chains(domain)
        for problem in problems:
            if problem not in self._told:
                self._told.add(problem)
                self._host.log(f"{domain.name}: {problem}", Level.WARNING, domain=domain.name)
        read = partial(tracking.with_domain, domain=domain, entries=entries, now=now, first_look=wish.resync)
        self._host.apply_news(self._shown_by(connection, read))
        # After the definitions of all domains of a listing: those are what people wait for.
        self._count(wish.listings, 1)
        seen = _Seen(connection, domain, entries, reading.on_the_way, wish.listings)
        self._closer_looks.ask(uuid, seen, urgent=not wish.listings)

    def _look_closer(self, _uuid: str, seen: _Seen) -> None:
        domain = seen.domain
        try:
            self._host.asked(partial(self._ask_more, seen))
        except HostError as error:
            self._host.log(f"{domain.name}: {error}", Level.WARNING, domain=domain.name)
        finally:
            self._count(seen.listings, -1)

    def _ask_more(self, seen: _Seen, connection: Connection) -> None:
        """Find the jobs that show in no definition; only then it is known which plans have nothing left to tell."""
        domain = seen.domain
        if connection is not seen.connection:
            return
        if not seen.on_the_way:
            self._find_jobs(connection, domain)
        done = {entry.id for entry in seen.entries} & self._host.done_plans
        for plan_id in done:
            journal.remove(connection, domain, plan_id)
        others = tuple(entry for entry in seen.entries if entry.id not in self._host.own_plans | done)
        for step in filter(None, (entry.leads for entry in others)):
            self._look_whether_it_leaves(step)
        if others and not self._host.read_only:
            recover(self._host, domain, others, self._released)
        if domain.definition.quarantines and not self._host.read_only:
            forget_quarantines(self._host, domain)
        if not seen.on_the_way and not seen.listings:
            self._measure_disks(connection, domain)

    def _look_whether_it_leaves(self, step: Migrate) -> None:
        try:
            leaves(step, self._host)
        except NoConnection:
            raise
        except HostError:
            # It has just gone, or come back, and its own event tells.
            return

    def _find_jobs(self, connection: Connection, domain: Domain) -> None:
        """Ask each disk of a running domain for a pull, a commit or a backup."""
        busy = {job.target for job in self._host.state.active_jobs if job.uuid == domain.uuid}
        try:
            for disk in domain.disks if domain.state.active else ():
                if disk.mirror is None and not disk.empty and disk.target not in busy:
                    progress = connection.job(domain.uuid, disk.target)
                    if progress is not None:
                        self._apply(connection, partial(_found, domain.uuid, disk.target, progress))
        except NoConnection:
            raise
        except HostError:
            # A domain that just went has no jobs any more, and its own event tells.
            return

    def _measure_disks(self, connection: Connection, domain: Domain) -> None:
        """Learn the sizes of disks that came after the listing, or whose domain was off or being pulled."""
        if domain.uuid in self._host.state.pulled:
            return
        sizes = {}
        for disk in domain.disks:
            if not disk.empty and self._host.state.capacity(domain.uuid, disk.target) is None:
                try:
                    sizes[domain.uuid, disk.target] = connection.block_sizes(
                        domain.uuid, disk.target
                    ).capacity
                except NoConnection:
                    raise
                except HostError:
                    # An image that is missing or cannot be opened has no size to show.
                    continue
        if sizes:
            self._apply(connection, lambda s: replace(s, capacities={**s.capacities, **sizes}))


def _found(uuid: str, target: str, progress: Progress, state: HostState) -> HostState:
    return tracking.with_found_job(state, uuid, target, progress)
