"""A storage pool, as libvirt says that it is."""

from __future__ import annotations

from dataclasses import dataclass

from tui.model import xml

POOLS_OF_FILES = ("dir", "fs", "netfs")
"""Types of pools whose volumes are images in a directory."""
LOGICAL = "logical"
"""The type of those whose volumes are LVM's."""


@dataclass(frozen=True, slots=True)
class Pool:
    """One that is active."""

    name: str
    type: str
    path: str
    """Where its volumes are, as whoever defined it has written that; empty where that is no path."""
    capacity: int | None = None
    """Bytes, as the next two; ``None`` where libvirt does not say."""
    allocation: int | None = None
    available: int | None = None


def parse_pool(text: str) -> Pool:
    """Read what virStoragePoolGetXMLDesc gives.

    Raises:
        xml.InvalidXML: when it is no XML.
    """
    pool = xml.parse(text)
    capacity, allocation, available = (
        xml.number(xml.content(pool, tag)) for tag in ("capacity", "allocation", "available")
    )
    return Pool(
        pool.findtext("name") or "",
        pool.get("type", ""),
        pool.findtext("target/path") or "",
        capacity,
        allocation,
        available,
    )
