"""How the state of a disk can be held: by QEMU, in the image, by LVM, by a file system that shares blocks, by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Method(StrEnum):
    """How a disk is snapshot."""

    QEMU = "qemu"
    """An external overlay takes what is new, and the image until then stands still."""
    INTERNAL = "internal"
    """The state lies in the image itself, with the memory of the guest."""
    LVM = "lvm"
    """A snapshot volume beside the logical volume."""
    BTRFS = "btrfs"
    """A clone of the image that shares its blocks; btrfs, XFS and others can."""
    MANUAL = "manual"
    """A command of the user's own, while the guest stands still."""
    NO = "no"
    """The disk is left out."""


class Quiesce(StrEnum):
    """Whether the guest's agent writes out and freezes its file systems for the instant."""

    REQUIRED = "required"
    AUTO = "auto"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user says of a disk."""

    target: str
    method: Method | None = None
    """``None`` is the best for its storage."""
    path: str | None = None
    """Of the overlay or the clone."""
    volume: str | None = None
    """The name of the snapshot volume."""
    size: int | None = None
    """Bytes of the snapshot volume, for what changes from then on."""
    format: str | None = None
    """Of the overlay."""


_NAMES_JOBS = (10, 10, 0)
"""The first libvirt that has QEMU hold and load internal states in jobs, which it names after the snapshot."""
_JOB_NAME = re.compile(r"[A-Za-z0-9._-]*")


def takes_name(name: str, libvirt: tuple[int, int, int] | None) -> bool:
    """Whether an internal snapshot of a running guest can have that name."""
    return libvirt is None or libvirt < _NAMES_JOBS or _JOB_NAME.fullmatch(name) is not None
