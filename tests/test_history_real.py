"""What is kept of plans that have ended on a real host, however they did."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    copy_request,
    end_request,
    job_in,
    journal_is_empty,
    log_of,
    watched,
)
from tests.guests import DiskSpec, Guests
from tests.hypervisor import MIB, Hypervisor
from tui.engine.control import End, Level
from tui.engine.history import History
from tui.engine.host import Host
from tui.model.history import Record, Result
from tui.model.job import Phase
from tui.model.methods import Method, Wish
from tui.model.request import Ending, LiveSnapshotRequest, RecoverRequest, Then

SLOW = 1 * MIB
LONG = DiskSpec(data=16 * MIB)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """An empty one."""
    return History(tmp_path / "history.jsonl")


def last(host: Host) -> Record:
    """What ended last."""
    assert host.history
    return host.history.read().records[-1]


def test_a_copy_and_its_pivot(hypervisor: Hypervisor, guest: Guests, history: History) -> None:
    vm = guest()
    with watched(hypervisor, history=history) as host:
        before = host.clock()
        carried_out(host, copy_request(vm, vm.directory / "new.qcow2"))
        held = last(host)
        assert (held.kind, held.result, held.reached) == ("copy", Result.DONE, len(held.steps))
        assert held.remark == "in sync, and held so until you decide."
        assert (held.domain, held.uuid) == (vm.name, vm.uuid)
        assert (held.uri, held.hostname) == (host.state.uri, "host-a")
        assert held.title == f"Mirror vda of {vm.name}"
        assert held.steps[0] == f"Mirror vda of {vm.name} to {vm.directory / 'new.qcow2'}"
        assert before <= held.begun <= held.ended <= host.clock()
        seen = host.wait_for(lambda s: s.entries_of(vm.uuid) or None, timeout=PATIENCE)
        assert seen is not None
        (entry,) = seen
        assert (held.plan, held.owner) == (entry.id, entry.owner)
        carried_out(host, end_request(vm, Ending.PIVOT, pause=True))
        pivoted = last(host)
        assert (pivoted.kind, pivoted.result, pivoted.remark) == ("pivot", Result.DONE, "")
        assert pivoted.figures.still_seconds
        assert 0 < pivoted.figures.still_seconds < PATIENCE
        assert len(history.read().records) == 2


def test_one_that_is_cancelled_and_one_that_fails(
    hypervisor: Hypervisor, guest: Guests, history: History
) -> None:
    vm = guest(disks=[LONG])
    with watched(hypervisor, history=history) as host:
        slow = copy_request(vm, vm.directory / "new.qcow2", bandwidth=SLOW, then=Then.PIVOT)
        run = host.run(accepted(host, slow))
        host.wait_for(
            lambda s: True if (j := s.job(vm.uuid, "vda")) and j.samples else None, timeout=PATIENCE
        )
        carried_out(host, end_request(vm, Ending.CANCEL))
        assert run.wait(PATIENCE)
        cancelled = {record.kind: record for record in history.read().records}
        assert cancelled["cancel"].result is Result.DONE
        assert cancelled["copy"].result is Result.CANCELLED
        assert cancelled["copy"].progress == f"step 2 of {len(run.plan.steps)}"
        assert cancelled["copy"].figures.disks
        late = copy_request(vm, vm.directory / "late.qcow2", bandwidth=SLOW, timeout=0.1)
        outcome = carried_out(host, late, End.FAILED)
        assert (last(host).result, last(host).message) == (Result.FAILED, outcome.message)


def test_one_that_is_left_and_taken_back(hypervisor: Hypervisor, guest: Guests, history: History) -> None:
    vm = guest(disks=[LONG])
    with watched(hypervisor, history=history) as host:
        slow = copy_request(vm, vm.directory / "new.qcow2", bandwidth=SLOW, then=Then.PIVOT)
        plan = accepted(host, slow)
        host.run(plan)
        job_in(host, vm, Phase.COPYING)
    # It is kept before the program may end.
    (left,) = history.read().records
    assert (left.plan, left.result, left.reached) == (plan.id, Result.LEFT, 1)
    with watched(hypervisor, history=history) as host:
        carried_out(host, RecoverRequest(vm.uuid, undo=True))
        undone = last(host)
        assert (undone.plan, undone.kind, undone.result) == (plan.id, "undo", Result.TAKEN_BACK)
        assert undone.title == f"Undo “{plan.title}”"
        assert journal_is_empty(host)


def test_how_long_a_guest_stood_still_for_a_snapshot(
    hypervisor: Hypervisor, guest: Guests, history: History
) -> None:
    vm = guest()
    with watched(hypervisor, history=history) as host:
        wish = LiveSnapshotRequest(vm.uuid, "s1", memory=str(vm.directory / "memory"), pause=True)
        carried_out(host, wish)
        still = last(host).figures.still_seconds
        assert still is not None
        assert 0 < still < PATIENCE


def test_how_long_a_guest_stood_still_for_a_snapshot_that_failed(
    hypervisor: Hypervisor, guest: Guests, history: History
) -> None:
    vm = guest()
    with watched(hypervisor, history=history) as host:
        by_hand = (Wish("vda", Method.MANUAL),)
        wish = LiveSnapshotRequest(vm.uuid, "s1", disks=by_hand, command="exit 3", pause=True)
        carried_out(host, wish, End.FAILED)
        failed = last(host)
        assert failed.result is Result.FAILED
        assert failed.figures.still_seconds is not None
        assert 0 < failed.figures.still_seconds < PATIENCE


def test_where_nothing_can_be_kept_a_plan_ends_as_ever(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path
) -> None:
    vm = guest()
    (tmp_path / "file").touch()
    with watched(hypervisor, history=History(tmp_path / "file" / "history.jsonl")) as host:
        lines = log_of(host)
        carried_out(host, copy_request(vm, vm.directory / "new.qcow2"))
        carried_out(host, end_request(vm, Ending.CANCEL))
        said = [line.text for line in lines if line.level is Level.WARNING]
        assert len(said) == 1
        assert said[0].startswith("What ends is not kept in the history")
