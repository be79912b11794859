"""The jobs of all hosts: where they are, where they are going, and the buttons that end them."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from textual import events
from textual.content import Content
from textual.style import Style

from tui.app.commands import BY_ID
from tui.app.glyphs import DIM, PHASE_STYLES, SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.rows import DiskKey
from tui.app.text import join, pad, shown, shown_middle, styled
from tui.app.verbs import BUTTONS, why_not, why_not_in_plan
from tui.app.widgets.gauges import bar, percentage, sparkline
from tui.app.widgets.items import Items
from tui.model.chain_steps import CompareImages, CopyImages, MakeImage
from tui.model.finding import Severity
from tui.model.forecast import Verdict, forecast
from tui.model.headway import Below
from tui.model.job import Job, JobType, Phase
from tui.model.journal import Entry
from tui.model.quantity import UNKNOWN, progress_size, rate
from tui.model.request import Ending
from tui.model.steps import AwaitSync, Step
from tui.model.volume_steps import MakeVolume

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
_CHECKS = {
    "live-xml": "live XML",
    "persistent-xml": "persistent XML",
    "image-open": "image open",
    "chain": "chain",
}
"""What the proof of a pivot looks at, for short."""
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

    @property
    def disk(self) -> DiskKey:
        """The disk it is a job of."""
        return (self.number, *self.job.key)

    @property
    def key(self) -> tuple[int, int]:
        """This very job, not a later one of the same disk."""
        return (self.number, self.job.number)


class JobsView(Items[JobRow]):
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

    def key_of(self, item: JobRow) -> Hashable:
        """The host and the job's number."""
        return item.key

    def show_jobs(self, rows: Sequence[JobRow], *, nearest: bool = False) -> None:
        """Show the jobs, and how many of them run and wait."""
        self.show(rows, nearest=nearest)
        running = [row for row in rows if not row.job.phase.ended]
        waiting = sum(row.job.pivotable and row.below is None for row in running)
        words = f"Jobs {len(running)}" if running else "Jobs"
        if waiting:
            words += f" {self.glyphs.dot} {waiting} in sync"
        if ended := len(rows) - len(running):
            words += f" {self.glyphs.dot} {ended} ended"
        self.border_title = Content(words)

    def draw(self, item: JobRow, line: int, width: int) -> Content:
        """One line of a job."""
        buttons = self._buttons(item)
        if self.lines_per_item == 2:  # noqa: PLR2004
            if line == 0:
                room = width - buttons.cell_length - 1
                return join(pad(self._progress(item, room - 1, wide=True), room), buttons)
            return self._outlook(item, width, place=True)
        if line == 0:
            return self._progress(item, width, wide=False)
        if line == 1:
            return self._outlook(item, width, place=False)
        speed = join(*(p for part in ([] if item.below else self._speed(item.job)) for p in ("  ", part)))
        room = width - buttons.cell_length - speed.cell_length - 6
        place = pad(self._place(item.job, room), room)
        return join("   ", buttons, "  ", place, speed)

    def _progress(self, row: JobRow, width: int, *, wide: bool) -> Content:
        """Name, phase, bar and numbers, in columns that all jobs share."""
        job, glyphs = row.job, self.glyphs
        sign, word, style, filled = self._standing(row)
        numbers = self._numbers(row, wide=wide)
        tail = sum(n.cell_length + 2 for n in numbers)
        longest = max((_name_cells(other.job) for other in self.items), default=0)
        room = width - _TAIL[wide] - _PHASE - _LEAST_BAR - 8
        cells = max(_LEAST_NAME, min(longest, room, _MOST_NAME))
        target = shown(job.target, width=12)
        name = join(shown(job.domain, "bold", width=cells - target.cell_length - 1), " ", target)
        head = join(" ", styled(sign, style), " ", pad(name, cells), "  ", pad(styled(word, style), _PHASE))
        room = width - head.cell_length - tail - 1
        if room >= _LEAST_BAR and numbers:
            numbers.insert(0, bar(filled, min(room - 2, _MOST_BAR), glyphs, style))
        return join(head, *(part for number in numbers for part in ("  ", number)))

    def _standing(self, row: JobRow) -> tuple[str, str, str, int | None]:
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
        active = job.destination.active
        path = shown_middle(active.path, DIM, width=max(4, width - 2)) if active else styled(UNKNOWN, DIM)
        return join(styled(f"{self.glyphs.to} ", DIM), path)

    def _outlook(self, row: JobRow, width: int, *, place: bool) -> Content:
        """What is to come, or how it ended: as many of the words as there is room for."""
        job = row.job
        words = self._ended_words(job) if job.phase.ended else self._running_words(row)
        if row.plan and row.interrupted:
            sign = self.glyphs.severity(Severity.WARNING)
            words.insert(
                0,
                styled(
                    f"{sign} interrupted at {row.plan.progress}: R goes on, X takes it back", "$text-warning"
                ),
            )
        elif row.plan and row.plan.moves and row.plan.step:
            # What else the move does meanwhile shows in no job.
            far = "" if row.copied is None or row.below else f" {row.copied} %"
            words.insert(0, shown(f"{row.plan.progress}, {_short(row.plan.step)}{far}", "$text-primary"))
        if self.several_hosts:
            words.insert(0, shown(row.host, DIM, width=20))
        lead: list[Content | str] = ["   "]
        room = width - 4
        if place:
            where = self._place(
                job, max(_LEAST_PLACE, min(width // 3, room - words[0].cell_length - 2 if words else room))
            )
            lead += [where, "  "]
            room -= where.cell_length + 2
        dot = styled(f" {self.glyphs.dot} ", DIM)
        parts: list[Content | str] = []
        for word in words:
            gap = dot.cell_length if parts else 0
            if parts and word.cell_length + gap > room:
                continue
            parts += [dot, word] if parts else [word]
            room -= word.cell_length + gap
        return join(*lead, *parts)

    def _running_words(self, row: JobRow) -> list[Content]:
        job = row.job
        outlook = forecast(job)
        style = {
            Verdict.DIVERGES: "$text-warning",
            Verdict.STALLED: "$text-warning",
            Verdict.UNKNOWN: DIM,
        }.get(outlook.verdict, "")
        sentence = outlook.sentence
        if job.phase is Phase.IN_SYNC and job.in_sync_since is not None:
            since = time.strftime("%H:%M", time.localtime(job.in_sync_since))
            if row.below is not None:
                # How far it lags behind matters once the rest is there, and then there is room to say it.
                sentence = "in sync"
            sentence = sentence.replace("in sync", f"in sync since {since}", 1)
        if row.below is not None:
            sentence = f"{row.below.mirror} {sentence}"
        words = [shown(sentence, style)]
        if row.below is not None and row.below.outlook:
            words.insert(0, Content(row.below.outlook))
        if job.type is not JobType.COPY:
            words.insert(0, styled(job.type.value, ""))
        limit = job.progress.bandwidth if job.progress else 0
        if limit:
            words.append(styled(f"limit {rate(limit)}", DIM))
        if job.phase is Phase.COPYING and outlook.guest_rate:
            words.append(styled(f"guest writes {rate(round(outlook.guest_rate))}", DIM))
        if job.plan is None:
            words.append(styled("not started here", DIM))
        if job.remark:
            words.append(shown(job.remark, "$text-warning"))
        return words

    def _ended_words(self, job: Job) -> list[Content]:
        words = []
        if job.ended is not None:
            words.append(styled(time.strftime("%H:%M", time.localtime(job.ended)), DIM))
        if job.proof and job.type.mirrors:
            words.append(Content("pivoted"))
        elif job.phase is Phase.DONE and job.ending is Ending.KEEP:
            words.append(Content("kept"))
        if job.remark and not job.proof:
            # What was proved says more than that it is done.
            words.append(shown(job.remark, "$text-error" if job.phase is Phase.FAILED else ""))
        if job.proof:
            glyphs = self.glyphs
            signs = [
                styled(
                    f"{glyphs.severity(f.severity)} {_CHECKS.get(f.check, f.check)}",
                    SEVERITY_STYLES[f.severity],
                )
                for f in job.proof
            ]
            words.append(join(*(p for n, s in enumerate(signs) for p in (("  ", s) if n else (s,)))))
        return words

    def _buttons(self, row: JobRow) -> Content:
        if row.job.phase.ended:
            return self._button("dismiss-job", enabled=True)
        parts: list[Content | str] = []
        for command in BUTTONS:
            enabled = row.number not in self.read_only and _why_not(row, command) is None
            parts += [self._button(command, enabled=enabled), " "]
        return join(*parts[:-1])

    def _button(self, command: str, *, enabled: bool) -> Content:
        words = f"[{BY_ID[command].title}]"
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
                reason = (
                    "This session is read-only."
                    if row.number in self.read_only
                    else _why_not(row, str(command))
                )
                tooltip = reason or BY_ID[str(command)].help
        content = shown(tooltip) if tooltip else None
        if content != self.tooltip:
            self.tooltip = content


def _why_not(row: JobRow, command: str) -> str | None:
    """Why a button is dead: as its key would say, and for what a move still has to do."""
    return why_not(row.job, command) or why_not_in_plan(row.plan, command)


def _short(step: Step) -> str:
    """What a move is at, in a few words."""
    match step:
        case CopyImages(images=(image,)):
            return f"copy {posixpath.basename(image.source)}"
        case CopyImages(images=images):
            return f"copy {len(images)} layers"
        case CompareImages(path=path):
            return f"compare {posixpath.basename(path)}"
        case MakeImage(path=path) | MakeVolume(path=path):
            return f"make {posixpath.basename(path)}"
        case AwaitSync():
            return "wait for sync"
        case _:
            return step.title


def _name_cells(job: Job) -> int:
    return shown(job.domain).cell_length + 1 + shown(job.target).cell_length


def rates(job: Job) -> list[float]:
    """Bytes per second between the ticks."""
    return [
        max(0.0, (b.cur - a.cur) / (b.at - a.at))
        for a, b in pairwise(job.samples[-_SPARK * 2 :])
        if b.at > a.at
    ]
