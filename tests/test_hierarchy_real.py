"""The snapshots of real guests: seen and deleted; virsh and qemu-img say how it went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lxml import etree

from tests.engine import command, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import Hypervisor
from tests.outside import is_writing
from tests.real_snapshots import (
    current,
    exported,
    forget_all,
    inside,
    snapshots,
    take,
    tree,
)
from tests.test_cli_real import program
from tui.engine.connection import Connection
from tui.model.hierarchy_request import (
    SnapshotDeleteRequest,
    SnapshotRevertRequest,
)

# Seen


def test_the_tree_says_what_virsh_says(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec()], delay=None)
    vm.virsh("snapshot-create-as", "first", "--description", "a <b> [red]")
    vm.virsh("snapshot-create-as", "second", "--disk-only", "--diskspec", "vdb,snapshot=no")
    take(vm, "third")
    found = tree(hypervisor, vm)
    rows = {row["name"]: row for row in found["snapshots"]}  # type: ignore[attr-defined]
    assert list(rows) == ["first", "second", "third"]
    assert found["current"] == "third" == current(vm)
    assert [row["parent"] for row in rows.values()] == [None, "first", "second"]
    assert [row["kind"] for row in rows.values()] == ["internal", "external", "external"]
    assert [row["state"] for row in rows.values()] == ["running", "disk-snapshot", "disk-snapshot"]
    assert rows["first"]["description"] == "a <b> [red]"
    assert [disk["target"] for disk in rows["second"]["disks"]] == ["vda"]
    for name, row in rows.items():
        said = etree.fromstring(vm.virsh("snapshot-dumpxml", name))
        assert str(row["created"]) == said.findtext("creationTime")
    top, middle, base = vm.chain()
    vda = [layer for layer in found["live"]["layers"] if layer["target"] == "vda"]  # type: ignore[index]
    assert [layer["path"] for layer in vda] == [top, middle, base]
    assert [layer["new_since"] for layer in vda] == [["third"], ["second"], []]
    assert [layer["state_of"] for layer in vda] == [[], ["third"], ["second"]]
    assert [layer["inside"] for layer in vda] == [[], [], ["first"]]
    (overlay,) = (disk["overlay"] for disk in rows["third"]["disks"] if disk["target"] == "vda")
    assert overlay["path"] == top
    assert overlay["size"] == Path(top).stat().st_blocks * 512
    said_lines = program(hypervisor, "snapshot", "tree", vm.name, "--ascii").stdout
    assert "` < now" in said_lines
    assert "what the guest writes now" in said_lines
    assert said_lines.isascii()


def test_a_guest_without_snapshots(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(running=False)
    assert tree(hypervisor, vm)["snapshots"] == []
    assert "no snapshots" in program(hypervisor, "snapshot", "tree", vm.name).stdout
    assert "no snapshots" in program(hypervisor, "snapshot", "export", vm.name, status=1).stderr


def test_two_hundred_snapshots_wide_and_deep(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(running=False)
    vm.virsh("snapshot-create-as", "s0")
    one = vm.virsh("snapshot-dumpxml", "s0", "--security-info")
    forget_all(vm)
    parents = {f"s{n}": f"s{n - 1 if n % 2 else n // 3}" for n in range(1, 200)}
    connection = Connection(hypervisor.uri, read_only=False, on_event=lambda _: None)
    for number, name in enumerate(["s0", *parents]):
        above = f"<parent><name>{parents[name]}</name></parent>" if number else ""
        text = one.replace("<name>s0<", f"<name>{name}<").replace("</state>", f"</state>{above}")
        connection.redefine_snapshot(vm.uuid, text, current=name == "s100")
    connection.calls.clear()
    before = connection.known_snapshots(vm.uuid)
    assert len(before) == 200
    assert connection.calls["snapshotGetXMLDesc"] == 200
    assert sum(connection.calls.values()) < 210
    found = tree(hypervisor, vm)
    assert {row["name"]: row["parent"] for row in found["snapshots"]} == {"s0": None, **parents}  # type: ignore[attr-defined]
    path = exported(hypervisor, vm)
    program(hypervisor, "snapshot", "delete", vm.name, "s0", "--metadata-only", "--children", "--yes")
    assert snapshots(vm) == []
    program(hypervisor, "snapshot", "import", vm.name, path, "--lose-snapshots", "--yes")
    assert {one.name: one.xml for one in connection.known_snapshots(vm.uuid)} == {
        one.name: one.xml for one in before
    }
    connection.close()
    assert len(snapshots(vm)) == 200
    assert current(vm) == "s100"


# Deleted


def test_the_memory_goes_with_its_snapshot_and_stays_where_that_is_forgotten(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest()
    memory, kept = vm.directory / "memory", vm.directory / "kept"
    vm.virsh("snapshot-create-as", "s0", "--memspec", kept, "--diskspec", "vda,snapshot=external")
    said = program(hypervisor, "snapshot", "delete", vm.name, "s0", "--metadata-only", "--yes").stderr
    assert f"rm -- {kept}" in said
    assert kept.exists()
    vm.virsh("snapshot-create-as", "s1", "--memspec", memory, "--diskspec", "vda,snapshot=external")
    middle = vm.chain()[1]
    plan = program(hypervisor, "snapshot", "delete", vm.name, "s1", "--dry-run").stdout
    assert f"Remove {memory}, the memory that the snapshot s1 held" in plan
    done = program(hypervisor, "snapshot", "delete", vm.name, "s1", "--yes")
    assert vm.chain()[0] == middle
    assert not memory.exists()
    assert f"{memory} is removed" in done.stdout
    assert str(memory) not in done.stderr


def test_forgotten_alone_or_with_all_that_descend(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    take(vm, "s1", "s2", "s3", "s4")
    chain = vm.chain()
    program(hypervisor, "snapshot", "delete", vm.name, "s2", "--metadata-only", "--yes")
    assert snapshots(vm) == ["s1", "s3", "s4"]
    assert "<name>s1</name>" in vm.virsh("snapshot-dumpxml", "s3", "--xpath", "//parent")
    program(hypervisor, "snapshot", "delete", vm.name, "s1", "--metadata-only", "--children-only", "--yes")
    assert snapshots(vm) == ["s1"]
    assert current(vm) == "s1"
    program(hypervisor, "snapshot", "delete", vm.name, "s1", "--metadata-only", "--children", "--yes")
    assert snapshots(vm) == []
    assert vm.chain() == chain


def test_internal_ones_go_out_of_the_images(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec()])
    take(vm, "s1", "s2", "s3", memory=True)
    said = program(hypervisor, "snapshot", "delete", vm.name, "s2", "--yes").stdout
    assert "has none of them inside any more" in said
    assert snapshots(vm) == ["s1", "s3"]
    for target in ("vda", "vdb"):
        assert inside(vm.images(target)[0]) == ["s1", "s3"]
    program(hypervisor, "snapshot", "delete", vm.name, "s1", "--children", "--yes")
    assert snapshots(vm) == []
    assert inside(vm.images()[0]) == []
    assert vm.state() == "running"


def test_an_external_one_is_merged(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec()])
    base = vm.chain()
    take(vm, "s1", "s2")
    top = vm.chain()[0]
    program(hypervisor, "snapshot", "delete", vm.name, "s1", "--yes")
    assert snapshots(vm) == ["s2"]
    assert vm.chain() == [top, *base]
    program(hypervisor, "snapshot", "delete", vm.name, "s2", "--yes")
    assert (snapshots(vm), vm.chain()) == ([], base)
    assert is_writing(Path(base[0]))


def test_the_same_while_the_guest_is_off(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec()], delay=None)
    base = vm.images()[0]
    take(vm, "s1", "s2")
    vm.virsh("destroy")
    for name in ("s1", "s2"):
        program(hypervisor, "snapshot", "delete", vm.name, name, "--yes")
    assert (snapshots(vm), vm.source(inactive=True), vm.state()) == ([], str(base), "shut off")
    assert sorted(one.name for one in vm.directory.iterdir()) == ["domain.xml", base.name]
    take(vm, "i1", "i2", memory=True)
    program(hypervisor, "snapshot", "delete", vm.name, "i1", "--yes")
    assert inside(base) == ["i2"]


def test_an_overlay_with_a_state_inside_is_not_removed(hypervisor: Hypervisor, guest: Guests) -> None:
    """libvirt would merge it, remove its file, and go on listing what was inside."""
    vm = guest(disks=[DiskSpec()])
    take(vm, "s1")
    overlay = Path(vm.chain()[0])
    take(vm, "i", memory=True)
    take(vm, "s2")
    with watched(hypervisor) as host:
        plan = host.plan(SnapshotDeleteRequest(vm.uuid, "s1"))
        assert refusals(plan) == {"internal-snapshots"}
    assert inside(overlay) == ["i"]
    # What it names as the way goes, the youngest first.
    for name in ("s2", "i", "s1"):
        program(hypervisor, "snapshot", "delete", vm.name, name, "--yes")
    assert snapshots(vm) == []
    assert not overlay.exists()
    assert is_writing(Path(vm.chain()[0]))


def why_lost(hypervisor: Hypervisor, vm: Guest) -> dict[str, str | None]:
    """By snapshot, of its first disk."""
    rows: Any = tree(hypervisor, vm)["snapshots"]
    assert all(disk["state_lost"] == bool(disk["why_lost"]) for row in rows for disk in row["disks"])
    return {row["name"]: row["disks"][0]["why_lost"] for row in rows}


def test_a_state_that_libvirt_has_lost_is_told(hypervisor: Hypervisor, guest: Guests) -> None:
    """It merged the overlay that had the state inside, removed it, and goes on listing the snapshot."""
    vm = guest(disks=[DiskSpec()])
    take(vm, "s1")
    overlay = vm.chain()[0]
    take(vm, "i", memory=True)
    assert why_lost(hypervisor, vm) == {"s1": None, "i": None}
    vm.virsh("snapshot-delete", "s1")
    assert snapshots(vm) == ["i"]
    assert not Path(overlay).exists()
    assert why_lost(hypervisor, vm) == {"i": f"{overlay} is not there"}
    assert " lost" in program(hypervisor, "snapshot", "tree", vm.name).stdout
    doctor = program(hypervisor, "doctor", vm.name).stdout
    assert f"the state of the snapshot i is lost of vda: {overlay} is not there" in doctor
    forget = f"snapshot delete {vm.name} i --metadata-only"
    with watched(hypervisor) as host:
        for request in (SnapshotRevertRequest(vm.uuid, "i"), SnapshotDeleteRequest(vm.uuid, "i")):
            plan = host.plan(request)
            assert refusals(plan) == {"state-missing"}
            assert forget in plan.remedies
        assert {finding.check for finding in host.examine(vm.uuid)} == {"snapshot-lost", "snapshots-unfit"}
    program(hypervisor, "snapshot", "delete", vm.name, "i", "--metadata-only", "--yes")
    with watched(hypervisor) as host:
        assert {finding.check for finding in host.examine(vm.uuid)} == {"healthy"}


def test_what_a_state_stands_on_is_missed(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec()], delay=None)
    base = Path(vm.chain()[0])
    take(vm, "s1", "s2", "s3")
    third, second, first, _base = map(Path, vm.chain())
    vm.virsh("destroy")
    # The guest goes its own way, and the three are a branch that it has left.
    other = vm.directory / "other.qcow2"
    command("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(other))
    document = vm.directory / "other.xml"
    document.write_text(vm.xml(inactive=True).replace(str(third), str(other)))
    hypervisor.virsh("define", document)
    assert why_lost(hypervisor, vm) == dict.fromkeys(("s1", "s2", "s3"))
    aside = first.rename(first.with_suffix(".aside"))
    gone = f"{first} is not there"
    assert why_lost(hypervisor, vm) == {"s1": None, "s2": gone, "s3": gone}
    aside.rename(first)
    second.unlink()
    assert why_lost(hypervisor, vm) == {"s1": None, "s2": None, "s3": f"{second} is not there"}


def test_a_guest_that_runs_on_what_is_gone_is_told_first(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path
) -> None:
    vm = guest(disks=[DiskSpec()])
    take(vm, "s1", "s2")
    gone = Path(vm.chain()[1])
    gone.unlink()
    save = f"move {vm.name} vda --to DIR --flatten"
    said = json.loads(program(hypervisor, "doctor", vm.name, "--json").stdout)
    (first, *_others) = said["hosts"][0]["findings"]
    assert first["check"] == "image-gone"
    assert f"{vm.name} vda runs on {gone}, which is not there any more" in first["reason"]
    assert save in first["remedy"]
    told: Any = tree(hypervisor, vm)["problems"]
    assert str(gone) in told[0]
    with watched(hypervisor) as host:
        plan = host.plan(SnapshotRevertRequest(vm.uuid, "s1"))
        assert refusals(plan) == {"image-gone"}
    # Whoever has it forgotten hears of it as before.
    program(hypervisor, "snapshot", "delete", vm.name, "s2", "--metadata-only", "--yes")
    assert str(gone) in program(hypervisor, "doctor", vm.name).stdout
    # What it names as the way saves the guest.
    flat = ("--flatten", "--yes")
    program(hypervisor, "move", vm.name, "vda", "--to", tmp_path, *flat)
    assert "image-gone" not in program(hypervisor, "doctor", vm.name, "--json").stdout
    (image,) = vm.chain()
    assert is_writing(Path(image))


def test_what_must_not_be_deleted(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec()])
    take(vm, "inside", memory=True)
    take(vm, "s1", "s2")
    twin = vm.directory / "twin.xml"
    twin.write_text(vm.virsh("snapshot-dumpxml", "s2").replace("<name>s2<", "<name>twin<"))
    vm.virsh("snapshot-create", twin, "--redefine")

    def refused(name: str, **more: bool) -> set[str]:
        return refusals(host.plan(SnapshotDeleteRequest(vm.uuid, name, **more)))

    with watched(hypervisor) as host:
        assert refused("none") == {"no-such-snapshot"}
        assert refused("inside") == {"state-below"}
        assert refused("s1") == {"branches"}
        assert "the snapshot twin needs" in str(host.plan(SnapshotDeleteRequest(vm.uuid, "s2")).findings)
        assert refused("s1", children=True) == {"external-children"}
        assert refused("twin", itself=False, children=True) == {"no-children"}
        vm.virsh("blockcopy", "vda", "--dest", vm.directory / "m", "--transient-job", "--bandwidth", "1")
        assert "job-running" in refused("s2")
    # libvirt itself would not have noticed the branches.
    assert len(vm.chain()) == 3
