"""A wish for a mirrored snapshot and what is known of the host make a plan."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import live_checks, snapshot_checks
from tui.model.begin_steps import StartCopy
from tui.model.command import own, snapshot_deletion
from tui.model.copy_plan import plan_copy
from tui.model.destination import destination_xml
from tui.model.domain import Domain
from tui.model.finding import Finding, any_refusal, in_order, refused
from tui.model.live_case import can_freeze
from tui.model.live_steps import TakeTogether
from tui.model.methods import Method
from tui.model.mirrored_snapshot import snapshot_xml
from tui.model.plan import Offer, Plan, Redrawn
from tui.model.quantity import rate
from tui.model.request import SnapshotRequest
from tui.model.snapshot_case import (
    TakeFacts,
    TakenDisk,
    explicit_snapshot,
    generated_path,
    mirror_request,
    taken_disks,
)
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.steps import AwaitSync, Step
from tui.model.text import printable
from tui.model.xml import InvalidXML

_ALONE = "a snapshot with mirrors is taken by qemu alone"
_UNFIT = tuple(method for method in Method if method not in (Method.QEMU, Method.NO))
_SAID_ONCE = frozenset({"forbidden-meanwhile"})
"""Findings of a copy that the snapshot has words of its own for."""


def plan_snapshot(request: SnapshotRequest, facts: TakeFacts, plan_id: str) -> Plan:
    """Make the plan, with all that speaks for and against it."""
    domain, name = facts.domain, request.snapshot.name or "snapshot"
    entries = tuple(dict.fromkeys(entry for known in facts.overlays.values() for entry in known.entries))
    findings: list[Finding] = list(snapshot_checks.check_subject(request, facts))
    if domain.state.active:
        findings += snapshot_checks.check_name(request, facts, entries)
        findings += snapshot_checks.check_disks(request, facts)
    clear = not any_refusal(findings)
    disks = taken_disks(request.snapshot, domain) if clear else ()
    steps: tuple[Step, ...] = ()
    if disks:
        copies = _copies(request, facts, disks, plan_id)
        findings += snapshot_checks.check_paths(disks)
        for disk in disks:
            findings += snapshot_checks.check_default(disk)
            findings += snapshot_checks.check_overlay(request, facts, disk)
        findings += [f for plan in copies.values() for f in plan.findings if f.check not in _SAID_ONCE]
        try:
            snapshot = snapshot_step(request, facts, disks)
            findings += snapshot_checks.check_meanwhile(facts, disks, snapshot.deletion())
            freezes = can_freeze(domain, request.quiesce)
            findings += live_checks.check_frozen(domain, request.quiesce, freezes=freezes)
            if all(plan.steps for plan in copies.values()):
                steps = (_at_rest(request, domain, snapshot), *_mirror_steps(disks, copies))
        except InvalidXML as error:
            reason = f"The snapshot cannot be written as XML: {printable(str(error))}."
            findings.append(refused("snapshot-xml", reason, "Choose other names."))
    return Plan(
        id=plan_id,
        title=f"Mirrored snapshot {printable(name)} of {printable(domain.name)}",
        uuid=domain.uuid,
        domain=domain.name,
        findings=in_order(findings),
        steps=steps,
        facts=tuple(_facts(request, facts, disks)),
        chains=tuple(Redrawn(disk.target, disk.disk.chain, disk.then.chain, gone="") for disk in disks),
        offers=tuple(_offers(request, facts)),
    )


def _offers(request: SnapshotRequest, facts: TakeFacts) -> Iterator[Offer]:
    unfit = tuple((method, _ALONE) for method in _UNFIT)
    for disk in facts.domain.disks:
        if not (disk.empty or disk.readonly):
            place = generated_path(disk, request.snapshot.name or "")
            yield Offer(disk.target, Method.QEMU, _ALONE, unfit, place=place or "")


def _copies(
    request: SnapshotRequest, facts: TakeFacts, disks: tuple[TakenDisk, ...], plan_id: str
) -> dict[str, Plan]:
    """The mirror of each disk as a copy of the overlay that it will have."""
    return {
        disk.target: plan_copy(mirror_request(request, disk), disk.over(known), plan_id)
        for disk in disks
        if disk.mirror and (known := facts.mirrors.get(disk.target))
    }


def snapshot_step(
    request: SnapshotRequest,
    facts: TakeFacts,
    disks: tuple[TakenDisk, ...],
    *,
    metadata: bool = True,
    live: bool = False,
    limit: float | None = None,
) -> TakeSnapshot:
    """The step that gives disks their overlays.

    Raises:
        InvalidXML: when a name or a path has a character that XML cannot carry.
    """
    wanted = explicit_snapshot(request.snapshot, facts.domain, disks)
    taken = {disk.target for disk in disks}
    return TakeSnapshot(
        facts.domain.uuid,
        facts.domain.name,
        wanted.name or "",
        snapshot_xml(wanted),
        targets=tuple(disk.target for disk in disks),
        paths=tuple(disk.path for disk in disks),
        formats=tuple(disk.format for disk in disks),
        bases=tuple(disk.active.path for disk in disks),
        base_xmls=tuple(destination_xml(disk.active) for disk in disks),
        others=tuple(disk.target for disk in facts.domain.disks if disk.target not in taken),
        description=wanted.description or "",
        reuse_external=request.reuse_external,
        simple=all(_is_plain(disk) for disk in disks),
        metadata=metadata,
        validate=request.validate,
        memory=wanted.memory.get("file") if wanted.memory else None,
        live=live,
        limit=limit,
    )


def _at_rest(request: SnapshotRequest, domain: Domain, snapshot: TakeSnapshot) -> TakeSnapshot | TakeTogether:
    """The step, with the file systems of the guest frozen for it where they can be."""
    if not can_freeze(domain, request.quiesce):
        return snapshot
    named = (snapshot.uuid, snapshot.domain, snapshot.name, snapshot.targets)
    return TakeTogether(*named, request.quiesce, pause=False, limit=request.limit, overlays=snapshot)


def _is_plain(disk: TakenDisk) -> bool:
    """Whether path and format say all of an overlay."""
    asked = disk.explicit
    parts = [part for part in (asked.source, asked.driver) if part]
    return not asked.extra and all(len(part.attributes) == 1 and not part.children for part in parts)


def _mirror_steps(disks: tuple[TakenDisk, ...], copies: dict[str, Plan]) -> Iterator[Step]:
    for disk in disks:
        if disk.target in copies:
            yield from (step for step in copies[disk.target].steps if isinstance(step, StartCopy))
    for disk in disks:
        if disk.target in copies:
            yield from (step for step in copies[disk.target].steps if isinstance(step, AwaitSync))


def _facts(
    request: SnapshotRequest, facts: TakeFacts, disks: tuple[TakenDisk, ...]
) -> Iterator[tuple[str, str]]:
    yield "domain", printable(facts.domain.name)
    yield "snapshot", printable(request.snapshot.name or "")
    for disk in disks:
        yield "disk", printable(disk.target)
        yield "stands still", printable(disk.active.path)
        yield "new goes to", f"{printable(disk.path)} ({printable(disk.format)})"
        if disk.mirror:
            yield "and to", f"{printable(disk.mirror)} ({printable(disk.format)})"
    yield "not by", f"{', '.join(_UNFIT)}: {_ALONE}"
    if can_freeze(facts.domain, request.quiesce):
        yield "stands still", f"file systems frozen, at most {request.limit:g} s"
    if request.bandwidth > 0:
        yield "limit", f"{rate(request.bandwidth)} for each mirror"
    delete = snapshot_deletion(facts.domain.name, request.snapshot.name or "")
    yield "then", f"both places get all that is new, until {printable(delete)} --pivot or --abort"
    yield "undo", f"{printable(own('undo', facts.domain.name))}: what is new goes back into the images"
