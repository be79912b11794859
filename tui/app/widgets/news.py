"""What is said in passing, in lines of its own: nothing that the user looks at is covered by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.app import App
from textual.content import Content

from tui.app.glyphs import DIM, SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.text import cut, join, shown, styled
from tui.app.widgets.bars import Bar
from tui.engine.control import Level
from tui.model.finding import Severity

_MOST_LINES = 3
_LEAST_SECONDS, _MOST_SECONDS = 4.0, 15.0
_READ = 15
"""Characters that are read in a second, by somebody who looks up from something else."""
_STYLES = {
    Level.INFO: "$text-primary",
    Level.WARNING: SEVERITY_STYLES[Severity.WARNING],
    Level.ERROR: SEVERITY_STYLES[Severity.REFUSED],
}


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    level: Level
    text: str

    @property
    def seconds(self) -> float:
        """How long it stays: as long as it takes to read, and twice that for what went wrong."""
        needed = _LEAST_SECONDS + len(self.text) / _READ
        return min(_MOST_SECONDS, needed * 2 if self.level is Level.ERROR else needed)


class NewsBar(Bar):
    """A few lines that go away by themselves, or by a click; all that happened stands in the log."""

    DEFAULT_CSS = "NewsBar { height: auto; display: none; background: $panel; }"

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty, which takes no room."""
        super().__init__(glyphs=glyphs, id=id)
        self._said: tuple[_Said, ...] = ()

    @property
    def texts(self) -> list[str]:
        """What stands there, the latest last."""
        return [said.text for said in self._said]

    def say(self, level: Level, text: str) -> None:
        """Say something for a while, once: of the same words those stay that say more before them."""
        same = [one for one in self._said if one.text.endswith(text) or text.endswith(one.text)]
        said = _Said(level, max([text, *(one.text for one in same)], key=len))
        self._keep((*(one for one in self._said if one not in same), said))
        self.set_timer(said.seconds, lambda: self._keep(tuple(one for one in self._said if one is not said)))

    def hand_over(self) -> None:
        """Have the screen that is in view now say what has not been seen for long enough."""
        for said in self._said:
            say(self.app, said.level, said.text)

    def on_click(self) -> None:
        """It has been read."""
        self._keep(())

    def on_resize(self) -> None:
        """Another width wraps otherwise."""
        self._keep(self._said)

    def _keep(self, said: tuple[_Said, ...]) -> None:
        self._said = said
        lines = self._laid_out()
        self.styles.height = max(1, len(lines))
        self.display = bool(lines)
        self.put(*lines)

    def _laid_out(self) -> list[Content]:
        """The latest in full as far as there is room, and of those before it what fits."""
        lines: list[Content] = []
        for said in reversed(self._said):
            room = _MOST_LINES - len(lines)
            own = list(self._wrapped(said))
            if len(own) > room:
                own = [*own[: room - 1], cut(join(own[room - 1], " …"), self._width)] if room else []
            lines = own + lines
        return lines

    def _wrapped(self, said: _Said) -> Iterator[Content]:
        sign = {
            Level.INFO: self.glyphs.dot,
            Level.WARNING: self.glyphs.warning,
            Level.ERROR: self.glyphs.bad,
        }
        lead = styled(f" {sign[said.level]} ", _STYLES[said.level])
        style = DIM if said.level is Level.INFO else _STYLES[said.level]
        for number, line in enumerate(shown(said.text, style).wrap(max(8, self._width - 4))):
            yield join("   " if number else lead, line)

    @property
    def _width(self) -> int:
        return self.size.width or self.app.size.width


def say(app: App[object], level: Level, text: str) -> None:
    """Say something on the screen that is in view."""
    news = getattr(app.screen, "news", None)
    if isinstance(news, NewsBar):
        news.say(level, text)
    else:
        # Over one of Textual's own.
        severity = {Level.INFO: "information", Level.WARNING: "warning", Level.ERROR: "error"}[level]
        app.notify(shown(text).plain, severity=severity, markup=False)  # type: ignore[arg-type]
