"""Everything that is known of one host at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tui.model.awaited import Awaited
from tui.model.domain import Domain
from tui.model.job import Job, JobType
from tui.model.journal import Entry
from tui.model.migration import Migration


class Link(StrEnum):
    """The connection to a host."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Memory:
    """That of a host, in bytes."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class HostState:
    """An immutable picture of a host; the next one replaces it whole."""

    uri: str
    link: Link = Link.CONNECTING
    link_since: float = 0.0
    """Wall clock of the last change of ``link``."""
    retries: int = 0
    error: str | None = None
    """Why the host is not reached, one sentence."""
    hostname: str | None = None
    libvirt: tuple[int, int, int] | None = None
    """Version of the server."""
    hypervisor: str | None = None
    """As ``QEMU 7.2.22``."""
    read_only: bool = False
    domains: tuple[Domain, ...] = ()
    """Sorted by name."""
    listed: bool = False
    """Whether the names of the domains have arrived since the host was reached."""
    unread: int = 0
    """Answers of the listing that have not arrived yet: definitions, jobs, and the sizes of all disks."""
    jobs: tuple[Job, ...] = ()
    """Running ones and the last that ended, oldest first."""
    entries: tuple[Entry, ...] = ()
    """Plans in progress, as the journals of all domains have them."""
    capacities: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Virtual sizes in bytes, by domain UUID and target; what was not asked for is missing. Never changed."""
    files: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Images that plans in progress fill from here: by path, bytes done and bytes to do. Never changed."""
    told: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By path of these: when that was told first and last, seconds on a monotonic clock. Never changed."""
    awaited: Mapping[str, Awaited] = field(default_factory=dict)
    """By domain UUID: those that stand still until the user says that he has done his part. Never changed."""
    migrations: Mapping[str, Migration] = field(default_factory=dict)
    """By domain UUID: those that are on their way to another host from here. Never changed."""
    refreshed: float = 0.0
    """Wall clock of the last news from the host."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.hostname or self.uri

    @property
    def complete(self) -> bool:
        """Whether it is reached, and all that is there has been read."""
        return self.link is Link.LIVE and self.listed and self.unread == 0

    def domain(self, uuid: str) -> Domain | None:
        """The domain of that UUID."""
        return next((d for d in self.domains if d.uuid == uuid), None)

    def capacity(self, uuid: str, target: str) -> int | None:
        """The virtual size of a disk in bytes, where it is known."""
        return self.capacities.get((uuid, target))

    def job(self, uuid: str, target: str) -> Job | None:
        """The latest job of a disk, running or ended."""
        return next((j for j in reversed(self.jobs) if j.key == (uuid, target)), None)

    @property
    def active_jobs(self) -> tuple[Job, ...]:
        """Jobs that have not ended."""
        return tuple(j for j in self.jobs if not j.phase.ended)

    @property
    def pulled(self) -> frozenset[str]:
        """UUIDs of the domains with a pull under way, whose images QEMU may not list: ``pull_checks`` says why."""
        return frozenset(job.uuid for job in self.active_jobs if job.type is JobType.PULL)

    def leftover(self, uuid: str, target: str) -> str | None:
        """The image that a copy of a disk left behind which ended with nobody there to tidy up."""
        job = self.job(uuid, target)
        domain = self.domain(uuid)
        if job is not None and not job.phase.ended:
            return None
        for entry in self.entries_of(uuid):
            copy = None if entry.layered else entry.copy_of(target)
            used = copy is not None and domain is not None and domain.is_on(target, copy.path)
            if copy is not None and entry.stale(self.refreshed) and not used:
                return copy.place
        return None

    def plan_of(self, uuid: str, target: str) -> Entry | None:
        """The latest plan in progress that is about a disk."""
        entries = reversed(self.entries_of(uuid))
        return next((e for e in entries if target in e.targets or e.migration is not None), None)

    def interrupted(self, uuid: str, target: str) -> Entry | None:
        """The move of a disk that nobody carries on any more and that is not at its end."""
        entry = self.plan_of(uuid, target)
        if entry is None or not self.abandons(entry):
            return None
        if not entry.moves and len(entry.targets) == 1:
            # The mirror of a single disk is all that there is to see, and can be ended by itself.
            return None
        return entry if entry.reached < len(entry.steps) else None

    def abandons(self, entry: Entry) -> bool:
        """Whether nobody carries a plan on."""
        return entry.stale(self.refreshed) and not self.under_way(entry.uuid)

    def under_way(self, uuid: str) -> bool:
        """Whether a domain goes from here to another host, or comes: its journal stands still for so long."""
        return uuid in self.migrations or self.arrives(uuid)

    def arrives(self, uuid: str) -> bool:
        """Whether a domain comes from another host, and is not here yet."""
        domain = self.domain(uuid)
        return domain is not None and domain.arriving_from is not None

    def entries_of(self, uuid: str) -> tuple[Entry, ...]:
        """Plans in progress on a domain."""
        return tuple(e for e in self.entries if e.uuid == uuid)
