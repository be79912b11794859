"""What the checks before the end of a job refuse, a real host refuses as well, or does harm with."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.guests import DiskSpec
from tests.hypervisor import MIB
from tests.outside import images_equal, virtual_size
from tui.engine.errors import HostError
from tui.model.job import JobEvent
from tui.model.journal import Entry, entry_xml, namespace
from tui.model.plan import Plan
from tui.model.request import Ending, SpeedRequest
from tui.model.steps import EndJobs, RemoveDestination
from tui.model.storage import (
    Chain,
    Layer,
    NetworkHost,
    NetworkSource,
)

if TYPE_CHECKING:
    from tests.conftest import MakeNbd, MakePool
    from tests.guests import Guest, Guests
from tests.preflight import (
    BLOCK_COPY_ACTIVE,
    INVALID_ARG,
    OPERATION_INVALID,
    Bench,
    file,
    idle,
    refusals,
    warnings,
)

# Ending it


def test_end_of_a_job(bench: Bench, guest: Guests) -> None:
    made = idle(guest, DiskSpec(data=32 * MIB))
    path = made.directory / "copy"
    for ending in (Ending.PIVOT, Ending.CANCEL):
        assert refusals(bench.end(made, ending, "vda")) == {"no-job"}
    for pivot in (True, False):
        with pytest.raises(HostError) as refusal:
            bench.connection.end_job(made.uuid, "vda", pivot=pivot)
        assert refusal.value.code == INVALID_ARG
    assert bench.start(bench.plan(made, path, bandwidth=MIB)) == 0
    assert refusals(bench.end(made, Ending.PIVOT, "vda")) == {"not-in-sync"}
    with pytest.raises(HostError) as refusal:
        bench.connection.end_job(made.uuid, "vda", pivot=True)
    assert refusal.value.code == BLOCK_COPY_ACTIVE
    # Kept before it is in sync, a copy is of no use.
    assert refusals(bench.end(made, Ending.KEEP, "vda")) == {"not-in-sync"}
    bench.connection.end_job(made.uuid, "vda", pivot=False)
    bench.heard(JobEvent.CANCELED)
    assert not images_equal(made.images()[0], path)


def test_end_of_a_job_that_is_in_sync(bench: Bench, guest: Guests) -> None:
    made = guest()
    assert bench.start(bench.plan(made, made.directory / "copy")) == 0
    made.wait_ready()
    for ending in Ending:
        end = bench.end(made, ending)
        assert not end.refused
        assert isinstance(end.steps[0], EndJobs)
        assert end.steps[0].targets == ("vda",)
        assert "foreign-job" in warnings(end)
        assert not any(isinstance(step, RemoveDestination) for step in end.steps)


def test_end_of_a_job_that_is_ending(bench: Bench, guest: Guests, nbd_server: MakeNbd) -> None:
    """A destination that does not answer keeps a mirror from ending; a second request is refused."""
    # A write under way to such a destination would stop the whole of QEMU.
    made, server = idle(guest), nbd_server()
    host = NetworkHost(transport="unix", socket=str(server.socket))
    place = Chain((Layer(NetworkSource("nbd", server.export, (host,)), "raw"),), complete=False)
    assert bench.start(bench.plan(made, place, reuse_external=True)) == 0
    made.wait_ready()
    stopped = int(server.image.with_suffix(".pid").read_text())
    os.kill(stopped, signal.SIGSTOP)
    try:
        bench.connection.end_job(made.uuid, "vda", pivot=True)
        assert refusals(bench.end(made, Ending.PIVOT, "vda")) == {"already-ending"}
        assert refusals(bench.end(made, Ending.CANCEL, "vda")) == {"ending-otherwise"}
        assert not bench.end(made, Ending.PIVOT, "vda", pause=True).refused
        for pivot in (True, False):
            with pytest.raises(HostError) as refusal:
                bench.connection.end_job(made.uuid, "vda", pivot=pivot)
            assert refusal.value.code == OPERATION_INVALID
    finally:
        os.kill(stopped, signal.SIGCONT)
    bench.heard(JobEvent.COMPLETED)


def test_speed_of_no_job(bench: Bench, guest: Guests) -> None:
    made = guest()
    assert refusals(bench.make(SpeedRequest(made.uuid, "vda", MIB))) == {"no-job"}
    with pytest.raises(HostError) as refusal:
        bench.connection.set_speed(made.uuid, "vda", MIB)
    assert refusal.value.code == INVALID_ARG


def journal(bench: Bench, guest: Guest, copy: Plan) -> None:
    """Write a plan into the domain as its run does, and be gone."""
    entry = Entry("gone", guest.uuid, copy.title, copy.steps, 0, "root@host-b:1", time.time(), 0.0)
    bench.connection.set_metadata(guest.uuid, namespace("gone"), entry_xml(entry), config=True, live=True)


def test_cancel_removes_what_libvirt_made(bench: Bench, guest: Guests) -> None:
    made = guest()
    path = made.directory / "copy"
    copy = bench.plan(made, path)
    journal(bench, made, copy)
    left_over = bench.plan(made, made.directory / "other")
    assert refusals(left_over) == {"plan-left-over"}
    assert refusals(bench.plan(made, path)) == {"plan-left-over", "destination-in-use"}
    assert bench.start(copy) == 0
    cancel = bench.end(made, Ending.CANCEL, "vda")
    assert [type(step) for step in cancel.steps] == [EndJobs, RemoveDestination]
    assert cancel.closes == ("gone",)
    made.virsh("destroy")
    off = bench.end(made, Ending.CANCEL)
    assert [type(step) for step in off.steps] == [RemoveDestination]
    assert off.closes == ("gone",)


@pytest.mark.parametrize("snapshot", [False, True])
def test_cancel_leaves_what_the_guest_uses(bench: Bench, guest: Guests, snapshot: bool) -> None:  # noqa: FBT001
    """Also under a further layer, of which the definition of a guest that is off says nothing."""
    made = guest()
    path = made.directory / "copy"
    copy = bench.plan(made, path)
    journal(bench, made, copy)
    assert bench.start(copy) == 0
    bench.finish(made, pivot=True)
    if snapshot:
        layer = made.directory / "layer"
        made.virsh(
            "snapshot-create-as", "one", "--disk-only", "--no-metadata", "--diskspec", f"vda,file={layer}"
        )
    for off in (False, True):
        if off:
            made.virsh("destroy")
        cancel = bench.end(made, Ending.CANCEL, "vda")
        assert not cancel.refused
        assert cancel.steps == ()
        assert cancel.closes == ("gone",)


# Hosts elsewhere


def test_pools_tell_of_a_host_elsewhere(bench: Bench, guest: Guests, pool: MakePool) -> None:
    """The same host, as if its files could not be seen."""
    made = guest(disks=[DiskSpec(layers=2)])
    fast = pool("fast")
    bench.uri = "qemu+ssh://host-a/system"
    volume = fast.volume("volume.qcow2", 32 * MIB)
    assert refusals(bench.plan(made, file(volume, "qcow2"), reuse_external=True)) == {"destination-size"}
    assert refusals(bench.plan(made, file(volume, "qcow2"))) == {"destination-exists"}
    right = fast.volume("right.qcow2", 64 * MIB)
    assert virtual_size(right, "qcow2") == 64 * MIB
    copy = bench.plan(made, file(right, "qcow2"), reuse_external=True)
    assert refusals(copy) == set()
    assert "internal-snapshots-unchecked" in warnings(copy)
    unknown = bench.plan(made, fast.path / "new")
    assert refusals(unknown) == set()
    assert {"destination-unchecked", "internal-snapshots-unchecked"} <= warnings(unknown)
    assert "GiB" in dict(unknown.facts)["free there"]
    nowhere = bench.plan(made, Path("/nobody/knows"))
    assert refusals(nowhere) == set()
    assert {"destination-unchecked", "space-unchecked"} <= warnings(nowhere)
