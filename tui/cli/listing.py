"""``list`` and ``jobs``: what is there now."""

from __future__ import annotations

from tui.cli.commands import JobsCommand, ListCommand
from tui.cli.describing import (
    bar,
    glyphs,
    host_lines,
    interrupted_words,
    job_name,
    job_words,
    migration_words,
)
from tui.cli.documents import (
    Document,
    host_document,
    interrupted_document,
    job_document,
    migration_document,
)
from tui.cli.errors import DONE, UNREACHED
from tui.cli.hosts import Fleet, Follower, find_domain
from tui.cli.output import Output
from tui.cli.progress import Row, Way, progress
from tui.engine.control import Control
from tui.model.abandoned import abandoned
from tui.model.domain import Domain
from tui.model.host import HostState
from tui.model.journal import Entry
from tui.model.on_the_way import led_elsewhere

PATIENCE = 3.0
"""Seconds that a look waits for what a host is slow to say."""


def show_domains(command: ListCommand, fleet: Fleet, output: Output) -> int:
    """List domains; an unreachable host among several is told, and is the exit status."""
    if command.domain is None:
        chosen = [(control, _looked_at(control, control.state.domains)) for control in fleet.live]
    else:
        control, domain = find_domain(fleet, command.domain)
        chosen = [(control, _looked_at(control, (domain,)))]
    await_progress(fleet)
    if command.json:
        output.document({"hosts": [host_document(c.state, domains) for c, domains in chosen]})
    else:
        draw = glyphs(ascii_only=output.ascii_only)
        for number, (control, domains) in enumerate(chosen):
            if number:
                output.say()
            for line in host_lines(control.state, domains, draw):
                output.say(line)
    return _with_complaints(fleet, output)


def _looked_at(control: Control, domains: tuple[Domain, ...]) -> list[Domain]:
    """The domains, those that are off read once more by themselves, which follows their chains."""
    with Follower(control) as follower:
        waiting = {d.uuid: d for d in domains if not d.state.active}
        for uuid in waiting:
            control.refresh(uuid)
        while any(control.state.domain(uuid) is before for uuid, before in waiting.items()):
            if not follower.wait(PATIENCE):
                break
    state = control.state
    return [now for d in domains if (now := state.domain(d.uuid))]


def show_jobs(command: JobsCommand, fleet: Fleet, output: Output) -> int:
    """List jobs, once or at every change."""
    if command.watch:
        return _watch(fleet, output, json=command.json)
    await_progress(fleet)
    rows, ways = _rows(fleet), _ways(fleet)
    if command.json:
        output.document(
            {
                "jobs": [job_document(state, job) for state, job in rows],
                "migrations": [migration_document(state, migration) for state, migration in ways],
                "interrupted": [
                    interrupted_document(control, entry) for control, entry in _interrupted(fleet)
                ],
            }
        )
    else:
        draw, several = glyphs(ascii_only=output.ascii_only), len(fleet.live) > 1
        for state, migration in ways:
            output.say(migration_words(state, migration, draw, several_hosts=several))
        for state, job in rows:
            name = job_name(state, job, several_hosts=several)
            output.say(f"{name}  {bar(state, job, draw)}  {job_words(state, job, draw)}")
        if not rows and not ways:
            output.say("No jobs.")
        for control, entry in _interrupted(fleet):
            output.say(interrupted_words(control, entry, several_hosts=several))
    return _with_complaints(fleet, output)


def _watch(fleet: Fleet, output: Output, *, json: bool) -> int:
    """Show every change until interrupted, or until nobody reads any more."""
    told: dict[tuple[str, int | str], Document] = {}
    with Follower(*fleet.live) as follower, progress(output, several_hosts=len(fleet.live) > 1) as shown:
        while not output.broken:
            if json:
                documents: dict[tuple[str, int | str], Document] = {
                    (state.uri, job.number): job_document(state, job) for state, job in _rows(fleet)
                }
                for state, migration in _ways(fleet):
                    documents[state.uri, migration.uuid] = migration_document(state, migration)
                for key, document in documents.items():
                    if told.get(key) != document:
                        told[key] = document
                        output.document(document, indent=None)
            else:
                shown.show(_rows(fleet), _ways(fleet))
            follower.wait()
    return DONE


def _rows(fleet: Fleet) -> list[Row]:
    return [(state, job) for state in (c.state for c in fleet.live) for job in state.jobs]


def _ways(fleet: Fleet) -> list[Way]:
    return [(c.state, migration) for c in fleet.live for migration in c.state.migrations.values()]


def _interrupted(fleet: Fleet) -> list[tuple[Control, Entry]]:
    return [(control, entry) for control in fleet.live for entry in abandoned(control.state)]


def await_progress(fleet: Fleet) -> None:
    """Give running jobs, and migrations that other programs lead, a moment to say how far they are."""
    with Follower(*fleet.live) as follower:
        while any(_awaits(control.state) for control in fleet.live):
            if not follower.wait(PATIENCE):
                return


def _awaits(state: HostState) -> bool:
    silent = any(job.progress is None for job in state.active_jobs)
    return silent or any(uuid not in state.migrations for uuid in led_elsewhere(state, frozenset()))


def _with_complaints(fleet: Fleet, output: Output) -> int:
    for complaint in fleet.complaints():
        output.complain(complaint)
    return UNREACHED if fleet.dead else DONE
