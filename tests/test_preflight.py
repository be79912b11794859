"""What the checks before a plan refuse, a real host refuses as well, or fails at, or does harm with.

Every test asks for the plan, and then does all the same what the plan would have done.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DiskSpec
from tests.hypervisor import MIB
from tests.outside import allocated, backing_file, image_info, images_equal, virtual_size, wait_for
from tui.engine.connection import BlockJobChanged, Connection, CopyFlags, Event
from tui.engine.errors import HostError
from tui.engine.planning import make_plan
from tui.engine.uri import is_local
from tui.model.definition import parse_domain
from tui.model.domain import Domain
from tui.model.finding import Acceptance, Severity
from tui.model.host import HostState
from tui.model.job import JobEvent
from tui.model.journal import Entry, entry_xml, namespace
from tui.model.plan import Plan
from tui.model.request import CopyRequest, Ending, EndRequest, Request, SpeedRequest, Then
from tui.model.steps import EndJobs, RemoveDestination, StartCopy
from tui.model.storage import (
    BlockSource,
    Chain,
    DirSource,
    FileSource,
    Layer,
    NetworkHost,
    NetworkSource,
    Slice,
    VolumeSource,
)

if TYPE_CHECKING:
    from tests.conftest import MakeNbd, MakePool
    from tests.guests import Guest, Guests
    from tests.hypervisor import Hypervisor

INVALID_ARG = 8
OPERATION_FAILED = 9
SYSTEM_ERROR = 38
OPERATION_INVALID = 55
CONFIG_UNSUPPORTED = 67
BLOCK_COPY_ACTIVE = 83
OPERATION_UNSUPPORTED = 84


@dataclass
class Bench:
    """A connection to the real host, and what it said."""

    connection: Connection
    uri: str
    events: list[Event] = field(default_factory=list)
    libvirt: tuple[int, int, int] | None = None

    def state(self) -> HostState:
        domains = []
        for uuid in self.connection.list_domains():
            reading = self.connection.read(uuid)
            if reading is not None:
                domains.append(Domain(parse_domain(reading.xml), reading.state, reading.persistent))
        version = self.libvirt or self.connection.libvirt_version()
        return HostState(self.uri, libvirt=version, domains=tuple(domains))

    def make(self, request: Request) -> Plan:
        return make_plan(request, self.connection, self.state(), "p1", time.time())

    def plan(self, guest: Guest, destination: Chain | Path, *, target: str = "vda", **wish: Any) -> Plan:
        place = destination if isinstance(destination, Chain) else file(destination)
        return self.make(CopyRequest(guest.uuid, target, place, **wish))

    def end(self, guest: Guest, ending: Ending, *targets: str, **wish: bool) -> Plan:
        return self.make(EndRequest(guest.uuid, targets, ending, **wish))

    def start(self, made: Plan) -> int | None:
        """Do what the plan would have begun with; answer libvirt's code where it refuses, and 0 where not."""
        step = made.steps[0]
        assert isinstance(step, StartCopy)
        wanted = {"bandwidth": step.bandwidth, "granularity": step.granularity, "buf-size": step.buf_size}
        params = {name: value for name, value in wanted.items() if value}
        flags = CopyFlags(step.shallow, step.reuse_external, step.transient_job, step.synchronous_writes)
        self.events.clear()
        try:
            if step.legacy:
                legacy = CopyFlags(
                    step.shallow, step.reuse_external, raw=step.format == "raw", blockdev=step.blockdev
                )
                self.connection.block_rebase_copy(step.uuid, step.target, step.path, step.bandwidth, legacy)
            else:
                self.connection.block_copy(step.uuid, step.target, step.xml, params, flags)
        except HostError as error:
            return error.code
        return 0

    def copy(self, guest: Guest, xml: str, target: str = "vda") -> int | None:
        """Begin a copy that no plan could express."""
        try:
            self.connection.block_copy(guest.uuid, target, xml, {}, CopyFlags(transient_job=True))
        except HostError as error:
            return error.code
        return 0

    def heard(self, event: JobEvent) -> None:
        def seen() -> bool:
            return any(isinstance(e, BlockJobChanged) and e.event is event for e in self.events)

        wait_for(seen, 30, f"the event {event}")

    def finish(self, guest: Guest, *, pivot: bool = False, target: str = "vda") -> None:
        """Wait until the copy is in sync, and end it."""
        guest.wait_ready(target)
        self.events.clear()
        self.connection.end_job(guest.uuid, target, pivot=pivot)
        self.heard(JobEvent.COMPLETED if pivot else JobEvent.CANCELED)


@pytest.fixture
def bench(hypervisor: Hypervisor) -> Iterator[Bench]:
    events: list[Event] = []
    connection = Connection(hypervisor.uri, read_only=False, on_event=events.append)
    yield Bench(connection, hypervisor.uri, events)
    connection.close()


def file(path: Path | str, kind: str | None = None, *below: Path, **more: Any) -> Chain:
    layers = tuple(Layer(FileSource(str(p)), "qcow2") for p in below)
    return Chain((Layer(FileSource(str(path)), kind, **more), *layers), complete=False)


def device(path: str, kind: str | None = None) -> Chain:
    return Chain((Layer(BlockSource(path), kind),), complete=False)


def refusals(made: Plan) -> set[str]:
    return {f.check for f in made.findings if f.severity is Severity.REFUSED}


def warnings(made: Plan) -> set[str]:
    return {f.check for f in made.findings if f.severity is Severity.WARNING}


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def create(path: Path, size: int = 64 * MIB, kind: str = "qcow2") -> Path:
    qemu_img("create", "-q", "-f", kind, path, str(size))
    return path


def overlay(path: Path, backing: Path, kind: str = "qcow2") -> Path:
    qemu_img("create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", kind, path, str(64 * MIB))
    return path


@contextmanager
def loop_device(path: Path, size: int) -> Iterator[str]:
    create(path, size, "raw")
    done = subprocess.run(
        ["losetup", "--find", "--show", str(path)], capture_output=True, check=False, text=True
    )
    if done.returncode:
        pytest.skip(f"no loop devices here: {done.stderr}")
    try:
        yield done.stdout.strip()
    finally:
        subprocess.run(["losetup", "--detach", done.stdout.strip()], check=True)


def idle(guest: Guests, *disks: DiskSpec | str, **more: Any) -> Guest:
    """A guest that does not write, so that images can be compared."""
    specs: Sequence[DiskSpec | str] = disks or (DiskSpec(),)
    return guest(disks=specs, delay=None, **more)


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
    made = idle(guest, DiskSpec(layers=3))
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


# Where it goes


def test_places_that_are_none(bench: Bench, guest: Guests) -> None:
    made = guest()
    volume = Chain((Layer(VolumeSource("fast", "v"), "raw"),), complete=False)
    copy = bench.plan(made, volume)
    assert refusals(copy) == {"destination-type"}
    assert bench.start(copy) not in (0, None)
    directory = Chain((Layer(DirSource(str(made.directory)), "raw"),), complete=False)
    copy = bench.plan(made, directory)
    assert refusals(copy) == {"destination-type"}
    assert copy.steps == ()
    xml = f"<disk type='dir'><driver type='raw'/><source dir='{made.directory}'/></disk>"
    assert bench.copy(made, xml) == SYSTEM_ERROR


def test_relative_path(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, file("copy"))
    assert refusals(copy) == {"destination-relative"}
    assert bench.start(copy) == INVALID_ARG


def test_path_that_xml_cannot_carry(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, file(f"{made.directory}/a\x01b"))
    assert refusals(copy) == {"destination-xml"}
    assert bench.copy(made, f"<disk type='file'><source file='{made.directory}/a\x01b'/></disk>") not in (
        0,
        None,
    )


def test_format_of_a_reused_image_is_not_given(bench: Bench, guest: Guests) -> None:
    """libvirt takes a raw image for qcow2 because of what is in it, which a guest could have written."""
    made = guest()
    image = create(made.directory / "image.raw")
    copy = bench.plan(made, file(image), reuse_external=True)
    assert refusals(copy) == {"format-needed"}
    assert bench.start(copy) == 0
    made.wait_ready()
    mirror = made.mirror()
    assert mirror is not None
    assert mirror.format == "qcow2"


@pytest.mark.parametrize("kind", ["dmg", "vhdx", "qcwo2", "luks", "iso", "cow"])
def test_formats_that_libvirt_does_not_make(bench: Bench, guest: Guests, kind: str) -> None:
    made = guest()
    copy = bench.plan(made, file(made.directory / "copy", kind))
    assert refusals(copy) == {"format-unsupported"}
    assert bench.start(copy) not in (0, None)


@pytest.mark.parametrize("kind", ["qed", "vdi", "vmdk"])
def test_formats_that_libvirt_makes(bench: Bench, guest: Guests, kind: str) -> None:
    made = guest()
    copy = bench.plan(made, file(made.directory / "copy", kind))
    assert refusals(copy) == set()
    assert bench.start(copy) == 0
    made.wait_ready()


def test_a_layer_of_the_disk_itself_or_of_another(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=2), DiskSpec()])
    link = made.directory / "link"
    link.symlink_to(made.images()[0])
    for path in (*made.images(), *made.images("vdb"), link):
        copy = bench.plan(made, file(path, "qcow2"), reuse_external=True)
        assert refusals(copy) == {"destination-in-use"}
        assert bench.start(copy) not in (0, None)


def test_the_base_of_a_guest_that_is_off(bench: Bench, guest: Guests) -> None:
    """Nothing locks it, so libvirt writes over what another guest stands on."""
    off = guest(disks=[DiskSpec(layers=2)], running=False)
    base, top = off.images()
    before = off.directory / "before.raw"
    qemu_img("convert", "-f", "qcow2", "-O", "raw", top, before)
    made = idle(guest, DiskSpec(data=16 * MIB))
    copy = bench.plan(made, file(base, "qcow2"), reuse_external=True)
    assert refusals(copy) == {"destination-in-use"}
    assert off.name in copy.findings[0].reason
    assert bench.start(copy) == 0
    bench.finish(made)
    assert not images_equal(top, before, other_format="raw")


def test_the_destination_of_another_job(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(), DiskSpec()])
    path = made.directory / "copy"
    assert bench.start(bench.plan(made, path)) == 0
    copy = bench.plan(made, file(path, "qcow2"), target="vdb", reuse_external=True)
    assert refusals(copy) == {"destination-in-use"}
    assert bench.start(copy) not in (0, None)


def test_what_is_there_and_should_not_be(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, made.directory)
    assert refusals(copy) == {"destination-directory"}
    assert bench.start(copy) == CONFIG_UNSUPPORTED
    image = create(made.directory / "image")
    copy = bench.plan(made, image)
    assert refusals(copy) == {"destination-exists"}
    assert bench.start(copy) == CONFIG_UNSUPPORTED
    image.write_bytes(b"")
    copy = bench.plan(made, image)
    assert refusals(copy) == set()
    assert bench.start(copy) == 0


def test_special_files(bench: Bench, guest: Guests) -> None:
    """A socket is refused late; on a pipe the call of libvirt would hang until somebody reads from it."""
    made = guest()
    path = made.directory / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        copy = bench.plan(made, path)
        assert refusals(copy) == {"destination-special"}
        assert bench.start(copy) not in (0, None)
    pipe = made.directory / "pipe"
    os.mkfifo(pipe)
    assert refusals(bench.plan(made, pipe)) == {"destination-special"}


def test_what_is_not_there_and_should_be(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, file(made.directory / "none", "qcow2"), reuse_external=True)
    assert refusals(copy) == {"destination-missing"}
    assert bench.start(copy) == SYSTEM_ERROR
    copy = bench.plan(made, device("/dev/none"))
    assert refusals(copy) == {"destination-missing"}
    assert bench.start(copy) == SYSTEM_ERROR
    copy = bench.plan(made, file(made.directory / "none" / "copy"))
    assert refusals(copy) == {"directory-missing"}
    assert bench.start(copy) == SYSTEM_ERROR


def test_a_file_that_is_said_to_be_a_device(bench: Bench, guest: Guests) -> None:
    made = guest()
    image = create(made.directory / "image")
    copy = bench.plan(made, device(str(image)))
    assert refusals(copy) == {"destination-not-block"}
    assert bench.start(copy) not in (0, None)


def test_block_devices(bench: Bench, guest: Guests) -> None:
    made = guest()
    with loop_device(made.directory / "exact", 64 * MIB) as path:
        copy = bench.plan(made, file(path, "raw"))
        assert refusals(copy) == {"destination-block"}
        assert bench.start(copy) not in (0, None)
        copy = bench.plan(made, device(path, "raw"))
        assert refusals(copy) == set()
        assert bench.start(copy) == 0
        bench.finish(made)
    with loop_device(made.directory / "larger", 80 * MIB) as path:
        copy = bench.plan(made, device(path, "raw"))
        assert refusals(copy) == {"destination-size"}
        assert bench.start(copy) == 0
        bench.heard(JobEvent.FAILED)
        copy = bench.plan(made, device(path, "qcow2"))
        assert refusals(copy) == set()
        assert bench.start(copy) == 0
        bench.finish(made)


def test_a_device_that_is_too_small(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(data=24 * MIB)])
    with loop_device(made.directory / "small", 16 * MIB) as path:
        copy = bench.plan(made, device(path, "qcow2"))
        assert refusals(copy) == {"space"}
        assert bench.start(copy) == 0
        bench.heard(JobEvent.FAILED)


def test_directory_that_qemu_cannot_reach(bench: Bench, guest: Guests, hypervisor: Hypervisor) -> None:
    """libvirt makes the file as root and gives it away; QEMU needs the way there alone."""
    made = idle(guest, running=False)
    label = "<seclabel type='static' model='dac' relabel='yes'><label>+65534:+65534</label></seclabel>"
    document = made.directory / "domain.xml"
    document.write_text(made.xml(inactive=True).replace("</domain>", f"{label}</domain>"))
    mode = hypervisor.root.stat().st_mode
    hypervisor.root.chmod(0o755)
    try:
        hypervisor.virsh("define", document)
        made.virsh("start")
        closed, foreign = made.directory / "closed", made.directory / "foreign"
        closed.mkdir(mode=0o700)
        foreign.mkdir(mode=0o755)
        copy = bench.plan(made, closed / "copy")
        assert refusals(copy) == {"directory-closed"}
        assert bench.start(copy) == SYSTEM_ERROR
        copy = bench.plan(made, foreign / "copy")
        assert refusals(copy) == set()
        assert bench.start(copy) == 0
        made.virsh("destroy")
    finally:
        hypervisor.root.chmod(mode)


def test_directory_that_nobody_can_write_to(bench: Bench, guest: Guests) -> None:
    made = guest()
    fixed = made.directory / "fixed"
    fixed.mkdir()
    if subprocess.run(["chattr", "+i", str(fixed)], check=False).returncode:
        pytest.skip("only root can make a directory immutable, and not on every file system")
    try:
        copy = bench.plan(made, fixed / "copy")
        assert refusals(copy) == {"directory-not-writable"}
        assert bench.start(copy) == SYSTEM_ERROR
    finally:
        subprocess.run(["chattr", "-i", str(fixed)], check=True)


@pytest.mark.parametrize("size", [32 * MIB, 64 * MIB - 65536, 128 * MIB])
def test_reused_image_of_another_size(bench: Bench, guest: Guests, size: int) -> None:
    made = guest()
    copy = bench.plan(made, file(create(made.directory / "image", size), "qcow2"), reuse_external=True)
    assert refusals(copy) == {"destination-size"}
    assert bench.start(copy) == 0
    bench.heard(JobEvent.FAILED)


def test_reused_image_of_another_format(bench: Bench, guest: Guests) -> None:
    made = guest()
    image = create(made.directory / "image", kind="raw")
    copy = bench.plan(made, file(image, "qcow2"), reuse_external=True)
    assert refusals(copy) == {"image-unreadable"}
    assert bench.start(copy) not in (0, None)


def test_slices_of_what_is_not_there(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, file(made.directory / "copy", "raw", slices=(Slice(0, 64 * MIB),)))
    assert refusals(copy) == {"slices"}
    assert bench.start(copy) == OPERATION_UNSUPPORTED


def test_network_destination_is_not_seen(bench: Bench, guest: Guests, nbd_server: MakeNbd) -> None:
    made = guest()
    server = nbd_server(32 * MIB)
    host = NetworkHost(transport="unix", socket=str(server.socket))
    place = Chain((Layer(NetworkSource("nbd", server.export, (host,)), "raw"),), complete=False)
    copy = bench.plan(made, place, reuse_external=True)
    assert refusals(copy) == set()
    assert "destination-unchecked" in warnings(copy)
    assert bench.start(copy) == 0
    bench.heard(JobEvent.FAILED)


# What it stands on


def test_shallow_copies_that_cannot_be(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=3)])
    for kind, check in (("raw", "shallow-raw"), ("vdi", "shallow-format"), ("vmdk", "shallow-format")):
        copy = bench.plan(made, file(made.directory / kind, kind), shallow=True)
        assert refusals(copy) == {check}
        assert bench.start(copy) not in (0, None)


def test_a_shallow_copy_stands_on_the_same(bench: Bench, guest: Guests) -> None:
    made = idle(guest, DiskSpec(layers=3))
    path = made.directory / "copy"
    copy = bench.plan(made, path, shallow=True)
    assert refusals(copy) == set()
    assert bench.start(copy) == 0
    bench.finish(made)
    assert backing_file(path) == str(made.images()[1])
    assert dict(copy.facts)["stands on"] == str(made.images()[1])
    assert images_equal(made.images()[-1], path)


def test_reused_image_that_stands_on_nothing(bench: Bench, guest: Guests) -> None:
    """libvirt says ready, and most of the disk is missing."""
    made = idle(guest, DiskSpec(layers=3))
    image = create(made.directory / "image")
    copy = bench.plan(made, file(image, "qcow2"), shallow=True, reuse_external=True)
    assert refusals(copy) == {"shallow-no-backing"}
    assert bench.start(copy) == 0
    bench.finish(made)
    assert not images_equal(made.images()[-1], image)


def test_reused_image_that_stands_on_other_content(bench: Bench, guest: Guests) -> None:
    made = idle(guest, DiskSpec(layers=3))
    base, middle, top = made.images()
    wrong, right = overlay(made.directory / "wrong", base), overlay(made.directory / "right", middle)
    copy = bench.plan(made, file(wrong, "qcow2"), shallow=True, reuse_external=True)
    assert refusals(copy) == set()
    assert "content-unchecked" in warnings(copy)
    assert bench.start(copy) == 0
    bench.finish(made)
    assert not images_equal(top, wrong)
    copy = bench.plan(made, file(right, "qcow2"), shallow=True, reuse_external=True)
    assert warnings(copy) == {"persistent-domain", "forbidden-meanwhile"}
    assert bench.start(copy) == 0
    bench.finish(made)
    assert images_equal(top, right)


def test_backing_files_that_are_not_there(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=3)])
    gone = made.directory / "gone"
    image = overlay(made.directory / "image", gone)
    copy = bench.plan(made, file(image, "qcow2"), shallow=True, reuse_external=True)
    assert refusals(copy) == {"backing-missing"}
    assert bench.start(copy) == SYSTEM_ERROR
    copy = bench.plan(made, file(made.directory / "copy", "qcow2", gone), shallow=True)
    assert refusals(copy) == {"backing-missing"}
    assert bench.start(copy) == SYSTEM_ERROR


def test_full_copy_into_an_overlay_of_nothing(bench: Bench, guest: Guests) -> None:
    """It works for libvirt, which remembers that nothing stands below, and for nobody else."""
    made = guest()
    image = overlay(made.directory / "image", made.directory / "gone")
    copy = bench.plan(made, file(image, "qcow2"), reuse_external=True)
    assert refusals(copy) == set()
    assert "backing-unneeded" in warnings(copy)
    assert bench.start(copy) == 0
    bench.finish(made, pivot=True)
    made.virsh("destroy")
    made.virsh("start")
    with pytest.raises(AssertionError, match="Could not open backing file"):
        images_equal(image, made.images()[0])


def test_backing_file_without_a_format(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=3)])
    image = overlay(made.directory / "image", made.images()[1])
    content = bytearray(image.read_bytes())
    # The header extension that holds the format becomes one that nobody knows.
    at = content.find(bytes.fromhex("E2792ACA"))
    content[at : at + 4] = bytes.fromhex("12345678")
    image.write_bytes(content)
    copy = bench.plan(made, file(image, "qcow2"), shallow=True, reuse_external=True)
    assert refusals(copy) == {"backing-format-missing"}
    assert bench.start(copy) == OPERATION_INVALID


def test_backing_file_of_a_full_copy(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=2)])
    copy = bench.plan(made, file(made.directory / "copy", "qcow2", made.images()[0]))
    assert refusals(copy) == {"backing-without-shallow"}
    assert bench.start(copy) == INVALID_ARG


def test_backing_file_of_a_shallow_copy_of_one_layer(bench: Bench, guest: Guests) -> None:
    made = guest()
    below = create(made.directory / "below")
    copy = bench.plan(made, file(made.directory / "copy", "qcow2", below), shallow=True)
    assert refusals(copy) == {"backing-without-shallow"}
    assert bench.start(copy) == INVALID_ARG


# What it takes, and what it loses


def test_destination_that_is_too_small(bench: Bench, guest: Guests, small: Path) -> None:
    made = guest(disks=[DiskSpec(data=60 * MIB)])
    copy = bench.plan(made, small / "copy")
    assert refusals(copy) == {"space"}
    assert bench.start(copy) == 0
    bench.heard(JobEvent.FAILED)
    (small / "copy").unlink()
    accepted = bench.plan(made, small / "copy", accepted=frozenset({Acceptance.RISK_FULL_DESTINATION}))
    assert not accepted.refused


def test_destination_that_becomes_too_small(bench: Bench, guest: Guests, small: Path) -> None:
    copy = bench.plan(guest(), small / "copy")
    assert refusals(copy) == set()
    assert "space-tight" in warnings(copy)


def test_internal_snapshots(bench: Bench, guest: Guests) -> None:
    made = idle(guest)
    made.virsh("snapshot-create-as", "before")
    assert image_info(made.images()[0], "qcow2")["snapshots"][0]["name"] == "before"
    path = made.directory / "copy"
    copy = bench.plan(made, path)
    assert refusals(copy) == {"internal-snapshots"}
    assert bench.start(copy) == 0
    bench.finish(made, pivot=True)
    assert "before" in made.virsh("snapshot-list", "--name")
    assert "snapshots" not in image_info(path, "qcow2")


def test_checkpoints(bench: Bench, guest: Guests) -> None:
    """A raw image cannot hold the bitmaps, and then there is no incremental backup."""
    made = idle(guest)
    made.virsh("checkpoint-create-as", "monday")
    backup = made.directory / "backup.xml"
    target = f"<target file='{made.directory}/backup'/>"
    disk = f"<disks><disk name='vda' type='file'>{target}</disk></disks>"
    backup.write_text(f"<domainbackup><incremental>monday</incremental>{disk}</domainbackup>")
    kept = bench.plan(made, made.directory / "copy")
    assert refusals(kept) == set()
    assert bench.start(kept) == 0
    bench.finish(made, pivot=True)
    assert "Backup started" in made.virsh("backup-begin", backup, check=False)
    wait_for(lambda: "Completed" in made.virsh("domjobinfo", "--completed", check=False), what="the backup")
    lost = bench.plan(made, file(made.directory / "copy.raw", "raw"))
    assert refusals(lost) == {"checkpoints"}
    assert bench.start(lost) == 0
    bench.finish(made, pivot=True)
    assert "missing or broken bitmap" in made.virsh("backup-begin", backup, check=False)


def test_what_is_forbidden_while_a_copy_runs(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, made.directory / "copy")
    assert "forbidden-meanwhile" in warnings(copy)
    assert bench.start(copy) == 0
    assert "active block job" in made.virsh("save", made.directory / "save", check=False)
    assert "active block job" in made.virsh("managedsave", check=False)
    assert "error" in made.virsh("detach-disk", "vda", check=False)
    assert "error" in made.virsh("blockresize", "vda", "128M", check=False)


def test_power_off_ends_the_copy_of_a_persistent_domain(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, made.directory / "copy", then=Then.PIVOT)
    assert "persistent-domain" in warnings(copy)
    assert bench.start(copy) == 0
    made.wait_ready()
    made.virsh("destroy")
    made.virsh("start")
    assert made.mirror() is None
    assert made.source() == str(made.images()[0])


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
    made, server = guest(), nbd_server()
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


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("qemu:///system", True),
        ("qemu:///session", True),
        ("qemu:///embed?root=/tmp/x", True),
        ("qemu+unix:///system?socket=/run/x", True),
        ("qemu+ssh://host/system", False),
        ("qemu+ssh:///system", False),
        ("qemu://host/system", False),
        ("qemu+tls://host/system", False),
        ("qemu+tcp:///system", False),
        ("test:///default", False),
        ("qemu://[half/system", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(uri: str, local: bool) -> None:  # noqa: FBT001
    assert is_local(uri) is local
