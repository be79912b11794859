"""What an administrator sees without asking libvirt: files, images and processes."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 60.0
"""Seconds after which something that should happen is taken not to happen, on whatever machine this is."""
_INTERVAL: Final = 0.01
_QEMU_IMG_DIFFERS: Final = 1
_QEMU_IMG_LEAKS: Final = 3


def wait_for(predicate: Callable[[], object], timeout: float = PATIENCE, what: str = "") -> None:
    """Return as soon as something is true; for facts that no event tells.

    Args:
        predicate: asked again and again.
        timeout: seconds.
        what: the fact, in words, for the failure.

    Raises:
        AssertionError: it did not become true in time.
    """
    if not _became(predicate, timeout):
        msg = f"not within {timeout} s: {what or predicate}"
        raise AssertionError(msg)


def is_writing(path: Path, timeout: float = PATIENCE) -> bool:
    """Whether somebody writes to a file: True as soon as it changes, False after ``timeout`` seconds."""

    def seen() -> tuple[int, int, int]:
        status = path.stat()
        return status.st_mtime_ns, status.st_size, status.st_blocks

    before = seen()
    return _became(lambda: seen() != before, timeout)


def image_info(path: Path, image_format: str) -> dict[str, Any]:
    """``qemu-img info`` of one image, which may be in use; its format is never probed."""
    arguments = ("info", "--force-share", "--output=json", "-f", image_format, str(path))
    info: dict[str, Any] = json.loads(_qemu_img(*arguments).stdout)
    return info


def virtual_size(path: Path, image_format: str) -> int:
    """Bytes that a guest sees."""
    return int(image_info(path, image_format)["virtual-size"])


def allocated(path: Path) -> int:
    """Bytes that the file takes from its file system."""
    return path.stat().st_blocks * 512


def backing_file(path: Path, image_format: str = "qcow2") -> str | None:
    """What the image's header names as its backing file, relative if it says so."""
    name: str | None = image_info(path, image_format).get("backing-filename")
    return name


def images_equal(one: Path, other: Path, *, one_format: str = "qcow2", other_format: str = "qcow2") -> bool:
    """Whether a guest would see the same in two images, with their backing chains.

    They may be in use; but what a guest writes while they are compared makes them differ.
    """
    arguments = ("compare", "--force-share", "-f", one_format, "-F", other_format, str(one), str(other))
    return _qemu_img(*arguments, accept=_QEMU_IMG_DIFFERS).returncode == 0


def check(path: Path, image_format: str = "qcow2") -> int:
    """Have qemu-img check an image's structure.

    Returns:
        The number of leaked clusters: wasted space, harmless, and normal for an image in use.

    Raises:
        AssertionError: it is corrupt, or cannot be read.
    """
    arguments = ("check", "--force-share", "--output=json", "-f", image_format, str(path))
    return int(json.loads(_qemu_img(*arguments, accept=_QEMU_IMG_LEAKS).stdout).get("leaks", 0))


def open_files(pid: int) -> set[tuple[int, int]]:
    """Device and inode of everything that a process has open; nothing of one that is gone."""
    found = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # It may be closed between reading the directory and looking.
                status = entry.stat()
                found.add((status.st_dev, status.st_ino))
    return found


def is_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open, under whatever name."""
    status = path.stat()
    return (status.st_dev, status.st_ino) in open_files(pid)


def _became(predicate: Callable[[], object], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > deadline:
            return False
        time.sleep(_INTERVAL)
    return True


def _qemu_img(*arguments: str, accept: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, check=False, text=True, timeout=120)
    if done.returncode not in {0, accept}:
        msg = f"qemu-img {' '.join(arguments)}: {done.stderr or done.stdout}"
        raise AssertionError(msg)
    return done
