"""Back to snapshots of real guests, internal ones and by hand; virsh and qemu-img say how it went."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.engine import carried_out, command, refusals, watched
from tests.guests import DiskSpec, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import backing_file, is_writing
from tests.real_snapshots import (
    OURS,
    current,
    snapshots,
    state_in,
    take,
    tree,
)
from tests.test_cli_real import program
from tui.model.hierarchy_request import (
    SnapshotRevertRequest,
)


def test_back_to_an_internal_one(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec(size=8 * MIB)])
    take(vm, "s1", "s2", memory=True)
    refusal = program(hypervisor, "snapshot", "revert", vm.name, "s1", "--yes", status=3).stderr
    assert "--lose-present-state" in refusal
    assert current(vm) == "s2"
    program(hypervisor, "snapshot", "revert", vm.name, "s1", "--yes", "--lose-present-state")
    assert (current(vm), vm.state()) == ("s1", "running")
    assert is_writing(vm.images()[0])
    program(hypervisor, "snapshot", "revert", vm.name, "s2", "--paused", "--yes", "--lose-present-state")
    assert (current(vm), vm.state()) == ("s2", "paused")


def test_going_back_keeps_what_only_notes_know_of_later_snapshots(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest()
    manual = ("--method", "manual", "--pause", "--command", "true", "--yes")
    program(hypervisor, "snapshot", "create", vm.name, "h1", *manual)
    program(hypervisor, "snapshot", "create", vm.name, "i1", "--method", "internal", "--yes")
    program(hypervisor, "snapshot", "create", vm.name, "h2", *manual)
    said = program(hypervisor, "snapshot", "revert", vm.name, "i1", "--lose-present-state", "--yes")
    assert "is back at i1" in said.stdout
    rows: Any = tree(hypervisor, vm)["snapshots"]
    assert {row["name"]: row["kind"] for row in rows} == {"h1": "manual", "i1": "internal", "h2": "manual"}
    for text in (vm.xml(), vm.xml(inactive=True)):
        assert text.count("urn:virt-mirror:snapshot:") >= 2
    assert is_writing(vm.images()[0])


@pytest.mark.parametrize("running", [True, False])
def test_going_back_brings_no_plan_of_that_time_back_and_keeps_notes(
    hypervisor: Hypervisor, guest: Guests, *, running: bool
) -> None:
    vm = guest(running=running)
    plan, note = "urn:virt-mirror:plan:old", "urn:virt-mirror:quarantine:new"

    def write(space: str, text: str) -> None:
        sides = ["--live"] if vm.state() == "running" else []
        vm.virsh("metadata", space, "--key", "virt-mirror", "--set", text, *sides, "--config")

    write(plan, "<plan/>")
    take(vm, "s1", memory=True)
    if not running:
        vm.virsh("start")
    for side in ("--live", "--config"):
        vm.virsh("metadata", plan, "--remove", side)
    write(note, f"<quarantine since='1'><directory>{vm.directory}</directory></quarantine>")
    with watched(hypervisor) as host:
        carried_out(host, SnapshotRevertRequest(vm.uuid, "s1", accepted=OURS))
    assert vm.state() == ("running" if running else "shut off")
    for text in (vm.xml(), vm.xml(inactive=True)):
        assert plan not in text
        assert note in text


def test_what_cannot_be_gone_back_to(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec()])
    take(vm, "inside", memory=True)
    base = vm.images()[0]
    take(vm, "s1")
    with watched(hypervisor) as host:
        if "<externalSnapshot/>" not in hypervisor.virsh("capabilities"):
            plan = host.plan(SnapshotRevertRequest(vm.uuid, "s1", accepted=OURS))
            assert refusals(plan) == {"revert-unsupported"}
            said = " ".join(finding.remedy for finding in plan.findings)
            assert f"qemu-img create -f qcow2 -b {base} -F qcow2 NEW" in said
        assert refusals(host.plan(SnapshotRevertRequest(vm.uuid, "inside", accepted=OURS))) == {"state-below"}
        assert refusals(host.plan(SnapshotRevertRequest(vm.uuid, "none"))) == {"no-such-snapshot"}
    assert backing_file(Path(vm.chain()[0])) == str(base)


def test_what_the_plan_says_to_do_by_hand_brings_an_external_one_back(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=[DiskSpec(format="raw")])
    if "<externalSnapshot/>" in hypervisor.virsh("capabilities"):
        pytest.skip("this libvirt goes back by itself")
    memory, (base,) = vm.directory / "memory", vm.chain()
    vm.virsh("snapshot-create-as", "s1", "--memspec", memory, "--diskspec", "vda,snapshot=external")
    take(vm, "s2")
    with watched(hypervisor) as host:
        plan = host.plan(SnapshotRevertRequest(vm.uuid, "s1", accepted=OURS))
        (remedy,) = (finding.remedy for finding in plan.findings if finding.check == "revert-unsupported")
    vm.virsh("destroy")
    create = next(part for part in remedy.split("; ") if "qemu-img create" in part).partition(": ")[2]
    new = vm.directory / "new"
    command(*shlex.split(create.replace("NEW-vda", str(new))))
    then: Any = etree.fromstring(hypervisor.virsh("save-image-dumpxml", memory))
    assert "with driver type='qcow2', and remove every <backingStore> of these disks" in remedy
    (disk,) = then.xpath("//disk[target/@dev='vda']")
    disk.find("source").set("file", str(new))
    disk.find("driver").set("type", "qcow2")
    for below in disk.findall("backingStore"):
        disk.remove(below)
    text = vm.directory / "then.xml"
    text.write_bytes(etree.tostring(then))
    restore = shlex.split(remedy.rpartition("; ")[2])
    hypervisor.virsh(*(str(text) if word == "then.xml" else word for word in restore if word != "virsh"))
    assert vm.state() == "running"
    assert vm.chain() == [str(new), base]
    assert is_writing(new)


def test_an_internal_one_below_an_overlay_is_reached_by_what_the_plan_says(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=[DiskSpec(data=4 * MIB), DiskSpec()])
    take(vm, "inside", memory=True)
    base = vm.images()[0]
    held = state_in(base, "inside", vm.directory / "before")
    take(vm, "ext1")
    assert is_writing(Path(vm.chain()[0]))
    with watched(hypervisor) as host:
        (remedy,) = {
            finding.remedy
            for finding in host.plan(SnapshotRevertRequest(vm.uuid, "inside", accepted=OURS)).findings
            if finding.check == "state-below"
        }
    assert "--lose-snapshots" in remedy
    commands = remedy.partition(": ")[2].replace(f"-c {hypervisor.uri} ", "")
    for words in map(shlex.split, commands.split("; ")):
        program(hypervisor, *words[1:], "--yes")
    assert snapshots(vm) == ["inside"]
    assert vm.chain()[0] == str(base)
    assert state_in(base, "inside", vm.directory / "after") == held, "the commit has left what lies inside"
    program(hypervisor, "snapshot", "revert", vm.name, "inside", "--yes", "--lose-present-state")
    assert (current(vm), vm.state()) == ("inside", "running")
    assert is_writing(base)
    program(hypervisor, "snapshot", "delete", vm.name, "inside", "--metadata-only", "--yes")
    layers = tree(hypervisor, vm)["live"]["layers"]  # type: ignore[index]
    assert [(one["inside"], one["inside_unknown"]) for one in layers if one["path"] == str(base)] == [
        ([], ["inside"])
    ]
