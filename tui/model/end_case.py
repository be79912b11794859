"""The wish to end jobs, with the disks it is about: what every check of it looks at."""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.begin_steps import Begin
from tui.model.facts import EndFacts, Running, UseKind, who
from tui.model.journal import Entry
from tui.model.request import Ending, EndRequest
from tui.model.text import printable


@dataclass(frozen=True, slots=True)
class EndCase:
    """A request whose targets are known."""

    request: EndRequest
    facts: EndFacts
    targets: tuple[str, ...]

    @property
    def name(self) -> str:
        """The domain, for people."""
        return printable(self.facts.domain.name)

    @property
    def jobs(self) -> tuple[Running, ...]:
        """The jobs that are to end."""
        return tuple(job for target in self.targets if (job := self.facts.job(target)))

    @property
    def pause(self) -> bool:
        """Whether the guest stands still meanwhile: disks that belong together change at one instant."""
        together = len(self.jobs) > 1 and self.request.ending is not Ending.CANCEL
        return self.request.pause or together

    def entries(self, target: str) -> tuple[Entry, ...]:
        """The plans of the journal that are about a disk."""
        return tuple(entry for entry in self.facts.entries if target in entry.targets)

    def begun_by(self, target: str) -> Entry | None:
        """The plan that began a job on a disk; while one runs, only that of this very job."""
        job = self.facts.job(target)
        for entry in reversed(self.facts.entries):
            begins = [begin for begin in entry.begins if begin.target == target]
            if any(job is None or _began(begin, job) for begin in begins):
                return entry
        return None

    @property
    def closes(self) -> tuple[str, ...]:
        """Plans that are over with this one: those that began these jobs, or are about these disks alone."""
        return tuple(entry.id for entry in self.facts.entries if self._ends_with(entry))

    def _ends_with(self, entry: Entry) -> bool:
        targets = set(self.targets)
        begun = {begin.target for begin in entry.begins}
        if self.request.ending is not Ending.PIVOT:
            # What is to follow a pivot is not over with it.
            begun -= self.gone_over(entry)
        return bool((begun and begun <= targets) or (entry.targets and entry.targets <= targets))

    def gone_over(self, entry: Entry) -> frozenset[str]:
        """The disks of a plan whose guest is on the mirror already, so that it has nothing to end there."""
        mirrors = (begin for begin in entry.begins if begin.job.mirrors)
        return frozenset(m.target for m in mirrors if self.facts.domain.is_on(m.target, m.path))

    def others(self, target: str, path: str) -> tuple[str, ...]:
        """Who needs the destination besides the mirror that ends, its own plan, and those that are closed."""
        begun = self.begun_by(target)
        closed = {*self.closes, *((begun.id,) if begun else ())}
        own = (self.facts.domain.uuid, target)
        return tuple(
            who(
                use
                for use in self.facts.users_of(path)
                if not (use.kind is UseKind.MIRROR and (use.uuid, use.target) == own)
                and not (use.kind is UseKind.PLAN and use.plan in closed)
            )
        )


def _began(begin: Begin, job: Running) -> bool:
    destination = job.destination.active
    if not job.type.mirrors:
        # The host does not say where such a job writes, and a disk has but one.
        return begin.job is job.type
    return destination is not None and destination.path == begin.path


def all_targets(request: EndRequest, facts: EndFacts) -> tuple[str, ...]:
    """Every disk with a job that can end so, and for a cancel those that an interrupted plan is about."""
    running = [job.target for job in facts.running]
    if request.ending is not Ending.CANCEL:
        return tuple(job.target for job in facts.running if job.type.mirrors)
    left = [
        disk.target for disk in facts.domain.disks if any(disk.target in e.targets for e in facts.entries)
    ]
    return tuple(dict.fromkeys((*running, *left)))
