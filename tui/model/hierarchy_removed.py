"""What a libvirt that goes back to external snapshots removes, there and when it deletes them: more than it says.

It does not look who else needs an image, and takes the guest down before it looks whether it can go back at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from tui.model.facts import same_name
from tui.model.finding import Finding, refused, warning
from tui.model.hierarchy import KnownSnapshot
from tui.model.hierarchy_case import (
    HierarchyFacts,
    check_states,
    forgetting,
    names_of,
    needers,
    outside,
    take_first,
    unfollowed,
)
from tui.model.methods import Method
from tui.model.text import printable


def check_going_back(snapshot: KnownSnapshot, facts: HierarchyFacts, by_hand: str) -> Iterator[Finding]:
    """Whether libvirt gets to an external snapshot, and what it removes on the way."""
    domain, name = printable(facts.domain.name), printable(snapshot.name)
    for disk in outside(snapshot):
        if not disk.plain:
            yield refused(
                "base-no-file",
                f"{printable(disk.target)} was on {printable(disk.base or 'unknown')} at {name}, and libvirt makes new "
                "overlays beside files alone.",
                by_hand,
            )
    needed = [disk.base for disk in outside(snapshot) if disk.plain] + [snapshot.memory_file]
    for path in filter(None, needed):
        if facts.lacks(path):
            yield refused(
                "image-missing",
                f"The snapshot {name} needs {printable(path)}, which is not there.",
                "Bring it back to its place first.",
            )
    current = facts.hierarchy.current
    if current is None:
        yield refused(
            "no-current",
            f"{domain} has no current snapshot, and libvirt itself breaks down when it goes back to an external one "
            "without.",
            take_first(facts, Method.QEMU),
        )
        return
    yield from _check_overlays(current, facts)


def _check_overlays(current: KnownSnapshot, facts: HierarchyFacts) -> Iterator[Finding]:
    """It removes the overlays that the current snapshot notes, whether the guest is on them or not."""
    gone = []
    for disk in current.overlays:
        path = disk.path
        if path is None or facts.lacks(path):
            continue
        active = facts.domain.active_layer(disk.target)
        others = _holding(path, current, facts)
        if others or active is None or same_name(active.path) != same_name(path):
            whose = f"{names_of(others)} needs" if others else f"{printable(disk.target)} is not on"
            yield refused(
                "overlay-needed",
                f"libvirt would remove {printable(path)}, which {printable(current.name)} notes as its overlay and "
                f"{whose}.",
                take_first(facts, Method.QEMU),
            )
        else:
            gone.append(path)
    if gone:
        yield warning(
            "overlays-removed",
            f"libvirt removes {names_of(gone)}, and makes new overlays on the state that it goes back to.",
        )


def check_aside(snapshot: KnownSnapshot, facts: HierarchyFacts) -> Iterator[Finding]:
    """Whether one that nothing comes after can be deleted with the images of its state, which libvirt removes then."""
    name = printable(snapshot.name)
    for disk in outside(snapshot):
        drive, base = facts.domain.disk(disk.target), disk.base or ""
        if drive is not None and not drive.chain.complete:
            yield refused(
                "chain-unseen",
                f"Nobody can see the chain of {printable(disk.target)} to its end, and whether it stands on "
                f"{printable(base)}, which libvirt would remove.",
                "Start the guest: libvirt shows the whole chain then.",
            )
            continue
        if users := needers(facts, base, _holding(base, snapshot, facts)):
            yield refused(
                "base-needed",
                f"{names_of(users)} needs {printable(base)}, and libvirt would remove that with {name}, which it does "
                "not take for the current snapshot.",
                forgetting(facts, snapshot),
            )
            continue
        yield from check_states(base, f"the state of {name}", facts)
        if facts.unfollowed:
            yield unfollowed(base, facts)


def removed_with(snapshot: KnownSnapshot, facts: HierarchyFacts) -> tuple[str, ...]:
    """The images that libvirt removes with an external snapshot, where it merges nothing."""
    return (
        tuple(disk.base for disk in outside(snapshot) if disk.base) if stands_aside(snapshot, facts) else ()
    )


def stands_aside(snapshot: KnownSnapshot, facts: HierarchyFacts) -> bool:
    """Whether libvirt takes it for the end of a branch that the guest has left, wherever its images are."""
    return facts.reverts_external and not snapshot.current and not facts.hierarchy.children.get(snapshot.name)


def _holding(path: str, but: KnownSnapshot, facts: HierarchyFacts) -> list[str]:
    """The other snapshots whose state lies in an image."""
    return [
        other.name
        for other in facts.hierarchy.snapshots
        if other.name != but.name
        and any(same_name(disk.base) == same_name(path) for disk in other.disks if disk.base)
    ]
