"""Files of a host that nobody writes to any more, as they are before they go to another one."""

from __future__ import annotations

from dataclasses import dataclass

SECTOR = 512
"""Bytes in which the kernel counts what a file takes."""

SCRIPT = """LC_ALL=C; export LC_ALL
for p; do
if [ -f "$p" ]; then
if [ -r "$p" ]; then r=1; else r=0; fi
stat -L -c "%s %b $r" -- "$p" || echo -
else echo -
fi
done"""
"""A line for each path: bytes, sectors, and whether it can be read; or a dash."""


@dataclass(frozen=True, slots=True)
class StillFile:
    """An image below others, or the memory of a snapshot."""

    path: str
    format: str | None = None
    """``None`` for the memory of a snapshot, and for an image of which nobody says it."""
    size: int | None = None
    """Bytes of the file."""
    taken: int = 0
    """Bytes that it takes of its file system."""
    virtual_size: int | None = None
    """Bytes that a guest sees of it."""
    backing: str | None = None
    """How its header names the image below."""
    below: str | None = None
    """Where that image is, if it is a file of the host."""
    below_format: str | None = None
    header: int = 0
    """Bytes at its start in which that name stands."""
    trouble: str = ""
    """Why it cannot be copied as it is, as a part of a sentence."""


def parse_still(answer: str, paths: tuple[str, ...]) -> dict[str, StillFile]:
    """Read what ``SCRIPT`` has printed.

    Raises:
        ValueError: when it is something else.
    """
    found = {}
    lines = iter(answer.splitlines())
    for path in paths:
        line = next(lines, "-")
        if line == "-":
            found[path] = StillFile(path, trouble="is no file")
            continue
        size, sectors, readable = map(int, line.split())
        found[path] = StillFile(
            path, size=size, taken=sectors * SECTOR, trouble="" if readable else "cannot be read by you"
        )
    return found
