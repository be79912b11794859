"""The user's part in a snapshot: how long the guest stands still for it, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.types import CSSPathType
from textual.widgets import Button, Digits, Static

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.flow import EMPTY, Flow, Line
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Control, End, Outcome
from tui.model.awaited import Awaited
from tui.model.plan import Plan

_REFRESH = 0.2
"""Seconds between two looks at the clock."""


class StandstillDialog(Dialog[None]):
    """Counts the time down that the user has, tells the host what he says, and stays to say what went wrong."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "standstill.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "done", "Done, go on", show=False, id="standstill-done"),
    ]

    def __init__(
        self, control: Control, plan: Plan, clock: Callable[[], float], *, glyphs: Glyphs = UNICODE
    ) -> None:
        """Follow a plan of this host that has just begun."""
        super().__init__(glyphs)
        self._control = control
        self._plan = plan
        self._clock = clock
        self._seconds = Static("", id="seconds") if glyphs.ascii else Digits("", id="seconds")
        self._meanwhile = f"{plan.domain} is about to stand still."
        """What is to be said while nothing is waited for."""
        self._given_up = False
        self._over = False
        self._outcome: Outcome | None = None

    def compose(self) -> ComposeResult:
        """Why the guest stands still, for how long yet, and the two answers."""
        yield from self.boxed(
            join("Your part in the snapshot of ", shown(self._plan.domain)),
            Flow(id="why"),
            Vertical(self._seconds, Static("seconds left", id="unit"), id="left"),
            Flow(id="then"),
            Buttons(
                "enter done, go on  esc give up", button("Give up", "leave"), button("Done, go on", "done")
            ),
        )

    def on_mount(self) -> None:
        """Count."""
        self.query_one("#done", Button).focus()
        self.look()
        self.set_interval(_REFRESH, self.look)

    @property
    def _awaited(self) -> Awaited | None:
        """What he has not answered yet."""
        found = self._control.state.awaited.get(self._plan.uuid)
        return None if found is None or found.given_up else found

    def look(self) -> None:
        """Show how it is now."""
        awaited = self._awaited
        if awaited is not None and self._given_up:
            # He said it before there was anybody to tell.
            self._control.give_up(self._plan.uuid)
            awaited = None
        if awaited is not None:
            self._meanwhile = self._goes_on_without
            self._seconds.update(str(max(0, math.ceil(awaited.until - self._clock()))))
        self.query_one("#left").display = awaited is not None
        why, then = self._words(awaited)
        self.query_one("#why", Flow).show([_sentence(why), EMPTY])
        self.query_one("#then", Flow).show([_sentence(then)] if then else [])

    @property
    def _goes_on_without(self) -> str:
        return f"{self._plan.domain} goes on, and what was taken is being taken back."

    def _words(self, awaited: Awaited | None) -> tuple[str, str]:
        domain = self._plan.domain
        if self._outcome is not None:
            return self._outcome.message, ""
        if awaited is None:
            return self._meanwhile, ""
        how = f" ({awaited.how})" if awaited.how else ""
        return (
            f"{domain} stands still{how}: hold the state of {' and '.join(awaited.targets)} now.",
            f"When the time is over, {domain} goes on without you, and what was taken is taken back.",
        )

    def end(self, outcome: Outcome | None) -> None:
        """The plan has ended; what went well needs no word here, nor what somebody else says."""
        self._over = True
        self._outcome = outcome if outcome is not None and outcome.end is End.FAILED else None
        self._settle()

    @on(events.ScreenResume)
    def _settle(self) -> None:
        """Close, or say what went wrong: now, or when this is in view."""
        if not (self._over and self.is_mounted):
            return
        if self._outcome is None:
            self.answer(None)
            return
        self.look()
        self.query_one("#done", Button).display = False
        leave = self.query_one("#leave", Button)
        leave.label = "Close"
        leave.focus()
        self.query_one(Buttons).hint("esc close")

    @on(Button.Pressed, "#done")
    def action_done(self) -> None:
        """Say that he has done his part; at the end there is nothing to say any more."""
        if self._outcome is not None:
            self.answer(None)
        elif self._awaited is not None:
            self._meanwhile = f"{self._plan.domain} goes on."
            self._control.go_on(self._plan.uuid)
            self.look()

    def action_leave(self) -> None:
        """Give it up, or close what has ended."""
        if self._outcome is not None:
            self.answer(None)
            return
        self._given_up, self._meanwhile = True, self._goes_on_without
        self.look()


def _sentence(text: str) -> Line:
    return Line(shown(""), shown(text))
