"""A disk's layers and its mirror as the lines of a tree: the base on top, growing to what the guest writes.

A mirror that shares layers with its source is drawn as a branch of the same tree, so that a shallow copy
looks like what it is. One that shares none is a tree of its own below.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from enum import StrEnum

from tui.app.glyphs import Glyphs
from tui.model.disk import Disk, Mirror, MirrorJob, MirrorReady
from tui.model.storage import Chain, FileSource, Layer, NetworkSource


class Kind(StrEnum):
    """What a line of the tree is."""

    LAYER = "layer"
    UNKNOWN = "unknown"
    """The chain goes on, and nobody says how."""
    NOTE = "note"
    SPACE = "space"


class Role(StrEnum):
    """What a layer does at the moment."""

    NONE = ""
    ACTIVE = "active"
    MIRROR = "mirror"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the tree."""

    kind: Kind
    name: str
    """The last part of the path, or the words of a note."""
    branch: str = ""
    """What is drawn before the name."""
    layer: Layer | None = None
    role: Role = Role.NONE
    target: str = ""
    mirror: Mirror | None = None
    named: str = ""
    """What people call the image, where the definition knows but the address of what serves it."""

    @property
    def place(self) -> str:
        """The directory, or what stands for one."""
        return posixpath.dirname(self.named) if self.named else place_of(self.layer) if self.layer else ""


def name_of(layer: Layer) -> str:
    """What a layer is called for short."""
    match layer.source:
        case FileSource(path=path):
            return posixpath.basename(path) or path
        case NetworkSource(name=name) if name:
            return posixpath.basename(name) or name
        case _:
            return layer.path


def place_of(layer: Layer) -> str:
    """Where a layer is, without its own name."""
    match layer.source:
        case FileSource(path=path):
            return posixpath.dirname(path) or "/"
        case NetworkSource(protocol=protocol, hosts=hosts):
            return f"{protocol}://{hosts[0].name or hosts[0].socket or ''}" if hosts else protocol
        case _:
            return ""


def tree(disk: Disk, glyphs: Glyphs, named: str = "") -> list[Line]:
    """The lines for a disk; ``named`` is what people call the image that a mirror goes to through a server."""
    if disk.empty:
        return [Line(Kind.NOTE, "This drive is empty.")]
    mirror = disk.mirror
    layers = tuple(reversed(disk.chain.layers))
    if mirror is None or _within(mirror, layers):
        return stem(disk.target, disk.chain, glyphs, onto=mirror)
    shared = _shared(layers, tuple(reversed(mirror.chain.layers)), disk.chain, mirror.chain)
    if shared:
        return _fork(disk, mirror, layers, shared, glyphs)
    lines = stem(disk.target, disk.chain, glyphs)
    lines.append(Line(Kind.SPACE, ""))
    other = stem(disk.target, mirror.chain, glyphs, top=Role.MIRROR, onto=mirror)
    if named:
        other[-1] = replace(other[-1], name=posixpath.basename(named), named=named)
    return lines + other


def stem(
    disk: str, chain: Chain, glyphs: Glyphs, *, top: Role = Role.ACTIVE, onto: Mirror | None = None
) -> list[Line]:
    """One chain, each layer standing on the one above it; ``onto`` is a mirror that goes to one of them."""
    layers = tuple(reversed(chain.layers))
    lines: list[Line] = []
    if not chain.complete:
        lines.append(Line(Kind.UNKNOWN, "chain not known below"))
    target = onto.destination if onto else None
    for depth, layer in enumerate(layers):
        role = top if depth == len(layers) - 1 else Role.NONE
        mirror = onto if target is not None and _same(layer, target) else None
        lines += _layer(
            disk,
            layer,
            depth + (not chain.complete),
            glyphs,
            role=Role.MIRROR if mirror else role,
            mirror=mirror,
        )
    return lines


def _layer(
    target: str, layer: Layer, depth: int, glyphs: Glyphs, *, role: Role, mirror: Mirror | None
) -> list[Line]:
    branch = "  " * (depth - 1) + f"{glyphs.corner} " if depth else ""
    lines = [Line(Kind.LAYER, name_of(layer), branch, layer, role, target, mirror)]
    if layer.data_store:
        lines.append(
            Line(Kind.LAYER, f"data in {name_of(layer.data_store)}", "  " * depth + "  ", layer.data_store)
        )
    return lines


def _fork(disk: Disk, mirror: Mirror, layers: tuple[Layer, ...], shared: int, glyphs: Glyphs) -> list[Line]:
    """Two chains on a common base: the one the guest uses, and the mirror beside it."""
    other = tuple(reversed(mirror.chain.layers))
    lines = [] if disk.chain.complete else [Line(Kind.UNKNOWN, "chain not known below")]
    below = len(lines)
    for depth, layer in enumerate(layers[:shared]):
        lines += _layer(disk.target, layer, depth + below, glyphs, role=Role.NONE, mirror=None)
    depth = shared + below
    lead = "  " * (depth - 1)
    for step, layer in enumerate(layers[shared:]):
        branch = (
            f"{lead}{glyphs.tee} "
            if step == 0
            else f"{lead}{glyphs.pipe} {'  ' * (step - 1)}{glyphs.corner} "
        )
        role = Role.ACTIVE if shared + step == len(layers) - 1 else Role.NONE
        lines.append(Line(Kind.LAYER, name_of(layer), branch, layer, role, disk.target))
    for step, layer in enumerate(other[shared:]):
        branch = f"{lead}{'  ' * step}{glyphs.corner} "
        top = shared + step == len(other) - 1
        role = Role.MIRROR if top else Role.NONE
        lines.append(
            Line(Kind.LAYER, name_of(layer), branch, layer, role, disk.target, mirror if top else None)
        )
    return lines


def _shared(ours: tuple[Layer, ...], theirs: tuple[Layer, ...], one: Chain, other: Chain) -> int:
    """How many layers from the base on are the same in both."""
    if one.complete is not other.complete:
        return 0
    count = 0
    for a, b in zip(ours[:-1], theirs[:-1], strict=False):
        if not _same(a, b):
            break
        count += 1
    return count


def _within(mirror: Mirror, layers: tuple[Layer, ...]) -> bool:
    """Whether the mirror is one of the disk's own layers, as for an active commit."""
    return mirror.destination is not None and any(_same(layer, mirror.destination) for layer in layers)


def _same(one: Layer, other: Layer) -> bool:
    return one.source == other.source


def mirror_words(mirror: Mirror) -> str:
    """What a mirror is doing, as far as the definition says."""
    job = "active commit" if mirror.job is MirrorJob.ACTIVE_COMMIT else "mirror"
    return {
        MirrorReady.NO: job,
        MirrorReady.YES: f"{job} in sync",
        MirrorReady.ABORT: f"{job} ending",
        MirrorReady.PIVOT: f"{job} pivoting",
    }[mirror.ready]
