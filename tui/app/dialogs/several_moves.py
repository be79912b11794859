"""The form for moves of several domains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.content import Content
from textual.message import Message

from tui.app.dialogs.asking import ask_aside
from tui.app.dialogs.choices import Mistakes
from tui.app.dialogs.flow import Line
from tui.app.dialogs.mirror import MirrorForm
from tui.app.dialogs.move_fields import places_of
from tui.app.dialogs.several import SeveralForm
from tui.app.dialogs.several_fields import Mover, SeveralFields
from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, shown
from tui.model.finding import Acceptance
from tui.model.plan import Plan
from tui.model.quantity import size
from tui.model.queue import writes_to
from tui.model.request import MoveRequest

_TARGETS = 30


class SeveralMoves(SeveralForm[MoveRequest]):
    """Disks of several domains that go to one place."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = MirrorForm.ACCEPTANCES

    @dataclass
    class PlacesFound(Message):
        """A host has said where its pools are."""

        places: tuple[str, ...]

    def __init__(
        self,
        movers: Sequence[Mover],
        *,
        suggested_bandwidth: int = 0,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Begin with all of these."""
        self._movers = tuple(movers)
        self._several = SeveralFields(movers, suggested_bandwidth=suggested_bandwidth, glyphs=glyphs)
        super().__init__("Move", movers, self._several, glyphs=glyphs)

    def on_mount(self) -> None:
        """Ask where there is room for images."""
        for control in {id(mover.control): mover.control for mover in self._movers}.values():
            ask_aside(control.places, lambda places: self.post_message(self.PlacesFound(places)))

    @on(PlacesFound)
    def take_places(self, event: PlacesFound) -> None:
        """Complete to the hosts' pools; whoever has gone on has agreed to the proposal that stood there."""
        self._several.add_directories(event.places, improve=not self.going)

    @property
    def ticked(self) -> tuple[bool, ...]:
        """For each domain whether it is to go."""
        return self._several.ticked

    def where(self) -> object:
        """The place."""
        return self._several.where

    def wish(self) -> tuple[MoveRequest, ...] | Mistakes:
        """The moves that are filled in."""
        return self._several.wish(self.accepted)

    def what(self, place: int) -> Content:
        """The disks."""
        return shown(" ".join(self._movers[place].targets), width=_TARGETS)

    def amount(self, plan: Plan) -> str:
        """What it is likely to take."""
        return size(plan.needs) if plan.needs is not None else ""

    def way_of(self, place: int, plan: Plan) -> Iterator[Line]:
        """From where its images lie."""
        mover, to = self._movers[place], writes_to(plan)
        own = sorted(places_of(mover.disks))
        if own and to:
            targets = join(shown(" ".join(mover.targets)), "  ")
            yield Line(targets, join(shown(", ".join(own), DIM), f" {self.glyphs.to} ", shown(to)))

    def sum_of(self, plans: Sequence[Plan]) -> str:
        """Their needs, and what is free where that is one place."""
        needs = [plan.needs for plan in plans if plan.needs is not None]
        if not needs:
            return ""
        least = "at least " if len(needs) < len(plans) else ""
        hosts = {id(mover.control) for mover in self._movers}
        same = len({writes_to(plan) for plan in plans}) == len(hosts) == 1
        free = f"; {size(plans[0].free)} free there" if same and plans[0].free is not None else ""
        return f"{least}{size(sum(needs))}, likely{free}"
