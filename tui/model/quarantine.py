"""What a domain remembers of its old images that were put away, until they are deleted or had back."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from lxml import etree

from tui.model import xml
from tui.model.domain import QUARANTINE_NAMESPACE

PREFIX = "virt-mirror-quarantine-"
"""What the directories begin with in which old images wait; the plan's id follows."""


def place_of(path: str, mark: str) -> str:
    """Where an image is put away: in a directory beside it, under its own name."""
    directory, name = posixpath.split(path)
    return posixpath.join(directory, PREFIX + mark, name)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The old images of one plan."""

    mark: str
    """The plan's id."""
    since: float
    """Wall clock, seconds since the epoch."""
    directories: tuple[str, ...]


def namespace(mark: str) -> str:
    """The namespace URI under which libvirt keeps the note."""
    return QUARANTINE_NAMESPACE + mark


def note_xml(kept: Quarantined) -> str:
    """The element for virDomainSetMetadata.

    Raises:
        xml.InvalidXML: when a path has a character that XML cannot carry.
    """
    space = namespace(kept.mark)
    root = etree.Element(etree.QName(space, "quarantine"), since=repr(kept.since))
    try:
        for directory in kept.directories:
            etree.SubElement(root, etree.QName(space, "directory")).text = directory
    except ValueError as error:
        raise xml.InvalidXML("a path has a character that XML cannot carry") from error
    return etree.tostring(root, encoding="unicode")


def parse_note(text: str) -> Quarantined:
    """Read a note back.

    Raises:
        xml.InvalidXML: when it is not one that this version wrote.
    """
    root = xml.parse(text)
    try:
        since = float(root.get("since", ""))
    except ValueError as error:
        raise xml.InvalidXML("a note on quarantined images cannot be read") from error
    mark = (etree.QName(root).namespace or "").removeprefix(QUARANTINE_NAMESPACE)
    return Quarantined(mark, since, tuple(part.text or "" for part in xml.elements(root)))
