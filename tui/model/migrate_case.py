"""A wish to go to another host with all defaults filled in: what becomes of each disk, and of the snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tui.model.checkpoint import KnownCheckpoint
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.facts import PathFacts, PathKind, Running, Sizes
from tui.model.finding import Acceptance
from tui.model.hierarchy import Hierarchy
from tui.model.hierarchy_file import place_of
from tui.model.journal import Entry
from tui.model.migrate_network import NetworkFacts
from tui.model.migrate_request import CopyStorage, MigrateRequest
from tui.model.migrate_tls import TlsFacts
from tui.model.mirrored_snapshot import Kind
from tui.model.still_file import StillFile
from tui.model.storage import Layer


@dataclass(frozen=True, slots=True)
class ThereFacts:
    """What lies at the other host where an image of this one leads."""

    place: PathFacts = field(default_factory=PathFacts)
    same: bool | None = None
    """Whether it is the very same file; ``None`` where nobody could see."""
    user: str | None = None
    """The domain there whose image it is, and the disk."""
    shared: bool | None = None
    """Whether its file system is one that several hosts have; ``None`` where nobody could see."""
    device: int | None = None
    """Which of the file systems there its directory is on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the definition asks of the other host."""

    name: str
    taken_names: Mapping[str, str] = field(default_factory=dict)
    """The domains that are there: UUIDs, by name."""
    machine: str = ""
    """Machine type and architecture, for people."""
    unsupported: str | None = None
    """Why there is no such machine there, a sentence."""
    cpu: str | None = None
    """What its CPU lacks, a sentence."""
    memory: int | None = None
    """Bytes that the guest has."""
    free_memory: int | None = None
    """Bytes that are free there, and not promised to others on their way."""
    beside: tuple[str, ...] = ()
    """The names of these."""
    networks: tuple[str, ...] = ()
    """Those that the guest is plugged into."""
    known_networks: Mapping[str, bool] | None = None
    """Those that are there, and whether they are up; ``None`` where nobody could see."""
    devices: tuple[str, ...] = ()
    """Devices of the host that the guest has, which stay behind."""
    usb_devices: int = 0
    """USB devices of the host that the guest has, which are looked for at the other one."""
    uncompared: str | None = None
    """Why its CPU was not compared with that of the other host, a sentence without its beginning."""


@dataclass(frozen=True, slots=True)
class MigrateFacts:
    """All that the checks look at."""

    domain: Domain
    host: str = ""
    """This one, for people."""
    there: str = ""
    """The other one, for people."""
    unreached: str | None = None
    """Why the other one could not be asked, a sentence."""
    same_host: bool = False
    source_uri: str = ""
    there_uuid: str = ""
    """The identity of the other host."""
    wanted: Wanted | None = None
    sizes: Mapping[str, Sizes] = field(default_factory=dict)
    """By target."""
    images: Mapping[str, ThereFacts] = field(default_factory=dict)
    """What lies at the other host, by the path there; the memory of snapshots too."""
    still: Mapping[str, StillFile] = field(default_factory=dict)
    """The images here and the memory of snapshots, with all that they stand on, by path; none where all are there."""
    layouts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """As ``ImageInfo.layout``, by path here: of the active layers of qcow2 that are not there, as far as read."""
    written: frozenset[str] = frozenset()
    """Paths here that guests write to."""
    coming: Mapping[str, str] = field(default_factory=dict)
    """Paths there that the plan of another domain is about to fill, and the name of that."""
    left_over: Mapping[str, str] = field(default_factory=dict)
    """The same of plans that nobody carries on."""
    promised: Mapping[str, int] = field(default_factory=dict)
    """Bytes that others will still write to where its images are made, by their names; not counted as free."""
    reached: bool = False
    """Whether files at the other host can be handled from here."""
    reached_here: bool = False
    """Whether those at this one can."""
    pools: frozenset[str] = frozenset()
    """Directories of its storage pools, in which libvirt makes images by itself."""
    hierarchy: Hierarchy = field(default_factory=Hierarchy)
    secrets: bool = False
    """Whether its snapshots hold passwords."""
    checkpoints: tuple[KnownCheckpoint, ...] = ()
    running: tuple[Running, ...] = ()
    entries: tuple[Entry, ...] = ()
    autostart: bool = False
    migrating: bool = False
    frozen: bool | None = False
    """Whether the guest's file systems are frozen; ``None`` where its agent refuses to work and does not say why."""
    network: NetworkFacts = field(default_factory=NetworkFacts)
    tls: TlsFacts = field(default_factory=TlsFacts)
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class MigratedDisk:
    """A disk, and what becomes of it."""

    disk: Disk
    copied: bool
    """Its data go along; else the other host must have them."""
    keeps_chain: bool
    """Only its active layer goes along, onto layers that are there."""
    path: str | None
    """Where its active layer is there; ``None`` where it lies on no path."""
    there: ThereFacts
    below: tuple[tuple[Layer, str, ThereFacts], ...] = ()
    """The layers under it that are needed there: each with its path and what lies at that."""
    size: int | None = None
    """Bytes that the guest sees."""
    pooled: bool = False
    """libvirt makes its image there in a storage pool, as nobody else can."""

    @property
    def target(self) -> str:
        """Its name in the guest."""
        return self.disk.target

    @property
    def active(self) -> Layer:
        """What the guest writes to."""
        return self.disk.chain.layers[0]

    @property
    def format(self) -> str:
        """Of the image there."""
        return self.active.format or "raw"


@dataclass(frozen=True, slots=True)
class MigrateCase:
    """A wish and what is known."""

    request: MigrateRequest
    facts: MigrateFacts
    storage: CopyStorage
    disks: tuple[MigratedDisk, ...]
    """Those with a medium."""

    @property
    def brings(self) -> bool:
        """Whether files that stand still can be taken from host to host."""
        return self.facts.reached and self.facts.reached_here

    @property
    def copied(self) -> tuple[MigratedDisk, ...]:
        """The disks whose data go along."""
        return tuple(disk for disk in self.disks if disk.copied)

    @property
    def persistent(self) -> bool:
        """Whether the other host keeps a definition."""
        wished = self.request.persistent
        return self.facts.domain.persistent if wished is None else wished

    @property
    def undefine_source(self) -> bool:
        """Whether this host forgets it."""
        wished = self.request.undefine_source
        return self.persistent and self.facts.domain.persistent if wished is None else wished

    @property
    def name(self) -> str:
        """What it is called there."""
        return self.request.name or self.facts.domain.name

    @property
    def places(self) -> dict[str, str]:
        """The paths that change, in the definition and in the snapshots."""
        paths = {path for disk in self.disks for path in disk.disk.chain.local_paths}
        paths |= {path for one in self.facts.hierarchy.snapshots for path in one.files}
        return {path: there for path in sorted(paths) if (there := self.place(path)) != path}

    def layout(self, disk: MigratedDisk) -> tuple[str, ...] | None:
        """How its image there is to be laid out, as the one here is; ``None`` where nobody could see that."""
        return self.facts.layouts.get(disk.active.path) if disk.format == "qcow2" else ()

    def place(self, path: str) -> str:
        """Where a path leads there."""
        return place_of(path, self.request.maps)


def migrate_case(request: MigrateRequest, facts: MigrateFacts) -> MigrateCase:
    """What a wish makes of what is known."""
    # Nothing of a domain that is off is copied.
    if request.offline and request.storage is None:
        request = replace(request, storage=CopyStorage.NONE)
    disks = [disk for disk in facts.domain.disks if not disk.empty and disk.chain.layers]
    elsewhere = {disk.target for disk in disks if not disk.readonly and not _is_there(disk, request, facts)}
    chosen = set(request.targets) or elsewhere
    storage = request.storage or _storage_for(chosen, request, facts)
    copied = chosen if storage is not CopyStorage.NONE else set()
    return MigrateCase(
        request,
        facts,
        storage,
        tuple(_migrated(disk, request, facts, storage, copied=disk.target in copied) for disk in disks),
    )


def _storage_for(chosen: set[str], request: MigrateRequest, facts: MigrateFacts) -> CopyStorage:
    """What disks need that are copied: one that has snapshots below keeps its layers if these can come along."""
    if not chosen:
        return CopyStorage.NONE
    disks = {
        disk.target
        for one in facts.hierarchy.snapshots
        for disk in one.disks
        if disk.kind is Kind.EXTERNAL and disk.local
    }
    can = facts.reached and facts.reached_here and Acceptance.LOSE_SNAPSHOTS not in request.accepted
    return CopyStorage.INC if can and chosen & disks else CopyStorage.ALL


def _migrated(
    disk: Disk, request: MigrateRequest, facts: MigrateFacts, storage: CopyStorage, *, copied: bool
) -> MigratedDisk:
    path = disk.chain.layers[0].local_path
    place = place_of(path, request.maps) if path is not None else None
    keeps = copied and storage is CopyStorage.INC
    below = disk.chain.below.layers if keeps or not copied else ()
    needed = []
    for layer in below:
        below_path = layer.local_path
        if below_path is not None:
            there = place_of(below_path, request.maps)
            needed.append((layer, there, facts.images.get(there, ThereFacts())))
    sizes = facts.sizes.get(disk.target)
    known = facts.images.get(place, ThereFacts()) if place is not None else ThereFacts()
    pooled = (
        copied
        and storage is CopyStorage.ALL
        and not facts.reached
        and known.place.kind in (None, PathKind.MISSING)
        and (place or "").rpartition("/")[0] in facts.pools
    )
    capacity = sizes.capacity if sizes else None
    return MigratedDisk(disk, copied, keeps, place, known, tuple(needed), capacity, pooled)


def _is_there(disk: Disk, request: MigrateRequest, facts: MigrateFacts) -> bool:
    """Whether the other host has the very same image, or one that lies on no host at all."""
    path = disk.chain.layers[0].local_path
    if path is None:
        return True
    there = facts.images.get(place_of(path, request.maps))
    return there is not None and there.same is True
