"""Copies on a real host: what is asked for is what virsh and qemu-img see afterwards."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import outside
from tests.conftest import MakeNbd
from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    command,
    copy_request,
    end_request,
    job_in,
    journal_is_empty,
    log_of,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tui.engine import room
from tui.engine.connection import Connection
from tui.engine.control import End, Level, LogLine
from tui.engine.disk_calls import CopyFlags
from tui.engine.errors import ReadOnlyError
from tui.model.finding import Acceptance, Severity
from tui.model.job import Phase
from tui.model.request import CopyRequest, Ending, SpeedRequest, Then
from tui.model.storage import Chain, Layer, NetworkHost, NetworkSource

THREE = DiskSpec(layers=3, data=16 * MIB)
SLOW = 2 * MIB
"""Bytes per second at which a copy of a test's disk takes half a minute."""


def images_of(guest: Guest) -> tuple[Path, Path, Path]:
    base, middle, top = guest.images()
    return base, middle, top


def make_image(path: Path, image_format: str, size: int, backing: Path | None = None) -> Path:
    words = ["-b", str(backing), "-F", "qcow2"] if backing else []
    command("qemu-img", "create", "-q", "-f", image_format, *words, str(path), str(size))
    return path


def test_full_copy_is_flattened_in_the_same_format(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[THREE])
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as host:
        outcome = carried_out(host, copy_request(vm, new, then=Then.PIVOT))
        assert {f.check for f in outcome.findings} == {"live-xml", "persistent-xml", "image-open"}
        assert all(f.severity is Severity.FINE for f in outcome.findings)
    assert vm.chain() == [str(new)]
    assert vm.source(inactive=True) == str(new)
    assert vm.has_open(new)
    assert not vm.has_open(images_of(vm)[2])
    assert outside.backing_file(new) is None
    assert outside.is_writing(new)
    assert "urn:virt-mirror" not in vm.xml() + vm.xml(inactive=True)
    # An image in use may have leaks.
    vm.virsh("destroy")
    assert outside.check(new) == 0


def test_full_copy_as_raw(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[THREE])
    new = vm.directory / "copy.raw"
    with watched(hypervisor) as host:
        carried_out(host, copy_request(vm, new, image_format="raw", then=Then.PIVOT))
    assert vm.chain() == [str(new)]
    assert outside.virtual_size(new, "raw") == THREE.size
    assert outside.is_writing(new)


def test_shallow_copy_stands_on_the_source_s_backing_file(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[THREE])
    base, middle, _top = images_of(vm)
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as host:
        carried_out(host, copy_request(vm, new, shallow=True, then=Then.PIVOT))
    assert vm.chain() == [str(new), str(middle), str(base)]
    assert outside.backing_file(new) == str(middle)


def test_reuse_of_an_empty_image(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[THREE], delay=None)
    new = make_image(vm.directory / "copy.qcow2", "qcow2", THREE.size)
    with watched(hypervisor) as host:
        carried_out(host, copy_request(vm, new, image_format="qcow2", reuse_external=True, then=Then.PIVOT))
    assert vm.chain() == [str(new)]
    assert outside.images_equal(new, images_of(vm)[2])


def test_reuse_with_shallow(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[THREE], delay=None)
    base, middle, top = images_of(vm)
    new = make_image(vm.directory / "copy.qcow2", "qcow2", THREE.size, backing=middle)
    request = copy_request(vm, new, image_format="qcow2", reuse_external=True, shallow=True, then=Then.PIVOT)
    with watched(hypervisor) as host:
        carried_out(host, request)
    assert vm.chain() == [str(new), str(middle), str(base)]
    assert outside.images_equal(new, top)
    assert outside.allocated(new) < outside.allocated(base)


def test_reuse_with_shallow_and_raw(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[THREE], delay=None)
    _base, middle, top = images_of(vm)
    new = vm.directory / "copy.raw"
    # The destination must already hold what the layers below hold.
    command("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", str(middle), str(new))
    request = copy_request(vm, new, image_format="raw", reuse_external=True, shallow=True, then=Then.PIVOT)
    with watched(hypervisor) as host:
        carried_out(host, request)
    assert vm.chain() == [str(new)]
    assert outside.images_equal(new, top, one_format="raw")


@pytest.mark.parametrize("options", [{"shallow": True}, {"reuse_external": True}], ids=["shallow", "reuse"])
def test_the_less_useful_raw_combinations(
    hypervisor: Hypervisor, guest: Guests, options: dict[str, Any]
) -> None:
    vm = guest(disks=[THREE])
    new = vm.directory / "copy.raw"
    with watched(hypervisor) as host:
        plan = host.plan(copy_request(vm, new, image_format="raw", **options))
    assert refusals(plan)
    assert vm.mirror() is None
    assert not new.exists()


def test_network_destination(hypervisor: Hypervisor, guest: Guests, nbd_server: MakeNbd) -> None:
    vm = guest(delay=None)
    server = nbd_server(DiskSpec().size, tcp=True)
    source = NetworkSource("nbd", server.export, (NetworkHost("127.0.0.1", str(server.port), "tcp"),))
    chain = Chain((Layer(source, "raw"),), complete=False)
    with watched(hypervisor) as host:
        carried_out(host, CopyRequest(vm.uuid, "vda", chain, reuse_external=True, then=Then.KEEP))
    assert vm.mirror() is None


def test_transient_guest_by_either_call(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(persistent=False, disks=[THREE])
    first, second = vm.directory / "one.qcow2", vm.directory / "two.raw"
    with watched(hypervisor) as host:
        carried_out(host, copy_request(vm, first, then=Then.PIVOT))
        assert vm.chain() == [str(first)]
        # A server without virDomainBlockCopy has virDomainBlockRebase.
        host.apply(lambda s: replace(s, libvirt=(1, 2, 0)))
        plan = accepted(host, copy_request(vm, second, image_format="raw", then=Then.PIVOT))
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        connection = host.connection()
        assert connection.calls["domainBlockRebase"] == 1
        assert connection.calls["domainBlockCopy"] == 1
    assert vm.chain() == [str(second)]


def test_keep_leaves_a_consistent_copy_and_the_guest_where_it_was(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=[THREE])
    top = images_of(vm)[2]
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as host:
        carried_out(host, copy_request(vm, new))
        vm.virsh("suspend")
        carried_out(host, end_request(vm, Ending.KEEP))
        assert outside.images_equal(new, top)
        assert job_in(host, vm, Phase.DONE).remark
        assert journal_is_empty(host)
    assert vm.state() == "paused"
    assert vm.source() == str(top)
    assert outside.check(new) == 0


def test_cancel_removes_what_was_made_and_nothing_else(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    made = vm.directory / "made.qcow2"
    given = make_image(vm.directory / "given.qcow2", "qcow2", DiskSpec().size)
    with watched(hypervisor) as host:
        cases: list[tuple[Path, dict[str, Any]]] = [
            (made, {}),
            (given, {"reuse_external": True, "image_format": "qcow2"}),
        ]
        for path, options in cases:
            carried_out(host, copy_request(vm, path, bandwidth=0, **options))
            assert path.exists()
            carried_out(host, end_request(vm, Ending.CANCEL))
            assert vm.mirror() is None
    assert not made.exists()
    assert given.exists()
    assert "urn:virt-mirror" not in vm.xml() + vm.xml(inactive=True)


def test_a_copy_that_is_waited_for_is_cancelled_and_has_not_failed(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=[THREE])
    made = vm.directory / "made.qcow2"
    said: list[LogLine] = []
    with watched(hypervisor) as host:
        host.subscribe(lambda _state: None, said.append)
        run = host.run(accepted(host, copy_request(vm, made, bandwidth=SLOW)))
        job_in(host, vm, Phase.COPYING)
        carried_out(host, end_request(vm, Ending.CANCEL))
        outcome = run.wait(PATIENCE)
    assert outcome is not None
    assert (outcome.end, outcome.cancelled) == (End.FAILED, True)
    assert [line.text for line in said if line.level is not Level.INFO] == []
    assert any(": cancelled. " in line.text for line in said)
    assert not any("failed" in line.text for line in said)
    assert not made.exists()


def test_speed_changes_while_it_runs(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[THREE])
    with watched(hypervisor) as host:
        run = host.run(accepted(host, copy_request(vm, vm.directory / "c.qcow2", bandwidth=SLOW)))
        job_in(host, vm, Phase.COPYING)
        outside.wait_for(lambda: vm.mirror() is not None, what="the mirror")
        assert f"{SLOW}" in vm.virsh("blockjob", "vda", "--info", "--bytes", "--raw")
        carried_out(host, SpeedRequest(vm.uuid, "vda", 0))
        assert run.wait(PATIENCE) is not None
        job_in(host, vm, Phase.IN_SYNC)


def test_two_disks_pivot_behind_one_barrier(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec(format="raw")], drives=2)
    with watched(hypervisor) as host:
        lines = log_of(host)
        for target in ("vda", "vdb"):
            carried_out(host, copy_request(vm, vm.directory / f"new-{target}", target=target))
        carried_out(host, end_request(vm, Ending.PIVOT, "vda", "vdb"))
        assert journal_is_empty(host)
    assert [vm.source(t) for t in ("vda", "vdb")] == [
        str(vm.directory / "new-vda"),
        str(vm.directory / "new-vdb"),
    ]
    assert vm.state() == "running"
    commands = [c for line in lines for c in line.commands]
    assert f"virsh suspend {vm.name}" in commands
    for target in ("vda", "vdb"):
        assert outside.is_writing(vm.directory / f"new-{target}")


def test_synchronous_writes_reach_sync_with_a_fast_writer(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(delay=0)
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as host:
        carried_out(host, copy_request(vm, new, synchronous_writes=True, then=Then.PIVOT))
    assert vm.source() == str(new)


def test_a_timeout_cancels_the_copy(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[THREE])
    new = vm.directory / "copy.qcow2"
    with watched(hypervisor) as host:
        outcome = carried_out(host, copy_request(vm, new, bandwidth=SLOW, timeout=1.0), End.FAILED)
        assert "not in sync within" in outcome.message
    assert vm.mirror() is None
    assert not new.exists()


def test_a_read_only_host_refuses(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    with watched(hypervisor) as writer:
        plan = accepted(writer, copy_request(vm, vm.directory / "c.qcow2"))
    with watched(hypervisor, read_only=True) as host, pytest.raises(ReadOnlyError):
        host.run(plan)
    assert vm.mirror() is None


def test_a_server_of_old_counts_limits_in_mib(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(persistent=False)
    connection = Connection(hypervisor.uri, read_only=False, on_event=lambda _event: None)

    def limit() -> str:
        words = vm.virsh("blockjob", "vda", "--bytes", "--raw").split()
        return next(word for word in words if word.startswith("bandwidth=")).removeprefix("bandwidth=")

    connection.counts_bytes = False
    path = str(vm.directory / "copy.qcow2")
    connection.block_rebase_copy(vm.uuid, "vda", path, 3 * MIB + 1, CopyFlags())
    assert limit() == str(4 * MIB)
    connection.set_speed(vm.uuid, "vda", 1)
    assert limit() == str(MIB)
    progress = connection.job(vm.uuid, "vda")
    assert progress is not None
    assert progress.bandwidth == MIB
    connection.close()


def test_a_copy_crawls_before_its_destination_is_full(
    hypervisor: Hypervisor, guest: Guests, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is left then lasts half a minute: however busy the machine is, there is time to make room.
    monkeypatch.setattr(room, "CRAWL", 128 * 1024)
    made = guest(disks=[DiskSpec(size=16 * MIB, data=12 * MIB)], delay=None)
    ballast = small / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 42 * MIB)
    with watched(hypervisor) as host:
        log = log_of(host)
        request = copy_request(
            made,
            small / "copy",
            bandwidth=SLOW,
            # QEMU may be as far ahead of a limit as its buffer is large.
            buf_size=MIB,
            then=Then.HOLD,
            accepted=frozenset({Acceptance.RISK_FULL_DESTINATION}),
        )
        run = host.run(accepted(host, request))
        slowed = host.wait_for(
            lambda s: j if (j := s.job(made.uuid, "vda")) and j.remark else None, timeout=PATIENCE
        )
        assert slowed is not None
        assert "crawls until there is room" in (slowed.remark or "")
        assert "--bandwidth 131072 --bytes" in " ".join(c for line in log for c in line.commands)
        assert f"{128 * 1024}" in made.virsh("blockjob", "vda", "--info", "--bytes")
        ballast.unlink()
        assert host.wait_for(
            lambda s: True if (j := s.job(made.uuid, "vda")) and not j.remark else None, timeout=PATIENCE
        )
        assert f"{SLOW}" in made.virsh("blockjob", "vda", "--info", "--bytes")
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
