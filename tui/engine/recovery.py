"""What is put right by itself when a journal is found whose owner is gone.

Only what nobody can want otherwise: a guest that was to stand still for an instant goes on, file systems that
were frozen for one are thawed, and an entry that has nothing left to tell is removed. All else waits for the user,
who finds the job or its leftovers on the screen.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tui.engine import journal
from tui.engine.control import Level
from tui.engine.migrate_steps import release
from tui.engine.quiescing import thaw
from tui.model.begin_steps import StartCopy
from tui.model.command import virsh
from tui.model.domain import Domain, RunState
from tui.model.hierarchy_steps import DefineSnapshots, DeleteSnapshots
from tui.model.host import HostState
from tui.model.journal import Entry
from tui.model.migrate_steps import Migrate
from tui.model.quarantine import namespace, parse_note
from tui.model.xml import InvalidXML

if TYPE_CHECKING:
    from tui.engine.host import Host


def recover(host: Host, domain: Domain, entries: tuple[Entry, ...], released: set[str]) -> None:
    """Put right what can be.

    Args:
        host: where.
        domain: the domain.
        entries: what is written in it of plans that are not this process's.
        released: the plans whose guest was let go already, added to here: who stops it after that means it.

    Raises:
        HostError: when the host refuses.
    """
    for entry in entries:
        if not entry.stale(host.clock()) or host.state.under_way(entry.uuid):
            continue
        if entry.id not in released:
            _release(host, domain, entry)
            released.add(entry.id)
        if _says_nothing_more(entry, domain, host.state, local=host.local):
            journal.remove(host.connection(), domain, entry.id)


def _release(host: Host, domain: Domain, entry: Entry) -> None:
    """Let a guest go on that the step which was cut off had stand still."""
    if entry.pauses and domain.state is RunState.PAUSED:
        host.connection().resume(domain.uuid)
        host.log(
            f"{domain.name} was left paused by “{entry.title}” of {entry.owner}, and goes on now.",
            Level.WARNING,
            commands=(virsh("resume", domain.name),),
            domain=domain.name,
        )
    if isinstance(entry.step, Migrate) and domain.state is RunState.PAUSED:
        release(entry.step, host)
    if entry.freezes and domain.state.active:
        thaw(host, domain.uuid, domain.name)


def forget_quarantines(host: Host, domain: Domain) -> None:
    """Take out the notes on old images that are not where they were put any more.

    Raises:
        HostError: when the host refuses.
    """
    for text in domain.definition.quarantines if host.local else ():
        try:
            kept = parse_note(text)
        except InvalidXML:
            # Another version's, which may know more.
            continue
        if not any(os.path.lexists(directory) for directory in kept.directories):
            journal.remove_note(host.connection(), domain, namespace(kept.mark))


def _says_nothing_more(entry: Entry, domain: Domain, state: HostState, *, local: bool) -> bool:
    """Whether no mirror and no file is left that only this entry explains."""
    jobs = [state.job(domain.uuid, begin.target) for begin in entry.begins]
    if any(job is not None and not job.phase.ended for job in jobs):
        return False
    if isinstance(entry.step, DefineSnapshots):
        # Some of them are there, and it is the user's to have the others or none.
        return False
    if any(isinstance(step, DeleteSnapshots) for step in entry.steps[entry.reached :]):
        # The snapshot is still listed, and what was merged may have been its state.
        return False
    if entry.snapshot is not None or (entry.moves and entry.reached < len(entry.steps)):
        # What is left of a move is for the user to go on with or to take back; a snapshot is in libvirt's list.
        return False
    if entry.serving is not None:
        # The image is at another host, where nothing else tells of it.
        return False
    return all(_explained(entry, copy, domain, local=local) for copy in entry.copies)


def _explained(entry: Entry, copy: StartCopy, domain: Domain, *, local: bool) -> bool:
    """Whether the destination of a copy is in use, was there before, or is gone."""
    reused = not copy.creates and not entry.moves
    return domain.is_on(copy.target, copy.path) or reused or (local and not os.path.lexists(copy.path))
