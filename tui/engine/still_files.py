"""What the files say of themselves that are to go to another host, and what they stand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tui.engine.batches import batches
from tui.engine.errors import HostError
from tui.engine.files import Files
from tui.model.image import ImageInfo
from tui.model.still_file import SCRIPT, StillFile, parse_still

HEADERLESS = "raw"
"""The format of images that stand on nothing, and that say nothing of themselves."""
_DEEPEST = 200
"""Layers, as many as libvirt follows."""


def still_files(
    formats: Mapping[str, str | None], memories: frozenset[str], files: Files
) -> dict[str, StillFile]:
    """Look at files and at all that they stand on.

    Args:
        formats: the images, by path, as their definitions have it: nobody guesses that.
        memories: the files that are no images.
        files: how they are reached.
    """
    found: dict[str, StillFile] = {}
    waiting: dict[str, str | None] = {**formats, **dict.fromkeys(memories)}
    for _depth in range(_DEEPEST):
        paths = tuple(path for path in waiting if path not in found)
        if not paths:
            break
        looked: dict[str, StillFile] = {}
        for some in batches(paths):
            looked |= parse_still(files.ask(SCRIPT, *some), some)
        images = {
            path: replace(one, format=waiting[path]) for path, one in looked.items() if path not in memories
        }
        infos = files.infos({path: form for path, one in images.items() if (form := _readable(one))})
        found |= looked | {path: _read(one, infos.get(path)) for path, one in images.items()}
        below = {one.below: one.below_format for one in found.values() if one.below is not None}
        waiting = {path: form for path, form in below.items() if path not in found}
    return found


def _readable(still: StillFile) -> str | None:
    """The format in which its header is to be read, if it has one."""
    return None if still.trouble or still.format == HEADERLESS else still.format


def _read(still: StillFile, info: ImageInfo | HostError | None) -> StillFile:
    if still.trouble:
        return still
    if still.format is None:
        return replace(still, trouble="is of a format that nobody has recorded")
    if still.format == HEADERLESS:
        return replace(still, virtual_size=still.size)
    if not isinstance(info, ImageInfo):
        why = f" ({info.message.rstrip('.')})" if info is not None else ""
        return replace(still, trouble=f"cannot be read{why}")
    if info.data_file is not None:
        return replace(still, trouble="has its data in another file")
    return _standing(still, info)


def _standing(still: StillFile, info: ImageInfo) -> StillFile:
    full = info.full_backing_file or info.backing_file or ""
    return replace(
        still,
        virtual_size=info.virtual_size,
        backing=info.backing_file,
        below=full if full.startswith("/") else None,
        below_format=info.backing_format,
        header=(info.cluster_size or 0) if info.backing_file else 0,
    )
