"""Writing plans in progress into the domain that they are about."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable
from dataclasses import replace

from tui.engine.connection import Connection, Reading
from tui.model.domain import Domain
from tui.model.journal import Entry, entry_xml, namespace, parse_entry
from tui.model.xml import InvalidXML


def owner() -> str:
    """How this process signs its plans."""
    return f"{getpass.getuser()}@{socket.gethostname()}:{os.getpid()}"


def write(connection: Connection, domain: Domain, entry: Entry) -> None:
    """Put an entry into the live metadata and, for a persistent domain, into the definition as well.

    Raises:
        HostError: when the domain does not take it; a plan must not go on without its journal.
    """
    write_note(connection, domain, namespace(entry.id), entry_xml(entry))


def write_note(connection: Connection, domain: Domain, space: str, note: str) -> None:
    """Put an element of a namespace into the same places; those of other namespaces than a plan's outlive it."""
    connection.set_metadata(domain.uuid, space, note, config=domain.persistent, live=domain.state.active)


def remove(connection: Connection, domain: Domain | Reading, plan_id: str) -> None:
    """Take an entry out; one that is not there is fine."""
    remove_note(connection, domain, namespace(plan_id))


def remove_note(connection: Connection, domain: Domain | Reading, space: str) -> None:
    """Take the element of a namespace out of the metadata."""
    # One call for each side: a domain that was restarted may have the entry in its definition alone, and
    # libvirt refuses the pair when either side lacks it.
    if domain.state.active:
        connection.set_metadata(domain.uuid, space, None, config=False, live=True)
    if domain.persistent:
        connection.set_metadata(domain.uuid, space, None, config=True, live=False)


def seen(reading: Reading, connection: Connection) -> tuple[Domain, tuple[Entry, ...], tuple[str, ...]]:
    """The domain of a look, the entries of its journal, and a sentence for each that cannot be read.

    Raises:
        InvalidXML: when its definition cannot be read.
        HostError: when the host does not say who it is, which shows whether a domain goes or comes.
    """
    domain = reading.domain
    entries, problems = read(domain.definition.plans, domain.uuid)
    if entries and (reading.on_the_way or reading.fetching):
        # A guest that comes and one that is switched over to another host stand still for the same reason.
        origins = (entry.brings_from(connection.host_uuid()) for entry in entries)
        domain = replace(domain, arriving_from=next(filter(None, origins), None))
    return domain, entries, problems


def read(plans: Iterable[str], uuid: str) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """The entries of a domain, and a sentence for each that cannot be read.

    Who has ended on this machine is known to be gone at once: his entries come without a heartbeat.
    """
    entries: list[Entry] = []
    problems: list[str] = []
    for plan in plans:
        try:
            entry = parse_entry(plan, uuid)
            heartbeat = 0.0 if _ended(entry.owner) else entry.heartbeat
            entries.append(replace(entry, heartbeat=heartbeat, here=entry.owner == owner()))
        except InvalidXML as error:
            problems.append(str(error))
    return tuple(entries), tuple(problems)


def _ended(other: str) -> bool:
    """Whether an owner was a process of this machine and user that is no more."""
    here, _, process = owner().rpartition(":")
    there, _, number = other.rpartition(":")
    if there != here or number == process or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        # It runs, as somebody else: the number was given anew, and the heartbeat will tell.
        return False
    return False
