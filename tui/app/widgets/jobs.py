"""The jobs of all hosts: where they are, where they are going, and the buttons that end them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from textual import events
from textual.content import Content
from textual.style import Style

from tui.app.commands import BY_ID
from tui.app.glyphs import DIM, PHASE_STYLES, UNICODE, Glyphs
from tui.app.rows import DiskKey
from tui.app.text import join, pad, shown, shown_middle, styled
from tui.app.verbs import BUTTONS, out_of_place, ways_on, why_not, why_not_in_plan, why_not_recovered
from tui.app.widgets import interrupted, migrations
from tui.app.widgets.gauges import bar, percentage, sparkline
from tui.app.widgets.interrupted import InterruptedRow
from tui.app.widgets.items import Items
from tui.app.widgets.job_words import ended_words, running_words, short
from tui.app.widgets.migrations import MigrationRow
from tui.model.finding import Severity
from tui.model.forecast import forecast
from tui.model.headway import Below
from tui.model.job import Job, Phase
from tui.model.journal import Entry
from tui.model.quantity import UNKNOWN, progress_size, rate

_WIDE = 100
"""Cells from which a job fits in two lines; below it takes three."""
_PHASE = 11
_SIZES = 14
_RATE = 11
_SPARK = 10
_MOST_BAR = 36
_LEAST_BAR = 8
_MOST_NAME = 34
_LEAST_NAME = 12
_LEAST_PLACE = 14
_HELP = {command.id: command.help for command in BY_ID.values()}
_Standing = tuple[str, str, str, int | None]
_TAIL = {True: 5 + _SIZES + _RATE + _SPARK + 8, False: 5 + _SIZES + 4}
"""Cells of the numbers behind the bar, with the speed and without."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job and the host it runs on."""

    number: int
    """Which of the connected hosts."""
    host: str
    job: Job
    plan: Entry | None = None
    """The plan in progress that it is a part of."""
    copied: int | None = None
    """How much of the image is copied that the plan is at, in percent, where this program does it."""
    below: Below | None = None
    """What that plan has still to do below a mirror that is in sync."""
    interrupted: bool = False
    """Whether nobody carries that plan on any more."""
    barred: Mapping[str, str] = field(default_factory=dict)
    """What cannot be done with it then, resume or undo, and why."""

    @property
    def disk(self) -> DiskKey:
        """The disk it is a job of."""
        return (self.number, *self.job.key)

    @property
    def key(self) -> tuple[int, int]:
        """This very job, not a later one of the same disk."""
        return (self.number, self.job.number)


AnyRow = JobRow | MigrationRow | InterruptedRow


class JobsView(Items[AnyRow]):
    """Two or three lines for each job."""

    BORDER_TITLE = "Jobs"

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.read_only: frozenset[int] = frozenset()
        """The hosts whose buttons are dead."""
        self.several_hosts = False

    @property
    def lines_per_item(self) -> int:
        """Two where there is room, else three."""
        return 2 if self.width >= _WIDE else 3

    def key_of(self, item: AnyRow) -> Hashable:
        """The host and the job's number, its domain, or its plan."""
        return item.key

    def replaces(self, item: AnyRow, key: Hashable) -> bool:
        """A migration that has ended stands where it ran."""
        ended = isinstance(item, MigrationRow) and item.ended is not None
        return ended and key == (item.number, item.disk[1])

    def show_jobs(self, rows: Sequence[AnyRow], *, nearest: bool = False) -> None:
        """Show the jobs, and how many of them run and wait."""
        self.show(rows, nearest=nearest)
        jobs = [row for row in rows if isinstance(row, JobRow)]
        ended = sum(_has_ended(row) for row in rows)
        waiting = sum(row.job.pivotable and row.below is None for row in jobs if not row.job.phase.ended)
        words = f"Jobs {len(rows) - ended}" if len(rows) > ended else "Jobs"
        if waiting:
            words += f" {self.glyphs.dot} {waiting} in sync"
        if ended:
            words += f" {self.glyphs.dot} {ended} ended"
        self.border_title = Content(words)

    def draw(self, item: AnyRow, line: int, width: int) -> Content:
        """One line of a job."""
        if not isinstance(item, JobRow):
            return self._draw_other(item, line, width)
        buttons = self._buttons(item)
        if self.lines_per_item == 2:  # noqa: PLR2004
            if line == 0:
                room = width - buttons.cell_length - 1
                return join(pad(self._progress(item, room - 1, wide=True), room), buttons)
            return self._outlook(item, width)
        if line == 0:
            return self._progress(item, width, wide=False)
        told, more = self._told(self._words(item), width - 4, ended=item.job.phase.ended)
        if line == 1:
            return join("   ", told)
        return join("   ", buttons, "  ", more or self._way(item, width - buttons.cell_length - 6))

    def _progress(self, row: JobRow, width: int, *, wide: bool) -> Content:
        """Name, phase, bar and numbers, in columns that all jobs share."""
        job = row.job
        cells = self._name_cells(width, wide=wide)
        target = shown(job.target, width=12)
        name = join(shown(job.domain, "bold", width=cells - target.cell_length - 1), " ", target)
        return self._line(name, self._standing(row), self._numbers(row, wide=wide), width, wide=wide)

    def _name_cells(self, width: int, *, wide: bool) -> int:
        longest = max((_name_cells(other, self.glyphs) for other in self.items), default=0)
        room = width - _TAIL[wide] - _PHASE - _LEAST_BAR - 8
        return max(_LEAST_NAME, min(longest, room, _MOST_NAME))

    def _line(
        self, name: Content, standing: _Standing, numbers: list[Content], width: int, *, wide: bool
    ) -> Content:
        sign, word, style, filled = standing
        tail = sum(n.cell_length + 2 for n in numbers)
        cells = self._name_cells(width, wide=wide)
        head = join(" ", styled(sign, style), " ", pad(name, cells), "  ", pad(styled(word, style), _PHASE))
        room = width - head.cell_length - tail - 1
        if room >= _LEAST_BAR and numbers:
            numbers.insert(0, bar(filled, min(room - 2, _MOST_BAR), self.glyphs, style))
        return join(head, *(part for number in numbers for part in ("  ", number)))

    def _draw_other(self, row: MigrationRow | InterruptedRow, line: int, width: int) -> Content:
        """The same lines for a domain on its way to another host, or a plan that was cut off."""
        wide = self.lines_per_item == 2  # noqa: PLR2004
        buttons = self._buttons(row)
        if line == 0:
            room = width - buttons.cell_length - 1 if wide else width
            progress = self._other_progress(row, room - 1 if wide else room, wide=wide)
            return join(pad(progress, room), buttons) if wide else progress
        host = [shown(row.host, DIM, width=20)] if self.several_hosts else []
        words = self._other_words(row, wide=wide)
        told, more = self._told([*host, *words], width - 4, ended=_has_ended(row))
        if wide:
            return join("   ", told, " ", more)
        return join("   ", told) if line == 1 else join("   ", buttons, "  ", more)

    def _other_words(self, row: MigrationRow | InterruptedRow, *, wide: bool) -> Iterable[Content]:
        if isinstance(row, InterruptedRow):
            return interrupted.words(row)
        if row.ended is not None:
            return migrations.ended_words(row.ended, self.glyphs)
        return migrations.words(row.migration, self.glyphs, wide=wide)

    def _other_progress(self, row: MigrationRow | InterruptedRow, width: int, *, wide: bool) -> Content:
        if isinstance(row, MigrationRow):
            return self._migration_progress(row, width, wide=wide)
        name = interrupted.name(row, self._name_cells(width, wide=wide))
        how = (self.glyphs.warning, "interrupted", interrupted.STYLE, None)
        head = self._line(name, how, [], width, wide=wide)
        return join(
            head, "  ", shown(interrupted.place(row.plan), width=max(4, width - head.cell_length - 2))
        )

    def _migration_progress(self, row: MigrationRow, width: int, *, wide: bool) -> Content:
        migration = row.migration
        name = migrations.name(migration, self.glyphs, self._name_cells(width, wide=wide))
        if row.ended is not None:
            phase = row.ended.phase
            how = (self.glyphs.phase(phase), phase.value, PHASE_STYLES[phase], None)
            return self._line(name, how, [], width, wide=wide)
        standing = (self.glyphs.to, migrations.word(migration), migrations.STYLE, migration.percent)
        numbers = [
            percentage(migration.percent, self.glyphs),
            Content(f"{migrations.amount(migration):>{_SIZES}}"),
        ]
        if migration.percent is None:
            numbers = [Content(" " * (5 + 2 + _SIZES))]
        if wide:
            numbers += [Content(f"{rate(migration.rate):>{_RATE}}"), Content(" " * _SPARK)]
        return self._line(name, standing, numbers, width, wide=wide)

    def _standing(self, row: JobRow) -> _Standing:
        """Sign, word and colour of where it is, and how full its bar is: full only when nothing is left to do."""
        job, glyphs = row.job, self.glyphs
        if row.below is None:
            return glyphs.phase(job.phase), job.phase.value, PHASE_STYLES[job.phase], job.filled
        if row.interrupted:
            return glyphs.warning, row.below.word, "$text-warning", None
        return glyphs.copying, row.below.word, PHASE_STYLES[Phase.COPYING], row.below.percent

    def _numbers(self, row: JobRow, *, wide: bool) -> list[Content]:
        job = row.job
        if job.phase.ended:
            return []
        if row.below is not None:
            # The speed of the mirror says nothing of the layers.
            numbers = [
                percentage(row.below.percent, self.glyphs),
                Content(f"{progress_size(*(row.below.amount or (None, None))):>{_SIZES}}"),
            ]
            speed = UNKNOWN if row.below.rate is None else rate(round(row.below.rate))
            return [*numbers, Content(f"{speed:>{_RATE}}"), Content(" " * _SPARK)] if wide else numbers
        progress = job.progress
        if job.phase in (Phase.IN_SYNC, Phase.PIVOTING):
            # No way is left of which anything were a part; the words below tell the lag.
            numbers = [Content(" " * (5 + 2 + _SIZES))]
        else:
            sizes = progress_size(progress.cur, progress.end) if progress else UNKNOWN
            numbers = [percentage(job.percent, self.glyphs), Content(f"{sizes:>{_SIZES}}")]
        return numbers + self._speed(job) if wide else numbers

    def _speed(self, job: Job) -> list[Content]:
        if job.phase.ended:
            return []
        now = forecast(job).rate
        speed = UNKNOWN if now is None else rate(round(now))
        return [
            Content(f"{speed:>{_RATE}}"),
            styled(sparkline(rates(job), _SPARK, self.glyphs), "$primary 55%"),
        ]

    def _place(self, job: Job, width: int) -> Content:
        """Where it goes, or what it works on where it goes nowhere else."""
        if not job.type.mirrors:
            return shown_middle(job.source.path if job.source else UNKNOWN, DIM, width=max(4, width))
        path = shown_middle(job.place, DIM, width=max(4, width - 2)) if job.place else styled(UNKNOWN, DIM)
        return join(styled(f"{self.glyphs.to} ", DIM), path)

    def _way(self, row: JobRow, width: int) -> Content:
        """Where it goes, and how fast."""
        speed = join(*(p for part in ([] if row.below else self._speed(row.job)) for p in ("  ", part)))
        room = width - speed.cell_length
        return join(pad(self._place(row.job, room), room), speed)

    def _outlook(self, row: JobRow, width: int) -> Content:
        """Where it goes, and the words: of what is to come as many as there is room for."""
        words = self._words(row)
        room = width - 4
        needed = words[: None if row.job.phase.ended else 1]
        least = self._dotted(needed).cell_length + 2 if needed else 0
        where = self._place(row.job, max(_LEAST_PLACE, min(width // 3, room - least)))
        room -= where.cell_length + 2
        said = self._dotted(words) if row.job.phase.ended else self._as_many(words, room)
        return join("   ", where, "  ", said)

    def _words(self, row: JobRow) -> list[Content]:
        """What is to come, or how it ended."""
        job = row.job
        words = ended_words(job, self.glyphs) if job.phase.ended else running_words(job, row.below)
        if row.plan and row.interrupted:
            sign = self.glyphs.severity(Severity.WARNING)
            told = f"{sign} interrupted at {row.plan.progress}: {ways_on(row.barred)}"
            words.insert(0, shown(told, interrupted.STYLE))
        elif row.plan and row.plan.moves and row.plan.step:
            # What else the move does meanwhile shows in no job.
            far = "" if row.copied is None or row.below else f" {row.copied} %"
            words.insert(0, shown(f"{row.plan.progress}, {short(row.plan.step)}{far}", "$text-primary"))
        if self.several_hosts:
            words.insert(0, shown(row.host, DIM, width=20))
        return words

    def _told(self, words: Sequence[Content], room: int, *, ended: bool) -> tuple[Content, Content]:
        """As many words as there is room for; of how it ended also what is left for the line below."""
        if not ended:
            return self._as_many(words, room), Content("")
        fit = next((n for n in range(len(words), 0, -1) if self._dotted(words[:n]).cell_length <= room), 0)
        if all(word.cell_length <= room for word in words):
            return self._dotted(words[:fit]), self._dotted(words[fit:])
        first, *rest = self._dotted(words).wrap(max(1, room))
        return first, Content(" ").join(rest)

    def _dotted(self, words: Sequence[Content]) -> Content:
        """All of the words in a row."""
        return styled(f" {self.glyphs.dot} ", DIM).join(words)

    def _as_many(self, words: Sequence[Content], room: int) -> Content:
        """The words for which there is room, the first in any case."""
        taken: list[Content] = []
        for word in words:
            if not taken or self._dotted([*taken, word]).cell_length <= room:
                taken.append(word)
        return self._dotted(taken)

    def _buttons(self, row: AnyRow) -> Content:
        return Content(" ").join(
            self._button(command, title, enabled=self._why_dead(row, command) is None)
            for command, title in _titles(row).items()
        )

    def _why_dead(self, row: AnyRow, command: str) -> str | None:
        """Why a button is dead, one sentence: that of what has ended never is."""
        if _has_ended(row):
            return None
        if row.number in self.read_only:
            return "This session is read-only."
        return _why_not(row, command)

    def _button(self, command: str, title: str, *, enabled: bool) -> Content:
        words = f"[{title}]"
        look = "$text-primary" if enabled else DIM
        if enabled and command == "pivot":
            look = "bold $text-success"
        meta = Style.from_meta({"command": command})
        return Content.styled(words, look).stylize(meta)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say of the button under the mouse what it does, or why it does not."""
        tooltip: str | None = None
        command = event.style.meta.get("command")
        offset = event.get_content_offset(self)
        if command and offset is not None:
            index = (offset.y + self.scroll_offset.y) // self.lines_per_item
            if index < len(self.items):
                row = self.items[index]
                migrates = isinstance(row, MigrationRow)
                tooltip = (
                    self._why_dead(row, str(command))
                    or (_HELP | (migrations.HELP if migrates else {}))[str(command)]
                )
        content = shown(tooltip) if tooltip else None
        if content != self.tooltip:
            self.tooltip = content


def _titles(row: AnyRow) -> dict[str, str]:
    """The commands that there are buttons for, and what stands on those."""
    if _has_ended(row):
        return {"dismiss-job": BY_ID["dismiss-job"].title}
    if isinstance(row, MigrationRow):
        return migrations.BUTTONS
    if isinstance(row, InterruptedRow):
        return interrupted.BUTTONS
    absent = out_of_place(row.job)
    return {command: BY_ID[command].title for command in BUTTONS if command not in absent}


def _why_not(row: AnyRow, command: str) -> str | None:
    """Why something cannot be done: as its key would say, and for what a move still has to do."""
    if isinstance(row, MigrationRow):
        return row.migration.over if command == "cancel" else None
    if isinstance(row, InterruptedRow):
        return why_not_recovered(row.barred, command)
    return why_not(row.job, command) or why_not_in_plan(row.plan, command)


def _has_ended(row: AnyRow) -> bool:
    match row:
        case JobRow():
            return row.job.phase.ended
        case MigrationRow():
            return row.ended is not None
        case InterruptedRow():
            return False


def _name_cells(row: AnyRow, glyphs: Glyphs) -> int:
    if isinstance(row, MigrationRow):
        return migrations.name(row.migration, glyphs).cell_length
    if isinstance(row, InterruptedRow):
        return interrupted.name(row).cell_length
    return shown(row.job.domain).cell_length + 1 + shown(row.job.target).cell_length


def rates(job: Job) -> list[float]:
    """Bytes per second between the ticks."""
    return [
        max(0.0, (b.cur - a.cur) / (b.at - a.at))
        for a, b in pairwise(job.samples[-_SPARK * 2 :])
        if b.at > a.at
    ]
