"""Bars and sparklines that do not flatter."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from tui.app.glyphs import DIM, Glyphs
from tui.app.text import join, styled


def bar(percent: int | None, width: int, glyphs: Glyphs, style: str) -> Content:
    """A bar of whole percents: full only at 100, and nothing at all where the percentage is not known."""
    if percent is None:
        return styled(glyphs.bar_rest * width, "$bar-rest")
    halves = max(0, min(100, percent)) * width * 2 // 100
    full, half = divmod(halves, 2)
    if glyphs.ascii:
        half = 0
    done = glyphs.bar * full + (glyphs.bar_half if half else "")
    return join(styled(done, style), styled(glyphs.bar_rest * (width - len(done)), "$bar-rest"))


def percentage(percent: int | None, glyphs: Glyphs) -> Content:
    """Four cells and a sign: `` 63 %``, or a dash."""
    return styled(f"{glyphs.empty:>5}", DIM) if percent is None else Content(f"{percent:>3} %")


def sparkline(values: Sequence[float], width: int, glyphs: Glyphs) -> str:
    """The last values as small columns that stand on zero, so that a steady rate looks steady."""
    values = values[-width:]
    highest = max(values, default=0.0)
    if highest <= 0:
        return (glyphs.sparks[0] * len(values)).rjust(width)
    top = len(glyphs.sparks) - 1
    return "".join(glyphs.sparks[round(max(0.0, v) / highest * top)] for v in values).rjust(width)
