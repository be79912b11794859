"""The form for domains that go to another host together: an evacuation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content

from tui.app.dialogs.choices import Mistakes, Part
from tui.app.dialogs.flow import Line
from tui.app.dialogs.migrate import MigrateForm
from tui.app.dialogs.migrate_fields import MigrateWay
from tui.app.dialogs.peer_fields import Peer
from tui.app.dialogs.several import Candidate, SeveralForm
from tui.app.dialogs.several_fields import domain_field, ticked
from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, shown
from tui.model.finding import Acceptance
from tui.model.migrate_request import CopyStorage, MigrateRequest
from tui.model.plan import Plan
from tui.model.quantity import size
from tui.model.queue import goes_to
from tui.model.together import load_of


class SeveralMigrateFields(MigrateWay):
    """Those that run are ticked; of one that is off only the definition would go."""

    PARTS = (Part.DOMAINS, *MigrateWay.PARTS)
    # Which disks are copied is chosen for one domain alone.
    STORAGE = tuple(choice for choice in MigrateWay.STORAGE if choice[0] != CopyStorage.ALL)

    def __init__(
        self, candidates: Sequence[Candidate], peers: Sequence[Peer], *, glyphs: Glyphs = UNICODE
    ) -> None:
        """Offer these domains and these hosts."""
        domains = [one.domain for one in candidates]
        super().__init__(
            peers,
            persistent=any(domain.persistent for domain in domains),
            offline=not any(domain.state.active for domain in domains),
            glyphs=glyphs,
        )
        self._candidates = tuple(candidates)

    def what(self) -> ComposeResult:
        """The domains."""
        any_runs = any(one.domain.state.active for one in self._candidates)
        for number, one in enumerate(self._candidates):
            runs = one.domain.state.active
            words = size(one.domain.definition.memory) if runs else "off"
            yield domain_field(number, one, words, value=runs or not any_runs)

    @property
    def ticked(self) -> tuple[bool, ...]:
        """For each domain whether it is to go."""
        return ticked(self, len(self._candidates))

    def wish(self, accepted: frozenset[Acceptance]) -> tuple[MigrateRequest, ...] | Mistakes:
        """One for each domain, whether it is ticked or not: unticking one asks no host anything."""
        mistakes = {} if any(self.ticked) else {Part.DOMAINS: "Tick a domain that is to go."}
        way = self.way(accepted, mistakes)
        if isinstance(way, Mistakes):
            return way
        running = {True: way, False: way.definition_alone}
        return tuple(replace(running[o.domain.state.active], uuid=o.domain.uuid) for o in self._candidates)


class SeveralMigrations(SeveralForm[MigrateRequest]):
    """Several domains that go to one host."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = MigrateForm.ACCEPTANCES

    def __init__(
        self,
        candidates: Sequence[Candidate],
        peers: Sequence[Peer],
        *,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Offer these domains, and these hosts, of which the first is chosen."""
        self._several = SeveralMigrateFields(candidates, peers, glyphs=glyphs)
        super().__init__("Migrate", candidates, self._several, glyphs=glyphs)

    @property
    def ticked(self) -> tuple[bool, ...]:
        """For each domain whether it is to go."""
        return self._several.ticked

    def where(self) -> object:
        """Host and places."""
        return self._several.where

    def wish(self) -> tuple[MigrateRequest, ...] | Mistakes:
        """The migrations that are filled in."""
        return self._several.wish(self.accepted)

    def what(self, place: int) -> Content:  # noqa: ARG002
        """The whole domain, which needs no words."""
        return Content("")

    def amount(self, plan: Plan) -> str:
        """Memory, and what is copied of its disks."""
        return load_of(plan)

    def way_of(self, place: int, plan: Plan) -> Iterator[Line]:
        """From host to host."""
        step = goes_to(plan)
        if step is not None:
            here = shown(self._candidates[place].control.state.name, DIM)
            yield Line(Content(""), join(here, f" {self.glyphs.to} ", shown(step.host)))

    def sum_of(self, plans: Sequence[Plan]) -> str:
        """Their memory, and what is free of it there."""
        memory = [plan.memory for plan in plans if plan.memory is not None]
        if not memory:
            return ""
        free = plans[0].free_memory
        there = f"; {size(free)} free there" if free is not None else ""
        return f"{size(sum(memory))} of memory{there}"
