"""What a domain remembers of a snapshot that libvirt knows not, or not all of: which files and volumes hold it."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from tui.model import xml
from tui.model.domain import SNAPSHOT_NAMESPACE
from tui.model.methods import Method


@dataclass(frozen=True, slots=True)
class Held:
    """What holds the state of one disk."""

    target: str
    method: Method
    path: str | None = None
    """The file or the device; ``None`` where the user's own command has seen to it."""
    format: str | None = None
    needs: tuple[str, ...] = ()
    """The layers that it stands on."""
    pool: str | None = None
    volume: str | None = None


@dataclass(frozen=True, slots=True)
class NotedSnapshot:
    """A snapshot of disks by other methods than libvirt's."""

    mark: str
    """The id of the plan that took it."""
    name: str
    created: float
    """Wall clock, seconds since the epoch."""
    description: str
    disks: tuple[Held, ...]
    parent: str | None = None
    """The current snapshot at that time."""

    @property
    def files(self) -> frozenset[str]:
        """The images that it needs."""
        paths = (path for disk in self.disks for path in (disk.path, *disk.needs))
        return frozenset(path for path in paths if path)


def namespace(mark: str) -> str:
    """The namespace URI under which libvirt keeps the note."""
    return SNAPSHOT_NAMESPACE + mark


def note_xml(noted: NotedSnapshot) -> str:
    """The element for virDomainSetMetadata.

    Raises:
        xml.InvalidXML: when a name or a path has a character that XML cannot carry.
    """
    space = namespace(noted.mark)
    about = {"name": noted.name, "created": repr(noted.created), "description": noted.description}
    about |= {"parent": noted.parent} if noted.parent is not None else {}
    try:
        root = etree.Element(etree.QName(space, "snapshot"), about)
        for disk in noted.disks:
            said = {
                "target": disk.target,
                "method": disk.method.value,
                "path": disk.path,
                "format": disk.format,
                "pool": disk.pool,
                "volume": disk.volume,
            }
            given = {key: value for key, value in said.items() if value is not None}
            element = etree.SubElement(root, etree.QName(space, "disk"), given)
            for path in disk.needs:
                etree.SubElement(element, etree.QName(space, "needs")).text = path
    except ValueError as error:
        raise xml.InvalidXML("a name or a path has a character that XML cannot carry") from error
    return etree.tostring(root, encoding="unicode")


def parse_noted(text: str) -> NotedSnapshot:
    """Read a note back.

    Raises:
        xml.InvalidXML: when it is not one that this version wrote.
    """
    root = xml.parse(text)
    try:
        return NotedSnapshot(
            mark=(etree.QName(root).namespace or "").removeprefix(SNAPSHOT_NAMESPACE),
            name=xml.required(root, "name"),
            created=float(xml.required(root, "created")),
            description=root.get("description", ""),
            disks=tuple(_held(element) for element in xml.elements(root)),
            parent=root.get("parent"),
        )
    except (KeyError, ValueError) as error:
        raise xml.InvalidXML(f"a note on a snapshot cannot be read ({error})") from error


def _held(element: xml.Element) -> Held:
    return Held(
        target=xml.required(element, "target"),
        method=Method(xml.required(element, "method")),
        path=element.get("path"),
        format=element.get("format"),
        needs=tuple(part.text or "" for part in xml.elements(element)),
        pool=element.get("pool"),
        volume=element.get("volume"),
    )
