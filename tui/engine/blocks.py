"""Blocks of files, shared with other files or copied to them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
import threading

from tui.engine.errors import StepFailed

_FICLONE = 0x40049409
"""The ioctl by which a file system lets two files share their blocks until one of them is written to."""
_FICLONERANGE = 0x4020940D
"""The same for a part of a file."""
_CHUNK = 4 * 1024 * 1024
"""Bytes that are read between two looks at whether anybody still waits."""
_PIECE = 4096
"""Bytes of the blocks that are shared; a file that is shorter is refused, as one that cannot share."""


def cloned(source: int, target: int) -> bool:
    """Whether a file could be given the blocks of another one, in an instant and without taking room."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        # Another file system, or one that cannot: the bytes have to be copied.
        return False
    return True


def clonable(path: str) -> bool | None:
    """Whether files in the directory of an image can share its blocks: tried with one that never has a name."""
    try:
        with open(path, "rb") as source:  # noqa: PTH123  the name stays as it is
            target = os.open(os.path.dirname(path), os.O_TMPFILE | os.O_RDWR, 0o600)  # noqa: PTH120
            try:
                if os.fstat(source.fileno()).st_size >= _PIECE:
                    fcntl.ioctl(target, _FICLONERANGE, struct.pack("qQQQ", source.fileno(), 0, _PIECE, 0))
                else:
                    fcntl.ioctl(target, _FICLONE, source.fileno())
            finally:
                os.close(target)
    except OSError as error:
        unable = (errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY, errno.EINVAL)
        return False if error.errno in unable else None
    return True


def clone(source: str, path: str) -> None:
    """Make a file with the blocks of an image, with its owner, and with no right to write.

    Raises:
        StepFailed: when it exists, or the file system cannot do it; nothing is left then.
    """
    try:
        with open(source, "rb") as image, open(path, "xb") as made:  # noqa: PTH123
            try:
                fcntl.ioctl(made.fileno(), _FICLONE, image.fileno())
                status = os.fstat(image.fileno())
                if os.geteuid() == 0:
                    os.fchown(made.fileno(), status.st_uid, status.st_gid)
                os.fchmod(made.fileno(), status.st_mode & 0o555)
                os.fsync(made.fileno())
            except OSError:
                os.unlink(path)  # noqa: PTH108
                raise
    except OSError as error:
        message = f"{source} could not be cloned to {path}: {error.strerror}."
        raise StepFailed(message) from error


def copy_range(source: int, target: int, at: int, count: int) -> int:
    """Copy some bytes to the same place in another file; at least one, unless the source ends there.

    Raises:
        OSError: as the system says it, a full file system included.
    """
    try:
        copied = os.copy_file_range(source, target, count, at, at)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        copied = os.pwrite(target, os.pread(source, count, at), at)
    if not copied:
        raise OSError(errno.EIO, "the source ended before its end")
    return copied


def digest(path: str, skip: int, left: threading.Event) -> str:
    """As ``b2sum`` prints it of a file without so many bytes at its start; nothing once ``left`` is set.

    Raises:
        OSError: as the system says it.
    """
    found = hashlib.blake2b()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  the name stays as it is
        file.seek(skip)
        while data := file.read(_CHUNK):
            if left.is_set():
                return ""
            found.update(data)
    return found.hexdigest()
