"""What lies at a path: seen directly where the host is this machine, else as far as its pools know."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from pathlib import Path

from lxml import etree

from tui.engine.connection import Connection
from tui.engine.errors import HostError, NoConnection
from tui.engine.images import ImageError, image_info
from tui.engine.room import SECTOR, taken
from tui.model import xml
from tui.model.facts import ImageFacts, LayerFacts, PathFacts, PathKind, same_name
from tui.model.storage import Layer

# Paths stay strings here, to the byte what the host calls them: a Path drops slashes and dots.
# ruff: noqa: PTH116, PTH120

_ACL = "system.posix_acl_access"
_HAS_HEADER = frozenset({"qcow2", "qcow"})


def look_here(
    layer: Layer, given_backing: Layer | None, *, reuse: bool, owner: tuple[int, int] | None, own: bool
) -> PathFacts:
    """Look at a destination on this machine.

    Args:
        layer: the destination.
        given_backing: what the user says that it stands on.
        reuse: whether it is an image already.
        owner: user and group of QEMU, where they are known.
        own: whether QEMU and libvirt run as the user of this process.
    """
    path = layer.local_path
    if path is None or not path.startswith("/"):
        return PathFacts()
    parent = os.path.dirname(path.rstrip("/")) or "/"
    facts = _look_at_parent(parent, owner, own=own)
    given = given_backing.local_path if given_backing else None
    kind, status = _kind(path)
    facts = PathFacts(
        kind=kind,
        size=_size(status),
        allocated=taken(status) if status and kind is PathKind.FILE else None,
        given_backing_exists=exists(given) if given else None,
        parent_exists=facts.parent_exists,
        searchable=facts.searchable,
        writable=facts.writable,
        free=facts.free,
    )
    if reuse and layer.format and kind in (PathKind.FILE, PathKind.BLOCK):
        return _with_image(facts, path, layer.format)
    return facts


def _kind(path: str) -> tuple[PathKind | None, os.stat_result | None]:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return PathKind.MISSING, None
    except (OSError, ValueError):
        # A directory on the way is closed to this user, which says nothing of what libvirt will find.
        return None, None
    kinds = {stat.S_IFREG: PathKind.FILE, stat.S_IFBLK: PathKind.BLOCK, stat.S_IFDIR: PathKind.DIRECTORY}
    return kinds.get(stat.S_IFMT(status.st_mode), PathKind.OTHER), status


def exists(path: str) -> bool | None:
    """Whether something is at a path; ``None`` where a directory on the way is closed to this user."""
    kind, _status = _kind(path)
    return None if kind is None else kind is not PathKind.MISSING


def _size(status: os.stat_result | None) -> int | None:
    if status is None:
        return None
    if not stat.S_ISBLK(status.st_mode):
        return status.st_size
    # Opening the device would take rights that this user may not have.
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    try:
        return int(Path(f"/sys/dev/block/{number}/size").read_text(encoding="ascii")) * SECTOR
    except (OSError, ValueError):
        return None


def _look_at_parent(parent: str, owner: tuple[int, int] | None, *, own: bool) -> PathFacts:
    kind, _status = _kind(parent)
    if kind is None:
        return PathFacts()
    if kind is not PathKind.DIRECTORY:
        return PathFacts(parent_exists=False)
    try:
        system = os.statvfs(parent)
    except OSError:
        return PathFacts(parent_exists=True)
    # libvirtd, which makes the file and gives it away, is root: only root can try in its place. To anybody
    # else a file system that is mounted read-only tells.
    tried = own or os.geteuid() == 0
    return PathFacts(
        parent_exists=True,
        searchable=os.access(parent, os.X_OK) if own else _searchable(parent, owner) if owner else None,
        writable=os.access(parent, os.W_OK) if tried else not system.f_flag & os.ST_RDONLY,
        free=system.f_bavail * system.f_frsize,
    )


def _searchable(directory: str, owner: tuple[int, int]) -> bool | None:
    """Whether a user gets as far as a directory; ``None`` where an access list decides."""
    uid, gid = owner
    if uid == 0:
        return True
    try:
        groups = set(os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
    except KeyError:
        groups = {gid}
    path = os.path.realpath(directory)
    answer: bool | None = True
    while True:
        try:
            status = os.stat(path)
        except OSError:
            return None
        if not status.st_mode & _search_bit(status, uid, groups):
            if not _has_acl(path):
                return False
            answer = None
        if path == "/":
            return answer
        path = os.path.dirname(path)


def _search_bit(status: os.stat_result, uid: int, groups: set[int]) -> int:
    if status.st_uid == uid:
        return stat.S_IXUSR
    return stat.S_IXGRP if status.st_gid in groups else stat.S_IXOTH


def _has_acl(path: str) -> bool:
    try:
        return _ACL in os.listxattr(path)
    except OSError:
        return False


def _with_image(facts: PathFacts, path: str, image_format: str) -> PathFacts:
    if shutil.which("qemu-img") is None or not os.access(path, os.R_OK):
        return facts
    image, unreadable = None, None
    try:
        info = image_info(path, image_format)
    except ImageError as error:
        unreadable = error.message
    else:
        backing = info.full_backing_file or info.backing_file
        local = backing is not None and backing.startswith("/")
        there = exists(backing) if backing and local else None
        image = ImageFacts(info.virtual_size, backing, info.backing_format, there)
    return PathFacts(
        kind=facts.kind,
        size=facts.size,
        allocated=facts.allocated,
        image=image,
        unreadable=unreadable,
        given_backing_exists=facts.given_backing_exists,
        parent_exists=facts.parent_exists,
        searchable=facts.searchable,
        writable=facts.writable,
        free=facts.free,
    )


def layer_here(layer: Layer) -> LayerFacts:
    """What a layer of the source takes on this machine, and its internal snapshots."""
    allocated = 0
    for path in (layer.local_path, layer.data_store.local_path if layer.data_store else None):
        _found, status = _kind(path) if path else (None, None)
        if status is None:
            if path == layer.local_path:
                return _layer_facts(layer, None)
            continue
        if stat.S_ISBLK(status.st_mode):
            # How much of a device an image has used is not seen from outside.
            size = _size(status) if layer.format == "raw" else None
            if size is None:
                return _layer_facts(layer, None)
            allocated += size
        else:
            allocated += taken(status)
    return _layer_facts(layer, allocated)


def _layer_facts(layer: Layer, allocated: int | None) -> LayerFacts:
    """Complete by what the header says of internal snapshots, of the layer below and of the layout."""
    if layer.format not in _HAS_HEADER:
        return LayerFacts(layer.path, allocated, (), layout=())
    if layer.local_path is None:
        return LayerFacts(layer.path, allocated)
    try:
        info = image_info(layer.local_path, layer.format)
    except ImageError:
        return LayerFacts(layer.path, allocated)
    return LayerFacts(layer.path, allocated, info.snapshots, info.backing_file, info.layout)


def same_file(one: str, other: str) -> bool:
    """Whether two names lead to one file or device on this machine."""
    try:
        first, second = os.stat(one), os.stat(other)
    except (OSError, ValueError):
        return False
    if stat.S_ISBLK(first.st_mode) and stat.S_ISBLK(second.st_mode):
        return first.st_rdev == second.st_rdev
    return os.path.samestat(first, second)


# Hosts elsewhere


def look_there(connection: Connection, layer: Layer) -> PathFacts:
    """Ask the storage pools of a host about a destination; they may be behind what is there."""
    path = layer.local_path
    if path is None or not path.startswith("/"):
        return PathFacts()
    volume, free = _volume(connection, path), _free(connection, path)
    if volume is None:
        # A pool lists a directory as it was at its last refresh: not listed does not mean not there.
        return PathFacts(parent_exists=None if free is None else True, free=free)
    capacity, physical = _bytes(volume, "capacity"), _bytes(volume, "physical")
    allocated = _bytes(volume, "allocation")
    kinds = {"file": PathKind.FILE, "block": PathKind.BLOCK, "dir": PathKind.DIRECTORY}
    image = None
    found = xml.child(xml.child(volume, "target"), "format")
    # libvirt guessed this format; what it says counts only where it is the one the user named.
    if capacity is not None and found is not None and found.get("type") == layer.format:
        below = xml.child(volume, "backingStore")
        backing = below.findtext("path") if below is not None else None
        below_format = xml.child(below, "format")
        image = ImageFacts(capacity, backing, below_format.get("type") if below_format is not None else None)
    return PathFacts(
        kind=kinds.get(volume.get("type", "file")),
        size=physical if physical is not None else capacity,
        allocated=allocated,
        image=image,
        parent_exists=True,
        free=free,
    )


def layer_there(connection: Connection, layer: Layer) -> LayerFacts:
    """What the pools of a host know of a layer of the source."""
    volume = _volume(connection, layer.local_path) if layer.local_path else None
    snapshots = None if layer.format in _HAS_HEADER else ()
    return LayerFacts(layer.path, _bytes(volume, "allocation") if volume is not None else None, snapshots)


def known_there(connection: Connection, path: str) -> bool:
    """Whether a pool of the host knows the file at a path."""
    return _volume(connection, path) is not None


def _volume(connection: Connection, path: str) -> etree._Element | None:
    try:
        text = connection.volume_xml(path)
        return xml.parse(text) if text else None
    except NoConnection:
        raise
    except (HostError, xml.InvalidXML):
        # A host without storage pools, or a pool in a bad state, knows nothing.
        return None


def _free(connection: Connection, path: str) -> int | None:
    try:
        pools = connection.pools()
    except NoConnection:
        raise
    except HostError:
        return None
    directory = os.path.dirname(same_name(path))
    return next((p.available for p in pools if p.path and same_name(p.path) == directory), None)


def _bytes(parent: etree._Element, tag: str) -> int | None:
    return xml.number((parent.findtext(tag) or "").strip() or None)
