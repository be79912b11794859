"""Everything that is known of one job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Static

from tui.app.dialogs.dialog import Dialog
from tui.app.dialogs.flow import EMPTY, Flow, Line, heading, table
from tui.app.dialogs.plan_view import finding_lines
from tui.app.dialogs.rate_plot import RatePlot, legend
from tui.app.dialogs.rates import rates
from tui.app.glyphs import DIM, PHASE_STYLES, UNICODE, Glyphs
from tui.app.text import in_signs, join, shown, styled
from tui.model.forecast import Forecast, forecast
from tui.model.headway import Below
from tui.model.job import Job, Phase
from tui.model.quantity import UNKNOWN, duration, progress_size, rate, size
from tui.model.storage import Chain, Layer

_GONE = "The host does not list this job any more; this is the last that was seen of it."
_REFRESH = 1.0
"""Seconds between two looks at the clock, for the ages that are shown."""


class JobDetails(Dialog[None]):
    """Follows a job; only reads."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "details.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "leave", "Close", show=False, id="details-close"),
        Binding("j", "scroll_details(1)", "Down", show=False, id="details-down"),
        Binding("k", "scroll_details(-1)", "Up", show=False, id="details-up"),
    ]

    def __init__(
        self,
        job_now: Callable[[], Job | None],
        clock: Callable[[], float],
        *,
        below_now: Callable[[], Below | None] = lambda: None,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Follow the job that ``job_now`` gives; ``clock`` is the wall clock that its times are told by.

        ``below_now`` gives what its move has still to do below its mirror.
        """
        super().__init__(glyphs)
        self._job_now = job_now
        self._below_now = below_now
        self._clock = clock
        self._job: Job | None = None

    def compose(self) -> ComposeResult:
        """The state, the plot, the rest."""
        yield from self.boxed(
            styled("Job", ""),
            VerticalScroll(
                Flow(id="state"),
                Flow([legend(self.glyphs)], id="legend"),
                RatePlot(glyphs=self.glyphs, id="plot"),
                Flow(id="facts"),
                classes="body",
                id="details",
            ),
            Static(Content(self.glyphs.words("↑ ↓ scroll  esc close")), id="keys"),
        )

    def on_mount(self) -> None:
        """Arrows scroll; ages go on."""
        self.query_one("#details", VerticalScroll).focus()
        self.follow()
        self.set_interval(_REFRESH, self.follow)

    def follow(self) -> None:
        """Show the job as it is now, or say that it is gone."""
        if not self.query("#facts"):
            return
        found = self._job_now()
        self._job = found or self._job
        gone = (
            [Line(styled(f"{self.glyphs.warning} ", "$text-warning"), Content(_GONE))]
            if found is None
            else []
        )
        state = self.query_one("#state", Flow)
        if self._job is None:
            state.show(gone)
            return
        job = self._job
        where = join("Job on ", shown(job.target), " of ", shown(job.domain))
        self.query_one("#title", Static).update(where)
        below = self._below_now() if found else None
        state.show([*gone, *_state_lines(job, below, self.glyphs)])
        until = "now" if job.ended is None else _clock_time(job.ended)
        self.query_one("#plot", RatePlot).show(rates(job.samples), until)
        self.query_one("#facts", Flow).show(_fact_lines(job, below, self._clock(), self.glyphs))

    def action_scroll_details(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one("#details", VerticalScroll).scroll_relative(y=lines, animate=False)


def _state_lines(job: Job, below: Below | None, glyphs: Glyphs) -> Iterator[Line]:
    future = forecast(job)
    if below is not None:
        style = f"bold {PHASE_STYLES[Phase.COPYING]}"
        sentence = in_signs(f"  {below.mirror} {future.sentence}", glyphs).stylize(DIM)
        yield Line(Content(""), join(styled(f"{glyphs.copying} {below.words}", style), sentence))
        yield Line(
            Content(""), Content("The guest can go over once the layers below are complete, not before.")
        )
        return
    words = [styled(f"{glyphs.phase(job.phase)} {job.phase.value}", f"bold {PHASE_STYLES[job.phase]}")]
    if job.phase is Phase.COPYING:
        words.append(Content(f"  {glyphs.empty if job.percent is None else job.percent} %"))
    more = future.sentence.removeprefix(job.phase.value).removeprefix(", ")
    if more:
        words.append(in_signs(f"  {more}", glyphs).stylize(DIM))
    yield Line(Content(""), join(*words))
    if job.remark:
        yield Line(Content(""), shown(job.remark))


def _fact_lines(job: Job, below: Below | None, now: float, glyphs: Glyphs) -> Iterator[Line]:
    future = forecast(job)
    yield from table(
        [
            (
                "from" if job.type.mirrors else "disk",
                _layer(job.source) if job.source else in_signs(UNKNOWN, glyphs),
            ),
            *([("to", shown(job.named))] if job.named else ()),
            *(
                _chain_rows("through" if job.named else "to", job.destination, glyphs)
                if job.type.mirrors
                else ()
            ),
            ("", Content("")),
            *((label, in_signs(value, glyphs)) for label, value in _numbers(job, below, future)),
            ("", Content("")),
            *((label, in_signs(value, glyphs)) for label, value in _times(job, now)),
            ("plan", shown(job.plan) if job.plan else styled("none: not started by this program", DIM)),
        ]
    )
    if job.proof:
        yield EMPTY
        yield heading("Proof")
        yield from finding_lines(job.proof, glyphs)


def _numbers(job: Job, below: Below | None, future: Forecast) -> Iterator[tuple[str, str]]:
    progress = job.progress
    yield "type", job.type.value
    yield "copied", progress_size(progress.cur, progress.end) if progress else UNKNOWN
    if below is not None:
        yield "lower layers", progress_size(*(below.amount or (None, None)))
    yield "rate", rate(future.rate)
    yield "guest writes", rate(future.guest_rate)
    if job.type.mirrors:
        yield "lag", size(future.lag)
    limit = UNKNOWN if progress is None else rate(progress.bandwidth) if progress.bandwidth else "none"
    yield "limit", limit


def _times(job: Job, now: float) -> Iterator[tuple[str, str]]:
    yield "started", _moment(job.started, now)
    if job.type.mirrors:
        yield "in sync", _moment(job.in_sync_since, now)
    yield "ended", _moment(job.ended, now)
    if job.started is not None:
        yield "took" if job.ended else "runs for", duration((job.ended or now) - job.started)


def _moment(at: float | None, now: float) -> str:
    if at is None:
        return UNKNOWN
    return f"{_clock_time(at)}, {duration(max(0.0, now - at))} ago"


def _clock_time(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


def _layer(layer: Layer) -> Content:
    return join(shown(layer.path), styled(f"  {shown(layer.format or 'format not known').plain}", DIM))


def _chain_rows(label: str, chain: Chain, glyphs: Glyphs) -> Iterator[tuple[str, Content]]:
    if not chain.layers:
        yield label, in_signs(UNKNOWN, glyphs)
    for depth, layer in enumerate(chain.layers):
        yield (label if depth == 0 else "on", _layer(layer))
    if chain.layers and not chain.complete:
        yield "on", styled("what it stands on is not known", DIM)
