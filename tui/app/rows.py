"""The domain table as values: one row per disk, since the disk is what every verb is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tui.model.abandoned import barred
from tui.model.disk import Disk
from tui.model.domain import RunState
from tui.model.headway import Below, below
from tui.model.host import HostState, Link
from tui.model.job import Job
from tui.model.journal import Entry
from tui.model.migration import Migration
from tui.model.move_case import MOVED_DEVICES

TIMES = "×"  # noqa: RUF001  the sign for how many layers

DiskKey = tuple[int, str, str]
"""Number of the host, domain UUID, disk target: the same whatever is renamed, sorted or filtered."""


@dataclass(frozen=True, slots=True)
class Row:
    """One disk, or a domain that has none."""

    number: int
    """Which of the connected hosts; URIs and names may change once a host is reached."""
    host: str
    link: Link
    uuid: str
    name: str
    state: RunState
    disk: Disk | None
    job: Job | None
    capacity: int | None = None
    """Virtual size in bytes."""
    leftover: str | None = None
    """An image that an interrupted copy left behind."""
    interrupted: Entry | None = None
    """A move of the disk that nobody carries on any more."""
    barred: Mapping[str, str] = field(default_factory=dict)
    """What cannot be done with that, resume or undo, and why."""
    below: Below | None = None
    """What a move has still to do below a mirror that is in sync."""
    migration: Migration | None = None
    """Of its domain, on its way to another host."""
    arriving_from: str | None = None
    """The host that its domain comes from, while it is on its way here."""
    queued: int | None = None
    """Which of those it is that wait in the queue."""
    first: bool = True
    """Whether this row shows the domain's name: rows of one domain that follow one another show it once."""

    @property
    def key(self) -> DiskKey:
        """What makes it the same row in the next picture."""
        return (self.number, self.uuid, self.target)

    @property
    def target(self) -> str:
        """The disk's name; empty for a domain without disks."""
        return self.disk.target if self.disk else ""

    @property
    def standing(self) -> str:
        """Where its domain is, in a word."""
        return "arriving" if self.arriving_from else self.state.value

    @property
    def image(self) -> str:
        """Format of the active layer, and how many layers there are."""
        if self.disk is None:
            return "reading…" if self.state is RunState.UNKNOWN else "no disks"
        active = self.disk.chain.active
        if active is None:
            return "empty"
        depth = len(self.disk.chain.layers)
        words = active.format or "?"
        if not self.disk.chain.complete:
            return f"{words} +?"
        return f"{words} {TIMES}{depth}" if depth > 1 else words

    @property
    def movable(self) -> bool:
        """Whether the guest can write to it, so that moving the whole domain takes it along."""
        disk = self.disk
        return disk is not None and not disk.empty and not disk.readonly and disk.device in MOVED_DEVICES

    @property
    def path(self) -> str:
        """Where the guest writes."""
        active = self.disk.chain.active if self.disk else None
        return active.path if active else ""


class Column(StrEnum):
    """What the table can be sorted by, in the order of its columns."""

    NAME = "domain"
    HOST = "host"
    STATE = "state"
    DISK = "disk"
    SIZE = "size"
    IMAGE = "image"
    PATH = "active layer"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Order:
    """How the table is sorted."""

    column: Column = Column.NAME
    descending: bool = False

    @property
    def inverted(self) -> Order:
        """The other way round."""
        return Order(self.column, not self.descending)


def rows_of(number: int, state: HostState) -> list[Row]:
    """All disks of a host, in the order of its domains."""
    jobs = {job.key: job for job in state.jobs}
    return [
        Row(
            number=number,
            host=state.name,
            link=state.link,
            uuid=domain.uuid,
            name=domain.name,
            state=domain.state,
            disk=disk,
            job=jobs.get((domain.uuid, disk.target)) if disk else None,
            capacity=state.capacity(domain.uuid, disk.target) if disk else None,
            leftover=state.leftover(domain.uuid, disk.target) if disk and state.entries else None,
            interrupted=(
                cut_off := state.interrupted(domain.uuid, disk.target) if disk and state.entries else None
            ),
            barred=barred(state, cut_off) if cut_off else {},
            below=below(state, domain.uuid, disk.target) if disk and state.entries else None,
            migration=state.migrations.get(domain.uuid),
            arriving_from=domain.arriving_from,
        )
        for domain in state.domains
        for disk in (domain.disks or (None,))
    ]


def matching(rows: Iterable[Row], needle: str) -> list[Row]:
    """The rows that contain a text anywhere, or with ``!`` in front those that do not."""
    needle = needle.casefold()
    inverse = needle.startswith("!")
    needle = needle.removeprefix("!").strip()
    if not needle:
        return list(rows)
    return [row for row in rows if (needle in _haystack(row)) is not inverse]


def arranged(rows: Iterable[Row], order: Order) -> list[Row]:
    """Sorted, with each domain's name on the first of its rows that follow one another."""
    result = sorted(rows, key=_natural)
    if order.column is not Column.NAME or order.descending:
        result.sort(key=_KEYS[order.column], reverse=order.descending)
    before: tuple[int, str] | None = None
    for index, row in enumerate(result):
        domain = (row.number, row.uuid)
        if domain == before:
            result[index] = replace(row, first=False)
        before = domain
    return result


def _haystack(row: Row) -> str:
    words = [row.name, row.host, row.standing, row.target, row.image, row.path]
    if row.migration:
        words += ["migrating", row.migration.host]
    if row.arriving_from:
        words.append(row.arriving_from)
    if row.job:
        words.append(row.below.word if row.below else row.job.phase.value)
    return "\n".join(words).casefold()


def _natural(row: Row) -> tuple[str, int, str, str]:
    return (row.name.casefold(), row.number, row.uuid, row.target)


def _by_job(row: Row) -> tuple[int, int]:
    """What waits for a decision first, then what runs, then what ended, then nothing."""
    job = row.job
    if row.migration is not None:
        return (1, -(row.migration.percent or 0))
    if job is None:
        return (3, 0)
    if job.phase.ended:
        return (2, 0)
    return (0, 0) if job.pivotable and row.below is None else (1, -(job.percent or 0))


_KEYS: dict[Column, Callable[[Row], tuple[object, ...]]] = {
    Column.NAME: lambda row: (row.name.casefold(), row.number, row.uuid),
    Column.HOST: lambda row: (row.host.casefold(),),
    Column.STATE: lambda row: (not row.state.active, row.standing),
    Column.DISK: lambda row: (row.target,),
    Column.SIZE: lambda row: (row.capacity or 0,),
    Column.IMAGE: lambda row: (row.image,),
    Column.PATH: lambda row: (row.path,),
    Column.JOB: _by_job,
}
