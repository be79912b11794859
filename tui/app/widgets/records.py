"""The plans that have ended, a line each, the latest on top."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from textual.content import Content

from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, pad, shown, styled
from tui.app.widgets.items import Items
from tui.model.history import Record, Result
from tui.model.quantity import fine_duration, moment

STYLES = {
    Result.DONE: "$text-success",
    Result.FAILED: "$text-error",
    Result.CANCELLED: DIM,
    Result.TAKEN_BACK: "$text-warning",
    Result.LEFT: DIM,
}
_RESULT = max(len(result) for result in Result)
_TOOK = 6
_STILL = 7
_YEAR = 5
"""Cells of the year, which whoever has little room knows anyway."""
_SECONDS = 3
_MOST_NAME, _MOST_HOST = 18, 14
_WIDE = 100
"""Cells that have room for whole times, and for a column of the domains: titles name them too."""
_WITH_HOST = 116


def sign(result: Result, glyphs: Glyphs) -> Content:
    """How it ended, in one cell."""
    signs = {
        Result.DONE: glyphs.good,
        Result.FAILED: glyphs.bad,
        Result.CANCELLED: glyphs.cancelled,
        Result.TAKEN_BACK: glyphs.cancelling,
        Result.LEFT: glyphs.off,
    }
    return styled(signs[result], STYLES[result])


class RecordsView(Items[Record]):
    """The list."""

    HEADING = 1

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self._names = self._hosts = 0

    def key_of(self, item: Record) -> Hashable:
        """A plan that was resumed ended more than once."""
        return (item.plan, item.ended)

    def show(self, items: Sequence[Record], *, nearest: bool = False) -> None:
        """Show these; columns are as wide as what is in them needs."""
        names = max((shown(item.domain).cell_length for item in items), default=0)
        hosts = max((shown(item.hostname).cell_length for item in items), default=0)
        widths = (max(len("domain"), min(names, _MOST_NAME)), max(len("host"), min(hosts, _MOST_HOST)))
        if widths != (self._names, self._hosts):
            self._names, self._hosts = widths
            self.redraw()
        super().show(items, nearest=nearest)

    def draw_heading(self, line: int, width: int) -> Content:  # noqa: ARG002
        """What the columns are."""
        result, time, domain, host, title, took, still = map(
            Content, ("  ended", "began", "domain", "host", "plan", "took", "still")
        )
        return self._row(width, (result, time, domain, host, title, took, still))

    def draw(self, item: Record, line: int, width: int) -> Content:  # noqa: ARG002
        """One of them."""
        still = item.figures.standstill
        cells = (
            join(sign(item.result, self.glyphs), " ", styled(item.result.value, STYLES[item.result])),
            styled(self._time(item, width), DIM),
            shown(item.domain, "bold"),
            shown(item.hostname, DIM),
            shown(item.title),
            Content(fine_duration(item.took)),
            styled(self.glyphs.empty, DIM) if still is None else Content(fine_duration(still)),
        )
        return self._row(width, cells)

    @staticmethod
    def _time(item: Record, width: int) -> str:
        at = moment(item.begun)
        return at[:-_SECONDS] if width >= _WIDE else at[_YEAR:-_SECONDS]

    def _row(
        self, width: int, cells: tuple[Content, Content, Content, Content, Content, Content, Content]
    ) -> Content:
        result, time, domain, host, title, took, still = cells
        wide = width >= _WIDE
        columns = [pad(result, _RESULT + 2), pad(time, len(moment(0)) - _SECONDS - (0 if wide else _YEAR))]
        if wide:
            columns.append(pad(domain, self._names))
        if width >= _WITH_HOST:
            columns.append(pad(host, self._hosts))
        ends = [pad(took, _TOOK, right=True), pad(still, _STILL, right=True)]
        taken = sum(column.cell_length + 2 for column in (*columns, *ends)) + 2
        columns = [*columns, pad(title, max(0, width - taken)), *ends]
        return join(" ", Content("  ").join(columns))
