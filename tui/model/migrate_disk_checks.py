"""What speaks for and against what becomes of each disk when its domain goes to another host."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model.brought import Brought
from tui.model.disk_checks import no_such_disk
from tui.model.facts import PathKind
from tui.model.finding import Acceptance, Finding, fine, refused, warning
from tui.model.migrate_case import MigrateCase, MigratedDisk, ThereFacts
from tui.model.migrate_request import CopyStorage
from tui.model.quantity import size
from tui.model.storage import BlockSource, FileSource
from tui.model.text import printable

_MAKES = ("raw", "qcow2")
"""Formats in which images are made at the other host."""


def check_disks(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[Finding]:
    """Each disk, and what it stands on, as far as that is not brought along."""
    for target in case.request.targets:
        if case.facts.domain.disk(target) is None:
            yield no_such_disk(case.facts.domain, target)
    for disk in case.disks:
        if disk.copied:
            yield from _check_copied(case, disk, along)
        else:
            yield from _check_left(case, disk)
    if case.storage is CopyStorage.INC and not case.copied:
        yield refused("nothing-copied", "No disk has to be copied.", "Leave --copy-storage out.")


# Disks that both hosts have


def _check_left(case: MigrateCase, disk: MigratedDisk) -> Iterator[Finding]:
    shown, there = printable(disk.target), printable(case.facts.there)
    if disk.path is None:
        yield fine("on-network", f"{shown} lies on the network, where both hosts find it.")
        return
    place, kind = printable(disk.path), disk.there.place.kind
    missing = [path for path, known in _needed(disk) if known.place.kind is PathKind.MISSING]
    offline = case.request.offline
    if missing:
        remedy = (
            "Take the medium out, or bring it there." if disk.disk.readonly else "Copy it: --copy-storage all"
        )
        if offline:
            remedy = "Bring it there first, since nothing changes it now. Or say where it is: --map OLD=NEW"
        yield refused(
            "image-missing", f"{shown} needs {printable(missing[0])}, which is not at {there}.", remedy
        )
        return
    if kind is None:
        yield warning(
            "image-unseen",
            f"Nobody could see whether {there} has {place}, which {shown} needs.",
            "Look there; libvirt refuses what looks unsafe to it.",
        )
    elif offline:
        # libvirt does not look at the images of a domain that does not run.
        same = "is the very file" if disk.there.same else "has to hold the same as the file"
        yield (fine if disk.there.same else warning)(
            "image-there", f"{place} of {there} {same} that {shown} is on."
        )
    elif disk.there.same is False and not disk.disk.readonly:
        yield refused(
            "image-differs",
            f"{place} of {there} is another file than the one that {shown} is on, and the guest would go on with that.",
            "Copy the disk: --copy-storage all, with --map where that file is in the way.",
        )
    elif disk.there.shared is False and not disk.disk.readonly and not case.request.unsafe:
        yield refused(
            "unsafe-storage",
            f"{place} lies on a file system that only one host has, as far as libvirt can tell, which refuses that.",
            "If both hosts do see the same file: --unsafe. To have it copied to another place there: --map OLD=NEW",
        )
    else:
        yield fine("image-there", f"{there} has {place}, on which {shown} stays.")


def _needed(disk: MigratedDisk) -> Iterator[tuple[str, ThereFacts]]:
    if disk.path is not None:
        yield disk.path, disk.there
    yield from ((path, known) for _layer, path, known in disk.below)


# Disks that are copied


def _check_copied(case: MigrateCase, disk: MigratedDisk, along: tuple[Brought, ...]) -> Iterator[Finding]:
    shown, there = printable(disk.target), printable(case.facts.there)
    if disk.disk.readonly:
        yield refused(
            "disk-read-only", f"{shown} is read-only, and libvirt copies no such disk.", "Leave it out."
        )
        return
    if not isinstance(disk.active.source, FileSource | BlockSource) or disk.path is None:
        yield refused("disk-kind", f"{shown} lies on the network, and is not copied.", "Leave it out.")
        return
    if disk.there.same:
        yield refused(
            "same-image",
            f"{printable(disk.path)} of {there} is the very image that {shown} is on, and would be written over.",
            "Leave that disk out, or name another place: --map OLD=NEW",
        )
        return
    if disk.keeps_chain:
        yield from _check_base(disk, there, along)
    elif len(disk.disk.chain.layers) > 1:
        count = len(disk.disk.chain.layers)
        yield warning(
            "flattened",
            f"The {count} layers of {shown} become one image at {there}.",
            "To keep them: --copy-storage inc",
        )
    yield from _check_place(case, disk, there)


def _check_base(disk: MigratedDisk, there: str, along: tuple[Brought, ...]) -> Iterator[Finding]:
    come = {one.path for one in along}
    for _layer, path, known in disk.below:
        if path in come:
            continue
        if known.place.kind is PathKind.MISSING:
            yield refused(
                "base-missing",
                f"{printable(path)}, on which {printable(disk.target)} stands, is not at {there}.",
                "Reach both hosts by qemu+ssh://, and it is brought; or say where it is: --map OLD=NEW",
            )
        elif known.place.kind is None:
            yield warning(
                "base-unseen", f"Nobody could see whether {there} has {printable(path)}.", "Look there."
            )
        else:
            yield fine("base-there", f"{there} has {printable(path)}.")


def _check_place(case: MigrateCase, disk: MigratedDisk, there: str) -> Iterator[Finding]:
    place, path = disk.there.place, printable(disk.path or "")
    shown = printable(disk.target)
    match place.kind:
        case PathKind.MISSING:
            yield from _check_new(case, disk, there)
        case PathKind.FILE | PathKind.BLOCK if disk.there.user is not None:
            yield refused(
                "image-used",
                f"{path} of {there} is an image of {printable(disk.there.user)}.",
                "Name another place: --map OLD=NEW",
            )
        case PathKind.FILE | PathKind.BLOCK if place.unreadable:
            yield refused(
                "no-image",
                f"{path} of {there} cannot be read as {printable(disk.format)}: {printable(place.unreadable)}",
                "If nobody needs it, remove it: then it is made for you. Or name another place: --map OLD=NEW",
            )
        case PathKind.FILE | PathKind.BLOCK:
            image = place.image
            have = image.virtual_size if image else place.size if disk.format == "raw" else None
            if have is not None and disk.size is not None and have != disk.size:
                yield refused(
                    "size-differs",
                    f"{path} of {there} has {have} bytes for the guest, and {shown} has {disk.size}: QEMU copies only "
                    "into an image of the very size.",
                    "Make it anew, or remove it: then it is made for you.",
                )
            else:
                yield _over(
                    case, f"{path} is at {there} already, and all that is in it is written over for good."
                )
        case None:
            made = (
                "libvirt makes it in its storage pool" if disk.pooled else "it has to be there, of its size"
            )
            yield warning(
                "destination-unseen", f"Nobody could see what is at {path} of {there}: {made}.", "Look there."
            )
            if disk.pooled:
                yield from _check_layout(case, disk, there)
                yield from _check_room(case, disk, there)
        case _:
            yield refused(
                "destination-kind", f"{path} of {there} is {place.kind}.", "Name another: --map OLD=NEW"
            )


def _over(case: MigrateCase, reason: str) -> Finding:
    """Nobody but the user knows whether somebody needs what is there."""
    remedy = "If nobody needs it, remove it: then it is made for you. Or name another place: --map OLD=NEW"
    found = refused("overwritten", reason, remedy, Acceptance.OVERWRITE_IMAGES)
    return found.unless(case.request.accepted)


def _check_new(case: MigrateCase, disk: MigratedDisk, there: str) -> Iterator[Finding]:
    place, path, shown = disk.there.place, printable(disk.path or ""), printable(disk.target)
    if isinstance(disk.active.source, BlockSource):
        yield refused(
            "device-missing",
            f"{shown} lies on a device, and {path} is not there at {there}.",
            f"Make a volume of {disk.size or 'the same number of'} bytes there first, or name one: --map OLD=NEW",
        )
        return
    if place.parent_exists is False:
        yield no_directory(there, path)
        return
    if not case.facts.reached and not disk.pooled:
        yield refused(
            "cannot-make",
            f"{path} is not at {there}, and files there can be made neither from here nor by a storage pool.",
            f"Make it there, of exactly {disk.size or 'its'} bytes, or reach that host by qemu+ssh://.",
        )
        return
    if disk.format not in _MAKES:
        yield refused(
            "format", f"No image of the format {printable(disk.format)} can be made there.", "Make it there."
        )
        return
    if disk.active.encryption:
        yield refused(
            "encrypted",
            f"{shown} is encrypted, and to make such an image at {there} takes its secret.",
            f"Make {path} there, of exactly {disk.size or 'its'} bytes and encrypted with the same secret.",
        )
        return
    layout = case.layout(disk)
    how = f"; laid out as here: {', '.join(layout)}" if layout and not disk.pooled else ""
    amount = size(disk.size) if disk.size else "its size"
    yield fine("made-there", f"{path} is made at {there}, of exactly {amount}{how}.")
    yield from _check_layout(case, disk, there)
    yield from _check_room(case, disk, there)


def _check_layout(case: MigrateCase, disk: MigratedDisk, there: str) -> Iterator[Finding]:
    layout, path = case.layout(disk), printable(disk.path or "")
    usual = "laid out as qemu-img does by itself"
    if layout is None:
        yield warning(
            "layout-unseen",
            f"How the image of {printable(disk.target)} is laid out cannot be read from here: {path} of {there} will "
            f"be {usual}.",
            "If it has clusters of another size: run virt-mirror as a user who can read it, or make that one there.",
        )
    elif layout and disk.pooled:
        yield warning(
            "layout-lost",
            f"libvirt makes {path} at {there}, {usual}, and not with {', '.join(layout)} as here.",
            f"Make it there, of exactly {disk.size or 'its'} bytes, or reach that host by qemu+ssh://.",
        )


def _check_room(case: MigrateCase, disk: MigratedDisk, there: str) -> Iterator[Finding]:
    place, needed, shown = disk.there.place, disk.size, printable(disk.target)
    if place.free is not None and needed is not None and needed > place.free:
        reason = f"{shown} can take {size(needed)}, and there are {size(place.free)} at {there}."
        remedy = "Make room, or accept that with --risk-full-destination."
        found = refused("space", reason, remedy, Acceptance.RISK_FULL_DESTINATION)
        yield found.unless(case.request.accepted)


def no_directory(there: str, path: str) -> Finding:
    """A path at the other host, both as they are shown, whose directory is missing."""
    return refused(
        "directory-missing",
        f"{there} has no directory for {path}.",
        "Make it there, or name another: --map OLD=NEW",
    )
