"""What plans about snapshots that are there look at, and what several of them check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tui.model.command import typed
from tui.model.domain import Domain
from tui.model.facts import Running, Uses, same_name
from tui.model.finding import Finding, fine, refused, warning
from tui.model.hierarchy import Hierarchy, KnownSnapshot, StateDisk
from tui.model.image import ImageInfo
from tui.model.journal import Entry
from tui.model.mirrored_snapshot import Kind
from tui.model.text import listed, printable


@dataclass(frozen=True, slots=True)
class HierarchyFacts:
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
    """Those of the files asked for that are there; ``None`` where nobody can look."""
    images: Mapping[str, ImageInfo] = field(default_factory=dict)
    """What images say of themselves; those that could not be read are missing."""
    libvirt: tuple[int, int, int] | None = None
    reverts_external: bool = False
    """Whether this libvirt says that it can go back to external snapshots."""
    now: float = 0.0


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
                f"The snapshot {printable(entry.snapshot.name)} has mirrors, which end first.",
                f"{printable(entry.snapshot.deletions)}.",
            )


def check_quiet(facts: HierarchyFacts) -> Iterator[Finding]:
    """Nothing else may be under way in the domain."""
    name = printable(facts.domain.name)
    for entry in facts.entries:
        if not entry.stale(facts.now):
            yield refused(
                "plan-in-progress",
                f"{printable(entry.owner)} is at work on {name}: {printable(entry.title)}.",
                "Wait until that has ended; without a sign of life it is open to all after 90 seconds.",
            )
        else:
            yield refused(
                "plan-left-over",
                f"A plan of {name} is not at its end: {printable(entry.title)}.",
                f"Bring it there with virt-mirror resume {name}, or take it back with virt-mirror undo {name}.",
            )
    for job in facts.running:
        yield refused(
            "job-running",
            f"{printable(job.target)} has a {job.type} job, and libvirt does nothing to snapshots meanwhile.",
            f"Wait for it, or end it: virt-mirror cancel {name} {printable(job.target)}",
        )


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
        path = base or active.path
        if same_name(path) != same_name(active.path):
            commit = ("virt-mirror", "commit", facts.domain.name, disk.target)
            yield refused(
                "state-below",
                f"The snapshot {name} lies in {printable(path)}, and {target} is on {printable(active.path)} by now: "
                "whatever stands on that image would be broken.",
                f"Merge what is above it first: {printable(typed(*commit, '--base', path, '--pivot'))}",
            )
            continue
        info = facts.images.get(path)
        if info is None:
            yield warning(
                "state-unchecked",
                f"Nobody could see whether {printable(path)} has the snapshot {name} in it.",
            )
        elif snapshot.name not in info.snapshots:
            yield refused(
                "state-missing",
                f"{printable(path)} has no snapshot {name} in it any more.",
                f"Have it forgotten: virt-mirror snapshot delete {domain} {name} --metadata-only",
            )
        else:
            yield fine("state-there", f"{printable(path)} has the snapshot {name} in it.")


def inside(snapshot: KnownSnapshot) -> tuple[StateDisk, ...]:
    """The disks whose images hold the state beside what the guest writes."""
    return tuple(disk for disk in snapshot.disks if disk.kind is Kind.INTERNAL)


def outside(snapshot: KnownSnapshot) -> tuple[StateDisk, ...]:
    """The disks that got an overlay."""
    return tuple(disk for disk in snapshot.disks if disk.kind is Kind.EXTERNAL)
