"""The files that a domain needs at another host beside what libvirt copies: lower layers, and the memory of snapshots.

None of them changes any more while the guest runs, so that they go there before it does.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tui.model.chain_steps import ImageCopy
from tui.model.facts import PathKind
from tui.model.finding import Acceptance
from tui.model.migrate_case import MigrateCase, ThereFacts
from tui.model.migrate_request import CopyStorage
from tui.model.still_file import StillFile


@dataclass(frozen=True, slots=True)
class Brought:
    """One of them, and its place at the other host."""

    file: StillFile
    path: str
    """There."""
    there: ThereFacts
    named: str | None
    """How its header names the layer below there; ``None`` where that stays as it is."""
    below_format: str | None
    kept: bool = True
    """Whether a disk stands on it; else only snapshots need it."""
    coming: str | None = None
    """The domain whose plan brings it at this moment."""

    @property
    def copied(self) -> bool:
        """Whether it is copied; else what lies there, or comes there, is to be the same."""
        return self.there.place.kind is PathKind.MISSING and self.coming is None

    @property
    def stands_on(self) -> str | None:
        """How its header has to name the layer below there."""
        return self.named or self.file.backing

    @property
    def copy(self) -> ImageCopy:
        """What goes where."""
        return ImageCopy(self.file.path, self.path, self.file.format or "raw", self.named, self.below_format)


def brought(case: MigrateCase) -> tuple[Brought, ...]:
    """Those that have to be there, and are not the very same file there already."""
    return tuple(one for one in _all(case) if not _lost(case, one))


def lost(case: MigrateCase) -> tuple[Brought, ...]:
    """Those that cannot be brought, of snapshots that may be lost."""
    return tuple(one for one in _all(case) if _lost(case, one))


def _lost(case: MigrateCase, one: Brought) -> bool:
    return bool(one.file.trouble) and not one.kept and Acceptance.LOSE_SNAPSHOTS in case.request.accepted


def _all(case: MigrateCase) -> Iterator[Brought]:
    if not case.brings:
        return
    kept = _with_below(case, _of_disks(case))
    for path in dict.fromkeys((*kept, *_with_below(case, _of_snapshots(case)))):
        place = case.place(path)
        there = case.facts.images.get(place, ThereFacts())
        still = case.facts.still.get(path)
        # What nobody can see, or is no file, is left to whoever knows it.
        if still is None or there.same or there.place.kind not in (PathKind.MISSING, PathKind.FILE):
            continue
        below = case.facts.still.get(still.below or "")
        form = still.below_format or (below.format if below else None)
        coming = case.facts.coming.get(place)
        yield Brought(still, place, there, named(case, still), form, path in kept, coming)


def named(case: MigrateCase, image: StillFile) -> str | None:
    """The other name that an image needs there for the one below it; ``None`` where its own leads there."""
    if image.below is None or image.backing is None:
        return None
    directory, below = posixpath.dirname(case.place(image.path)), case.place(image.below)
    if not image.backing.startswith("/") and ":" not in image.backing.partition("/")[0]:
        if posixpath.normpath(posixpath.join(directory, image.backing)) == posixpath.normpath(below):
            return None
        return posixpath.relpath(below, directory)
    return None if below == image.below else below


def _with_below(case: MigrateCase, paths: Iterable[str]) -> tuple[str, ...]:
    """These and what they stand on, each once, but for what is copied by libvirt."""
    active = {disk.active.local_path for disk in case.disks}
    waiting = [path for path in paths if path not in active]
    found: dict[str, None] = {}
    while waiting:
        path = waiting.pop(0)
        if path in found or path in active:
            continue
        found[path] = None
        still = case.facts.still.get(path)
        if still is not None and still.below is not None:
            waiting.append(still.below)
    return tuple(found)


def _of_disks(case: MigrateCase) -> Iterator[str]:
    for disk in case.disks:
        if disk.keeps_chain:
            yield from (path for layer in disk.disk.chain.below.layers if (path := layer.local_path))


def _of_snapshots(case: MigrateCase) -> Iterator[str]:
    if case.request.storage is CopyStorage.NONE:
        return
    flat = {disk.target for disk in case.copied if not disk.keeps_chain}
    for snapshot in case.facts.hierarchy.snapshots:
        for state in (*snapshot.disks, *snapshot.reverted):
            if state.local and state.target not in flat:
                yield from (path for path in (state.path, state.base) if path)
        if snapshot.memory_file is not None:
            yield snapshot.memory_file
