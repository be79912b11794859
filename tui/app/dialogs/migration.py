"""A migration while it runs: how far it is, and what can be changed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button, Input

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Choice, Field
from tui.app.dialogs.flow import EMPTY, Flow, Line, table
from tui.app.dialogs.limit import parse_limit
from tui.app.dialogs.numbers import parse_downtime
from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import in_signs, join, shown, styled
from tui.app.widgets import migrations
from tui.app.widgets.entry import Entry
from tui.app.widgets.gauges import bar, percentage
from tui.model.migrate_request import Tune
from tui.model.migration import DiskOnTheWay, MemoryOnTheWay, Migration, MigrationPhase, about
from tui.model.quantity import UNKNOWN, duration, progress_size, rate, size

VERBS = {
    Tune.BANDWIDTH: "Set the limit",
    Tune.DOWNTIME: "Set it",
    Tune.POSTCOPY: "Switch over",
    Tune.SUSPEND: "Pause it",
}
"""What the buttons of the questions say."""

_CHOICES = (
    (Tune.BANDWIDTH.value, "bandwidth"),
    (Tune.DOWNTIME.value, "downtime"),
    (Tune.POSTCOPY.value, "post-copy"),
    (Tune.SUSPEND.value, "pause"),
)
_NOTES = {
    Tune.BANDWIDTH: "Of the memory; empty or 0 takes it away. Disks keep theirs.",
    Tune.DOWNTIME: "The longer it may stand still at the end, the sooner that is.",
    Tune.POSTCOPY: "It goes over now, and its memory follows. There is no way back.",
    Tune.SUSPEND: "It stands still until it has arrived, and changes and writes nothing meanwhile.",
}
_NO_POSTCOPY = "This migration was begun without post-copy."
_GONE = "It has ended; the log says how."
_DISKS_KEEP = (
    "Disks keep the limit that they began with: pause the guest until it has arrived; or call it back with x, and "
    "begin with a higher limit or with synchronous writes."
)
_BAR = 30
_REFRESH = 0.5
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed."""

    tune: Tune
    value: int = 0


class MigrationDialog(Dialog[Change | None]):
    """Follows a migration; answers what is to be changed of it, or ``None``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "propose", "See the plan", show=False, id="migration-propose"),
        Binding("up", "others", "Other changes", show=False, id="migration-others"),
    ]

    def __init__(
        self, now: Callable[[], Migration | None], *, read_only: bool = False, glyphs: Glyphs = UNICODE
    ) -> None:
        """Follow what ``now`` gives."""
        super().__init__(glyphs)
        self._now = now
        self._read_only = read_only
        self._last = now()

    def compose(self) -> ComposeResult:
        """How far it is, and what can be done."""
        last = self._last
        title = join("Migration of ", shown(last.domain), " to ", shown(last.host)) if last else "Migration"
        yield from self.boxed(
            title,
            Flow(id="state"),
            Field("Change", Choice(_CHOICES, glyphs=self.glyphs, id="tune"), id="tune-field"),
            Field("Limit", Entry(placeholder="no limit", id="bandwidth"), unit="MiB/s", id="bandwidth-field"),
            Field("At the most", Entry(placeholder="300", id="downtime"), unit="ms", id="downtime-field"),
            Buttons(
                f"{'up' if self.glyphs.ascii else '↑'} others  enter go on  esc not now",
                button("Not now", "leave"),
                button("See the plan", "go"),
            ),
        )

    def on_mount(self) -> None:
        """Begin with what helps first, and go on looking."""
        for name in ("tune", "bandwidth", "downtime"):
            self.query_one(f"#{name}").disabled = self._read_only
        outrun = self._last is not None and bool(self._last.outrun)
        if outrun:
            # A limit would be for the memory alone.
            self.query_one("#tune", Choice).value = Tune.SUSPEND
        self.query_one("#leave" if self._read_only else "#tune" if outrun else "#bandwidth").focus()
        self.look()
        self.set_interval(_REFRESH, self.look)

    def look(self) -> None:
        """Show it as it is now, or that it has ended."""
        self._last = self._now()
        gone = Line(styled(f"{self.glyphs.warning} ", "$text-warning"), Content(_GONE))
        lines = [gone] if self._last is None else list(migration_lines(self._last, self.glyphs))
        self.query_one("#state", Flow).show([*lines, EMPTY])
        self.judge()

    @property
    def _tune(self) -> Tune:
        return Tune(self.query_one("#tune", Choice).value)

    @on(Choice.Changed)
    @on(Input.Changed)
    def judge(self) -> None:
        """Say what is chosen, and what is wrong with it."""
        tune = self._tune
        impossible = tune is Tune.POSTCOPY and self._last is not None and not self._last.postcopy
        self.query_one("#tune-field", Field).note(_NO_POSTCOPY if impossible else _NOTES[tune])
        change, problem = self._change()
        for one in (Tune.BANDWIDTH, Tune.DOWNTIME):
            field = self.query_one(f"#{one}-field", Field)
            field.display = one is tune
            field.problem(problem if one is tune else "")
        self.query_one("#go", Button).disabled = (
            change is None or impossible or self._read_only or not self._now()
        )

    def _change(self) -> tuple[Change | None, str]:
        """What is filled in, or what is wrong with it."""
        tune = self._tune
        try:
            match tune:
                case Tune.BANDWIDTH:
                    return Change(tune, parse_limit(self.query_one("#bandwidth", Input).value)), ""
                case Tune.DOWNTIME:
                    milliseconds = parse_downtime(self.query_one("#downtime", Input).value)
                    return (Change(tune, milliseconds), "") if milliseconds is not None else (None, "")
                case _:
                    return Change(tune), ""
        except ValueError as error:
            return None, str(error)

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def action_propose(self) -> None:
        """Answer what is chosen; from the choice first go to what can be typed for it."""
        field = self.query(f"#{self._tune}")
        if field and self.query_one("#tune").has_focus:
            field.first().focus()
        elif not self.query_one("#go", Button).disabled:
            self.answer(self._change()[0])

    def action_others(self) -> None:
        """From the field to the other changes."""
        self.query_one("#tune").focus()


def migration_lines(migration: Migration, glyphs: Glyphs) -> Iterator[Line]:
    """All that is known."""
    phase = styled(f"{glyphs.to} {migration.phase}", f"bold {migrations.STYLE}")
    leads = (
        "the hosts lead it" if migration.p2p else f"{'this' if migration.led else 'another'} program leads it"
    )
    stands = "  the guest is paused" if migration.paused else ""
    yield Line(Content(""), join(phase, styled(f"  {leads}{stands}", DIM)))
    yield EMPTY
    rows = [("" if number else "disks", _disk(disk, glyphs)) for number, disk in enumerate(migration.disks)]
    memory, layers = migration.memory, migration.layers
    if layers is not None:
        rows.append(("layers", _bar(layers.percent, progress_size(layers.cur, layers.end), glyphs)))
    if migration.phase is MigrationPhase.DISKS:
        rows += [(label, in_signs(text, glyphs)) for label, text in _disks(migration)]
    if memory is None:
        rows.append(("memory", styled("not yet", DIM)))
    else:
        done = progress_size(memory.total - memory.remaining, memory.total)
        rows.append(("memory", _bar(memory.percent, done, glyphs)))
        rows += [(label, in_signs(text, glyphs)) for label, text in _memory(memory)]
    if migration.downtime is not None:
        rows.append(("standstill", Content(f"{migration.downtime} ms expected")))
    yield from table(rows)
    if migration.troubles:
        sentence = "The guest changes its memory faster than it is sent: at this speed it never arrives."
        if migration.phase is MigrationPhase.DISKS:
            sentence = f"It does not get on: {', '.join(migration.troubles)}."
        if migration.outrun:
            sentence += f" {_DISKS_KEEP}"
        yield Line(styled(f"{glyphs.warning} ", "$text-warning"), shown(sentence, "$text-warning"))


def _disks(migration: Migration) -> Iterator[tuple[str, str]]:
    yield "copied at", rate(migration.rate)
    yield "guest writes", rate(migration.guest_rate)
    limits = {disk.limit for disk in migration.disks if disk.limit}
    if limits:
        yield "limit", f"{rate(max(limits))}{' for each disk' if len(migration.disks) > 1 else ''}"
    yield "in sync in", about(migration.seconds) if migration.copying else "now"


def _memory(memory: MemoryOnTheWay) -> Iterator[tuple[str, str]]:
    yield "sent at", rate(memory.rate)
    yield "changed at", rate(memory.dirty_rate) if memory.dirty_rate else UNKNOWN
    yield "round", str(memory.iteration)
    yield "left", duration(None if memory.diverges else memory.seconds)


def _disk(disk: DiskOnTheWay, glyphs: Glyphs) -> Content:
    if not disk.in_sync:
        return _bar(disk.percent, progress_size(disk.cur, disk.end), glyphs, disk.target)
    lag = disk.outlook.lag
    words = "in sync" if not lag else f"in sync, {size(lag)} behind"
    return join(shown(disk.target, width=8), " ", styled(f"{glyphs.in_sync} ", "$text-success"), words)


def _bar(percent: int | None, amount: str, glyphs: Glyphs, target: str = "") -> Content:
    name = join(shown(target, width=8), " ") if target else Content("")
    drawn = bar(percent, _BAR - name.cell_length, glyphs, migrations.STYLE)
    return join(name, drawn, " ", percentage(percent, glyphs), "  ", in_signs(amount, glyphs))
