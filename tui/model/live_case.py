"""What is known of disks that are to be snapshot, which methods each of them can have, and which it gets."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tui.model.disk import Disk
from tui.model.domain import Domain, RunState
from tui.model.facts import CopyFacts, PathFacts, same_name
from tui.model.hierarchy import KnownSnapshot
from tui.model.methods import Method, Quiesce, Wish
from tui.model.mirrored_snapshot import Kind, Snapshot, file_disk, memory_file
from tui.model.request import LiveSnapshotRequest, SnapshotRequest
from tui.model.snapshot import SnapshotFacts
from tui.model.snapshot_case import generated_path
from tui.model.storage import BlockSource, FileSource, Layer
from tui.model.text import printable

SHARE_OF_VOLUME = 5
"""A snapshot volume is proposed with a fifth of the size of its origin."""
_LEAST_ROOM = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """Where a disk lies that is a volume of a logical pool."""

    pool: str
    name: str
    free: int | None = None
    """Bytes that the pool has left."""


@dataclass(frozen=True, slots=True)
class FilePool:
    """The active pool in whose directory the raw image of a disk lies: libvirt can clone it there."""

    name: str
    directory: str
    listed: bool = True
    """Whether the pool knows the image; it may be behind what is there."""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """All that decides how a disk can be snapshot."""

    copy: CopyFacts
    """What is known of the disk and of its layers."""
    shares_blocks: bool | None = None
    """Whether files beside its active layer can share blocks with it; ``None`` where nobody could try."""
    logical: LogicalVolume | None = None
    pool: FilePool | None = None
    place: PathFacts = field(default_factory=PathFacts)
    """What lies where the clone is to go."""
    rate: float | None = None
    """Bytes per second that the guest writes; ``None`` where that is not known."""

    @property
    def disk(self) -> Disk:
        """The disk.

        Raises:
            ValueError: when there is none.
        """
        if self.copy.disk is None:
            message = "these facts are about no disk"
            raise ValueError(message)
        return self.copy.disk


def unfit(method: Method, facts: DiskFacts) -> str:
    """Why a disk cannot be snapshot by a method, as a part of a sentence; nothing where it can."""
    disk = facts.disk
    shown, active = printable(disk.target), disk.chain.active
    if method is Method.NO:
        return ""
    if disk.empty or active is None:
        return f"{shown} is a drive without a medium"
    if disk.readonly:
        return f"{shown} is read-only, and nothing is ever new on it"
    form = printable(active.format or "of no known format")
    fit = {
        Method.QEMU: (
            isinstance(active.source, FileSource | BlockSource),
            f"{shown} lies neither in a file nor on a device",
        ),
        Method.INTERNAL: (
            active.format == "qcow2",
            f"{shown} is {form}, and only qcow2 holds states inside",
        ),
        Method.LVM: (facts.logical is not None, f"{shown} is no volume of a logical pool of this host"),
        Method.BTRFS: (isinstance(active.source, FileSource), f"{shown} is no file"),
        Method.MANUAL: (True, ""),
    }
    fits, why = fit[method]
    if fits and method is Method.BTRFS and facts.shares_blocks is False:
        return f"the file system of {shown} cannot let files share blocks"
    return "" if fits else why


def proposed(facts: DiskFacts, *, memory: bool = False) -> tuple[Method, str]:
    """The best method for a disk, with the memory in a file or without, and why, as a part of a sentence."""
    disk = facts.disk
    active = disk.chain.active
    if disk.empty or disk.readonly or active is None:
        return Method.NO, "nothing is ever new on it"
    if memory:
        return Method.QEMU, "libvirt can hold the memory only together with overlays"
    if facts.logical is not None:
        return Method.LVM, "it is a logical volume: its pool keeps the state, and the disk stays what it is"
    if active.format == "raw" and facts.shares_blocks:
        return Method.BTRFS, "it is raw and its file system shares blocks: the chain gets no layer"
    return Method.QEMU, "QEMU takes it at once, for all such disks at one instant"


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """What is known of the memory that is to be held."""

    size: int | None = None
    """Bytes that the guest has of it."""
    place: PathFacts = field(default_factory=PathFacts)
    """What lies where it is to be written."""


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """All that the checks of a live snapshot look at."""

    domain: Domain
    snapshots: tuple[SnapshotFacts, ...] | None = ()
    """What libvirt and the domain's own notes remember already; ``None`` where nobody could see."""
    disks: Mapping[str, DiskFacts] = field(default_factory=dict)
    """By target."""
    overlays: Mapping[str, CopyFacts] = field(default_factory=dict)
    """By target: of each disk that gets an overlay, what is known of the place of that."""
    memory: MemoryFacts = field(default_factory=MemoryFacts)
    parent: KnownSnapshot | None = None
    """The current snapshot, which the new one comes after."""
    reached: bool = False
    """Whether files can be handled where they lie."""
    libvirt: tuple[int, int, int] | None = None


# The case


@dataclass(frozen=True, slots=True)
class LiveDisk:
    """A disk, and what is to become of it, with all defaults filled in."""

    facts: DiskFacts
    wish: Wish
    """What was said of it."""
    best: Method
    """By what it would be snapshot if nothing was said."""
    why: str
    """The reason, as a part of a sentence."""
    method: Method
    """By what it is snapshot: as was said of it, else of all, else the best."""
    path: str | None
    """Where its overlay or its clone goes; ``None`` where that is not clear."""
    volume: str
    """What its snapshot volume is called, but for the mark that it gets where nobody has named it."""
    room: int
    """Bytes of that for what changes."""

    @property
    def disk(self) -> Disk:
        """The disk."""
        return self.facts.disk

    @property
    def target(self) -> str:
        """Its name in the guest."""
        return self.disk.target

    @property
    def active(self) -> Layer:
        """What the guest writes to."""
        return self.disk.chain.layers[0]

    @property
    def pool(self) -> FilePool | None:
        """Where libvirt makes its clone; ``None`` where that goes elsewhere, or the file is cloned where it lies."""
        pool = self.facts.pool
        beside = pool is not None and posixpath.dirname(same_name(self.path or "")) == pool.directory
        return pool if beside and self.method is Method.BTRFS else None


def live_disk(request: LiveSnapshotRequest, facts: DiskFacts) -> LiveDisk:
    """What a request makes of a disk."""
    target = facts.disk.target
    wish = next((wish for wish in request.disks if wish.target == target), None) or Wish(target)
    best, why = proposed(facts, memory=request.memory is not None)
    # What is said of all is said of those of which there can be a snapshot.
    method = wish.method or (request.method if request.method and best is not Method.NO else best)
    named_after = method in (Method.QEMU, Method.BTRFS)
    path = wish.path
    if path is None and named_after:
        path = generated_path(facts.disk, request.name)
    origin = facts.logical.name if facts.logical else ""
    capacity = facts.copy.sizes.capacity if facts.copy.sizes else 0
    room = wish.size if wish.size is not None else max(_LEAST_ROOM, capacity // SHARE_OF_VOLUME)
    return LiveDisk(facts, wish, best, why, method, path, wish.volume or f"{origin}-{request.name}", room)


@dataclass(frozen=True, slots=True)
class Rest:
    """How a guest is kept from writing for the instant."""

    quiesce: Quiesce
    pause: bool

    @property
    def freezes(self) -> bool:
        """Whether its agent is asked to freeze its file systems."""
        return self.quiesce is not Quiesce.NO

    @property
    def words(self) -> str:
        """For people; nothing where it goes on."""
        parts = ["file systems frozen"] if self.freezes else []
        return " and ".join([*parts, *(["guest paused"] if self.pause else [])])


def can_freeze(domain: Domain, wanted: Quiesce) -> bool:
    """Whether its agent is asked to freeze the file systems of a guest."""
    return wanted is not Quiesce.NO and domain.definition.agent and domain.state is not RunState.PAUSED


@dataclass(frozen=True, slots=True)
class LiveCase:
    """A wished snapshot, and what is known of its disks."""

    request: LiveSnapshotRequest
    facts: LiveFacts
    mark: str
    """The plan's."""
    disks: tuple[LiveDisk, ...]
    """All that the guest has."""

    @property
    def chosen(self) -> tuple[LiveDisk, ...]:
        """Those that are a part of it."""
        return tuple(disk for disk in self.disks if disk.method is not Method.NO)

    def held_by(self, method: Method) -> tuple[LiveDisk, ...]:
        """Those that are snapshot by a method."""
        return tuple(disk for disk in self.disks if disk.method is method)

    @property
    def holds_memory(self) -> bool:
        """Whether the memory of the guest is a part of it."""
        return self.request.memory is not None or bool(self.held_by(Method.INTERNAL))

    @property
    def must_rest(self) -> bool:
        """Whether a guest that went on would make it several instants, or tear an image."""
        overlays = len(self.held_by(Method.QEMU))
        parts = len(self.chosen) - overlays + bool(overlays)
        return parts > 1 or bool(self.held_by(Method.MANUAL)) or self._clones_what_is_in_use

    @property
    def _clones_what_is_in_use(self) -> bool:
        """Whether an image is cloned whose tables QEMU has in its memory."""
        clones = (disk for disk in self.held_by(Method.BTRFS) if not disk.disk.empty)
        return any(disk.active.format != "raw" for disk in clones)

    @property
    def rest(self) -> Rest:
        """How the guest is kept from writing meanwhile."""
        request, domain = self.request, self.facts.domain
        if self.holds_memory or domain.state is RunState.PAUSED:
            return Rest(Quiesce.NO, pause=False)
        freezes = can_freeze(domain, request.quiesce)
        pause = request.pause and self.must_rest and (not freezes or self._clones_what_is_in_use)
        if not freezes:
            return Rest(Quiesce.NO, pause)
        needed = request.quiesce is Quiesce.REQUIRED or (self.must_rest and not pause)
        return Rest(Quiesce.REQUIRED if needed else Quiesce.AUTO, pause)


def live_case(request: LiveSnapshotRequest, facts: LiveFacts, mark: str) -> LiveCase:
    """What a request makes of what is known."""
    disks = tuple(live_disk(request, known) for known in facts.disks.values())
    return LiveCase(request, facts, mark, disks)


def overlay_part(request: LiveSnapshotRequest, disks: Iterable[LiveDisk]) -> SnapshotRequest:
    """What libvirt is asked for, as a request of its own: overlays for those disks that get one."""
    asked = tuple(
        file_disk(disk.target, path=disk.path, format=disk.wish.format, kind=Kind.EXTERNAL)
        if disk.method is Method.QEMU
        else file_disk(disk.target, kind=Kind.NO)
        for disk in disks
    )
    memory = None if request.memory is None else memory_file(request.memory)
    wanted = Snapshot(request.name, request.description or None, memory=memory, disks=asked)
    return SnapshotRequest(
        request.uuid,
        wanted,
        reuse_external=request.reuse_external,
        validate=request.validate,
        accepted=request.accepted,
    )
