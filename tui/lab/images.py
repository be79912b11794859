"""Disk images for the lab's guests: made by qemu-img, filled by qemu-io."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from tui.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MIB: Final = 1024 * 1024


def create(path: Path, image_format: str, size: int) -> None:
    """Make an empty image of `size` bytes; an image that is there already is replaced.

    Raises:
        LabError: qemu-img is missing or failed.
    """
    path.unlink(missing_ok=True)
    _run("qemu-img", "create", "-q", "-f", image_format, str(path), str(size))


def create_overlay(path: Path, backing: Path, backing_format: str) -> None:
    """Make a qcow2 layer over an image, as large as that; an image that is there already is replaced.

    Raises:
        LabError: qemu-img is missing or failed.
    """
    path.unlink(missing_ok=True)
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(backing), "-F", backing_format, str(path))


def fill(path: Path, image_format: str, extents: Iterable[tuple[int, int]], *, pattern: int) -> None:
    """Write a repeated byte into an image, so that there is something to copy.

    Args:
        path: the image.
        image_format: its format; never probed.
        extents: offset and length pairs, in bytes.
        pattern: the byte; not 0, because zeroes are holes to a copy.

    Raises:
        LabError: qemu-io is missing or failed.
    """
    commands = [
        word for offset, length in extents for word in ("-c", f"write -q -P {pattern} {offset} {length}")
    ]
    _run(*_QEMU_IO, "-f", image_format, *commands, str(path))


def install_boot_sector(path: Path, image_format: str, sector: bytes) -> None:
    """Put a boot sector at the start of an image.

    Raises:
        LabError: qemu-io is missing or failed.
    """
    source = path.with_name("sector.boot")
    source.write_bytes(sector)
    try:
        # By its bare name from its own directory: qemu-io splits at spaces and knows no quotes.
        command = f"write -q -s {source.name} 0 {len(sector)}"
        _run(*_QEMU_IO, "-f", image_format, "-c", command, str(path), directory=path.parent)
    finally:
        source.unlink()


_QEMU_IO: Final = (
    "qemu-io",
    "-t",
    "unsafe",
)  # unsafe: without it each call waits until the data are on the disk


def _run(*command: str, directory: Path | None = None) -> None:
    try:
        # C: a failure is quoted in the middle of an English sentence.
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, check=False, text=True
        )
    except FileNotFoundError:
        msg = f"{command[0]} is not installed; on Debian and Ubuntu it is in the package qemu-utils."
        raise LabError(msg) from None
    if done.returncode:
        msg = f"{command[0]} failed: {(done.stderr or done.stdout).strip()}"
        raise LabError(msg)
