"""The snapshots of a domain, as a tree that ends in what the guest writes now."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.app.glyphs import DIM, STATE_STYLES, UNICODE, Glyphs
from tui.app.text import join, pad, shown, styled
from tui.app.widgets.items import Items
from tui.model.hierarchy import KnownSnapshot, SnapshotView
from tui.model.hierarchy_rows import ASCII_BRANCHES, LIVE, UNICODE_BRANCHES, TreeRow, tree_rows
from tui.model.quantity import moment, size
from tui.model.text import printable

_GAP = 2
_LEAST_NAME, _MOST_NAME = 16, 60
_TIME = 16
"""Cells: up to the minutes."""
_MOST_DISKS = 40
_FEW = 2


@dataclass(frozen=True, slots=True)
class SnapshotLine:
    """One line: a snapshot, or the live end."""

    row: TreeRow
    brief: str = ""
    """Its disks in a few words, with all the bytes that they take."""

    @property
    def snapshot(self) -> KnownSnapshot | None:
        """What is known of it; ``None`` for the live end."""
        return self.row.snapshot

    @property
    def live(self) -> bool:
        """Whether it is what the guest writes now."""
        return self.row.snapshot is None

    @property
    def name(self) -> str | None:
        """Of the snapshot; ``None`` for the live end."""
        return self.snapshot.name if self.snapshot else None


def snapshot_lines(view: SnapshotView, glyphs: Glyphs) -> tuple[SnapshotLine, ...]:
    """The tree."""
    rows = tree_rows(view, moment, ASCII_BRANCHES if glyphs.ascii else UNICODE_BRANCHES)
    return tuple(SnapshotLine(row, _brief(row.snapshot, view) if row.snapshot else row.disks) for row in rows)


def _brief(snapshot: KnownSnapshot, view: SnapshotView) -> str:
    targets = [printable(disk.target) for disk in snapshot.disks]
    names = ", ".join(targets) if len(targets) <= _FEW else f"{len(targets)} disks"
    places = (*(disk.path for disk in snapshot.disks), snapshot.memory_file)
    taken = [view.sizes[path] for path in places if path is not None and path in view.sizes]
    return f"{names} +{size(sum(taken))}" if taken else names


class SnapshotTree(Items[SnapshotLine]):
    """The lines; what has no room is left out, and stands beside or below in any case."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self._names = self._disks = self._briefly = self._kinds = self._states = 0

    HEADING = 1

    def key_of(self, item: SnapshotLine) -> Hashable:
        """The name; a domain has no two of the same."""
        return (item.live, item.name)

    def show(self, items: Sequence[SnapshotLine], *, nearest: bool = False) -> None:
        """As for all lists; columns are as wide as what is in them."""
        self._names = max((self._named(item).cell_length for item in items), default=0)
        self._disks = max((self._disks_of(item).cell_length for item in items), default=0)
        self._briefly = max((shown(item.brief).cell_length for item in items), default=0)
        self._kinds = max((len(self._kind(item)) for item in items), default=0)
        self._states = max((self._state(item).cell_length for item in items), default=0)
        super().show(items, nearest=nearest)

    @property
    def columns(self) -> dict[str, int]:
        """What fits, with widths, in the order in which it is drawn."""
        least = max(_LEAST_NAME, min(self._names, _MOST_NAME, self.width * 2 // 5))
        room = self.width - 2 - least
        chosen = {"snapshot": least}
        wanted = {
            "kind": max(self._kinds, len("kind")),
            "taken": _TIME,
            "disks": max(len("disks"), min(self._briefly, _MOST_DISKS)),
            "state": max(self._states, len("state")),
        }
        for column, cells in wanted.items():
            if room >= cells + _GAP:
                chosen[column] = cells
                room -= cells + _GAP
        if "disks" in chosen and self._briefly < self._disks <= chosen["disks"] + room:
            room -= self._disks - chosen["disks"]
            chosen["disks"] = self._disks
        chosen["snapshot"] += max(0, min(room, min(self._names, _MOST_NAME) - least))
        return {
            name: chosen[name] for name in ("snapshot", "kind", "state", "taken", "disks") if name in chosen
        }

    def draw_heading(self, line: int, width: int) -> Content:  # noqa: ARG002
        """The names of the columns, where there is anything in them."""
        if not self.items:
            return Content("")
        return self._line({name: Content(name) for name in self.columns})

    def draw(self, item: SnapshotLine, line: int, width: int) -> Content:  # noqa: ARG002
        """One snapshot, or the live end."""
        return self._line(
            {
                "snapshot": self._named(item),
                "kind": Content(self._kind(item)),
                "state": self._state(item),
                # Without seconds, rather than with a mark that something is cut.
                "taken": styled(item.row.created[:_TIME], DIM),
                "disks": self._disks_of(item)
                if self.columns.get("disks", 0) >= self._disks
                else styled(item.brief, DIM),
            }
        )

    def _line(self, cells: dict[str, Content]) -> Content:
        parts: list[Content | str] = [" "]
        for column, width in self.columns.items():
            parts += [pad(cells[column], width), " " * _GAP]
        return join(*parts[:-1])

    def _named(self, item: SnapshotLine) -> Content:
        """Branches, sign and name, and the word for what stands out."""
        glyphs, row = self.glyphs, item.row
        branch = styled(row.prefix, DIM)
        if row.snapshot is None:
            return join(branch, styled(f"{glyphs.active} {LIVE}", "$text-accent"))
        if not row.mark:
            return join(branch, styled(f"{glyphs.off} ", DIM), row.name)
        sign, word = f"{glyphs.running} ", f"  {row.mark}"
        return join(
            branch, styled(sign, "$text-success"), styled(row.name, "bold"), styled(word, "$text-success")
        )

    @staticmethod
    def _kind(item: SnapshotLine) -> str:
        return item.row.kind

    @staticmethod
    def _state(item: SnapshotLine) -> Content:
        row = item.row
        styles = {state.value: style for state, style in STATE_STYLES.items()}
        return styled(row.state, styles.get(row.state, DIM) if row.snapshot is None else DIM)

    @staticmethod
    def _disks_of(item: SnapshotLine) -> Content:
        return styled(item.row.disks, DIM)
