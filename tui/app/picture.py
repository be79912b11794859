"""What the screen knows: the hosts, their latest pictures, and what the user has put away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from tui.app.rows import DiskKey, Row, rows_of
from tui.app.widgets.interrupted import InterruptedRow
from tui.app.widgets.jobs import AnyRow, JobRow
from tui.app.widgets.migrations import MigrationRow
from tui.app.widgets.queue import QueueRow
from tui.engine.control import Control
from tui.model.abandoned import abandoned, barred
from tui.model.headway import below, percent_now, percent_of
from tui.model.host import HostState, Link
from tui.model.job import Job
from tui.model.journal import Entry
from tui.model.queue import Item, Queue, State, holds


@dataclass(slots=True)
class Picture:
    """The hosts by number, as they are being shown."""

    controls: list[Control] = field(default_factory=list)
    states: dict[int, HostState] = field(default_factory=dict)
    held: dict[int, HostState] | None = None
    """What arrived since the display was paused; ``None`` while it is not."""
    paused_since: float | None = None
    queue: Queue = field(default_factory=Queue)
    away: frozenset[str] = frozenset()
    """URIs of the hosts that the queue does not reach."""
    dismissed: set[tuple[int, int]] = field(default_factory=set)
    """Ended jobs that the user does not want to see any more."""
    arrived: list[MigrationRow] = field(default_factory=list)
    """Migrations that have ended, however they did, the latest first."""

    def take(self, states: dict[int, HostState]) -> bool:
        """Here is news; answers whether it is to be shown now."""
        if self.held is not None:
            self.held.update(states)
            return False
        self.states.update(states)
        return True

    def pause(self, now: float) -> None:
        """Hold the picture still."""
        self.held, self.paused_since = {}, now

    def go_on(self) -> None:
        """Show what has arrived meanwhile."""
        self.states.update(self.held or {})
        self.held, self.paused_since = None, None

    @property
    def hosts(self) -> list[HostState]:
        """The pictures in the order of the hosts."""
        return [self.states[number] for number in sorted(self.states)]

    def rows(self, queue_rows: Iterable[QueueRow]) -> list[Row]:
        """All disks, of those that wait with their places in the queue."""
        rows = [
            replace(row, job=None) if row.job and (row.number, row.job.number) in self.dismissed else row
            for number in sorted(self.states)
            for row in rows_of(number, self.states[number])
        ]
        queued: dict[DiskKey, int] = {}
        for row in queue_rows:
            if row.position is not None:
                for target in self._targets(row.number, row.item):
                    queued.setdefault((row.number, row.item.uuid, target), row.position)
        return [replace(row, queued=queued[row.key]) if row.key in queued else row for row in rows]

    @property
    def queue_rows(self) -> list[QueueRow]:
        """What the queue holds: what runs, what waits, and what has ended, the latest first."""
        queue = self.queue
        held = holds(queue, self.away)
        place = {item.id: number for number, item in enumerate(queue.waiting, start=1)}
        ended = [item for item in queue.items if item.state.ended]
        ended.sort(key=lambda item: item.ended or 0.0, reverse=True)
        rows = []
        for item in (*queue.running, *queue.waiting, *ended):
            number = next((n for n, state in sorted(self.states.items()) if state.uri == item.host), None)
            if number is None:
                continue
            state = self.states[number]
            targets = self._targets(number, item)
            entry = next((e for e in state.entries_of(item.uuid) if e.id == item.plan), None)
            running = item.state is State.RUNNING
            rows.append(
                QueueRow(
                    item,
                    number,
                    state.name,
                    next(iter(targets), ""),
                    place.get(item.id),
                    held.get(item.id),
                    _progress(state, item, entry) if running else "",
                    percent_of(state, entry) if running else None,
                )
            )
        return rows

    def _targets(self, number: int, item: Item) -> tuple[str, ...]:
        """The disks that an item is about; all of the domain where it does not say."""
        request = item.request
        named = getattr(request, "targets", ()) or (getattr(request, "target", None),)
        if any(named):
            return tuple(target for target in named if target)
        domain = self.states[number].domain(item.uuid)
        return tuple(disk.target for disk in domain.disks) if domain else ()

    @property
    def jobs(self) -> list[AnyRow]:
        """Migrations, interrupted plans, running jobs as they began, then those that ended, the latest first."""
        rows = [
            JobRow(
                number,
                state.name,
                job,
                (plan := _plan_of(state, job)),
                percent_now(state, plan),
                below(state, job.uuid, job.target) if plan else None,
                (cut_off := plan is not None and state.interrupted(job.uuid, job.target) is plan),
                barred(state, plan) if plan and cut_off else {},
            )
            for number, state in sorted(self.states.items())
            for job in state.jobs
            if (number, job.number) not in self.dismissed
        ]
        running = [row for row in rows if not row.job.phase.ended]
        ended = [row for row in rows if row.job.phase.ended]
        ended.sort(key=lambda row: row.job.ended or 0.0, reverse=True)
        moving = [
            MigrationRow(number, state.name, migration)
            for number, state in sorted(self.states.items())
            for migration in state.migrations.values()
        ]
        alone = [row for number in sorted(self.states) for row in self._interrupted(number)]
        return [*moving, *alone, *running, *self.arrived, *ended]

    def _interrupted(self, number: int) -> Iterator[InterruptedRow]:
        """The plans of a host that nobody carries on, as far as no running job of theirs tells of them."""
        state = self.states[number]
        # While the host cannot be written to, what is carried out here gives no sign of life either.
        told = {entry.id for entry in self.controls[number].under_way} | {j.plan for j in state.active_jobs}
        for entry in abandoned(state):
            domain = state.domain(entry.uuid)
            if entry.id not in told and domain is not None:
                yield InterruptedRow(number, state.name, domain.name, entry, barred(state, entry))

    @property
    def emptiness(self) -> str:
        """Why there are no domains, one sentence; nothing where there are some."""
        hosts = self.hosts
        if not hosts:
            return "No host is open: + opens one."
        if any(host.domains for host in hosts):
            return ""
        if any(host.link is Link.CONNECTING for host in hosts):
            return "Connecting…"
        if any(host.link is Link.LOST for host in hosts):
            return "Not connected; it is tried again and again."
        return "This host has no domains." if all(host.listed for host in hosts) else "Reading…"

    @property
    def unread(self) -> int:
        """Domains whose definitions are still to come."""
        return sum(state.unread for state in self.states.values())

    @property
    def data_at(self) -> float | None:
        """The age of what is shown: when the host that was heard of last was heard of."""
        return max((s.refreshed for s in self.states.values() if s.link is Link.LIVE), default=None)

    def read_only(self, numbers: Iterable[int] | None = None) -> bool:
        """Whether all of these hosts, or all there are, may only be looked at."""
        chosen = [self.controls[n] for n in numbers] if numbers is not None else self.controls
        return bool(chosen) and all(control.read_only for control in chosen)


def _progress(state: HostState, item: Item, entry: Entry | None) -> str:
    """How far an item is that runs."""
    migration = state.migrations.get(item.uuid)
    if migration is not None:
        return f"{migration.phase}{migration.far}"
    return entry.progress if entry else ""


def _plan_of(state: HostState, job: Job) -> Entry | None:
    """The plan that a running job is a part of."""
    if job.phase.ended or job.plan is None:
        return None
    return next((entry for entry in state.entries_of(job.uuid) if entry.id == job.plan), None)
