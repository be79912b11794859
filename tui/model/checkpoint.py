"""The checkpoints that libvirt remembers of a domain: bitmaps of what was written since, and no data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tui.model import xml
from tui.model.command import virsh
from tui.model.text import printable

ABOUT = (
    "Checkpoints are bitmaps of what was written since, for incremental backups. They hold no data, and a copy or a "
    "move to an image that is not qcow2 loses them."
)


@dataclass(frozen=True, slots=True)
class CheckpointDisk:
    """One disk of a checkpoint."""

    target: str
    bitmap: str | None = None
    """What the bitmap is called in the image; ``None`` where libvirt does not say."""


@dataclass(frozen=True, slots=True)
class KnownCheckpoint:
    """A checkpoint as libvirt shows it."""

    name: str
    parent: str | None = None
    created: int | None = None
    """Seconds since the epoch."""
    description: str | None = None
    disks: tuple[CheckpointDisk, ...] = ()
    """Those that are a part of it."""
    xml: str = field(default="", repr=False, compare=False)
    """As libvirt prints it."""


def parse_checkpoint(text: str) -> KnownCheckpoint:
    """Read what libvirt says of a checkpoint.

    Raises:
        xml.InvalidXML: when it is none.
    """
    root = xml.parse(text)
    name = root.findtext("name") if root.tag == "domaincheckpoint" else None
    if not name:
        raise xml.InvalidXML("this XML is no domaincheckpoint with a name")
    parent, listed = xml.child(root, "parent"), xml.child(root, "disks")
    disks = [] if listed is None else xml.children(listed, "disk")
    return KnownCheckpoint(
        name,
        parent=(parent.findtext("name") or None) if parent is not None else None,
        created=xml.number(xml.content(root, "creationTime")),
        description=root.findtext("description") or None,
        disks=tuple(
            CheckpointDisk(disk.get("name") or "", xml.attribute(disk, "bitmap"))
            for disk in disks
            if disk.get("checkpoint") != "no"
        ),
        xml=text,
    )


def by_age(checkpoints: Iterable[KnownCheckpoint]) -> tuple[KnownCheckpoint, ...]:
    """The oldest first; of those of one second as they come."""
    return tuple(sorted(checkpoints, key=lambda one: one.created or 0))


def unseen(domain: str) -> str:
    """That nobody knows whether there are any."""
    return f"Nobody could see whether {printable(domain)} has checkpoints."


def no_snapshot(checkpoint: KnownCheckpoint, domain: str) -> str:
    """Why what is done with snapshots is not done with a checkpoint, and what is."""
    command = virsh("checkpoint-delete", domain, checkpoint.name)
    return (
        f"{printable(checkpoint.name)} is a checkpoint, which holds no data to go back to; while the guest runs, "
        f"this deletes it: {printable(command)}"
    )
