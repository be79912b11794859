"""A wish to move disks into a directory and what is known of the host make a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tui.model import move_checks, volume_checks
from tui.model.begin_steps import StartCommit, StartCopy
from tui.model.chain_steps import CompareImages, CopyImages, ImageCopy, MakeImage, TakeOverlay
from tui.model.command import own
from tui.model.copy_plan import plan_copy
from tui.model.destination import destination_xml
from tui.model.finding import Finding, in_order, refused
from tui.model.move_case import Fate, MovedDisk, MoveFacts, copy_request, moved_disks
from tui.model.move_tidying import check_snapshots, check_sources, left_there, tidying
from tui.model.plan import Plan, Redrawn
from tui.model.quantity import duration, rate, size
from tui.model.request import Ending, How, MoveRequest, Then
from tui.model.steps import AwaitSync, EndJobs, ProveChain, ProvePivot, Step
from tui.model.storage import FileSource, Layer
from tui.model.text import printable
from tui.model.xml import InvalidXML

_OF_ONE_DISK = frozenset({"space", "space-tight"})
"""Findings of a copy that hold for all disks together, which share the room."""

_OF_ONE_IMAGE = _OF_ONE_DISK | frozenset(
    {"internal-snapshots", "internal-snapshots-unchecked", "thin-becomes-fat", "destination-exists"}
)
"""Findings of a copy that do not hold for a chain that goes along as it is."""

_WITHOUT_STEPS = frozenset({"layers-unknown", "layer-kind"}) | volume_checks.REFUSALS
"""Refusals for which nobody could say what would be done."""

_PACE = 200 * 1024 * 1024
"""Bytes per second; what storage can do is not known before, and so the time is told for a round figure."""


def plan_move(request: MoveRequest, facts: MoveFacts, plan_id: str) -> Plan:
    """Make the plan of a move, with all that speaks for and against it."""
    name = printable(facts.domain.name)
    findings = list(move_checks.check_subject(request, facts))
    disks = moved_disks(request, facts, plan_id) if not findings else ()
    steps: tuple[Step, ...] = ()
    if disks:
        findings += move_checks.check_left(request, facts, disks)
        findings += move_checks.check_names(disks)
        findings += move_checks.check_together(request, facts, disks)
        findings += check_snapshots(request, facts, disks)
        findings += check_sources(request, facts, disks)
        copies = [plan_copy(copy_request(request, disk), disk.facts, plan_id) for disk in disks]
        findings += _of_copies(disks, copies)
        for disk in disks:
            if disk.how is How.KEEP_CHAIN and facts.pool is None:
                findings += move_checks.check_chain(facts, disk)
        findings += volume_checks.check_volumes(facts, disks)
        known = not any(f.check in _WITHOUT_STEPS for f in findings)
        # A copy whose destination XML cannot carry has no steps, and says why.
        if known and all(plan.steps for plan in copies):
            try:
                steps = tuple(_steps(request, facts, disks, copies, plan_id))
            except InvalidXML as error:
                reason = f"A destination cannot be written as XML: {printable(str(error))}."
                findings.append(refused("destination-xml", reason, "Choose another directory."))
    targets = " and ".join(printable(disk.target) for disk in disks) or "disks"
    # Nobody can draw a chain in a volume.
    going = tuple(disk for disk in disks if disk.volume is None or disk.how is How.FLATTEN)
    return Plan(
        id=plan_id,
        title=f"Move {targets} of {name} to {_place(request, facts)}",
        uuid=facts.domain.uuid,
        domain=facts.domain.name,
        findings=in_order(findings),
        steps=steps,
        facts=tuple(_facts(request, facts, going)),
        leaves=left_there(request, disks),
        needs=move_checks.space(request, facts, disks).likely if disks else None,
        free=facts.free,
        chains=tuple(
            Redrawn(disk.target, disk.chain, disk.then(merged=request.merge_overlay), gone="")
            for disk in going
        ),
    )


def _place(request: MoveRequest, facts: MoveFacts) -> str:
    if facts.pool is not None:
        return f"the pool {printable(facts.pool.name)}"
    return printable(facts.directory or request.directory)


def _of_copies(disks: tuple[MovedDisk, ...], copies: list[Plan]) -> Iterator[Finding]:
    """What the checks of each disk's copy found, as far as it holds for the move."""
    for disk, plan in zip(disks, copies, strict=True):
        if disk.volume is not None and disk.how is not How.FLATTEN:
            # It is refused, and nothing of it is copied.
            continue
        left_out = volume_checks.OF_A_DEVICE if disk.volume is not None else _OF_ONE_DISK
        if disk.how is How.KEEP_CHAIN:
            left_out = _OF_ONE_IMAGE
        for finding in plan.findings:
            if finding.check not in left_out:
                yield finding


def _steps(
    request: MoveRequest, facts: MoveFacts, disks: tuple[MovedDisk, ...], copies: list[Plan], mark: str
) -> Iterator[Step]:
    uuid, name = facts.domain.uuid, facts.domain.name
    kept = tuple(disk for disk in disks if disk.how is How.KEEP_CHAIN)
    targets = tuple(disk.target for disk in disks)
    if kept:
        yield from _compared(uuid, name, kept)
        yield TakeOverlay(
            uuid,
            name,
            tuple(disk.target for disk in kept),
            tuple(disk.overlay for disk in kept),
            bases=tuple(disk.active.path for disk in kept),
            base_xmls=tuple(destination_xml(disk.active) for disk in kept),
            others=tuple(
                disk.target
                for disk in facts.domain.disks
                if not disk.empty and disk.target not in {one.target for one in kept}
            ),
            quiesce=facts.domain.definition.agent,
        )
        for disk in kept:
            yield from _made(uuid, name, disk)
    yield from volume_checks.volume_steps(facts, disks)
    destinations: dict[str, str] = {}
    for disk, plan in zip(disks, copies, strict=True):
        start = next(step for step in plan.steps if isinstance(step, StartCopy))
        if disk.how is How.KEEP_CHAIN:
            start = replace(
                start,
                source=disk.overlay,
                path=disk.new_overlay,
                xml=destination_xml(Layer(FileSource(disk.new_overlay), "qcow2")),
                creates=False,
                format="qcow2",
                shallow=True,
                reuse_external=True,
                simple=True,
            )
        destinations[disk.target] = start.xml
        yield start
    if kept:
        yield from _filled(uuid, name, kept, request.bandwidth)
    yield from (AwaitSync(uuid, name, target) for target in targets)
    if request.then is not Then.PIVOT:
        return
    paths = tuple(disk.destination for disk in disks)
    yield EndJobs(uuid, name, targets, Ending.PIVOT, pause=len(targets) > 1, paths=paths)
    for disk in disks:
        yield ProvePivot(uuid, name, disk.target, destinations[disk.target], disk.destination)
    if request.merge_overlay and kept:
        yield from _folded(uuid, name, kept)
    for disk in kept:
        chain = disk.then(merged=request.merge_overlay)
        yield ProveChain(uuid, name, disk.target, tuple(layer.path for layer in chain.layers))
    yield from tidying(request, facts, disks, mark)


def _compared(uuid: str, name: str, kept: tuple[MovedDisk, ...]) -> Iterator[CompareImages]:
    """What lies there already is as what it is taken for, before anything begins."""
    for disk in kept:
        reused = [layer for layer in disk.layers if layer.fate is Fate.REUSED]
        if reused:
            # The uppermost speaks for those that it stands on.
            yield CompareImages(uuid, name, disk.target, reused[0].source, reused[0].path, reused[0].format)


def _made(uuid: str, name: str, disk: MovedDisk) -> Iterator[MakeImage]:
    """The chain at the destination, empty, from the base up; libvirt looks at its headers when the mirror begins."""
    capacity = disk.capacity
    for layer in disk.copied:
        yield MakeImage(
            uuid,
            name,
            disk.target,
            layer.path,
            layer.format,
            capacity,
            layer.named,
            layer.below_format,
            like=layer.source,
        )
    yield MakeImage(
        uuid,
        name,
        disk.target,
        disk.new_overlay,
        "qcow2",
        capacity,
        disk.overlay_named,
        disk.layers[0].format,
        like=disk.active.path,
        layout=disk.layout,
    )


def _filled(
    uuid: str, name: str, kept: tuple[MovedDisk, ...], bandwidth: int
) -> Iterator[CopyImages | CompareImages]:
    images = tuple(
        ImageCopy(
            layer.source,
            layer.path,
            layer.format,
            layer.named if layer.renamed else None,
            layer.below_format,
        )
        for disk in kept
        for layer in disk.copied
    )
    yield CopyImages(uuid, name, tuple(disk.target for disk in kept), images, bandwidth)
    for disk in kept:
        # It compares what a guest sees with all that lies below, so the upper layer speaks for those as well.
        top = disk.layers[0]
        yield CompareImages(uuid, name, disk.target, top.source, top.path, top.format)


def _folded(uuid: str, name: str, kept: tuple[MovedDisk, ...]) -> Iterator[Step]:
    """The overlay goes back into the layer below, so that the chain is as deep as it was."""
    for disk in kept:
        top = disk.layers[0]
        yield StartCommit(
            uuid,
            name,
            disk.target,
            top=disk.target,
            base=top.path,
            path=top.path,
            xml=destination_xml(Layer(FileSource(top.path), top.format)),
            paths=(disk.new_overlay,),
            active=True,
            delete=True,
        )
    targets = tuple(disk.target for disk in kept)
    yield from (AwaitSync(uuid, name, target) for target in targets)
    paths = tuple(disk.layers[0].path for disk in kept)
    yield EndJobs(uuid, name, targets, Ending.PIVOT, pause=len(targets) > 1, paths=paths)
    for disk in kept:
        top = disk.layers[0]
        xml = destination_xml(Layer(FileSource(top.path), top.format))
        yield ProvePivot(uuid, name, disk.target, xml, top.path)


def _facts(request: MoveRequest, facts: MoveFacts, disks: tuple[MovedDisk, ...]) -> Iterator[tuple[str, str]]:
    yield "domain", printable(facts.domain.name)
    for disk in disks:
        what = {
            How.KEEP_CHAIN: _along(disk),
            How.FLATTEN: "as one image",
            How.SHALLOW: "the active layer only",
        }[disk.how]
        yield "disk", f"{printable(disk.target)}  {what}"
        yield "from", printable(disk.active.path)
        yield "to", printable(disk.destination)
    for disk in disks:
        if disk.how is How.KEEP_CHAIN:
            yield "meanwhile", f"what is new goes to {printable(disk.overlay)} as well, and needs room there"
            yield (
                "old chain",
                f"{printable(disk.overlay)} is its active layer at the pivot, and stays with it",
            )
    if not disks:
        return
    needs = move_checks.space(request, facts, disks)
    need, most = needs.likely, needs.most
    yield "takes", f"{size(need)} likely" + ("" if most in (None, need) else f", {size(most)} at most")
    if need:
        pace = request.bandwidth or _PACE
        yield "time", f"about {duration(need / pace)} at {rate(pace)}, and longer the more the guest writes"
    yield "free there", size(facts.free)
    if request.bandwidth > 0:
        yield "limit", f"{rate(request.bandwidth)} for each mirror, and for all lower layers together"
    if request.then is Then.PIVOT:
        fate = "go to quarantine" if request.delete_source else "stay as they are then"
        yield "then", f"the guest goes over to the new place; the old images {fate}"
    else:
        yield "then", "stays in sync until you pivot or undo; both places hold all data"
    yield "undo", f"until the pivot: {printable(own('undo', facts.domain.name))}"


def _along(disk: MovedDisk) -> str:
    count, copied = len(disk.layers), len(disk.copied)
    return f"{count} layers, all of them" if copied == count else f"{copied} of its {count} layers"
