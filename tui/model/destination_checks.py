"""What speaks for and against the place that a copy goes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tui.model.command import virsh
from tui.model.copy_case import CopyCase
from tui.model.facts import PathKind, Use, UseKind, same_name
from tui.model.finding import Finding, fine, refused, warning
from tui.model.place_checks import check_length
from tui.model.quantity import size
from tui.model.storage import (
    DirSource,
    NvmeSource,
    UnknownSource,
    VhostUserSource,
    VhostVdpaSource,
    VolumeSource,
)
from tui.model.text import printable

CREATABLE = frozenset({"raw", "qcow2", "qed", "qcow", "vdi", "vmdk", "ploop"})
"""Formats in which libvirt makes an image of any size; vpc rounds it."""
WRITABLE = CREATABLE | {"vpc"}
STACKABLE = frozenset({"qcow2", "qed", "qcow"})
"""Formats that can stand on a backing file of any format."""

Check = Callable[[CopyCase], Iterator[Finding]]

_NO_DESTINATION = (DirSource, UnknownSource, VhostUserSource, VhostVdpaSource)


def check_kind(case: CopyCase) -> Iterator[Finding]:
    """Whether libvirt takes such a place at all."""
    source, path = case.destination.source, case.path
    if isinstance(source, _NO_DESTINATION):
        yield refused(
            "destination-type", f"Nothing can be copied to a {path}.", "Choose a file or a block device."
        )
    elif isinstance(source, VolumeSource):
        yield refused(
            "destination-type",
            f"libvirt does not look up {path} for a copy: a pool and a volume are no place to it.",
            f"Give its path: {printable(virsh('vol-path', '--pool', source.pool, source.volume))}",
        )
    elif case.destination.local_path is not None and not case.destination.local_path.startswith("/"):
        yield refused(
            "destination-relative",
            f"The destination {path} is not absolute, and libvirt knows no current directory.",
            "Give the whole path, from / on.",
        )
    elif case.destination.local_path is None:
        what = (
            "NVMe namespace"
            if isinstance(source, NvmeSource)
            else f"{case.destination.source.location.split(':')[0]} server"
        )
        yield warning(
            "destination-unchecked",
            f"What is at {path} cannot be seen from here: its size and its content are unchecked.",
            f"Make sure on the {printable(what)} that it has the disk's exact size and is not in use.",
        )


def check_format(case: CopyCase) -> Iterator[Finding]:
    """The format is said, never probed, and one that can be written."""
    format_, reuse = case.destination.format, case.request.reuse_external
    if format_ is None and reuse:
        yield refused(
            "format-needed",
            f"The format of {case.path} is not given, and libvirt would guess it from the content, which "
            "a guest may have written.",
            "Say which it is, as --format qcow2 or --raw.",
        )
    elif format_ is None:
        yield refused(
            "format-unknown",
            f"The definition does not say the format of {printable(case.source.path)}, so the copy has none.",
            "Say which it shall be, as --format qcow2 or --raw.",
        )
    elif format_ not in (WRITABLE if reuse else CREATABLE):
        yield refused(
            "format-unsupported",
            f"libvirt cannot {'write to' if reuse else 'make'} an image in the format {printable(format_)}.",
            f"Choose qcow2 or raw{'' if reuse else ', or make the image first and reuse it'}.",
        )
    if reuse and case.raw and not case.request.shallow and not case.blockdev and case.destination.local_path:
        yield warning(
            "raw-reuse",
            f"All of {case.path} is overwritten: nothing in a raw image can be reused by a full copy.",
            "Leave --reuse-external out to let libvirt make the file.",
        )


def check_place(case: CopyCase, checks: Iterable[Check]) -> Iterator[Finding]:
    """Whether anybody needs what is there, and what else speaks against it only where nobody does.

    What would be done about an image that is in the way must not be done to one that somebody uses.
    """
    barred = tuple(_bars(case))
    yield from barred
    if barred:
        return
    if case.destination.local_path is not None:
        yield fine("destination-free", f"No disk on the host uses {case.path}.")
    for check in checks:
        yield from check(case)


def _bars(case: CopyCase) -> Iterator[Finding]:
    """Why nothing can go there, whatever lies there."""
    path = case.destination.local_path
    if path is not None:
        own = case.facts.domain.uuid, case.disk.target
        yield from check_length(path)
        yield from in_use(path, case.facts.users_of(path), own)


def in_use(path: str, uses: Iterable[Use], own: tuple[str, str]) -> Iterator[Finding]:
    """The refusal of a path that somebody needs; ``own`` are the domain and the target of the disk itself."""
    shown = printable(path)
    for use in uses:
        if use.kind is UseKind.LAYER:
            itself = " itself" if (use.uuid, use.target) == own else ""
            reason = f"{shown} is in the backing chain of {use.who}{itself}."
        elif use.kind is UseKind.MIRROR:
            reason = f"{shown} is being written by the job on {use.who}."
        else:
            reason = f"{shown} belongs to a plan in progress on {use.who}."
        yield refused("destination-in-use", reason, "Choose another destination.")


def check_path(case: CopyCase) -> Iterator[Finding]:
    """Whether that is there which should be, and no more."""
    place, kind = case.facts.destination, case.facts.destination.kind
    local = case.destination.local_path
    if local is None or not local.startswith("/"):
        return
    needed = case.request.reuse_external or case.blockdev
    if kind is None:
        yield warning(
            "destination-unchecked",
            f"What is at {case.path} cannot be seen from here, so it is unchecked.",
            "Look on the host; libvirt refuses a file that exists, but a wrong size fails after the start.",
        )
    elif kind is PathKind.DIRECTORY:
        yield refused(
            "destination-directory", f"{case.path} is a directory.", "Add the name of a file to it."
        )
    elif kind is PathKind.OTHER:
        yield refused(
            "destination-special",
            f"{case.path} is a socket, a pipe or a character device; libvirt would hang or fail on it.",
            "Choose a file or a block device.",
        )
    elif kind is PathKind.MISSING and needed:
        yield refused(
            "destination-missing",
            f"{case.path} does not exist.",
            "Make it first." if case.blockdev else "Make the image first, or leave --reuse-external out.",
        )
    elif kind is PathKind.BLOCK and not case.blockdev:
        yield refused(
            "destination-block",
            f"{case.path} is a block device, and libvirt would take it for a file.",
            "Say so with --blockdev.",
        )
    elif kind is PathKind.FILE and case.blockdev:
        yield refused(
            "destination-not-block", f"{case.path} is a file, no block device.", "Leave --blockdev out."
        )
    elif kind is PathKind.FILE and not needed and place.size != 0:
        yield refused(
            "destination-exists",
            f"{case.path} exists, with {size(place.size)}, and libvirt overwrites no file.",
            "Choose another name, remove the file, or write into it with --reuse-external.",
        )


def check_directory(case: CopyCase) -> Iterator[Finding]:
    """Whether the file can be made, and QEMU gets there."""
    place, local = case.facts.destination, case.destination.local_path
    if local is None or not local.startswith("/"):
        return
    directory = printable(local.rstrip("/").rpartition("/")[0] or "/")
    if place.parent_exists is False:
        yield refused("directory-missing", f"There is no directory {directory}.", "Make it first.")
    elif place.searchable is False:
        yield refused(
            "directory-closed",
            f"The user that QEMU runs as cannot get to {directory}.",
            "Let that user search it and the directories above it (chmod o+x, or an ACL).",
        )
    elif place.writable is False and case.creates:
        yield refused(
            "directory-not-writable",
            f"No file can be made in {directory}: it is not writable.",
            "Choose another directory, or make this one writable.",
        )
    elif case.creates and place.parent_exists and place.searchable and place.writable:
        yield fine("directory", f"{directory} is there, and QEMU can write to it.")


def check_size(case: CopyCase) -> Iterator[Finding]:
    """QEMU finds out that the sizes differ only after the copy has begun, and then says nothing."""
    place, sizes = case.facts.destination, case.facts.sizes
    if case.creates or case.destination.local_path is None:
        return
    if case.request.reuse_external and place.unreadable:
        yield refused(
            "image-unreadable",
            f"{case.path} cannot be read as {case.format}: {printable(place.unreadable)}",
            "Give the format that it has, or make the image anew.",
        )
        return
    if case.destination.slices:
        there: int | None = case.destination.slices[0].size if case.raw else None
    elif case.request.reuse_external:
        there = place.image.virtual_size if place.image else None
    elif case.raw:
        there = place.size
    else:
        # libvirt makes a new image on the device, of the right size.
        return
    if place.kind not in (None, PathKind.FILE, PathKind.BLOCK):
        return
    if there is None or sizes is None:
        yield warning(
            "size-unchecked",
            f"Whether {case.path} has exactly the size of {case.target}, "
            f"{size(sizes.capacity if sizes else None)}, is unchecked.",
            "Compare the sizes on the host; when they differ the copy fails right after its start.",
        )
    elif there != sizes.capacity:
        yield refused(
            "destination-size",
            f"{case.path} has {there} bytes and {case.name} has {sizes.capacity}; they must be equal.",
            "Make it exactly as large"
            + (", or put a qcow2 image on the device." if case.blockdev and case.raw else "."),
        )
    else:
        yield fine("size", f"{case.path} has exactly the size of the disk, {size(there)}.")


def check_slices(case: CopyCase) -> Iterator[Finding]:
    """A slice is a part of something that exists."""
    if case.destination.slices and not case.request.reuse_external:
        yield refused(
            "slices",
            f"libvirt makes no image within a slice of {case.path}.",
            "Make the image first and reuse it, or leave the slices out.",
        )


def check_shallow(case: CopyCase) -> Iterator[Finding]:
    """Whether a shallow copy can stand on something, and a full one on nothing."""
    request, format_ = case.request, case.destination.format
    if not request.shallow:
        yield from _check_full(case)
        return
    layers, source_format = len(case.disk.chain.layers), case.source.format
    if layers == 1 and not case.disk.chain.complete:
        yield warning(
            "chain-unknown",
            f"What {printable(case.source.path)} stands on is not known, so the copy may be a full one.",
        )
    if layers == 1:
        # libvirt drops the flag, and with it the reason for a backing file.
        yield from _check_full(case)
        if case.raw and source_format != "raw" and not request.reuse_external:
            yield refused(
                "shallow-raw",
                f"A raw image cannot be a shallow copy of {printable(source_format or 'an unknown format')}.",
                "Leave --shallow out for a full copy, or choose qcow2 as the format.",
            )
        else:
            yield warning(
                "shallow-single-layer",
                f"{case.name} is a single image without a backing file, so the copy is a full one.",
                "Leave --shallow out.",
            )
        return
    backing = case.backing
    below = printable(backing.path) if backing else "its backing file"
    if request.reuse_external:
        yield from _check_reused_overlay(case, below)
    elif case.raw:
        yield refused(
            "shallow-raw",
            f"A raw image cannot stand on {below}, so it cannot be a shallow copy.",
            "Leave --shallow out for a full copy, or choose qcow2 as the format.",
        )
    elif format_ in CREATABLE and format_ not in STACKABLE:
        yield refused(
            "shallow-format",
            f"An image in the format {case.format} cannot stand on {below}.",
            "Choose qcow2 as the format, or leave --shallow out for a full copy.",
        )
    yield from _check_given_backing(case)


def _check_full(case: CopyCase) -> Iterator[Finding]:
    image = case.facts.destination.image
    if case.given_backing.layers:
        yield refused(
            "backing-without-shallow",
            "The destination's XML names a backing file, and a full copy stands on none.",
            "Take the <backingStore> out; only a shallow copy of several layers stands on one.",
        )
    elif case.request.reuse_external and image and image.backing:
        gone = ", which is not there" if image.backing_exists is False else ""
        yield warning(
            "backing-unneeded",
            f"{case.path} names the backing file {printable(image.backing)}{gone}. The full copy hides all of it, "
            "and libvirt forgets it, but whatever else reads the image still needs it.",
            "Make the image anew without a backing file.",
        )


def _check_reused_overlay(case: CopyCase, below: str) -> Iterator[Finding]:
    """The new image with what it stands on must show what the old one shows; only its top is written."""
    image = case.facts.destination.image
    if case.raw:
        yield warning(
            "content-unchecked",
            f"Only what differs from {below} is copied: {case.path} must hold all the rest already.",
            "Fill it with qemu-img convert first.",
        )
        return
    if case.given_backing.layers:
        return
    if case.request.destination.complete:
        yield refused(
            "shallow-no-backing",
            f"By its XML the destination stands on nothing, so all that lies in {below} would be missing.",
            "Name the backing file in the XML, or leave --shallow out.",
        )
    elif image is None:
        yield warning(
            "content-unchecked",
            f"What {case.path} stands on is unchecked; it must show the same as {below}.",
            "Look on the host: qemu-img info -U --backing-chain",
        )
    elif image.backing is None:
        yield refused(
            "shallow-no-backing",
            f"{case.path} stands on nothing, so all that lies in {below} would be missing.",
            f"Make it anew with the backing file {below}, or leave --shallow out.",
        )
    elif image.backing_exists is False:
        yield refused(
            "backing-missing",
            f"{case.path} stands on {printable(image.backing)}, which is not there.",
            "Bring the backing files there first; they may still be filled while the copy runs.",
        )
    elif image.backing_format is None:
        yield refused(
            "backing-format-missing",
            f"{case.path} does not say which format {printable(image.backing)} has.",
            "Record it: qemu-img rebase -u with -b and -F.",
        )
    elif not _same_place(image.backing, case):
        yield warning(
            "content-unchecked",
            f"{case.path} stands on {printable(image.backing)}, which must show the same as {below}.",
            "Compare the two: qemu-img compare -U",
        )


def _check_given_backing(case: CopyCase) -> Iterator[Finding]:
    given = case.given_backing.active
    if given is None:
        return
    if case.facts.destination.given_backing_exists is False:
        yield refused(
            "backing-missing",
            f"The destination's XML names the backing file {printable(given.path)}, which is not there.",
            "Bring it there first, or name another.",
        )
    elif not _same_place(given.path, case):
        yield warning(
            "content-unchecked",
            f"The destination is to stand on {printable(given.path)}, which must show the same as what "
            f"{printable(case.source.path)} stands on.",
            "Compare the two: qemu-img compare -U",
        )


def _same_place(path: str, case: CopyCase) -> bool:
    return case.backing is not None and same_name(path) == same_name(case.backing.path)
