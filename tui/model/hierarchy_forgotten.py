"""What libvirt makes of the snapshots below one that it forgets.

Those right after it get its parent. Since 9.0 libvirt takes its overlays for merged besides, though they are not: of an
external snapshot whose state lies in such an overlay it says that the state lies in what that stands on, and it leaves
the overlay out of the chains of all that descend.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tui.model.hierarchy import Hierarchy, KnownSnapshot, StateDisk


def changed_by_forgetting(
    there: KnownSnapshot, one: KnownSnapshot, whole: Hierarchy, known: Hierarchy
) -> bool:
    """Whether a snapshot is another one for nothing but what libvirt changed in it when others were forgotten.

    Args:
        there: as libvirt has it.
        one: as it was.
        whole: the tree that it was in.
        known: what libvirt has of that.
    """
    above = whole.above(one.name)
    gone = [whole.by_name[name] for name in above if known.get(name) is None]
    if not gone or (there.identity, there.named) == (one.identity, one.named):
        return False
    if not there.named ^ one.named <= frozenset(path for up in gone for path in up.named):
        return False
    parent = next((name for name in above if known.get(name) is not None), None)
    moved = replace(one, parent=parent, named=there.named)
    merged = replace(moved, disks=tuple(_merged(disk, gone) for disk in one.disks))
    return there.identity in (moved.identity, merged.identity)


def _merged(disk: StateDisk, gone: Iterable[KnownSnapshot]) -> StateDisk:
    """Its state where that was if the overlays of those had been merged, the nearest first."""
    for one in gone:
        above = one.disk(disk.target)
        if above is not None and above.path is not None and above.path == disk.base:
            disk = replace(
                disk,
                base=above.base,
                base_format=above.base_format,
                local=disk.local and above.local,
                plain=above.plain,
            )
    return disk
