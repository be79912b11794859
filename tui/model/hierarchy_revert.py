"""A wish to go back to a snapshot and what is known of the host make a plan."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model.command import typed, virsh
from tui.model.finding import Acceptance, Finding, any_refusal, in_order, refused, warning
from tui.model.hierarchy import DISK_ONLY, KnownSnapshot, SnapshotKind
from tui.model.hierarchy_case import (
    HierarchyFacts,
    check_inside,
    check_mirrors,
    check_name,
    check_quiet,
    deletion,
    inside,
    names_of,
    outside,
    take_first,
    unknown,
)
from tui.model.hierarchy_losses import absent_layers
from tui.model.hierarchy_noted import going_back, note_of
from tui.model.hierarchy_removed import check_going_back
from tui.model.hierarchy_request import After, SnapshotRevertRequest
from tui.model.hierarchy_steps import RevertSnapshot
from tui.model.methods import Method
from tui.model.mirrored_snapshot import Kind
from tui.model.plan import Plan
from tui.model.text import printable

_OFF = ("shutoff", "shutdown", "crashed", DISK_ONLY)


def plan_revert(request: SnapshotRevertRequest, facts: HierarchyFacts, plan_id: str) -> Plan:
    """Make the plan."""
    domain = facts.domain
    snapshot = facts.hierarchy.get(request.name)
    title = f"Take {printable(domain.name)} back to the snapshot {printable(request.name)}"
    note = note_of(domain, request.name)
    if snapshot is None or note is not None:
        finding = going_back(note) if note else unknown(request.name, facts)
        return Plan(plan_id, title, domain.uuid, domain.name, (finding,), (), journalled=False)
    findings = list(_check(request, facts, snapshot))
    if not any_refusal(findings):
        # Nobody is asked to take upon himself what is not to be had in any case.
        findings.append(_loss(request, facts, snapshot))
    disks = tuple(disk for disk in inside(snapshot) if disk.base)
    stood = tuple(disk for disk in outside(snapshot) if disk.base)
    step = RevertSnapshot(
        domain.uuid,
        domain.name,
        snapshot.name,
        tuple(disk.target for disk in disks),
        tuple(disk.base or "" for disk in disks),
        tuple(disk.target for disk in stood),
        tuple(disk.base or "" for disk in stood),
        running=request.after is After.RUNNING,
        paused=request.after is After.PAUSED,
    )
    return Plan(
        plan_id,
        title,
        domain.uuid,
        domain.name,
        in_order(findings),
        (step,),
        journalled=False,
        facts=tuple(_facts(request, facts, snapshot)),
    )


def _facts(
    request: SnapshotRevertRequest, facts: HierarchyFacts, snapshot: KnownSnapshot
) -> Iterator[tuple[str, str]]:
    yield "domain", f"{printable(facts.domain.name)}, {facts.domain.state}"
    yield "snapshot", printable(snapshot.name)
    yield "state", printable(snapshot.state or "not known")
    yield "disks", names_of(disk.target for disk in snapshot.disks)
    then = request.after.value
    if request.after is After.AS_THEN:
        then = "shut off" if snapshot.state in _OFF else snapshot.state or "as it was"
    yield "guest then", printable(then)
    yield "undo", "none"


def _check(
    request: SnapshotRevertRequest, facts: HierarchyFacts, snapshot: KnownSnapshot
) -> Iterator[Finding]:
    domain, name = printable(facts.domain.name), printable(snapshot.name)
    gone = [refused("image-gone", *said) for said in absent_layers(facts.domain, facts.lacks)]
    if gone and facts.domain.state.active:
        # All that is said below would have the guest shut off.
        yield from gone
        return
    yield from check_mirrors((snapshot.name,), facts)
    yield from check_quiet(facts)
    if snapshot.kind in (SnapshotKind.MIXED, SnapshotKind.MANUAL):
        yield refused(
            "kind-unsupported",
            f"The snapshot {name} is {snapshot.kind}, and libvirt goes back to no such one.",
            f"Bring back the disks by hand while {domain} is off.",
        )
    elif over := _overwritten(snapshot, facts):
        yield refused(
            "state-overwritten",
            f"The state of {name} is lost: {names_of(over)} writes to the very image that held it.",
            f"Have it forgotten: {deletion(facts, snapshot, '--metadata-only')}",
        )
    elif snapshot.kind is SnapshotKind.EXTERNAL and not facts.reverts_external:
        yield refused(
            "revert-unsupported",
            f"The snapshot {name} is external, and this libvirt cannot go back to such ones.",
            _by_hand(facts, snapshot),
        )
    elif snapshot.kind is SnapshotKind.EXTERNAL:
        yield from check_going_back(snapshot, facts, _by_hand(facts, snapshot))
    elif snapshot.kind is SnapshotKind.INTERNAL:
        yield from check_inside(snapshot, facts)
        if snapshot.memory is Kind.INTERNAL:
            apply = typed("qemu-img", "snapshot", "-a", snapshot.name, "--", "IMAGE")
            yield from check_name(
                snapshot, facts, f"Bring the disks alone back while {domain} is off: {printable(apply)}"
            )
    off = request.after is After.AS_THEN and snapshot.state in _OFF
    if off and not facts.domain.persistent:
        yield refused(
            "transient-domain",
            f"{domain} is transient, and would be forgotten when it goes back to {name}, at which it was off.",
            "Let it run: --running, or --paused.",
        )
    parts = {disk.target for disk in snapshot.disks}
    others = [d.target for d in facts.domain.disks if not (d.empty or d.readonly or d.target in parts)]
    if others:
        yield warning(
            "disks-stay",
            f"{names_of(others)} has no part in the snapshot {name}, and keeps what it has, or is not attached any "
            "more: the whole definition goes back as well.",
            "Look at both before: virsh snapshot-dumpxml.",
        )


def _overwritten(snapshot: KnownSnapshot, facts: HierarchyFacts) -> list[str]:
    """The disks on the very images that were to stand still below their overlays."""
    return [
        disk.target for disk in outside(snapshot) if disk.base and facts.domain.is_on(disk.target, disk.base)
    ]


def _loss(request: SnapshotRevertRequest, facts: HierarchyFacts, snapshot: KnownSnapshot) -> Finding:
    domain, current = printable(facts.domain.name), facts.hierarchy.current
    since = f" since {printable(current.name)}" if current else ""
    runs = "The running guest is thrown away, with all" if facts.domain.state.active else "All"
    reason = (
        f"{runs} that {domain} has written{since}: nothing holds that state, and it cannot be had back after going "
        f"to {printable(snapshot.name)}."
    )
    # An overlay would stand on what an internal one lies in, and be in its way.
    method = Method.INTERNAL if snapshot.kind is SnapshotKind.INTERNAL else Method.QEMU
    found = refused("present-state", reason, take_first(facts, method), Acceptance.LOSE_PRESENT_STATE)
    return found.unless(request.accepted)


def _by_hand(facts: HierarchyFacts, snapshot: KnownSnapshot) -> str:
    """What brings the state back where libvirt does not."""
    commands = [
        typed("qemu-img", "create", "-f", "qcow2", "-b", disk.base, "-F", disk.base_format or "raw")
        + f" NEW-{disk.target}"
        for disk in outside(snapshot)
        if disk.base
    ]
    targets = names_of(disk.target for disk in outside(snapshot))
    made = "; ".join(map(printable, commands)) or "qemu-img create"
    # libvirt obeys what the definition says of the images below, which is of now.
    edited = (
        f"give {targets} the new files as their sources, with driver type='qcow2', and remove every <backingStore> of "
        "these disks"
    )
    overlays = (
        f"Its state lies untouched below its overlays: shut {printable(facts.domain.name)} off; make new ones on it: "
        f"{made}"
    )
    if snapshot.memory_file is None:
        return f"{overlays}; {edited}: {printable(virsh('edit', facts.domain.name))}"
    dump = virsh("save-image-dumpxml", snapshot.memory_file)
    restore = virsh("restore", snapshot.memory_file, "--xml", "then.xml")
    return f"{overlays}; {printable(dump)} > then.xml; in then.xml {edited}; {printable(restore)}"
