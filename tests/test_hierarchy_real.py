"""The snapshots of real guests: seen, brought elsewhere, deleted, gone back to; virsh and qemu-img say how it went."""

from __future__ import annotations

import json
import shlex
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from tests.engine import accepted, carried_out, command, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import backing_file, image_info, is_writing
from tests.ssh_server import SshServer
from tests.test_cli_real import program
from tui.engine.connection import Connection
from tui.engine.control import End
from tui.engine.host import Host
from tui.model.finding import Acceptance
from tui.model.hierarchy_file import digest_of, parse_map, parse_saved
from tui.model.hierarchy_request import (
    SnapshotDeleteRequest,
    SnapshotImportRequest,
    SnapshotRevertRequest,
)
from tui.model.request import RecoverRequest

OURS = frozenset({Acceptance.LOSE_PRESENT_STATE})


def take(guest: Guest, *names: str, memory: bool = False) -> None:
    """External snapshots, one after the other, or internal ones with memory."""
    for name in names:
        guest.virsh("snapshot-create-as", name, *([] if memory else ["--disk-only"]))


def snapshots(guest: Guest) -> list[str]:
    return guest.virsh("snapshot-list", "--name", "--topological").split()


def dumps(guest: Guest) -> dict[str, str]:
    """All that libvirt knows of them, secrets too."""
    names = snapshots(guest)
    return {name: guest.virsh("snapshot-dumpxml", name, "--security-info") for name in names}


def current(guest: Guest) -> str | None:
    said = guest.virsh("snapshot-current", "--name", check=False).strip()
    return None if "no current snapshot" in said else said


def forget_all(guest: Guest) -> None:
    for name in reversed(snapshots(guest)):
        guest.virsh("snapshot-delete", name, "--metadata")


def inside(image: Path) -> list[str]:
    """The internal snapshots of an image."""
    return [one["name"] for one in image_info(image, "qcow2").get("snapshots", [])]


def tree(hypervisor: Hypervisor, guest: Guest) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        program(hypervisor, "snapshot", "tree", guest.name, "--json").stdout
    )
    return found


def exported(hypervisor: Hypervisor, guest: Guest) -> Path:
    path = guest.directory / "saved.xml"
    program(hypervisor, "snapshot", "export", guest.name, path, "--force")
    return path


def wish(guest: Guest, path: Path, *maps: str, **more: object) -> SnapshotImportRequest:
    text = path.read_text()
    places = tuple(map(parse_map, maps))
    return SnapshotImportRequest(guest.uuid, str(path), digest_of(text), parse_saved(text), places, **more)  # type: ignore[arg-type]


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


# Brought elsewhere


def test_exported_forgotten_and_imported(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec()])
    vm.virsh("snapshot-create-as", "in side")
    take(vm, "second", "third")
    vm.virsh("snapshot-delete", "third", "--metadata")
    assert current(vm) == "second"
    before, path = dumps_of(vm, "in side", "second"), vm.directory / "saved.xml"
    said = program(hypervisor, "snapshot", "export", vm.name, path).stdout
    assert "2 snapshots" in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "is there already" in program(hypervisor, "snapshot", "export", vm.name, path, status=1).stderr
    assert sorted(one.name for one in vm.directory.iterdir() if one.name.startswith(".")) == []
    for name in ("second", "in side"):
        vm.virsh("snapshot-delete", name, "--metadata")
    assert current(vm) is None
    told = program(hypervisor, "snapshot", "import", vm.name, path, "--dry-run").stdout
    assert "2 snapshots are there" in told
    assert current(vm) is None
    program(hypervisor, "snapshot", "import", vm.name, path, "--yes")
    assert dumps_of(vm, "in side", "second") == before
    assert current(vm) == "second"
    again = program(hypervisor, "snapshot", "import", vm.name, path, "--yes", "--json").stdout
    checks = [finding["check"] for finding in json.loads(again)["plan"]["findings"]]
    assert checks == ["already-there", "nothing-to-do"]
    assert "urn:virt-mirror" not in vm.xml() + vm.xml(inactive=True)


def dumps_of(guest: Guest, *names: str) -> list[str]:
    return [guest.virsh("snapshot-dumpxml", name, "--security-info") for name in names]


def test_the_file_keeps_secrets(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(devices="<graphics type='vnc' passwd='geheim'/>", running=False)
    take(vm, "s1")
    path = exported(hypervisor, vm)
    assert "geheim" in path.read_text()
    assert "geheim" not in program(hypervisor, "snapshot", "tree", vm.name, "--json").stdout
    refusal = program(hypervisor, "--read-only", "snapshot", "export", vm.name, path, "--force", status=2)
    assert "secrets" in refusal.stderr
    forget_all(vm)
    program(hypervisor, "snapshot", "import", vm.name, path, "--yes")
    assert "geheim" in vm.virsh("snapshot-dumpxml", "s1", "--security-info")


def test_images_at_another_place(hypervisor: Hypervisor, guest: Guests, tmp_path: Path) -> None:
    vm = guest(disks=[DiskSpec(relative_backing=True, layers=2)], running=False)
    memory = tmp_path
    take(vm, "s1", "s2")
    path = exported(hypervisor, vm)
    old = vm.directory
    new = memory / "new"
    shutil.copytree(old, new)
    for overlay, base in (("s2", "s1"), ("s1", "qcow2")):
        name = vm.images()[-1].with_suffix(f".{overlay}").name
        below = new / vm.images()[-1].with_suffix(f".{base}").name
        command("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", str(below), "-F", "qcow2", str(new / name))
    forget_all(vm)
    definition = vm.xml(inactive=True).replace(f"{old}/", f"{new}/")
    (new / "domain.xml").write_text(definition)
    hypervisor.virsh("define", new / "domain.xml")
    with watched(hypervisor) as host:
        assert refusals(host.plan(wish(vm, path))) == {"current-elsewhere"}
        carried_out(host, wish(vm, path, f"{old}={new}"))
        assert journal_is_empty(host)
    assert snapshots(vm) == ["s1", "s2"]
    assert current(vm) == "s2"
    for text in dumps(vm).values():
        assert f"{old}/" not in text
        assert f"{new}/" in text


def test_what_is_wrong_with_images_is_found_before_anything_is_written(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=[DiskSpec()], running=False)
    take(vm, "internal", memory=True)
    take(vm, "s1", "s2")
    path = exported(hypervisor, vm)
    forget_all(vm)
    base = vm.images()[0]
    s1, s2 = base.with_suffix(".s1"), base.with_suffix(".s2")

    def found(*, spoil: tuple[str, ...], mend: tuple[str, ...]) -> set[str]:
        command(*spoil)
        try:
            return refusals(host.plan(wish(vm, path)))
        finally:
            command(*mend)

    rebase = ("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b")
    kept = vm.directory / "kept"
    with watched(hypervisor) as host:
        assert refusals(host.plan(wish(vm, path))) == set()
        assert found(spoil=(*rebase, str(base), str(s2)), mend=(*rebase, str(s1), str(s2))) == {
            "backing-differs"
        }
        assert found(spoil=("mv", str(s1), str(kept)), mend=("mv", str(kept), str(s1))) >= {"image-missing"}
        shutil.copy(base, kept)
        assert found(
            spoil=("qemu-img", "snapshot", "-d", "internal", str(base)), mend=("cp", str(kept), str(base))
        ) == {"state-missing"}
        shutil.copy(s2, kept)
        assert found(
            spoil=("qemu-img", "resize", "-q", "-f", "qcow2", str(s2), "128M"),
            mend=("cp", str(kept), str(s2)),
        ) == {"size-differs"}
        assert snapshots(vm) == []
        command("qemu-img", "resize", "-q", "-f", "qcow2", str(s2), "128M")
        carried_out(host, wish(vm, path, accepted=frozenset({Acceptance.LOSE_SNAPSHOTS})))
    assert snapshots(vm) == ["internal", "s1", "s2"]


def test_what_is_there_and_different_is_left_alone(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(running=False)
    other = guest(running=False)
    take(vm, "s1", memory=True)
    path = exported(hypervisor, vm)
    forget_all(vm)
    vm.virsh("snapshot-create-as", "s1", "--description", "another")
    with watched(hypervisor) as host:
        assert refusals(host.plan(wish(vm, path))) == {"snapshot-differs"}
        assert refusals(host.plan(wish(other, path))) == {"other-domain"}
    assert "another" in vm.virsh("snapshot-dumpxml", "s1")
    assert snapshots(other) == []


def test_an_import_that_fails_half_way_is_taken_back(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(running=False)
    take(vm, "s1", "s2", "s3", memory=True)
    path = exported(hypervisor, vm)
    vm.virsh("snapshot-delete", "s3", "--metadata")
    vm.virsh("snapshot-delete", "s2", "--metadata")
    # What only libvirt knows: there is no such bus.
    text = path.read_text()
    last = text.rindex("virtio")
    path.write_text(text[:last] + text[last:].replace("virtio", "ferry", 1))
    with watched(hypervisor) as host:
        outcome = host.run(accepted(host, wish(vm, path))).wait(30)
        assert outcome is not None
        assert outcome.end is End.FAILED, outcome
        assert "1 snapshots that were defined are forgotten" in outcome.message
        assert journal_is_empty(host)
    assert snapshots(vm) == ["s1"]
    assert current(vm) == "s1"


def test_an_import_that_was_cut_short(
    hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = guest(running=False)
    take(vm, "s1", "s2", "s3", memory=True)
    before = dumps(vm)
    path = exported(hypervisor, vm)
    forget_all(vm)
    vm.virsh("snapshot-create-as", "own")
    redefine = Connection.redefine_snapshot

    def dies(self: Connection, uuid: str, xml: str, *, current: bool) -> None:
        if "<name>s3<" in xml:
            raise ZeroDivisionError
        redefine(self, uuid, xml, current=current)

    def cut_short(host: Host) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "redefine_snapshot", dies)
            outcome = host.run(accepted(host, wish(vm, path))).wait(30)
            assert outcome is not None
            assert outcome.end is End.FAILED
        assert sorted(snapshots(vm)) == ["own", "s1", "s2"]

    with watched(hypervisor) as host:
        cut_short(host)
        assert refusals(host.plan(wish(vm, path))) >= {"plan-in-progress"}
    with watched(hypervisor, clock=lambda: 4e9) as later:
        carried_out(later, RecoverRequest(vm.uuid, undo=True))
        assert journal_is_empty(later)
        assert snapshots(vm) == ["own"]
        assert current(vm) == "own"
    with watched(hypervisor) as host:
        cut_short(host)
    with watched(hypervisor, clock=lambda: 4e9) as later:
        carried_out(later, RecoverRequest(vm.uuid, undo=False))
        assert journal_is_empty(later)
    assert {name: text for name, text in dumps(vm).items() if name != "own"} == before
    assert current(vm) == "s3"


def test_the_images_of_a_host_behind_ssh(hypervisor: Hypervisor, guest: Guests, tmp_path: Path) -> None:
    vm = guest(delay=None)
    take(vm, "s1")
    take(vm, "s2")
    path = exported(hypervisor, vm)
    server = SshServer(tmp_path)
    try:
        with watched(server.uri(hypervisor.root / "sock" / "libvirt-sock"), may_ask=False) as host:
            found = host.snapshots(vm.uuid)
            for image in vm.chain():
                assert found.sizes[image] == Path(image).stat().st_blocks * 512
            assert host.save_snapshots(vm.uuid).images == parse_saved(path.read_text()).images
            forget_all(vm)
            request = wish(vm, path)
            assert refusals(host.plan(request)) == set()
            saved = replace(request.saved, images=(replace(request.saved.images[0], virtual_size=1),))
            assert refusals(host.plan(replace(request, saved=saved))) == {"size-differs"}
            carried_out(host, request)
    finally:
        server.stop()
    assert snapshots(vm) == ["s1", "s2"]


# Deleted


def test_memory_that_is_left_is_named(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest()
    memory = vm.directory / "memory"
    vm.virsh("snapshot-create-as", "s1", "--memspec", memory, "--diskspec", "vda,snapshot=external")
    base = vm.images()[0]
    said = program(hypervisor, "snapshot", "delete", vm.name, "s1", "--yes").stdout
    assert vm.chain() == [str(base)]
    assert (f"rm -- {memory}" in said) == memory.exists()


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


def test_what_libvirt_cannot_delete_is_merged_by_hand(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec()])
    base = vm.chain()
    take(vm, "inside", memory=True)
    take(vm, "s1")
    refusal = program(hypervisor, "snapshot", "delete", vm.name, "s1", "--yes", status=3).stderr
    _, _, remedy = refusal.partition("Merge its overlays: ")
    first, second, last = remedy.strip().split("; ")
    for said in (first, second, last.removeprefix("then ")):
        program(hypervisor, *shlex.split(said)[1:], "--yes")
    assert (snapshots(vm), vm.chain()) == (["inside"], base)
    program(hypervisor, "snapshot", "delete", vm.name, "inside", "--yes")
    assert inside(Path(base[0])) == []


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
        assert refused("s2") == {"base-shared"}
        assert refused("s1", children=True) == {"external-children"}
        assert refused("twin", itself=False, children=True) == {"no-children"}
        vm.virsh("blockcopy", "vda", "--dest", vm.directory / "m", "--transient-job", "--bandwidth", "1")
        assert "job-running" in refused("s2")
    # libvirt itself would not have noticed the branches.
    assert len(vm.chain()) == 3


# Gone back to


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


@pytest.mark.parametrize("running", [True, False])
def test_going_back_brings_no_plan_of_that_time_back_and_keeps_notes(
    hypervisor: Hypervisor, guest: Guests, *, running: bool
) -> None:
    vm = guest(running=running)
    plan, note = "urn:virt-mirror:plan:old", "urn:virt-mirror:quarantine:new"

    def write(space: str, text: str) -> None:
        sides = ["--live"] if vm.state() == "running" else []
        vm.virsh("metadata", space, "--key", "vm", "--set", text, *sides, "--config")

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
        plan = host.plan(SnapshotRevertRequest(vm.uuid, "s1", accepted=OURS))
        assert refusals(plan) == {"revert-unsupported"}
        said = " ".join(finding.remedy for finding in plan.findings)
        assert f"qemu-img create -f qcow2 -b {base} -F qcow2 NEW" in said
        assert refusals(host.plan(SnapshotRevertRequest(vm.uuid, "inside", accepted=OURS))) == {"state-below"}
        assert refusals(host.plan(SnapshotRevertRequest(vm.uuid, "none"))) == {"no-such-snapshot"}
    assert backing_file(Path(vm.chain()[0])) == str(base)
