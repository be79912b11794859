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

from tui.app.dialogs.clipboard import copy_text
from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.flow import EMPTY, Flow, Line
from tui.app.dialogs.passages import Passages
from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, pad, shown
from tui.engine.control import Control, End, Outcome
from tui.model.awaited import Awaited
from tui.model.plan import Plan
from tui.model.text import counted

_REFRESH = 0.2
"""Seconds between two looks at the clock."""


class StandstillDialog(Dialog[None]):
    """Names the images, counts down the user's time, tells the host what he says, and stays to say what went wrong."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "standstill.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "done", "Done, go on", show=False, id="standstill-done"),
        Binding("up,k", "image(-1)", "Image above", show=False, id="standstill-up"),
        Binding("down,j", "image(1)", "Image below", show=False, id="standstill-down"),
        Binding("c,y", "copy", "Copy this path", show=False, id="standstill-copy"),
        Binding("a", "copy_all", "Copy all paths", show=False, id="standstill-copy-all"),
    ]

    def __init__(
        self, control: Control, plan: Plan, clock: Callable[[], float], *, glyphs: Glyphs = UNICODE
    ) -> None:
        """Follow a plan of this host that has just begun."""
        super().__init__(glyphs)
        self._control = control
        self._plan = plan
        self._clock = clock
        self._images: tuple[tuple[str, str], ...] = ()
        """The disks whose state he is to hold and the paths of their images, the active layer first."""
        self._seconds = Static("", id="seconds") if glyphs.ascii else Digits("", id="seconds")
        self._meanwhile = f"{plan.domain} is about to stand still."
        """What is to be said while nothing is waited for."""
        self._given_up = False
        self._over = False
        self._outcome: Outcome | None = None

    def compose(self) -> ComposeResult:
        """Why the guest stands still, with which images, for how long yet, and the two answers."""
        images = Passages(id="images")
        # Enter says that all is done, wherever the cursor of this list is.
        images.can_focus = False
        yield from self.boxed(
            join("Your part in the snapshot of ", shown(self._plan.domain)),
            Flow(id="why"),
            images,
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
        self._show_images(awaited)
        self.query_one("#left").display = awaited is not None
        why, then = self._words(awaited)
        self.query_one("#why", Flow).show([_sentence(why), EMPTY])
        self.query_one("#then", Flow).show([_sentence(then)] if then else [])

    def _show_images(self, awaited: Awaited | None) -> None:
        """Name what he may copy now: all layers of his disks, since the state is in all of them together."""
        domain = self._control.state.domain(self._plan.uuid) if awaited is not None else None
        disks = (
            [disk for target in awaited.targets if (disk := domain.disk(target))]
            if awaited and domain
            else []
        )
        images = tuple((disk.target, layer.path) for disk in disks for layer in disk.chain.layers)
        view = self.query_one("#images", Passages)
        view.display = bool(images)
        if images != self._images:
            self._images = images
            room = max((len(target) for target, _path in images), default=0) + 2
            view.show([Line(pad(shown(target, DIM), room), shown(path))] for target, path in images)
            keys = "arrows and c: copy a path to the clipboard  a all of them" if images else ""
            self.query_one(Buttons).above(keys)

    def action_image(self, step: int) -> None:
        """To another image."""
        view = self.query_one("#images", Passages)
        if step < 0:
            view.action_cursor_up()
        else:
            view.action_cursor_down()

    def action_copy(self) -> None:
        """Give the path under the cursor to the clipboard."""
        place = self.query_one("#images", Passages).highlighted
        if place is not None and place < len(self._images):
            copy_text(self.app, self._images[place][1], "The path was")

    def action_copy_all(self) -> None:
        """Give all of them to the clipboard, one a line."""
        if self._images:
            paths = [path for _target, path in self._images]
            copy_text(self.app, "\n".join(paths), counted(len(paths), "path was", "paths were"))

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
        disks = " and ".join(awaited.targets)
        return (
            f"{domain} stands still{how}: hold the state of {disks} now. Nothing writes to these images meanwhile.",
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
