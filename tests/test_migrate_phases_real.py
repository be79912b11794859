"""A guest goes to another host with its snapshots: what is shown of that, from the first step to the last."""

from __future__ import annotations

import pytest

from tests.engine import PATIENCE, accepted, journal_is_empty, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.two_hosts import (
    SLOW,
    as_before,
    current_at,
    definitions,
    directory_at,
    migration,
    removed_from,
    state_at,
    tree_of_two_branches,
)
from tui.engine.control import End
from tui.engine.host import Host
from tui.model.finding import Acceptance
from tui.model.host import HostState
from tui.model.migration import MigrationPhase

ORDER = list(MigrationPhase)


class Rows:
    """What the pictures of a host have of a guest on its way, and when they have nothing."""

    def __init__(self, host: Host, guest: Guest) -> None:
        self.seen: list[tuple[MigrationPhase, str] | None] = []
        self._uuid = guest.uuid
        self.stop = host.subscribe(self._look, lambda _line: None)

    def _look(self, state: HostState) -> None:
        found = state.migrations.get(self._uuid)
        row = (found.phase, found.doing) if found else None
        if row != (self.seen[-1] if self.seen else None):
            self.seen.append(row)

    @property
    def phases(self) -> list[MigrationPhase]:
        """Each once, in the order in which they came."""
        return list(dict.fromkeys(row[0] for row in self.seen if row))


def test_it_is_shown_from_the_first_step_to_the_last(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = guest()
    tree_of_two_branches(made)
    with watched(hypervisor) as host, removed_from(other, made):
        rows = Rows(host, made)
        outcome = host.run(accepted(host, migration(made, other, unsafe=True))).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        rows.stop()
        assert rows.seen[0] == (MigrationPhase.PREPARING, "its snapshots are set aside")
        assert rows.seen[1] == (MigrationPhase.PREPARING, "the hosts agree")
        assert rows.seen[-4:] == [
            (MigrationPhase.FINISHING, "it is looked for there"),
            (MigrationPhase.FINISHING, "its snapshots become known there"),
            (MigrationPhase.FINISHING, "its arrival is proved"),
            None,
        ]
        assert rows.seen.count(None) == 1, "it was there all the time"
        assert rows.phases == sorted(rows.phases, key=ORDER.index)
        assert host.state.migrations == {}


def test_disks_come_before_memory(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(data=8 * MIB)])
    _there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        rows = Rows(host, made)
        outcome = host.run(accepted(host, migration(made, other, maps=maps, bandwidth=SLOW))).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        rows.stop()
        assert rows.seen[0] == (MigrationPhase.PREPARING, "its images are made there")
        assert {MigrationPhase.DISKS, MigrationPhase.FINISHING} <= set(rows.phases)
        assert rows.phases == sorted(rows.phases, key=ORDER.index)


@pytest.mark.parametrize("doing", ["its images are made there", "its snapshots are set aside"])
def test_called_back_before_the_hosts_talk(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, doing: str
) -> None:
    """Each step but the guest's own is stopped by the plan: libvirt has nothing to abort yet."""
    made = guest()
    tree_of_two_branches(made)
    tree, current = definitions(hypervisor, made), current_at(hypervisor, made)
    there, maps = directory_at(other, made)
    lose = frozenset({Acceptance.LOSE_SNAPSHOTS})
    with watched(hypervisor) as host, removed_from(other, made):
        rows = Rows(host, made)

        def call_back(state: HostState) -> None:
            found = state.migrations.get(made.uuid)
            if found is not None and found.doing == doing:
                host.call_back(made.uuid)

        stop = host.subscribe(call_back, lambda _line: None)
        outcome = host.run(accepted(host, migration(made, other, maps=maps, accepted=lose))).wait(PATIENCE)
        stop()
        rows.stop()
        assert outcome is not None
        assert outcome.cancelled, outcome.message
        assert rows.phases == [MigrationPhase.PREPARING, MigrationPhase.UNDOING]
        assert rows.seen[-1] is None
        assert (MigrationPhase.PREPARING, "the hosts agree") not in rows.seen
        assert journal_is_empty(host)
    assert state_at(other, made) is None
    as_before(made, hypervisor, other, tree, current)
    assert list(there.iterdir()) == []
