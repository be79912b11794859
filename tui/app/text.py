"""The one door by which text from a host enters the screen.

Textual reads plain strings as markup, so a domain called ``vm[prod]`` would lose half its name and a path in
square brackets would raise. ``Content`` is never parsed, and ``printable`` has taken the terminal escapes
out of it.
"""

from __future__ import annotations

from rich.cells import get_character_cell_size
from textual.content import Content, Span
from textual.style import Style

from tui.app.glyphs import Glyphs
from tui.model.quantity import UNKNOWN
from tui.model.text import printable

ELLIPSIS = "…"
_LIMIT = 4096
"""Characters: more than any screen has room for, and little enough to lay out at once."""


def shown(text: str, style: Style | str = "", *, width: int | None = None) -> Content:
    """A string from a host as it stands, on one line, harmless.

    Args:
        text: what the host says.
        style: a Textual style, as ``bold $primary``.
        width: the most cells it may take; the rest is cut off and marked.
    """
    content = Content.styled(printable(text, _LIMIT), style)
    return content if width is None else cut(content, width)


def shown_middle(text: str, style: Style | str = "", *, width: int) -> Content:
    """As ``shown``, but what is too long loses its middle: the ends of a path say more than its start."""
    plain = printable(text, _LIMIT)
    content = Content.styled(plain, style)
    if content.cell_length <= width:
        return content
    if width < 1:
        return Content("")
    tail = _take(plain[::-1], (width - 1) * 2 // 3)[::-1]
    head = _take(plain, width - 1 - Content(tail).cell_length)
    return Content.styled(head + ELLIPSIS + tail, style)


def cut(content: Content, width: int) -> Content:
    """The start of a content that is too long, marked as cut."""
    if content.cell_length <= width:
        return content
    return content.truncate(max(0, width), ellipsis=True)


def pad(content: Content, width: int, *, right: bool = False) -> Content:
    """A content that takes exactly so many cells; ``right`` aligns it there, as numbers want it."""
    content = cut(content, width)
    missing = width - content.cell_length
    if missing <= 0:
        return content
    return content.pad_left(missing) if right else content.pad_right(missing)


def join(*parts: Content | str) -> Content:
    """Contents, and texts of our own, in a row."""
    text: list[str] = []
    spans: list[Span] = []
    at = 0
    for part in parts:
        if isinstance(part, str):
            text.append(part)
            at += len(part)
            continue
        text.append(part.plain)
        spans += [Span(span.start + at, span.end + at, span.style) for span in part.spans]
        at += len(part.plain)
    return Content("".join(text), spans, strip_control_codes=False)


def styled(text: str, style: Style | str) -> Content:
    """A text of our own in a style."""
    return Content.styled(text, style)


def in_signs(text: str, glyphs: Glyphs) -> Content:
    """A text of ours about numbers, in signs that the terminal has."""
    return Content(glyphs.words(text.replace(UNKNOWN, glyphs.empty)))


def _take(text: str, width: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += get_character_cell_size(character)
        if taken > width:
            return text[:index]
    return text
