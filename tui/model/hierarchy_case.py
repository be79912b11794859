"""What plans about snapshots that are there look at, and what several of them check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tui.model.command import own, snapshot_deletion, typed, virsh
from tui.model.domain import Domain
from tui.model.facts import KnowsUses, Running, Uses, same_name, who
from tui.model.finding import Finding, fine, refused, warning
from tui.model.hierarchy import Hierarchy, KnownSnapshot, SnapshotKind, StateDisk
from tui.model.hierarchy_losses import inside_no_more
from tui.model.image import ImageInfo
from tui.model.journal import Entry
from tui.model.merge_case import MergeFacts
from tui.model.methods import Method, takes_name
from tui.model.mirrored_snapshot import Kind
from tui.model.quiet_checks import check_jobs, check_plans
from tui.model.request import MergeRequest
from tui.model.text import listed, printable


@dataclass(frozen=True, slots=True)
class HierarchyFacts(KnowsUses):
    """All that the checks look at."""

    domain: Domain
    hierarchy: Hierarchy = field(default_factory=Hierarchy)
    entries: tuple[Entry, ...] = ()
    """The journal of the domain."""
    running: tuple[Running, ...] = ()
    uses: Uses = field(default_factory=dict)
    unfollowed: tuple[str, ...] = ()
    """Disks of the host whose chains nobody can see to their end."""
    existing: frozenset[str] | None = None
    """Of the files asked for, those that are not surely missing; ``None`` where nobody can look."""
    images: Mapping[str, ImageInfo] = field(default_factory=dict)
    """What images say of themselves; those that could not be read are missing."""
    libvirt: tuple[int, int, int] | None = None
    reverts_external: bool = False
    """Whether this libvirt says that it can go back to external snapshots; it deletes them otherwise then, too."""
    merges: tuple[tuple[MergeRequest, MergeFacts], ...] = ()
    """What ``hierarchy_delete.merges_of`` has merged in the place of a deletion, and what is known of each chain."""
    now: float = 0.0

    def lacks(self, path: str) -> bool:
        """Whether a file that was asked for is surely not there."""
        return self.existing is not None and path not in self.existing


DELETES_EXTERNAL = (9, 0, 0)
"""The first libvirt that merges overlays to delete an external snapshot."""


def deletes_after(parent: KnownSnapshot | None, libvirt: tuple[int, int, int] | None) -> bool:
    """Whether a libvirt deletes an external snapshot that comes after another one, or after none."""
    if libvirt is not None and libvirt < DELETES_EXTERNAL:
        return False
    return parent is None or parent.kind is SnapshotKind.EXTERNAL


def names_of(names: Iterable[str]) -> str:
    """Some names, for people."""
    return listed(names, _FEW, _LONGEST) or "none"


_LONGEST = 60
_FEW = 8


def unknown(name: str, facts: HierarchyFacts) -> Finding:
    """There is no such snapshot."""
    return refused(
        "no-such-snapshot",
        f"{printable(facts.domain.name)} has no snapshot {printable(name)}.",
        f"Its snapshots: {names_of(one.name for one in facts.hierarchy.snapshots)}.",
    )


def check_mirrors(names: Iterable[str], facts: HierarchyFacts) -> Iterator[Finding]:
    """Snapshots whose mirrors are held are ended in a way of their own."""
    wanted = frozenset(names)
    for entry in facts.entries:
        if entry.snapshot is not None and entry.snapshot.name in wanted:
            yield refused(
                "mirrored",
                f"The snapshot {printable(entry.snapshot.name)} has mirrors, which end first."
                if entry.step is None
                else f"The snapshot {printable(entry.snapshot.name)} is not complete: it is at {entry.progress}.",
                f"{printable(entry.ways_out)}.",
            )


def check_quiet(facts: HierarchyFacts) -> Iterator[Finding]:
    """Nothing else may be under way in the domain."""
    yield from check_plans(facts.domain, facts.entries, facts.now)
    yield from check_jobs(facts.domain, facts.running, "does nothing to snapshots meanwhile")


def check_inside(snapshot: KnownSnapshot, facts: HierarchyFacts) -> Iterator[Finding]:
    """Whether libvirt finds the state of an internal snapshot: it looks in the active layers alone."""
    domain, name = printable(facts.domain.name), printable(snapshot.name)
    for disk in inside(snapshot):
        target, base = printable(disk.target), disk.base
        active = facts.domain.active_layer(disk.target)
        if active is None:
            yield refused(
                "no-such-disk",
                f"The snapshot {name} has a part in {target}, which {domain} has no more.",
                "Attach that disk again, or have the snapshot forgotten alone: --metadata-only.",
            )
            continue
        if why := inside_no_more(snapshot.name, disk, active, facts.images, facts.lacks):
            yield refused(
                "state-missing",
                f"The state of {name} is lost: {why}.",
                f"{'Bring it back, or have' if base and facts.lacks(base) else 'Have'} the snapshot forgotten: "
                f"{deletion(facts, snapshot, '--metadata-only')}",
            )
            continue
        path = base or active.path
        if same_name(path) != same_name(active.path):
            yield refused(
                "state-below",
                f"The snapshot {name} lies in {printable(path)}, and {target} is on {printable(active.path)} by now: "
                "whatever stands on that image would be broken.",
                _down_to(snapshot, facts),
            )
            continue
        if path not in facts.images:
            yield warning(
                "state-unchecked",
                f"Nobody could see whether {printable(path)} has the snapshot {name} in it.",
            )
        else:
            yield fine("state-there", f"{printable(path)} has the snapshot {name} in it.")


def check_states(path: str, what: str, facts: HierarchyFacts) -> Iterator[Finding]:
    """Whether an image that libvirt would remove holds internal snapshots: it does not look, and they go with it.

    Args:
        path: the image.
        what: what it is, as ``the overlay of s1``.
        facts: what is known.
    """
    info = facts.images.get(path)
    known = [
        one
        for one in facts.hierarchy.snapshots
        if any(same_name(disk.base) == same_name(path) for disk in inside(one) if disk.base)
    ]
    names = dict.fromkeys([*(one.name for one in known), *(info.snapshots if info else ())])
    if names:
        first = "; ".join(deletion(facts, one) for one in reversed(known))
        yield refused(
            "internal-snapshots",
            f"libvirt would remove {what}, {printable(path)}, and with it the internal snapshots inside: "
            f"{names_of(names)}.",
            f"Delete those first: {first}"
            if known
            else f"Delete those first, with the guest shut off: {printable(typed(*_LISTING, path))}",
        )
    elif info is None and facts.existing is None:
        yield warning(
            "states-unseen",
            f"Nobody could see whether {printable(path)} holds internal snapshots, which libvirt would remove with it.",
            f"Look on its host: {printable(typed(*_LISTING, path))}",
        )


_LISTING = ("qemu-img", "snapshot", "-l", "-U")


def _down_to(snapshot: KnownSnapshot, facts: HierarchyFacts) -> str:
    """How its disks come to be on the images again that hold its state."""
    commits, lost = [], []
    for disk in inside(snapshot):
        drive, layers = facts.domain.disk(disk.target), facts.domain.paths(disk.target)
        names = [same_name(path) for path in layers]
        place = names.index(same_name(disk.base)) if disk.base and same_name(disk.base) in names else None
        if drive is not None and drive.chain.complete and place is None:
            target, name = printable(disk.target), printable(facts.domain.name)
            edit = virsh("edit", facts.domain.name)
            return f"That is not in the chain of {target}: shut {name} off and put it back there: {printable(edit)}"
        if place == 0:
            continue
        others = [
            one for one in facts.hierarchy.snapshots if one.needed.lost_by(layers[:place], disk.base or "")
        ]
        lost += others
        accepting = ("--lose-snapshots",) if others else ()
        words = ("commit", facts.domain.name, disk.target, "--base", disk.base or "", "--pivot", *accepting)
        commits.append(own(*words))
    # Those above first, or it would give the ones that follow another parent.
    gone = [one.name for one in reversed(facts.hierarchy.snapshots) if one in lost]
    commits += [snapshot_deletion(facts.domain.name, name, "--metadata-only") for name in gone]
    start = "" if facts.domain.state.active else "start the guest; "
    return f"Merge what is above it first: {start}{printable('; '.join(commits))}"


def check_name(snapshot: KnownSnapshot, facts: HierarchyFacts, remedy: str) -> Iterator[Finding]:
    """Whether QEMU takes the name of an internal snapshot that libvirt would hand to it."""
    if not takes_name(snapshot.name, facts.libvirt):
        yield refused(
            "name-unsupported",
            f"QEMU takes no such name as {printable(snapshot.name)} from this libvirt: it may have letters without "
            "accents, digits, dots, hyphens and underscores.",
            remedy,
        )


def live_overlay(disk: StateDisk, facts: HierarchyFacts) -> str | None:
    """The overlay of a snapshot in the chain of a disk: that of then, or one that libvirt made when it went back."""
    layers = facts.domain.paths(disk.target)
    names = [same_name(path) for path in layers]
    if same_name(disk.path or "") in names:
        return disk.path
    base = same_name(disk.base or "")
    above = names.index(base) - 1 if facts.reverts_external and base in names else -1
    return layers[above] if above >= 0 else disk.path


def deletion(facts: HierarchyFacts, snapshot: KnownSnapshot, *how: str) -> str:
    """What deletes a snapshot, or has it forgotten, for people."""
    return printable(snapshot_deletion(facts.domain.name, snapshot.name, *how))


def forgetting(facts: HierarchyFacts, snapshot: KnownSnapshot) -> str:
    """What is to be done with one whose images must stay."""
    return (
        f"Have it forgotten, and leave the images as they are: {deletion(facts, snapshot, '--metadata-only')}"
    )


def needers(facts: HierarchyFacts, path: str, snapshots: Iterable[str], *but: tuple[str, str]) -> list[str]:
    """Who needs an image: disks, but for those that are left out, and these snapshots."""
    return [*who(facts.users_of(path, *but)), *(f"the snapshot {printable(one)}" for one in snapshots)]


def unfollowed(path: str, facts: HierarchyFacts) -> Finding:
    """There are chains that nobody can see to their end, and they may have an image in them."""
    return warning(
        "chains-unseen",
        f"{names_of(facts.unfollowed)} may stand on {printable(path)} too, and nobody can see that chain.",
        "Look at it first.",
    )


def take_first(facts: HierarchyFacts, method: Method) -> str:
    """What holds the present state, and what makes a snapshot the current one."""
    name = facts.domain.name
    command = own("snapshot", "create", name, "--method", method)
    if not facts.domain.state.active:
        only = ("--disk-only",) if method is Method.QEMU else ()
        command = virsh("snapshot-create-as", name, *only)
    return f"Take a snapshot of it first: {printable(command)}"


def children_of(snapshot: KnownSnapshot, facts: HierarchyFacts) -> list[KnownSnapshot]:
    """Those that come right after it."""
    names = facts.hierarchy.children.get(snapshot.name, ())
    return [facts.hierarchy.by_name[name] for name in names]


def inside(snapshot: KnownSnapshot) -> tuple[StateDisk, ...]:
    """The disks whose images hold the state beside what the guest writes."""
    return tuple(disk for disk in snapshot.disks if disk.kind is Kind.INTERNAL)


def outside(snapshot: KnownSnapshot) -> tuple[StateDisk, ...]:
    """The disks that got an overlay."""
    return tuple(disk for disk in snapshot.disks if disk.kind is Kind.EXTERNAL)
