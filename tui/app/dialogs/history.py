"""What has ended: every plan that was carried out from here, when, how long, how it ended, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Static

from tui.app.background import Background, Turn
from tui.app.dialogs.clipboard import copy_text
from tui.app.dialogs.dialog import Buttons, button
from tui.app.dialogs.flow import EMPTY, Flow, Line, heading, table
from tui.app.dialogs.list_with_details import ListWithDetails
from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.app.widgets.items import Items
from tui.app.widgets.records import STYLES, RecordsView, sign
from tui.engine.control import Level
from tui.engine.history import History, Past
from tui.model.figures import Figures
from tui.model.history import Record, Result
from tui.model.quantity import fine_duration, moment, size
from tui.model.text import counted

_NAME = 30
_HINT = "f only this domain  tab details  c copy  r read again"
_HINT_ALL = "f all domains  tab details  c copy  r read again"


class HistoryDialog(ListWithDetails):
    """Shows records, one under the cursor; only reads."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "history.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Close", show=False, id="history-close"),
        Binding("f", "only", "Only this domain, or all", show=False, id="history-only"),
        Binding("r,ctrl+r", "read", "Read again", show=False, id="history-read"),
        Binding("c,y", "copy", "Copy the details", show=False, id="history-copy"),
        Binding("tab,shift+tab,enter", "read_details", "Details, and back", show=False, id="history-details"),
    ]

    def __init__(
        self,
        history: History,
        background: Background,
        *,
        domain: str | None = None,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Read it in ``background``; begin at the latest record of a domain, whose UUID is given, if it has any."""
        super().__init__(glyphs)
        self._history = history
        self._background = background
        self._domain = domain
        self._only: Record | None = None
        """The record whose domain alone is shown."""
        self._turn = Turn()
        self._trouble: str | None = None
        self.past: Past | None = None
        self.records = RecordsView(glyphs=glyphs, id="records")
        self.details = Flow()

    def compose(self) -> ComposeResult:
        """The records, and below them all that is known of the one under the cursor."""
        yield from self.boxed(
            self._titled(),
            self.records,
            VerticalScroll(self.details, id="details"),
            Buttons(_HINT, button("Close", "leave")),
        )

    def on_mount(self) -> None:
        """Arrows go from one record to the next."""
        self.records.focus()
        self.action_read()

    def on_unmount(self) -> None:
        """An answer that comes now is for nobody."""
        self._turn.forget()

    # Reading

    def action_read(self) -> None:
        """Read the file; what is known stays until that is done."""
        only = self._turn.begin()
        self._background.do(self._history.read, only(self._take), only(self._fail))

    def _take(self, past: Past) -> None:
        first, self.past, self._trouble = self.past is None, past, past.complaint or None
        self.records.explain_emptiness("Nothing has ended yet: what you do is kept here once it has.")
        self._show()
        if first:
            about = (n for n, one in enumerate(self.records.items) if one.uuid == self._domain)
            self.records.move_to(next(about, 0))

    def _fail(self, why: str) -> None:
        self._trouble = why
        self._sum_up()

    def _show(self) -> None:
        past = self.past.records if self.past else ()
        latest_first = [one for one in reversed(past) if self._only is None or one.uuid == self._only.uuid]
        self.records.show(latest_first, nearest=True)
        self._sum_up()
        self._describe()

    def _titled(self) -> Content:
        count = len(self.records.items)
        parts = ["reading" if self.past is None else counted(count, "plan")]
        if self._only is not None:
            parts.append(f"only {shown(self._only.domain, width=_NAME).plain}")
        words = styled(f"  {'  '.join(parts)}", f"not bold {DIM}")
        trouble = shown(f"  {self.glyphs.warning} {self._trouble}", "not bold $text-warning")
        return join("History", words, trouble if self._trouble else "")

    def _sum_up(self) -> None:
        self.query_one("#title", Static).update(self._titled())
        self.query_one(Buttons).hint(_HINT if self._only is None else _HINT_ALL)

    # The one under the cursor

    @property
    def list_view(self) -> RecordsView:
        """The records."""
        return self.records

    @on(Items.Highlighted, "#records")
    def describe(self, event: Items.Highlighted) -> None:
        """The cursor is on another record."""
        event.stop()
        self._describe()

    def _describe(self) -> None:
        record = self.records.current
        self.details.show(record_lines(record, self.glyphs) if record else ())
        self.query_one("#details").scroll_home(animate=False)

    def action_only(self) -> None:
        """Show the plans of this domain alone, or those of all."""
        record = self.records.current
        if self._only is None and record is None:
            return
        self._only = record if self._only is None else None
        self._show()

    def action_copy(self) -> None:
        """Give all that is known of this one to the clipboard."""
        if self.records.current is None:
            self.news.say(Level.WARNING, "There is nothing here to copy.")
        else:
            copy_text(self.app, self.details.plain, "What is known of it was")


def record_lines(record: Record, glyphs: Glyphs) -> Iterator[Line]:
    """All that is known of one plan that has ended."""
    style = STYLES[record.result]
    yield Line(join(sign(record.result, glyphs), " "), shown(record.title, "bold"))
    yield Line(Content("  "), join(styled(record.result.value, style), *_remark(record)))
    yield EMPTY
    yield from table(
        [
            ("began", join(moment(record.begun), styled(", took ", DIM), fine_duration(record.took))),
            *_figures(record.figures),
            ("host", join(shown(record.hostname), styled(f"  {shown(record.uri).plain}", DIM))),
            ("domain", join(shown(record.domain), styled(f"  {shown(record.uuid).plain}", DIM))),
            ("plan", join(shown(record.plan), styled(f"  {shown(record.kind).plain}", DIM))),
            ("run by", shown(record.owner)),
        ]
    )
    if record.steps:
        yield EMPTY
        yield heading("Steps")
    width = len(str(len(record.steps)))
    for index, title in enumerate(record.steps):
        number = styled(f"{index + 1:{width}} ", DIM)
        yield Line(join(_step_sign(record, index, glyphs), " ", number), _step(record, index, title))


def _remark(record: Record) -> Iterator[Content | str]:
    if record.reached < len(record.steps):
        yield styled(f" at {record.progress}", DIM)
    if record.remark:
        yield join(styled(": ", DIM), shown(record.remark))


def _figures(figures: Figures) -> Iterator[tuple[str, Content]]:
    """What was measured; what was not has no line."""
    if figures.standstill is not None:
        by = ", as libvirt measured" if figures.downtime_ms is not None else ", as the host told"
        yield "stood still", join(fine_duration(figures.standstill), styled(by, DIM))
    if figures.total_ms is not None:
        setup = "" if figures.setup_ms is None else f", {fine_duration(figures.setup_ms / 1000)} to set up"
        words = styled(f", as libvirt measured{setup}", DIM)
        yield "on its way", join(fine_duration(figures.total_ms / 1000), words)
    if figures.memory is not None:
        rounds = "" if figures.rounds is None else f" in {figures.rounds} round{'s'[: figures.rounds != 1]}"
        yield "memory", join(size(figures.memory), styled(rounds, DIM))
    if figures.disks is not None:
        yield "disks", Content(size(figures.disks))


def _step_sign(record: Record, index: int, glyphs: Glyphs) -> Content:
    if index < record.reached:
        return styled(glyphs.good, STYLES[Result.DONE])
    return sign(record.result, glyphs) if index == record.reached else styled(glyphs.dot, DIM)


def _step(record: Record, index: int, title: str) -> Content:
    return shown(title, DIM if index > record.reached else "")
