"""What speaks against a place at which a file is to be made."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model.facts import PathFacts, PathKind
from tui.model.finding import Finding, refused
from tui.model.text import printable

_LONGEST_NAME = 255
_LONGEST_PATH = 4095
"""Bytes that Linux takes."""


def check_length(path: str) -> Iterator[Finding]:
    """Whether there can be a file of such a name at all."""
    whole = len(path.encode("utf-8", "replace"))
    name = max((len(part.encode("utf-8", "replace")) for part in path.split("/")), default=0)
    if name > _LONGEST_NAME:
        reason = f"A file name of {printable(path)} has {name} bytes, and {_LONGEST_NAME} are the most there can be."
    elif whole > _LONGEST_PATH:
        reason = (
            f"The path {printable(path)} has {whole} bytes, and {_LONGEST_PATH} are the most there can be."
        )
    else:
        return
    yield refused("name-too-long", reason, "Choose a shorter name.")


def check_new_file(path: str, place: PathFacts) -> Iterator[Finding]:
    """Whether there can be a new file."""
    if not path.startswith("/"):
        yield refused(
            "path-relative", f"{printable(path)} is no absolute path.", "Name one that begins with a /."
        )
    elif too_long := tuple(check_length(path)):
        yield from too_long
    elif place.kind not in (None, PathKind.MISSING):
        yield refused(
            "destination-exists", f"{printable(path)} is {place.kind} already.", "Choose another name."
        )
    elif place.parent_exists is False:
        yield refused(
            "directory-missing",
            f"There is no directory for {printable(path)}.",
            "Make it, or choose another.",
        )
