"""Looking at a host for what is left over: more calls than a tick may cost, made when somebody asks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tui.engine import journal
from tui.engine.errors import HostError, NoConnection
from tui.engine.hierarchy_facts import view_of
from tui.engine.history import History
from tui.engine.look import snapshots_of, unless_refused, with_chains
from tui.engine.own_files import FileTrouble
from tui.engine.room import taken
from tui.model import xml
from tui.model.definition import parse_domain
from tui.model.doctor import DoctorFacts, LeftImages, PutAway, Volume, examine
from tui.model.domain import Definition, Domain
from tui.model.finding import Finding
from tui.model.hierarchy import SnapshotView
from tui.model.host import HostState
from tui.model.quarantine import parse_note
from tui.model.storage_pool import POOLS_OF_FILES

if TYPE_CHECKING:
    from tui.engine.connection import Connection
    from tui.engine.files import Files


_WRITTEN_OUT = 5.0
"""Seconds after a plan within which what it left may still be written to."""


def diagnose(
    connection: Connection,
    state: HostState,
    uuid: str | None,
    *,
    local: bool,
    files: Files | None,
    now: float,
    history: History | None = None,
) -> tuple[Finding, ...]:
    """Examine a domain, or the whole host.

    Args:
        connection: to the host.
        state: as it was last seen.
        uuid: of the one domain that is meant; ``None`` is the whole host.
        local: whether the host is this machine.
        files: where the images lie, if they can be reached.
        now: wall clock, seconds since the epoch.
        history: what knows of plans that have left something there.

    Raises:
        NoConnection: when the host went away meanwhile.
    """
    chosen = [domain for domain in state.domains if uuid in (None, domain.uuid)]
    if local:
        state = replace(state, domains=tuple(map(with_chains, state.domains)))
    persistent: dict[str, Definition] = {}
    problems: dict[str, tuple[str, ...]] = {}
    views: list[SnapshotView] = []
    left = tuple(_left(history, state)) if local and history else ()
    needed = set[str]()
    for domain in chosen:
        problems[domain.uuid] = journal.read(domain.definition.plans, domain.uuid)[1]
    # Whether an image is needed any domain may say.
    for domain in state.domains if left else chosen:
        snapshots = snapshots_of(connection, domain)
        needed.update(*(snapshot.files for snapshot in snapshots or ()))
        if snapshots and domain in chosen:
            view = unless_refused(lambda u=domain.uuid: view_of(u, connection, state, now, files))  # type: ignore[misc]
            views += [view] if view is not None else []
        left = left if snapshots is not None else ()
        if domain.state.active and domain.persistent:
            text = unless_refused(lambda u=domain.uuid: connection.inactive_xml(u))  # type: ignore[misc]
            if text is not None:
                persistent[domain.uuid] = parse_domain(text)
    volumes = _volumes(connection) if uuid is None else ()
    put_away = tuple(kept for domain in chosen for kept in _put_away(domain, local=local))
    missing: frozenset[str] = frozenset()
    # A host whose files nobody reaches is examined all the same.
    with suppress(HostError):
        chains = frozenset[str]().union(*(domain.chain_paths for domain in chosen))
        missing = files.missing(sorted(chains)) if files is not None else missing
    facts = DoctorFacts(
        state,
        uuid,
        persistent,
        problems,
        volumes,
        frozenset(needed),
        put_away,
        missing,
        tuple(views),
        now,
        left,
    )
    return examine(facts)


def _left(history: History, state: HostState) -> Iterator[LeftImages]:
    """What plans on this host have left, as far as it is there and nobody has written to it since."""
    try:
        records = history.read().records
    except FileTrouble:
        # Whoever opens the history is told.
        return
    seen = set[str]()
    for record in reversed(records):
        if record.uri != state.uri:
            continue
        images = []
        for path in record.left:
            if path in seen:
                continue
            seen.add(path)
            with suppress(OSError):
                status = os.stat(path, follow_symlinks=False)  # noqa: PTH116  a path of a record
                # Another image may have the name by now.
                if stat.S_ISREG(status.st_mode) and status.st_mtime <= record.ended + _WRITTEN_OUT:
                    images.append((path, taken(status)))
        if images:
            yield LeftImages(
                record.uuid, record.domain, record.plan, record.title, record.ended, tuple(images)
            )


def _put_away(domain: Domain, *, local: bool) -> Iterator[PutAway]:
    """What the domain's notes say of old images, and what is really there."""
    for text in domain.definition.quarantines:
        try:
            kept = parse_note(text)
        except xml.InvalidXML:
            continue
        for directory in kept.directories:
            if not local:
                yield PutAway(domain.uuid, kept.mark, directory, kept.since)
                continue
            try:
                found = list(os.scandir(directory))
                amount = sum(taken(file.stat(follow_symlinks=False)) for file in found)
            except FileNotFoundError:
                continue
            except OSError:
                yield PutAway(domain.uuid, kept.mark, directory, kept.since)
                continue
            yield PutAway(
                domain.uuid, kept.mark, directory, kept.since, tuple(file.name for file in found), amount
            )


def _volumes(connection: Connection) -> tuple[Volume, ...]:
    """The images that pools list; a pool that cannot be asked has none to show."""
    volumes: list[Volume] = []
    try:
        for pool in connection.pools():
            if pool.type in POOLS_OF_FILES and pool.name:
                volumes += [Volume(path, pool.name, taken) for path, taken in connection.volumes(pool.name)]
    except NoConnection:
        raise
    except HostError:
        return tuple(volumes)
    return tuple(volumes)
