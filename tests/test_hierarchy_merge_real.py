"""External snapshots that libvirt does not delete, on real guests: merged, forgotten, and gone on with when killed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.engine import accepted, carried_out, command, cut_off, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import backing_file, check, images_equal, is_writing, wait_for
from tests.real_snapshots import current, inside, snapshots, state_in, take
from tests.test_cli_real import program
from tui.model.begin_steps import StartPull
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.request import RecoverRequest

DISKS = [DiskSpec(data=8 * MIB), DiskSpec()]
TARGETS = ("vda", "vdb")


def digest(path: Path | str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole(guest: Guest, *images: str) -> bool:
    """Whether nothing of a plan is left in the definitions, and the images are sound once the guest is off."""
    assert "urn:virt-mirror" not in guest.xml() + guest.xml(inactive=True)
    assert guest.state() == "running"
    guest.virsh("destroy")
    return all(check(Path(path)) == 0 for path in images)


def other_on(guest: Guests, base: Path) -> tuple[Guest, Path]:
    """A guest that is off, and whose disk stands on the same image."""
    other = guest(running=False)
    image = other.images()[0]
    image.unlink()
    command("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(image))
    return other, image


# By commits


def test_after_an_internal_one_the_overlays_are_committed_while_the_guest_writes(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=DISKS)
    bases = [vm.chain(target)[0] for target in TARGETS]
    take(vm, "inside", memory=True)
    held = state_in(Path(bases[0]), "inside", vm.directory / "before")
    take(vm, "s1")
    overlays = [vm.chain(target)[0] for target in TARGETS]
    assert is_writing(Path(overlays[0]))
    assert "not supported" in vm.virsh("snapshot-delete", "s1", check=False), "libvirt itself"
    shown = program(hypervisor, "snapshot", "delete", vm.name, "s1", "--dry-run").stdout
    assert "comes after an internal one, as s1 does" in shown
    for command_ in ("blockcommit", "--pivot", f"snapshot-delete {vm.name} s1 --metadata"):
        assert command_ in shown
    program(hypervisor, "snapshot", "delete", vm.name, "s1", "--yes")
    assert (snapshots(vm), current(vm)) == (["inside"], "inside")
    assert [vm.chain(target) for target in TARGETS] == [[base] for base in bases]
    assert [vm.source(target, inactive=True) for target in TARGETS] == bases
    assert not any(Path(overlay).exists() for overlay in overlays)
    assert is_writing(Path(bases[0]))
    assert state_in(Path(bases[0]), "inside", vm.directory / "after") == held
    program(hypervisor, "snapshot", "delete", vm.name, "inside", "--yes")
    assert inside(Path(bases[0])) == []
    assert is_whole(vm, *bases)


def test_what_the_guest_sees_is_the_same_afterwards(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=DISKS, delay=None)
    (base,) = vm.chain()
    take(vm, "inside", memory=True)
    take(vm, "s1")
    vm.virsh("qemu-monitor-command", "--hmp", 'qemu-io -d libvirt-1-format "write -P 7 1M 1M"', check=False)
    seen = vm.directory / "seen.raw"
    command("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", vm.chain()[0], str(seen))
    with watched(hypervisor) as host:
        outcome = carried_out(host, SnapshotDeleteRequest(vm.uuid, "s1"))
        assert {"live-xml", "persistent-xml", "chain", "snapshots-gone"} <= {
            f.check for f in outcome.findings
        }
        assert all(f.severity.value == "fine" for f in outcome.findings), outcome.findings
        assert journal_is_empty(host)
    vm.virsh("suspend")
    assert vm.chain() == [base]
    assert images_equal(seen, Path(base), one_format="raw")


def test_while_the_guest_is_off_it_says_what_to_do(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec()])
    take(vm, "inside", memory=True)
    take(vm, "s1")
    chain = vm.chain()
    vm.virsh("destroy")
    with watched(hypervisor) as host:
        plan = host.plan(SnapshotDeleteRequest(vm.uuid, "s1"))
        assert refusals(plan) == {"external-unsupported"}
        assert "Start the guest, and delete it then" in plan.remedies
    vm.virsh("start")
    assert vm.chain() == chain
    program(hypervisor, "snapshot", "delete", vm.name, "s1", "--yes")
    assert vm.chain() == chain[1:]


# By pulls


def test_what_another_guest_stands_on_is_pulled_and_stays(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(layers=2, data=8 * MIB)], delay=None)
    middle, lowest = vm.chain()
    take(vm, "s1")
    overlay = vm.chain()[0]
    other, image = other_on(guest, Path(middle))
    before = digest(middle)
    seen = vm.directory / "seen.raw"
    command("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", overlay, str(seen))
    shown = program(hypervisor, "snapshot", "delete", vm.name, "s1", "--dry-run").stdout
    assert f"{other.name} vda needs {middle} as it is" in shown
    for said in ("blockpull", "grows by", f"snapshot-delete {vm.name} s1 --metadata"):
        assert said in shown
    done = program(hypervisor, "snapshot", "delete", vm.name, "s1", "--yes").stdout
    assert f"which stay where they are: {middle}" in done
    assert (snapshots(vm), vm.chain()) == ([], [overlay, lowest])
    assert backing_file(Path(overlay)) == lowest
    assert digest(middle) == before
    assert backing_file(image) == middle
    vm.virsh("suspend")
    assert images_equal(seen, Path(overlay), one_format="raw")
    vm.virsh("resume")
    assert is_whole(vm, overlay, lowest, middle, str(image))


def test_one_disk_by_a_commit_and_one_by_a_pull_while_the_guest_writes(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=DISKS)
    bases = [vm.chain(target)[0] for target in TARGETS]
    take(vm, "s1")
    overlays = [vm.chain(target)[0] for target in TARGETS]
    _other, image = other_on(guest, Path(bases[0]))
    assert is_writing(Path(overlays[0]))
    before = digest(bases[0])
    program(hypervisor, "snapshot", "delete", vm.name, "s1", "--yes")
    assert [vm.chain(target) for target in TARGETS] == [[overlays[0]], [bases[1]]]
    assert (snapshots(vm), digest(bases[0])) == ([], before)
    assert [Path(overlay).exists() for overlay in overlays] == [True, False]
    assert is_writing(Path(overlays[0]))
    assert is_whole(vm, overlays[0], *bases, str(image))


# Killed


@pytest.mark.parametrize(
    ("number", "when"),
    [
        (0, "before"),
        (1, "inside"),
        (3, "after"),
        (4, "inside"),
        (4, "after"),
        (8, "after"),
        (9, "before"),
        (9, "inside"),
    ],
)
def test_killed_between_the_commits_and_the_forgetting(
    hypervisor: Hypervisor, guest: Guests, number: int, when: str
) -> None:
    vm = guest(disks=DISKS)
    bases = [vm.chain(target)[0] for target in TARGETS]
    take(vm, "inside", memory=True)
    take(vm, "s1")
    cut_off(vm, {"uuid": vm.uuid, "deleted": "s1"}, number, when)
    with watched(hypervisor) as host:
        (entry,) = host.state.entries
        assert entry.reached == number
        carried_out(host, RecoverRequest(vm.uuid, undo=False))
        assert journal_is_empty(host)
    assert snapshots(vm) == ["inside"]
    assert [vm.chain(target) for target in TARGETS] == [[base] for base in bases]
    assert is_writing(Path(bases[0]))
    assert is_whole(vm, *bases)


@pytest.mark.parametrize(("number", "undo"), [(1, True), (9, False)])
def test_killed_and_taken_back_as_long_as_no_disk_has_gone_over(
    hypervisor: Hypervisor, guest: Guests, number: int, *, undo: bool
) -> None:
    vm = guest(disks=DISKS)
    take(vm, "inside", memory=True)
    take(vm, "s1")
    chains = [vm.chain(target) for target in TARGETS]
    cut_off(vm, {"uuid": vm.uuid, "deleted": "s1"}, number, "before")
    with watched(hypervisor) as host:
        request = RecoverRequest(vm.uuid, undo=True)
        if not undo:
            assert refusals(host.plan(request)) == {"past-the-pivot"}
            return
        carried_out(host, request)
        assert journal_is_empty(host)
        assert [vm.chain(target) for target in TARGETS] == chains
        assert snapshots(vm) == ["inside", "s1"]
        carried_out(host, SnapshotDeleteRequest(vm.uuid, "s1"))
    assert [vm.chain(target) for target in TARGETS] == [chain[1:] for chain in chains]


@pytest.mark.parametrize(("number", "when"), [(0, "inside"), (1, "after"), (3, "before")])
def test_a_pull_that_ends_when_nobody_looks_is_gone_on_with(
    hypervisor: Hypervisor, guest: Guests, number: int, when: str
) -> None:
    vm = guest(disks=[DiskSpec(layers=2)])
    middle, lowest = vm.chain()
    take(vm, "s1")
    overlay = vm.chain()[0]
    other_on(guest, Path(middle))
    with watched(hypervisor) as host:
        assert any(
            isinstance(step, StartPull) for step in accepted(host, SnapshotDeleteRequest(vm.uuid, "s1")).steps
        )
    cut_off(vm, {"uuid": vm.uuid, "deleted": "s1"}, number, when)
    wait_for(lambda: vm.chain() == [overlay, lowest], what="the pull has ended")
    with watched(hypervisor) as host:
        carried_out(host, RecoverRequest(vm.uuid, undo=False))
        assert journal_is_empty(host)
    assert (snapshots(vm), vm.chain()) == ([], [overlay, lowest])
    assert is_whole(vm, overlay, middle, lowest)
