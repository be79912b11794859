"""A wished snapshot with all defaults filled in: which disks get an overlay, where, and which of them a mirror."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.facts import CopyFacts, LayerFacts
from tui.model.mirrored_snapshot import Kept, Kind, Snapshot, SnapshotDisk
from tui.model.request import CopyRequest, SnapshotRequest, Then
from tui.model.snapshot import SnapshotFacts
from tui.model.storage import BlockSource, Chain, FileSource, Layer

DEFAULT_FORMAT = "qcow2"
"""What libvirt makes an overlay in when nobody says."""


@dataclass(frozen=True, slots=True)
class TakeFacts:
    """All that the checks of a snapshot look at."""

    domain: Domain
    snapshots: tuple[SnapshotFacts, ...] | None = ()
    """What libvirt remembers already; ``None`` where nobody could see."""
    overlays: Mapping[str, CopyFacts] = field(default_factory=dict)
    """By target: what is known of each disk that gets an overlay, and of the place of that."""
    mirrors: Mapping[str, CopyFacts] = field(default_factory=dict)
    """By target: the same, with the place of the mirror."""


@dataclass(frozen=True, slots=True)
class TakenDisk:
    """A disk that gets an overlay."""

    disk: Disk
    path: str
    """Of the overlay."""
    format: str
    asked: SnapshotDisk | None = None
    """What was said of it; ``None`` where libvirt's defaults are followed."""

    @property
    def target(self) -> str:
        """The disk."""
        return self.disk.target

    @property
    def mirror(self) -> str | None:
        """The second place of what is new."""
        return self.asked.mirror_path if self.asked else None

    @property
    def active(self) -> Layer:
        """What the guest writes to now."""
        return self.disk.chain.layers[0]

    @property
    def overlay(self) -> Layer:
        """What it writes to then."""
        return Layer(FileSource(self.path), self.format)

    @property
    def then(self) -> Disk:
        """The disk with its overlay."""
        chain = self.disk.chain
        return replace(self.disk, chain=Chain((self.overlay, *chain.layers), chain.complete))

    def over(self, facts: CopyFacts) -> CopyFacts:
        """What will be known of the disk when the overlay, which is empty at first, is there."""
        empty = LayerFacts(self.path, allocated=0, snapshots=())
        return replace(facts, disk=self.then, layers=(empty, *facts.layers))

    @property
    def explicit(self) -> SnapshotDisk:
        """What libvirt is asked for it: all said, and no mirror, which it does not know."""
        asked = self.asked or SnapshotDisk(self.target)
        source = asked.source or Kept()
        driver = asked.driver or Kept()
        return replace(
            asked,
            name=self.target,
            kind=Kind.EXTERNAL,
            source=source if source.get("file") else _with(source, "file", self.path),
            driver=driver if driver.get("type") else _with(driver, "type", self.format),
            mirror=None,
            type="file",
        )


def _with(kept: Kept, key: str, value: str) -> Kept:
    return replace(kept, attributes=((key, value), *(pair for pair in kept.attributes if pair[0] != key)))


def target_of(domain: Domain, name: str) -> str | None:
    """The disk that a snapshot means by a target or by the path of its active layer."""
    if domain.disk(name):
        return name
    return next((disk.target for disk in domain.disks if domain.is_on(disk.target, name)), None)


def asked_of(snapshot: Snapshot, domain: Domain, target: str) -> SnapshotDisk | None:
    """What was said of a disk."""
    return next((disk for disk in snapshot.disks or () if target_of(domain, disk.name) == target), None)


def kind_of(disk: Disk, asked: SnapshotDisk | None) -> Kind:
    """What happens to a disk: as was said, else as its definition says, else as libvirt has it."""
    if asked is not None and asked.kind is not None:
        return asked.kind
    if disk.empty:
        return Kind.NO
    if disk.snapshot in tuple(Kind):
        return Kind(disk.snapshot)
    return Kind.NO if disk.readonly else Kind.EXTERNAL


def generated_path(disk: Disk, name: str) -> str | None:
    """What libvirt calls an overlay that nobody named: the snapshot takes the place of the image's ending."""
    active = disk.chain.active
    if active is None or not isinstance(active.source, FileSource):
        return None
    directory, base = posixpath.split(active.path)
    stem, dot, _ending = base.rpartition(".")
    return posixpath.join(directory, f"{stem if dot else base}.{name}")


def taken_disks(snapshot: Snapshot, domain: Domain) -> tuple[TakenDisk, ...]:
    """The disks that get an overlay, as far as it is clear where."""
    taken = []
    for disk in domain.disks:
        asked = asked_of(snapshot, domain, disk.target)
        if disk.empty or kind_of(disk, asked) is not Kind.EXTERNAL or not has_plain_overlay(asked):
            continue
        path = (asked.path if asked else None) or generated_path(disk, snapshot.name or "")
        if path is not None and isinstance(disk.chain.layers[0].source, FileSource | BlockSource):
            form = (asked.format if asked else None) or DEFAULT_FORMAT
            taken.append(TakenDisk(disk, path, form, asked))
    return tuple(taken)


def has_plain_overlay(asked: SnapshotDisk | None) -> bool:
    """Whether the overlay is a file."""
    return asked is None or asked.type in (None, "file")


def overlay_request(request: SnapshotRequest, taken: TakenDisk) -> CopyRequest:
    """The overlay as if it were the destination of a copy, for what must be known of its place."""
    place = Chain((taken.overlay,), complete=False)
    return CopyRequest(
        request.uuid,
        taken.target,
        place,
        reuse_external=request.reuse_external,
        accepted=request.accepted,
    )


def mirror_request(request: SnapshotRequest, taken: TakenDisk) -> CopyRequest:
    """The copy of the overlay that its mirror comes down to."""
    layer = Layer(FileSource(taken.mirror or ""), taken.format)
    return CopyRequest(
        request.uuid,
        taken.target,
        Chain((layer,), complete=False),
        shallow=True,
        reuse_external=request.reuse_external,
        bandwidth=request.bandwidth,
        synchronous_writes=request.synchronous_writes,
        then=Then.HOLD,
        accepted=request.accepted,
    )


def explicit_snapshot(snapshot: Snapshot, domain: Domain, taken: tuple[TakenDisk, ...]) -> Snapshot:
    """What libvirt is asked: every disk named, so that nothing is left to a default."""
    overlays = {disk.target: disk.explicit for disk in taken}
    return Snapshot(
        snapshot.name,
        snapshot.description,
        memory=snapshot.memory,
        disks=tuple(overlays.get(disk.target) or SnapshotDisk(disk.target, Kind.NO) for disk in domain.disks),
    )
