"""The file in which a user's programs keep what has ended: one line each, written by several at once."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tui.engine.control import End, Outcome
from tui.engine.own_files import FileTrouble, write_private
from tui.engine.state_directory import state_directory
from tui.engine.uri import embedded_root, meant
from tui.model.history import Record, Result, UnreadableRecord, line_of, parse_record, undoes
from tui.model.plan import Plan
from tui.model.text import counted, printable

MOST = 4 * 1024 * 1024
"""Bytes, a few thousand records, beyond which the older half is dropped."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of it."""

    records: tuple[Record, ...] = ()
    """In the order in which they ended."""
    unreadable: int = 0
    """Lines that are no records, and were passed over."""

    @property
    def complaint(self) -> str:
        """One sentence about those; nothing where there are none."""
        count = counted(self.unreadable, "line of it is", "lines of it are")
        return f"{count} no record, and left out." if self.unreadable else ""


class History:
    """One such file; what is wrong with it never stands in the way of a plan."""

    def __init__(self, path: Path, most: int = MOST) -> None:
        """Keep it there, in so many bytes; nothing is made before there is something to keep."""
        self.path = path
        self._most = most
        self._told = False
        """Whether somebody has been told that it cannot be written."""

    def append(self, record: Record) -> str | None:
        """Keep a record; the first time that this is not possible, a sentence that says so."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked(fcntl.LOCK_SH):
                grown = self._write(f"{line_of(record)}\n".encode())
            if grown > self._most:
                self._prune()
        except FileTrouble as error:
            return self._once(str(error))
        except OSError as error:
            return self._once(f"{printable(str(self.path))} cannot be written: {error.strerror}.")
        return None

    def _once(self, trouble: str) -> str | None:
        told, self._told = self._told, True
        return None if told else f"What ends is not kept in the history: {trouble}"

    def _write(self, line: bytes) -> int:
        """Add a line in one call, which the lines of other programs can come before or after but not into.

        Returns:
            How many bytes the file has then.
        """
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = _size(os.fstat(file))
            # Whoever was cut off in the middle of a line must not take this one along.
            torn = bool(size) and os.pread(file, 1, size - 1) != b"\n"
            whole = b"\n" + line if torn else line
            if os.write(file, whole) < len(whole):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return size + len(whole)
        finally:
            os.close(file)

    def _prune(self) -> None:
        """Drop the older half; while somebody writes that waits for the next one."""
        try:
            with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
                # Somebody else may have done it just now.
                if self.path.stat().st_size > self._most:
                    lines = self._tail(self._most // 2)
                    write_private(self.path, lines.decode(errors="replace"), replace=True)
        except BlockingIOError:
            return

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Writers share the lock; who puts another file in its place has it alone."""
        place = self.path.with_suffix(".lock")
        lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, how)
            yield
        finally:
            os.close(lock)

    def read(self) -> Past:
        """All that is kept.

        Raises:
            FileTrouble: when it cannot be read.
        """
        records, unreadable = [], 0
        try:
            lines = self._tail(2 * self._most).split(b"\n")
        except FileNotFoundError:
            lines = []
        except OSError as error:
            message = f"{printable(str(self.path))} cannot be read: {error.strerror}."
            raise FileTrouble(message) from error
        for line in filter(None, lines):
            try:
                records.append(parse_record(line.decode()))
            except (UnreadableRecord, UnicodeDecodeError):
                unreadable += 1
        return Past(tuple(records), unreadable)

    def _tail(self, most: int) -> bytes:
        """The last lines, in so many bytes."""
        # Whoever opens a pipe waits for somebody to write to it.
        _size(self.path.stat())
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            # One byte more tells whether the first line is whole.
            file.seek(max(0, size - most - 1))
            found = file.read(most + 1)
        return found if size <= most else found.partition(b"\n")[2]


def _size(status: os.stat_result) -> int:
    """Bytes of a file.

    Raises:
        OSError: when it is none.
    """
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    return status.st_size


def own_history() -> History:
    """That of this user."""
    return History(state_directory() / "history.jsonl")


def history_of(uri: str | None) -> History:
    """That in which what ends on a host is kept: an embedded hypervisor's goes with its guests, when it is removed."""
    root = embedded_root(meant(uri))
    return History(root / "history.jsonl") if root is not None else own_history()


def result_of(plan: Plan, outcome: Outcome) -> Result:
    """How a plan ended, in a word."""
    if outcome.end is End.DONE:
        return Result.TAKEN_BACK if undoes(plan.request) else Result.DONE
    if outcome.end is End.LEFT:
        return Result.LEFT
    return Result.CANCELLED if outcome.cancelled else Result.FAILED
