"""One wished move with all defaults filled in: which disks, which layers, and what each is called there."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from tui.model.disk import Device, Disk
from tui.model.domain import Domain
from tui.model.facts import (
    CopyFacts,
    KnowsUses,
    LayerFacts,
    PathFacts,
    PathKind,
    Uses,
)
from tui.model.logical_pool import LogicalPool, NewVolume
from tui.model.request import CopyRequest, How, MoveRequest, Shared, Then
from tui.model.snapshot import SnapshotFacts
from tui.model.storage import BlockSource, Chain, FileSource, Layer

MOVED_DEVICES = (Device.DISK, Device.LUN)
"""What goes along where no disks are named."""


@dataclass(frozen=True, slots=True)
class MoveFacts(KnowsUses):
    """All that the checks of a move look at."""

    domain: Domain
    directory: str | None = None
    """Where it goes: a path, the pool resolved; ``None`` where there is no such pool."""
    problem: str = ""
    """Why there is no directory, one sentence."""
    pool: LogicalPool | None = None
    """The logical pool that each disk gets a volume in; the directory is then that of its devices."""
    copies: dict[str, CopyFacts] = field(default_factory=dict)
    """By target: what is known of each disk and of the place that its active layer would have."""
    out_of_reach: str = ""
    """Why nobody here can handle the images of the host, as a part of a sentence; nothing where that can be done."""
    readable: frozenset[str] = frozenset()
    """Paths of images that can be read from here."""
    missing: frozenset[str] = frozenset()
    """Paths of images that are surely not there any more, though the guest has them open."""
    there: dict[str, LayerFacts] = field(default_factory=dict)
    """By path: images that exist already, of those that would be made, read in the format of the source."""
    written: frozenset[str] = frozenset()
    """Paths that guests of this host write to."""
    writable: bool | None = None
    """Whether this process may make files in the directory."""
    free: int | None = None
    """Bytes that are free there."""
    folds: bool = False
    """Whether the overlay goes back into the layer below at the end."""
    snapshots: tuple[SnapshotFacts, ...] | None = ()
    """What libvirt remembers of the domain; ``None`` where nobody could see."""
    uses: Uses = field(default_factory=dict)
    """Who needs which path, chains that no definition lists included; only where something is to be removed."""
    unfollowed: tuple[str, ...] = ()
    """The disks of this host whose chains nobody could see to their end, likewise."""


class Fate(Enum):
    """What becomes of a layer when its chain moves."""

    COPIED = auto()
    STAYS = auto()
    """Where it is, and the layer above names it there."""
    REUSED = auto()
    """An image that lies at the destination takes its place."""


@dataclass(frozen=True, slots=True)
class MovedLayer:
    """One layer of a chain that moves."""

    source: str
    path: str
    """Where it is in the new chain."""
    fate: Fate
    format: str
    named: str | None
    """How its header names the layer below there; ``None`` for the base."""
    below_format: str | None
    renamed: bool
    """Whether that is another name than at the source."""


@dataclass(frozen=True, slots=True)
class MovedDisk:
    """One disk that is moved."""

    disk: Disk
    facts: CopyFacts
    how: How
    directory: str
    mark: str
    """What tells the overlay of this move from others."""
    shared: Shared = Shared.COPY
    there: frozenset[str] = frozenset()
    """Paths that exist already."""
    volume: NewVolume | None = None
    """What is made for it in a logical pool."""

    @property
    def target(self) -> str:
        """The disk."""
        return self.disk.target

    @property
    def chain(self) -> Chain:
        """Its chain now."""
        return self.disk.chain

    @property
    def active(self) -> Layer:
        """Its active layer now."""
        return self.disk.chain.layers[0]

    @property
    def capacity(self) -> int:
        """Bytes that the guest sees; 0 where nobody says, which the checks refuse."""
        return self.facts.sizes.capacity if self.facts.sizes else 0

    def place(self, path: str) -> str:
        """Where an image goes."""
        return posixpath.join(self.directory, posixpath.basename(path))

    @property
    def relative(self) -> bool:
        """Whether the layers name each other relative to themselves."""
        names = [layer.backing for layer in self.facts.layers if layer.backing]
        return bool(names) and not any(name.startswith("/") or ":" in name for name in names)

    @property
    def own(self) -> int:
        """How many layers, from the active one down, no other disk stands on."""
        me = (self.facts.domain.uuid, self.target)
        for depth, layer in enumerate(self.chain.layers):
            if self.facts.users_of(layer.path, me):
                return depth
        return len(self.chain.layers)

    @property
    def layers(self) -> tuple[MovedLayer, ...]:
        """The layers of the new chain below the overlay, the active one of now first."""
        layers, own = self.chain.layers, self.own
        fates = [self._fate(layer.path, depth, own) for depth, layer in enumerate(layers)]
        moved = []
        for depth, layer in enumerate(layers):
            below = layers[depth + 1] if depth + 1 < len(layers) else None
            name = None
            if below is not None:
                name = below.path if fates[depth + 1] is Fate.STAYS else self.named(below.path)
            before = self.facts.layers[depth].backing if depth < len(self.facts.layers) else None
            moved.append(
                MovedLayer(
                    layer.path,
                    layer.path if fates[depth] is Fate.STAYS else self.place(layer.path),
                    fates[depth],
                    layer.format or "",
                    name,
                    below.format if below else None,
                    renamed=name is not None and name != before,
                )
            )
        return tuple(moved)

    @property
    def copied(self) -> tuple[MovedLayer, ...]:
        """Those that go along, the base first."""
        return tuple(layer for layer in reversed(self.layers) if layer.fate is Fate.COPIED)

    def _fate(self, path: str, depth: int, own: int) -> Fate:
        if depth >= own and self.shared is Shared.LEAVE:
            return Fate.STAYS
        # Those who shared it may have gone there before; whether it is the same is seen by comparing.
        if depth > 0 and self.shared is Shared.REUSE and self.place(path) in self.there:
            return Fate.REUSED
        return Fate.COPIED

    @property
    def renames(self) -> dict[str, str]:
        """The images that hold at the new place what they held at the old one: from where to where."""
        match self.how:
            case How.KEEP_CHAIN:
                return {layer.source: layer.path for layer in self.layers if layer.source != layer.path}
            case How.FLATTEN if self.volume or len(self.chain.layers) > 1:
                return {}
            case _:
                return {self.active.path: self.destination}

    def named(self, path: str) -> str:
        """How a layer is named there by the one above."""
        return posixpath.basename(path) if self.relative else self.place(path)

    @property
    def overlay(self) -> str:
        """The new active layer beside the old one."""
        stem, _dot, _ending = posixpath.basename(self.active.path).rpartition(".")
        name = f"{stem or posixpath.basename(self.active.path)}.move-{self.mark}.qcow2"
        return posixpath.join(posixpath.dirname(self.active.path), name)

    @property
    def new_overlay(self) -> str:
        """Its mirror."""
        return self.place(self.overlay)

    @property
    def layout(self) -> tuple[str, ...]:
        """That of the active layer, which its mirror has too: it can be the active layer for good."""
        return (self.facts.layers[0].layout or ()) if self.facts.layers else ()

    @property
    def overlay_named(self) -> str:
        """How the mirror names the layer below."""
        return self.named(self.active.path)

    @property
    def destination(self) -> str:
        """Where the guest writes after the pivot."""
        if self.volume is not None:
            return self.volume.path
        return self.new_overlay if self.how is How.KEEP_CHAIN else self.place(self.active.path)

    def then(self, *, merged: bool) -> Chain:
        """The chain after the pivot, and after the overlay was folded back if it is to be."""
        match self.how:
            case How.FLATTEN if self.volume:
                return Chain((Layer(BlockSource(self.volume.path), self.volume.format),))
            case How.FLATTEN:
                return Chain((Layer(FileSource(self.destination), self.active.format),))
            case How.SHALLOW:
                top = Layer(FileSource(self.destination), self.active.format)
                return Chain((top, *self.chain.below.layers), self.chain.complete)
            case How.KEEP_CHAIN:
                along = tuple(Layer(FileSource(layer.path), layer.format) for layer in self.layers)
                overlay = () if merged else (Layer(FileSource(self.new_overlay), "qcow2"),)
                return Chain((*overlay, *along), self.chain.complete)


def chosen(request: MoveRequest, domain: Domain) -> tuple[Disk, ...]:
    """The disks that are meant: those that are named, or all that the guest can write to."""
    if request.targets:
        return tuple(disk for disk in domain.disks if disk.target in request.targets)
    return tuple(
        disk for disk in domain.disks if not disk.empty and not disk.readonly and disk.device in MOVED_DEVICES
    )


def moved_disks(request: MoveRequest, facts: MoveFacts, mark: str) -> tuple[MovedDisk, ...]:
    """The disks with what becomes of each."""
    disks = []
    for disk in chosen(request, facts.domain):
        copy = facts.copies.get(disk.target)
        if copy is None or disk.empty or facts.directory is None:
            continue
        several = len(disk.chain.layers) > 1
        how = request.how or (How.KEEP_CHAIN if several else How.FLATTEN)
        if not several and (how is How.KEEP_CHAIN or facts.pool):
            # A chain of one layer is kept by a plain copy, which needs no overlay.
            how = How.FLATTEN
        moved = MovedDisk(disk, copy, how, facts.directory, mark, request.shared, frozenset(facts.there))
        if how is How.KEEP_CHAIN and request.shared is Shared.LEAVE and moved.own == 1:
            moved = replace(moved, how=How.SHALLOW)
        if facts.pool is not None:
            moved = _in_volume(moved, facts.pool, request.format or "raw")
        disks.append(moved)
    return tuple(disks)


def _in_volume(disk: MovedDisk, pool: LogicalPool, image_format: str) -> MovedDisk:
    """A disk that goes to a volume, which its copy will find as a device."""
    volume = pool.volume(disk.facts.domain.name, disk.target, disk.mark, image_format, disk.capacity)
    place = PathFacts(PathKind.BLOCK, volume.size or None, parent_exists=True)
    return replace(disk, volume=volume, facts=replace(disk.facts, destination=place))


def copy_request(request: MoveRequest, disk: MovedDisk) -> CopyRequest:
    """The copy of a disk that its move comes down to, or whose checks it needs."""
    flat = disk.how is How.FLATTEN
    if disk.volume is not None:
        layer = Layer(BlockSource(disk.volume.path), disk.volume.format)
    else:
        layer = Layer(FileSource(disk.place(disk.active.path)), request.format if flat else None)
    return CopyRequest(
        request.uuid,
        disk.target,
        Chain((layer,), complete=False),
        shallow=disk.how is How.SHALLOW,
        bandwidth=request.bandwidth,
        synchronous_writes=request.synchronous_writes,
        then=Then.HOLD,
        accepted=request.accepted,
    )
