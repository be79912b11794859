"""What speaks for and against the files that are taken to another host ahead of a domain, and the room for all."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from tui.model.brought import Brought, lost
from tui.model.command import own
from tui.model.facts import PathKind, same_name
from tui.model.finding import Acceptance, Finding, fine, refused, warning
from tui.model.image import led_to
from tui.model.migrate_case import MigrateCase, ThereFacts
from tui.model.migrate_checks import if_lost
from tui.model.migrate_disk_checks import no_directory
from tui.model.quantity import size
from tui.model.text import counted, listed, printable

_FEW, _LONGEST = 6, 60


def check_layers(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[Finding]:
    """The files that are brought along, and the room that they and the disks need there."""
    yield from _check_names(case, along)
    for one in (*along, *lost(case)):
        yield from _check_file(case, one)
    there = printable(case.facts.there)
    copied = [one for one in along if one.copied]
    compared = [one for one in along if not one.copied]
    if copied:
        names = listed((posixpath.basename(one.path) for one in copied), _FEW, _LONGEST)
        amount = size(sum(one.file.taken for one in copied))
        what = counted(len(copied), "file that stands", "files that stand")
        yield fine("layers-brought", f"{what} still, {amount}, come to {there} first: {names}.")
    if compared:
        names = listed((one.path for one in compared), _FEW, _LONGEST)
        yield fine(
            "layers-there", f"{there} has {names} already, compared with what is here before it is used."
        )
    yield from _check_room(case, along)


def _check_names(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[Finding]:
    places: dict[str, set[str]] = {}
    for one in along:
        places.setdefault(same_name(one.path), set()).add(one.file.path)
    for disk in case.copied:
        if disk.path is not None:
            places.setdefault(same_name(disk.path), set()).add(disk.active.path)
    for place, paths in places.items():
        if len(paths) > 1:
            yield refused(
                "same-name",
                f"{listed(sorted(paths), _FEW, _LONGEST)} would all become {printable(place)}.",
                "Give each a place of its own: --map OLD=NEW",
            )


def _check_file(case: MigrateCase, one: Brought) -> Iterator[Finding]:
    path, place, there = printable(one.file.path), printable(one.path), printable(case.facts.there)
    if one.file.trouble:
        yield _check_trouble(
            case, one, f"{path} {printable(one.file.trouble)}, and is not brought to {there}."
        )
    elif one.file.path in case.facts.written:
        yield refused(
            "layer-written",
            f"A guest writes to {path}, so that it does not stand still.",
            "Wait until that has ended, or have the disk copied into one image: --copy-storage all",
        )
    elif one.path in case.facts.left_over:
        name = printable(case.facts.left_over[one.path])
        yield refused(
            "layer-left-over",
            f"{place} is what a plan for {name} was about to bring to {there}, and nobody carries that on.",
            f"Go on with that first, or take it back: {own('resume', name)}",
        )
    elif one.coming is not None:
        yield warning(
            "layer-coming",
            f"{place} is being brought to {there} for {printable(one.coming)}: that is waited for.",
            "If that is called back, this one fails: then begin it anew.",
        )
    elif not one.copied:
        yield from _check_same(one, there)
    elif one.there.place.parent_exists is False:
        yield no_directory(there, place)
    elif one.there.place.writable is False:
        yield refused(
            "directory-unwritable",
            f"Nobody can make {place} at {there}: its directory is not to be written to.",
            "Name another: --map OLD=NEW",
        )


def _check_trouble(case: MigrateCase, one: Brought, reason: str) -> Finding:
    read = "See that you can read it, or"
    if one.kept:
        return refused(
            "layer-trouble", reason, f"{read} have the disk copied into one image: --copy-storage all"
        )
    memory = any(one.file.path == snapshot.memory_file for snapshot in case.facts.hierarchy.snapshots)
    gone = "delete the snapshot whose memory it holds." if memory else "delete the snapshots that need it."
    return if_lost(case, "layer-trouble", reason, f"{read} {gone}")


def _check_same(one: Brought, there: str) -> Iterator[Finding]:
    """Whether what lies there can be the same at all; its content is looked at when the plan runs."""
    image, place, wanted = one.there.place.image, printable(one.path), one.file.virtual_size
    if wanted is None:
        return
    if image is None:
        reason = f"{place} of {there} cannot be read as {printable(one.file.format or 'raw')}."
    elif image.virtual_size != wanted:
        reason = f"{place} of {there} has {image.virtual_size} bytes for a guest, and the one here {wanted}."
    elif _astray(one, image.backing):
        below = printable(led_to(one.path, one.stands_on) or "nothing")
        reason = f"{place} of {there} stands on {printable(image.backing or 'nothing')}, and would have to on {below}."
    else:
        return
    yield refused(
        "layer-differs", reason, "Remove it, and it is brought; or name another place: --map OLD=NEW"
    )


def _astray(one: Brought, name: str | None) -> bool:
    """Whether it stands on another one; what is no path may be spelled in many ways, and is looked at when it runs."""
    found, wanted = led_to(one.path, name), led_to(one.path, one.stands_on)
    return found != wanted and all(place is None or place.startswith("/") for place in (found, wanted))


# Room


@dataclass(slots=True)
class _Room:
    free: int | None = None
    files: int = 0
    """Bytes of what is brought there."""
    disks: int = 0
    """Bytes that the disks can take there."""

    def take(self, there: ThereFacts, *, files: int = 0, disks: int = 0) -> None:
        if there.place.free is not None:
            self.free = there.place.free if self.free is None else min(self.free, there.place.free)
        self.files += files
        self.disks += disks


def _check_room(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[Finding]:
    rooms: dict[object, _Room] = {}
    for one in along:
        if one.copied:
            _room_of(rooms, one.there, one.path).take(one.there, files=one.file.taken)
    for disk in case.copied:
        if disk.there.place.kind is PathKind.MISSING and disk.path is not None and not disk.there.same:
            _room_of(rooms, disk.there, disk.path).take(disk.there, disks=disk.size or 0)
    for room in rooms.values():
        # Each disk by itself has been looked at.
        if room.files:
            yield from _check_one_room(case, room)


def _check_one_room(case: MigrateCase, room: _Room) -> Iterator[Finding]:
    there, takes = printable(case.facts.there), f"What is brought takes {size(room.files)}"
    if room.free is None:
        yield warning(
            "space-unchecked", f"{takes}, and how much room {there} has is not known.", "Look first."
        )
    elif room.files > room.free:
        yield refused(
            "space",
            f"{takes}, and there are {size(room.free)} at {there}.",
            "Make room there, or name another place: --map OLD=NEW",
        )
    elif room.files + room.disks > room.free:
        reason = (
            f"{takes}, the disks can take {size(room.disks)}, and there are {size(room.free)} at {there}."
        )
        remedy = "Make room, or accept that with --risk-full-destination."
        found = refused("space", reason, remedy, Acceptance.RISK_FULL_DESTINATION)
        yield found.unless(case.request.accepted)


def _room_of(rooms: dict[object, _Room], there: ThereFacts, path: str) -> _Room:
    key = posixpath.dirname(path) if there.device is None else there.device
    return rooms.setdefault(key, _Room())
