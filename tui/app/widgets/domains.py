"""The table of domains and their disks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.style import Style

from tui.app.glyphs import DIM, PHASE_STYLES, STATE_STYLES, UNICODE, Glyphs
from tui.app.rows import Column, DiskKey, Order, Row, arranged, matching
from tui.app.text import join, pad, shown, shown_middle, styled
from tui.app.widgets import migrations
from tui.app.widgets.filter import FilterBox
from tui.app.widgets.items import Items
from tui.model.finding import Severity
from tui.model.host import Link
from tui.model.job import Job, Phase
from tui.model.quantity import size

_WIDTHS = {Column.HOST: 10, Column.STATE: 9, Column.DISK: 6, Column.SIZE: 8, Column.IMAGE: 9, Column.JOB: 13}
_MIN_NAME = 13
_MAX_NAME = 40
_GAP = 2
_MARKS = 3


def job_words(job: Job, glyphs: Glyphs) -> str:
    """A job in a table cell, as ``⇉ 63 %``."""
    percent = "" if job.percent is None else f" {job.percent} %"
    words = percent.strip() or "copying" if job.phase is Phase.COPYING else job.phase.value
    return f"{glyphs.phase(job.phase)} {words}"


class DomainTable(Items[Row]):
    """One row per disk under a heading that sorts."""

    HEADING = 1

    @dataclass
    class SortAsked(Message):
        """A heading was clicked."""

        column: Column

    @dataclass
    class FilterLeft(Message):
        """The filter is being left by moving into the list."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty, sorted by name."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.order = Order()
        self.tags: frozenset[DiskKey] = frozenset()
        self.several_hosts = False

    def key_of(self, item: Row) -> Hashable:
        """Host, domain and disk."""
        return item.key

    def replaces(self, item: Row, key: Hashable) -> bool:
        """A domain stands there without disks until its definition has been read."""
        return key == (item.number, item.uuid, "")

    @property
    def columns(self) -> list[tuple[Column, int]]:
        """What fits, with widths; what is left over goes to the name, and then to the path."""
        room = self.width - _MARKS - _MIN_NAME - 1
        chosen: dict[Column, int] = {Column.NAME: _MIN_NAME}
        wanted = [Column.DISK, Column.JOB, Column.STATE, Column.SIZE, Column.IMAGE]
        if self.several_hosts:
            wanted.insert(2, Column.HOST)
        for column in wanted:
            if room >= _WIDTHS[column] + _GAP:
                chosen[column] = _WIDTHS[column]
                room -= _WIDTHS[column] + _GAP
        if room >= _MIN_NAME + _GAP + _MIN_NAME // 2:
            more = min(_MAX_NAME - _MIN_NAME, room // 3)
            chosen[Column.NAME] += more
            chosen[Column.PATH] = room - more - _GAP
        else:
            chosen[Column.NAME] += max(0, room)
        return [(column, chosen[column]) for column in Column if column in chosen]

    def draw_heading(self, line: int, width: int) -> Content:  # noqa: ARG002
        """The names of the columns, with an arrow at the one that sorts."""
        parts: list[Content | str] = [" " * _MARKS]
        for column, cells in self.columns:
            text = column.value
            style = Style.from_meta({"column": column.value})
            if column is self.order.column:
                text = f"{text} {self.glyphs.down if self.order.descending else self.glyphs.up}"
            content = pad(Content.styled(text, style), cells, right=column is Column.SIZE)
            if column is self.order.column:
                content = content.stylize("$text-primary")
            parts += [content, " " * _GAP]
        return join(*parts[:-1])

    def draw(self, item: Row, line: int, width: int) -> Content:  # noqa: ARG002
        """One disk."""
        glyphs = self.glyphs
        known = item.link is Link.LIVE
        tag = styled(glyphs.tag, "bold $text-accent") if item.key in self.tags else " "
        sign = " "
        if item.first:
            sign = glyphs.state(item.state) if known else glyphs.unknown
        parts: list[Content | str] = [tag, styled(sign, STATE_STYLES[item.state] if known else DIM), " "]
        for column, cells in self.columns:
            parts += [pad(self._cell(item, column, cells), cells), " " * _GAP]
        content = join(*parts[:-1])
        return content if known else content.stylize(DIM)

    def _cell(self, row: Row, column: Column, cells: int) -> Content:  # noqa: PLR0911  one for each column
        plain = "" if row.state.active else DIM
        match column:
            case Column.NAME:
                return shown(row.name, plain or "$foreground", width=cells) if row.first else Content("")
            case Column.HOST:
                return shown(row.host, DIM, width=cells) if row.first else Content("")
            case Column.STATE:
                return shown(row.standing, STATE_STYLES[row.state], width=cells) if row.first else Content("")
            case Column.DISK:
                return shown(row.target or self.glyphs.empty, plain, width=cells)
            case Column.SIZE:
                return pad(styled(size(row.capacity) if row.disk else "", DIM), cells, right=True)
            case Column.IMAGE:
                return shown(row.image, DIM, width=cells)
            case Column.PATH:
                return shown_middle(row.path, DIM, width=cells)
            case Column.JOB if row.migration or row.arriving_from:
                return self._way_cell(row, cells)
            case Column.JOB:
                return self._job_cell(row)

    def _way_cell(self, row: Row, cells: int) -> Content:
        """It is the domain that goes or comes, and its disks with it."""
        if not row.first:
            return Content("")
        if row.migration:
            return styled(migrations.cell(row.migration, self.glyphs), migrations.STYLE)
        return shown(f"from {row.arriving_from}", migrations.STYLE, width=cells)

    def _job_cell(self, row: Row) -> Content:
        if row.interrupted:
            return styled(f"{self.glyphs.severity(Severity.WARNING)} interrupted", "$text-warning")
        if row.leftover:
            return styled(f"{self.glyphs.severity(Severity.WARNING)} left over", "$text-warning")
        if row.queued is not None and (row.job is None or row.job.phase.ended):
            return styled(f"{self.glyphs.off} queued {row.queued}", DIM)
        if row.job is None:
            return styled("mirror", DIM) if row.disk and row.disk.mirror else Content("")
        if row.below:
            return styled(f"{self.glyphs.copying} {row.below.words}", PHASE_STYLES[Phase.COPYING])
        return styled(job_words(row.job, self.glyphs), PHASE_STYLES[row.job.phase])

    def on_click(self, event: events.Click) -> None:
        """Sort by the heading that was clicked."""
        if column := event.style.meta.get("column"):
            event.stop()
            self.post_message(self.SortAsked(Column(column)))


class DomainsPanel(Vertical):
    """The table with its filter, its tags and its title."""

    BORDER_TITLE = "Domains"

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.table = DomainTable(glyphs=glyphs, id="domain-table")
        self.box = FilterBox(
            "filter: a part of anything in a row, ! for what does not match", id="domain-filter"
        )
        self.glyphs = glyphs
        self.rows: Sequence[Row] = ()
        self._waiting = 0

    def compose(self) -> ComposeResult:
        """The table over the line of the filter."""
        yield self.table
        yield self.box

    def show(self, rows: Sequence[Row], *, several_hosts: bool = False, waiting: int = 0) -> None:
        """Show the disks of all hosts; ``waiting`` domains are still to be read."""
        self.rows = rows
        self._waiting = waiting
        if several_hosts != self.table.several_hosts:
            self.table.several_hosts = several_hosts
            self.table.redraw()
        present = {row.key for row in rows}
        self.table.tags &= present
        self._arrange()

    def go_to(self, disk: DiskKey) -> None:
        """Put the cursor on a disk, and take a filter away that hides it."""
        if all(row.key != disk for row in self.table.items):
            self.box.action_clear()
            self._arrange()
        found = next((n for n, row in enumerate(self.table.items) if row.key == disk), None)
        if found is not None:
            self.table.move_to(found)

    @property
    def tagged(self) -> list[Row]:
        """The rows that carry a tag, whether they are in view or filtered away."""
        return [row for row in self.rows if row.key in self.table.tags]

    def toggle_tag(self) -> None:
        """Tag or untag the disk under the cursor, and go on to the next of the domain."""
        row = self.table.current
        if row is None or row.disk is None:
            return
        self.table.tags ^= {row.key}
        below = self.table.items[(self.table.index or 0) + 1 :][:1]
        if below and (below[0].number, below[0].uuid) == (row.number, row.uuid):
            self.table.action_cursor_down()
        self._arrange()

    def tag_domain(self) -> None:
        """Tag all disks of the domain under the cursor that can be moved, or untag them; go on to the next domain."""
        row = self.table.current
        if row is None:
            return
        domain = (row.number, row.uuid)
        disks = {one.key for one in self.rows if (one.number, one.uuid) == domain and one.movable}
        self.table.tags = self.table.tags - disks if disks <= self.table.tags else self.table.tags | disks
        items = self.table.items
        below = range((self.table.index or 0) + 1, len(items))
        following = next((n for n in below if (items[n].number, items[n].uuid) != domain), None)
        if following is not None:
            self.table.move_to(following)
        self._arrange()

    def untag(self, disks: AbstractSet[DiskKey] | None = None) -> None:
        """Forget the tags of these disks, or all."""
        self.table.tags = frozenset() if disks is None else self.table.tags - disks
        self._arrange()

    def sort(self, column: Column) -> None:
        """Sort by a column; by the same one again the other way round."""
        same = column is self.table.order.column
        self.table.order = self.table.order.inverted if same else Order(column)
        self._arrange()
        self.table.refresh()

    def sort_beside(self, step: int) -> None:
        """Sort by the column to the left or right of the one that sorts now."""
        columns = [column for column, _ in self.table.columns]
        now = columns.index(self.table.order.column) if self.table.order.column in columns else 0
        self.table.order = Order(columns[(now + step) % len(columns)])
        self._arrange()
        self.table.refresh()

    def invert(self) -> None:
        """Sort the other way round."""
        self.sort(self.table.order.column)

    @on(DomainTable.SortAsked)
    def sort_by_heading(self, event: DomainTable.SortAsked) -> None:
        """A heading was clicked."""
        event.stop()
        self.sort(event.column)

    @on(FilterBox.Changed)
    def narrow(self, event: FilterBox.Changed) -> None:
        """What is typed takes effect at once."""
        event.stop()
        self._arrange(nearest=True)

    @on(FilterBox.Left)
    def return_to_table(self, event: FilterBox.Left) -> None:
        """The user is done with typing."""
        event.stop()
        self.table.focus()

    def _arrange(self, *, nearest: bool = False) -> None:
        rows = arranged(matching(self.rows, self.box.value), self.table.order)
        self.table.show(rows, nearest=nearest)
        domains = len({(row.number, row.uuid) for row in self.rows})
        title = f"Domains {domains}"
        if self.box.value:
            title = f"Domains {len({(row.number, row.uuid) for row in rows})}/{domains}"
        if self._waiting:
            title += f"  reading {self._waiting} more"
        self.border_title = Content(title)
        notes = [f"{len(self.table.tags)} tagged"] if self.table.tags else []
        subtitle: Content | None = Content(f" {self.glyphs.dot} ".join(notes)) if notes else None
        if self.box.value:
            note = shown(self.box.value, "$text-accent", width=30)
            subtitle = join("filter ", note, *(f" {self.glyphs.dot} {n}" for n in notes))
        self.border_subtitle = subtitle
