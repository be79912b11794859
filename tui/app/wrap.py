"""Where a text is broken that is wider than the screen: between words, and a path or an option at its joints."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, get_character_cell_size
from textual.content import Content

_JOINTS = ("/", ",;:=&?|", "-_+@.")
"""Behind these a word is broken that is wider than a line, rather behind the first."""
_FILLED = 1 / 3
"""A line is filled that far at least before it ends at a joint."""


def wrapped(content: Content, width: int, hang: int = 0) -> list[Content]:
    """Lines of at most so many cells; all but the first have ``hang`` cells less. An empty text is one line."""
    return [
        part[start:end]
        for part in content.split("\n", allow_blank=True)
        for start, end in _spans(part.plain.rstrip(), width, width - hang)
    ]


def _spans(text: str, first: int, other: int) -> Iterator[tuple[int, int]]:
    """Where each line starts and ends."""
    start, reach = 0, _reach(text, 0, first)
    while reach < len(text):
        end = _break(text, start, reach, other)
        yield start, start + len(text[start:end].rstrip())
        start = len(text) - len(text[end:].lstrip())
        reach = _reach(text, start, other)
    if start < len(text) or not text:
        yield start, len(text)


def _reach(text: str, start: int, room: int) -> int:
    """The end of what fits, which is one character at least."""
    taken = 0
    for place in range(start, len(text)):
        taken += get_character_cell_size(text[place])
        if taken > room and place > start:
            return place
    return len(text)


def _break(text: str, start: int, reach: int, room: int) -> int:
    """Where to end a line that goes as far as ``reach`` at the most; there is ``room`` in the next one."""
    ends = [place for place in range(reach, start, -1) if text[place].isspace() and text[start:place].strip()]
    if ends:
        return next((end for end in ends if not _belongs(text, start, end, room)), ends[0])
    # The word is wider than a line.
    for joints in _JOINTS:
        joint = 1 + max(text.rfind(sign, start, reach) for sign in joints)
        if joint - start >= (reach - start) * _FILLED:
            return joint
    return reach


def _belongs(text: str, start: int, end: int, room: int) -> bool:
    """Whether what stands before an end, a sign, a number or an option, goes with what comes after it."""
    before, after = text[start:end].rsplit(maxsplit=1)[-1], text[end:].split(maxsplit=1)[0]
    if before.startswith("-"):
        leads = before.strip("-") != "" and not after.startswith("-")
    else:
        leads = not any(map(str.isalpha, before))
    return leads and cell_len(f"{before} {after}") <= room
