"""What goes wrong on a real host, and that nothing is lost or claimed that is not so."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import outside
from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    copy_request,
    end_request,
    job_in,
    journal_is_empty,
    left_in_the_middle,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tui.engine import connection
from tui.engine.connection import Connection
from tui.engine.control import End
from tui.engine.errors import HostError
from tui.engine.present import PRESENT
from tui.lab import images
from tui.model.finding import Acceptance
from tui.model.host import Link
from tui.model.job import Phase
from tui.model.plan import Plan
from tui.model.request import Ending, RecoverRequest, Then
from tui.model.steps import EndJobs

SLOW = 1 * MIB
"""Bytes per second that leave time to do something in mid-copy."""
LONG = DiskSpec(data=16 * MIB)
"""A disk whose copy takes a quarter of a minute at that speed."""
HERE = Path(__file__).parent


@contextmanager
def program(
    guest: Guest, path: Path, then: Then = Then.HOLD, bandwidth: int = 0
) -> Iterator[subprocess.Popen[str]]:
    """Another process that copies vda; yielded once its job runs."""
    words = [sys.executable, str(HERE / "interrupted.py"), guest.hypervisor.uri, guest.uuid, str(path), then]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    process = subprocess.Popen([*words, str(bandwidth)], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("bandwidth", [SLOW, 0], ids=["copying", "in sync"])
def test_killed_and_started_again_it_knows_what_it_made(
    hypervisor: Hypervisor, guest: Guests, bandwidth: int
) -> None:
    vm = guest(disks=[LONG])
    new = vm.directory / "copy.qcow2"
    with program(vm, new, bandwidth=bandwidth) as process:
        if not bandwidth:
            vm.wait_ready()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert vm.mirror() is not None
    with watched(hypervisor) as host:
        job = job_in(host, vm, Phase.COPYING if bandwidth else Phase.IN_SYNC)
        (entry,) = host.state.entries_of(vm.uuid)
        assert job.plan == entry.id
        copy = entry.copy_of("vda")
        assert copy is not None
        assert copy.creates
        carried_out(host, end_request(vm, Ending.CANCEL))
    assert vm.mirror() is None
    assert not new.exists()
    assert "urn:virt-mirror" not in vm.xml() + vm.xml(inactive=True)


def test_killed_in_sync_and_pivoted_by_the_next(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    new = vm.directory / "copy.qcow2"
    with program(vm, new, Then.HOLD):
        vm.wait_ready()
    with watched(hypervisor) as host:
        job_in(host, vm, Phase.IN_SYNC)
        outcome = carried_out(host, end_request(vm, Ending.PIVOT))
        assert len(outcome.findings) == 3
        assert journal_is_empty(host)
    assert vm.source() == str(new)


def test_two_clients_see_the_same_and_one_of_them_acts(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[LONG])
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as one, watched(hypervisor) as two:
        run = one.run(accepted(one, copy_request(vm, new, bandwidth=SLOW)))
        job_in(one, vm, Phase.COPYING)
        seen = job_in(two, vm, Phase.COPYING)
        assert seen.plan == run.plan.id
        assert refusals(two.plan(copy_request(vm, vm.directory / "other.qcow2")))
        carried_out(two, end_request(vm, Ending.CANCEL))
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert job_in(one, vm, Phase.CANCELLED)
    assert vm.mirror() is None
    assert not new.exists()
    assert "urn:virt-mirror" not in vm.xml() + vm.xml(inactive=True)


@pytest.mark.parametrize("kill", [False, True], ids=["restarted", "killed"])
def test_the_daemon_goes_in_mid_copy(hypervisor: Hypervisor, guest: Guests, kill: bool) -> None:  # noqa: FBT001
    vm = guest(disks=[LONG])
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as host:
        run = host.run(accepted(host, copy_request(vm, new, bandwidth=SLOW, then=Then.PIVOT)))
        job_in(host, vm, Phase.COPYING)
        hypervisor.stop_daemon(kill=kill)
        assert host.wait_for(lambda s: True if s.link is Link.LOST else None, timeout=PATIENCE)
        hypervisor.start_daemon()
        assert host.wait_for(lambda s: s.complete or None, timeout=PATIENCE)
        assert job_in(host, vm, Phase.COPYING)
        vm.virsh("blockjob", "vda", "--bandwidth", "0")
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
    assert vm.source() == str(new)


@pytest.mark.parametrize("bandwidth", [SLOW, 0], ids=["copying", "in sync"])
def test_the_guest_is_powered_off(hypervisor: Hypervisor, guest: Guests, bandwidth: int) -> None:
    vm = guest(disks=[LONG])
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as host:
        run = host.run(accepted(host, copy_request(vm, new, bandwidth=bandwidth)))
        job_in(host, vm, Phase.COPYING if bandwidth else Phase.IN_SYNC)
        if not bandwidth:
            run.wait(PATIENCE)
        vm.virsh("destroy")
        job = job_in(host, vm, Phase.FAILED)
        assert str(vm.images()[0]) in (job.remark or "")
        if bandwidth:
            outcome = run.wait(PATIENCE)
            assert outcome is not None
            assert outcome.end is End.FAILED
        else:
            # Held in sync, nobody waited for it: what it left is known and can be removed.
            carried_out(host, end_request(vm, Ending.CANCEL))
    assert vm.source(inactive=True) == str(vm.images()[0])
    assert not new.exists()
    assert "urn:virt-mirror" not in vm.xml()


def test_the_guest_dies_while_its_copy_is_taken_back(
    hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = guest(disks=[LONG])
    new = vm.directory / "copy.qcow2"
    end_job = Connection.end_job

    def too_late(*words: Any, **more: Any) -> None:
        vm.virsh("destroy")
        end_job(*words, **more)

    monkeypatch.setattr(Connection, "end_job", too_late)
    with watched(hypervisor) as host:
        host.run(accepted(host, copy_request(vm, new, bandwidth=SLOW)))
        job_in(host, vm, Phase.COPYING)
        carried_out(host, RecoverRequest(vm.uuid, undo=True))
    assert not new.exists()
    assert "urn:virt-mirror" not in vm.xml()


def test_a_destination_that_fills_up(hypervisor: Hypervisor, guest: Guests, small: Path) -> None:
    vm = guest(disks=[DiskSpec(data=56 * MIB)])
    new = small / "copy.raw"
    with watched(hypervisor) as host:
        request = copy_request(vm, new, image_format="raw")
        assert "space" in refusals(host.plan(request))
        plan = host.plan(request)
        forced = copy_request(vm, new, image_format="raw", accepted=frozenset(_acceptances(plan)))
        outcome = carried_out(host, forced, End.FAILED)
        assert job_in(host, vm, Phase.FAILED)
        assert str(vm.images()[0]) in outcome.message
    assert vm.mirror() is None
    assert vm.state() == "running"
    assert not new.exists()
    assert outside.is_writing(vm.images()[0])


def _acceptances(plan: Plan) -> list[Acceptance]:
    return [f.acceptance for f in plan.findings if f.acceptance is not None]


def test_a_job_of_somebody_else_is_found_and_can_be_steered(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    new = vm.directory / "theirs.qcow2"
    vm.virsh("blockcopy", "vda", "--dest", new, "--transient-job")
    vm.wait_ready()
    with watched(hypervisor) as host:
        job = job_in(host, vm, Phase.IN_SYNC)
        assert job.plan is None
        carried_out(host, end_request(vm, Ending.CANCEL))
    assert vm.mirror() is None
    assert new.exists(), "what somebody else made is not ours to remove"


def test_a_pivot_by_somebody_else_ends_the_held_plan(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as host:
        carried_out(host, copy_request(vm, new))
        vm.virsh("blockjob", "vda", "--pivot")
        assert job_in(host, vm, Phase.DONE)
        assert journal_is_empty(host)
    assert vm.source() == str(new)
    assert new.exists()


def test_a_guest_left_paused_by_a_killed_pivot_goes_on(hypervisor: Hypervisor, guest: Guests) -> None:
    """Killed between suspend and resume: the next start finds the journal and lets the guest go on."""
    vm = guest(disks=[DiskSpec(), DiskSpec()])
    with watched(hypervisor) as host:
        for target in ("vda", "vdb"):
            carried_out(host, copy_request(vm, vm.directory / f"new-{target}", target=target))
        plan = accepted(host, end_request(vm, Ending.PIVOT, "vda", "vdb"))
    left_in_the_middle(vm, plan, EndJobs)
    vm.virsh("suspend")
    with watched(hypervisor) as host:
        outside.wait_for(lambda: vm.state() == "running", what="the guest goes on")
        carried_out(host, end_request(vm, Ending.PIVOT, "vda", "vdb"))
        assert journal_is_empty(host)


def test_a_guest_that_outruns_its_destination_is_paused_for_the_pivot(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(delay=0)
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as host:
        run = host.run(accepted(host, copy_request(vm, new)))
        assert run.wait(PATIENCE)
        # Slower than the guest writes: as it is, the destination never catches up.
        host.connection().set_speed(vm.uuid, "vda", SLOW)
        outcome = host.run(accepted(host, end_request(vm, Ending.PIVOT, pause=True))).wait(2 * PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
    assert vm.source() == str(new)
    assert vm.state() == "running"
    assert outside.is_writing(new)


def test_when_one_of_two_pivots_fails_it_is_said_what_is_where(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec(layers=2)])
    base, top = vm.images("vdb")
    moved_base, moved_top = vm.directory / "moved-base.qcow2", vm.directory / "moved-top.qcow2"
    shutil.copy(base, moved_base)
    images.create_overlay(moved_top, moved_base, "qcow2")
    with watched(hypervisor) as host:
        carried_out(host, copy_request(vm, vm.directory / "new-vda"))
        reuse = copy_request(
            vm, moved_top, target="vdb", image_format="qcow2", shallow=True, reuse_external=True
        )
        carried_out(host, reuse)
        plan = accepted(host, end_request(vm, Ending.PIVOT, "vda", "vdb"))
        # QEMU opens the chain below a shallow copy at the pivot, and will not find it.
        moved_base.rename(vm.directory / "hidden")
        outcome = host.run(plan).wait(2 * PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert f"vda is on {vm.directory / 'new-vda'}" in outcome.message
        assert f"vdb is on {top}" in outcome.message
    assert vm.source("vda") == str(vm.directory / "new-vda")
    assert vm.source("vdb") == str(top)
    assert vm.state() == "running"


def test_a_host_that_falls_silent_is_lost_and_comes_back(
    hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "KEEPALIVE_INTERVAL", 1)
    monkeypatch.setattr(connection, "KEEPALIVE_COUNT", 1)
    vm = guest()
    with watched(hypervisor) as host:
        with hypervisor.frozen():
            lost = host.wait_for(lambda s: s if s.link is Link.LOST else None, timeout=PATIENCE)
            assert lost is not None
            assert "stopped answering" in (lost.error or "")
        assert host.wait_for(lambda s: s.complete or None, timeout=PATIENCE)
        assert host.state.domain(vm.uuid) is not None


def test_a_plan_that_was_looked_at_for_long_is_checked_once_more(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest()
    late = 0.0
    with watched(hypervisor, clock=lambda: time.time() + late) as host:
        plan = accepted(host, copy_request(vm, vm.directory / "copy.qcow2"))
        vm.virsh("snapshot-create-as", "before-upgrade")
        late = PRESENT + 1
        with pytest.raises(HostError, match="before-upgrade"):
            host.run(plan)
        vm.virsh("snapshot-delete", "before-upgrade")
        vm.virsh("suspend")
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        pivot = accepted(host, end_request(vm, Ending.PIVOT))
        vm.virsh("blockjob", "vda", "--abort")
        job_in(host, vm, Phase.CANCELLED)
        late *= 2
        with pytest.raises(HostError, match="no job"):
            host.run(pivot)
    assert not vm.mirror()


def test_a_listing_is_complete_only_with_what_was_being_read_before(
    hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event has a domain read at the very moment at which all are listed."""
    vm = guest()
    reading, let_go = threading.Event(), threading.Event()
    monkeypatch.setattr(Connection, "read", _held(Connection.read, reading, let_go))
    let_go.set()
    with watched(hypervisor) as host:
        for event in (reading, let_go):
            event.clear()
        host.refresh(vm.uuid)
        assert reading.wait(PATIENCE)
        host.refresh()
        # All are asked for, the one that is being read among them; their sizes come last.
        assert host.wait_for(lambda s: True if s.unread == len(s.domains) + 1 else None, timeout=PATIENCE)
        let_go.set()
        assert host.wait_for(lambda s: s.complete or None, timeout=PATIENCE)


def _held(call: Callable[..., Any], begun: threading.Event, let_go: threading.Event) -> Callable[..., Any]:
    """A call that says when it begins, and waits."""

    def called(*given: Any) -> Any:
        begun.set()
        let_go.wait(PATIENCE)
        return call(*given)

    return called
