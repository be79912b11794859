"""A domain on its way to another host, as the list of jobs and the table show it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from textual.content import Content

from tui.app.glyphs import DIM, SEVERITY_STYLES, Glyphs
from tui.app.rows import DiskKey
from tui.app.text import in_signs, join, shown, styled
from tui.app.widgets.gauges import bar
from tui.engine.control import End, Outcome
from tui.model.job import Phase
from tui.model.migration import BEFORE, DiskOnTheWay, Migration, MigrationPhase, about
from tui.model.quantity import progress_size, rate

BUTTONS = {"cancel": "Call back", "speed": "Change"}
"""Ids of the commands that have buttons, and what they are called here."""
HELP = {
    "cancel": "Call it back: the guest goes on here, and its snapshots are known here again.",
    "speed": "How far it is; and more bandwidth, more downtime, post-copy, or a pause.",
}

_WORDS = {
    MigrationPhase.PREPARING: "preparing",
    MigrationPhase.COMPARING: "comparing",
    MigrationPhase.LAYERS: "layers",
    MigrationPhase.DISKS: "disks",
    MigrationPhase.IN_SYNC: "in sync",
    MigrationPhase.MEMORY: "memory",
    MigrationPhase.SWITCHING: "switching",
    MigrationPhase.POSTCOPY: "post-copy",
    MigrationPhase.FINISHING: "finishing",
    MigrationPhase.UNDOING: "taking back",
}
STYLE = "$text-primary"
_CHECKS = {
    "arrived": "runs there",
    "disk-there": "on its images",
    "disk-elsewhere": "on its images",
    "snapshots-there": "snapshots",
    "source-gone": "gone here",
    "source-off": "off here",
    "source-active": "gone here",
}
"""What the proof looks at, for short."""
_SMALL_BAR = 10


@dataclass(frozen=True, slots=True)
class Ended:
    """How a migration ended that was begun here."""

    plan: str
    """The id of its plan."""
    at: float
    """Wall clock."""
    outcome: Outcome

    @property
    def phase(self) -> Phase:
        """As a job's."""
        if self.outcome.end is End.DONE:
            return Phase.DONE
        return Phase.CANCELLED if self.outcome.cancelled else Phase.FAILED


@dataclass(frozen=True, slots=True)
class MigrationRow:
    """A migration and the host that it begins at."""

    number: int
    """Which of the connected hosts."""
    host: str
    migration: Migration
    ended: Ended | None = None
    """``None`` while it runs."""

    @property
    def disk(self) -> DiskKey:
        """The domain; no disk of it is meant."""
        return (self.number, self.migration.uuid, "")

    @property
    def key(self) -> tuple[int, str]:
        """This one: no domain has two at a time."""
        return (self.number, self.ended.plan if self.ended else self.migration.uuid)


def word(migration: Migration) -> str:
    """Where it is, for a column."""
    return _WORDS[migration.phase]


def cell(migration: Migration, glyphs: Glyphs) -> str:
    """The same in a table cell, as ``→ memory 63 %``."""
    return f"{glyphs.to} {word(migration)}{migration.far}"


def name(migration: Migration, glyphs: Glyphs, width: int | None = None) -> Content:
    """Which domain goes where."""
    host = join(styled(f" {glyphs.to} ", DIM), shown(migration.host, width=16))
    room = None if width is None else max(4, width - host.cell_length)
    return join(shown(migration.domain, "bold", width=room), host)


def amount(migration: Migration) -> str:
    """How much of how much is there of what it is at."""
    memory = migration.memory
    if memory is not None:
        return progress_size(memory.total - memory.remaining, memory.total)
    layers, disks = migration.layers, migration.disks
    if layers is not None:
        return progress_size(layers.cur, layers.end)
    return progress_size(sum(d.cur for d in disks), sum(d.end for d in disks)) if disks else ""


def words(migration: Migration, glyphs: Glyphs, *, wide: bool) -> Iterator[Content]:
    """What else is known, the most important first; ``wide`` is a line above that tells the speed."""
    if migration.doing:
        yield styled(migration.doing, DIM)
    for number, trouble in enumerate(migration.troubles):
        helps = migration.outruns and not number
        yield shown(f"{trouble}: b has remedies" if helps else trouble, "$text-warning")
    if migration.phase in (MigrationPhase.DISKS, MigrationPhase.IN_SYNC):
        yield from _disks(migration, glyphs, wide=wide)
    memory = migration.memory
    if memory is not None:
        yield from map(Content, memory.words(speed=not wide))
    if migration.downtime is not None and memory is not None:
        yield styled(f"will stand still for {migration.downtime} ms", DIM)
    if migration.paused:
        yield Content("paused")
    if not migration.led:
        yield styled("led by another program", DIM)


def ended_words(ended: Ended, glyphs: Glyphs) -> Iterator[Content]:
    """When and how it ended, and what was seen of that."""
    yield styled(time.strftime("%H:%M", time.localtime(ended.at)), DIM)
    findings = ended.outcome.findings
    # Who went where stands above.
    short = next((finding.short for finding in findings if finding.check == "migrated"), "")
    yield shown(short or ended.outcome.message, "$text-error" if ended.phase is Phase.FAILED else "")
    signs = {finding.check: finding.severity for finding in findings if finding.check in _CHECKS}
    for check, severity in signs.items():
        yield styled(f"{glyphs.severity(severity)} {_CHECKS[check]}", SEVERITY_STYLES[severity])


def _disks(migration: Migration, glyphs: Glyphs, *, wide: bool) -> Iterator[Content]:
    """How long they take, how far each is, and what the guest does to them."""
    if migration.copying and not migration.troubles:
        yield in_signs(f"in sync in {about(migration.seconds)}", glyphs)
    if len(migration.disks) > 1:
        yield from (_disk(disk, glyphs) for disk in migration.disks)
    if not wide and migration.rate is not None:
        yield Content(f"at {rate(migration.rate)}")
    if migration.guest_rate:
        yield styled(f"guest writes {rate(migration.guest_rate)}", DIM)


def _disk(disk: DiskOnTheWay, glyphs: Glyphs) -> Content:
    if disk.in_sync:
        return shown(f"{disk.target} in sync")
    percent = glyphs.empty if disk.percent is None else f"{disk.percent} %"
    return join(shown(disk.target), " ", bar(disk.percent, _SMALL_BAR, glyphs, STYLE), " ", percent)


def farewell(migration: Migration) -> str:
    """What becomes of it when the program is left."""
    name, host, phase = migration.domain, migration.host, migration.phase
    if phase is MigrationPhase.FINISHING:
        return f"{name} has gone over to {host}; R there brings the rest to its end."
    if phase is MigrationPhase.UNDOING:
        return f"{name} stays here; X takes back what is left of its way to {host}."
    back = "it is called back, and X takes back what was made for it."
    if migration.p2p and phase in BEFORE:
        return f"{name} is prepared for {host}: {back} Only if the hosts have begun, they go on without this program."
    if migration.p2p:
        return f"{name} goes on to {host} without this program; R there brings it to its end."
    if phase in (MigrationPhase.POSTCOPY, MigrationPhase.SWITCHING):
        return (
            f"{name} is being switched over to {host}, led by this program: to quit now can lose the guest."
        )
    return f"{name} is on its way to {host}, led by this program: {back}"
