"""A migration while it runs: how far it is, and what can be changed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.style import Style
from textual.widgets import Button, Input

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Field
from tui.app.dialogs.flow import EMPTY, Flow, Line, table
from tui.app.dialogs.limit import parse_limit
from tui.app.dialogs.numbers import parse_downtime
from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import in_signs, join, pad, shown, styled
from tui.app.widgets import migrations
from tui.app.widgets.entry import Entry
from tui.app.widgets.gauges import bar, percentage
from tui.app.widgets.news import say
from tui.engine.control import Level
from tui.model.migrate_request import Tune
from tui.model.migration import DiskOnTheWay, MemoryOnTheWay, Migration, MigrationPhase, about
from tui.model.quantity import UNKNOWN, duration, progress_size, rate, size
from tui.model.tune_plan import why_not

VERBS = {
    Tune.BANDWIDTH: "Set the limit",
    Tune.DOWNTIME: "Set it",
    Tune.POSTCOPY: "Switch over",
    Tune.SUSPEND: "Pause it",
    Tune.CALL_BACK: "Call it back",
}
"""What the buttons of the questions say."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What can be changed of it, and the key for that."""

    key: str
    title: str
    note: str
    tune: Tune | None = None
    """``None`` is what nobody can change on the way."""


REMEDIES = (
    Remedy("b", "more bandwidth", "for the memory; disks keep their limit", Tune.BANDWIDTH),
    Remedy("d", "more downtime", "it may stand still for longer at the end", Tune.DOWNTIME),
    Remedy("a", "auto-converge", "only from the start: call back, and begin with it"),
    Remedy("p", "post-copy", "it goes over now, its memory follows; no way back", Tune.POSTCOPY),
    Remedy("s", "pause", "it stands still until it has arrived", Tune.SUSPEND),
    Remedy("x", "call back", "it goes on here, and all is taken back", Tune.CALL_BACK),
)
_TITLES = max(len(one.title) for one in REMEDIES)
_NOTES = 50
"""Cells that a note gets, so that it takes one line; the key says all of it."""
_SLOWS = "on already: QEMU slows the guest down"
_TYPED = (Tune.BANDWIDTH, Tune.DOWNTIME)
"""Those of which a number is asked first."""
_READ_ONLY = "This session is read-only."
_GONE = "It has ended; the log says how."
_DISKS_KEEP = (
    "Disks keep the limit that they began with: pause the guest until it has arrived (s); or call it back (x), and "
    "begin with a higher limit or with synchronous writes."
)
_BAR = 30


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed."""

    tune: Tune
    value: int = 0


class MigrationDialog(Dialog[Change | None]):
    """Follows a migration; answers what is to be changed of it, or ``None``."""

    # All remedies and the field for a number are seen at once; of the rest as much as there is room for.
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]  # noqa: RUF012  as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(one.key, f"remedy('{one.key}')", one.title, show=False, id=f"migration-{one.key}")
            for one in REMEDIES
        ),
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
        self._asked: Tune | None = None
        """What a number is being asked for."""

    def compose(self) -> ComposeResult:
        """How far it is, and what can be done."""
        last = self._last
        title = join("Migration of ", shown(last.domain), " to ", shown(last.host)) if last else "Migration"
        yield from self.boxed(
            title,
            VerticalScroll(Flow(id="state"), classes="body"),
            Flow(id="remedies"),
            Field("Limit", Entry(placeholder="no limit", id="bandwidth"), unit="MiB/s"),
            Field("At the most", Entry(placeholder="300", id="downtime"), unit="ms"),
            Buttons("", button("Close", "leave"), button("See the plan", "go")),
        )

    def on_mount(self) -> None:
        """Begin where no key is taken for a number."""
        self._ask(None)
        self.follow()

    def follow(self) -> None:
        """Show it as it is now, or that it has ended."""
        self._last = last = self._now()
        gone = Line(styled(f"{self.glyphs.warning} ", "$text-warning"), Content(_GONE))
        self.query_one("#state", Flow).show([gone] if last is None else migration_lines(last, self.glyphs))
        offered = list(map(self._offer, REMEDIES)) if last is not None else []
        if (
            last is not None
            and last.over
            and not any(one.tune and not why_not(one.tune, last) for one in REMEDIES)
        ):
            offered = [Line(Content(""), shown(last.over, DIM))]
        self.query_one("#remedies", Flow).show([EMPTY, *offered])
        self.judge()

    def _offer(self, remedy: Remedy) -> Line:
        why = self._why_not(remedy)
        word, note = (styled(remedy.title, DIM), why) if why else (Content(remedy.title), remedy.note)
        lead = join(styled(remedy.key, DIM if why else "bold $text-accent"), "  ", pad(word, _TITLES), "  ")
        # A click does what the key does.
        meta = Style.from_meta({"remedy": remedy.key})
        return Line(lead.stylize(meta), shown(note, DIM, width=_NOTES).stylize(meta))

    def _why_not(self, remedy: Remedy) -> str:
        """Why it cannot be had now; nothing where it can."""
        last = self._last
        if last is None:
            return _GONE
        if remedy.tune is None:
            return _SLOWS if last.auto_converge else remedy.note
        if self._read_only:
            return _READ_ONLY
        found = why_not(remedy.tune, last)
        return f"{found.reason} {found.remedy}" if found else ""

    def _ask(self, tune: Tune | None) -> None:
        """Show the field for the number of a change, if it takes one."""
        self._asked = tune
        for one in _TYPED:
            self.query_one(f"#{one}-field", Field).display = one is tune
        self.query_one("#go", Button).display = tune is not None
        hint = "enter see the plan  ↑ others  esc close" if tune else "a key leads to its plan  esc close"
        self.query_one(Buttons).hint(self.glyphs.words(hint))
        self.query_one(f"#{tune}" if tune else "#leave").focus()
        self.judge()

    @on(Input.Changed)
    def judge(self) -> None:
        """Say what is wrong with what is typed."""
        change, problem = self._change()
        if self._asked is not None:
            self.query_one(f"#{self._asked}-field", Field).problem(problem)
        self.query_one("#go", Button).disabled = change is None

    def _change(self) -> tuple[Change | None, str]:
        """What is filled in, or what is wrong with it."""
        remedy = next((one for one in REMEDIES if one.tune is self._asked), None)
        if self._asked is None or remedy is None:
            return None, ""
        if why := self._why_not(remedy):
            return None, why
        text = self.query_one(f"#{self._asked}", Input).value
        try:
            value = parse_limit(text) if self._asked is Tune.BANDWIDTH else parse_downtime(text)
        except ValueError as error:
            return None, str(error)
        return (Change(self._asked, value) if value is not None else None), ""

    def action_remedy(self, key: str) -> None:
        """Ask for its number, or answer it; of one that cannot be had say why."""
        remedy = next(one for one in REMEDIES if one.key == key)
        why = self._why_not(remedy)
        if why or remedy.tune is None:
            say(self.app, Level.WARNING, why)
        elif remedy.tune in _TYPED:
            self._ask(remedy.tune)
        else:
            self.answer(Change(remedy.tune))

    def on_click(self, event: events.Click) -> None:
        """A click on a remedy does what its key does."""
        key = event.style.meta.get("remedy")
        if key is not None:
            self.action_remedy(key)

    @on(Input.Submitted)
    @on(Button.Pressed, "#go")
    def propose(self) -> None:
        """Answer what is filled in."""
        change, _problem = self._change()
        if change is not None:
            self.answer(change)

    def action_others(self) -> None:
        """From the field to the other changes."""
        self._ask(None)


def migration_lines(migration: Migration, glyphs: Glyphs) -> Iterator[Line]:
    """All that is known."""
    phase = styled(f"{glyphs.to} {migration.phase}", f"bold {migrations.STYLE}")
    leads = (
        "the hosts lead it" if migration.p2p else f"{'this' if migration.led else 'another'} program leads it"
    )
    stands = "  the guest is paused" if migration.paused else ""
    doing = f", {migration.doing}" if migration.doing else ""
    yield Line(Content(""), join(phase, styled(f"{doing}  {leads}{stands}", DIM)))
    if migration.troubles:
        sentence = f"It does not get on: {', '.join(migration.troubles)}."
        if migration.outrun:
            sentence += f" {_DISKS_KEEP}"
        elif migration.outruns:
            sentence += f" {_remedies(migration)}"
        yield Line(styled(f"{glyphs.warning} ", "$text-warning"), shown(sentence, "$text-warning"))
    yield EMPTY
    rows = [("" if number else "disks", _disk(disk, glyphs)) for number, disk in enumerate(migration.disks)]
    memory, layers = migration.memory, migration.layers
    if layers is not None:
        rows.append(("layers", _bar(layers.percent, progress_size(layers.cur, layers.end), glyphs)))
    if migration.phase in (MigrationPhase.DISKS, MigrationPhase.IN_SYNC):
        rows += [(label, in_signs(text, glyphs)) for label, text in _disks(migration)]
    if memory is None and not migration.over:
        rows.append(("memory", styled("not yet", DIM)))
    elif memory is not None:
        done = progress_size(memory.total - memory.remaining, memory.total)
        rows.append(("memory", _bar(memory.percent, done, glyphs)))
        rows += [(label, in_signs(text, glyphs)) for label, text in _memory(memory)]
    if migration.downtime is not None:
        rows.append(("standstill", Content(f"{migration.downtime} ms expected")))
    yield from table(rows)


def _remedies(migration: Migration) -> str:
    """Those that help memory to arrive, and can be had; nothing where it goes over already."""
    helps = [one for one in REMEDIES if one.tune not in (None, Tune.CALL_BACK)]
    named = [f"{one.title} ({one.key})" for one in helps if one.tune and not why_not(one.tune, migration)]
    return f"What helps: {', '.join(named[:-1])} or {named[-1]}." if len(named) > 1 else ""


def _disks(migration: Migration) -> Iterator[tuple[str, str]]:
    yield "copied at", rate(migration.rate)
    yield "guest writes", rate(migration.guest_rate)
    limits = {disk.limit for disk in migration.disks if disk.limit}
    if limits:
        yield "limit", f"{rate(max(limits))}{' for each disk' if len(migration.disks) > 1 else ''}"
    yield "in sync in", about(migration.seconds) if migration.copying else "now"


def _memory(memory: MemoryOnTheWay) -> Iterator[tuple[str, str]]:
    yield "sent at", f"{rate(memory.rate)}, round {memory.iteration}"
    yield "changed at", rate(memory.dirty_rate) if memory.dirty_rate else UNKNOWN
    yield "left", duration(memory.seconds)


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
