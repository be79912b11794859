"""From a line of content to what the terminal is sent."""

from __future__ import annotations

from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from tui.app.glyphs import UNICODE
from tui.app.rows import TIMES
from tui.app.text import ELLIPSIS, cut
from tui.model.quantity import UNKNOWN

_ASCII = str.maketrans({ELLIPSIS: "~", UNKNOWN: "-", TIMES: "x", "↑": "^", "↓": "v"})
"""What our own words contain beside the signs of the table. Texts of hosts stay as they are."""


def paint(widget: Widget, content: Content, base: Style, width: int) -> Strip:
    """One line, exactly so wide; styles are resolved in the theme of the moment."""
    ascii_only: bool = getattr(widget, "glyphs", UNICODE).ascii
    parse = widget.app.stylesheet.parse_style
    segments = [
        Segment(text.translate(_ASCII) if ascii_only else text, (base + style).rich_style)
        for text, style in cut(content, width).render(base, end="", parse_style=parse)
    ]
    return Strip(segments).adjust_cell_length(width, base.rich_style)
