"""Checkpoints of real guests: the program says what virsh says of them, and a copy keeps or loses them as it said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

from tests.engine import accepted, carried_out, copy_request, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import Hypervisor
from tests.outside import image_info
from tests.test_cli_real import program
from tui.model.checkpoint import CheckpointDisk
from tui.model.finding import Acceptance
from tui.model.request import How, MoveRequest, Then


def take(guest: Guest, name: str, *words: str) -> None:
    guest.virsh("checkpoint-create-as", name, *words)


def bitmaps(guest: Guest, target: str = "vda") -> set[str]:
    """Those in the active layer of a guest that is off."""
    assert guest.state() == "shut off"
    (source,) = guest.chain(target)[:1]
    data = image_info(Path(source), "qcow2")["format-specific"]["data"]
    return {bitmap["name"] for bitmap in data.get("bitmaps", [])}


def test_the_tree_says_what_virsh_says(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(layers=2), DiskSpec()])
    vm.virsh("snapshot-create-as", "s1", "--disk-only")
    take(vm, "first", "--description", "a <b> [red]")
    take(vm, "in-two", "--diskspec", "vda,checkpoint=no", "--diskspec", "vdb")
    found = json.loads(program(hypervisor, "snapshot", "tree", vm.name, "--json").stdout)
    assert [row["name"] for row in found["snapshots"]] == ["s1"]
    rows = found["checkpoints"]
    assert [(row["name"], row["parent"], row["description"]) for row in rows] == [
        ("first", None, "a <b> [red]"),
        ("in-two", "first", None),
    ]
    assert rows[0]["disks"] == [
        {"target": "vda", "bitmap": "first"},
        {"target": "vdb", "bitmap": "first"},
    ]
    assert rows[1]["disks"] == [{"target": "vdb", "bitmap": "in-two"}]
    for row in rows:
        said = etree.fromstring(vm.virsh("checkpoint-dumpxml", row["name"], "--no-domain"))
        assert str(row["created"]) == said.findtext("creationTime")
    text = program(hypervisor, "snapshot", "tree", vm.name, "--ascii").stdout
    assert "1 snapshot, 2 checkpoints" in text
    (line,) = (line for line in text.splitlines() if line.startswith("in-two"))
    assert line.split()[-5:] == ["vdb", "bitmap", "in-two", "after", "first"]
    read_only = program(hypervisor, "--read-only", "snapshot", "tree", vm.name, "--json").stdout
    assert json.loads(read_only)["checkpoints"] == rows
    vm.virsh("destroy")
    off = json.loads(program(hypervisor, "snapshot", "tree", vm.name, "--json").stdout)
    assert off["checkpoints"] == rows
    assert bitmaps(vm, "vdb") == {"first", "in-two"}


def test_a_guest_without_checkpoints(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(running=False)
    with watched(hypervisor) as host:
        assert host.snapshots(vm.uuid).checkpoints == ()


def test_the_command_that_is_named_deletes_one(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    for name in ("c1", "c2"):
        take(vm, name)
    with watched(hypervisor) as host:
        vm.virsh("checkpoint-delete", "c1")
        (left,) = host.snapshots(vm.uuid).checkpoints or ()
        assert (left.name, left.parent, left.disks) == ("c2", None, (CheckpointDisk("vda", "c2"),))


@pytest.mark.parametrize("merge", [False, True])
def test_a_move_with_its_chain_takes_them_along(
    hypervisor: Hypervisor,
    guest: Guests,
    tmp_path: Path,
    merge: bool,  # noqa: FBT001
) -> None:
    vm = guest(disks=[DiskSpec(layers=2)])
    take(vm, "c1")
    take(vm, "c2")
    with watched(hypervisor) as host:
        carried_out(host, MoveRequest(vm.uuid, str(tmp_path), merge_overlay=merge))
        assert [one.name for one in host.snapshots(vm.uuid).checkpoints or ()] == ["c1", "c2"]
    vm.virsh("destroy")
    assert Path(vm.chain()[0]).parent == tmp_path
    assert bitmaps(vm) == {"c1", "c2"}


def test_what_is_not_qcow2_loses_them(hypervisor: Hypervisor, guest: Guests, tmp_path: Path) -> None:
    vm = guest()
    take(vm, "c1")
    flat = MoveRequest(vm.uuid, str(tmp_path), how=How.FLATTEN, format="raw")
    copy = copy_request(vm, vm.directory / "new.raw", image_format="raw", then=Then.PIVOT)
    with watched(hypervisor) as host:
        assert refusals(host.plan(flat)) == refusals(host.plan(copy)) == {"checkpoints"}
        accepted(host, copy_request(vm, vm.directory / "new.qcow2", image_format="qcow2", then=Then.PIVOT))
        loss = frozenset({Acceptance.LOSE_CHECKPOINTS})
        carried_out(
            host,
            copy_request(vm, vm.directory / "new.raw", image_format="raw", then=Then.PIVOT, accepted=loss),
        )
        # libvirt goes on showing a checkpoint whose bitmap is gone.
        assert [one.name for one in host.snapshots(vm.uuid).checkpoints or ()] == ["c1"]
        assert "bitmap 'c1' not found" in vm.virsh("checkpoint-delete", "c1", check=False)
