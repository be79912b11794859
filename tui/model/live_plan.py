"""A wish to hold the state of a domain's disks and what is known of them make a plan."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from tui.model import live_checks, snapshot_checks, xml
from tui.model.command import typed
from tui.model.copy_plan import in_order
from tui.model.destination import destination_xml
from tui.model.finding import Finding, Severity, refused
from tui.model.live_case import (
    DiskFacts,
    LiveFacts,
    method_of,
    overlay_part,
    place_of,
    proposed,
    unfit,
    wish_of,
)
from tui.model.live_steps import Clone, NoteSnapshot, SnapshotVolume, TakeInternal, TakeTogether
from tui.model.methods import Method
from tui.model.mirrored_snapshot import Kind, Snapshot, SnapshotDisk, snapshot_xml
from tui.model.plan import HeldDisk, Offer, Plan, Redrawn
from tui.model.quantity import size
from tui.model.request import LiveSnapshotRequest
from tui.model.snapshot_case import TakeFacts, taken_disks
from tui.model.snapshot_note import Held, NotedSnapshot, namespace, note_xml
from tui.model.snapshot_plan import snapshot_step
from tui.model.steps import Step
from tui.model.storage import BlockSource, Chain, FileSource, Layer
from tui.model.text import printable
from tui.model.xml import InvalidXML


def plan_live_snapshot(request: LiveSnapshotRequest, facts: LiveFacts, plan_id: str, now: float) -> Plan:
    """Make the plan, with all that speaks for and against it."""
    domain, name = facts.domain, printable(request.name)
    findings: list[Finding] = list(live_checks.check_subject(request, facts))
    steps: tuple[Step, ...] = ()
    held: tuple[HeldDisk, ...] = ()
    chains: tuple[Redrawn, ...] = ()
    chosen = {t: d for t, d in facts.disks.items() if method_of(request, d) is not Method.NO}
    if domain.state.active:
        part = overlay_part(request, facts.disks)
        take = TakeFacts(domain, facts.snapshots, facts.overlays)
        entries = tuple(dict.fromkeys(e for known in facts.disks.values() for e in known.copy.entries))
        named = list(snapshot_checks.check_name(part, take, entries))
        findings += named
        findings += live_checks.check_disks(request, facts)
        findings += live_checks.check_instant(request, facts, chosen)
        # Of a name that nobody can have no names of images are made.
        well_named = not any(f.severity is Severity.REFUSED for f in findings)
        overlaid = taken_disks(part.snapshot, domain) if well_named else ()
        for disk in overlaid:
            findings += snapshot_checks.check_overlay(part, take, disk)
        if not any(f.severity is Severity.REFUSED for f in findings):
            try:
                steps = tuple(_steps(request, facts, chosen, plan_id, now))
                held = tuple(_held(request, known, plan_id) for known in chosen.values())
            except InvalidXML as error:
                reason = f"The snapshot cannot be written as XML: {printable(str(error))}."
                findings.append(refused("snapshot-xml", reason, "Choose other names."))
        chains = tuple(Redrawn(disk.target, disk.disk.chain, disk.then.chain, gone="") for disk in overlaid)
    return Plan(
        id=plan_id,
        title=f"Snapshot {name} of {printable(domain.name)}",
        uuid=domain.uuid,
        domain=domain.name,
        findings=in_order(dict.fromkeys(findings)),
        steps=steps,
        facts=tuple(_facts(request, facts)),
        chains=chains,
        held=held,
        offers=tuple(_offers(facts)),
    )


def _steps(
    request: LiveSnapshotRequest, facts: LiveFacts, chosen: dict[str, DiskFacts], plan_id: str, now: float
) -> Iterator[Step]:
    uuid, name, targets = facts.domain.uuid, facts.domain.name, tuple(chosen)
    if any(method_of(request, known) is Method.INTERNAL for known in chosen.values()):
        text = snapshot_xml(_internal(request, facts))
        yield TakeInternal(uuid, name, request.name, targets, text, request.description)
        return
    part = overlay_part(request, facts.disks)
    overlaid = taken_disks(part.snapshot, facts.domain)
    take = TakeFacts(facts.domain, facts.snapshots, facts.overlays)
    rest = live_checks.rest_of(request, facts, chosen)
    yield TakeTogether(
        uuid,
        name,
        request.name,
        targets,
        quiesce=rest.quiesce,
        pause=rest.pause,
        limit=request.limit,
        clones=tuple(
            Clone(
                t,
                known.disk.chain.layers[0].path,
                place_of(request, known, Method.BTRFS) or "",
                _format(known),
            )
            for t, known in chosen.items()
            if method_of(request, known) is Method.BTRFS
        ),
        volumes=tuple(
            _volume(request, known, plan_id)
            for known in chosen.values()
            if method_of(request, known) is Method.LVM
        ),
        manual=tuple(t for t, known in chosen.items() if method_of(request, known) is Method.MANUAL),
        command=request.command,
        overlays=snapshot_step(part, take, overlaid, metadata=request.metadata) if overlaid else None,
    )
    noted = tuple(
        _noted(request, known, plan_id)
        for known in chosen.values()
        if method_of(request, known) is not Method.QEMU
    )
    if noted:
        note = NotedSnapshot(plan_id, request.name, now, request.description, noted, facts.current)
        targets = tuple(disk.target for disk in noted)
        yield NoteSnapshot(uuid, name, targets, request.name, note_xml(note), namespace(plan_id))


def _internal(request: LiveSnapshotRequest, facts: LiveFacts) -> Snapshot:
    disks = (
        SnapshotDisk(t, Kind.INTERNAL if method_of(request, known) is Method.INTERNAL else Kind.NO)
        for t, known in facts.disks.items()
    )
    return Snapshot(request.name, request.description or None, disks=tuple(disks))


def _format(facts: DiskFacts) -> str:
    return facts.disk.chain.layers[0].format or "raw"


def _volume(request: LiveSnapshotRequest, facts: DiskFacts, mark: str) -> SnapshotVolume:
    logical, active = facts.logical, facts.disk.chain.layers[0]
    if logical is None:
        message = "a disk on no logical volume was taken for one"
        raise ValueError(message)
    named = wish_of(request, facts.disk.target).volume is not None
    name = live_checks.volume_name(request, facts) + ("" if named else f"-{mark}")
    path = f"{active.path.rpartition('/')[0]}/{name}"
    room = live_checks.volume_size(request, facts)
    return SnapshotVolume(
        facts.disk.target,
        logical.pool,
        logical.name,
        active.path,
        name,
        path,
        room,
        _format(facts),
        not named,
    )


def _kept(request: LiveSnapshotRequest, facts: DiskFacts, mark: str) -> Layer | None:
    """What holds the state; ``None`` where only the user knows."""
    active, method = facts.disk.chain.layers[0], method_of(request, facts)
    match method:
        case Method.BTRFS:
            return Layer(FileSource(place_of(request, facts, method) or ""), _format(facts))
        case Method.LVM:
            return Layer(BlockSource(_volume(request, facts, mark).path), _format(facts))
        case Method.MANUAL:
            return None
        case _:
            return active


def _noted(request: LiveSnapshotRequest, facts: DiskFacts, mark: str) -> Held:
    method, kept = method_of(request, facts), _kept(request, facts, mark)
    volume = _volume(request, facts, mark) if method is Method.LVM else None
    return Held(
        facts.disk.target,
        method,
        path=kept.path if kept else None,
        format=kept.format if kept else None,
        needs=tuple(layer.path for layer in facts.disk.chain.below.layers) if kept else (),
        pool=volume.pool if volume else None,
        volume=volume.name if volume else None,
    )


def _held(request: LiveSnapshotRequest, facts: DiskFacts, mark: str) -> HeldDisk:
    method, chain = method_of(request, facts), facts.disk.chain
    now = chain
    if method is Method.QEMU:
        overlay = Layer(
            FileSource(place_of(request, facts, method) or ""),
            wish_of(request, facts.disk.target).format or "qcow2",
        )
        now = Chain((overlay, *chain.layers), chain.complete)
    target, kept, backup = facts.disk.target, _kept(request, facts, mark), None
    if kept is not None and method is not Method.INTERNAL:
        backup = _disk_xml(Chain((kept, *chain.below.layers), chain.complete), target, readonly=True)
    return HeldDisk(target, method.value, _disk_xml(now, target), backup)


def _offers(facts: LiveFacts) -> Iterator[Offer]:
    for target, known in facts.disks.items():
        if not (known.disk.empty or known.disk.readonly):
            reasons = ((method, unfit(method, known)) for method in Method)
            yield Offer(target, *proposed(known), tuple((method, why) for method, why in reasons if why))


def _disk_xml(chain: Chain, target: str, *, readonly: bool = False) -> str:
    disk = xml.parse(destination_xml(chain.layers[0], backing=chain.below))
    etree.SubElement(disk, "target", dev=target)
    if readonly:
        etree.SubElement(disk, "readonly")
    etree.indent(disk)
    return etree.tostring(disk, encoding="unicode")


def _facts(request: LiveSnapshotRequest, facts: LiveFacts) -> Iterator[tuple[str, str]]:
    yield "domain", printable(facts.domain.name)
    yield "snapshot", printable(request.name)
    for known in facts.disks.values():
        target, method = printable(known.disk.target), method_of(request, known)
        if known.disk.empty or known.disk.readonly:
            continue
        why = "left out, as you said" if method is Method.NO else _words(request, known, method)
        yield "disk", f"{target}  {why}"
        others = [
            f"{other}: {unfit(other, known)}"
            for other in Method
            if other not in (method, Method.NO) and unfit(other, known)
        ]
        if others:
            yield "not by", "; ".join(others)
    chosen = {t: d for t, d in facts.disks.items() if method_of(request, d) is not Method.NO}
    rest = live_checks.rest_of(request, facts, chosen)
    if rest.words:
        yield "stands still", f"{rest.words}, at most {request.limit:g} s"
    delete = typed("virt-mirror", "snapshot", "delete", facts.domain.name, request.name)
    yield "undo", f"while it is being taken; later: {printable(delete)}"


def _words(request: LiveSnapshotRequest, facts: DiskFacts, method: Method) -> str:
    """What happens to a disk."""
    said = wish_of(request, facts.disk.target).method or request.method
    best, why = proposed(facts)
    because = f"; {why}" if said is None and best is method else ""
    match method:
        case Method.QEMU:
            place = printable(place_of(request, facts, method) or "?")
            return f"by qemu: what is new goes to {place}{because}"
        case Method.BTRFS:
            place = printable(place_of(request, facts, method) or "?")
            return f"by btrfs: {place} shares its blocks{because}"
        case Method.LVM if facts.logical is not None:
            room = size(live_checks.volume_size(request, facts))
            return f"by lvm: {printable(live_checks.volume_name(request, facts))} with {room} for what changes{because}"
        case Method.INTERNAL:
            return "inside the image, with the memory of the guest"
        case Method.MANUAL:
            done = printable(request.command)
            return f"by your own command: {done}" if done else "by you, until you press enter"
        case _:
            return f"by {method}"
