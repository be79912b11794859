"""What speaks for and against moving disks into volumes of a logical pool."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from tui.model.finding import Finding, fine, refused
from tui.model.logical_pool import LogicalPool
from tui.model.move_case import MovedDisk, MoveFacts
from tui.model.quantity import size
from tui.model.request import How
from tui.model.text import printable
from tui.model.volume_steps import MakeVolume

REFUSALS = frozenset({"volume-chain", "volume-format", "volume-size", "volume-exists"})
"""With one of these there is nothing that could be made."""
OF_A_DEVICE = frozenset({"size", "size-unchecked", "destination-size", "directory"})
"""Findings of a copy to a device that is there, which a volume to be made is not."""

_FORMATS = ("raw", "qcow2")


def check_volumes(facts: MoveFacts, disks: tuple[MovedDisk, ...]) -> Iterator[Finding]:
    """Whether each disk can have a volume of its own."""
    for disk in disks:
        if facts.pool is not None:
            yield from _check_volume(facts, facts.pool, disk)


def _check_volume(facts: MoveFacts, pool: LogicalPool, disk: MovedDisk) -> Iterator[Finding]:
    name = f"{printable(disk.target)} of {printable(facts.domain.name)}"
    where, volume = f"the pool {printable(pool.name)}", disk.volume
    if disk.how is not How.FLATTEN:
        yield refused(
            "volume-chain",
            f"{name} has {len(disk.chain.layers)} layers, and a volume of {where} takes one image, on its own.",
            "Move it with --flatten, which takes its content along as one image, or to a pool of files.",
        )
        return
    (active, *_below) = disk.chain.layers
    if volume is not None and active.format == volume.format and _lies_in(pool, active.path):
        yield refused(
            "already-there", f"{name} lies in {where} already.", "Name another pool or a directory."
        )
    elif volume is None or not volume.size:
        yield refused(
            "volume-size", f"The size of {name} is not known, and so no volume can be made.", "Try again."
        )
    elif volume.format not in _FORMATS:
        yield refused(
            "volume-format",
            f"An image of the format {printable(volume.format)} is not put into a volume.",
            "Choose raw, which is the default there, or qcow2.",
        )
    elif volume.name in pool.taken:
        yield refused(
            "volume-exists",
            f"There is a volume {printable(volume.name)} in {where} already, and it is not overwritten.",
            "Look at the plan again, which then has another name for it.",
        )
    elif volume.format == "raw" and volume.size != disk.capacity:
        yield refused(
            "volume-size",
            f"{name} has {disk.capacity} bytes, and a volume of {where} would have {volume.size}, in extents of "
            f"{size(pool.extent)}; for a raw image they must be equal.",
            "Choose qcow2 as the format (--format qcow2): the guest's disk keeps its size then.",
        )
    else:
        yield fine(
            "volume",
            f"{name} gets a volume of {size(volume.size)} in {where}, as {volume.format}. Its size is looked at "
            "before anything is copied.",
        )


def _lies_in(pool: LogicalPool, path: str) -> bool:
    return posixpath.dirname(path) == pool.path


def volume_steps(facts: MoveFacts, disks: tuple[MovedDisk, ...]) -> Iterator[MakeVolume]:
    """The steps that make the volumes of disks that go to some."""
    for disk in disks:
        volume = disk.volume
        if volume is not None:
            yield MakeVolume(
                facts.domain.uuid,
                facts.domain.name,
                disk.target,
                volume.pool,
                volume.name,
                volume.path,
                volume.size,
                exact=volume.format == "raw",
            )
