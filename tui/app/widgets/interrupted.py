"""A plan that nobody carries on any more, as the list of jobs shows it where no job of its own tells of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from textual.content import Content

from tui.app.commands import BY_ID
from tui.app.glyphs import DIM
from tui.app.rows import DiskKey
from tui.app.text import join, shown, styled
from tui.app.verbs import ways_on
from tui.app.widgets.job_words import short
from tui.model.journal import Entry

BUTTONS = {command: BY_ID[command].title for command in ("resume", "undo")}
"""Ids of the commands that have buttons, and what they are called."""
STYLE = "$text-warning"


@dataclass(frozen=True, slots=True)
class InterruptedRow:
    """A plan and the host on which it was cut off."""

    number: int
    """Which of the connected hosts."""
    host: str
    domain: str
    plan: Entry
    barred: Mapping[str, str] = field(default_factory=dict)
    """What cannot be done with it, resume or undo, and why."""

    @property
    def disk(self) -> DiskKey:
        """The disk that it is about; where it is about several or none, no disk of the domain is meant."""
        targets = self.plan.targets
        return (self.number, self.plan.uuid, next(iter(targets)) if len(targets) == 1 else "")

    @property
    def key(self) -> tuple[int, str, str]:
        """This very plan."""
        return (self.number, self.plan.uuid, self.plan.id)

    @property
    def sentence(self) -> str:
        """What it is and what can be done with it."""
        ways = ways_on(self.barred).removesuffix(".")
        return f"{self.domain}: “{self.plan.title}” was interrupted at {self.plan.progress}: {ways}."


def name(row: InterruptedRow, width: int | None = None) -> Content:
    """What it is about."""
    target = shown(row.disk[2], width=12)
    room = None if width is None else width - target.cell_length - 1
    return join(shown(row.domain, "bold", width=room), " ", target)


def place(plan: Entry) -> str:
    """Where it was cut off, as ``at step 5 of 9, copy 2 layers``."""
    return f"at {plan.progress}" + (f", {short(plan.step)}" if plan.step else "")


def words(row: InterruptedRow) -> Iterator[Content]:
    """What it is, what can be done with it, and whose it was."""
    plan = row.plan
    yield shown(plan.title)
    yield shown(ways_on(row.barred), STYLE)
    since = time.strftime("%H:%M", time.localtime(plan.started))
    yield join(styled("begun ", DIM), styled(since, DIM), styled(" by ", DIM), shown(plan.who, DIM, width=30))
