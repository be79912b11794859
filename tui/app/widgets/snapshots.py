"""The snapshots of a domain, as a tree that ends in what the guest writes now, and its checkpoints below."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from textual.content import Content

from tui.app.glyphs import DIM, MIRROR_STYLES, STATE_STYLES, UNICODE, Glyphs
from tui.app.text import ELLIPSIS, join, pad, shown, styled
from tui.app.widgets.items import Items
from tui.model.hierarchy import SnapshotView
from tui.model.hierarchy_rows import (
    ASCII_BRANCHES,
    CURRENT,
    LIVE,
    LOST,
    MIRROR,
    UNICODE_BRANCHES,
    TreeRow,
    checkpoint_rows,
    tree_rows,
)
from tui.model.quantity import moment

_GAP = 2
_LEAST_NAME = 16
_TIME, _DATE = 16, 10
"""Cells: up to the minutes, or the day alone."""
_WITH_STATE = 84
"""Cells that have room for the state as well."""
_LEAST_DISKS, _FAIR_DISKS, _MOST_DISKS = 10, 17, 60


def snapshot_lines(view: SnapshotView, glyphs: Glyphs) -> tuple[TreeRow, ...]:
    """The tree, and the checkpoints, which are no part of it."""
    signs = ASCII_BRANCHES if glyphs.ascii else UNICODE_BRANCHES
    return (*tree_rows(view, moment, signs), *checkpoint_rows(view, moment, signs))


class SnapshotTree(Items[TreeRow]):
    """The lines; what has no room is cut, and stands beside or below in any case."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self._names = self._disks = self._kinds = self._states = 0

    HEADING = 1

    def key_of(self, item: TreeRow) -> Hashable:
        """What it is and the name; a domain has no two of the same."""
        return (item.live, item.checkpoint is not None, item.known_name)

    def show(self, items: Sequence[TreeRow], *, nearest: bool = False) -> None:
        """As for all lists; columns are as wide as what is in them."""
        self._names = max((self._named(item).cell_length for item in items), default=0)
        self._disks = max((self._disks_of(item).cell_length for item in items), default=0)
        self._kinds = max((len(item.kind) for item in items), default=0)
        self._states = max((self._state(item).cell_length for item in items), default=0)
        super().show(items, nearest=nearest)

    @property
    def columns(self) -> dict[str, int]:
        """What fits, with widths, in the order in which it is drawn.

        Nobody can tell snapshots apart without their names, and the rest stands in the details as well: so it gives way
        to the longest name: the state first, then the time, the disks, and the kind last.
        """
        chosen = {"snapshot": min(max(_LEAST_NAME, self._names), max(0, self.width - 1))}
        room = self.width - 1 - chosen["snapshot"]
        # From what is kept longest on, each with the widths that do, the best one first.
        wanted = {
            "kind": (self._kinds,),
            "disks": (min(self._disks, _FAIR_DISKS), min(self._disks, _LEAST_DISKS)),
            "taken": (_TIME, _DATE),
            **({"state": (self._states,)} if self.width >= _WITH_STATE else {}),
        }
        for column, widths in wanted.items():
            fitting = (cells for cells in widths if max(len(column), cells) + _GAP <= room)
            cells = next(fitting, None)
            if cells is None:
                break
            chosen[column] = max(len(column), cells)
            room -= chosen[column] + _GAP
        if "disks" in chosen:
            more = min(self._disks, _MOST_DISKS) - chosen["disks"]
            chosen["disks"] += max(0, min(room, more))
        return {
            name: chosen[name] for name in ("snapshot", "kind", "state", "taken", "disks") if name in chosen
        }

    def draw_heading(self, line: int, width: int) -> Content:  # noqa: ARG002
        """The names of the columns, where there is anything in them."""
        if not self.items:
            return Content("")
        return self._line({name: Content(name) for name in self.columns})

    def draw(self, item: TreeRow, line: int, width: int) -> Content:  # noqa: ARG002
        """One snapshot, the live end, or a checkpoint."""
        columns = self.columns
        return self._line(
            {
                "snapshot": self._named(item, columns["snapshot"]),
                "kind": Content(item.kind),
                "state": self._state(item),
                # Without seconds, rather than with a mark that something is cut.
                "taken": styled(item.created[: columns.get("taken")], DIM),
                "disks": self._disks_of(item, columns.get("disks")),
            }
        )

    def _line(self, cells: dict[str, Content]) -> Content:
        parts: list[Content | str] = [" "]
        for column, width in self.columns.items():
            parts += [pad(cells[column], width), " " * _GAP]
        return join(*parts[:-1])

    def _named(self, item: TreeRow, width: int | None = None) -> Content:
        """Branches, sign and name, and the words for what stands out; in ``width`` cells the name gives way."""
        glyphs = self.glyphs
        branch = styled(item.prefix, DIM)
        if item.live:
            return join(branch, styled(f"{glyphs.active} {LIVE}", "$text-accent"))
        current = item.snapshot is not None and item.snapshot.current
        sign = glyphs.tag if item.checkpoint else glyphs.running if current else glyphs.off
        lead = join(branch, styled(f"{sign} ", "$text-success" if current else DIM))
        word = styled(f"  {CURRENT}" if current else "", "$text-success")
        if item.lost:
            lead = join(branch, styled(f"{glyphs.bad} ", "$text-error"))
            word = join(word, styled(f"  {LOST}", "$text-error"))
        if item.mirror:
            # The sign says how far it is; the details have a word for that.
            word = join(word, styled(f"  {glyphs.mirror(item.mirror)} {MIRROR}", MIRROR_STYLES[item.mirror]))
        room = None if width is None else max(1, width - lead.cell_length - word.cell_length)
        return join(lead, shown(item.name, "bold" if current else "", width=room), word)

    @staticmethod
    def _state(item: TreeRow) -> Content:
        styles = {state.value: style for state, style in STATE_STYLES.items()}
        return styled(item.state, styles.get(item.state, DIM) if item.live else DIM)

    @staticmethod
    def _disks_of(item: TreeRow, width: int | None = None) -> Content:
        """Its disks, in ``width`` cells as many as are told whole: half a number would be another one."""
        text = item.disks
        shorter = _shorter(text)
        while width is not None and Content(text).cell_length > width and (less := next(shorter, None)):
            text = less
        return styled(text, DIM)


def _shorter(disks: str) -> Iterator[str]:
    """Ever fewer disks, and at last the first one by its name alone."""
    while ", " in disks:
        disks = disks.rpartition(", ")[0]
        yield f"{disks}, {ELLIPSIS}"
    yield f"{disks.partition(' ')[0]} {ELLIPSIS}"
