"""Back to external snapshots, where libvirt can: what a guest finds there, and that nothing else is lost."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine import carried_out, command, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import Hypervisor
from tests.outside import backing_file, images_equal, is_writing, wait_for
from tests.real_snapshots import OURS, current, dumps, exported, forget_all, snapshots, take, wish
from tests.test_cli_real import program
from tui.model.finding import Finding
from tui.model.hierarchy_request import After, SnapshotDeleteRequest, SnapshotRevertRequest

ACCEPTED = ("--yes", "--lose-present-state")


@pytest.fixture(autouse=True)
def _reverting(hypervisor: Hypervisor) -> None:
    if "<externalSnapshot/>" not in hypervisor.virsh("capabilities"):
        pytest.skip("this libvirt goes back to no external snapshots")


def digest(path: Path | str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def line(guest: Guests, **more: Any) -> tuple[Guest, Path, Path]:
    """A guest with s1 and s2, the image with the state of each, and something written after each."""
    vm = guest(**more)
    base = vm.images()[0]
    take(vm, "s1")
    one = Path(vm.chain()[0])
    wait_for(lambda: not images_equal(one, base), what="the guest has written")
    take(vm, "s2")
    two = Path(vm.chain()[0])
    wait_for(lambda: not images_equal(two, one), what="the guest has written")
    return vm, base, one


def layers(hypervisor: Hypervisor, vm: Guest) -> list[tuple[str, list[str], list[str]]]:
    """What the program says of each image of the first disk."""
    found = json.loads(program(hypervisor, "snapshot", "tree", vm.name, "--json").stdout)["live"]["layers"]
    return [(one["path"], one["new_since"], one["state_of"]) for one in found if one["target"] == "vda"]


def revert(vm: Guest, name: str, after: After = After.RUNNING) -> SnapshotRevertRequest:
    return SnapshotRevertRequest(vm.uuid, name, after, OURS)


def checks(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.check for finding in findings]


# Where one is then


def test_the_disks_are_as_they_were(hypervisor: Hypervisor, guest: Guests) -> None:
    vm, base, one = line(guest, disks=[DiskSpec(), DiskSpec()])
    states = {path: digest(path) for path in (base, one)}
    newest = Path(vm.chain()[0])
    said = program(hypervisor, "snapshot", "revert", vm.name, "s1", *ACCEPTED).stdout
    assert (current(vm), vm.state()) == ("s1", "shut off")
    top = Path(vm.source() or "")
    assert f"vda is on {top}, a new overlay on {base}" in said
    assert backing_file(top) == str(base)
    assert images_equal(top, base)
    assert not newest.exists()
    assert layers(hypervisor, vm) == [(str(top), ["s1"], []), (str(base), [], ["s1"])]
    program(hypervisor, "snapshot", "revert", vm.name, "s2", "--running", *ACCEPTED)
    assert (current(vm), vm.state()) == ("s2", "running")
    assert vm.chain()[1:] == [str(one), str(base)]
    other = one.with_name(one.name.replace("vda", "vdb"))
    assert vm.chain("vdb")[1:] == [str(other), str(vm.images("vdb")[0])]
    assert is_writing(Path(vm.chain()[0]))
    assert states == {path: digest(path) for path in (base, one)}
    assert snapshots(vm) == ["s1", "s2"]


def test_the_memory_is_as_it_was(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    base, memory = vm.images()[0], vm.directory / "memory"
    vm.virsh("snapshot-create-as", "m1", "--memspec", memory, "--diskspec", "vda,snapshot=external")
    take(vm, "s2")
    with watched(hypervisor) as host:
        outcome = carried_out(host, revert(vm, "m1", After.PAUSED))
        assert checks(outcome.findings) == ["reverted", "disk-reverted"]
        assert (current(vm), vm.state()) == ("m1", "paused")
        assert images_equal(Path(vm.chain()[0]), base)
        # At once: libvirt names the new overlay after the second.
        carried_out(host, revert(vm, "m1", After.AS_THEN))
    assert (current(vm), vm.state(), vm.chain()[1:]) == ("m1", "running", [str(base)])
    assert is_writing(Path(vm.chain()[0]))
    program(hypervisor, "snapshot", "delete", vm.name, "s2", "--yes")
    program(hypervisor, "snapshot", "delete", vm.name, "m1", "--yes")
    assert (snapshots(vm), vm.chain(), memory.exists()) == ([], [str(base)], False)


def test_over_an_internal_one(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    take(vm, "inside", memory=True)
    take(vm, "s1")
    program(hypervisor, "snapshot", "revert", vm.name, "s1", "--running", *ACCEPTED)
    assert (current(vm), vm.chain()[1:]) == ("s1", [str(vm.images()[0])])
    with watched(hypervisor) as host:
        # What the overlay stands on would change under it.
        assert refusals(host.plan(revert(vm, "inside"))) == {"state-below"}


# Deleted after that


def test_a_branch_that_was_left_and_the_rest_of_them(hypervisor: Hypervisor, guest: Guests) -> None:
    vm, base, one = line(guest)
    program(hypervisor, "snapshot", "revert", vm.name, "s1", "--running", *ACCEPTED)
    left = Path(vm.chain()[0])
    with watched(hypervisor) as host:
        assert refusals(host.plan(SnapshotDeleteRequest(vm.uuid, "s1"))) == {"branches"}
    take(vm, "s3")
    chain = vm.chain()
    assert [row[1] for row in layers(hypervisor, vm)] == [["s3"], ["s1"], []]
    said = program(hypervisor, "snapshot", "delete", vm.name, "s2", "--yes").stdout
    assert f"{one} is removed" in said
    assert not one.exists()
    assert (snapshots(vm), vm.chain()) == (["s1", "s3"], chain)
    assert is_writing(Path(chain[0]))
    vm.virsh("suspend")
    now = vm.directory / "now.raw"
    command("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", chain[0], str(now))
    for name, there in (("s3", [str(left), str(base)]), ("s1", [str(base)])):
        said = program(hypervisor, "snapshot", "delete", vm.name, name, "--yes").stdout
        assert "is not in the chain of vda" in said
        assert vm.chain() == there
    assert snapshots(vm) == []
    assert images_equal(base, now, other_format="raw")
    assert not left.exists()


def test_the_same_while_the_guest_is_off(hypervisor: Hypervisor, guest: Guests) -> None:
    vm, base, _one = line(guest)
    program(hypervisor, "snapshot", "revert", vm.name, "s1", *ACCEPTED)
    for name in ("s2", "s1"):
        program(hypervisor, "snapshot", "delete", vm.name, name, "--yes")
    assert (snapshots(vm), vm.source(inactive=True), vm.state()) == ([], str(base), "shut off")
    assert sorted(path.name for path in vm.directory.iterdir()) == ["domain.xml", base.name]


# What libvirt itself would destroy


def test_an_image_that_another_snapshot_needs(hypervisor: Hypervisor, guest: Guests) -> None:
    vm, _base, one = line(guest)
    state = digest(one)
    with watched(hypervisor) as host:
        carried_out(host, revert(vm, "s1"))
        take(vm, "s3")
        carried_out(host, SnapshotDeleteRequest(vm.uuid, "s3"))
        # The current one notes an overlay that the guest has left, and that holds the state of another.
        assert current(vm) == "s1"
        for name in ("s1", "s2"):
            assert refusals(host.plan(revert(vm, name))) == {"overlay-needed"}
        take(vm, "kept")
        outcome = carried_out(host, revert(vm, "s2"))
        assert checks(outcome.findings) == ["reverted", "disk-reverted"]
    assert (current(vm), vm.chain()[1]) == ("s2", str(one))
    assert digest(one) == state


def test_without_a_current_one(hypervisor: Hypervisor, guest: Guests) -> None:
    vm, _base, _one = line(guest)
    chain, path = vm.chain(), exported(hypervisor, vm)
    forget_all(vm)
    program(hypervisor, "snapshot", "import", vm.name, path, "--no-current", "--yes")
    assert current(vm) is None
    with watched(hypervisor) as host:
        assert refusals(host.plan(revert(vm, "s1"))) == {"no-current"}
        assert refusals(host.plan(SnapshotDeleteRequest(vm.uuid, "s2"))) == {"base-needed"}
        carried_out(host, wish(vm, path))
        assert current(vm) == "s2"
        carried_out(host, SnapshotDeleteRequest(vm.uuid, "s2"))
    assert vm.chain() == chain[1:]


def test_what_is_not_there_is_missed_before_the_guest_goes_down(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm, _base, one = line(guest)
    kept = one.with_name("kept")
    one.rename(kept)
    with watched(hypervisor) as host:
        assert refusals(host.plan(revert(vm, "s2"))) == {"image-missing"}
    kept.rename(one)
    assert vm.state() == "running"


def test_brought_elsewhere_after_going_back(hypervisor: Hypervisor, guest: Guests) -> None:
    vm, _base, _one = line(guest)
    program(hypervisor, "snapshot", "revert", vm.name, "s1", "--running", *ACCEPTED)
    before, path = dumps(vm), exported(hypervisor, vm)
    forget_all(vm)
    program(hypervisor, "snapshot", "import", vm.name, path, "--yes")
    assert (dumps(vm), current(vm)) == (before, "s1")
    with watched(hypervisor) as host:
        carried_out(host, revert(vm, "s2"))
    assert current(vm) == "s2"
