"""A wish to copy a disk and what is known of the host make a plan."""

from __future__ import annotations

from tui.model import copy_checks, destination_checks
from tui.model.begin_steps import StartCopy
from tui.model.copy_case import CopyCase, copy_case
from tui.model.copy_space import check_space, check_thin, predict
from tui.model.destination import destination_xml
from tui.model.disk import Disk
from tui.model.facts import CopyFacts, PathKind
from tui.model.finding import in_order, refused
from tui.model.plan import Plan
from tui.model.quantity import rate, size
from tui.model.request import CopyRequest, Ending, Then
from tui.model.steps import AwaitSync, EndJobs, ProvePivot, Step
from tui.model.storage import Layer
from tui.model.text import printable
from tui.model.xml import InvalidXML

_OF_THE_PLACE = (
    destination_checks.check_format,
    destination_checks.check_path,
    destination_checks.check_directory,
    destination_checks.check_size,
    destination_checks.check_slices,
    destination_checks.check_shallow,
    check_space,
)
_CHECKS: tuple[destination_checks.Check, ...] = (
    copy_checks.check_disk,
    copy_checks.check_jobs,
    copy_checks.check_server,
    copy_checks.check_numbers,
    destination_checks.check_kind,
    lambda case: destination_checks.check_place(case, _OF_THE_PLACE),
    check_thin,
    copy_checks.check_losses,
    copy_checks.check_persistence,
)


def plan_copy(request: CopyRequest, facts: CopyFacts, plan_id: str) -> Plan:
    """Make the plan, with all that speaks for and against it."""
    domain = facts.domain
    findings = list(copy_checks.check_subject(request, facts))
    case = copy_case(request, facts)
    steps: tuple[Step, ...] = ()
    if case is not None and not findings:
        findings += [finding for check in _CHECKS for finding in check(case)]
    if case is not None:
        try:
            steps = _steps(case)
        except InvalidXML as error:
            if not any(finding.check == "destination-type" for finding in findings):
                reason = f"The destination cannot be written as XML: {printable(str(error))}."
                findings.append(refused("destination-xml", reason, "Choose another destination."))
    return Plan(
        id=plan_id,
        title=f"Mirror {printable(request.target)} of {printable(domain.name)}",
        uuid=domain.uuid,
        domain=domain.name,
        findings=in_order(findings),
        steps=steps,
        facts=_facts(case)
        if case
        else (("domain", printable(domain.name)), ("disk", printable(request.target))),
    )


def _steps(case: CopyCase) -> tuple[Step, ...]:
    request, facts = case.request, case.facts
    uuid, name, target = facts.domain.uuid, facts.domain.name, case.disk.target
    xml = destination_xml(case.destination, backing=case.given_backing if _says_backing(case) else None)
    place = facts.destination
    # libvirt refuses a file with content, so one that nobody could see is new if the copy starts.
    new = place.kind in (None, PathKind.MISSING) or (place.kind is PathKind.FILE and place.size == 0)
    start = StartCopy(
        uuid=uuid,
        domain=name,
        target=target,
        source=case.source.path,
        path=case.destination.path,
        xml=xml,
        creates=case.creates and new,
        format=case.destination.format,
        shallow=request.shallow,
        reuse_external=request.reuse_external,
        blockdev=case.blockdev,
        transient_job=facts.supports_block_copy and (request.transient_job or facts.domain.persistent),
        synchronous_writes=request.synchronous_writes,
        bandwidth=request.bandwidth,
        granularity=request.granularity,
        buf_size=request.buf_size,
        simple=case.plain,
        legacy=not facts.supports_block_copy,
    )
    wait = AwaitSync(uuid, name, target, request.timeout)
    match request.then:
        case Then.HOLD:
            return (start, wait)
        case Then.KEEP:
            return (start, wait, EndJobs(uuid, name, (target,), Ending.KEEP))
        case Then.PIVOT:
            end = EndJobs(uuid, name, (target,), Ending.PIVOT)
            return (start, wait, end, ProvePivot(uuid, name, target, xml, case.destination.path))


def _says_backing(case: CopyCase) -> bool:
    """Whether the XML has to name a backing chain: where the user's does, and it means something."""
    return bool(case.given_backing.layers)


def _facts(case: CopyCase) -> tuple[tuple[str, str], ...]:
    space, place = predict(case), case.facts.destination
    free = place.size if case.blockdev else place.free
    copied = f"{size(space.likely)} likely, {size(space.most)} at most"
    facts = [
        ("domain", printable(case.facts.domain.name)),
        ("disk", describe(case.disk, case.facts.sizes.capacity if case.facts.sizes else None)),
        ("from", _layer(case.source)),
        ("to", _layer(case.destination)),
        ("copies", ("the active layer: " if case.shallow else "") + copied),
        ("room there" if case.blockdev else "free there", size(free)),
    ]
    if case.shallow and case.backing and not case.request.reuse_external:
        given = case.given_backing.active or case.backing
        facts.append(("stands on", printable(given.path)))
    if case.request.bandwidth > 0:
        facts.append(("limit", rate(case.request.bandwidth)))
    facts.append(("then", _then(case)))
    facts.append(("undo", _undo(case)))
    return tuple(facts)


def describe(disk: Disk, capacity: int | None) -> str:
    """A disk in a few words, as ``vda  virtio  40 GiB``."""
    return "  ".join((printable(disk.target), printable(disk.bus or "unknown bus"), size(capacity)))


def _layer(layer: Layer) -> str:
    return f"{printable(layer.path)} ({printable(layer.format or 'unknown format')})"


def _then(case: CopyCase) -> str:
    match case.request.then:
        case Then.HOLD:
            return "stays in sync until you pivot, keep or cancel"
        case Then.KEEP:
            return "in sync, the mirror ends and the copy stays; the guest stays where it is"
        case Then.PIVOT:
            return "in sync, the guest goes over to the copy; the old image stays as it is then"


def _undo(case: CopyCase) -> str:
    rest = "is removed" if case.creates else "stays, overwritten"
    until = "until the pivot" if case.request.then is Then.PIVOT else "at any time"
    return f"cancel {until}: the guest stays on {printable(case.source.path)}; the destination {rest}"
