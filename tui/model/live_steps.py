"""The steps of a live snapshot: all disks held at one instant, and what is remembered of them beside libvirt."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from tui.model.begin_steps import StartCopy
from tui.model.command import typed, virsh
from tui.model.methods import Quiesce
from tui.model.snapshot_steps import TakeSnapshot


@dataclass(frozen=True, slots=True)
class Clone:
    """An image, and the file that is to share its blocks."""

    target: str
    source: str
    path: str
    format: str
    pool: str | None = None
    """The pool in which libvirt makes it, beside its origin; ``None`` is a file that is cloned where it lies."""
    unlisted: bool = False
    """Whether the pool does not know the image yet, and has to look at its directory first."""

    @property
    def origin(self) -> str:
        """The name of the image as a volume."""
        return posixpath.basename(self.source)

    @property
    def name(self) -> str:
        """Its own name as a volume."""
        return posixpath.basename(self.path)

    @property
    def command(self) -> str:
        """What a person would type."""
        if self.pool is None:
            return typed("cp", "--reflink=always", "--", self.source, self.path)
        which = ("--pool", self.pool, "--vol", self.origin, "--newname", self.name)
        return virsh("vol-clone", *which, "--reflink")

    @property
    def undo_command(self) -> str:
        """What a person would type to remove it."""
        if self.pool is None:
            return typed("rm", "--", self.path)
        return virsh("vol-delete", self.name, "--pool", self.pool)


@dataclass(frozen=True, slots=True)
class SnapshotVolume:
    """A logical volume, and the volume that is to keep its state."""

    target: str
    pool: str
    origin: str
    """The name of the volume."""
    origin_path: str
    name: str
    path: str
    """Where its device will be."""
    size: int
    """Bytes for what changes from then on."""
    format: str
    marked: bool = False
    """Whether its name has the mark of the plan in it, so that nobody else has such a volume."""

    @property
    def command(self) -> str:
        """What a person would type."""
        below = ("--backing-vol", self.origin)
        return virsh("vol-create-as", self.pool, self.name, f"{self.size}B", *below)


def snapshot_volume_xml(volume: SnapshotVolume) -> str:
    """The definition for virStorageVolCreateXML."""
    root = etree.Element("volume")
    etree.SubElement(root, "name").text = volume.name
    # With less allocated libvirt would make a sparse volume and take the capacity for its virtual size.
    for tag in ("capacity", "allocation"):
        etree.SubElement(root, tag, unit="bytes").text = str(volume.size)
    below = etree.SubElement(root, "backingStore")
    etree.SubElement(below, "path").text = volume.origin_path
    return etree.tostring(root, encoding="unicode")


@dataclass(frozen=True, slots=True)
class TakeTogether:
    """Hold the state of disks at one instant, each in its own way."""

    uuid: str
    domain: str
    name: str
    """Of the snapshot."""
    targets: tuple[str, ...]
    quiesce: Quiesce
    pause: bool
    limit: float
    """Seconds for which the guest may stand still."""
    clones: tuple[Clone, ...] = ()
    volumes: tuple[SnapshotVolume, ...] = ()
    manual: tuple[str, ...] = ()
    """The disks that the user's own command is for."""
    command: str = ""
    """The user's own, for a shell; without one the user says when he has done his part."""
    overlays: TakeSnapshot | None = None
    """What libvirt does for the disks that get an overlay."""

    @property
    def freezes(self) -> bool:
        """Whether the guest's agent is asked to freeze its file systems for that instant."""
        return self.quiesce is not Quiesce.NO

    @property
    def asks(self) -> bool:
        """Whether the user is waited for."""
        return bool(self.manual) and not self.command

    @property
    def title(self) -> str:
        """For people."""
        memory = self.overlays is not None and self.overlays.memory is not None
        what = " and ".join((*self.targets, "the memory") if memory else self.targets)
        title, how = f"Hold the state of {what} as {self.name}", self.stillness
        return f"{title}; {how} meanwhile, at most {self.limit:g} s" if how else title

    @property
    def stillness(self) -> str:
        """How the guest is kept from writing, for people; nothing where it goes on or stands still already."""
        overlays = self.overlays
        pause = self.pause or (overlays is not None and overlays.memory is not None and not overlays.live)
        return ", ".join(
            [*(["file systems frozen"] if self.freezes else []), *(["the guest paused"] if pause else [])]
        )

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        behind = dict.fromkeys(clone.pool for clone in self.clones if clone.pool and clone.unlisted)
        commands = [virsh("pool-refresh", pool) for pool in behind]
        commands += [virsh("domfsfreeze", self.domain)] if self.freezes else []
        commands += [virsh("suspend", self.domain)] if self.pause else []
        commands += [volume.command for volume in self.volumes]
        commands += [clone.command for clone in self.clones]
        commands += [self.command] if self.command else []
        commands += self.overlays.commands if self.overlays else []
        commands += [virsh("resume", self.domain)] if self.pause else []
        commands += [virsh("domfsthaw", self.domain)] if self.freezes else []
        return tuple(commands)

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"Take back what holds the state {self.name} of {' and '.join(self.targets)}"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back."""
        commands = self.overlays.undo_commands if self.overlays else ()
        removed = [clone.undo_command for clone in self.clones]
        removed += [virsh("vol-delete", volume.name, "--pool", volume.pool) for volume in self.volumes]
        return (*commands, *removed)


def mirrored_snapshot(steps: Iterable[object]) -> TakeSnapshot | None:
    """The snapshot whose overlays some of these steps give a mirror; a snapshot without mirrors is none."""
    known = tuple(steps)
    if not any(isinstance(step, StartCopy) for step in known):
        return None
    overlays = (step.overlays if isinstance(step, TakeTogether) else step for step in known)
    return next((step for step in overlays if isinstance(step, TakeSnapshot)), None)


@dataclass(frozen=True, slots=True)
class TakeInternal:
    """Hold the state of disks in their own images, with the memory of the guest."""

    uuid: str
    domain: str
    name: str
    targets: tuple[str, ...]
    xml: str
    description: str = ""

    @property
    def title(self) -> str:
        """For people."""
        return (
            f"Hold the state of {' and '.join(self.targets)} and of the memory as {self.name}, inside the images;"
            " the guest stands still until that is written"
        )

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        about = ("--description", self.description) if self.description else ()
        return (virsh("snapshot-create-as", self.domain, "--name", self.name, *about),)

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"Delete the snapshot {self.name}"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back."""
        return (virsh("snapshot-delete", self.domain, self.name),)


def _without_note(domain: str, space: str) -> str:
    return virsh("metadata", domain, space, "--remove", "--live", "--config")


@dataclass(frozen=True, slots=True)
class DropHeld:
    """Remove the files and volumes that hold a state, and the note of them."""

    uuid: str
    domain: str
    targets: tuple[str, ...]
    name: str
    """Of the snapshot."""
    space: str
    """The namespace of the note."""
    since: float
    """When it was taken, seconds since the epoch: older files are not its own."""
    paths: tuple[str, ...] = ()
    volumes: tuple[tuple[str, str, str, str], ...] = ()
    """Disk, pool, name and device of each."""

    @property
    def title(self) -> str:
        """For people."""
        if not self.paths and not self.volumes:
            return f"Take the note of the snapshot {self.name} out of {self.domain}"
        return f"Remove what holds the state {self.name} of {' and '.join(self.targets)}, and the note of it"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        removed = tuple(typed("rm", "--", path) for path in self.paths)
        deleted = tuple(
            virsh("vol-delete", name, "--pool", pool) for _disk, pool, name, _path in self.volumes
        )
        return (*removed, *deleted, _without_note(self.domain, self.space))


@dataclass(frozen=True, slots=True)
class NoteSnapshot:
    """Write into the domain what libvirt does not know of a snapshot: which files and volumes hold it."""

    uuid: str
    domain: str
    targets: tuple[str, ...]
    name: str
    note: str
    """The element, as XML."""
    space: str
    """Its namespace."""

    @property
    def title(self) -> str:
        """For people."""
        return f"Note in {self.domain} what holds the state {self.name}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (virsh("metadata", self.domain, self.space, "--key", "snap", "--set", self.note, "--live"),)

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"Take the note of the snapshot {self.name} out of {self.domain}"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back."""
        return (_without_note(self.domain, self.space),)
