"""The snapshots of a domain as one file: all that libvirt needs to remember them elsewhere, or once more.

The format has a version. Snapshots stand in it as libvirt prints them, secrets included, parents first. What the
images said of themselves when it was written stands beside, so that an import can tell other images from those.
"""

from __future__ import annotations

import hashlib
import posixpath
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lxml import etree

from tui.model import xml
from tui.model.hierarchy import Hierarchy, KnownSnapshot, arranged, read_known
from tui.model.snapshot import rename_sources
from tui.model.text import printable

ROOT = "virt-mirror-snapshots"
VERSION = "1"
MAX_SIZE = 64 * 1024 * 1024
"""Characters; thousands of snapshots, each with its definition, fit in."""
_LONGEST_NAME = 100
"""Characters; in bytes it is twice that, as a file system has room for."""
_LONGEST_WORD = 40


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image as it was when the file was written."""

    path: str
    format: str
    virtual_size: int


@dataclass(frozen=True, slots=True)
class Saved:
    """What the file holds."""

    domain: str
    uuid: str
    snapshots: tuple[KnownSnapshot, ...] = ()
    """Parents first."""
    images: tuple[ImageRecord, ...] = ()
    """Those that could be read."""
    noted: tuple[str, ...] = ()
    """Snapshots that were taken by other methods than libvirt's, which no file brings back."""

    @property
    def hierarchy(self) -> Hierarchy:
        """The tree that they make."""
        return arranged(self.snapshots)


def saved_xml(saved: Saved) -> str:
    """Write the file.

    Raises:
        xml.InvalidXML: when a snapshot is no XML, or a path has a character that XML cannot carry.
    """
    root = etree.Element(ROOT, version=VERSION)
    try:
        etree.SubElement(root, "domain", name=saved.domain, uuid=saved.uuid)
        images = etree.SubElement(root, "images")
        for image in saved.images:
            size = str(image.virtual_size)
            etree.SubElement(images, "image", path=image.path, format=image.format, size=size)
    except ValueError as error:
        raise xml.InvalidXML("a name or a path has a character that XML cannot carry") from error
    etree.indent(root)
    snapshots = etree.SubElement(root, "snapshots")
    for snapshot in saved.snapshots:
        holder = etree.SubElement(snapshots, "snapshot")
        if snapshot.current:
            holder.set("current", "yes")
        holder.append(xml.parse(snapshot.xml))
    return etree.tostring(root, encoding="unicode") + "\n"


def digest_of(text: str) -> str:
    """What tells a file from another one."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse_saved(text: str) -> Saved:
    """Read the file back.

    Raises:
        xml.InvalidXML: when it is none that this version can read, or contradicts itself.
    """
    if len(text) > MAX_SIZE:
        raise xml.InvalidXML(f"it is {len(text)} characters long, more than any domain has in snapshots")
    root = xml.parse(text, MAX_SIZE)
    if root.tag != ROOT:
        raise xml.InvalidXML("these are no snapshots that virt-mirror has exported")
    version = root.get("version") or "unknown"
    if version != VERSION:
        raise xml.InvalidXML(f"it has the version {printable(version, 20)}, and this program reads {VERSION}")
    domain, held, images = (xml.child(root, tag) for tag in ("domain", "snapshots", "images"))
    name, uuid = xml.attribute(domain, "name"), xml.attribute(domain, "uuid")
    if name is None or uuid is None or held is None:
        raise xml.InvalidXML("it does not say of which domain these snapshots are")
    snapshots = tuple(_read_held(holder) for holder in xml.children(held, "snapshot"))
    hierarchy = arranged(snapshots)
    if len(hierarchy.snapshots) != len(snapshots):
        raise xml.InvalidXML(hierarchy.problems[0].rstrip("."))
    if sum(one.current for one in snapshots) > 1:
        raise xml.InvalidXML("more than one of its snapshots is the current one")
    records = tuple(_read_image(one) for one in (xml.children(images, "image") if images is not None else ()))
    return Saved(name, uuid, hierarchy.snapshots, records)


def _read_held(holder: xml.Element) -> KnownSnapshot:
    found = xml.child(holder, "domainsnapshot")
    if found is None:
        raise xml.InvalidXML("one of its snapshots is empty")
    text = etree.tostring(found, encoding="unicode", with_tail=False)
    return read_known(found, text, current=holder.get("current") == "yes")


def _read_image(element: xml.Element) -> ImageRecord:
    path, size = xml.attribute(element, "path"), xml.number(element.get("size"))
    if path is None or size is None:
        raise xml.InvalidXML("one of its images has no path or no size")
    return ImageRecord(path, element.get("format") or "", size)


def file_name(domain: str) -> str:
    """What the file is called unless the user says it, so that it lies where he is and is not hidden."""
    name = "".join(one if one.isprintable() and one not in "/\\" else "_" for one in domain)
    name = name[:_LONGEST_NAME].encode()[: 2 * _LONGEST_NAME].decode(errors="ignore")
    return f"{name.lstrip('.-') or 'domain'}-snapshots.xml"


# Other places


class InvalidMap(ValueError):
    """The text says no pair of places; the message is a sentence."""


def parse_map(text: str) -> tuple[str, str]:
    """Two absolute paths as ``OLD=NEW``.

    Raises:
        InvalidMap: when it is something else.
    """
    old, sign, new = text.partition("=/")
    if not sign or not old.startswith("/"):
        raise InvalidMap("a map is two absolute paths, as /old=/new")
    if "=/" in new:
        raise InvalidMap("a map has =/ between its two paths, and nowhere else")
    return _plain(old), _plain("/" + new)


def parse_maps(text: str) -> tuple[tuple[str, str], ...]:
    """Several of them, one for each word; words are quoted as in a shell.

    Raises:
        InvalidMap: when one of them is none.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidMap("a quotation mark or a backslash has nothing that ends it") from error
    return tuple(map(_parse_word, words))


def _parse_word(word: str) -> tuple[str, str]:
    try:
        return parse_map(word)
    except InvalidMap as error:
        raise InvalidMap(f"{error}; this is none: {printable(word, _LONGEST_WORD)}") from error


def _plain(path: str) -> str:
    """One spelling of an absolute path."""
    return "/" + posixpath.normpath(path).lstrip("/")


def place_of(path: str, maps: Iterable[tuple[str, str]]) -> str:
    """Where a path leads now: the longest that is the path or a directory above it counts."""
    name = _plain(path)
    best: tuple[str, str] | None = None
    for old, new in maps:
        if _within(name, old) and (best is None or len(old) > len(best[0])):
            best = old, new
    if best is None:
        return path
    rest = name[len(best[0].rstrip("/")) :].lstrip("/")
    return posixpath.join(best[1], rest) if rest else best[1]


def changes(snapshots: Iterable[KnownSnapshot], maps: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The paths that snapshots name, and their new places, as far as these differ."""
    if not maps:
        return {}
    paths = {path for snapshot in snapshots for path in _named(snapshot)}
    return {path: place for path in sorted(paths) if (place := place_of(path, maps)) != path}


def fitless(
    snapshots: Iterable[KnownSnapshot], maps: Iterable[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """The pairs of places that no path of snapshots lies in."""
    paths = {path for snapshot in snapshots for path in _named(snapshot)}
    return tuple(pair for pair in maps if not any(_within(_plain(path), pair[0]) for path in paths))


def _within(name: str, place: str) -> bool:
    """Whether a path is a place, or below it."""
    return name == place or name.startswith(place.rstrip("/") + "/")


def with_places(snapshot: KnownSnapshot, places: Mapping[str, str]) -> KnownSnapshot:
    """The snapshot with other paths.

    Raises:
        xml.InvalidXML: when a path has a character that XML cannot carry.
    """
    root = xml.parse(snapshot.xml)
    changed = [rename_sources(disk, places) for disk in root.iter("disk")]
    memory, place = xml.child(root, "memory"), places.get(snapshot.memory_file or "")
    if memory is not None and place is not None:
        try:
            memory.set("file", place)
        except ValueError as error:
            raise xml.InvalidXML("a path has a character that XML cannot carry") from error
        changed.append(True)
    text = etree.tostring(root, encoding="unicode") if any(changed) else snapshot.xml
    return read_known(root, text, current=snapshot.current)


def _named(snapshot: KnownSnapshot) -> frozenset[str]:
    return snapshot.named | ({snapshot.memory_file} if snapshot.memory_file else set())
