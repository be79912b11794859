"""Passages of text, one below the other, with one of them under the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.css.styles import RulesMap
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.app.dialogs.flow import Line


class _Passage(Visual):
    """Lines, wrapped to whatever width there is."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = tuple(lines)

    def __str__(self) -> str:
        return "\n".join(line.lead.plain + line.body.plain for line in self._lines)

    def _wrapped(self, width: int) -> list[Content]:
        return [part for line in self._lines for part in line.wrapped(width)]

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        return Content("\n").join(self._wrapped(width)).render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:  # noqa: ARG002
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:  # noqa: ARG002
        return len(self._wrapped(width))


class Passages(OptionList):
    """A list of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False, id="passage-down"),
        Binding("k", "cursor_up", "Up", show=False, id="passage-up"),
    ]

    def show(self, passages: Iterable[Iterable[Line]]) -> None:
        """Show these, with the cursor where it was."""
        before = self.highlighted
        self.set_options(Option(_Passage(lines)) for lines in passages)
        if self.options:
            self.highlighted = min(before or 0, len(self.options) - 1)
