"""A wish to merge layers of a chain and what is known of the host make a plan."""

from __future__ import annotations

from tui.model import merge_checks
from tui.model.begin_steps import StartCommit, StartPull
from tui.model.copy_plan import describe
from tui.model.destination import destination_xml
from tui.model.finding import Finding, in_order, refused
from tui.model.merge_case import MergeCase, MergeFacts, layer_name
from tui.model.plan import Plan, Redrawn
from tui.model.quantity import rate, size
from tui.model.request import CommitRequest, Ending, MergeRequest, Then
from tui.model.steps import AwaitEnd, AwaitSync, EndJobs, ProveChain, ProvePivot, Step
from tui.model.text import printable
from tui.model.xml import InvalidXML

_CHECKS = (
    merge_checks.check_disk,
    merge_checks.check_shared,
    merge_checks.check_snapshots,
    merge_checks.check_losses,
    merge_checks.check_relative,
    merge_checks.check_space,
    merge_checks.check_meaning,
)


def plan_merge(request: MergeRequest, facts: MergeFacts, plan_id: str) -> Plan:
    """Make the plan of a commit or a pull, with all that speaks for and against it."""
    domain = facts.domain
    findings = list(merge_checks.check_subject(request, facts))
    case: MergeCase | None = None
    steps: tuple[Step, ...] = ()
    if facts.disk is not None and not findings:
        found = merge_checks.span(request, facts.disk)
        if isinstance(found, Finding):
            findings.append(found)
        else:
            case = MergeCase(request, facts, facts.disk, *found)
            findings += [finding for check in _CHECKS for finding in check(case)]
            try:
                steps = _steps(case)
            except InvalidXML as error:
                reason = f"The image that takes the data cannot be written as XML: {printable(str(error))}."
                findings.append(refused("destination-xml", reason, "Use virsh for this disk."))
    verb = "Commit layers" if isinstance(request, CommitRequest) else "Pull layers"
    name, target = printable(domain.name), printable(request.target)
    return Plan(
        id=plan_id,
        title=f"{verb} of {target} of {name}",
        uuid=domain.uuid,
        domain=domain.name,
        findings=in_order(findings),
        steps=steps,
        facts=_facts(case) if case else (("domain", name), ("disk", target)),
        chains=(Redrawn(case.disk.target, case.disk.chain, case.after),) if case else (),
    )


def _steps(case: MergeCase) -> tuple[Step, ...]:
    uuid, name, target = case.facts.domain.uuid, case.facts.domain.name, case.disk.target
    xml = destination_xml(case.keeper)
    paths = tuple(layer.path for layer in case.merged)
    prove = ProveChain(uuid, name, target, tuple(layer.path for layer in case.after.layers))
    request = case.request
    if not isinstance(request, CommitRequest):
        pull = StartPull(
            uuid,
            name,
            target,
            base=layer_name(case.disk, case.below) if case.below < len(case.disk.chain.layers) else None,
            path=case.keeper.path,
            xml=xml,
            paths=paths,
            keep_relative=request.keep_relative,
            bandwidth=request.bandwidth,
        )
        return (pull, AwaitEnd(uuid, name, target), prove)
    commit = StartCommit(
        uuid,
        name,
        target,
        top=layer_name(case.disk, case.top),
        base=layer_name(case.disk, case.below),
        path=case.keeper.path,
        xml=xml,
        paths=paths,
        active=case.active,
        delete=request.delete,
        keep_relative=request.keep_relative,
        bandwidth=request.bandwidth,
    )
    if not case.active:
        return (commit, AwaitEnd(uuid, name, target), prove)
    wait = AwaitSync(uuid, name, target)
    if request.then is not Then.PIVOT:
        return (commit, wait)
    end = EndJobs(uuid, name, (target,), Ending.PIVOT)
    return (commit, wait, end, ProvePivot(uuid, name, target, xml, case.keeper.path), prove)


def _facts(case: MergeCase) -> tuple[tuple[str, str], ...]:
    merged = "  ".join(printable(layer.path) for layer in case.merged)
    facts = [
        ("domain", printable(case.facts.domain.name)),
        ("disk", describe(case.disk, case.facts.capacity)),
        ("merges", merged),
        ("into", f"{printable(case.keeper.path)} ({printable(case.keeper.format or 'unknown format')})"),
        ("grows by", f"{size(merge_checks.growth(case))} at most"),
        ("depth", f"{len(case.disk.chain.layers)} layers now, {len(case.after.layers)} then"),
    ]
    if case.request.bandwidth > 0:
        facts.append(("limit", rate(case.request.bandwidth)))
    facts.append(("old images", _old_images(case)))
    facts.append(("undo", _undo(case)))
    return tuple(facts)


def _old_images(case: MergeCase) -> str:
    if isinstance(case.request, CommitRequest):
        if case.request.delete:
            return "removed by libvirt when it is done"
        return "stay where they are; what stands on them is invalid from then on"
    return "stay where they are, as they are"


def _undo(case: MergeCase) -> str:
    if case.active:
        return "cancel until the pivot: the guest stays on its chain; the base has been written to"
    if case.commits:
        return "cancel until it is done: the guest stays on its chain; what was merged stays merged"
    return "cancel until it is done: the guest stays on its chain; the active layer keeps what was pulled"
