"""What speaks for and against ending jobs."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model.begin_steps import StartCopy
from tui.model.command import own, virsh
from tui.model.disk_checks import no_such_disk
from tui.model.end_case import EndCase
from tui.model.facts import EndFacts, Running
from tui.model.finding import Finding, fine, refused, warning
from tui.model.job import JobType, Phase
from tui.model.journal import Entry
from tui.model.request import Ending
from tui.model.steps import EndJobs
from tui.model.text import printable

_ENDS_IN = {
    Ending.PIVOT: Phase.PIVOTING,
    Ending.KEEP: Phase.CANCELLING,
    Ending.CANCEL: Phase.CANCELLING,
}


def check_migrating(facts: EndFacts, *, limit: bool = False) -> Iterator[Finding]:
    """Whether what copies the disks of a domain is its migration's, and of no use without that.

    Args:
        facts: what is known.
        limit: whether only the speed is to change.
    """
    if facts.migration is None and not facts.migrating:
        return
    name = facts.domain.name
    host = printable(facts.migration.host) if facts.migration else "another host"
    if facts.migration is not None:
        call_back, set_limit = own("cancel", name), own("speed", name, "MIB")
    else:
        call_back, set_limit = virsh("domjobabort", name), virsh("migrate-setspeed", name, "MIB")
    yield refused(
        "migrating",
        f"{printable(name)} is on its way to {host}, and what copies its disks is a part of that.",
        f"Set the limit of the migration: {set_limit}"
        if limit
        else f"Wait until it is there, or call it back: {call_back}",
    )


def check_targets(case: EndCase) -> Iterator[Finding]:
    """Whether there is something to end."""
    if not case.targets:
        what = "no mirror" if case.request.ending is not Ending.CANCEL else "no job"
        yield refused("no-jobs", f"{case.name} has {what} on any disk.", "There is nothing to end.")
    for target in case.targets:
        if case.facts.domain.disk(target) is None and not case.entries(target):
            yield no_such_disk(case.facts.domain, target)
            continue
        job = case.facts.job(target)
        leftover = case.request.ending is Ending.CANCEL and case.entries(target)
        if job is None and not leftover:
            yield refused(
                "no-job", f"{printable(target)} of {case.name} has no job.", "Look at the jobs of this host."
            )
        if job is not None and job.phase in (Phase.PIVOTING, Phase.CANCELLING):
            yield from _check_already_ending(case, job)


def _check_already_ending(case: EndCase, job: Running) -> Iterator[Finding]:
    disk = f"{printable(job.target)} of {case.name}"
    if job.phase is not _ENDS_IN[case.request.ending]:
        yield refused(
            "ending-otherwise",
            f"{disk} is {job.phase} already, and that cannot be taken back.",
            "Wait until it has ended.",
        )
    elif case.request.pause:
        yield warning(
            "already-ending",
            f"{disk} is {job.phase} already; the guest is only paused until that has ended.",
        )
    else:
        yield refused(
            "already-ending",
            f"{disk} is {job.phase} already.",
            "Wait until it has ended; if the guest outruns the destination, ask again with --pause.",
        )


def check_pause(case: EndCase) -> Iterator[Finding]:
    """Say that the guest stands still."""
    if case.pause and case.jobs:
        why = "" if case.request.pause else ", so that all its disks change at one instant"
        yield warning("pausing", f"{case.name} stands still until the jobs have ended{why}.")


def check_others(case: EndCase) -> Iterator[Finding]:
    """Whose job it is."""
    for job in case.jobs:
        disk = f"{printable(job.target)} of {case.name}"
        if case.begun_by(job.target) is None:
            yield warning(
                "foreign-job",
                f"The {job.type} job on {disk} was started by somebody else.",
                "Ask whoever did; what it wrote stays in any case.",
            )
        for entry in case.entries(job.target):
            if not entry.stale(case.facts.now) and not entry.here:
                yield warning(
                    "plan-in-progress",
                    f"{entry.subject} is waiting for this job: {printable(entry.title)}.",
                    "Ask there first.",
                )


def check_moves(case: EndCase) -> Iterator[Finding]:
    """A mirror that is a part of a move has more to it than its own images."""
    name = case.name
    for entry in dict.fromkeys(e for target in case.targets for e in case.entries(target) if e.moves):
        if entry.snapshot is not None:
            yield refused(
                "part-of-a-snapshot",
                f"This mirror belongs to the snapshot {printable(entry.snapshot.name)}, and ends with all of that.",
                f"End it with {printable(entry.snapshot.deletions)}."
                if entry.step is None
                else f"Go on with {own('resume', name)}, or take it back with {own('undo', name)}.",
            )
        elif case.request.ending is not Ending.PIVOT and entry.layered:
            yield refused(
                "part-of-a-move",
                f"This is a part of “{printable(entry.title)}”, which has made more than this mirror.",
                f"Take all of it back: {own('undo', name)}",
            )
        elif entry.filling:
            yield refused(
                "chain-incomplete",
                f"The lower layers of “{printable(entry.title)}” are not complete at the destination: "
                "a pivot now would give the guest a disk with holes.",
                "Wait until they are."
                if not entry.stale(case.facts.now)
                else f"Go on: {own('resume', name)}",
            )
    yield from _check_together(case)


def _check_together(case: EndCase) -> Iterator[Finding]:
    """Disks of which a plan has mirrors stay together."""
    ending = case.request.ending
    for entry in dict.fromkeys(e for target in case.targets for e in case.entries(target)):
        among = _together(case, entry)
        names = " and ".join(printable(t) for t in among if t not in case.targets)
        if names:
            why = (
                f"is to pivot {names} at the same instant"
                if ending is Ending.PIVOT
                else f"has a mirror of {names} as well, and its mirrors end together"
            )
            yield refused(
                "together",
                f"“{printable(entry.title)}” {why}.",
                f"{ending.capitalize()} them together: "
                f"{printable(own(ending, case.facts.domain.name, *among))}",
            )
            return


def _together(case: EndCase, entry: Entry) -> tuple[str, ...]:
    """The disks of a plan that end so together; none where it is refused as a whole."""
    if case.request.ending is Ending.PIVOT:
        ends = (step for step in entry.steps[entry.reached :] if isinstance(step, EndJobs))
        return next((tuple(t for t in step.targets if _runs(case, t)) for step in ends), ())
    return () if entry.layered else tuple(sorted(entry.mirrored - case.gone_over(entry)))


def _runs(case: EndCase, target: str) -> bool:
    disk = case.facts.domain.disk(target)
    return disk is not None and disk.mirror is not None


def check_pivot(case: EndCase) -> Iterator[Finding]:
    """What a pivot needs."""
    for job in case.jobs:
        begun = case.begun_by(job.target)
        if begun is not None and begun.serving is not None:
            yield refused(
                "pivot-elsewhere",
                f"The copy of {printable(job.target)} lies at {printable(begun.serving.host)}, and the guest would "
                "write to it over the network, through a server that is there for the copy alone.",
                "Keep it or cancel; virt-mirror migrate takes the guest itself.",
            )
        yield from _check_sync(case, job)
        destination = job.destination.active
        if job.type.mirrors and destination is None:
            yield refused(
                "destination-unknown",
                f"The host does not say where the mirror of {printable(job.target)} goes.",
                "Pivot with virsh when you know, or cancel.",
            )


def check_keep(case: EndCase) -> Iterator[Finding]:
    """What a copy needs to be of use."""
    for job in case.jobs:
        if job.type is JobType.ACTIVE_COMMIT:
            yield refused(
                "nothing-to-keep",
                f"The job on {printable(job.target)} commits into its own backing chain; it makes no copy.",
                "Pivot, or cancel.",
            )
        else:
            yield from _check_sync(case, job)


def _check_sync(case: EndCase, job: Running) -> Iterator[Finding]:
    disk = f"{printable(job.target)} of {case.name}"
    if not job.type.mirrors:
        yield refused(
            "not-a-mirror",
            f"The {job.type} job on {disk} ends by itself; it is no mirror.",
            "Wait for it, or cancel it.",
        )
    elif job.phase is Phase.IN_SYNC:
        yield fine("in-sync", f"{disk} is in sync.")
    elif job.phase is Phase.COPYING and case.request.wait:
        yield fine("waits-for-sync", f"{disk} is at {percent(job)}; the plan waits until it is in sync.")
    elif job.phase is Phase.COPYING:
        yield refused(
            "not-in-sync",
            f"{disk} is at {percent(job)} and not in sync; what was copied so far is of no use by itself.",
            "Wait until it is in sync, or say --wait.",
        )


def percent(job: Running) -> str:
    """How far a job is, for people."""
    return "an unknown part" if job.percent is None else f"{job.percent} %"


def check_cancel(case: EndCase) -> Iterator[Finding]:
    """What a cancelled job leaves behind."""
    for target in case.targets:
        job, begun = case.facts.job(target), case.begun_by(target)
        if job is not None and job.type is JobType.ACTIVE_COMMIT:
            base = job.destination.active
            yield warning(
                "base-modified",
                f"{printable(base.path) if base else 'The base'} has been written to and stays so; "
                "other images that stand on it are invalid.",
                "Pivot instead where you can.",
            )
        if job is None:
            yield from _check_nobody_at_it(case, target)
        copy = begun.copy_of(target) if begun else None
        if begun is not None and begun.serving is not None:
            image, there = printable(begun.serving.place), printable(begun.serving.host)
            yield fine("destination-removed", f"{image} at {there} was made for this copy and is removed.")
        elif copy is not None:
            made = begun.volume_of(target) is not None if begun else False
            yield from _check_destination(case, target, copy, made=made)


def _check_nobody_at_it(case: EndCase, target: str) -> Iterator[Finding]:
    for entry in case.entries(target):
        if not entry.stale(case.facts.now):
            yield refused(
                "plan-in-progress",
                f"{entry.subject} is at work on {printable(target)}: {printable(entry.title)}.",
                "Wait until that has ended; without a sign of life it is open to all after 90 seconds.",
            )
        else:
            yield fine(
                "plan-left-over",
                f"“{printable(entry.title)}” of {entry.who} was interrupted and is closed.",
            )


def _check_destination(case: EndCase, target: str, copy: StartCopy, *, made: bool) -> Iterator[Finding]:
    path = printable(copy.path)
    users = case.others(target, copy.path)
    if users:
        yield fine("destination-kept", f"{path} is used by {', '.join(users)} and stays.")
    elif made:
        yield fine("destination-removed", f"The volume {path} was made for this copy and is deleted.")
    elif not copy.creates:
        yield fine("destination-kept", f"{path} was there before the copy and stays.")
    elif not case.facts.removable.get(copy.path, False):
        yield warning(
            "destination-left",
            f"{path} cannot be removed from here and stays on the host.",
            "Remove it by hand when you are sure that nothing needs it.",
        )
    else:
        yield fine("destination-removed", f"{path} was made for this copy and is removed.")
