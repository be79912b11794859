"""A storage pool of logical volumes, and the volume that a disk gets there."""

from __future__ import annotations

import math
import posixpath
import re
from dataclasses import dataclass

from tui.model.copy_space import most_of

EXTENT = 4 * 1024 * 1024
"""Bytes of LVM's extents where nobody chose others; libvirt does not tell them."""

_LONGEST = 48
"""Characters of a domain's name that go into that of a volume: LVM's own have 127 with the group's in front, in
which every hyphen counts twice."""
_STRANGE = re.compile(r"[^a-zA-Z0-9+_.-]")
_RESERVED = re.compile(
    r"_(?=cdata|cmeta|corig|cpool|cvol|imeta|iorig|mimage|mlog|pmspare|rimage|rmeta|tdata|tmeta|vdata|vorigin|wcorig)"
)
_RESERVED_STARTS = ("snapshot", "pvmove")


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A volume that is to be made."""

    pool: str
    name: str
    path: str
    """Where libvirt will show it."""
    format: str
    """Of the image in it."""
    size: int
    """Bytes that it will have; 0 where the size of the disk is not known."""


@dataclass(frozen=True, slots=True)
class LogicalPool:
    """An active pool of the type ``logical``: an LVM volume group."""

    name: str
    path: str
    """The directory of its devices."""
    available: int | None = None
    """Bytes that are in no volume."""
    sizes: tuple[int, ...] = ()
    """Whatever is known to be made of whole extents, in bytes."""
    taken: frozenset[str] = frozenset()
    """Names of volumes that exist, of those that were looked for."""

    @property
    def extent(self) -> int:
        """Bytes of which a volume is taken to be a multiple: LVM's usual ones, or fewer where a size shows it."""
        return math.gcd(EXTENT, *self.sizes)

    def rounded(self, size: int) -> int:
        """How large a volume becomes of which so many bytes are asked for."""
        return -(-size // self.extent) * self.extent

    def volume(
        self,
        domain: str,
        target: str,
        mark: str,
        image_format: str,
        capacity: int,
    ) -> NewVolume:
        """The volume for a disk, large enough for all that the guest can ever write."""
        name = volume_name(domain, target, mark)
        wanted = most_of(capacity, raw=image_format == "raw") if capacity else 0
        return NewVolume(self.name, name, posixpath.join(self.path, name), image_format, self.rounded(wanted))


def volume_name(domain: str, target: str, mark: str) -> str:
    """A name that LVM takes and that says whose disk it is.

    With the mark of its plan nobody else has a volume of that name: what is found under it was made by that plan,
    and may be removed with it.
    """
    # A letter before it keeps a name from beginning as LVM's own do, or as an option.
    plain = _RESERVED.sub(".", _STRANGE.sub("_", domain[:_LONGEST])).lstrip("-.")
    if not plain or plain.startswith(_RESERVED_STARTS):
        plain = f"vm-{plain}".rstrip("-")
    return f"{plain}-{_STRANGE.sub('_', target)[:_LONGEST]}-{mark}"
