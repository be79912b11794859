"""Lines with a lead (a sign, a label, a number) whose text keeps clear of the lead where it wraps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from tui.app.glyphs import DIM
from tui.app.text import cut, join, pad, styled
from tui.app.wrap import wrapped

_NARROWEST = 8
"""Cells that a text gets at least, however wide its lead is."""


@dataclass(frozen=True, slots=True)
class Line:
    """A lead and what is said behind it."""

    lead: Content
    body: Content = Content("")  # noqa: RUF009  immutable
    hang: int = 0
    """Cells by which it is set in further where it goes on."""

    @property
    def is_heading(self) -> bool:
        """Whether it says what the next ones are about."""
        return bool(self.lead.plain.strip()) and not self.body.plain

    def wrapped(self, width: int) -> Iterator[Content]:
        """As many lines of so many cells as it takes."""
        indent = self.lead.cell_length
        first, *others = wrapped(self.body, max(_NARROWEST, width - indent), self.hang)
        yield join(self.lead, first)
        yield from (join(" " * (indent + self.hang), line) for line in others)


EMPTY = Line(Content(""))


def heading(text: str) -> Line:
    """What the next lines are about."""
    return Line(styled(text, f"bold {DIM}"))


def table(rows: Iterable[tuple[str, Content]]) -> tuple[Line, ...]:
    """Labels of ours, aligned, and their values."""
    pairs = list(rows)
    width = max((len(label) for label, _ in pairs), default=0) + 2
    return tuple(Line(pad(styled(label, DIM), width), value) for label, value in pairs)


class Flow(Widget):
    """Shows lines, and wraps them to whatever width there is."""

    def __init__(
        self,
        lines: Iterable[Line] = (),
        *,
        id: str | None = None,  # noqa: A002  Textual's name
        classes: str | None = None,
    ) -> None:
        """Begin with these lines."""
        super().__init__(id=id, classes=classes)
        self._lines = tuple(lines)

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    @property
    def plain(self) -> str:
        """What is shown, without its colours and not wrapped."""
        return "\n".join(join(line.lead, line.body).plain for line in self._lines)

    def show(self, lines: Iterable[Line]) -> None:
        """Show other lines; the same ones cost nothing."""
        new = tuple(lines)
        if new != self._lines:
            self._lines = new
            # Where a layout is due already, Textual would go on with the height of what was shown before.
            self._box_model_cache.clear()
            self.refresh(layout=True)

    def headings_from(self, row: int) -> list[str]:
        """The headings in and below a row of what is shown."""
        found, at = [], 0
        width = self.content_size.width
        for line in self._lines:
            if at >= row and line.is_heading:
                found.append(line.lead.plain)
            at += sum(1 for _ in line.wrapped(width))
        return found

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """As many lines as it takes."""
        return len(self.laid_out(width))

    def render(self) -> Content:
        """All lines, wrapped; where there is no room for all, the last one is marked as cut."""
        width, room = self.content_size
        lines = self.laid_out(width)
        if len(lines) > room > 0:
            lines[room - 1 :] = [cut(join(lines[room - 1], lines[room]), width)]
        return Content("\n").join(lines)

    def laid_out(self, width: int) -> list[Content]:
        """What is shown, wrapped."""
        return [line for lines in self._lines for line in lines.wrapped(width)]
