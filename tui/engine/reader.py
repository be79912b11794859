"""Reading the domains of a host into its picture, each of them once at a time, however many reasons there are."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tui.engine import journal
from tui.engine.control import Level
from tui.engine.errors import HostError, NoConnection
from tui.engine.look import with_chains
from tui.engine.on_the_way import leaves
from tui.engine.pool import CallPool
from tui.engine.recovery import forget_quarantines, recover
from tui.model import tracking, xml
from tui.model.domain import Definition, Domain, RunState
from tui.model.host import HostState
from tui.model.job import Progress
from tui.model.journal import Entry
from tui.model.migrate_steps import Migrate

if TYPE_CHECKING:
    from tui.engine.host import Host


class Reader:
    """Looks at domains in the threads of a pool, and puts what it saw into the host's picture."""

    def __init__(self, host: Host, pool: CallPool) -> None:
        """Nothing is read until somebody asks."""
        self._host = host
        self._pool = pool
        self._lock = threading.Lock()
        self._reading: dict[str, bool] = {}
        """Domains being read; true when something happened meanwhile, so that they are read again."""
        self._counted: set[str] = set()
        """Those among them without which a listing is not complete."""
        self._told: set[str] = set()
        """Problems with journals that were logged, so that each is logged once."""
        self._unmeasured = False
        """Whether the disks of a listing are still to be measured."""
        self._released: set[str] = set()
        """Plans that nobody carries out any more, and whose guest was let go."""

    def forget(self) -> None:
        """What is being read never arrives: the connection is gone, and all is read anew after the next."""
        with self._lock:
            self._reading.clear()
            self._counted.clear()
            self._unmeasured = False

    def read_all(self, *, resync: bool) -> None:
        """Read every domain. ``resync`` says that events may have been missed, so that none is waited for."""
        try:
            names = self._host.connection().list_domains()
        except NoConnection as error:
            self._host.lose(error.message)
            return
        except HostError as error:
            self._host.log(str(error), Level.ERROR)
            return
        now = self._host.clock()

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

        found = self._host.apply(listed)
        with self._lock:
            self._unmeasured = True
        for domain in found.domains:
            self.read(domain.uuid, listing=True, resync=resync)
        self._measure_when_read(found)

    def _measure_when_read(self, state: HostState) -> None:
        """Measure the disks as the last part of a listing: by then it is known which domains are being pulled."""
        with self._lock:
            due = self._unmeasured and state.unread <= 1
            self._unmeasured = self._unmeasured and not due
        if due:
            self._pool.submit(self._measure)

    def _measure(self) -> None:
        """Learn the sizes of all disks at once."""
        pulled = self._host.state.pulled
        others = {domain.uuid for domain in self._host.state.domains} - pulled if pulled else None
        try:
            sizes, busy = self._host.connection().capacities(others)
        except HostError:
            # Drivers other than QEMU's have no such statistics, and the sizes stay unknown; or one of those that
            # were named has just gone, and each is asked by itself.
            sizes, busy = {}, frozenset(others or ())
        self._host.apply(
            lambda s: replace(s, capacities={**s.capacities, **sizes}, unread=s.unread + len(busy))
        )
        for uuid in busy:
            self._pool.submit(partial(self._measure_busy, uuid))
        self._count_read()

    def _measure_busy(self, uuid: str) -> None:
        """Wait for a domain that had something else to do, as libvirtd has that has just been started."""
        try:
            reading = self._host.connection().read(uuid)
            if reading is not None and not reading.on_the_way:
                self._measure_disks(reading.domain)
        except NoConnection as error:
            self._host.lose(error.message)
        except (HostError, xml.InvalidXML):
            # Whoever reads its definition says what is wrong with it.
            return
        finally:
            self._count_read()

    def read(self, uuid: str, *, urgent: bool = False, listing: bool = False, resync: bool = False) -> None:
        """Read a domain soon, once, however many reasons there are for it."""
        with self._lock:
            busy = uuid in self._reading
            self._reading[uuid] = busy
            if listing:
                self._counted.add(uuid)
        if not busy:
            self._pool.submit(lambda: self._read_now(uuid, listing=listing, resync=resync), urgent=urgent)

    def _read_now(self, uuid: str, *, listing: bool, resync: bool) -> None:
        try:
            self._look_at(uuid, listing=listing, first_look=resync)
        except NoConnection as error:
            self._host.lose(error.message)
        except HostError as error:
            self._host.log(f"{uuid} could not be read: {error}", Level.ERROR)
        except xml.InvalidXML as error:
            self._host.log(f"{uuid} has a definition that cannot be read: {error}", Level.ERROR)
        finally:
            with self._lock:
                again = self._reading.pop(uuid, False)
                counted = uuid in self._counted
                self._counted.discard(uuid)
            if counted:
                self._count_read()
        if again and self._host.connected:
            self.read(uuid)

    def _count_read(self) -> None:
        self._measure_when_read(self._host.apply(lambda s: replace(s, unread=max(0, s.unread - 1))))

    def _look_at(self, uuid: str, *, listing: bool, first_look: bool) -> None:
        reading = self._host.connection().read(uuid)
        now = self._host.clock()
        if reading is None:
            self._host.apply(lambda s: tracking.without_domain(s, uuid, now))
            return
        domain, entries, problems = journal.seen(reading, self._host.connection())
        if not listing and self._host.local and not reading.state.active:
            domain = with_chains(domain)
        for problem in problems:
            if problem not in self._told:
                self._told.add(problem)
                self._host.log(f"{domain.name}: {problem}", Level.WARNING, domain=domain.name)
        self._host.apply_news(lambda s: tracking.with_domain(s, domain, entries, now, first_look=first_look))
        if listing:
            # After the definitions of all domains: those are what people wait for.
            self._host.apply(lambda s: replace(s, unread=s.unread + 1))
            self._pool.submit(lambda: self._look_closer_later(domain, entries, asks=not reading.on_the_way))
            return
        self._look_closer(domain, entries, asks=not reading.on_the_way)
        if not reading.on_the_way:
            self._measure_disks(domain)

    def _look_closer_later(self, domain: Domain, entries: tuple[Entry, ...], *, asks: bool) -> None:
        try:
            self._look_closer(domain, entries, asks=asks)
        except NoConnection as error:
            self._host.lose(error.message)
        except HostError as error:
            self._host.log(f"{domain.name}: {error}", Level.WARNING, domain=domain.name)
        finally:
            self._count_read()

    def _look_closer(self, domain: Domain, entries: tuple[Entry, ...], *, asks: bool) -> None:
        """Find the jobs that show in no definition; only then it is known which plans have nothing left to tell."""
        if asks:
            self._find_jobs(domain)
        done = {entry.id for entry in entries} & self._host.done_plans
        for plan_id in done:
            journal.remove(self._host.connection(), domain, plan_id)
        others = tuple(entry for entry in entries if entry.id not in self._host.own_plans | done)
        for step in filter(None, (entry.leads for entry in others)):
            self._look_whether_it_leaves(step)
        if others and not self._host.read_only:
            recover(self._host, domain, others, self._released)
        if domain.definition.quarantines and not self._host.read_only:
            forget_quarantines(self._host, domain)

    def _look_whether_it_leaves(self, step: Migrate) -> None:
        try:
            leaves(step, self._host)
        except NoConnection:
            raise
        except HostError:
            # It has just gone, or come back, and its own event tells.
            return

    def _find_jobs(self, domain: Domain) -> None:
        """Ask each disk of a running domain for a pull, a commit or a backup."""
        state = self._host.state
        busy = {job.target for job in state.active_jobs if job.uuid == domain.uuid}
        try:
            for disk in domain.disks if domain.state.active else ():
                if disk.mirror is None and not disk.empty and disk.target not in busy:
                    progress = self._host.connection().job(domain.uuid, disk.target)
                    if progress is not None:
                        self._host.apply(partial(_found, domain.uuid, disk.target, progress))
        except NoConnection:
            raise
        except HostError:
            # A domain that just went has no jobs any more, and its own event tells.
            return

    def _measure_disks(self, domain: Domain) -> None:
        """Learn the sizes of disks that came after the listing, or whose domain was off or being pulled."""
        if domain.uuid in self._host.state.pulled:
            return
        sizes = {}
        for disk in domain.disks:
            if not disk.empty and self._host.state.capacity(domain.uuid, disk.target) is None:
                try:
                    sizes[domain.uuid, disk.target] = (
                        self._host.connection().block_sizes(domain.uuid, disk.target).capacity
                    )
                except NoConnection:
                    raise
                except HostError:
                    # An image that is missing or cannot be opened has no size to show.
                    continue
        if sizes:
            self._host.apply(lambda s: replace(s, capacities={**s.capacities, **sizes}))


def _found(uuid: str, target: str, progress: Progress, state: HostState) -> HostState:
    return tracking.with_found_job(state, uuid, target, progress)
