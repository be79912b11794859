"""What speaks for and against a mirrored snapshot, beyond what does against mirroring each of its disks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from tui.model import copy_checks, destination_checks, disk_checks
from tui.model.command import own, typed
from tui.model.copy_case import CopyCase, copy_case
from tui.model.disk import Disk
from tui.model.facts import same_name
from tui.model.finding import Acceptance, Finding, fine, refused, warning
from tui.model.journal import Entry
from tui.model.mirrored_snapshot import Kind, SnapshotDisk
from tui.model.request import SnapshotRequest
from tui.model.snapshot import SnapshotFacts
from tui.model.snapshot_case import (
    TakeFacts,
    TakenDisk,
    asked_of,
    generated_path,
    has_plain_overlay,
    kind_of,
    overlay_request,
    target_of,
)
from tui.model.storage import BlockSource, FileSource
from tui.model.text import printable

FORMATS = ("qcow2", "qed")
"""In which libvirt makes overlays."""
_OF_THE_PLACE = (
    destination_checks.check_path,
    destination_checks.check_directory,
    destination_checks.check_size,
)
_FRESH = 1024 * 1024
"""Bytes that an overlay without content takes at most, unless room was set aside for it."""


def check_subject(request: SnapshotRequest, facts: TakeFacts) -> Iterator[Finding]:
    """Whether there is a running guest, and a mirror to make for it."""
    name, snapshot = printable(facts.domain.name), request.snapshot
    if not facts.domain.state.active:
        yield refused(
            "domain-not-running",
            f"{name} is {facts.domain.state}; only a running guest's disks can be mirrored.",
            "Start the guest first.",
        )
    if not snapshot.mirrored:
        yield refused(
            "no-mirror",
            "No disk is given a mirror, and only mirrored snapshots are taken here.",
            "Name one, as --diskspec vda,mirror=/PATH; for a snapshot without: virsh snapshot-create-as --disk-only",
        )
    if snapshot.holds_memory:
        yield refused(
            "memory",
            "A snapshot with the memory of the guest cannot be mirrored: it pauses the guest and is of one instant.",
            "Leave the memory out, or the mirrors.",
        )


def check_name(request: SnapshotRequest, facts: TakeFacts, entries: tuple[Entry, ...]) -> Iterator[Finding]:
    """Whether libvirt takes the name, and nobody has it."""
    name = request.snapshot.name
    if not name or "/" in name or name.startswith("."):
        yield refused(
            "snapshot-name",
            f"libvirt takes no snapshot of the name {printable(name or 'nothing')}.",
            "Choose one that has no / and does not begin with a dot.",
        )
        return
    shown, domain = printable(name), printable(facts.domain.name)
    if facts.snapshots is None:
        yield warning(
            "snapshots-unchecked", f"Nobody could see whether {domain} has a snapshot {shown} already.", ""
        )
    if any(snapshot.name == name for snapshot in facts.snapshots or ()):
        yield refused("snapshot-exists", f"{domain} has a snapshot {shown} already.", "Choose another name.")
    elif any(entry.snapshot and entry.snapshot.name == name for entry in entries):
        yield refused(
            "snapshot-exists",
            f"A plan of {domain} is about a snapshot {shown} already.",
            f"Choose another name, or end that: {own('undo', domain)}",
        )


def check_disks(request: SnapshotRequest, facts: TakeFacts) -> Iterator[Finding]:
    """Whether what is said of each disk can be done."""
    domain, snapshot = facts.domain, request.snapshot
    named = [target_of(domain, disk.name) for disk in snapshot.disks or ()]
    for spoken, target in zip(snapshot.disks or (), named, strict=True):
        if target is None:
            yield disk_checks.no_such_disk(domain, spoken.name)
    for target, count in Counter(target for target in named if target is not None).items():
        if count > 1:
            yield refused("disk-twice", f"{printable(target)} is named {count} times.", "Name it once.")
    for disk in domain.disks:
        yield from _check_disk(request, facts, disk)


def _check_disk(request: SnapshotRequest, facts: TakeFacts, disk: Disk) -> Iterator[Finding]:
    asked = asked_of(request.snapshot, facts.domain, disk.target)
    kind, shown = kind_of(disk, asked), f"{printable(disk.target)} of {printable(facts.domain.name)}"
    leave = f"Leave it out: --diskspec {printable(disk.target)},snapshot=no"
    if kind is Kind.NO:
        yield fine("stays", f"{shown} is not a part of it, and goes on as it is.")
    elif kind is not Kind.EXTERNAL:
        what = "in the image itself" if kind is Kind.INTERNAL else "by hand, with the guest paused"
        yield refused(
            "kind-unsupported",
            f"The snapshot of {shown} would be taken {what}, which cannot go with mirrors.",
            leave,
        )
    elif disk.empty:
        yield refused("disk-empty", f"{shown} is a drive without a medium.", leave)
    elif disk.readonly:
        yield refused("disk-read-only", f"{shown} is read-only, and nothing is ever new on it.", leave)
    else:
        yield from _check_place(request, asked, generated_path(disk, "x"), shown, leave)
        if not isinstance(disk.chain.layers[0].source, FileSource | BlockSource):
            yield refused("layer-kind", f"{shown} lies neither in a file nor on a device.", leave)


def _check_place(
    request: SnapshotRequest, asked: SnapshotDisk | None, generated: str | None, shown: str, leave: str
) -> Iterator[Finding]:
    if not has_plain_overlay(asked):
        kind = asked.type if asked else None
        yield refused(
            "source-type",
            f"The overlay of {shown} is to be of the type {printable(kind or 'unknown')}, and here it can be a file.",
            "Name a file.",
        )
    elif (asked is None or asked.path is None) and generated is None:
        yield refused(
            "no-file-name",
            f"{shown} is no file, so that libvirt makes up no name for its overlay.",
            f"Name a file for it, as file=/PATH. {leave}",
        )
    form = asked.format if asked else None
    if form is not None and form not in FORMATS:
        yield refused(
            "format-unsupported",
            f"libvirt makes no overlay of {shown} in the format {printable(form)}.",
            "Choose qcow2.",
        )
    if request.reuse_external and asked is None:
        yield warning(
            "reuse-unnamed",
            f"{shown} is not named, and with --reuse-external its overlay must be there as well.",
            leave,
        )


def check_paths(disks: tuple[TakenDisk, ...]) -> Iterator[Finding]:
    """Each image needs a name of its own."""
    paths = Counter(same_name(path) for disk in disks for path in (disk.path, disk.mirror) if path)
    for path, count in paths.items():
        if count > 1:
            yield refused(
                "same-name", f"{count} images would be {printable(path)}.", "Give each its own name."
            )


def check_default(disk: TakenDisk) -> Iterator[Finding]:
    """Say what libvirt does to disks that nobody spoke of."""
    if disk.asked is None:
        target = printable(disk.target)
        yield warning(
            "disk-by-default",
            f"{target} was not named, and as libvirt has it a snapshot is of all disks: what is new on it goes to "
            f"{printable(disk.path)}, without a mirror.",
            f"To leave it out: --diskspec {target},snapshot=no",
        )


def check_overlay(request: SnapshotRequest, facts: TakeFacts, disk: TakenDisk) -> Iterator[Finding]:
    """Whether the overlay can be made, or is what it must be."""
    known = facts.overlays.get(disk.target)
    case = copy_case(overlay_request(request, disk), known) if known else None
    if case is None or known is None:
        return
    if disk.mirror is None:
        # The checks of a mirror have these as well.
        yield from copy_checks.check_jobs(case)
        yield from disk_checks.check_kind(known, disk.disk)
    yield from destination_checks.check_place(case, (*_OF_THE_PLACE, partial(_check_reused, disk=disk)))


def _check_reused(case: CopyCase, disk: TakenDisk) -> Iterator[Finding]:
    """Whether an overlay that is there can be one of what the guest has, and hides nothing of it."""
    place = case.facts.destination
    image = place.image
    if not case.request.reuse_external or image is None:
        return
    path, below = printable(disk.path), printable(disk.active.path)
    if image.backing is None or same_name(image.backing) != same_name(disk.active.path):
        on = f"on {printable(image.backing)}" if image.backing else "on nothing"
        stands = ("-b", disk.active.path, "-F", disk.active.format or "raw")
        create = typed("qemu-img", "create", "-f", disk.format, *stands, disk.path)
        yield refused(
            "overlay-backing",
            f"{path} stands {on}, and must stand on {below}, which {printable(disk.target)} is on now.",
            f"Make it anew: {printable(create)}",
        )
    elif image.backing_format is None:
        yield refused(
            "backing-format-missing",
            f"{path} does not say which format {below} has.",
            "Record it: qemu-img rebase -u with -b and -F.",
        )
    elif (place.allocated or 0) > _FRESH:
        yield refused(
            "overlay-content",
            f"{path} seems to hold something already, and that would hide what the guest has in {below}.",
            "Make it anew; or accept that with --overwrite-images if you know what it is.",
            Acceptance.OVERWRITE_IMAGES,
        ).unless(case.request.accepted)


def check_meanwhile(facts: TakeFacts, disks: tuple[TakenDisk, ...], delete: str) -> Iterator[Finding]:
    """What is not possible while it is mirrored, and what is lost when the guest stops."""
    name = printable(facts.domain.name)
    mirrored = " and ".join(printable(disk.target) for disk in disks if disk.mirror)
    yield warning(
        "while-mirrored",
        f"While it is mirrored, {name} cannot be saved (nor by libvirt-guests when the host goes down), migrated, or "
        f"snapshot with its memory, and {mirrored} can be neither detached, resized nor snapshot again.",
        f"Do these before, or end the mirrors first: {printable(delete)}",
    )
    if not facts.domain.persistent:
        yield warning(
            "transient-domain",
            f"{name} is transient: when it stops, libvirt forgets it, its snapshots and the journal of this plan, "
            "and only the images stay.",
            "End the mirrors before it stops.",
        )


def taken_names(snapshots: tuple[SnapshotFacts, ...] | None) -> str:
    """The snapshots there are, for people."""
    return ", ".join(printable(snapshot.name) for snapshot in snapshots or ()) or "none"
