"""The limit of a running job."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Input

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Field
from tui.app.dialogs.flow import EMPTY, Flow, Line, table
from tui.app.dialogs.limit import limit_text, parse_limit
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import in_signs, join, shown, styled
from tui.app.widgets.entry import Entry
from tui.model.forecast import forecast
from tui.model.job import Job
from tui.model.quantity import rate

_GONE = "The host does not list this job any more: there is nothing to limit."


class SpeedDialog(Dialog[int | None]):
    """Asks for a limit; answers bytes per second, 0 for none, or ``None`` to leave it as it is."""

    def __init__(self, job: Job, now: Callable[[], Job | None], *, glyphs: Glyphs = UNICODE) -> None:
        """Ask for the limit of ``job``, which ``now`` gives as it is at the moment of the call."""
        super().__init__(glyphs)
        self._job = job
        self._now = now
        self._over = False
        """Whether it has ended."""

    def compose(self) -> ComposeResult:
        """What it is now, and what it shall be."""
        limit = self._job.progress.bandwidth if self._job.progress else None
        new_limit = Entry(limit_text(limit or 0), placeholder="no limit", id="limit")
        yield from self.boxed(
            join("Speed of ", shown(self._job.target), " of ", shown(self._job.domain)),
            Flow(id="now"),
            Field("New limit", new_limit, unit="MiB/s"),
            Buttons(
                "enter see the plan  esc not now", button("Not now", "leave"), button("See the plan", "set")
            ),
        )

    def on_mount(self) -> None:
        """Typing is harmless; meanwhile the job goes on."""
        self.query_one("#limit-field", Field).note("Empty or 0 takes the limit away.")
        self.query_one("#limit", Input).focus()
        self.follow()

    def follow(self) -> None:
        """Show the job as it is now, or that it has ended."""
        found = self._now()
        self._job = found or self._job
        self._over = found is None or found.phase.ended
        self.query_one("#now", Flow).show([*self._lines(found), EMPTY])
        self.judge_limit()

    def _lines(self, found: Job | None) -> Iterable[Line]:
        if self._over:
            ended = f"The job has ended, {found.phase.value}: there is nothing to limit." if found else _GONE
            return [Line(styled(f"{self.glyphs.warning} ", "$text-warning"), Content(ended))]
        future = forecast(self._job)
        limit = self._job.progress.bandwidth if self._job.progress else None
        rows = (
            ("copies at", rate(future.rate)),
            ("guest writes", rate(future.guest_rate)),
            ("limit now", "none" if limit == 0 else rate(limit)),
            ("outlook", future.sentence),
        )
        return table((label, in_signs(value, self.glyphs)) for label, value in rows)

    @on(Input.Changed, "#limit")
    def judge_limit(self) -> None:
        """Say at once what is wrong."""
        wrong = ""
        try:
            parse_limit(self.query_one("#limit", Input).value)
        except ValueError as error:
            wrong = str(error)
        self.query_one("#limit-field", Field).problem(wrong)
        self.query_one("#set", Button).disabled = bool(wrong) or self._over

    @on(Input.Submitted, "#limit")
    @on(Button.Pressed, "#set")
    def set_limit(self) -> None:
        """Answer, if what stands there is a limit, and there is a job that it could be for."""
        self.follow()
        if self._over:
            return
        try:
            limit = parse_limit(self.query_one("#limit", Input).value)
        except ValueError:
            return
        self.answer(limit)
