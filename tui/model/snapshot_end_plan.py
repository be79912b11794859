"""A wish to end the mirrors of a snapshot and what is known of the host make a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tui.model import end_checks
from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import CompareImages
from tui.model.command import own, snapshot_deletion
from tui.model.end_case import EndCase
from tui.model.facts import EndFacts, ImageFacts, same_name
from tui.model.finding import Finding, fine, in_order, refused, warning
from tui.model.journal import Entry
from tui.model.plan import Plan, Redrawn
from tui.model.request import Ending, EndRequest, SnapshotEndRequest
from tui.model.snapshot import SnapshotFacts
from tui.model.snapshot_checks import taken_names
from tui.model.snapshot_steps import DropSnapshot, TakeSnapshot
from tui.model.steps import EndJobs, ProvePivot, RemoveDestination, Step
from tui.model.storage import Chain, FileSource, Layer
from tui.model.text import printable


@dataclass(frozen=True, slots=True)
class SnapshotEndFacts:
    """All that the checks look at."""

    end: EndFacts
    """The jobs, the journal and the paths of the domain."""
    snapshots: tuple[SnapshotFacts, ...] | None = ()
    headers: Mapping[str, ImageFacts | None] = field(default_factory=dict)
    """By path of a mirror that was there before: what its header says; ``None`` where nobody could read it."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A snapshot whose mirrors are held, and the disks that have them."""

    entry: Entry
    snapshot: TakeSnapshot
    facts: SnapshotEndFacts
    request: SnapshotEndRequest

    @property
    def copies(self) -> tuple[StartCopy, ...]:
        """Its mirrors."""
        return self.entry.copies

    @property
    def case(self) -> EndCase:
        """The end of those mirrors that are there."""
        targets = tuple(copy.target for copy in self.copies if self.runs(copy))
        return EndCase(EndRequest(self.request.uuid, targets, self.request.ending), self.facts.end, targets)

    def runs(self, copy: StartCopy) -> bool:
        """Whether its mirror is there."""
        job = self.facts.end.job(copy.target)
        to = job.destination.active if job else None
        return to is not None and same_name(to.path) == same_name(copy.path)

    def is_there(self, copy: StartCopy) -> bool:
        """Whether the guest is on the mirror already."""
        return self.facts.end.domain.is_on(copy.target, copy.path)

    @property
    def others(self) -> tuple[Entry, ...]:
        """Further plans about these disks: an end that was cut short."""
        targets = {copy.target for copy in self.copies}
        return tuple(e for e in self.facts.end.entries if e.id != self.entry.id and e.targets & targets)


def plan_snapshot_end(request: SnapshotEndRequest, facts: SnapshotEndFacts, plan_id: str) -> Plan:
    """Make the plan to let the guest go over to all mirrors of a snapshot, or to give them all up."""
    domain = facts.end.domain
    entry = next((e for e in facts.end.entries if e.snapshot and e.snapshot.name == request.name), None)
    pivots = request.ending is Ending.PIVOT
    shown, name = printable(request.name), printable(domain.name)
    title = f"{'Pivot to' if pivots else 'Give up'} the mirrors of the snapshot {shown} of {name}"
    if entry is None or entry.snapshot is None:
        finding = _none(request, facts)
        return Plan(plan_id, title, domain.uuid, domain.name, (finding,), ())
    held = _Held(entry, entry.snapshot, facts, request)
    findings = list(_check_plans(held))
    if not findings:
        case = held.case
        findings += [*end_checks.check_pause(case), *(_check_pivot(held) if pivots else _check_abort(held))]
    return Plan(
        id=plan_id,
        title=title,
        uuid=domain.uuid,
        domain=domain.name,
        findings=in_order(findings),
        steps=tuple(_steps(held)),
        closes=(entry.id, *(other.id for other in held.others)),
        facts=tuple(_facts(held)),
        chains=tuple(_chains(held)) if pivots else (),
    )


def _none(request: SnapshotEndRequest, facts: SnapshotEndFacts) -> Finding:
    name, domain = printable(request.name), printable(facts.end.domain.name)
    if any(snapshot.name == request.name for snapshot in facts.snapshots or ()):
        delete = printable(snapshot_deletion(facts.end.domain.name, request.name))
        return refused(
            "not-mirrored",
            f"The snapshot {name} of {domain} has no mirrors that virt-mirror made, and only such are ended here.",
            f"Delete it without that: {delete}",
        )
    return refused(
        "no-such-snapshot",
        f"{domain} has no mirrored snapshot {name}.",
        f"Its snapshots: {taken_names(facts.snapshots)}.",
    )


def _check_plans(held: _Held) -> Iterator[Finding]:
    """Nobody else may be at work on it, and it must have come about."""
    domain, now = printable(held.facts.end.domain.name), held.facts.end.now
    for entry in (held.entry, *held.others):
        if not entry.stale(now):
            yield refused(
                "plan-in-progress",
                f"{entry.subject} is at work on it: {printable(entry.title)}.",
                "Wait until that has ended; without a sign of life it is open to all after 90 seconds.",
            )
        elif entry is held.entry and entry.step is not None:
            yield refused(
                "plan-left-over",
                f"The snapshot {printable(held.request.name)} is not complete: it is at {entry.progress}.",
                f"Go on with {own('resume', domain)}, or take it back with {own('undo', domain)}.",
            )


def _check_pivot(held: _Held) -> Iterator[Finding]:
    domain = held.facts.end.domain
    if not domain.state.active:
        yield refused(
            "domain-not-running",
            f"{printable(domain.name)} is {domain.state}, and its mirrors have ended with it.",
            f"Give them up: {held.snapshot.deletion('--abort')}",
        )
        return
    yield from end_checks.check_pivot(held.case)
    for copy in held.copies:
        target, path = printable(copy.target), printable(copy.path)
        if held.is_there(copy):
            yield fine("pivoted", f"{target} is on {path} already.")
        elif not held.runs(copy):
            yield refused(
                "mirror-gone",
                f"{target} has no mirror at {path} any more, so that this holds an old state.",
                f"Give the mirrors up: {held.snapshot.deletion('--abort')}",
            )
        elif not copy.creates:
            yield from _check_base(held, copy)


def _check_base(held: _Held, copy: StartCopy) -> Iterator[Finding]:
    """What a mirror stands on that somebody else has brought there."""
    header, below = held.facts.headers.get(copy.path), _below(held, copy)
    path = printable(copy.path)
    if header is None or header.backing is None or below is None:
        yield warning(
            "base-unchecked",
            f"Nobody could see what {path} stands on, and whether that holds the same as before.",
            "Look on the host: qemu-img info -U --backing-chain",
        )
        return
    new, old = printable(header.backing), printable(below.path)
    if header.backing_exists is False:
        yield refused(
            "backing-missing", f"{path} stands on {new}, which is not there.", "Bring it there first."
        )
    elif same_name(header.backing) == same_name(below.path):
        yield fine("base-shared", f"{path} stands on {new}, as the disk does now.")
    elif not held.request.compare:
        yield warning(
            "base-unchecked",
            f"Whether {new} holds the same as {old} is not looked at: if it does not, the guest finds a broken disk.",
            "Leave --no-compare out.",
        )
    elif _comparison(held, copy) is None:
        yield warning(
            "base-unchecked",
            f"{new} and {old} differ in their formats, or lie elsewhere, and are not compared.",
            "Compare them: qemu-img compare -U",
        )
    else:
        yield fine("base-compared", f"{new} is compared with {old} first.")


def _below(held: _Held, copy: StartCopy) -> Layer | None:
    disk = held.facts.end.domain.disk(copy.target)
    return disk.chain.below.active if disk else None


def _comparison(held: _Held, copy: StartCopy) -> CompareImages | None:
    """Reading both bases, where they are two, and can be read."""
    header, below = held.facts.headers.get(copy.path), _below(held, copy)
    if (
        copy.creates
        or not held.request.compare
        or header is None
        or below is None
        or below.local_path is None
    ):
        return None
    local = header.backing is not None and header.backing.startswith("/")
    if not local or header.backing is None or header.backing_format != below.format or below.format is None:
        return None
    if same_name(header.backing) == same_name(below.path):
        return None
    uuid, name = held.snapshot.uuid, held.snapshot.domain
    return CompareImages(uuid, name, copy.target, below.path, header.backing, below.format)


def _check_abort(held: _Held) -> Iterator[Finding]:
    for copy in held.copies:
        target, path = printable(copy.target), printable(copy.path)
        if held.is_there(copy):
            yield refused(
                "pivoted",
                f"{target} is on {path} already, and cannot be taken back from there.",
                f"Go on: {held.snapshot.deletion('--pivot')}",
            )
        elif not held.runs(copy):
            yield warning("mirror-gone", f"{target} has no mirror at {path} any more.")
    yield from end_checks.check_cancel(held.case)
    name = held.snapshot.domain
    merges = [own("commit", name, t, "--shallow", "--pivot") for t in held.snapshot.targets]
    yield warning(
        "overlays-stay",
        "The guest stays on its overlays, and the chains are one layer deeper than before the snapshot.",
        f"Merge them when you like: {printable('; '.join(merges))}. To give up the overlays "
        f"with the mirrors, do this instead: {printable(own('undo', name))}",
    )


def _steps(held: _Held) -> Iterator[Step]:
    uuid, name, pivots = held.snapshot.uuid, held.snapshot.domain, held.request.ending is Ending.PIVOT
    running = [copy for copy in held.copies if held.runs(copy)]
    if pivots:
        yield from (step for copy in running if (step := _comparison(held, copy)))
    if running:
        targets = tuple(copy.target for copy in running)
        yield EndJobs(uuid, name, targets, held.request.ending, pause=pivots and len(targets) > 1)
    for copy in held.copies:
        if pivots:
            yield ProvePivot(uuid, name, copy.target, copy.xml, copy.path)
        elif copy.creates and _removable(held, copy):
            yield RemoveDestination(uuid, name, copy.target, copy.path, held.entry.started)
    yield DropSnapshot(uuid, name, held.snapshot.name, held.entry.id)


def _removable(held: _Held, copy: StartCopy) -> bool:
    """Whether the mirror, which was made for this snapshot, can be removed and nobody needs it."""
    closed = {held.entry.id, *(other.id for other in held.others)}
    own = (held.snapshot.uuid, copy.target)
    users = [use for use in held.facts.end.users_of(copy.path, own) if use.plan not in closed]
    return held.facts.end.removable.get(copy.path, False) and not users


def _facts(held: _Held) -> Iterator[tuple[str, str]]:
    yield "domain", printable(held.facts.end.domain.name)
    yield "snapshot", printable(held.snapshot.name)
    pivots = held.request.ending is Ending.PIVOT
    overlays = dict(zip(held.snapshot.targets, held.snapshot.paths, strict=True))
    for copy in held.copies:
        yield "disk", printable(copy.target)
        source, mirror = printable(overlays.get(copy.target, "")), printable(copy.path)
        yield "is on", mirror if held.is_there(copy) else source
        yield "then on", mirror if pivots else source
    mirrored = {copy.target for copy in held.copies}
    for target, path in overlays.items():
        if target not in mirrored:
            yield "disk", f"{printable(target)}  no mirror; stays on {printable(path)}"
    if pivots:
        yield "old images", "stay where they are, as they are at the pivot"
        yield "undo", "none: mirror back to return"
    else:
        yield "undo", "none: the mirrors are given up; the guest stays where it is, on its overlays"


def _chains(held: _Held) -> Iterator[Redrawn]:
    for copy in held.copies:
        disk = held.facts.end.domain.disk(copy.target)
        if disk is None or held.is_there(copy):
            continue
        top = Layer(FileSource(copy.path), copy.format)
        header = held.facts.headers.get(copy.path)
        if copy.creates or header is None or header.backing is None:
            then = Chain((top, *disk.chain.below.layers), disk.chain.complete)
        else:
            mirror = disk.mirror.chain if disk.mirror else Chain()
            base = Layer(FileSource(header.backing), header.backing_format)
            listed = len(mirror.layers) > 1
            then = mirror if listed else Chain((top, base), complete=False)
        yield Redrawn(copy.target, disk.chain, then, gone="")
