"""What must be known before a live snapshot: of each disk, what its storage can do, and where its state would go."""

from __future__ import annotations

import posixpath
import time
from dataclasses import replace
from functools import partial

from tui.engine import places
from tui.engine.copy_facts import disk_facts, placed
from tui.engine.files import Files, look_there
from tui.engine.look import Look, snapshots_of, unless_refused
from tui.model.disk import Disk
from tui.model.facts import PathFacts, same_name
from tui.model.file_volume import parse_file_volume
from tui.model.hierarchy import KnownSnapshot, parse_known
from tui.model.live_case import (
    DiskFacts,
    FilePool,
    LiveDisk,
    LiveFacts,
    LogicalVolume,
    MemoryFacts,
    live_disk,
    overlay_part,
)
from tui.model.methods import Method
from tui.model.request import LiveSnapshotRequest
from tui.model.snapshot_case import overlay_request, taken_disks
from tui.model.storage import BlockSource, FileSource, Layer
from tui.model.storage_pool import LOGICAL, Pool

_CLONING = ("dir", "fs")
"""Types of pools in whose directories libvirt may be able to let files share blocks."""
_SAMPLE = 0.5
"""Seconds over which it is seen how fast a guest writes."""


def live_facts(request: LiveSnapshotRequest, look: Look, files: Files | None) -> LiveFacts:
    """Look, first at what each disk can have, and then at what that makes of it."""
    facts = LiveFacts(
        look.domain,
        snapshots_of(look.connection, look.domain),
        parent=unless_refused(lambda: _current(look)),
        reached=files is not None,
        libvirt=look.state.libvirt,
    )
    if not look.domain.state.active:
        return facts
    disks = {disk.target: _disk_facts(disk, look, files) for disk in look.domain.disks}
    wanted = [live_disk(request, known) for known in disks.values()]
    rates = _write_rates([disk.target for disk in wanted if disk.method is Method.LVM], look)
    disks = {
        disk.target: replace(disk.facts, place=_place(disk, look, files), rate=rates.get(disk.target))
        for disk in wanted
    }
    part = overlay_part(request, wanted)
    overlays = {
        taken.target: placed(overlay_request(part, taken), disks[taken.target].copy, look)
        for taken in taken_disks(part.snapshot, look.domain)
    }
    return replace(facts, disks=disks, overlays=overlays, memory=_memory_facts(request, look, files))


def _current(look: Look) -> KnownSnapshot | None:
    name = look.connection.current_snapshot(look.domain.uuid)
    text = look.connection.snapshot_xml(look.domain.uuid, name) if name is not None else None
    return parse_known(text, current=True) if text is not None else None


def _disk_facts(disk: Disk, look: Look, files: Files | None) -> DiskFacts:
    known = DiskFacts(disk_facts(disk.target, look))
    active = disk.chain.active
    if active is None:
        return known
    match active.source:
        case FileSource(path=path):
            shares = files.shares_blocks(path) if files else None
            pool = _pool_of(path, look) if active.format == "raw" else None
            return replace(known, shares_blocks=shares, pool=pool)
        case BlockSource(dev=path):
            return replace(known, logical=_logical(path, look))
    return known


def _place(disk: LiveDisk, look: Look, files: Files | None) -> PathFacts:
    """What lies where a clone is to go."""
    return _lies_at(disk.path, look, files) if disk.method is Method.BTRFS and disk.path else PathFacts()


def _memory_facts(request: LiveSnapshotRequest, look: Look, files: Files | None) -> MemoryFacts:
    if request.memory is None:
        return MemoryFacts()
    size = unless_refused(lambda: look.connection.memory_size(look.domain.uuid))
    return MemoryFacts(size, _lies_at(request.memory, look, files))


def _lies_at(path: str, look: Look, files: Files | None) -> PathFacts:
    """What lies at the path of a file that is to be made."""
    layer = Layer(FileSource(path), "raw")
    if look.local:
        return places.look_here(layer, None, reuse=False, owner=None, own=look.own)
    return look_there((layer,), look.connection, files)[layer.path]


def _logical(path: str, look: Look) -> LogicalVolume | None:
    """The volume of a logical pool that a device is."""
    directory, name = posixpath.split(path)
    found = _pool_at(directory, look, (LOGICAL,))
    if found is None or unless_refused(lambda: look.connection.volume_in(found.name, name)) is None:
        return None
    return LogicalVolume(found.name, name, found.available)


def _pool_of(path: str, look: Look) -> FilePool | None:
    """The pool that holds a raw image as a raw volume, or will when it has looked."""
    directory = posixpath.dirname(same_name(path))
    found = _pool_at(directory, look, _CLONING)
    if found is None:
        return None
    text = unless_refused(lambda: look.connection.volume_xml(path))
    # What a guest writes can look like another format, and libvirt copies those without sharing anything.
    if text is not None and not parse_file_volume(text).raw:
        return None
    return FilePool(found.name, directory, listed=text is not None)


def _pool_at(directory: str, look: Look, types: tuple[str, ...]) -> Pool | None:
    """The active pool of one of these types that has its volumes in a directory."""
    pools = unless_refused(look.connection.pools) or ()
    found = (p for p in pools if p.type in types and p.path and same_name(p.path) == directory and p.name)
    return next(found, None)


def _write_rates(targets: list[str], look: Look) -> dict[str, float]:
    """How fast the guest writes to disks just now, all of them seen over the same time."""
    if not targets:
        return {}
    before = _written(targets, look)
    time.sleep(_SAMPLE)
    return {
        target: max(0, written - before[target][1]) / (at - before[target][0])
        for target, (at, written) in _written(targets, look).items()
        if target in before
    }


def _written(targets: list[str], look: Look) -> dict[str, tuple[float, int]]:
    """By disk: the time, and the bytes that the guest had written until then."""
    found = {}
    for target in targets:
        written = unless_refused(partial(look.connection.written, look.domain.uuid, target))
        if written is not None:
            found[target] = (time.monotonic(), written)
    return found
