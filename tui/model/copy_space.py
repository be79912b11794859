"""How much a copy takes at its destination, and whether there is room for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tui.model.copy_case import CopyCase
from tui.model.facts import PathKind
from tui.model.finding import Acceptance, Finding, fine, refused, warning
from tui.model.quantity import size

_METADATA_SHARE = 4096
"""qcow2 keeps ten bytes for each cluster of 64 KiB, about a 6500th; other formats somewhat more."""
_METADATA_LEAST = 1024 * 1024
_THIN_SHARE = 0.9
"""A disk of which less than this is allocated counts as thin."""
_STORES_ZEROES = (9, 10, 0)
"""About the first libvirt that opens raw images so that QEMU punches no holes unless the disk has discard='unmap'."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes; ``None`` where it is not known."""

    likely: int | None
    """What is allocated in the layers that are copied, or all where zeroes are stored."""
    most: int | None
    """When the guest writes everywhere, or where zeroes cannot be left out."""
    room: int | None
    """What is free, and what the destination has already."""


def most_of(virtual: int, *, raw: bool) -> int:
    """Bytes that an image can come to take when the guest has written everywhere."""
    return virtual if raw else virtual + virtual // _METADATA_SHARE + _METADATA_LEAST


def predict(case: CopyCase) -> Space:
    """What the destination will take."""
    place = case.facts.destination
    virtual = case.facts.sizes.capacity if case.facts.sizes else None
    most = None if virtual is None else most_of(virtual, raw=case.raw)
    likely = _allocated(case)
    if likely is not None and most is not None:
        likely = most if _stores_zeroes(case) else min(likely, most)
    if case.blockdev:
        room = place.size
    elif place.free is None:
        room = None
    else:
        room = place.free + ((place.allocated or 0) if case.request.reuse_external else 0)
    return Space(likely, most, room)


def _allocated(case: CopyCase) -> int | None:
    """Bytes that the layers take that are copied."""
    allocated = [layer.allocated for layer in case.copied]
    known = [amount for amount in allocated if amount is not None]
    return sum(known) if known and len(known) == len(allocated) else None


def _stores_zeroes(case: CopyCase) -> bool:
    """Whether what is not allocated in the source is in the copy."""
    newer = case.facts.libvirt is not None and case.facts.libvirt >= _STORES_ZEROES
    return newer and case.raw and case.disk.driver.discard != "unmap"


def check_space(case: CopyCase) -> Iterator[Finding]:
    """A full destination ends the job in silence; the guest goes on."""
    place = case.facts.destination
    if case.destination.local_path is None or (case.blockdev and case.raw):
        # Nobody can see the room, or the sizes are equal and it is all there.
        return
    if place.parent_exists is False or (case.blockdev and place.kind not in (None, PathKind.BLOCK)):
        return
    space = predict(case)
    if space.room is None or (space.most is None and space.likely is None):
        yield warning(
            "space-unchecked",
            f"The room at {case.path} is unchecked; the copy can take {size(space.most)}.",
            "Look on the host; when the destination is full the copy fails, and the guest goes on as before.",
        )
        return
    need = space.likely if space.likely is not None else space.most
    if need is not None and space.room < need:
        yield refused(
            "space",
            f"The copy needs about {size(need)}, and its destination has {size(space.room)} free.",
            "Make room, choose another place, or try all the same with --risk-full-destination.",
            Acceptance.RISK_FULL_DESTINATION,
        ).unless(case.request.accepted)
    elif space.most is not None and space.room < space.most:
        yield warning(
            "space-tight",
            f"The destination has {size(space.room)} free; the copy needs about {size(space.likely)}, and "
            f"{size(space.most)} once the guest has written everywhere.",
            "Watch the room there, now and after a pivot.",
        )
    else:
        yield fine(
            "space",
            f"The destination has {size(space.room)} free; the copy takes at most {size(space.most)}.",
        )


def check_thin(case: CopyCase) -> Iterator[Finding]:
    """A raw image has no way to leave out what the guest has freed, unless the disk passes that on."""
    most, now = predict(case).most, _allocated(case)
    if not case.raw or case.disk.driver.discard == "unmap" or most is None or now is None:
        return
    if now < _THIN_SHARE * most and not case.blockdev:
        takes, zeroes = (
            ("takes", "this libvirt has the zeroes stored as well.")
            if _stores_zeroes(case)
            else ("can come to take", "a file system that cannot punch holes stores the zeroes as well.")
        )
        yield warning(
            "thin-becomes-fat",
            f"The raw image {takes} {size(most)} where {size(now)} are taken now: the disk has no discard='unmap', so "
            f"space that the guest frees is never given back, and {zeroes}",
            "Choose qcow2 as the format, or set discard='unmap' for the disk before the guest starts.",
        )
