"""What libvirt's snapshots say of the images that they need, and the request for new active layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lxml import etree

from tui.model import xml


def files_of(text: str) -> frozenset[str]:
    """Every local image that a ``<domainsnapshot>`` names: its overlays, and what its state stands on.

    Raises:
        xml.InvalidXML: when it cannot be read.
    """
    root = xml.parse(text)
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
    changed = False
    for disk in root.iter("disk"):
        for source in disk.iter("source"):
            for name in ("file", "dev"):
                place = places.get(source.get(name) or "")
                if place is not None:
                    try:
                        source.set(name, place)
                    except ValueError as error:
                        raise xml.InvalidXML("a path has a character that XML cannot carry") from error
                    changed = True
    return etree.tostring(root, encoding="unicode") if changed else None
