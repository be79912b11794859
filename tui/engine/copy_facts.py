"""What must be known before a copy: the disk, its images, the place that it goes to, and who needs what is there."""

from __future__ import annotations

from dataclasses import replace

from tui.engine import places
from tui.engine.look import Look, layers_of, unless_refused, uses_of
from tui.engine.promised import promised_to, remaining
from tui.model.copy_checks import BLOCK_COPY_SINCE
from tui.model.facts import CopyFacts, PathFacts, PathKind, Use, same_name
from tui.model.request import CopyRequest


def copy_facts(request: CopyRequest, look: Look) -> CopyFacts:
    """Look, with as few calls as that takes."""
    return placed(request, disk_facts(request.target, look), look)


def disk_facts(target: str, look: Look) -> CopyFacts:
    """What is known of a disk, wherever it is to be copied to."""
    connection, domain = look.connection, look.domain
    disk = domain.disk(target)
    version = look.state.libvirt
    facts = CopyFacts(
        domain,
        disk,
        libvirt=version,
        supports_block_copy=version is None or version >= BLOCK_COPY_SINCE,
        entries=look.entries,
        now=look.now,
    )
    if disk is None or disk.empty or not domain.state.active:
        return facts
    return replace(
        facts,
        sizes=look.sizes(disk),
        running=look.progress(disk),
        checkpoints=unless_refused(lambda: connection.checkpoints(domain.uuid)),
        layers=layers_of(disk, look),
    )


def placed(request: CopyRequest, facts: CopyFacts, look: Look) -> CopyFacts:
    """Complete by what is known of the place that the disk goes to."""
    if facts.disk is None or facts.disk.empty or not facts.domain.state.active:
        return facts
    place = _destination(request, look)
    return replace(facts, destination=place, uses=_uses_with_names(request, place, look))


def _destination(request: CopyRequest, look: Look) -> PathFacts:
    layer = request.destination.active
    if layer is None:
        return PathFacts()
    place = look.place(layer, backing=request.destination.below.active, reuse=request.reuse_external)
    return replace(place, free=remaining(place.free, promised_to(request.destination, look)))


def _uses_with_names(request: CopyRequest, place: PathFacts, look: Look) -> dict[str, tuple[Use, ...]]:
    """Who needs which path, the destination's other names included."""
    layer = request.destination.active
    path = layer.local_path if layer else None
    overwrites = path is not None and place.kind in (PathKind.FILE, PathKind.BLOCK)
    uses = uses_of(look.followed() if overwrites else look)
    if path is None or not (look.local and overwrites):
        return uses
    name = same_name(path)
    others = [
        use for used, users in uses.items() if used != name and places.same_file(used, path) for use in users
    ]
    if others:
        uses[name] = (*uses.get(name, ()), *others)
    return uses
