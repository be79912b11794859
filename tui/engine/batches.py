"""Many paths for one command: each connection to a host is dear, and a command takes only so much."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

AT_A_TIME = 200
"""Paths that one command takes."""
ROOM = 96 * 1024
"""Bytes that they take at the most as words for a shell: to Linux all that ssh carries is one word, up to 128 KiB."""


def batches(paths: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The paths, each once, as many at a time as one command takes."""
    some: list[str] = []
    room = ROOM
    for path in dict.fromkeys(paths):
        takes = len(shlex.quote(path).encode(errors="surrogateescape")) + 1
        if some and (len(some) == AT_A_TIME or takes > room):
            yield tuple(some)
            some, room = [], ROOM
        some.append(path)
        room -= takes
    if some:
        yield tuple(some)
