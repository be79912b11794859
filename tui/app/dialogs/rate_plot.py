"""The rates of a job over time, drawn from zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text
from textual.app import RenderResult
from textual.color import Color
from textual_plotext import PlotextPlot

from tui.app.dialogs.flow import Line
from tui.app.dialogs.limit import MIB
from tui.app.dialogs.rates import Point
from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, styled
from tui.model.quantity import duration

_SPANS = (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
"""Seconds that may lie between two ticks of the time axis."""
_TICKS = 5
_NOW = "now"


def legend(glyphs: Glyphs) -> Line:
    """What the marks mean, and the unit."""
    copied, guest = ("*", ".") if glyphs.ascii else ("▄", "•")
    return Line(
        styled("MiB/s   ", DIM),
        join(styled(f"{copied} ", "$primary"), "copied   ", styled(f"{guest} ", "$warning"), "guest writes"),
    )


def levels(highest: float) -> list[float]:
    """Round numbers from zero to at least ``highest``."""
    if highest <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(highest / _TICKS))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * _TICKS >= highest)
    return [step * number for number in range(math.ceil(highest / step) + 1)]


def moments(span: float) -> list[float]:
    """Round numbers of seconds before now, the oldest first, now last."""
    step = next((s for s in _SPANS if s * _TICKS >= span), _SPANS[-1])
    return [-float(step * number) for number in range(int(span // step), -1, -1)]


class RatePlot(PlotextPlot):
    """Copied and guest-written MiB/s; two marks tell them apart where there is no colour."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002  Textual's name
        """Begin without points."""
        super().__init__(id=id)
        self._glyphs = glyphs
        self._points: tuple[Point, ...] = ()
        self.until = _NOW
        """What is called the time of the last point."""

    @property
    def points(self) -> tuple[Point, ...]:
        """What is drawn."""
        return self._points

    def show(self, points: Sequence[Point], until: str = _NOW) -> None:
        """Draw other points; ``until`` is what the time of the last one is called."""
        if (tuple(points), until) != (self._points, self.until):
            self._points, self.until = tuple(points), until
            self.refresh()

    def render(self) -> RenderResult:
        """Draw anew: the colours are those of the present theme, the size that of the moment."""
        plt, plain = self.plt, self._glyphs.ascii
        plt.clear_figure()
        plt.plotsize(self.size.width, self.size.height)
        guest = [(point.ago, point.guest / MIB) for point in self._points if point.guest is not None]
        copied = [(point.ago, point.copied / MIB) for point in self._points]
        for series, mark, color in (
            (copied, "*" if plain else "hd", "primary"),
            (guest, "." if plain else "dot", "warning"),
        ):
            if series:
                ago, rates = zip(*series, strict=True)
                plt.plot(list(ago), list(rates), marker=mark, color=self._color(color))
        heights = levels(max((rate for _, rate in (*copied, *guest)), default=0.0))
        span = -min((ago for ago, _ in copied), default=-float(_SPANS[-1])) or 1.0
        times = moments(span)
        plt.ylim(0, heights[-1])
        plt.xlim(-span, 0)
        plt.yticks(heights, [f"{level:g}" for level in heights])
        plt.xticks(times, [self.until if at == 0 else f"-{duration(-at)}" for at in times])
        plt.frame(not plain)
        plt.xaxes(not plain, False)  # noqa: FBT003  lower, upper
        plt.yaxes(not plain, False)  # noqa: FBT003  left, right
        surface = self._color("surface")
        plt.canvas_color(surface)
        plt.axes_color(surface)
        plt.ticks_color(self._color("text-muted"))
        return Text.from_ansi(plt.build())

    def _color(self, name: str) -> tuple[int, int, int]:
        return Color.parse(self.app.theme_variables[name]).rgb
