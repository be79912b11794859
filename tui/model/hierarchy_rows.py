"""The tree of snapshots as rows of text, for the screen and for the command line alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tui.model.domain import Domain
from tui.model.hierarchy import Hierarchy, KnownSnapshot, SnapshotView
from tui.model.hierarchy_roles import LayerRole, layer_roles
from tui.model.mirrored_snapshot import Kind
from tui.model.quantity import size
from tui.model.text import listed, printable


@dataclass(frozen=True, slots=True)
class Branches:
    """The signs that a tree is drawn with, each one cell wide."""

    corner: str = "└"
    tee: str = "├"
    pipe: str = "│"
    active: str = "◀"
    empty: str = "–"
    more: str = "…"


UNICODE_BRANCHES = Branches()
ASCII_BRANCHES = Branches(corner="`", tee="|", pipe="|", active="<", empty="-", more="~")

LIVE = "now"
"""What the live end is called."""
MOST_INDENT = 40
"""Cells of a prefix that are drawn at most."""


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One row: a snapshot, or the live end."""

    prefix: str
    snapshot: KnownSnapshot | None
    """``None`` for what the guest writes now."""
    name: str
    """These and all below can be shown as they stand."""
    kind: str = ""
    state: str = ""
    created: str = ""
    disks: str = ""
    """With the bytes that their overlays take, where they are known."""
    mark: str = ""
    description: str = ""

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
    view: SnapshotView, at: Callable[[int], str], signs: Branches = UNICODE_BRANCHES
) -> tuple[TreeRow, ...]:
    """Draw the tree; what the guest writes now is a child of the current snapshot.

    An only child stands below its parent without being moved to the right, so that hundreds of snapshots in a row
    stay readable; every fork moves its branches.

    Args:
        view: the domain and its snapshots.
        at: how a time is written, from seconds since the epoch.
        signs: what is drawn with.
    """
    hierarchy = view.hierarchy
    return tuple(
        _live(prefix, view.domain, signs)
        if name is None
        else _row(prefix, hierarchy.by_name[name], view, at, signs)
        for prefix, name in _walk(hierarchy, signs)
    )


def _walk(hierarchy: Hierarchy, signs: Branches) -> Iterator[tuple[str, str | None]]:
    """Prefix and name of each row; no name is the live end."""
    current = hierarchy.current
    if not hierarchy.snapshots:
        return
    tops: list[str | None] = list(hierarchy.roots)
    if current is None:
        tops.append(None)
    # Prefix of the row, what the rows below it begin with, its name, and whether it is an only child.
    waiting: list[tuple[str, str, str | None, bool]] = [("", "", top, False) for top in reversed(tops)]
    while waiting:
        prefix, inset, name, only = waiting.pop()
        yield _cut(prefix, signs), name
        if name is None:
            continue
        below: list[str | None] = list(hierarchy.children.get(name, ()))
        if current is not None and name == current.name:
            below.append(None)
        inset = _shortened(inset)
        if len(below) == 1:
            # Below an only child the line goes straight on.
            under = inset[:-2] if only else inset
            waiting.append((under + signs.corner + " ", under + "  ", below[0], True))
        else:
            last = len(below) - 1
            for number in range(last, -1, -1):
                sign, line = (signs.corner, " ") if number == last else (signs.tee, signs.pipe)
                waiting.append((f"{inset}{sign} ", f"{inset}{line} ", below[number], False))


def _cut(prefix: str, signs: Branches) -> str:
    return prefix if len(prefix) <= MOST_INDENT else signs.more + prefix[-MOST_INDENT + 1 :]


def _shortened(inset: str) -> str:
    """No more than will be seen: each of a thousand forks would make all rows below it longer."""
    return inset if len(inset) <= 2 * MOST_INDENT else inset[-2 * MOST_INDENT :]


def _row(
    prefix: str, snapshot: KnownSnapshot, view: SnapshotView, at: Callable[[int], str], signs: Branches
) -> TreeRow:
    return TreeRow(
        prefix,
        snapshot,
        printable(snapshot.name, _LONGEST),
        snapshot.kind.value,
        printable(snapshot.state or signs.empty, _LONGEST),
        signs.empty if snapshot.created is None else at(snapshot.created),
        ", ".join(_disks(snapshot, view)) or signs.empty,
        "current" if snapshot.current else "",
        printable(snapshot.description or "", _LONGEST),
    )


_LONGEST = 60


def _disks(snapshot: KnownSnapshot, view: SnapshotView) -> Iterator[str]:
    for disk in snapshot.disks:
        taken = view.sizes.get(disk.path or "")
        name = printable(disk.target, _LONGEST)
        yield name if taken is None else f"{name} +{size(taken)}"
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


def layer_lines(view: SnapshotView) -> Iterator[str]:
    """The chains of the domain, and what each image of them belongs to."""
    target = None
    for role in layer_roles(view.hierarchy, view.domain):
        if role.target != target:
            target = role.target
            yield f"{printable(target)}, active layer first:"
        words = role_words(role)
        taken = view.sizes.get(role.layer.path)
        amount = f"  {size(taken)}" if taken is not None else ""
        known = printable(role.layer.format or "format not known")
        yield f"  {printable(role.layer.path)}  {known}{amount}" + (f"  {'; '.join(words)}" if words else "")


def role_words(role: LayerRole) -> list[str]:
    """What an image belongs to."""
    words = ["active"] if role.active else []
    words += [f"new since {_names(role.since)}"] if role.since else []
    words += [f"state of {_names(role.holds)}"] if role.holds else []
    words += [f"inside: {_names(role.inside)}"] if role.inside else []
    return words


def _names(names: tuple[str, ...]) -> str:
    return listed(names, _FEW, _LONGEST)


_FEW = 6
