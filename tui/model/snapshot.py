"""What libvirt's snapshots say of the images that they need, and the request for new active layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lxml import etree

from tui.model import xml


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """A snapshot that libvirt knows of, or the domain's own notes."""

    name: str
    files: frozenset[str]
    """The images that its state needs."""
    noted: bool = False
    """The notes tell of it: what holds it stays where it is, whatever becomes of the disk."""
    inside: frozenset[str] = frozenset()
    """Those that have its state in them, beside what is written there later."""
    overlays: frozenset[str] = frozenset()
    """Those with nothing of its state in them, since they hold what was written later."""

    @property
    def still(self) -> frozenset[str]:
        """Those that have to stay as they are."""
        return self.files - self.inside - self.overlays

    def lost_by(self, merged: Iterable[str], keeper: str) -> bool:
        """Whether its state is gone when images are committed into another one."""
        return not self.files.isdisjoint(merged) or keeper in self.still


def files_of(text: str) -> frozenset[str]:
    """Every local image that a ``<domainsnapshot>`` names: its overlays, and what its state stands on.

    Raises:
        xml.InvalidXML: when it cannot be read.
    """
    return images_in(xml.parse(text))


def images_in(root: xml.Element) -> frozenset[str]:
    """The same of a parsed one."""
    sources = (source for disk in root.iter("disk") for source in disk.iter("source"))
    return frozenset(path for source in sources for name in ("file", "dev") if (path := source.get(name)))


def overlay_xml(overlays: Mapping[str, str], others: Iterable[str]) -> str:
    """The ``<domainsnapshot>`` that gives disks, by target, an overlay at a path, and leaves the others alone.

    Raises:
        xml.InvalidXML: when a path has a character that XML cannot carry.
    """
    root = etree.Element("domainsnapshot")
    disks = etree.SubElement(root, "disks")
    try:
        for target, path in overlays.items():
            disk = etree.SubElement(disks, "disk", name=target, snapshot="external")
            etree.SubElement(disk, "driver", type="qcow2")
            etree.SubElement(disk, "source", file=path)
    except ValueError as error:
        raise xml.InvalidXML("a path has a character that XML cannot carry") from error
    for target in others:
        etree.SubElement(disks, "disk", name=target, snapshot="no")
    return etree.tostring(root, encoding="unicode")


def mapped(text: str, places: Mapping[str, str]) -> str | None:
    """A ``<domainsnapshot>`` that names images at other places; ``None`` where it names none that changes.

    Args:
        text: as libvirt prints it.
        places: from the paths of now to those that are to be named.

    Raises:
        xml.InvalidXML: when it cannot be read, or a path has a character that XML cannot carry.
    """
    root = xml.parse(text)
    changed = [rename_sources(disk, places) for disk in root.iter("disk")]
    return etree.tostring(root, encoding="unicode") if any(changed) else None


def rename_sources(disk: xml.Element, places: Mapping[str, str]) -> bool:
    """Let a ``<disk>`` name its images at other places, its whole chain; whether that changes anything.

    Raises:
        xml.InvalidXML: when a path has a character that XML cannot carry.
    """
    changed = False
    for source in disk.iter("source"):
        for name in ("file", "dev"):
            place = places.get(source.get(name) or "")
            if place is None:
                continue
            try:
                source.set(name, place)
            except ValueError as error:
                raise xml.InvalidXML("a path has a character that XML cannot carry") from error
            changed = True
    return changed
