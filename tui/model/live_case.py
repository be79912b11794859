"""What is known of disks that are to be snapshot, and which methods each of them can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.facts import CopyFacts, PathFacts, SnapshotFacts
from tui.model.methods import Method, Wish
from tui.model.mirrored_snapshot import Kind, Snapshot, file_disk
from tui.model.request import LiveSnapshotRequest, SnapshotRequest
from tui.model.snapshot_case import generated_path
from tui.model.storage import BlockSource, FileSource
from tui.model.text import printable


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """Where a disk lies that is a volume of a logical pool."""

    pool: str
    name: str
    free: int | None = None
    """Bytes that the pool has left."""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """All that decides how a disk can be snapshot."""

    copy: CopyFacts
    """What is known of the disk and of its layers."""
    shares_blocks: bool | None = None
    """Whether files beside its active layer can share blocks with it; ``None`` where nobody could try."""
    logical: LogicalVolume | None = None
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


def proposed(facts: DiskFacts) -> tuple[Method, str]:
    """The best method for a disk, and why, as a part of a sentence."""
    disk = facts.disk
    active = disk.chain.active
    if disk.empty or disk.readonly or active is None:
        return Method.NO, "nothing is ever new on it"
    if facts.logical is not None:
        return Method.LVM, "it is a logical volume: its pool keeps the state, and the disk stays what it is"
    if active.format == "raw" and facts.shares_blocks:
        return Method.BTRFS, "it is raw and its file system shares blocks: the chain gets no layer"
    return Method.QEMU, "QEMU takes it at once, for all such disks at one instant"


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
    current: str | None = None
    """The parent of what the guest writes now."""
    reached: bool = False
    """Whether files can be handled where they lie."""


def wish_of(request: LiveSnapshotRequest, target: str) -> Wish:
    """What was said of a disk."""
    found = next((wish for wish in request.disks if wish.target == target), None)
    return found or Wish(target)


def method_of(request: LiveSnapshotRequest, facts: DiskFacts) -> Method:
    """By what a disk is snapshot: as was said of it, else of all, else the best."""
    named = wish_of(request, facts.disk.target).method
    if named is not None:
        return named
    best = proposed(facts)[0]
    # What is said of all is said of those of which there can be a snapshot.
    return request.method if request.method is not None and best is not Method.NO else best


def place_of(request: LiveSnapshotRequest, facts: DiskFacts, method: Method) -> str | None:
    """Where the overlay or the clone of a disk goes; ``None`` where that is not clear."""
    wish = wish_of(request, facts.disk.target)
    if wish.path is not None:
        return wish.path
    if method not in (Method.QEMU, Method.BTRFS):
        return None
    return generated_path(facts.disk, request.name)


def overlay_part(request: LiveSnapshotRequest, facts: Mapping[str, DiskFacts]) -> SnapshotRequest:
    """What libvirt is asked for, as a request of its own: overlays for those disks that get one."""
    disks = []
    for target, known in facts.items():
        if method_of(request, known) is Method.QEMU:
            path, form = place_of(request, known, Method.QEMU), wish_of(request, target).format
            disks.append(file_disk(target, path=path, format=form, kind=Kind.EXTERNAL))
        else:
            disks.append(file_disk(target, kind=Kind.NO))
    wanted = Snapshot(request.name, request.description or None, disks=tuple(disks))
    return SnapshotRequest(
        request.uuid, wanted, reuse_external=request.reuse_external, accepted=request.accepted
    )
