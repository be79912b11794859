"""The plans that are open on a domain: under way, interrupted, or waiting for their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.content import Content

from tui.app.dialogs.flow import Line
from tui.app.glyphs import DIM, Glyphs
from tui.app.text import join, shown, styled
from tui.app.verbs import ways_on, why_not_recovered
from tui.engine.control import Control
from tui.model.abandoned import barred
from tui.model.host import HostState
from tui.model.job import Job
from tui.model.journal import Entry, latest


@dataclass(frozen=True, slots=True)
class OpenPlans:
    """Those of one domain at one moment."""

    state: HostState
    uuid: str
    own: tuple[Entry, ...]
    """Those that are carried out from here, and may be in no journal."""
    entries: tuple[Entry, ...]
    """All of them."""

    def goes_on(self, entry: Entry) -> bool:
        """Whether somebody carries it out."""
        return entry in self.own or (entry.step is not None and not self.state.abandons(entry))

    @property
    def interrupted(self) -> tuple[Entry, ...]:
        """Those that nobody carries on, short of their end."""
        return tuple(e for e in self.entries if e.step is not None and not self.goes_on(e))

    def meant(self, snapshot: str | None) -> Entry | None:
        """What is gone on with, or taken back: what was interrupted, else what took that snapshot, else the latest."""
        journalled = self.state.entries_of(self.uuid)
        held = (e for e in journalled if e.snapshot is not None and e.snapshot.name == snapshot)
        return next(iter((*reversed(self.interrupted), *held, *reversed(journalled))), None)

    def why_not(self, entry: Entry, command: str) -> str | None:
        """Why a plan cannot be resumed, or not be undone, one sentence."""
        found = barred(self.state, entry) if entry in self.interrupted else {}
        return why_not_recovered(found, command)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The block jobs that no such plan has begun."""
        ids = {entry.id for entry in self.entries}
        return tuple(j for j in self.state.active_jobs if j.uuid == self.uuid and j.plan not in ids)

    def lines(self, shown_mirrors: frozenset[str], glyphs: Glyphs, *, read_only: bool) -> Iterator[Line]:
        """A line for each; ``shown_mirrors`` are the snapshots whose mirrors are shown already."""
        meant = self.meant(None)
        for entry in self.entries:
            if self.goes_on(entry):
                yield self._line(entry, "under way", f"{glyphs.copying} ", "$text-primary")
            elif entry.step is not None:
                keys = "" if read_only or entry is not meant else ways_on(barred(self.state, entry))
                yield self._line(entry, "interrupted", f"{glyphs.warning} ", "$text-warning", keys)
            elif entry.snapshot is None or entry.snapshot.name not in shown_mirrors:
                keys = "" if read_only or entry is not meant else "X takes it back"
                yield self._line(entry, "waits for its end", f"{glyphs.in_sync} ", "$text-success", keys)
        if any(map(self.goes_on, self.entries)):
            # The jobs are its own.
            return
        for job in self.jobs:
            far = "" if job.percent is None else f", {job.percent} %"
            words = f"{job.type.value} of {job.target}: {job.phase.value}{far}; it ends before any snapshot changes"
            yield Line(styled(f"{glyphs.phase(job.phase)} ", "$text-primary"), shown(words))

    @staticmethod
    def _line(entry: Entry, word: str, sign: str, style: str, keys: str = "") -> Line:
        at = f" at {entry.progress}" if entry.step is not None and len(entry.steps) > 1 else ""
        tail = shown(f": {keys}", style) if keys else Content("")
        who = Content("") if keys else styled(f"  {shown(entry.who).plain}", DIM)
        return Line(styled(sign, style), join(styled(f"{word}{at}: ", style), shown(entry.title), tail, who))


def open_plans(control: Control, uuid: str) -> OpenPlans:
    """As the host and this program know them now."""
    state = control.state
    own = tuple(entry for entry in control.under_way if entry.uuid == uuid)
    return OpenPlans(state, uuid, own, latest(state.entries_of(uuid), own))
