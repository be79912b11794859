"""What the images of a domain's chains have to do with its snapshots."""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.domain import Domain
from tui.model.facts import same_name
from tui.model.hierarchy import Hierarchy
from tui.model.mirrored_snapshot import Kind
from tui.model.storage import Layer


@dataclass(frozen=True, slots=True)
class LayerRole:
    """One image of a chain, and the snapshots that it is a part of."""

    target: str
    layer: Layer
    active: bool
    """Whether the guest writes to it now."""
    holds: tuple[str, ...] = ()
    """External snapshots whose state it is."""
    inside: tuple[str, ...] = ()
    """Internal snapshots whose state lies in it."""
    since: tuple[str, ...] = ()
    """Snapshots since which what was new went to it."""


def layer_roles(hierarchy: Hierarchy, domain: Domain) -> tuple[LayerRole, ...]:
    """What each image of each chain of a domain belongs to, active layers first."""
    holds: dict[tuple[str, str], list[str]] = {}
    inside: dict[tuple[str, str], list[str]] = {}
    since: dict[tuple[str, str], list[str]] = {}
    for snapshot in hierarchy.snapshots:
        for disk in snapshot.disks:
            if disk.base is not None:
                where = inside if disk.kind is Kind.INTERNAL else holds
                where.setdefault((disk.target, same_name(disk.base)), []).append(snapshot.name)
            if disk.path is not None:
                since.setdefault((disk.target, same_name(disk.path)), []).append(snapshot.name)
    roles = []
    for drive in domain.disks:
        for number, layer in enumerate(drive.chain.layers):
            key = (drive.target, same_name(layer.path))
            found = (tuple(names.get(key, ())) for names in (holds, inside, since))
            roles.append(LayerRole(drive.target, layer, number == 0, *found))
    return tuple(roles)
