"""Files of the user on the machine where this program runs, none of which is an image."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from tui.model.text import printable


class FileTrouble(Exception):
    """A file cannot be written or read: one sentence."""


class FileThere(FileTrouble):
    """There is such a file already."""


def here() -> Path:
    """The directory that the program was started in, or the user's own where that is gone."""
    try:
        return Path.cwd()
    except OSError:
        return Path.home()


def write_private(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a file, all or nothing, and for nobody else's eyes.

    Raises:
        FileThere: when there is one that is not to be replaced.
        FileTrouble: when it cannot be written.
    """
    try:
        # mkstemp lets nobody but its user in.
        number, name = tempfile.mkstemp(prefix=".virt-mirror-", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                temporary.replace(path)
            else:
                _name(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    except FileExistsError as error:
        if path.is_dir():
            raise FileTrouble(f"{printable(str(path))} is a directory: name a file in it.") from error
        raise FileThere(f"{printable(str(path))} is there already: name another file.") from error
    except (OSError, ValueError) as error:
        raise FileTrouble(f"{printable(str(path))} cannot be written: {_reason(error)}.") from error


def _name(temporary: Path, path: Path) -> None:
    """Give a name to a file, unless another one has it."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system has such links: hold the name first, and then replace what is ours.
        path.touch(0o600, exist_ok=False)
        temporary.replace(path)


def read_text(path: Path, longest: int) -> str:
    """What stands in a file, or of a longer one a character more than ``longest``.

    Raises:
        FileTrouble: when it cannot be read.
    """
    try:
        # Whoever opens a pipe waits for somebody to write to it, and a device may have no end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileTrouble(f"{printable(str(path))} cannot be read: it is no file.")
        with path.open(encoding="utf-8") as file:
            return file.read(longest + 1)
    except (OSError, ValueError) as error:
        raise FileTrouble(f"{printable(str(path))} cannot be read: {_reason(error)}.") from error


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeError):
        return "it is not UTF-8 text"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
