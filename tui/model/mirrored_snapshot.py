"""``<domainsnapshot>`` into values and back, with the ``<mirror>`` that a disk of it may have.

A mirror is a second file, in the format of the source, to which all that is new since the snapshot goes as well.
It makes the snapshot of its disk external. Whatever else libvirt says of a snapshot is kept as it was given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from lxml import etree

from tui.model import xml
from tui.model.text import printable

_LONGEST_NAME = 80


class Kind(StrEnum):
    """What a snapshot does with a disk."""

    NO = "no"
    INTERNAL = "internal"
    """The state lies in the image itself."""
    EXTERNAL = "external"
    """The image stands still, and what is new goes to an overlay."""
    MANUAL = "manual"
    """Somebody else takes it while the guest is paused."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An element, passed on as it was given."""

    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[str, ...] = ()
    """As XML."""
    text: str = ""

    def get(self, name: str) -> str | None:
        """An attribute; ``None`` where it is absent or empty."""
        return dict(self.attributes).get(name) or None


@dataclass(frozen=True, slots=True)
class SnapshotDisk:
    """What is asked, or known, of one disk."""

    name: str
    """The target, as ``vda``, or the path of the image that it lies on."""
    kind: Kind | None = None
    """``None`` leaves it to libvirt."""
    source: Kept | None = None
    driver: Kept | None = None
    mirror: Kept | None = None
    type: str | None = None
    """Of the source: ``file``, ``block``, ``network``…; ``None`` where it is not said, which is a file."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Further ones."""
    extra: tuple[str, ...] = ()
    """Further children, as XML."""

    @property
    def path(self) -> str | None:
        """Where what is new goes, on this host."""
        names = {None: "file", "file": "file", "block": "dev"}
        return self.source.get(names[self.type]) if self.source and self.type in names else None

    @property
    def format(self) -> str | None:
        """Of the overlay, and so of its mirror."""
        return self.driver.get("type") if self.driver else None

    @property
    def mirror_path(self) -> str | None:
        """The second place of what is new."""
        return self.mirror.get("file") if self.mirror else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ``<domainsnapshot>``, as it is asked for or as libvirt shows it."""

    name: str | None = None
    """``None`` lets libvirt choose one."""
    description: str | None = None
    state: str | None = None
    parent: str | None = None
    created: int | None = None
    """Seconds since the epoch."""
    memory: Kept | None = None
    disks: tuple[SnapshotDisk, ...] | None = None
    """``None`` where nothing is said about disks."""
    domain: str | None = None
    """The definition at that time, as XML."""
    inactive_domain: str | None = None
    cookie: str | None = None
    active: str | None = None
    extra: tuple[str, ...] = ()
    """Further children, as XML."""

    @property
    def mirrored(self) -> tuple[SnapshotDisk, ...]:
        """The disks with a mirror."""
        return tuple(disk for disk in self.disks or () if disk.mirror)

    @property
    def holds_memory(self) -> bool:
        """Whether the memory of the guest is a part of it."""
        return self.memory is not None and (
            self.memory.get("snapshot") not in (None, "no") or self.memory.get("file") is not None
        )


def memory_file(path: str) -> Kept:
    """What is asked of the memory of the guest: all of it, in a file."""
    return Kept((("snapshot", Kind.EXTERNAL.value), ("file", path)))


def file_disk(
    name: str,
    *,
    path: str | None = None,
    format: str | None = None,  # noqa: A002  libvirt's word
    mirror: str | None = None,
    kind: Kind | None = None,
) -> SnapshotDisk:
    """What is asked of one disk, out of plain words.

    Raises:
        xml.InvalidXML: when they contradict each other.
    """
    disk = SnapshotDisk(
        name,
        kind,
        source=None if path is None else Kept((("file", path),)),
        driver=None if format is None else Kept((("type", format),)),
        mirror=None if mirror is None else Kept((("file", mirror),)),
    )
    return _settled(disk, "", mirrors=True)


# Reading


def parse_snapshot(text: str, *, mirrors: bool) -> Snapshot:
    """Read a ``<domainsnapshot>``.

    Args:
        text: the XML.
        mirrors: whether the caller can do something about mirrors; else they are an error.

    Raises:
        xml.InvalidXML: when it is none, or contradicts itself.
    """
    root = xml.parse(text)
    if root.tag != "domainsnapshot":
        raise xml.InvalidXML("this XML is not a domainsnapshot")
    name, parent, disks = (xml.child(root, tag) for tag in ("name", "parent", "disks"))
    if name is not None and not name.text:
        raise xml.InvalidXML(f"line {name.sourceline}: the name of this snapshot is empty")
    description, cookie = xml.child(root, "description"), xml.child(root, "cookie")
    return Snapshot(
        name=name.text if name is not None else None,
        description=(description.text or "") if description is not None else None,
        state=xml.content(root, "state"),
        parent=parent.findtext("name") if parent is not None else None,
        created=_read_time(root),
        memory=_keep(xml.child(root, "memory")),
        disks=None
        if disks is None
        else tuple(_read_disk(disk, mirrors=mirrors) for disk in xml.children(disks, "disk")),
        domain=_as_text(xml.child(root, "domain")),
        inactive_domain=_as_text(xml.child(root, "inactiveDomain")),
        cookie=_as_text(cookie),
        active=xml.content(root, "active"),
        extra=tuple(xml.serialise(found) for found in xml.elements(root) if found.tag not in _OWN),
    )


_OWN = frozenset(
    {"name", "description", "state", "parent", "creationTime", "memory", "disks"}
    | {"domain", "inactiveDomain", "cookie", "active"}
)


def _read_time(root: xml.Element) -> int | None:
    text = xml.content(root, "creationTime")
    found = xml.number(text)
    if text is not None and found is None:
        raise xml.InvalidXML(f"the creationTime of this snapshot is no number: {printable(text, 40)}")
    return found


def _as_text(element: xml.Element | None) -> str | None:
    return None if element is None else xml.serialise(element)


def _keep(element: xml.Element | None) -> Kept | None:
    if element is None:
        return None
    children = tuple(xml.serialise(child) for child in xml.elements(element))
    text = "" if children else (element.text or "")
    return Kept(tuple((str(key), str(value)) for key, value in element.attrib.items()), children, text)


def _read_disk(element: xml.Element, *, mirrors: bool) -> SnapshotDisk:
    line = f"line {element.sourceline}: "
    name = xml.attribute(element, "name")
    if name is None:
        raise xml.InvalidXML(f"{line}a disk of this snapshot has no name")
    shown, kind = printable(name, _LONGEST_NAME), element.get("snapshot")
    if kind is not None and kind not in tuple(Kind):
        known = ", ".join(Kind)
        raise xml.InvalidXML(
            f"{line}the snapshot of {shown} is {printable(kind, 40)}, which is none of {known}"
        )
    found = xml.children(element, "mirror")
    if found and not mirrors:
        raise xml.InvalidXML(f"{line}{shown} has a mirror, and none can be made here")
    if len(found) > 1:
        raise xml.InvalidXML(f"{line}{shown} has {len(found)} mirrors, and there can be but one")
    disk = SnapshotDisk(
        name=name,
        kind=Kind(kind) if kind is not None else None,
        source=_keep(xml.child(element, "source")),
        driver=_keep(xml.child(element, "driver")),
        mirror=_keep(found[0]) if found else None,
        type=xml.attribute(element, "type"),
        attributes=tuple(
            (str(key), str(value))
            for key, value in element.attrib.items()
            if key not in ("name", "snapshot", "type")
        ),
        extra=tuple(
            xml.serialise(child)
            for child in xml.elements(element)
            if child.tag not in ("source", "driver", "mirror")
        ),
    )
    return _settled(disk, line, mirrors=mirrors)


def _settled(disk: SnapshotDisk, line: str, *, mirrors: bool) -> SnapshotDisk:
    """The disk with what follows from what is said of it; what contradicts itself is an error."""
    shown = printable(disk.name, _LONGEST_NAME)
    kind = disk.kind
    if kind is None and (disk.source or disk.driver or disk.mirror):
        kind = Kind.EXTERNAL
    if disk.mirror is not None and mirrors:
        if disk.mirror_path is None:
            raise xml.InvalidXML(f"{line}the mirror of {shown} needs a file")
        if kind is not Kind.EXTERNAL:
            raise xml.InvalidXML(
                f"{line}{shown} has a mirror and snapshot={kind}: only an external snapshot can be mirrored"
            )
    if disk.path is not None and kind is not Kind.EXTERNAL:
        raise xml.InvalidXML(
            f"{line}{shown} has a file and snapshot={kind}: only an external snapshot has one"
        )
    for what, path in (("file", disk.path), ("mirror", disk.mirror_path)):
        if path is not None and not path.startswith("/"):
            raise xml.InvalidXML(
                f"{line}the {what} of {shown} is not absolute, and libvirt knows no current directory: "
                f"{printable(path, _LONGEST_NAME)}"
            )
    return replace(disk, kind=kind)


# Writing


def snapshot_xml(snapshot: Snapshot) -> str:
    """Write a ``<domainsnapshot>``, its elements in libvirt's order.

    Raises:
        xml.InvalidXML: when a name or a path has a character that XML cannot carry.
    """
    try:
        root = _written(snapshot)
    except ValueError as error:
        raise xml.InvalidXML("a name or a path has a character that XML cannot carry") from error
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


def _written(snapshot: Snapshot) -> xml.Element:
    root = etree.Element("domainsnapshot")

    def add(tag: str, text: str | None) -> None:
        if text is not None:
            etree.SubElement(root, tag).text = text

    add("name", snapshot.name)
    add("description", snapshot.description)
    add("state", snapshot.state)
    if snapshot.parent is not None:
        etree.SubElement(etree.SubElement(root, "parent"), "name").text = snapshot.parent
    add("creationTime", None if snapshot.created is None else str(snapshot.created))
    if snapshot.memory is not None:
        root.append(_element("memory", snapshot.memory))
    if snapshot.disks is not None:
        etree.SubElement(root, "disks").extend(_disk_element(disk) for disk in snapshot.disks)
    _extend(root, filter(None, (snapshot.domain, snapshot.inactive_domain, snapshot.cookie)))
    add("active", snapshot.active)
    _extend(root, snapshot.extra)
    return root


def _disk_element(disk: SnapshotDisk) -> xml.Element:
    root = etree.Element("disk", name=disk.name)
    if disk.kind is not None:
        root.set("snapshot", disk.kind)
    if disk.type is not None:
        root.set("type", disk.type)
    for key, value in disk.attributes:
        root.set(key, value)
    for tag, part in (("driver", disk.driver), ("source", disk.source), ("mirror", disk.mirror)):
        if part is not None:
            root.append(_element(tag, part))
    _extend(root, disk.extra)
    return root


def _element(tag: str, kept: Kept) -> xml.Element:
    element = etree.Element(tag)
    for key, value in kept.attributes:
        element.set(key, value)
    element.text = kept.text or None
    _extend(element, kept.children)
    return element


def _extend(parent: xml.Element, parts: Iterable[str]) -> None:
    parent.extend(xml.parse(part) for part in parts)
