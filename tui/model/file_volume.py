"""A volume that is a file of a storage pool, and the one that libvirt lets share its blocks."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from tui.model import xml

_UNWRITABLE = 0o555


@dataclass(frozen=True, slots=True)
class FileVolume:
    """What libvirt says of it."""

    raw: bool
    """Whether its bytes are what a guest sees; of others libvirt makes copies that share nothing."""
    mode: int
    """Who may do what with it, as the system counts it."""
    owner: str
    group: str
    changed: float
    """Seconds since the epoch, by the host's clock; 0 where libvirt does not say."""


def parse_file_volume(text: str) -> FileVolume:
    """Read what virStorageVolGetXMLDesc gives.

    Raises:
        xml.InvalidXML: when it is none.
    """
    target = xml.child(xml.parse(text), "target")
    if target is None:
        raise xml.InvalidXML("a volume lies nowhere")
    rights, times = xml.child(target, "permissions"), xml.child(target, "timestamps")

    def said(parent: xml.Element | None, tag: str) -> str:
        return (xml.content(parent, tag) if parent is not None else None) or ""

    try:
        return FileVolume(
            raw=xml.attribute(xml.child(target, "format"), "type") == "raw"
            and xml.child(target, "encryption") is None,
            mode=int(said(rights, "mode") or "0400", 8),
            owner=said(rights, "owner"),
            group=said(rights, "group"),
            changed=float(said(times, "ctime") or 0),
        )
    except ValueError as error:
        raise xml.InvalidXML(f"what libvirt says of a volume cannot be read ({error})") from error


def clone_xml(name: str, origin: FileVolume) -> str:
    """The definition for virStorageVolCreateXMLFrom: with the owner of the origin, and with no right to write."""
    volume = etree.Element("volume")
    etree.SubElement(volume, "name").text = name
    # libvirt would fill the file before it shares the blocks of the other.
    etree.SubElement(volume, "allocation").text = "0"
    target = etree.SubElement(volume, "target")
    etree.SubElement(target, "format", type="raw")
    rights = etree.SubElement(target, "permissions")
    etree.SubElement(rights, "mode").text = f"{origin.mode & _UNWRITABLE:04o}"
    for tag, who in (("owner", origin.owner), ("group", origin.group)):
        if who:
            etree.SubElement(rights, tag).text = who
    return etree.tostring(volume, encoding="unicode")
