"""The signs of the screen, in Unicode and in plain ASCII.

State is always a sign and a word, and a colour only on top: what the signs say must survive a terminal
without colours and a font without signs.
"""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.domain import RunState
from tui.model.finding import Severity
from tui.model.hierarchy import MirrorState
from tui.model.job import Phase

_IN_WORDS = str.maketrans({"…": "...", "↑": "up", "↓": "down", "←": "left", "→": "right"})


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One table of signs; every sign is one cell wide."""

    running: str = "●"
    paused: str = "◐"
    off: str = "○"
    broken: str = "✗"
    unknown: str = "?"
    copying: str = "⇉"
    in_sync: str = "✓"
    pivoting: str = "↷"
    cancelling: str = "↶"
    cancelled: str = "⊘"
    good: str = "✓"
    bad: str = "✗"
    warning: str = "!"
    active: str = "◀"
    tag: str = "▪"
    to: str = "→"
    corner: str = "└"
    tee: str = "├"
    pipe: str = "│"
    rule: str = "─"
    up: str = "▲"
    down: str = "▼"
    more: str = "▸"
    less: str = "▾"
    empty: str = "–"
    dot: str = "·"
    bar: str = "━"
    bar_half: str = "╸"
    bar_rest: str = "━"
    sparks: str = "▁▂▃▄▅▆▇"
    """From nothing to the most; a full block would touch the line above."""
    ascii: bool = False

    def words(self, text: str) -> str:
        """A text of ours, in which the few signs that stand among words are words as well where there are no signs."""
        return text.translate(_IN_WORDS) if self.ascii else text

    def state(self, state: RunState) -> str:
        """The sign of a domain's state."""
        match state:
            case RunState.RUNNING | RunState.IDLE:
                return self.running
            case RunState.PAUSED | RunState.SUSPENDED | RunState.IN_SHUTDOWN:
                return self.paused
            case RunState.SHUT_OFF:
                return self.off
            case RunState.CRASHED:
                return self.broken
            case RunState.UNKNOWN:
                return self.unknown

    def phase(self, phase: Phase) -> str:
        """The sign of a job's phase."""
        return {
            Phase.COPYING: self.copying,
            Phase.IN_SYNC: self.in_sync,
            Phase.PIVOTING: self.pivoting,
            Phase.CANCELLING: self.cancelling,
            Phase.DONE: self.good,
            Phase.CANCELLED: self.cancelled,
            Phase.FAILED: self.bad,
        }[phase]

    def mirror(self, state: MirrorState) -> str:
        """The sign of a snapshot's mirror."""
        return {
            MirrorState.GONE: self.bad,
            MirrorState.COPYING: self.copying,
            MirrorState.ENDING: self.pivoting,
            MirrorState.IN_USE: self.active,
            MirrorState.IN_SYNC: self.in_sync,
        }[state]

    def severity(self, severity: Severity) -> str:
        """The sign of a finding."""
        return {Severity.FINE: self.good, Severity.WARNING: self.warning, Severity.REFUSED: self.bad}[
            severity
        ]


UNICODE = Glyphs()

ASCII = Glyphs(
    running="*",
    paused="=",
    off="o",
    broken="X",
    copying=">",
    in_sync="=",
    pivoting="^",
    cancelling="<",
    cancelled="/",
    good="+",
    bad="X",
    active="<",
    tag="#",
    to=">",
    corner="`",
    tee="|",
    pipe="|",
    rule="-",
    up="^",
    down="v",
    more="+",
    less="-",
    empty="-",
    dot="-",
    bar="#",
    bar_half="#",
    bar_rest=".",
    sparks="_.-:=+*#",
    ascii=True,
)

STATE_STYLES = {
    RunState.RUNNING: "$text-success",
    RunState.IDLE: "$text-success",
    RunState.PAUSED: "$text-warning",
    RunState.IN_SHUTDOWN: "$text-warning",
    RunState.SUSPENDED: "$text-warning",
    RunState.CRASHED: "$text-error",
    RunState.SHUT_OFF: "$text-muted",
    RunState.UNKNOWN: "$text-muted",
}

PHASE_STYLES = {
    Phase.COPYING: "$text-primary",
    Phase.IN_SYNC: "$text-success",
    Phase.PIVOTING: "$text-accent",
    Phase.CANCELLING: "$text-warning",
    Phase.DONE: "$text-success",
    Phase.CANCELLED: "$text-muted",
    Phase.FAILED: "$text-error",
}

MIRROR_STYLES = {
    MirrorState.GONE: "$text-error",
    MirrorState.COPYING: "$text-primary",
    MirrorState.ENDING: "$text-accent",
    MirrorState.IN_USE: "$text-accent",
    MirrorState.IN_SYNC: "$text-success",
}

SEVERITY_STYLES = {
    Severity.FINE: "$text-success",
    Severity.WARNING: "$text-warning",
    Severity.REFUSED: "$text-error",
}

DIM = "$text-muted"
"""Whatever frames the numbers and must not shout."""
