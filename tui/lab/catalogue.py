"""Which guests the lab has: their disks, how much is on them, and how busily they write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.lab import images
from tui.lab.guest import GuestDisk, boot_sector

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layer:
    """One image of a disk, and the data written when it was the active layer."""

    file: str
    format: str
    first_mib: int
    """Where its data begin, in MiB."""
    data_mib: int
    """How much it holds, in MiB."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk's images, base first."""

    layers: tuple[Layer, ...]
    size_mib: int
    """What the guest sees, in MiB."""
    boot: bytes = b""
    """A boot sector for the base, or nothing."""

    def make(self, storage: Path) -> GuestDisk:
        """Make the images in a directory, replacing what is there, and return the active layer.

        Raises:
            LabError: qemu-img or qemu-io is missing or failed.
        """
        below: GuestDisk | None = None
        for number, layer in enumerate(self.layers, start=1):
            path = storage / layer.file
            if below is None:
                images.create(path, layer.format, self.size_mib * images.MIB)
            else:
                images.create_overlay(path, below.path, below.format)
            extent = (layer.first_mib * images.MIB, layer.data_mib * images.MIB)
            images.fill(path, layer.format, [extent], pattern=number)
            if below is None and self.boot:
                images.install_boot_sector(path, layer.format, self.boot)
            below = GuestDisk(path, layer.format)
        if below is None:
            msg = "a disk has at least one layer"
            raise ValueError(msg)
        return below


@dataclass(frozen=True, slots=True)
class Guest:
    """A domain of the lab."""

    name: str
    what: str
    """In a few words, for people."""
    disks: tuple[Disk, ...]
    runs: bool = True


# They write so seldom that all of them together take a small part of a processor: without KVM every write is dear.
# Where the guests write there are data from the start, so an image grows by a few MiB at most (db01: 64).
GUESTS: Final = (
    Guest(
        "web01",
        "one raw disk",
        (Disk((Layer("web01.raw", "raw", 0, 320),), 512, boot_sector(mib=32, delay=4, burst=1)),),
    ),
    Guest(
        "db01",
        "a chain of three qcow2 layers and a busy writer",
        (
            Disk(
                (
                    Layer("db01-base.qcow2", "qcow2", 0, 400),
                    Layer("db01-mid.qcow2", "qcow2", 300, 160),
                    Layer("db01-top.qcow2", "qcow2", 600, 48),
                ),
                1024,
                boot_sector(mib=64, delay=2, burst=8),
            ),
        ),
    ),
    Guest(
        "files",
        "two disks, qcow2 and raw",
        (
            Disk(
                (Layer("files-system.qcow2", "qcow2", 0, 128),),
                256,
                boot_sector(mib=16, delay=4, burst=1, drives=2),
            ),
            Disk((Layer("files-data.raw", "raw", 0, 256),), 1024),
        ),
    ),
    Guest(
        "old",
        "one qcow2 disk, shut off",
        (Disk((Layer("old.qcow2", "qcow2", 0, 64),), 256, boot_sector()),),
        runs=False,
    ),
)
