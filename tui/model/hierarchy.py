"""The snapshots that libvirt remembers of a domain, as the tree that they make with what the guest writes now.

What libvirt calls the current snapshot is the parent of what the guest writes now, and not the present state: that is
the live end of the tree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tui.model import xml
from tui.model.checkpoint import KnownCheckpoint
from tui.model.domain import Domain
from tui.model.image import ImageInfo
from tui.model.mirrored_snapshot import Kind
from tui.model.read_storage import read_source
from tui.model.snapshot import SnapshotFacts, images_in
from tui.model.storage import BlockSource, FileSource, Source
from tui.model.text import printable

DISK_ONLY = "disk-snapshot"
"""The state of a snapshot without the memory of the guest that ran."""


class SnapshotKind(StrEnum):
    """Where the state of a snapshot lies."""

    INTERNAL = "internal"
    """In the images themselves."""
    EXTERNAL = "external"
    """In images that stand still, below overlays."""
    MIXED = "mixed"
    """Some disks so, some otherwise."""
    MANUAL = "manual"
    """Where somebody put it while the guest was paused."""
    BTRFS = "btrfs"
    """In files that share blocks with the images."""
    LVM = "lvm"
    """In snapshot volumes."""


@dataclass(frozen=True, slots=True)
class StateDisk:
    """One disk of a snapshot."""

    target: str
    kind: Kind
    path: str | None = None
    """What is new went there: the overlay of an external snapshot."""
    format: str | None = None
    """Of the overlay."""
    base: str | None = None
    """The image that holds the state: below the overlay, or with the state inside."""
    base_format: str | None = None
    local: bool = True
    """Whether these are files and devices of the host."""
    plain: bool = field(default=True, repr=False)
    """Whether the state lies in a file."""
    taking: bool = field(default=False, repr=False)
    """Whether its overlay was to take what a snapshot after it held, which libvirt has not come to the end of."""


@dataclass(frozen=True, slots=True)
class KnownSnapshot:
    """A snapshot as libvirt shows it."""

    name: str
    parent: str | None = None
    kind: SnapshotKind = SnapshotKind.INTERNAL
    state: str | None = None
    """Of the guest at that time: ``running``, ``shutoff``, ``disk-snapshot``…"""
    created: int | None = None
    """Seconds since the epoch."""
    description: str | None = None
    memory: Kind | None = None
    """Where the memory of the guest lies; ``None`` where it is not a part of it."""
    memory_file: str | None = None
    disks: tuple[StateDisk, ...] = ()
    """Those that are a part of it."""
    uuid: str | None = None
    """Of the domain."""
    current: bool = False
    """Whether it is the parent of what the guest writes now."""
    reverted: tuple[StateDisk, ...] = field(default=(), repr=False)
    """With the overlays that libvirt made when it went back there, beside those of the snapshots after it."""
    named: frozenset[str] = field(default=frozenset(), repr=False)
    """All images of the host that it names, with those that its own stand on."""
    xml: str = field(default="", repr=False)

    @property
    def identity(self) -> str:
        """The same for the same snapshot, whatever libvirt's version makes of the rest of its XML."""
        return hashlib.sha256(repr(replace(self, current=False, xml="")).encode()).hexdigest()[:16]

    @property
    def files(self) -> tuple[str, ...]:
        """The images and the memory that it consists of, as far as they lie on the host."""
        disks = (*self.disks, *self.reverted)
        images = (path for disk in disks if disk.local for path in (disk.path, disk.base))
        return tuple(dict.fromkeys(path for path in (*images, self.memory_file) if path))

    @property
    def holders(self) -> tuple[str, ...]:
        """Those of them that its state lies in; what libvirt removes when it goes back to another one is none."""
        images = (disk.base for disk in self.disks if disk.local)
        return tuple(dict.fromkeys(path for path in (*images, self.memory_file) if path))

    @property
    def needed(self) -> SnapshotFacts:
        """The images that its state needs."""
        inside = (disk.base for disk in self.disks if disk.kind is Kind.INTERNAL)
        bases = {disk.base for disk in self.disks}
        over = {disk.path for disk in (*self.disks, *self.reverted) if disk.path} - bases
        return SnapshotFacts(
            self.name, self.named, inside=frozenset(filter(None, inside)), overlays=frozenset(over)
        )

    @property
    def overlays(self) -> tuple[StateDisk, ...]:
        """The disks with the overlays that what the guest writes now goes to, while it is current."""
        return tuple(disk for disk in self.reverted or self.disks if disk.kind is Kind.EXTERNAL)

    def disk(self, target: str) -> StateDisk | None:
        """Its part of that disk, if it has one."""
        return next((disk for disk in self.disks if disk.target == target), None)


# Reading


def parse_known(text: str, *, current: bool = False) -> KnownSnapshot:
    """Read what libvirt says of a snapshot.

    Raises:
        xml.InvalidXML: when it is none.
    """
    return read_known(xml.parse(text), text, current=current)


def read_known(root: xml.Element, text: str, *, current: bool = False) -> KnownSnapshot:
    """Read a parsed ``<domainsnapshot>``, whose text is kept beside.

    Raises:
        xml.InvalidXML: when it is none.
    """
    name = root.findtext("name") if root.tag == "domainsnapshot" else None
    if not name:
        raise xml.InvalidXML("this XML is no domainsnapshot with a name")
    parent, memory, domain = (xml.child(root, tag) for tag in ("parent", "memory", "domain"))
    state = xml.content(root, "state")
    bases = _bases(domain)
    disks, reverted = (_read_disks(xml.child(root, tag), bases) for tag in ("disks", "revertDisks"))
    where = _kind(memory.get("snapshot")) if memory is not None else None
    if memory is None and not disks and state != DISK_ONLY:
        # Of a time when libvirt knew no others.
        where = Kind.INTERNAL
    where = None if where is Kind.NO else where
    return KnownSnapshot(
        name=name,
        parent=(parent.findtext("name") or None) if parent is not None else None,
        kind=_kind_of(disks, where),
        state=state,
        created=xml.number(xml.content(root, "creationTime")),
        description=root.findtext("description") or None,
        memory=where,
        memory_file=xml.attribute(memory, "file"),
        disks=disks,
        uuid=(domain.findtext("uuid") or None) if domain is not None else None,
        current=current,
        reverted=reverted,
        named=images_in(root),
        xml=text,
    )


def _kind(text: str | None) -> Kind | None:
    return Kind(text) if text in tuple(Kind) else None


def _kind_of(disks: tuple[StateDisk, ...], memory: Kind | None) -> SnapshotKind:
    kinds = {disk.kind for disk in disks} | ({memory} if memory else set())
    if len(kinds) == 1:
        return SnapshotKind(next(iter(kinds)).value)
    return SnapshotKind.MIXED if kinds else SnapshotKind.EXTERNAL


def _bases(domain: xml.Element | None) -> dict[str, tuple[Source | None, str | None]]:
    """By target: the image that each disk was on at that time."""
    found = {}
    for devices in xml.children(domain, "devices") if domain is not None else ():
        for disk in xml.children(devices, "disk"):
            target = xml.attribute(xml.child(disk, "target"), "dev")
            if target is not None:
                source = read_source(disk.get("type"), xml.child(disk, "source"))
                found[target] = (source, xml.attribute(xml.child(disk, "driver"), "type"))
    return found


def _read_disks(
    listed: xml.Element | None, bases: Mapping[str, tuple[Source | None, str | None]]
) -> tuple[StateDisk, ...]:
    disks = (_read_disk(one, bases) for one in (xml.children(listed, "disk") if listed is not None else ()))
    return tuple(disk for disk in disks if disk.kind is not Kind.NO)


def _read_disk(element: xml.Element, bases: Mapping[str, tuple[Source | None, str | None]]) -> StateDisk:
    target = element.get("name") or ""
    source = read_source(element.get("type"), xml.child(element, "source"))
    base, base_format = bases.get(target, (None, None))
    kind = _kind(element.get("snapshot")) or (Kind.EXTERNAL if source else Kind.INTERNAL)
    return StateDisk(
        target,
        kind,
        source.location if source else None,
        xml.attribute(xml.child(element, "driver"), "type"),
        base.location if base else None,
        base_format,
        local=all(isinstance(one, FileSource | BlockSource) for one in (source, base) if one),
        plain=isinstance(base, FileSource),
        taking=xml.child(element, "snapshotDeleteInProgress") is not None,
    )


# The tree


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Snapshots in their order: parents first, siblings by the time at which they were taken."""

    snapshots: tuple[KnownSnapshot, ...] = ()
    roots: tuple[str, ...] = ()
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By name; who has none is missing."""
    problems: tuple[str, ...] = ()
    """What does not fit together, a sentence each."""
    by_name: Mapping[str, KnownSnapshot] = field(default_factory=dict, repr=False)

    @property
    def current(self) -> KnownSnapshot | None:
        """The parent of what the guest writes now."""
        return next((one for one in self.snapshots if one.current), None)

    def get(self, name: str) -> KnownSnapshot | None:
        """The snapshot of that name."""
        return self.by_name.get(name)

    def below(self, name: str) -> tuple[str, ...]:
        """All that descend from a snapshot, parents first."""
        found: list[str] = []
        waiting = list(reversed(self.children.get(name, ())))
        while waiting:
            found.append(waiting.pop())
            waiting.extend(reversed(self.children.get(found[-1], ())))
        return tuple(found)

    def above(self, name: str) -> tuple[str, ...]:
        """Its parent, the parent of that, and so on."""
        found: list[str] = []
        # Where a circle was cut, it ends.
        tops = frozenset(self.roots)
        one = self.get(name)
        while one is not None and one.parent is not None and one.name not in tops:
            found.append(one.parent)
            one = self.get(one.parent)
        return tuple(found)


def arranged(snapshots: Iterable[KnownSnapshot]) -> Hierarchy:
    """The tree that snapshots make by their parents, whatever they say of them: each is in it once."""
    known: dict[str, KnownSnapshot] = {}
    problems: list[str] = []
    for snapshot in snapshots:
        if snapshot.name in known:
            problems.append(f"There are two snapshots {printable(snapshot.name)}, and the first counts.")
        else:
            known[snapshot.name] = snapshot
    inherited = {name: one.parent for name, one in known.items()}
    for name, parent in inherited.items():
        if parent is not None and parent not in known:
            problems.append(
                f"{printable(parent)}, the parent of the snapshot {printable(name)}, is not there."
            )
            inherited[name] = None
    for name in _closing(known, inherited):
        problems.append(f"The parents of the snapshot {printable(name)} go round in a circle.")
        inherited[name] = None
    offspring: dict[str, list[str]] = {}
    roots: list[str] = []
    for one in sorted(known.values(), key=_age):
        above = inherited[one.name]
        (roots if above is None else offspring.setdefault(above, [])).append(one.name)
    children = {name: tuple(names) for name, names in offspring.items()}
    order: list[str] = []
    waiting = list(reversed(roots))
    while waiting:
        order.append(waiting.pop())
        waiting.extend(reversed(children.get(order[-1], ())))
    return Hierarchy(
        tuple(known[name] for name in order), tuple(roots), children, tuple(problems), by_name=known
    )


def _age(snapshot: KnownSnapshot) -> tuple[int, str]:
    return (snapshot.created or 0, snapshot.name)


def _closing(known: Mapping[str, KnownSnapshot], parents: Mapping[str, str | None]) -> Iterator[str]:
    """Of each circle the oldest."""
    seen: dict[str, str] = {}
    """The walk on which each was met first."""
    for start in known:
        walk: list[str] = []
        name: str | None = start
        while name is not None and name not in seen:
            seen[name] = start
            walk.append(name)
            name = parents[name]
        if name is not None and seen[name] == start:
            circle = walk[walk.index(name) :]
            yield min(circle, key=lambda one: _age(known[one]))


class MirrorState(StrEnum):
    """How far a mirror is, what needs attention first."""

    GONE = "gone"
    """What is there is of the time at which it ended."""
    COPYING = "copying"
    ENDING = "ending"
    IN_USE = "in use"
    """The guest has gone over to it."""
    IN_SYNC = "in sync"


@dataclass(frozen=True, slots=True)
class SnapshotMirror:
    """Where what is new on one disk since a snapshot goes as well."""

    target: str
    path: str
    state: MirrorState


def worst(mirrors: Iterable[SnapshotMirror]) -> MirrorState | None:
    """The state of several mirrors, which is that of the one that needs attention most."""
    states = {mirror.state for mirror in mirrors}
    return next((state for state in MirrorState if state in states), None)


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """A domain with its snapshots, as a host shows them."""

    domain: Domain
    hierarchy: Hierarchy
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes that images take, by path, as far as they are known."""
    checkpoints: tuple[KnownCheckpoint, ...] | None = ()
    """The oldest first; ``None`` where nobody could see."""
    filled: Mapping[str, float] = field(default_factory=dict)
    """The part of snapshot volumes that is in use, by path, as far as it is known."""
    images: Mapping[str, ImageInfo] = field(default_factory=dict)
    """What images say of themselves, by path: those that may have states inside, as far as they could be read.

    Where an image is missing, those that may stand on it as well.
    """
    mirrors: Mapping[str, tuple[SnapshotMirror, ...]] = field(default_factory=dict)
    """By name of the snapshot that has them."""
    missing: frozenset[str] = frozenset()
    """Of the files that states or the guest need, those that are surely not there."""
