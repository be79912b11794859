"""What the images of a domain's chains have to do with its snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tui.model.domain import Domain
from tui.model.facts import same_name
from tui.model.hierarchy import Hierarchy, KnownSnapshot, SnapshotView, StateDisk
from tui.model.hierarchy_losses import absent_layers, losses
from tui.model.mirrored_snapshot import Kind
from tui.model.storage import Layer
from tui.model.text import listed, printable


@dataclass(frozen=True, slots=True)
class LayerRole:
    """One image of a chain, and the snapshots that it is a part of."""

    target: str
    layer: Layer
    active: bool
    """Whether the guest writes to it now."""
    holds: tuple[str, ...] = ()
    """External snapshots whose state it is."""
    lost: tuple[str, ...] = ()
    """Those whose state it held, and does no more."""
    inside: tuple[str, ...] = ()
    """Internal snapshots whose state lies in it."""
    unknown: tuple[str, ...] = ()
    """What else lies in it, and libvirt does not know."""
    missing: bool = False
    """Whether it is not there any more."""
    since: tuple[str, ...] = ()
    """Snapshots since which what was new went to it."""


def layer_roles(view: SnapshotView) -> tuple[LayerRole, ...]:
    """What each image of each chain of a domain belongs to, active layers first."""
    hierarchy, domain = view.hierarchy, view.domain
    holds: dict[tuple[str, str], list[str]] = {}
    inside: dict[tuple[str, str], list[str]] = {}
    lost: dict[tuple[str, str], list[str]] = {}
    since: dict[tuple[str, str], list[str]] = {}
    over: dict[tuple[str, str], list[str]] = {}
    """External snapshots by what their overlays stand on."""
    for snapshot in hierarchy.snapshots:
        parts = {loss.part for loss in losses(snapshot, view)}
        for disk in snapshot.disks:
            if disk.base is not None and disk.kind is Kind.EXTERNAL:
                over.setdefault((disk.target, same_name(disk.base)), []).append(snapshot.name)
            if disk.base is not None:
                where = lost if disk.target in parts else inside if disk.kind is Kind.INTERNAL else holds
                where.setdefault((disk.target, same_name(disk.base)), []).append(snapshot.name)
        for disk in (*snapshot.disks, *snapshot.reverted):
            if disk.path is not None:
                since.setdefault((disk.target, same_name(disk.path)), []).append(snapshot.name)
    roles = []
    for drive in domain.disks:
        keys = [(drive.target, same_name(layer.path)) for layer in drive.chain.layers]
        known = {one.name for one in hierarchy.snapshots if _lies_inside(one, drive.target)}
        for number, layer in enumerate(drive.chain.layers):
            key = keys[number]
            # libvirt makes other overlays when it goes back, and does not always note them.
            below = over.get(keys[number + 1], ()) if number + 1 < len(keys) else ()
            new = tuple(since.get(key, below))
            kept, gone, within = (tuple(names.get(key, ())) for names in (holds, lost, inside))
            info = view.images.get(layer.path)
            unknown = tuple(name for name in info.snapshots if name not in known) if info else ()
            lacking = layer.path in view.missing
            roles.append(
                LayerRole(drive.target, layer, number == 0, kept, gone, within, unknown, lacking, new)
            )
    return tuple(roles)


def _lies_inside(snapshot: KnownSnapshot, target: str) -> bool:
    """Whether libvirt looks for it in the active layer of a disk, whatever that is called."""
    disk = snapshot.disk(target)
    return disk is not None and disk.kind is Kind.INTERNAL


def problems_of(view: SnapshotView) -> tuple[str, ...]:
    """What is wrong, a sentence each or two: images that the guest needs and that are gone first of all."""
    absent = absent_layers(view.domain, view.missing.__contains__)
    return (*(f"{why} {what}" for why, what in absent), *unfit(view))


def unfit(view: SnapshotView) -> tuple[str, ...]:
    """What does not fit together, in the tree and with the chains of the domain, a sentence each."""
    unfinished = tuple(
        f"The deletion of {printable(one.name)} has not come to its end, and its state is not whole: unless that is "
        "still under way, delete it once more."
        for one in _unfinished(view.hierarchy)
    )
    current = view.hierarchy.current
    astray = [disk.target for disk in current.disks if _astray(disk, current, view.domain)] if current else []
    if current is None or not astray:
        return (*view.hierarchy.problems, *unfinished)
    name, disks = printable(current.name), listed(astray, _FEW)
    elsewhere = (
        f"{name} is the current snapshot, but nothing of it is in the chain of {disks}: what the guest writes now does "
        "not come after it."
    )
    return (*view.hierarchy.problems, *unfinished, elsewhere)


_FEW = 8


def _unfinished(hierarchy: Hierarchy) -> Iterator[KnownSnapshot]:
    """Those whose overlays were to be merged into that of their parent."""
    for parent in hierarchy.snapshots:
        targets = {disk.target for disk in parent.disks if disk.taking}
        for name in hierarchy.children.get(parent.name, ()) if targets else ():
            if targets & {disk.target for disk in hierarchy.by_name[name].disks}:
                yield hierarchy.by_name[name]


def _astray(disk: StateDisk, current: KnownSnapshot, domain: Domain) -> bool:
    """Whether a disk stands on none of the images that its part of the current snapshot is made of."""
    drive = domain.disk(disk.target)
    if disk.kind not in (Kind.INTERNAL, Kind.EXTERNAL) or drive is None or not drive.chain.complete:
        return False
    parts = (disk, *(one for one in current.reverted if one.target == disk.target))
    own = {same_name(path) for one in parts for path in (one.path, one.base) if path is not None}
    return bool(own) and own.isdisjoint(same_name(layer.path) for layer in drive.chain.layers)
