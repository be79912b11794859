"""A wish to hold the state of a domain's disks and what is known of them make a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lxml import etree

from tui.model import live_checks, snapshot_checks, xml
from tui.model.command import own, snapshot_deletion
from tui.model.destination import destination_xml
from tui.model.finding import Finding, any_refusal, in_order, refused
from tui.model.hierarchy_case import deletes_after
from tui.model.live_case import LiveCase, LiveDisk, LiveFacts, live_case, overlay_part, unfit
from tui.model.live_steps import Clone, NoteSnapshot, SnapshotVolume, TakeInternal, TakeTogether
from tui.model.methods import Method
from tui.model.mirrored_snapshot import Kind, Snapshot, SnapshotDisk, snapshot_xml
from tui.model.plan import HeldDisk, Offer, Plan, Redrawn
from tui.model.quantity import size
from tui.model.request import LiveSnapshotRequest
from tui.model.snapshot_case import DEFAULT_FORMAT, TakeFacts, taken_disks
from tui.model.snapshot_note import Held, NotedSnapshot, namespace, note_xml
from tui.model.snapshot_plan import snapshot_step
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.steps import Step
from tui.model.storage import BlockSource, Chain, FileSource, Layer
from tui.model.text import printable
from tui.model.xml import InvalidXML


def plan_live_snapshot(request: LiveSnapshotRequest, facts: LiveFacts, plan_id: str, now: float) -> Plan:
    """Make the plan, with all that speaks for and against it."""
    domain, name = facts.domain, printable(request.name)
    case = live_case(request, facts, plan_id)
    findings: list[Finding] = list(live_checks.check_subject(case))
    steps: tuple[Step, ...] = ()
    held: tuple[HeldDisk, ...] = ()
    chains: tuple[Redrawn, ...] = ()
    if domain.state.active:
        part = overlay_part(request, case.disks)
        take = TakeFacts(domain, facts.snapshots, facts.overlays)
        entries = tuple(dict.fromkeys(e for known in facts.disks.values() for e in known.copy.entries))
        findings += snapshot_checks.check_name(part, take, entries)
        findings += live_checks.check_disks(case)
        findings += live_checks.check_instant(case)
        # Of a name that nobody can have no names of images are made.
        overlaid = taken_disks(part.snapshot, domain) if not any_refusal(findings) else ()
        for disk in overlaid:
            findings += snapshot_checks.check_overlay(part, take, disk)
        if not any_refusal(findings):
            try:
                overlays = None
                if overlaid:
                    overlays = snapshot_step(
                        part,
                        take,
                        overlaid,
                        metadata=request.metadata,
                        live=request.memory is not None and not request.pause,
                        limit=request.limit if request.pause else None,
                    )
                steps = tuple(_steps(case, overlays, now))
                held = tuple(_held(case, disk) for disk in case.chosen)
            except InvalidXML as error:
                reason = f"The snapshot cannot be written as XML: {printable(str(error))}."
                findings.append(refused("snapshot-xml", reason, "Choose other names."))
        chains = tuple(Redrawn(disk.target, disk.disk.chain, disk.then.chain, gone="") for disk in overlaid)
    return Plan(
        id=plan_id,
        title=f"Snapshot {name} of {printable(domain.name)}",
        uuid=domain.uuid,
        domain=domain.name,
        findings=in_order(findings),
        steps=steps,
        facts=tuple(_facts(case)),
        chains=chains,
        held=held,
        offers=tuple(_offers(case)),
    )


def _steps(case: LiveCase, overlays: TakeSnapshot | None, now: float) -> Iterator[Step]:
    request, rest = case.request, case.rest
    uuid, name, targets = case.facts.domain.uuid, case.facts.domain.name, _targets(case.chosen)
    if case.held_by(Method.INTERNAL):
        text = snapshot_xml(_internal(case))
        yield TakeInternal(uuid, name, request.name, targets, text, request.description)
        return
    yield TakeTogether(
        uuid,
        name,
        request.name,
        targets,
        quiesce=rest.quiesce,
        pause=rest.pause,
        limit=request.limit,
        clones=tuple(map(_clone, case.held_by(Method.BTRFS))),
        volumes=tuple(_volume(case, disk) for disk in case.held_by(Method.LVM)),
        manual=_targets(case.held_by(Method.MANUAL)),
        command=request.command,
        overlays=overlays,
    )
    noted = tuple(_noted(case, disk) for disk in case.chosen if disk.method is not Method.QEMU)
    if noted:
        parent = case.facts.parent
        note = NotedSnapshot(
            case.mark, request.name, now, request.description, noted, parent.name if parent else None
        )
        targets = tuple(disk.target for disk in noted)
        yield NoteSnapshot(uuid, name, targets, request.name, note_xml(note), namespace(case.mark))


def _targets(disks: Iterable[LiveDisk]) -> tuple[str, ...]:
    return tuple(disk.target for disk in disks)


def _internal(case: LiveCase) -> Snapshot:
    disks = (
        SnapshotDisk(disk.target, Kind.INTERNAL if disk.method is Method.INTERNAL else Kind.NO)
        for disk in case.disks
    )
    return Snapshot(case.request.name, case.request.description or None, disks=tuple(disks))


def _format(disk: LiveDisk) -> str:
    return disk.active.format or "raw"


def _clone(disk: LiveDisk) -> Clone:
    clone = Clone(disk.target, disk.active.path, disk.path or "", _format(disk))
    pool = disk.pool
    return replace(clone, pool=pool.name, unlisted=not pool.listed) if pool else clone


def _volume(case: LiveCase, disk: LiveDisk) -> SnapshotVolume:
    logical, active = disk.facts.logical, disk.active
    if logical is None:
        message = "a disk on no logical volume was taken for one"
        raise ValueError(message)
    named = disk.wish.volume is not None
    name = disk.volume if named else f"{disk.volume}-{case.mark}"
    return SnapshotVolume(
        disk.target,
        logical.pool,
        logical.name,
        active.path,
        name,
        f"{active.path.rpartition('/')[0]}/{name}",
        disk.room,
        _format(disk),
        not named,
    )


def _kept(case: LiveCase, disk: LiveDisk) -> Layer | None:
    """What holds the state; ``None`` where only the user knows."""
    match disk.method:
        case Method.BTRFS:
            return Layer(FileSource(disk.path or ""), _format(disk))
        case Method.LVM:
            return Layer(BlockSource(_volume(case, disk).path), _format(disk))
        case Method.MANUAL:
            return None
        case _:
            return disk.active


def _noted(case: LiveCase, disk: LiveDisk) -> Held:
    kept = _kept(case, disk)
    volume: SnapshotVolume | Clone | None = None
    if disk.method is Method.LVM:
        volume = _volume(case, disk)
    elif disk.pool is not None:
        volume = _clone(disk)
    return Held(
        disk.target,
        disk.method,
        path=kept.path if kept else None,
        format=kept.format if kept else None,
        needs=tuple(layer.path for layer in disk.disk.chain.below.layers) if kept else (),
        pool=volume.pool if volume else None,
        volume=volume.name if volume else None,
    )


def _held(case: LiveCase, disk: LiveDisk) -> HeldDisk:
    now = chain = disk.disk.chain
    if disk.method is Method.QEMU:
        overlay = Layer(FileSource(disk.path or ""), disk.wish.format or DEFAULT_FORMAT)
        now = Chain((overlay, *chain.layers), chain.complete)
    kept, backup = _kept(case, disk), None
    if kept is not None and disk.method is not Method.INTERNAL:
        backup = _disk_xml(Chain((kept, *chain.below.layers), chain.complete), disk.target, readonly=True)
    return HeldDisk(disk.target, disk.method.value, _disk_xml(now, disk.target), backup)


def _offers(case: LiveCase) -> Iterator[Offer]:
    for disk in case.disks:
        if not (disk.disk.empty or disk.disk.readonly):
            offered = (disk.target, disk.best, disk.why, tuple(_unfit(disk)))
            yield Offer(*offered, place=disk.path or "", volume=disk.volume, room=disk.room)


def _unfit(disk: LiveDisk) -> Iterator[tuple[Method, str]]:
    """The methods that the disk cannot have, and why."""
    for method in Method:
        if why := unfit(method, disk.facts):
            yield method, why


def _disk_xml(chain: Chain, target: str, *, readonly: bool = False) -> str:
    disk = xml.parse(destination_xml(chain.layers[0], backing=chain.below))
    etree.SubElement(disk, "target", dev=target)
    if readonly:
        etree.SubElement(disk, "readonly")
    etree.indent(disk)
    return etree.tostring(disk, encoding="unicode")


def _facts(case: LiveCase) -> Iterator[tuple[str, str]]:
    domain, request = case.facts.domain, case.request
    yield "domain", printable(domain.name)
    yield "snapshot", printable(request.name)
    for disk in case.disks:
        if disk.disk.empty or disk.disk.readonly:
            continue
        what = "left out, as you said" if disk.method is Method.NO else _words(request, disk)
        yield "disk", f"{printable(disk.target)}  {what}"
        others = [f"{other}: {why}" for other, why in _unfit(disk) if other is not disk.method]
        if others:
            yield "not by", "; ".join(others)
    if request.memory is not None:
        still = (
            f"the guest paused, at most {request.limit:g} s"
            if request.pause
            else "the guest goes on meanwhile"
        )
        yield "memory", f"{printable(request.memory)}; {still}"
    if case.rest.words:
        yield "stands still", f"{case.rest.words}, at most {request.limit:g} s"
    yield "undo", printable("; ".join(_undo(case)))


def _undo(case: LiveCase) -> Iterator[str]:
    """The commands that take it back when it has been taken."""
    request, name, parent = case.request, case.facts.domain.name, case.facts.parent
    overlaid = case.held_by(Method.QEMU)
    merges = request.metadata and deletes_after(parent, case.facts.libvirt)
    for disk in overlaid if not merges else ():
        base = disk.active.path
        others = any(one.lost_by((disk.path or "",), base) for one in case.facts.snapshots or ())
        accepting = ("--lose-snapshots",) if others or request.metadata else ()
        yield own("commit", name, disk.target, "--base", base, "--pivot", *accepting)
    if not overlaid or merges:
        yield snapshot_deletion(name, request.name)
    elif request.metadata:
        yield snapshot_deletion(name, request.name, "--metadata-only")
    elif len(overlaid) < len(case.chosen):
        yield snapshot_deletion(name, request.name)


def _words(request: LiveSnapshotRequest, disk: LiveDisk) -> str:
    """What happens to a disk."""
    said = disk.wish.method or request.method
    because = f"; {disk.why}" if said is None and disk.best is disk.method else ""
    place = printable(disk.path or "?")
    match disk.method:
        case Method.QEMU:
            return f"by qemu: what is new goes to {place}{because}"
        case Method.BTRFS:
            how = "cloned where it lies"
            if disk.pool is not None:
                how = (
                    f"cloned by libvirt, since its pool {printable(disk.pool.name)} holds it as a raw volume"
                )
            return f"by btrfs: {place} shares its blocks, {how}{because}"
        case Method.LVM if disk.facts.logical is not None:
            return f"by lvm: {printable(disk.volume)} with {size(disk.room)} for what changes{because}"
        case Method.INTERNAL:
            return "inside the image, with the memory of the guest"
        case Method.MANUAL:
            done = printable(request.command)
            return f"by your own command: {done}" if done else "by you, until you press enter"
        case _:
            return f"by {disk.method}"
