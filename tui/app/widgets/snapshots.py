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
_LEAST_NAME, _MOST_NAME = 16, 60
_SHORTEST = 10
"""Cells of a name that are left of it where its branches and its mark take the rest."""
_TIME = 16
"""Cells: up to the minutes."""
_WITH_STATE = 84
"""Cells that have room for the state as well. Names have no say in it: columns that come and go puzzle."""
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
        self._least = self._names = self._disks = self._kinds = self._states = 0

    HEADING = 1

    def key_of(self, item: TreeRow) -> Hashable:
        """What it is and the name; a domain has no two of the same."""
        return (item.live, item.checkpoint is not None, item.known_name)

    def show(self, items: Sequence[TreeRow], *, nearest: bool = False) -> None:
        """As for all lists; columns are as wide as what is in them."""
        names = [(self._named(item).cell_length, shown(item.name).cell_length) for item in items]
        self._names = max((whole for whole, _ in names), default=0)
        self._least = max((whole - max(0, name - _SHORTEST) for whole, name in names), default=0)
        self._disks = max((self._disks_of(item).cell_length for item in items), default=0)
        self._kinds = max((len(item.kind) for item in items), default=0)
        self._states = max((self._state(item).cell_length for item in items), default=0)
        super().show(items, nearest=nearest)

    @property
    def columns(self) -> dict[str, int]:
        """What fits, with widths, in the order in which it is drawn."""
        least = min(max(_LEAST_NAME, self._least), self.width * 2 // 5)
        room = self.width - 1 - least
        chosen = {"snapshot": least}
        wanted = {
            "kind": self._kinds,
            "taken": _TIME,
            "disks": min(self._disks, _LEAST_DISKS),
            **({"state": self._states} if self.width >= _WITH_STATE else {}),
        }
        for column, needed in wanted.items():
            cells = max(len(column), needed)
            if room >= cells + _GAP:
                chosen[column] = cells
                room -= cells + _GAP
        fair = min(self._names, max(least, self.width // 3))
        for column, most in (
            ("disks", min(self._disks, _FAIR_DISKS)),
            ("snapshot", fair),
            ("disks", min(self._disks, _MOST_DISKS)),
            ("snapshot", min(self._names, _MOST_NAME)),
        ):
            if column in chosen:
                more = max(0, min(room, most - chosen[column]))
                chosen[column] += more
                room -= more
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
                "taken": styled(item.created[:_TIME], DIM),
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
