"""The snapshots of real guests, written to a file and brought back from it, here or at another place."""

from __future__ import annotations

import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine import PATIENCE, accepted, carried_out, command, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import Hypervisor
from tests.real_snapshots import (
    current,
    dumps,
    exported,
    forget_all,
    snapshots,
    take,
    wish,
)
from tests.ssh_server import SshServer
from tests.test_cli_real import program
from tui.engine.connection import Connection
from tui.engine.control import End
from tui.engine.hierarchy_facts import saved_of
from tui.engine.host import Host
from tui.engine.ssh_files import FilesThere
from tui.model.finding import Acceptance
from tui.model.hierarchy_file import parse_saved
from tui.model.request import RecoverRequest


def test_exported_forgotten_and_imported(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec()], running=False)
    # From a guest that runs, newer versions of libvirt take no such name.
    vm.virsh("snapshot-create-as", "in side")
    vm.virsh("start")
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
        outcome = host.run(accepted(host, wish(vm, path))).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED, outcome
        assert "1 snapshot that was defined is forgotten again" in outcome.message
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
            outcome = host.run(accepted(host, wish(vm, path))).wait(PATIENCE)
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
            before = server.connections
            saved = host.save_snapshots(vm.uuid)
            assert saved.images == parse_saved(path.read_text()).images
            # One command reads them all.
            assert (len(saved.images), server.connections - before) == (3, 1)
            # Snapshots are told of without what their images say, where these are not reached.
            nowhere = FilesThere(("sh", "-c", "exit 255", "--", "host"))
            bare = saved_of(vm.uuid, host.connection(), host.state, 0.0, nowhere)
            assert bare == replace(saved, images=())
            forget_all(vm)
            request = wish(vm, path)
            assert refusals(host.plan(request)) == set()
            saved = replace(request.saved, images=(replace(request.saved.images[0], virtual_size=1),))
            assert refusals(host.plan(replace(request, saved=saved))) == {"size-differs"}
            carried_out(host, request)
    finally:
        server.stop()
    assert snapshots(vm) == ["s1", "s2"]
