"""Guests that go on where they are when the line is cut by which QEMU sends them to another host."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from tests.engine import PATIENCE, accepted, journal_is_empty, watched
from tests.guests import DiskSpec, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.memory import with_memory
from tests.relay import Relay, by_way_of
from tests.test_migrate_plan import UUID, facts, plan, step
from tests.two_hosts import (
    SLOW,
    as_before,
    copies_disks,
    current_at,
    definitions,
    directory_at,
    migration,
    removed_from,
    sends_memory,
    tree_of_two_branches,
)
from tui.engine.control import End
from tui.engine.errors import HostError
from tui.engine.migrate_trouble import in_words
from tui.model.finding import Acceptance
from tui.model.migrate_request import Transport
from tui.model.migrate_steps import Migrate
from tui.model.migration import MemoryOnTheWay, Migration

DISK = "The copy of vda to host-b broke off, as when the line between the hosts is cut: Input/output error"
MEMORY = (
    "The memory of {name} broke off on its way to host-b, as when the line between the hosts is cut, "
    "a disk cannot be copied, or QEMU ends there: "
)


SAID = {"disks": (DISK,), "memory": (MEMORY,), "its copy": (DISK, MEMORY)}
"""Of a copy that has failed libvirt tells, unless what was sent to the other host ends there before it has."""


@pytest.mark.parametrize(
    ("cut", "p2p"), [("disks", False), ("memory", False), ("memory", True), ("its copy", False)]
)
def test_the_guest_stays_with_its_snapshots(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, *, cut: str, p2p: bool
) -> None:
    """While its disk is copied, its memory is sent, or its memory is sent and its disk follows what it writes."""
    # What it writes once in a second tells QEMU of a line by which nothing else goes any more.
    made = with_memory(guest, 32 * MIB, disks=[DiskSpec(data=16 * MIB if cut == "disks" else MIB)], delay=20)
    tree_of_two_branches(made)
    tree, current = definitions(hypervisor, made), current_at(hypervisor, made)
    there, maps = directory_at(other, made)
    # As one image it takes long enough; as a chain it is there in no time.
    one_image = frozenset({Acceptance.LOSE_SNAPSHOTS}) if cut == "disks" else frozenset[Acceptance]()
    with watched(hypervisor) as host, removed_from(other, made), Relay() as memory, Relay() as disks:
        way = by_way_of(memory, disks, bandwidth=SLOW, p2p=p2p)
        wish = replace(migration(made, other, maps=maps, accepted=one_image), transport=way)
        run = host.run(accepted(host, wish))
        under_way = partial(copies_disks if cut == "disks" else sends_memory, made)
        assert host.wait_for(under_way, timeout=PATIENCE), run.outcome
        (memory if cut == "memory" else disks).cut()
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED, outcome.message
        assert not outcome.cancelled, outcome.message
        assert outcome.message.startswith(tuple(words.format(name=made.name) for words in SAID[cut]))
        assert "migrate again. 5 snapshots are known again, and b is the current one." in outcome.message
        assert journal_is_empty(host)
    as_before(made, hypervisor, other, tree, current)
    assert list(there.iterdir()) == []


JOB = "operation failed: job 'migration out' failed: {}."
CLOSED = """internal error: qemu unexpectedly closed the monitor: 2026-11-22T06:33:25.353360Z qemu-system-x86_64: {}
2026-11-22T06:33:25.353461Z qemu-system-x86_64: load of migration failed: {}."""
FOOTER, SECTION = (
    "check_section_footer: Read section footer failed: -5",
    "error while loading state section id 3(ram)",
)
BEGUN = Migration(UUID, "db01", "host-b", memory=MemoryOnTheWay(100, 50))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (JOB, "Unable to write to socket: Bad file descriptor"),
        (JOB, "Unable to read from socket: Connection reset by peer"),
        (JOB, "Cannot write to TLS channel: Input/output error"),
        (JOB, "Channel error: Input/output error"),
        (CLOSED.format(FOOTER, "Invalid argument"), "Read section footer failed: -5"),
        (CLOSED.format(SECTION, "Input/output error"), "load of migration failed: Input/output error"),
    ],
)
@pytest.mark.parametrize("tls", [False, True])
def test_what_qemu_says_of_a_line_that_breaks(said: str, why: str, *, tls: bool) -> None:
    found = in_words(HostError(said.format(why)), way(tls=tls), BEGUN)
    assert found is not None
    assert found.message == f"{MEMORY.format(name='db01')}{why}."


def test_what_is_none_of_the_line() -> None:
    unlike = CLOSED.format('Unknown ramblock "pc.ram", cannot accept migration', "Invalid argument")
    assert in_words(HostError(unlike), way(tls=True), BEGUN) is None
    error = HostError(JOB.format("Cannot write to TLS channel: Input/output error"))
    refused = in_words(error, way(tls=True), replace(BEGUN, memory=None))
    assert refused is not None
    assert refused.message.startswith("host-b or this host broke TLS off"), "nothing has ever got through"


def way(*, tls: bool) -> Migrate:
    made: Migrate = step(plan(facts(), transport=Transport(tls=tls)), Migrate)
    return made
