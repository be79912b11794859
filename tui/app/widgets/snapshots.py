"""The snapshots of a domain: libvirt's as a tree that ends in what the guest writes now, then what is only noted."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.app.glyphs import DIM, STATE_STYLES, UNICODE, Glyphs
from tui.app.text import join, pad, shown, styled
from tui.app.widgets.items import Items
from tui.model.hierarchy import KnownSnapshot, SnapshotView
from tui.model.hierarchy_rows import ASCII_BRANCHES, LIVE, UNICODE_BRANCHES, TreeRow, tree_rows
from tui.model.quantity import moment, size
from tui.model.snapshot_note import NotedSnapshot, parse_noted
from tui.model.text import printable
from tui.model.xml import InvalidXML

_GAP = 2
_LEAST_NAME, _MOST_NAME = 16, 60
_TIME = 16
"""Cells: up to the minutes."""
_MOST_DISKS = 40
_FEW = 2


@dataclass(frozen=True, slots=True)
class SnapshotLine:
    """One line: a snapshot that libvirt knows, the live end, or one that is only noted in the domain."""

    row: TreeRow | None
    noted: NotedSnapshot | None = None
    brief: str = ""
    """Its disks in a few words, with all the bytes that they take."""

    @property
    def snapshot(self) -> KnownSnapshot | None:
        """What libvirt knows."""
        return self.row.snapshot if self.row else None

    @property
    def live(self) -> bool:
        """Whether it is what the guest writes now."""
        return self.row is not None and self.row.snapshot is None

    @property
    def name(self) -> str | None:
        """Of the snapshot; ``None`` for the live end."""
        return self.noted.name if self.noted else self.snapshot.name if self.snapshot else None


def snapshot_lines(view: SnapshotView, glyphs: Glyphs) -> tuple[SnapshotLine, ...]:
    """The tree, and below it those that libvirt does not know."""
    rows = tree_rows(view, moment, ASCII_BRANCHES if glyphs.ascii else UNICODE_BRANCHES)
    noted = [one for one in notes_of(view) if view.hierarchy.get(one.name) is None]
    known = (
        SnapshotLine(row, brief=_brief(row.snapshot, view) if row.snapshot else row.disks) for row in rows
    )
    return (*known, *(SnapshotLine(None, one, ", ".join(disk.target for disk in one.disks)) for one in noted))


def _brief(snapshot: KnownSnapshot, view: SnapshotView) -> str:
    targets = [printable(disk.target) for disk in snapshot.disks]
    names = ", ".join(targets) if len(targets) <= _FEW else f"{len(targets)} disks"
    places = (*(disk.path for disk in snapshot.disks), snapshot.memory_file)
    taken = [view.sizes[path] for path in places if path is not None and path in view.sizes]
    return f"{names} +{size(sum(taken))}" if taken else names


def notes_of(view: SnapshotView) -> Iterator[NotedSnapshot]:
    """What the domain itself remembers; what cannot be read is somebody else's."""
    for text in view.domain.definition.noted_snapshots:
        try:
            yield parse_noted(text)
        except InvalidXML:
            continue


class SnapshotTree(Items[SnapshotLine]):
    """The lines; what has no room is left out, and stands beside or below in any case."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self._names = self._disks = self._briefly = self._kinds = self._states = 0

    HEADING = 1

    def key_of(self, item: SnapshotLine) -> Hashable:
        """The name; libvirt knows no two of the same."""
        return ("noted" if item.noted else "live" if item.live else "known", item.name)

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
        taken = moment(item.noted.created) if item.noted else item.row.created if item.row else ""
        return self._line(
            {
                "snapshot": self._named(item),
                "kind": Content(self._kind(item)),
                "state": self._state(item),
                # Without seconds, rather than with a mark that something is cut.
                "taken": styled(taken[:_TIME], DIM),
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
        glyphs = self.glyphs
        if item.noted:
            return join(styled(f"{glyphs.dot} ", DIM), shown(item.noted.name, width=_MOST_NAME))
        row = item.row
        if row is None:
            return Content("")
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
        if item.noted:
            return ", ".join(dict.fromkeys(disk.method.value for disk in item.noted.disks))
        return item.row.kind if item.row else ""

    @staticmethod
    def _state(item: SnapshotLine) -> Content:
        if item.noted:
            return styled("noted", DIM)
        row = item.row
        if row is None:
            return Content("")
        styles = {state.value: style for state, style in STATE_STYLES.items()}
        return styled(row.state, styles.get(row.state, DIM) if row.snapshot is None else DIM)

    @staticmethod
    def _disks_of(item: SnapshotLine) -> Content:
        if item.noted:
            return shown(", ".join(printable(disk.target) for disk in item.noted.disks), DIM)
        return styled(item.row.disks if item.row else "", DIM)
