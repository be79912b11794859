"""The log drawer: what happened, and the commands a person would have typed for it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.app.widgets.filter import FilterBox
from tui.app.widgets.items import Items
from tui.engine.control import Level, LogLine
from tui.model.text import printable

_MOST = 5000
"""Entries that are kept."""
_LEVEL_STYLES = {Level.INFO: "", Level.WARNING: "$text-warning", Level.ERROR: "$text-error"}
_LEAD = 10
_LEAST_TEXT = 20


@dataclass(frozen=True, slots=True)
class LogItem:
    """One line on the screen: the start of an entry, the rest of its sentence, or one of its commands."""

    number: int
    part: int
    text: str
    entry: LogLine
    command: str | None = None


class LogView(Items[LogItem]):
    """Lines, the newest at the bottom."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.explain_emptiness("Nothing here yet.")

    def key_of(self, item: LogItem) -> Hashable:
        """The number of the entry and of the line in it."""
        return (item.number, item.part)

    def draw(self, item: LogItem, line: int, width: int) -> Content:  # noqa: ARG002
        """One line: time, sign, text."""
        if item.command is not None:
            return join(" " * _LEAD, styled("  $ ", DIM), shown(item.command, DIM))
        if item.part:
            return join(" " * (_LEAD + 2), shown(item.text, _LEVEL_STYLES[item.entry.level]))
        glyphs = self.glyphs
        sign = {Level.INFO: glyphs.dot, Level.WARNING: glyphs.warning, Level.ERROR: glyphs.bad}[
            item.entry.level
        ]
        at = time.strftime("%H:%M:%S", time.localtime(item.entry.at))
        style = _LEVEL_STYLES[item.entry.level]
        return join(" ", styled(at, DIM), " ", styled(sign, style or DIM), " ", shown(item.text, style))


class LogPanel(Vertical):
    """The log with its filter. It follows what is new until the cursor leaves the last line."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.view = LogView(glyphs=glyphs, id="log-view")
        self.box = FilterBox("filter: a part of a line, ! for what does not match", id="log-filter")
        self.glyphs = glyphs
        self.several_hosts = False
        self._entries: deque[LogLine] = deque(maxlen=_MOST)
        self._gone = 0
        self._items: list[LogItem] = []
        self._width = 0
        self.border_title = "Log"

    def compose(self) -> ComposeResult:
        """The lines over the line of the filter."""
        yield self.view
        yield self.box

    def add(self, entry: LogLine) -> None:
        """Something happened."""
        following = self.following
        full = len(self._entries) == _MOST
        self._gone += full
        self._entries.append(entry)
        if full or self.view.width != self._width:
            self._lay_out()
        elif self._matches(entry):
            self._items = [*self._items, *self._split(self._gone + len(self._entries) - 1, entry)]
        self._show(following=following)

    @property
    def following(self) -> bool:
        """Whether the cursor is on the last line, so that new ones come into view."""
        return not self.view.items or self.view.index in (None, len(self.view.items) - 1)

    @property
    def command(self) -> str | None:
        """The command on the line under the cursor, or all commands of its entry."""
        item = self.view.current
        if item is None:
            return None
        return item.command or "\n".join(item.entry.commands) or None

    @property
    def whole(self) -> str:
        """All entries as plain text."""
        lines = []
        for entry in self._entries:
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at))
            lines.append(f"{at}  {entry.level.value:<7}  {printable(entry.host)}  {printable(entry.text)}")
            lines += [f"    $ {printable(command)}" for command in entry.commands]
        return "\n".join(lines) + "\n" if lines else ""

    @on(FilterBox.Changed)
    def narrow(self, event: FilterBox.Changed) -> None:
        """What is typed takes effect at once."""
        event.stop()
        self._lay_out()
        self._show(following=True)

    @on(FilterBox.Left)
    def return_to_lines(self, event: FilterBox.Left) -> None:
        """The user is done with typing."""
        event.stop()
        self.view.focus()

    @on(Items.Highlighted)
    def tell_whether_following(self, event: Items.Highlighted) -> None:
        """Moving the cursor up holds the picture still; on the last line it follows again."""
        event.stop()
        self._tell()

    @on(Items.Refitted)
    def break_anew(self, event: Items.Refitted) -> None:
        """Break the sentences for the width that the lines have now."""
        event.stop()
        if self.view.width != self._width:
            following = self.following
            self._lay_out()
            self._show(following=following)

    def _show(self, *, following: bool) -> None:
        self.view.show(self._items, nearest=True)
        if following:
            self.view.action_last()
        self._tell()

    def _tell(self) -> None:
        title = f"Log {len(self._entries)}"
        if self.box.value:
            shown_entries = len({item.number for item in self._items})
            title = f"Log {shown_entries}/{len(self._entries)}"
        self.border_title = Content(title)
        below = len(self.view.items) - 1 - (self.view.index or 0)
        tail = Content("follows" if self.following else f"{below} more below, G follows")
        if self.box.value:
            dot = f" {self.glyphs.dot} "
            tail = join("filter ", shown(self.box.value, "$text-accent", width=30), dot, tail)
        self.border_subtitle = tail

    def _lay_out(self) -> None:
        self._width = self.view.width
        self._items = [
            item
            for number, entry in enumerate(self._entries, start=self._gone)
            if self._matches(entry)
            for item in self._split(number, entry)
        ]

    def _matches(self, entry: LogLine) -> bool:
        needle = self.box.value.casefold()
        inverse = needle.startswith("!")
        needle = needle.removeprefix("!").strip()
        if not needle:
            return True
        text = "\n".join((entry.level.value, entry.host, entry.text, *entry.commands)).casefold()
        return (needle in text) is not inverse

    def _split(self, number: int, entry: LogLine) -> list[LogItem]:
        text = printable(entry.text, 2000)
        if self.several_hosts and entry.host:
            text = f"{printable(entry.host)}: {text}"
        width = max(_LEAST_TEXT, self.view.width - _LEAD - 3)
        lines = [line.plain.rstrip() for line in Content(text).wrap(width)] or [""]
        items = [LogItem(number, part, line, entry) for part, line in enumerate(lines)]
        items += [
            LogItem(number, len(lines) + part, command, entry, command)
            for part, command in enumerate(entry.commands)
        ]
        return items
