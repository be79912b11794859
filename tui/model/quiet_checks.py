"""Whether anything else is under way in a domain: plans in its journal, and jobs on its disks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tui.model.command import own
from tui.model.domain import Domain
from tui.model.facts import Running
from tui.model.finding import Finding, refused
from tui.model.journal import Entry
from tui.model.text import printable


def check_plans(domain: Domain, entries: Iterable[Entry], now: float) -> Iterator[Finding]:
    """No plan may be in progress, or left over."""
    name = printable(domain.name)
    for entry in entries:
        if not entry.stale(now):
            yield refused(
                "plan-in-progress",
                f"{entry.subject} is at work on {name}: {printable(entry.title)}.",
                "Wait until that has ended; without a sign of life it is open to all after 90 seconds.",
            )
        else:
            yield refused(
                "plan-left-over",
                f"A plan of {name} is not at its end: {printable(entry.title)}.",
                f"Bring it there with {own('resume', name)}, or take it back with {own('undo', name)}.",
            )


def check_jobs(domain: Domain, running: Iterable[Running], why: str) -> Iterator[Finding]:
    """No job may run; ``why`` is what libvirt does not do then, as a part of a sentence."""
    for job in running:
        yield refused(
            "job-running",
            f"{printable(job.target)} has a {job.type} job, and libvirt {why}.",
            f"Wait for it, or end it: {printable(own('cancel', domain.name, job.target))}",
        )
