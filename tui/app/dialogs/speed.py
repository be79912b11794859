"""The limit of a running job."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widgets import Button, Input

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Field
from tui.app.dialogs.flow import EMPTY, Flow, table
from tui.app.dialogs.limit import limit_text, parse_limit
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import in_signs, join, shown
from tui.app.widgets.entry import Entry
from tui.model.forecast import forecast
from tui.model.job import Job
from tui.model.quantity import rate


class SpeedDialog(Dialog[int | None]):
    """Asks for a limit; answers bytes per second, 0 for none, or ``None`` to leave it as it is."""

    def __init__(self, job: Job, *, glyphs: Glyphs = UNICODE) -> None:
        """Ask for the limit of ``job``."""
        super().__init__(glyphs)
        self._job = job
        self._limit = job.progress.bandwidth if job.progress else None

    def compose(self) -> ComposeResult:
        """What it is now, and what it shall be."""
        future = forecast(self._job)
        limit = rate(self._limit) if self._limit else "none" if self._limit == 0 else rate(None)
        now = table(
            (
                ("copies at", in_signs(rate(future.rate), self.glyphs)),
                ("guest writes", in_signs(rate(future.guest_rate), self.glyphs)),
                ("limit now", in_signs(limit, self.glyphs)),
            )
        )
        new_limit = Entry(limit_text(self._limit or 0), placeholder="no limit", id="limit")
        yield from self.boxed(
            join("Speed of ", shown(self._job.target), " of ", shown(self._job.domain)),
            Flow([*now, EMPTY]),
            Field("New limit", new_limit, unit="MiB/s", id="limit-field"),
            Buttons(
                "enter see the plan  esc not now", button("Not now", "leave"), button("See the plan", "set")
            ),
        )

    def on_mount(self) -> None:
        """Typing is harmless."""
        self.query_one("#limit-field", Field).note("Empty or 0 takes the limit away.")
        self.query_one("#limit", Input).focus()

    @on(Input.Changed, "#limit")
    def judge_limit(self, event: Input.Changed) -> None:
        """Say at once what is wrong."""
        try:
            parse_limit(event.value)
        except ValueError as error:
            self.query_one("#limit-field", Field).problem(str(error))
            self.query_one("#set", Button).disabled = True
        else:
            self.query_one("#limit-field", Field).problem("")
            self.query_one("#set", Button).disabled = False

    @on(Input.Submitted, "#limit")
    @on(Button.Pressed, "#set")
    def set_limit(self) -> None:
        """Answer, if what stands there is a limit."""
        try:
            limit = parse_limit(self.query_one("#limit", Input).value)
        except ValueError:
            return
        self.answer(limit)
