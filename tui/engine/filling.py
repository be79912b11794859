"""Filling images that were made for layers: several at once, holes left out, no faster than is wished."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from tui.engine import blocks
from tui.engine.errors import StepFailed
from tui.engine.room import CRAWL, taken
from tui.model.chain_steps import ImageCopy

CHUNK = 4 * 1024 * 1024
"""Bytes that are copied between two looks at whether anybody still waits."""
AT_ONCE = 4
"""Chunks under way: one file system lock is held per image, and a network share answers late."""
TOLD = 0.1
"""Seconds between two words about how far it is."""

Tell = Callable[[str, int, int], None]
"""Takes the path of an image, the bytes that are there, and how many it will be."""
Crawl = Callable[[str], bool]
"""Takes the path of an image, and says whether it is to be filled slowly just now."""


def fill(
    copies: Sequence[ImageCopy], bandwidth: int, tell: Tell, crawls: Crawl, left: threading.Event
) -> int:
    """Write layers into the images that were made for them, in place, since those have their labels already.

    Returns early when ``left`` is set.

    Args:
        copies: what goes where; the images exist.
        bandwidth: limit in bytes per second for all of them together; 0 is none.
        tell: told now and then how far each is.
        crawls: asked after every chunk.
        left: set when nobody waits any more.

    Returns:
        Bytes that were copied; what a file system could share is not among them.

    Raises:
        StepFailed: when a layer cannot be read, or an image not be written.
    """
    with ExitStack() as stack:
        fillings = [filling for copy in copies if (filling := _begun(copy, stack)) is not None]
        work = _Work(fillings, bandwidth, tell, crawls, left)
        threads = 1 if any(_turns(f.copy.source) or _turns(f.copy.path) for f in fillings) else AT_ONCE
        with ThreadPoolExecutor(threads, "copy") as pool:
            for done in [pool.submit(work.carry_out) for _ in range(threads)]:
                done.result()
            if not left.is_set():
                # Only what is on the disk can be relied on when the old image is given up.
                for written in [pool.submit(_written, filling) for filling in fillings]:
                    written.result()
        return work.amount


@dataclass(slots=True)
class _Filling:
    copy: ImageCopy
    source: BinaryIO
    target: BinaryIO
    size: int
    total: int
    """Bytes that are no hole."""
    amount: int = 0
    told: float = 0.0


def _begun(copy: ImageCopy, stack: ExitStack) -> _Filling | None:
    """Open both files; ``None`` when the file system let the image have the blocks of the layer at once."""
    with _explained(copy):
        source = stack.enter_context(open(copy.source, "rb"))  # noqa: PTH123, SIM115  the name stays as it is; the stack closes it
        target = stack.enter_context(open(copy.path, "r+b"))  # noqa: PTH123, SIM115
        target.truncate(0)
        if blocks.cloned(source.fileno(), target.fileno()):
            os.fsync(target.fileno())
            return None
        status = os.fstat(source.fileno())
        target.truncate(status.st_size)
        return _Filling(copy, source, target, status.st_size, taken(status))


@dataclass(slots=True)
class _Work:
    """The chunks that are still to be copied, for as many threads as like to take some."""

    fillings: list[_Filling]
    bandwidth: int
    tell: Tell
    crawls: Crawl
    left: threading.Event
    amount: int = 0
    started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failed: bool = False
    _chunks: Iterator[tuple[_Filling, int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._chunks = _in_turn([_chunks_of(filling) for filling in self.fillings])

    def carry_out(self) -> None:
        """Copy chunk after chunk until there is none left."""
        try:
            while not (self.left.is_set() or self._failed):
                with self._lock:
                    chunk = next(self._chunks, None)
                if chunk is None:
                    return
                self._copy(*chunk)
        except StepFailed:
            self._failed = True
            raise

    def _copy(self, filling: _Filling, at: int, end: int) -> None:
        with _explained(filling.copy):
            while at < end:
                copied = blocks.copy_range(filling.source.fileno(), filling.target.fileno(), at, end - at)
                at += copied
                self._count(filling, copied)

    def _count(self, filling: _Filling, copied: int) -> None:
        now = time.monotonic()
        with self._lock:
            filling.amount += copied
            self.amount += copied
            ahead = self.amount / self.bandwidth - (now - self.started) if self.bandwidth else 0.0
            news = now - filling.told >= TOLD
            if news:
                filling.told = now
        if news:
            self.tell(filling.copy.path, filling.amount, max(filling.amount, filling.total))
        if self.crawls(filling.copy.path):
            ahead = max(ahead, copied / CRAWL)
        if ahead > 0:
            self.left.wait(ahead)


def _chunks_of(filling: _Filling) -> Iterator[tuple[_Filling, int, int]]:
    file, at = filling.source.fileno(), 0
    while at < filling.size:
        try:
            at = os.lseek(file, at, os.SEEK_DATA)
        except OSError:
            # ENXIO: nothing but a hole up to the end.
            return
        end = os.lseek(file, at, os.SEEK_HOLE)
        while at < end:
            chunk = min(at + CHUNK, end)
            yield filling, at, chunk
            at = chunk


def _in_turn(
    several: list[Iterator[tuple[_Filling, int, int]]],
) -> Iterator[tuple[_Filling, int, int]]:
    """One of each, again and again: threads on different files do not wait for each other."""
    while several:
        for chunks in list(several):
            chunk = next(chunks, None)
            if chunk is None:
                several.remove(chunks)
            else:
                yield chunk


def _turns(path: str) -> bool:
    """Whether a file is on a disk that turns, which two readers slow down; not known of every file system."""
    try:
        device = os.stat(path).st_dev  # noqa: PTH116  the name stays as it is
        place = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"
        for queue in (f"{place}/queue", f"{place}/../queue"):
            if os.path.isdir(queue):  # noqa: PTH112
                with open(f"{queue}/rotational", encoding="ascii") as file:  # noqa: PTH123
                    return file.read().strip() == "1"
    except OSError:
        return False
    return False


def _written(filling: _Filling) -> None:
    with _explained(filling.copy):
        filling.target.flush()
        os.fsync(filling.target.fileno())


@contextmanager
def _explained(copy: ImageCopy) -> Iterator[None]:
    """Turn what the system says of a copy into a sentence."""
    try:
        yield
    except OSError as error:
        message = f"{copy.source} could not be copied to {copy.path}: {error.strerror}."
        raise StepFailed(message) from error
