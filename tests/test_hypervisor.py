"""The fixtures themselves: what they promise to other tests, and that they leave nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.guests import DiskSpec
from tests.hypervisor import MIB, Hypervisor
from tests.outside import allocated, backing_file, check, images_equal, is_writing, virtual_size, wait_for

if TYPE_CHECKING:
    from tests.conftest import Hosts, MakeNbd, MakePool
    from tests.guests import Guests


def test_copies_a_chain_of_three_layers_and_pivots(guest: Guests) -> None:
    """All of it with virsh alone, on a guest that keeps writing."""
    made = guest(disks=[DiskSpec(layers=3)])
    assert made.chain() == [str(path) for path in reversed(made.images())]
    assert is_writing(made.images()[-1])
    destination = made.directory / "copy.qcow2"
    made.virsh("blockcopy", "vda", destination, "--transient-job")
    made.wait_ready()
    assert made.has_open(destination)
    made.virsh("blockjob", "vda", "--pivot")
    assert made.chain() == [str(destination)]
    assert made.source(inactive=True) == str(destination)
    assert made.mirror() is None
    assert not made.has_open(made.images()[-1])
    assert is_writing(destination)


def test_a_job_outlives_the_daemon(hypervisor: Hypervisor, guest: Guests) -> None:
    """Whether libvirtd is asked to stop or killed."""
    made = guest()
    destination = made.directory / "copy.qcow2"
    made.virsh("blockcopy", "vda", destination, "--transient-job", "--bandwidth", str(MIB), "--bytes")
    before = made.pid
    for kill in (False, True):
        hypervisor.restart(kill=kill)
        mirror = made.mirror()
        assert mirror is not None
        assert (mirror.job, mirror.ready, mirror.source) == ("copy", None, str(destination))
    assert made.pid == before
    made.virsh("blockjob", "vda", "--bandwidth", "0")
    made.wait_ready()
    made.virsh("blockjob", "vda", "--abort")
    assert made.source() == str(made.images()[-1])


def test_an_idle_guest_writes_nothing(guest: Guests) -> None:
    """And the images say what their specification says."""
    spec = DiskSpec(size=32 * MIB, layers=2, format="raw", relative_backing=True)
    made = guest(disks=[spec], delay=None, persistent=False)
    base, overlay = made.images()
    assert not is_writing(overlay, timeout=0.5)
    assert virtual_size(overlay, "qcow2") == 32 * MIB
    assert backing_file(overlay) == base.name
    assert check(overlay) == 0
    assert spec.data <= allocated(base) < spec.size
    copy = made.directory / "copy.raw"
    made.virsh("blockcopy", "vda", copy, "--wait", "--finish", "--format", "raw")
    assert images_equal(overlay, copy, other_format="raw")
    assert not images_equal(overlay, base, other_format="raw")


def test_disks_of_every_kind(guest: Guests) -> None:
    """Targets are named after the bus; an element given as text is taken as it is."""
    made = guest(
        disks=[
            DiskSpec(),
            DiskSpec(format="raw", shareable=True),
            DiskSpec(bus="scsi", size=8 * MIB, data=0),
            DiskSpec(bus="ide", device="cdrom", format="raw", readonly=True, size=MIB, data=0),
            "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>",
        ],
    )
    listed = [line.split() for line in made.virsh("domblklist").splitlines() if line.strip()]
    assert [target for target, _ in listed] == ["vda", "vdb", "sda", "hda", "hdc"]
    assert made.source("hdc") is None


def test_writes_to_two_disks(guest: Guests) -> None:
    made = guest(disks=[DiskSpec(), DiskSpec(bus="scsi", format="raw")], drives=2)
    for target in ("vda", "sda"):
        assert is_writing(made.images(target)[0])


def test_what_a_test_leaves_is_removed(hypervisor: Hypervisor, guest: Guests) -> None:
    """Snapshots, a running job, and a daemon that is down."""
    made = guest()
    made.virsh(
        "snapshot-create-as", "one", "--disk-only", "--diskspec", f"vda,file={made.directory / 'one.qcow2'}"
    )
    made.virsh("blockcopy", "vda", made.directory / "copy.qcow2", "--transient-job", "--bandwidth", "1")
    pid = made.pid
    hypervisor.stop_daemon()
    hypervisor.start_daemon()
    guest.remove()
    assert hypervisor.virsh("list", "--all", "--name").split() == []
    assert not made.directory.exists()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), what="QEMU has ended")


def test_pools_and_network_disks(guest: Guests, pool: MakePool, nbd_server: MakeNbd) -> None:
    """A volume as a destination, and both kinds of network disk."""
    slow = pool("slow")
    volume = slow.volume("empty.qcow2", 8 * MIB)
    assert slow.volumes() == ["empty.qcow2"]
    assert virtual_size(volume, "qcow2") == 8 * MIB
    made = guest()
    for tcp in (False, True):
        server = nbd_server(tcp=tcp)
        document = made.directory / "destination.xml"
        document.write_text(f"<disk type='network'>{server.source}<driver type='raw'/></disk>")
        made.virsh("blockcopy", "vda", "--xml", document, "--transient-job", "--reuse-external")
        made.wait_ready()
        mirror = made.mirror()
        assert mirror is not None
        assert mirror.source == server.export
        assert allocated(server.image) > 4 * MIB
        made.virsh("blockjob", "vda", "--abort")


def test_a_full_destination(guest: Guests, small: Path) -> None:
    """The copy fails, and the guest doesn't notice."""
    made = guest(disks=[DiskSpec(data=60 * MIB)])
    made.virsh("blockcopy", "vda", small / "copy.qcow2", "--transient-job")
    wait_for(lambda: made.mirror() is None, what="the copy fails")
    assert is_writing(made.images()[0])


def test_two_hosts_migrate(hypervisor: Hypervisor, hosts: Hosts, guest: Guests) -> None:
    """They see the same files, so this is a migration with shared storage."""
    other = hosts("host-b")
    assert other.virsh("hostname").strip() == "host-b"
    made = guest(persistent=False)
    # They share more than libvirt can know.
    hypervisor.virsh("migrate", "--live", "--unsafe", made.uuid, other.uri, "--migrateuri", "tcp://127.0.0.1")
    try:
        assert other.virsh("domstate", made.uuid).strip() == "running"
        assert is_writing(made.images()[0])
    finally:
        other.virsh("destroy", made.uuid)


def test_a_frozen_daemon_answers_later(hypervisor: Hypervisor) -> None:
    """While it is frozen, nobody gets an answer, and nobody is refused."""
    with hypervisor.frozen():
        asking = subprocess.Popen(["virsh", "-c", hypervisor.uri, "hostname"], stdout=subprocess.PIPE)
        stat = Path(f"/proc/{hypervisor.pid}/stat")
        # The signal is sent, and takes effect when the process is next given the processor.
        wait_for(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", what="it stands still")
    with asking:
        assert asking.communicate()[0].strip() == b"host-a"


_ABANDON = """
import os, sys
from tests.hypervisor import Hypervisor
from tests.guests import Guests
hypervisor = Hypervisor("abandoned")
guest = Guests(hypervisor)()
print(hypervisor.root, guest.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("hypervisor")
def test_nothing_is_left_of_a_killed_run() -> None:
    """Neither a process, nor a mount, nor a directory."""
    top = Path(__file__).parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", _ABANDON], cwd=top, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        root, pid = run.stdout.readline().split()
        assert Path(root).exists()
        run.send_signal(signal.SIGKILL)
    wait_for(lambda: not Path(root).exists(), what="the directory is removed")
    assert not Path(f"/proc/{pid}").exists()
    assert root not in Path("/proc/mounts").read_text()
