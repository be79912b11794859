"""What a refusal says to do first really gets there: the commands are typed as they were told."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from tests.engine import cut_off
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import Hypervisor
from tests.outside import check, is_writing
from tests.real_snapshots import current, snapshots, take, tree
from tests.test_cli_real import program


def refusal(hypervisor: Hypervisor, *words: str | Path) -> str:
    """What a refused command says."""
    return program(hypervisor, *words, "--yes", status=3).stderr


def told(said: str, after: str) -> list[list[str]]:
    """The commands that stand behind those words, without the program's name."""
    _, _, commands = said.partition(after)
    line = commands.strip().splitlines()[0].partition(". ")[0]
    return [shlex.split(one)[1:] for one in line.split("; ")]


def obey(hypervisor: Hypervisor, commands: list[list[str]]) -> None:
    """Type them."""
    for words in commands:
        program(hypervisor, *words, "--yes")


def test_a_layer_above_a_snapshot_that_was_cut_short(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path
) -> None:
    vm = guest(disks=[DiskSpec()])
    before = vm.chain()
    cut_off(vm, {"uuid": vm.uuid, "name": "s1", "specs": [f"vda,mirror={tmp_path}/m"]}, 1, "before")
    vm.virsh("snapshot-create-as", "above", "--disk-only", "--no-metadata")
    for words in (("snapshot", "delete", vm.name, "s1"), ("commit", vm.name, "vda", "--shallow")):
        said = refusal(hypervisor, *words)
        assert f"undo {vm.name}" in said
        assert "--pivot" not in said
    (merge,) = told(refusal(hypervisor, "undo", vm.name), "Merge that first: ")
    hypervisor.virsh(*merge[merge.index("blockcommit") :])
    program(hypervisor, "undo", vm.name, "--yes")
    assert (vm.chain(), snapshots(vm)) == (before, [])
    assert is_writing(Path(before[0]))


def test_a_layer_above_the_overlay_of_a_snapshot_is_merged_and_costs_it_nothing(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=[DiskSpec()])
    take(vm, "s0")
    overlay, base = vm.chain()
    state = Path(base).read_bytes()
    vm.virsh("snapshot-create-as", "above", "--disk-only", "--no-metadata")
    program(hypervisor, "commit", vm.name, "vda", "--shallow", "--pivot", "--yes")
    assert vm.chain() == [overlay, base]
    assert Path(base).read_bytes() == state
    program(hypervisor, "snapshot", "delete", vm.name, "s0", "--yes")
    assert vm.chain() == [base]


def test_deleting_what_a_commit_would_lose_merges_the_same_images(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=[DiskSpec()])
    (base,) = vm.chain()
    take(vm, "s1", "s2")
    said = refusal(hypervisor, "commit", vm.name, "vda", "--pivot")
    commands = told(said, "merges their overlays as well: ")
    assert [words[-1] for words in commands] == ["s2", "s1"]
    obey(hypervisor, commands)
    assert (vm.chain(), snapshots(vm)) == ([base], [])


def test_branches_that_the_guest_has_left_are_let_go_first(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec()])
    (base,) = vm.chain()
    take(vm, "s1", "s2")
    overlays = vm.chain()[:2]
    _branch(vm, "s2", "left", parent="s1")
    _branch(vm, "s2", "further", parent="left")
    assert current(vm) == "s2"
    commands = told(refusal(hypervisor, "snapshot", "delete", vm.name, "s1"), "other branches first: ")
    obey(hypervisor, commands)
    assert snapshots(vm) == ["s1", "s2"]
    assert vm.chain()[:2] == overlays
    for name in ("s1", "s2"):
        program(hypervisor, "snapshot", "delete", vm.name, name, "--yes")
    assert vm.chain() == [base]


def test_all_below_one_by_one_with_a_branch_that_the_guest_has_left(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=[DiskSpec()])
    (base,) = vm.chain()
    take(vm, "s1", "s2")
    _branch(vm, "s2", "left", parent="s1")
    obey(
        hypervisor,
        told(refusal(hypervisor, "snapshot", "delete", vm.name, "s1", "--children"), "youngest first: "),
    )
    assert (vm.chain(), snapshots(vm)) == ([base], [])


def test_a_deletion_that_was_cut_short_is_done_once_more(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec()])
    (base,) = vm.chain()
    take(vm, "a", "b", "c")
    # As libvirtd 9.0 leaves it that dies while it merges the overlay of b.
    text = vm.virsh("snapshot-dumpxml", "a", "--security-info")
    marked = vm.directory / "marked.xml"
    marked.write_text(text.replace("<source", "<snapshotDeleteInProgress/><source", 1))
    vm.virsh("snapshot-create", marked, "--redefine")
    assert "snapshotDeleteInProgress" in vm.virsh("snapshot-dumpxml", "a")
    assert "The deletion of b has not come to its end" in str(tree(hypervisor, vm)["problems"])
    assert "not completed" in vm.virsh("snapshot-delete", "a", check=False)
    obey(hypervisor, told(refusal(hypervisor, "snapshot", "delete", vm.name, "a"), "once more first: "))
    assert tree(hypervisor, vm)["problems"] == []
    for name in ("a", "c"):
        program(hypervisor, "snapshot", "delete", vm.name, name, "--yes")
    assert vm.chain() == [base]
    vm.virsh("destroy")
    assert check(Path(base)) == 0


def test_an_image_that_another_disk_stands_on_is_kept_by_forgetting(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm, other = guest(disks=[DiskSpec()], delay=None), guest(running=False)
    take(vm, "s1", "s2")
    chain = vm.chain()
    image = other.images()[-1]
    image.unlink()
    make = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", chain[1], "-F", "qcow2", str(image)]
    subprocess.run(make, check=True)
    said = refusal(hypervisor, "snapshot", "delete", vm.name, "s1")
    assert f"{other.name} vda needs" in said
    obey(hypervisor, told(said, "leave the images as they are: "))
    assert snapshots(vm) == ["s2"]
    assert vm.chain() == chain


def _branch(vm: Guest, like: str, name: str, *, parent: str) -> None:
    """A record of one more snapshot, on a branch that the guest is not on."""
    text = vm.virsh("snapshot-dumpxml", like)
    given = text.partition("<parent>")[2].partition("</parent>")[0]
    text = text.replace(f"<name>{like}<", f"<name>{name}<", 1).replace(given, f"<name>{parent}</name>")
    text = text.replace(f".{like}'", f".{name}'")
    file = vm.directory / "branch.xml"
    file.write_text(text)
    vm.virsh("snapshot-create", file, "--redefine")
