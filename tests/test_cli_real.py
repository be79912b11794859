"""The program without its screen, as a process of its own, on a real host; what it did is what virsh says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests import outside
from tests.conftest import MakeNbd
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor

ROOT = Path(__file__).parent.parent
SLOW = ("--bandwidth", "1")
"""One MiB per second, at which the copy of a test's disk takes a minute."""


def words(hypervisor: Hypervisor, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "tui", "-c", hypervisor.uri, *map(str, arguments)]


def program(
    hypervisor: Hypervisor, *arguments: str | Path, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    done = subprocess.run(
        words(hypervisor, *arguments),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == status, done.stderr
    return done


def info(guest: Guest) -> str:
    return guest.virsh("blockjob", "vda", "--info", "--bytes", "--raw")


def test_list_says_what_virsh_says(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(layers=3)])
    off = guest(disks=[DiskSpec(layers=2)], running=False)
    (host,) = json.loads(program(hypervisor, "list", "--json").stdout)["hosts"]
    domains = {domain["uuid"]: domain for domain in host["domains"]}
    (disk,) = domains[vm.uuid]["disks"]
    assert [layer["path"] for layer in disk["chain"]] == vm.chain()
    assert domains[vm.uuid]["state"] == vm.state()
    assert f"Capacity:       {disk['capacity']}" in vm.virsh("domblkinfo", "vda")
    (disk,) = domains[off.uuid]["disks"]
    assert [layer["path"] for layer in disk["chain"]] == [str(p) for p in reversed(off.images())]
    assert disk["capacity"] == DiskSpec().size


def test_copy_with_pivot_moves_a_writing_guest(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(layers=3)])
    new = vm.directory / "new.qcow2"
    said = program(hypervisor, "copy", vm.name, "vda", new, "--pivot", "--yes").stdout
    assert vm.source() == vm.source(inactive=True) == str(new)
    assert outside.is_writing(new)
    assert f"has {new} open" in said


def test_copy_returns_and_pivot_waits(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    new = vm.directory / "new.qcow2"
    program(hypervisor, "copy", vm.name, "vda", new, "--yes")
    assert vm.mirror() is not None
    program(hypervisor, "pivot", vm.name, "--wait", "--yes")
    assert vm.source() == str(new)
    assert "urn:virt-mirror" not in vm.xml() + vm.xml(inactive=True)


def test_interrupted_it_leaves_the_job(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(data=16 * MIB)])
    new = vm.directory / "new.qcow2"
    command = words(hypervisor, "copy", vm.name, "vda", new, *SLOW, "--wait", "--yes")
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        outside.wait_for(lambda: vm.mirror() is not None, what="the mirror")
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
        _said, complained = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"virt-mirror -c '{hypervisor.uri}' cancel {vm.name} vda" in complained
    assert vm.mirror() is not None
    program(hypervisor, "speed", vm.name, "vda", "3", "--yes")
    assert str(3 * MIB) in info(vm)
    program(hypervisor, "cancel", vm.name, "vda", "--yes")
    assert vm.mirror() is None
    assert not new.exists()


def test_keep_leaves_a_consistent_copy(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    new = vm.directory / "new.qcow2"
    program(hypervisor, "copy", vm.name, "vda", new, "--wait", "--yes")
    vm.virsh("suspend")
    program(hypervisor, "keep", vm.name, "vda", "--yes")
    assert outside.images_equal(new, vm.images()[0])
    assert vm.source() == str(vm.images()[0])


def test_commit_and_pull(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(layers=4)])
    top, _upper, lower, base = vm.chain()
    plan = json.loads(program(hypervisor, "commit", vm.name, "vda", "--dry-run", "--json").stdout)["plan"]
    assert [layer["path"] for layer in plan["chains"][0]["then"]] == [base]
    assert len(vm.chain()) == 4
    program(hypervisor, "pull", vm.name, "vda", "--base", lower, "--wait", "--yes")
    assert vm.chain() == [top, lower, base]
    said = program(hypervisor, "commit", vm.name, "vda", "--shallow", "--yes").stdout
    assert f"virt-mirror -c '{hypervisor.uri}' pivot {vm.name} vda" in said
    vm.wait_ready()
    program(hypervisor, "pivot", vm.name, "--yes")
    assert vm.chain() == [lower, base]
    program(hypervisor, "commit", vm.name, "vda", "--pivot", "--delete", "--yes")
    assert vm.chain() == [base]
    assert not Path(lower).exists()
    assert vm.source(inactive=True) == base
    assert "urn:virt-mirror" not in vm.xml() + vm.xml(inactive=True)


def test_move_and_undo(hypervisor: Hypervisor, guest: Guests, tmp_path: Path) -> None:
    vm = guest(disks=[DiskSpec(layers=3)])
    before = vm.chain()
    program(hypervisor, "move", vm.name, "--to", tmp_path, "--hold", "--yes")
    assert vm.mirror() is not None
    refusal = program(hypervisor, "cancel", vm.name, "--yes", status=3).stderr
    assert f"virt-mirror -c '{hypervisor.uri}' undo {vm.name}" in refusal
    program(hypervisor, "undo", vm.name, "--yes")
    assert vm.chain() == before
    assert list(tmp_path.iterdir()) == []
    told = program(hypervisor, "move", vm.name, "--to", tmp_path, "--merge-overlay", "--yes")
    assert "Copy " in told.stderr
    assert vm.chain() == [str(tmp_path / Path(path).name) for path in before]
    assert "urn:virt-mirror" not in vm.xml() + vm.xml(inactive=True)


def test_refused_it_changes_nothing(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    before = vm.xml()
    taken = vm.images()[0]
    said = program(hypervisor, "copy", vm.name, "vda", taken, "--yes", status=3).stderr
    assert str(taken) in said
    assert vm.xml() == before


def test_network_destination(hypervisor: Hypervisor, guest: Guests, nbd_server: MakeNbd) -> None:
    vm = guest(delay=None)
    server = nbd_server(DiskSpec().size, tcp=True)
    options = ("--raw", "--reuse-external", "--keep", "--yes")
    program(hypervisor, "copy", vm.name, "vda", server.uri, *options)
    assert outside.images_equal(vm.images()[0], server.image, other_format="raw")
    assert vm.mirror() is None
