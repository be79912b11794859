"""The mirrors that the journal of a domain holds for its snapshots, as the domain has them now."""

from __future__ import annotations

from collections.abc import Iterable

from tui.model.begin_steps import StartCopy
from tui.model.disk import MirrorReady
from tui.model.domain import Domain
from tui.model.facts import same_name
from tui.model.hierarchy import MirrorState, SnapshotMirror
from tui.model.journal import Entry

_STATES = {MirrorReady.NO: MirrorState.COPYING, MirrorReady.YES: MirrorState.IN_SYNC}


def mirrors_of(domain: Domain, entries: Iterable[Entry]) -> dict[str, tuple[SnapshotMirror, ...]]:
    """By the name of the snapshot; those that are not begun yet are missing."""
    found = {}
    for entry in entries:
        begun = entry.steps[: entry.reached]
        mirrors = (_mirror(copy, domain, begun=copy in begun) for copy in entry.copies)
        if entry.snapshot is not None and (there := tuple(filter(None, mirrors))):
            found[entry.snapshot.name] = there
    return found


def _mirror(copy: StartCopy, domain: Domain, *, begun: bool) -> SnapshotMirror | None:
    disk = domain.disk(copy.target)
    mirror = disk.mirror if disk else None
    to = mirror.destination if mirror else None
    if mirror is not None and to is not None and same_name(to.path) == same_name(copy.path):
        return SnapshotMirror(copy.target, copy.path, _STATES.get(mirror.ready, MirrorState.ENDING))
    if not begun:
        return None
    over = domain.is_on(copy.target, copy.path)
    return SnapshotMirror(copy.target, copy.path, MirrorState.IN_USE if over else MirrorState.GONE)
