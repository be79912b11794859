"""All keys, and what the signs mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.types import CSSPathType

from tui.app.command import Command
from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.flow import EMPTY, Flow, Line, heading
from tui.app.glyphs import DIM, PHASE_STYLES, STATE_STYLES, UNICODE, Glyphs
from tui.app.text import join, pad, styled
from tui.model.domain import RunState
from tui.model.job import Phase

_PHASES = {
    Phase.COPYING: "the destination is being filled",
    Phase.IN_SYNC: "both images are the same and are kept so: pivot, keep or cancel",
    Phase.PIVOTING: "the guest goes over to the destination",
    Phase.CANCELLING: "the job is being ended; the guest stays on its source",
    Phase.DONE: "it ended as it should",
    Phase.CANCELLED: "it was ended early, nothing has changed for the guest",
    Phase.FAILED: "it broke off, nothing has changed for the guest",
}
_STATES = (RunState.RUNNING, RunState.PAUSED, RunState.SHUT_OFF, RunState.CRASHED)
_DIALOGS = (
    ("esc", "close a dialog; nothing is done"),
    ("tab", "go to the next field or button"),
    ("f2", "go from the choices of a form to its plan, and back"),
    ("pgdn pgup", "page a plan, wherever the focus is"),
    ("y n", "yes and no, where a dialog asks"),
    ("c", "copy the commands of a plan"),
)

_WIDE = 90
"""Cells from which titles and explanations stand in columns of their own."""


class Explanations(Flow):
    """Keys and signs: three columns where there is room for them, else two."""

    def __init__(self, commands: tuple[Command, ...], glyphs: Glyphs) -> None:
        """Explain these commands."""
        super().__init__([*_keys(commands, glyphs, wide=True), *_legend(glyphs)])
        self._narrow = (*_keys(commands, glyphs, wide=False), *_legend(glyphs))

    def laid_out(self, width: int) -> list[Content]:
        """The lines that fit."""
        if width >= _WIDE:
            return super().laid_out(width)
        return [line for lines in self._narrow for line in lines.wrapped(width)]


class HelpScreen(Dialog[None]):
    """Lists the commands by their groups."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "help.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1,q,enter", "leave", "Close", show=False, id="help-close"),
        Binding("j", "scroll_help(1)", "Down", show=False, id="help-down"),
        Binding("k", "scroll_help(-1)", "Up", show=False, id="help-up"),
    ]

    def __init__(self, commands: Iterable[Command], *, glyphs: Glyphs = UNICODE) -> None:
        """Explain these commands."""
        super().__init__(glyphs)
        self._commands = tuple(commands)

    def compose(self) -> ComposeResult:
        """The keys, scrolling, then the signs."""
        yield from self.boxed(
            styled("Help", ""),
            VerticalScroll(Explanations(self._commands, self.glyphs), classes="body", id="help"),
            Buttons(self.glyphs.words("↑ ↓ scroll  esc close"), button("Close", "leave")),
        )

    def on_mount(self) -> None:
        """Arrows scroll."""
        self.query_one("#help", VerticalScroll).focus()

    def action_scroll_help(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one("#help", VerticalScroll).scroll_relative(y=lines, animate=False)


def _keys(commands: tuple[Command, ...], glyphs: Glyphs, *, wide: bool) -> Iterator[Line]:
    names = {command.id: glyphs.words(command.keys_display) for command in commands}
    keys = max(map(len, (*names.values(), *(name for name, _ in _DIALOGS)))) + 2
    titles = max((len(command.title) for command in commands), default=0) + 2
    for group in dict.fromkeys(command.group for command in commands):
        yield heading(group)
        for command in commands:
            if command.group == group:
                key = pad(styled(names[command.id], "$text-primary"), keys)
                lead, body = join("  ", key), styled(command.help, DIM)
                if wide:
                    yield Line(join(lead, pad(Content(command.title), titles)), body)
                else:
                    yield Line(lead, join(command.title, ": ", body))
        yield EMPTY
    yield heading("In dialogs")
    for key_names, what in _DIALOGS:
        yield Line(join("  ", pad(styled(key_names, "$text-primary"), keys)), styled(what, DIM))
    yield EMPTY


def _legend(glyphs: Glyphs) -> Iterator[Line]:
    width = max(len(phase.value) for phase in Phase) + 2
    yield heading("Phases of a job")
    for phase, what in _PHASES.items():
        sign = styled(f"{glyphs.phase(phase)} {phase.value}".ljust(width + 2), PHASE_STYLES[phase])
        yield Line(join("  ", sign), styled(what, DIM))
    yield EMPTY
    yield heading("Domains")
    words = [styled(f"{glyphs.state(state)} {state.value}   ", STATE_STYLES[state]) for state in _STATES]
    yield Line(styled("  ", ""), join(*words))
    yield EMPTY
    yield heading("Findings")
    words = [
        styled(f"{glyphs.good} fine   ", "$text-success"),
        styled(f"{glyphs.warning} warning, worth knowing first   ", "$text-warning"),
        styled(f"{glyphs.bad} refused, must not run", "$text-error"),
    ]
    yield Line(styled("  ", ""), join(*words))
