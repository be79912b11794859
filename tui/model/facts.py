"""What the checks before a plan must know of the host; whatever nobody could find out is ``None``."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tui.model.disk import Disk, MirrorJob
from tui.model.domain import Domain
from tui.model.job import MIRROR_PHASES, JobType, Phase, Progress
from tui.model.journal import Entry
from tui.model.migration import Migration
from tui.model.quantity import percent_so_far
from tui.model.storage import Chain, Layer
from tui.model.text import printable


class PathKind(StrEnum):
    """What lies at a path."""

    MISSING = "nothing"
    FILE = "a file"
    BLOCK = "a block device"
    DIRECTORY = "a directory"
    OTHER = "a special file"


class UseKind(StrEnum):
    """Why a path is not free."""

    LAYER = "layer"
    """It is in the backing chain of a disk."""
    MIRROR = "mirror"
    """A job writes to it."""
    PLAN = "plan"
    """A plan in progress is about to write to it, or has."""


@dataclass(frozen=True, slots=True)
class Use:
    """One disk that needs a path."""

    uuid: str
    domain: str
    target: str
    kind: UseKind
    plan: str | None = None
    """The id of the plan, where that is the reason."""

    @property
    def who(self) -> str:
        """As ``db01 vda``, for people."""
        return f"{printable(self.domain)} {printable(self.target)}"


Uses = Mapping[str, tuple[Use, ...]]
"""Paths, normalised, and who needs them."""


def parent_of(path: str) -> str:
    """The directory that a path is in."""
    return posixpath.dirname(path) or "/"


def same_name(path: str) -> str:
    """One spelling of a path; ``//`` and ``..`` hide that two of them are the same."""
    return posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else posixpath.normpath(path)


class KnowsUses:
    """Facts that say who needs which path."""

    __slots__ = ()
    uses: Uses

    def users_of(self, path: str, *but: tuple[str, str]) -> tuple[Use, ...]:
        """Who needs a path, but for disks that are left out by domain, as a uuid, and target."""
        return tuple(use for use in self.uses.get(same_name(path), ()) if (use.uuid, use.target) not in but)


def who(uses: Iterable[Use]) -> list[str]:
    """The disks that need something, each once, for people."""
    return sorted({use.who for use in uses})


@dataclass(frozen=True, slots=True)
class Sizes:
    """A disk, in bytes."""

    capacity: int
    """What the guest sees."""
    allocation: int
    physical: int


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One layer of the source."""

    path: str
    allocated: int | None = None
    """Bytes that it takes."""
    snapshots: tuple[str, ...] | None = None
    """Names of its internal snapshots."""
    backing: str | None = None
    """How its header names the layer below."""
    layout: tuple[str, ...] | None = None
    """As ``ImageInfo.layout``."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image that is to be written to says of itself, read in the format the user named."""

    virtual_size: int
    backing: str | None = None
    backing_format: str | None = None
    backing_exists: bool | None = None


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What lies at the destination, and around it."""

    kind: PathKind | None = None
    size: int | None = None
    """Bytes of the file or the device."""
    allocated: int | None = None
    """Bytes that the file takes already."""
    image: ImageFacts | None = None
    unreadable: str | None = None
    """Why it is no image of that format, a sentence."""
    given_backing_exists: bool | None = None
    """Whether the backing file that the user's XML names is there."""
    parent_exists: bool | None = None
    searchable: bool | None = None
    """Whether the user that QEMU runs as gets as far as the directory."""
    writable: bool | None = None
    """Whether libvirt, which makes the file, may write there."""
    free: int | None = None
    """Bytes of the file system or the pool."""


@dataclass(frozen=True, slots=True)
class CopyFacts(KnowsUses):
    """All that the checks of a copy look at."""

    domain: Domain
    disk: Disk | None = None
    libvirt: tuple[int, int, int] | None = None
    supports_block_copy: bool = True
    """Whether the server has virDomainBlockCopy; else there is only virDomainBlockRebase."""
    sizes: Sizes | None = None
    layers: tuple[LayerFacts, ...] = ()
    """One for each layer of the source, the active one first."""
    uses: Uses = field(default_factory=dict)
    destination: PathFacts = PathFacts()
    checkpoints: tuple[str, ...] | None = None
    running: Progress | None = None
    """The job on the disk; pulls and commits show no mirror."""
    entries: tuple[Entry, ...] = ()
    """The journal of the domain."""
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Running:
    """A block job as the host shows it at this moment."""

    target: str
    type: JobType
    phase: Phase
    source: Layer | None
    destination: Chain
    progress: Progress | None = None

    @property
    def percent(self) -> int | None:
        """Whole percent of a job on its way, never 100; ``None`` while unknown, and for a mirror in sync."""
        if self.phase is not Phase.COPYING or self.progress is None:
            return None
        return percent_so_far(self.progress.cur, self.progress.end)


def running_on(disk: Disk, progress: Progress | None) -> Running | None:
    """The job of a disk out of its definition and virDomainGetBlockJobInfo's answer."""
    mirror = disk.mirror
    if mirror is not None:
        kind = JobType.ACTIVE_COMMIT if mirror.job is MirrorJob.ACTIVE_COMMIT else JobType.COPY
        # At its very end a mirror has no job any more, and nothing can be asked of it.
        ending = mirror.job is MirrorJob.CONCLUDING
        phase = Phase.CANCELLING if ending else MIRROR_PHASES[mirror.ready]
        return Running(disk.target, kind, phase, disk.chain.active, mirror.chain, progress)
    if progress is None:
        return None
    return Running(
        disk.target, progress.type, Phase.COPYING, disk.chain.active, Chain(complete=False), progress
    )


@dataclass(frozen=True, slots=True)
class EndFacts(KnowsUses):
    """All that the checks before the end of a job look at."""

    domain: Domain
    running: tuple[Running, ...] = ()
    entries: tuple[Entry, ...] = ()
    uses: Uses = field(default_factory=dict)
    removable: Mapping[str, bool] = field(default_factory=dict)
    """Whether this program can remove the file at a path: only where it sees it, or a pool knows it."""
    now: float = 0.0
    migration: Migration | None = None
    """By which the domain is on its way to another host, where virt-mirror leads it."""
    migrating: bool = False
    """Whether it is on its way at all."""

    def job(self, target: str) -> Running | None:
        """The job on a disk."""
        return next((r for r in self.running if r.target == target), None)
