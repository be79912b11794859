"""A pull at whose end nobody may ask QEMU for its images, which would die of it."""

from __future__ import annotations

import pytest

from tests.engine import (
    PATIENCE,
    carried_out,
    copy_request,
    end_request,
    job_in,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import wait_for
from tui.engine import poller
from tui.engine.host import Host
from tui.model.job import Phase
from tui.model.pull_checks import survives
from tui.model.request import Ending, PullRequest

CHAIN = DiskSpec(layers=3, data=16 * MIB)
SLOW = ("--bandwidth", "1")
LISTING = ("domainListGetStats", "getAllDomainStats", "domainGetBlockInfo")
"""The calls for which libvirt has QEMU list its images."""


def listings(host: Host) -> dict[str, int]:
    return {call: host.connection().calls[call] for call in LISTING}


def test_a_guest_outlives_its_pulls_however_often_they_are_looked_at(
    hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "TICK", 0.002)
    made = guest(disks=[DiskSpec(layers=3), DiskSpec(layers=3)], delay=None)
    with watched(hypervisor) as host:
        for target in ("vda", "vdb"):
            carried_out(host, PullRequest(made.uuid, target))
    assert [len(made.chain(target)) for target in ("vda", "vdb")] == [1, 1]
    assert made.state() == "running"


def test_images_are_not_listed_while_a_pull_runs(hypervisor: Hypervisor, guest: Guests) -> None:
    made, other = guest(disks=[CHAIN, DiskSpec()], delay=None), guest()
    made.virsh("blockpull", "vda", *SLOW)
    with watched(hypervisor) as host:
        assert host.wait_for(lambda s: s.complete or None, timeout=PATIENCE)
        first = job_in(host, made, Phase.COPYING)
        assert host.wait_for(
            lambda s: (
                True
                if (job := s.job(made.uuid, "vda")) and len(job.samples) > len(first.samples) + 1
                else None
            ),
            timeout=PATIENCE,
        )
        # The other guest's disk was measured, and by its name.
        assert listings(host) == {"domainListGetStats": 1, "getAllDomainStats": 0, "domainGetBlockInfo": 0}
        assert host.state.capacity(other.uuid, "vda") == DiskSpec().size
        assert host.state.capacity(made.uuid, "vda") is None
        made.virsh("blockjob", "vda", "--abort")
        job_in(host, made, Phase.CANCELLED)
        host.refresh(made.uuid)
        wait_for(lambda: host.state.capacity(made.uuid, "vdb") == DiskSpec().size, what="the size of vdb")


def test_nothing_else_begins_while_a_pull_runs(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN, DiskSpec()], delay=None)
    copy = copy_request(made, made.directory / "copy.qcow2", target="vdb")
    with watched(hypervisor) as host:
        if survives(host.state.hypervisor):
            pytest.skip("this QEMU does not die of it")
        made.virsh("blockpull", "vda", *SLOW)
        before = listings(host)
        assert refusals(host.plan(copy)) == {"pull-beside"}
        assert listings(host) == before
        made.virsh("blockjob", "vda", "--abort")
        carried_out(host, copy)
        assert refusals(host.plan(PullRequest(made.uuid, "vda"))) == {"job-beside-pull"}
        carried_out(host, end_request(made, Ending.CANCEL, "vdb"))
