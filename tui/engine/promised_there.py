"""Room and memory of another host that are free and are not: what plans of this one will still take there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tui.engine import places
from tui.engine.files import identities
from tui.engine.look import Look, unless_refused
from tui.engine.promised import carried_on, remaining
from tui.model.coming import room_for, still_copies, still_goes
from tui.model.facts import PathKind, parent_of
from tui.model.job import Job
from tui.model.journal import Entry
from tui.model.migrate_case import MigrateFacts
from tui.model.storage import FileSource, Layer

if TYPE_CHECKING:
    from tui.engine.host import Host


def without_promised(facts: MigrateFacts, look: Look, there: Host) -> MigrateFacts:
    """With as much free there as others leave."""
    going = [entry.uuid for entry in look.plans if _goes(entry, look, facts.there_uuid)]
    memory = {_name(uuid, look): _memory_of(uuid, look) for uuid in going}
    wanted = facts.wanted and replace(
        facts.wanted,
        free_memory=remaining(facts.wanted.free_memory, memory),
        beside=tuple(name for name, amount in memory.items() if amount),
    )
    parents = {path: parent_of(path) for path in facts.images}
    rooms = promised_at(set(parents.values()), look, there, facts.there_uuid)
    images = {}
    promised: dict[str, int] = {}
    for path, image in facts.images.items():
        room = rooms.get(parents[path], {})
        free = remaining(image.place.free, room)
        images[path] = replace(image, place=replace(image.place, free=free))
        # Of what no pool lists nobody can see whether it is there.
        if image.place.kind in (None, PathKind.MISSING):
            promised |= room
    return replace(facts, wanted=wanted, images=images, promised=promised)


def promised_at(
    directories: Collection[str], look: Look, there: Host, there_uuid: str
) -> dict[str, dict[str, int]]:
    """By directory there: the bytes that plans will still write to its file system, by the names of their domains."""
    made = [(entry, room_for(entry)) for entry in look.plans if _writes(entry, look, there, there_uuid)]
    paths = [path for _entry, images in made for path in images]
    if not paths:
        return {}
    systems = _systems({*directories, *map(parent_of, paths)}, there)
    taken = _taken(paths, there)
    found: dict[object, dict[str, int]] = {}
    for entry, images in made:
        name, job = _name(entry.uuid, look), _job(entry, look)
        for path, whole in images.items():
            lag = job.progress.remaining if job and job.progress else None
            left = max(0, whole - taken.get(path, 0)) if lag is None else lag
            system = systems.get(parent_of(path))
            if left and system is not None:
                room = found.setdefault(system, {})
                room[name] = room.get(name, 0) + left
    return {path: found.get(systems.get(path), {}) for path in directories}


def _goes(entry: Entry, look: Look, there_uuid: str) -> bool:
    """Whether somebody takes another domain there."""
    return entry.uuid != look.domain.uuid and still_goes(entry, there_uuid) and carried_on(entry, look)


def _writes(entry: Entry, look: Look, there: Host, there_uuid: str) -> bool:
    """Whether a plan is to fill images there: of a domain that goes, or copies of disks of one that stays."""
    if _goes(entry, look, there_uuid):
        return True
    if entry.serving is None or entry.serving.host != there.state.name:
        return False
    return _job(entry, look) is not None or (still_copies(entry) and carried_on(entry, look))


def _job(entry: Entry, look: Look) -> Job | None:
    """That which copies a disk to the other host, whoever has begun it."""
    if entry.serving is None:
        return None
    return next((job for job in look.state.active_jobs if job.plan == entry.id), None)


def _systems(directories: Iterable[str], there: Host) -> Mapping[str, object]:
    """Which of the file systems there each is on; where nobody can see, each is one of its own."""
    asked = tuple(directories)
    if there.files is None:
        return {path: path for path in asked}
    return {path: one.device for path, one in identities(asked, there.files).items()}


def _taken(paths: list[str], there: Host) -> dict[str, int]:
    """What images there take already, as far as that is known."""
    if there.files is not None:
        return there.files.allocated(paths)
    connection = there.connection()
    known = {path: places.layer_there(connection, Layer(FileSource(path))).allocated for path in paths}
    return {path: amount for path, amount in known.items() if amount is not None}


def _name(uuid: str, look: Look) -> str:
    domain = look.state.domain(uuid)
    return domain.name if domain else uuid


def _memory_of(uuid: str, look: Look) -> int:
    """Bytes of its memory that are not there yet."""
    domain, migration = look.state.domain(uuid), look.state.migrations.get(uuid)
    if domain is None or not domain.state.active:
        return 0
    whole = unless_refused(lambda: look.connection.memory_size(uuid)) or 0
    came = migration.memory.total - migration.memory.remaining if migration and migration.memory else 0
    return max(0, whole - came)
