"""The tree of snapshots as rows of text, for the screen and for the command line alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from tui.model.checkpoint import CheckpointDisk, KnownCheckpoint
from tui.model.domain import Domain
from tui.model.hierarchy import Hierarchy, KnownSnapshot, MirrorState, SnapshotView, worst
from tui.model.hierarchy_losses import losses
from tui.model.hierarchy_roles import LayerRole, layer_roles
from tui.model.mirrored_snapshot import Kind
from tui.model.quantity import size
from tui.model.snapshot_fill import FULL, fill_words
from tui.model.storage import Layer
from tui.model.text import counted, listed, printable


@dataclass(frozen=True, slots=True)
class Branches:
    """The signs that a tree is drawn with, each one cell wide."""

    corner: str = "└"
    tee: str = "├"
    pipe: str = "│"
    on: str = "↓"
    active: str = "◀"
    empty: str = "–"
    more: str = "…"


UNICODE_BRANCHES = Branches()
ASCII_BRANCHES = Branches(corner="`", tee="|", pipe="|", on="v", active="<", empty="-", more="~")

CURRENT = "current"
LOST = "lost"
MIRROR = "mirror"
"""What stands out of a snapshot: the live end comes after it; its state is not there any more; what is new goes to a
second place as well."""
LIVE = "now"
"""What the live end is called."""
MOST_INDENT = 40
"""Cells of a prefix that are drawn at most."""
_LONGEST = 60
MOST_STEPS = 6
"""Generations in a row that are drawn one to the right of the other."""


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One row: a snapshot, the live end, or a checkpoint."""

    prefix: str
    snapshot: KnownSnapshot | None
    """``None`` for what the guest writes now, and for a checkpoint."""
    name: str
    """These and all below can be shown as they stand."""
    kind: str = ""
    state: str = ""
    created: str = ""
    disks: str = ""
    """With the bytes that their overlays take, and how full their volumes are, where that is known."""
    mark: str = ""
    """The words for what stands out."""
    description: str = ""
    checkpoint: KnownCheckpoint | None = None

    lost: bool = False
    """Whether its state is not there any more, of one disk at least."""
    mirror: MirrorState | None = None
    """Of those that it has, the one that needs attention most."""

    @property
    def live(self) -> bool:
        """Whether it is what the guest writes now."""
        return self.snapshot is None and self.checkpoint is None

    @property
    def known_name(self) -> str | None:
        """Of the snapshot or the checkpoint, as the host has it; ``None`` for the live end."""
        known = self.snapshot or self.checkpoint
        return known.name if known else None

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns, the tree first."""
        return (
            self.prefix + self.name,
            self.kind,
            self.state,
            self.created,
            self.disks,
            self.mark,
            self.description,
        )


def tree_rows(
    view: SnapshotView,
    at: Callable[[int], str],
    signs: Branches = UNICODE_BRANCHES,
    *,
    longest: int | None = _LONGEST,
) -> tuple[TreeRow, ...]:
    """Draw the tree; what the guest writes now is a child of the current snapshot.

    Every generation is moved to the right, and every fork moves its branches. Of many snapshots in a row the later ones
    go straight on, each with a sign for that, so that hundreds stay readable.

    Args:
        view: the domain and its snapshots.
        at: how a time is written, from seconds since the epoch.
        signs: what is drawn with.
        longest: characters of a name or a description, as for ``printable``.
    """
    hierarchy = view.hierarchy
    return tuple(
        _live(prefix, view.domain, signs)
        if name is None
        else _row(prefix, hierarchy.by_name[name], view, at, signs, longest=longest)
        for prefix, name in _walk(hierarchy, signs)
    )


def _walk(hierarchy: Hierarchy, signs: Branches) -> Iterator[tuple[str, str | None]]:
    """Prefix and name of each row; no name is the live end."""
    current = hierarchy.current
    tops: list[str | None] = list(hierarchy.roots)
    if current is None:
        tops.append(None)
    # Prefix of the row, what the rows below it begin with, its name, and the only children in a row that it is one of.
    waiting: list[tuple[str, str, str | None, int]] = [("", "", top, 0) for top in reversed(tops)]
    while waiting:
        prefix, inset, name, row = waiting.pop()
        yield _cut(prefix, signs), name
        if name is None:
            continue
        below: list[str | None] = list(hierarchy.children.get(name, ()))
        if current is not None and name == current.name:
            below.append(None)
        inset = _shortened(inset)
        if len(below) == 1 and below[0] is not None and row >= MOST_STEPS:
            waiting.append((inset[:-2] + signs.on + " ", inset, below[0], row))
        elif len(below) == 1:
            waiting.append((f"{inset}{signs.corner} ", f"{inset}  ", below[0], row + 1))
        else:
            last = len(below) - 1
            for number in range(last, -1, -1):
                sign, line = (signs.corner, " ") if number == last else (signs.tee, signs.pipe)
                waiting.append((f"{inset}{sign} ", f"{inset}{line} ", below[number], 0))


def _cut(prefix: str, signs: Branches) -> str:
    return prefix if len(prefix) <= MOST_INDENT else signs.more + prefix[-MOST_INDENT + 1 :]


def _shortened(inset: str) -> str:
    """No more than will be seen: each of a thousand forks would make all rows below it longer."""
    return inset if len(inset) <= 2 * MOST_INDENT else inset[-2 * MOST_INDENT :]


def _row(
    prefix: str,
    snapshot: KnownSnapshot,
    view: SnapshotView,
    at: Callable[[int], str],
    signs: Branches,
    *,
    longest: int | None,
) -> TreeRow:
    lost = bool(losses(snapshot, view))
    mirror = worst(view.mirrors.get(snapshot.name, ()))
    marks = [CURRENT] if snapshot.current else []
    marks += [LOST] if lost else []
    marks += [f"{MIRROR} {mirror}"] if mirror else []
    return TreeRow(
        prefix,
        snapshot,
        printable(snapshot.name, longest),
        snapshot.kind.value,
        printable(snapshot.state or signs.empty, _LONGEST),
        signs.empty if snapshot.created is None else at(snapshot.created),
        ", ".join(_disks(snapshot, view)) or signs.empty,
        ", ".join(marks),
        printable(snapshot.description or "", longest),
        lost=lost,
        mirror=mirror,
    )


def _disks(snapshot: KnownSnapshot, view: SnapshotView) -> Iterator[str]:
    for disk in snapshot.disks:
        taken = view.sizes.get(disk.path or "")
        name = printable(disk.target, _LONGEST)
        if taken is not None:
            name += f" +{size(taken)}"
        part = view.filled.get(disk.base or "")
        if part is not None:
            words = fill_words(part)
            name += f" {words}" if words == FULL else f" filled {words}"
        yield name
    if snapshot.memory is Kind.EXTERNAL:
        taken = view.sizes.get(snapshot.memory_file or "")
        yield "memory" if taken is None else f"memory {size(taken)}"
    elif snapshot.memory is Kind.INTERNAL:
        yield "memory"


def _live(prefix: str, domain: Domain, signs: Branches) -> TreeRow:
    return TreeRow(
        prefix,
        None,
        f"{signs.active} {LIVE}",
        state=domain.state.value,
        disks=", ".join(
            printable(disk.target) for disk in domain.disks if not disk.empty and not disk.readonly
        ),
        mark="what the guest writes now" if domain.state.active else "what the guest starts from",
    )


def checkpoint_rows(
    view: SnapshotView,
    at: Callable[[int], str],
    signs: Branches = UNICODE_BRANCHES,
    *,
    longest: int | None = _LONGEST,
) -> Iterator[TreeRow]:
    """The checkpoints, which are no part of the tree."""
    for one in view.checkpoints or ():
        yield TreeRow(
            "",
            None,
            printable(one.name, longest),
            "checkpoint",
            created=signs.empty if one.created is None else at(one.created),
            disks=listed(map(bitmap_words, one.disks), _FEW, _LONGEST) or signs.empty,
            mark=f"after {printable(one.parent, longest)}" if one.parent else "",
            description=printable(one.description or "", longest),
            checkpoint=one,
        )


def bitmap_words(disk: CheckpointDisk) -> str:
    """A disk of a checkpoint, and its bitmap."""
    return f"{disk.target} bitmap {disk.bitmap}" if disk.bitmap else disk.target


def summary(view: SnapshotView) -> str:
    """How many snapshots there are, and checkpoints if there are any."""
    count, checkpoints = len(view.hierarchy.snapshots), len(view.checkpoints or ())
    words = "no snapshots" if not count else counted(count, "snapshot")
    return f"{words}, {counted(checkpoints, 'checkpoint')}" if checkpoints else words


def layer_lines(view: SnapshotView) -> Iterator[str]:
    """The chains of the domain, and what each image of them belongs to."""
    for target, roles in groupby(layer_roles(view), lambda role: role.target):
        yield f"{printable(target)}, active layer first:"
        for role in roles:
            yield _layer_line(role.layer, role_words(role), view)
        drive = view.domain.disk(target)
        if drive is not None and drive.mirror is not None:
            for layer in drive.mirror.chain.layers[:1]:
                yield _layer_line(layer, ["mirror of what is written now"], view)


def _layer_line(layer: Layer, words: list[str], view: SnapshotView) -> str:
    taken = view.sizes.get(layer.path)
    amount = f"  {size(taken)}" if taken is not None else ""
    known = printable(layer.format or "format not known")
    return f"  {printable(layer.path)}  {known}{amount}" + (f"  {'; '.join(words)}" if words else "")


def role_words(role: LayerRole) -> list[str]:
    """What an image belongs to."""
    words = ["active"] if role.active else []
    words += ["not there any more"] if role.missing else []
    words += [f"new since {_names(role.since)}"] if role.since else []
    words += [f"state of {_names(role.holds)}"] if role.holds else []
    words += [f"state of {_names(role.lost)} is lost"] if role.lost else []
    words += [f"inside: {_names(role.inside)}"] if role.inside else []
    words += [f"inside, unknown to libvirt: {_names(role.unknown)}"] if role.unknown else []
    return words


def _names(names: tuple[str, ...]) -> str:
    return listed(names, _FEW, _LONGEST)


_FEW = 6
