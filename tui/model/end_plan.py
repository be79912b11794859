"""A wish to end jobs, or to change their speed, and what is known of the host make a plan."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import end_checks
from tui.model.destination import destination_xml
from tui.model.disk_checks import check_bandwidth
from tui.model.end_case import EndCase, all_targets
from tui.model.facts import EndFacts, Running
from tui.model.finding import Finding, in_order, refused
from tui.model.job import JobType, Phase
from tui.model.migrate_request import MigrationTuneRequest, Tune
from tui.model.plan import Plan
from tui.model.quantity import rate, size
from tui.model.request import Ending, EndRequest, SpeedRequest
from tui.model.serve_steps import RemoveThere, StopServing
from tui.model.steps import AwaitSync, EndJobs, ProvePivot, RemoveDestination, SetSpeed, Step
from tui.model.text import printable
from tui.model.tune_plan import plan_tune
from tui.model.volume_steps import RemoveVolume
from tui.model.xml import InvalidXML

_VERBS = {Ending.PIVOT: "Pivot", Ending.KEEP: "Keep the copy of", Ending.CANCEL: "Cancel the job on"}


def plan_end(request: EndRequest, facts: EndFacts, plan_id: str) -> Plan:
    """Make the plan; a request without targets means every disk of the domain that has a job.

    To cancel all that goes on with a domain that is on its way to another host is to call it back.
    """
    if facts.migration is not None and request.ending is Ending.CANCEL and not request.targets:
        back = MigrationTuneRequest(request.uuid, Tune.CALL_BACK)
        return plan_tune(back, facts.domain, facts.migration, plan_id)
    case = EndCase(request, facts, tuple(dict.fromkeys(request.targets)) or all_targets(request, facts))
    if elsewhere := tuple(end_checks.check_migrating(facts)):
        return Plan(plan_id, _title(case), facts.domain.uuid, facts.domain.name, elsewhere, ())
    findings = [
        *end_checks.check_targets(case),
        *end_checks.check_pause(case),
        *end_checks.check_others(case),
        *end_checks.check_moves(case),
    ]
    match request.ending:
        case Ending.PIVOT:
            findings += end_checks.check_pivot(case)
        case Ending.KEEP:
            findings += end_checks.check_keep(case)
        case Ending.CANCEL:
            findings += end_checks.check_cancel(case)
    steps: tuple[Step, ...] = ()
    try:
        steps = tuple(_steps(case))
    except InvalidXML as error:
        reason = f"The destination cannot be written as XML: {printable(str(error))}."
        findings.append(refused("destination-xml", reason, "Pivot with virsh, or cancel."))
    return Plan(
        id=plan_id,
        title=_title(case),
        uuid=facts.domain.uuid,
        domain=facts.domain.name,
        findings=in_order(findings),
        steps=steps,
        journalled=any(isinstance(step, EndJobs) for step in steps),
        closes=case.closes,
        facts=_facts(case),
    )


def _title(case: EndCase) -> str:
    disks = " and ".join(printable(target) for target in case.targets) or "nothing"
    return f"{_verb(case)} {disks} of {case.name}"


def _verb(case: EndCase) -> str:
    if case.request.ending is Ending.CANCEL and not case.jobs:
        return "Tidy up after the copy of"
    return _VERBS[case.request.ending]


def _steps(case: EndCase) -> Iterator[Step]:
    uuid, name, ending = case.facts.domain.uuid, case.facts.domain.name, case.request.ending
    jobs = case.jobs
    if case.request.wait and ending is not Ending.CANCEL:
        copying = [job for job in jobs if job.phase is Phase.COPYING and job.type.mirrors]
        yield from (AwaitSync(uuid, name, job.target) for job in copying)
    if jobs:
        known = [active.path for job in jobs if (active := job.destination.active)]
        paths = tuple(known) if ending is Ending.PIVOT and len(known) == len(jobs) else ()
        yield EndJobs(uuid, name, tuple(job.target for job in jobs), ending, case.pause, paths)
    if ending is Ending.PIVOT:
        yield from _proofs(case)
    elif ending is Ending.KEEP:
        served = (entry.serving for target in case.targets if (entry := case.begun_by(target)))
        yield from (StopServing(serving, kept=True) for serving in served if serving)
    elif ending is Ending.CANCEL:
        yield from _removals(case)


def _proofs(case: EndCase) -> Iterator[ProvePivot]:
    domain = case.facts.domain
    for job in case.jobs:
        destination, begun = job.destination.active, case.begun_by(job.target)
        if destination is not None:
            begin = begun.begin_of(job.target) if begun else None
            xml = begin.xml if begin else destination_xml(destination)
            yield ProvePivot(domain.uuid, domain.name, job.target, xml, destination.path)


def _removals(case: EndCase) -> Iterator[RemoveDestination | RemoveVolume | StopServing | RemoveThere]:
    domain = case.facts.domain
    for target in case.targets:
        entry = case.begun_by(target)
        copy = entry.copy_of(target) if entry else None
        if entry is None or copy is None:
            continue
        removable = copy.creates and case.facts.removable.get(copy.path, False)
        if removable and not case.others(target, copy.path):
            yield RemoveDestination(domain.uuid, domain.name, target, copy.path, entry.started)
        volume = entry.volume_of(target)
        if volume is not None and not case.others(target, volume.path):
            yield volume.removal
        if entry.serving is not None:
            yield StopServing(entry.serving, kept=False)
            yield RemoveThere(entry.serving.made, entry.started)


def _facts(case: EndCase) -> tuple[tuple[str, str], ...]:
    facts = [("domain", case.name)]
    for target in case.targets:
        job = case.facts.job(target)
        begun = case.begun_by(target)
        if job is None:
            facts.append(("disk", f"{printable(target)}  no job"))
            if begun and (copy := begun.copy_of(target)):
                facts.append(("left over", printable(copy.place)))
            continue
        facts.append(("disk", f"{printable(target)}  {job.type}  {_state(job)}"))
        if job.source:
            facts.append(("from", printable(job.source.path)))
        if job.destination.active:
            served = begun.copy_of(target) if begun else None
            facts.append(("to", printable((served and served.named) or job.destination.active.path)))
    facts.append(("undo", _undo(case)))
    return tuple(facts)


def _state(job: Running) -> str:
    if job.phase is Phase.COPYING:
        return f"copying, {end_checks.percent(job)}"
    lag = job.progress.remaining if job.progress else None
    return f"{job.phase}, lag {size(lag)}" if job.phase is Phase.IN_SYNC else str(job.phase)


def _undo(case: EndCase) -> str:
    match case.request.ending:
        case Ending.PIVOT if any(job.type is JobType.ACTIVE_COMMIT for job in case.jobs):
            return "none: the merged images stay, and what stands on them is invalid from then on"
        case Ending.PIVOT:
            return "none: mirror back to return; the old image stays as it is at the pivot"
        case Ending.KEEP:
            return "none is needed: the guest stays where it is; a new mirror starts over"
        case Ending.CANCEL:
            return "none: what was copied is given up; the guest stays where it is"


def plan_speed(request: SpeedRequest, facts: EndFacts, plan_id: str) -> Plan:
    """Make the plan to change the limit of a job."""
    domain, target = facts.domain, printable(request.target)
    name = printable(domain.name)
    title = f"Change the limit of {target} of {name}"
    if elsewhere := tuple(end_checks.check_migrating(facts, limit=True)):
        return Plan(plan_id, title, domain.uuid, domain.name, elsewhere, ())
    job = facts.job(request.target)
    findings: list[Finding] = []
    if job is None:
        findings.append(
            refused("no-job", f"{target} of {name} has no job.", "Look at the jobs of this host.")
        )
    findings += check_bandwidth(request.bandwidth)
    now = job.progress.bandwidth if job and job.progress else None
    limits = tuple("none" if limit == 0 else rate(limit) for limit in (now, request.bandwidth))
    step = SetSpeed(domain.uuid, domain.name, request.target, request.bandwidth)
    return Plan(
        id=plan_id,
        title=title,
        uuid=domain.uuid,
        domain=domain.name,
        findings=in_order(findings),
        steps=(step,),
        journalled=False,
        facts=(("domain", name), ("disk", target), ("limit now", limits[0]), ("limit then", limits[1])),
    )
