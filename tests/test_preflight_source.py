"""What the checks of a disk refuse, a real host refuses as well, or fails at, or does harm with.

Every test asks for the plan, and then does all the same what the plan would have done.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DiskSpec
from tests.hypervisor import MIB
from tests.outside import allocated, images_equal, wait_for
from tui.engine.errors import HostError
from tui.model.begin_steps import StartCopy
from tui.model.job import JobEvent
from tui.model.request import CopyRequest, Ending
from tui.model.storage import (
    Chain,
)

if TYPE_CHECKING:
    from tests.guests import Guests
    from tests.hypervisor import Hypervisor
from tests.preflight import (
    BLOCK_COPY_ACTIVE,
    INVALID_ARG,
    OPERATION_INVALID,
    OPERATION_UNSUPPORTED,
    Bench,
    create,
    file,
    idle,
    refusals,
    warnings,
)

# What is to be copied


def test_a_copy_that_nothing_refuses_works(bench: Bench, guest: Guests) -> None:
    made = idle(guest, DiskSpec(layers=3))
    copy = bench.plan(made, made.directory / "copy")
    assert refusals(copy) == set()
    assert warnings(copy) == {"persistent-domain", "forbidden-meanwhile"}
    start = copy.steps[0]
    assert isinstance(start, StartCopy)
    assert start.creates
    assert bench.start(copy) == 0
    bench.finish(made)
    assert images_equal(made.images()[-1], made.directory / "copy")


def test_what_will_be_allocated_is_foretold(bench: Bench, guest: Guests) -> None:
    for made in (
        idle(guest, DiskSpec(layers=3)),
        idle(guest, DiskSpec(layers=3, driver={"discard": "unmap"})),
    ):
        for kind, shallow in (("qcow2", False), ("qcow2", True), ("raw", False)):
            path = made.directory / f"{kind}-{shallow}"
            copy = bench.plan(made, file(path, kind), shallow=shallow)
            likely = dict(copy.facts)["copies"].removeprefix("the active layer: ").split(" MiB")[0]
            assert bench.start(copy) == 0
            bench.finish(made)
            assert allocated(path) / MIB <= float(likely) + 1


def test_domain_not_running(bench: Bench, guest: Guests) -> None:
    made = guest(running=False)
    copy = bench.plan(made, made.directory / "copy")
    assert refusals(copy) == {"domain-not-running"}
    assert bench.start(copy) == OPERATION_INVALID


def test_no_such_domain(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.make(CopyRequest(made.uuid.replace(made.uuid[:4], "0000", 1), "vda", file("/a")))
    assert refusals(copy) == {"no-such-domain"}
    assert copy.steps == ()


def test_no_such_disk(bench: Bench, guest: Guests) -> None:
    made = guest()
    assert refusals(bench.plan(made, made.directory / "copy", target="vdz")) == {"no-such-disk"}
    xml = f"<disk type='file'><source file='{made.directory}/copy'/></disk>"
    assert bench.copy(made, xml, "vdz") == INVALID_ARG


def test_drive_without_a_medium(bench: Bench, guest: Guests) -> None:
    drive = "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>"
    made = idle(guest, DiskSpec(), drive)
    assert refusals(bench.plan(made, made.directory / "copy", target="hdc")) == {"disk-empty"}
    xml = f"<disk type='file'><driver type='raw'/><source file='{made.directory}/copy'/></disk>"
    assert bench.copy(made, xml, "hdc") != 0


def test_no_destination(bench: Bench, guest: Guests) -> None:
    made = guest()
    assert refusals(bench.plan(made, Chain())) == {"no-destination"}
    assert bench.copy(made, "<disk type='file'><driver type='raw'/></disk>") != 0


def test_read_only_disks_are_copied_all_the_same(bench: Bench, guest: Guests) -> None:
    cdrom = DiskSpec(bus="ide", device="cdrom", format="raw", readonly=True, size=MIB, data=0)
    made = idle(guest, DiskSpec(), DiskSpec(readonly=True), cdrom)
    for target, check in (("vdb", "disk-read-only"), ("hda", "disk-removable")):
        copy = bench.plan(made, made.directory / f"copy-{target}", target=target)
        assert refusals(copy) == set()
        assert check in warnings(copy)
        assert bench.start(copy) == 0
        bench.finish(made, target=target, pivot=True)
        assert made.source(target) == str(made.directory / f"copy-{target}")


def test_transient_disk(bench: Bench, guest: Guests) -> None:
    image = "<disk type='file'><driver name='qemu' type='qcow2'/><source file='{}'/>"
    scratch = guest(running=False).images()[0]
    disk = image.format(scratch) + "<target dev='vdb' bus='virtio'/><transient/></disk>"
    made = idle(guest, DiskSpec(), disk)
    copy = bench.plan(made, made.directory / "copy", target="vdb")
    assert refusals(copy) == {"disk-transient"}
    assert bench.start(copy) == OPERATION_UNSUPPORTED


def test_disk_served_by_another_process(bench: Bench, guest: Guests, hypervisor: Hypervisor) -> None:
    made = idle(guest, running=False)
    image, served = create(made.directory / "served.raw", kind="raw"), made.directory / "vhost.sock"
    export = f"vhost-user-blk,id=e,node-name=n,writable=on,addr.type=unix,addr.path={served}"
    nodes = ["--blockdev", f"driver=file,filename={image},node-name=n", "--export", export]
    command = ["setpriv", "--pdeathsig=KILL", "qemu-storage-daemon", *nodes]
    disk = f"<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/><source type='unix' path='{served}'/>"
    document = made.directory / "domain.xml"
    text = made.xml(inactive=True).replace(
        "<devices>", f"<devices>{disk}<target dev='vdb' bus='virtio'/></disk>"
    )
    memory = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    document.write_text(text.replace("<vcpu", f"{memory}<vcpu"))
    with subprocess.Popen(command) as daemon:
        try:
            wait_for(served.exists, what="the storage daemon listens")
            hypervisor.virsh("define", document)
            made.virsh("start")
            copy = bench.plan(made, file(made.directory / "copy", "raw"), target="vdb")
            assert refusals(copy) == {"disk-outside-qemu"}
            assert bench.start(copy) not in (0, None)
            made.virsh("destroy")
        finally:
            daemon.kill()


def test_shareable_disk_in_a_format_that_is_not(bench: Bench, guest: Guests) -> None:
    made = idle(guest, DiskSpec(), DiskSpec(format="raw", shareable=True))
    copy = bench.plan(made, file(made.directory / "copy", "qcow2"), target="vdb")
    assert refusals(copy) == {"disk-shareable"}
    assert bench.start(copy) == OPERATION_UNSUPPORTED


def test_disk_shared_with_a_guest_that_writes(bench: Bench, guest: Guests) -> None:
    """What the other one writes is missing in a copy that libvirt calls ready."""
    made = idle(guest, DiskSpec(), DiskSpec(format="raw", shareable=True))
    shared = made.images("vdb")[0]
    disk = f"<disk type='file'><driver name='qemu' type='raw'/><source file='{shared}'/><shareable/>"
    other = idle(guest, DiskSpec(), f"{disk}<target dev='vdb' bus='virtio'/></disk>")
    copy = bench.plan(made, file(made.directory / "copy", "raw"), target="vdb")
    assert refusals(copy) == {"disk-shared"}
    assert other.name in copy.findings[0].reason
    assert bench.start(copy) == 0
    made.wait_ready("vdb")
    blocks = other.virsh("qemu-monitor-command", "--hmp", "info block")
    drive = next(line.split()[0].rstrip(":") for line in blocks.splitlines() if str(shared) in line)
    answer = other.virsh("qemu-monitor-command", "--hmp", f'qemu-io {drive} "write -P 7 0 64k"')
    assert "Error" not in answer
    bench.finish(made, target="vdb")
    assert not images_equal(shared, made.directory / "copy", one_format="raw", other_format="raw")


# Its jobs, and the server


def test_second_job_on_a_disk(bench: Bench, guest: Guests) -> None:
    made = guest()
    assert bench.start(bench.plan(made, made.directory / "first")) == 0
    second = bench.plan(made, made.directory / "second")
    assert refusals(second) == {"job-running"}
    assert "somebody else" in second.findings[0].reason
    assert bench.start(second) == BLOCK_COPY_ACTIVE


def test_job_without_a_mirror(bench: Bench, guest: Guests) -> None:
    made = idle(guest, DiskSpec(layers=2, data=16 * MIB))
    made.virsh("blockpull", "vda", "--bandwidth", "1")
    copy = bench.plan(made, made.directory / "copy")
    assert refusals(copy) == {"job-running"}
    assert "pull" in copy.findings[0].reason
    assert bench.start(copy) in (BLOCK_COPY_ACTIVE, OPERATION_UNSUPPORTED)
    for ending in (Ending.PIVOT, Ending.KEEP):
        assert refusals(bench.end(made, ending, "vda")) == {"not-a-mirror"}
    with pytest.raises(HostError) as refusal:
        bench.connection.end_job(made.uuid, "vda", pivot=True)
    assert refusal.value.code == BLOCK_COPY_ACTIVE


def test_old_server_and_a_persistent_domain(bench: Bench, guest: Guests) -> None:
    """On a server of today, the call of old says the same."""
    made = guest()
    bench.libvirt = (1, 2, 8)
    copy = bench.plan(made, made.directory / "copy")
    assert refusals(copy) == {"persistent-unsupported"}
    assert bench.start(copy) == OPERATION_INVALID


def test_old_server_and_a_transient_domain(bench: Bench, guest: Guests) -> None:
    made = idle(guest, DiskSpec(layers=3), persistent=False)
    bench.libvirt = (1, 2, 8)
    copy = bench.plan(made, made.directory / "copy")
    assert refusals(copy) == set()
    assert "persistent-domain" not in warnings(copy)
    assert bench.start(copy) == 0
    bench.finish(made)
    assert images_equal(made.images()[-1], made.directory / "copy")


def test_old_server_guesses_the_format_of_a_reused_image(bench: Bench, guest: Guests) -> None:
    """An image that cannot be seen to be what the user says would be whatever its content makes of it."""
    made = idle(guest, persistent=False)
    bench.libvirt = (1, 2, 8)
    image = create(made.directory / "image")
    copy = bench.plan(made, file(image, "qed"), reuse_external=True)
    assert "flag-unsupported" in refusals(copy)
    assert bench.start(copy) == 0
    made.wait_ready()
    mirror = made.mirror()
    assert mirror is not None
    assert mirror.format == "qcow2"


@pytest.mark.parametrize(
    ("check", "wish"),
    [
        ("bandwidth", {"bandwidth": 2**63}),
        ("granularity", {"granularity": 3000}),
        ("granularity", {"granularity": 256}),
        ("granularity", {"granularity": 128 * MIB}),
        ("buffer-size", {"buf_size": 2**63}),
    ],
)
def test_numbers(bench: Bench, guest: Guests, check: str, wish: dict[str, Any]) -> None:
    made = guest()
    copy = bench.plan(made, made.directory / "copy", **wish)
    assert refusals(copy) == {check}
    assert bench.start(copy) not in (0, None)


def test_a_buffer_that_the_host_has_not(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, made.directory / "copy", buf_size=2**40)
    assert "buffer-size" in warnings(copy)
    assert bench.start(copy) == 0
    bench.heard(JobEvent.FAILED)
