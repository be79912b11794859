"""What of the states that snapshots hold is not there any more, as far as that can be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tui.model.command import own
from tui.model.domain import Domain
from tui.model.facts import same_name
from tui.model.hierarchy import KnownSnapshot, SnapshotView, StateDisk
from tui.model.image import ImageInfo
from tui.model.mirrored_snapshot import Kind
from tui.model.snapshot_fill import FULL
from tui.model.storage import Layer
from tui.model.text import printable

MEMORY = "the memory"


@dataclass(frozen=True, slots=True)
class Loss:
    """A part of a snapshot whose state is lost."""

    part: str
    """The target of a disk, or ``MEMORY``."""
    why: str
    """Words that end a sentence."""
    missing: bool = False
    """Whether a file is not there, so that it can be brought back."""

    def __str__(self) -> str:
        """What is lost, and why."""
        return f"of {printable(self.part)}: {self.why}"


def losses(snapshot: KnownSnapshot, view: SnapshotView) -> tuple[Loss, ...]:
    """What is lost of a snapshot, each part once."""
    return tuple(_losses(snapshot, view))


def _losses(snapshot: KnownSnapshot, view: SnapshotView) -> Iterator[Loss]:
    for disk in snapshot.disks:
        active = view.domain.active_layer(disk.target)
        if disk.kind is Kind.INTERNAL:
            if why := inside_no_more(snapshot.name, disk, active, view.images, view.missing.__contains__):
                yield Loss(disk.target, why, missing=disk.base in view.missing)
        elif disk.base is None:
            continue
        elif (
            disk.kind is Kind.EXTERNAL
            and active is not None
            and same_name(active.path) == same_name(disk.base)
        ):
            yield Loss(disk.target, "the guest writes to the image that held it")
        elif gone := _absent_below(disk.base, view):
            yield Loss(disk.target, f"{printable(gone)} is not there", missing=True)
        elif view.filled.get(disk.base, 0.0) >= 1:
            yield Loss(disk.target, f"{printable(disk.base)} is {FULL}")
    if snapshot.memory_file is not None and snapshot.memory_file in view.missing:
        yield Loss(MEMORY, f"{printable(snapshot.memory_file)} is not there", missing=True)


def inside_no_more(
    name: str,
    disk: StateDisk,
    active: Layer | None,
    images: Mapping[str, ImageInfo],
    lacking: Callable[[str], bool],
) -> str | None:
    """Why the state of an internal snapshot is lost from a disk; ``None`` where it is there, or nobody can see.

    Args:
        name: of the snapshot.
        disk: its part of it.
        active: what the guest writes to on that disk now: libvirt looks for the state there, whatever that is called.
        images: what images say of themselves, by path.
        lacking: whether a file is surely not there.
    """
    places = [disk.base] if disk.base is not None else []
    # In an image that is not qcow2 there is none.
    if active is not None and active.path != disk.base and active.format in (None, "qcow2"):
        places.append(active.path)
    found = [_without(name, path, images, lacking) for path in places]
    return next(iter(found), None) if all(found) else None


def _without(
    name: str, path: str, images: Mapping[str, ImageInfo], lacking: Callable[[str], bool]
) -> str | None:
    """Why a place does not have the state inside, if that is known."""
    if lacking(path):
        return f"{printable(path)} is not there"
    info = images.get(path)
    return f"{printable(path)} has none of that name inside" if info and name not in info.snapshots else None


def _absent_below(path: str, view: SnapshotView) -> str | None:
    """The first image that is not there, of one and those that it stands on by their own headers."""
    seen = set[str]()
    below: str | None = path
    while below is not None and below not in seen:
        if below in view.missing:
            return below
        seen.add(below)
        info = view.images.get(below)
        below = (info.full_backing_file or info.backing_file) if info else None
    return None


def absent_layers(domain: Domain, lacking: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """The images of a domain's chains that are not there, a sentence each, and what to do about it."""
    name = printable(domain.name)
    for disk in domain.disks:
        for path in filter(lacking, disk.chain.local_paths):
            disk_shown, shown = f"{name} {printable(disk.target)}", printable(path)
            if not domain.state.active:
                yield f"{disk_shown} stands on {shown}, which is not there.", "Bring it back to its place."
                continue
            # QEMU has it open still.
            lost = "what lies in it is lost when the guest stops"
            save = own("move", domain.name, disk.target, "--to", "DIR", "--flatten")
            yield (
                f"{disk_shown} runs on {shown}, which is not there any more: {lost}.",
                f"Let it run, and save all of it first: {printable(save)}",
            )
