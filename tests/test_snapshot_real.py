"""Mirrored snapshots on a real host: what virsh and qemu-img see of them, however they end."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from lxml.etree import canonicalize

from tests.engine import PATIENCE, accepted, carried_out, command, job_in, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import allocated, backing_file, check, image_info, images_equal, is_writing, wait_for
from tests.real_snapshots import tree
from tests.test_cli_real import program
from tui.engine import steps
from tui.engine.control import End
from tui.engine.host import Host
from tui.model.begin_steps import StartCopy
from tui.model.diskspec import parse_diskspec
from tui.model.finding import Finding, Severity
from tui.model.host import Link
from tui.model.job import Phase
from tui.model.mirrored_snapshot import Snapshot, parse_snapshot, snapshot_xml
from tui.model.request import Ending, EndRequest, RecoverRequest, SnapshotEndRequest, SnapshotRequest
from tui.model.snapshot_schema import check_schema
from tui.model.steps import Step

CHAIN = DiskSpec(layers=2, data=8 * MIB)
EMPTY = "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>"
"""A drive without a medium."""
SLOW = MIB // 4
"""Bytes per second at which even an overlay takes its time."""


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory."""
    return tmp_path_factory.mktemp("there")


def wish(guest: Guest, *specs: str, name: str = "s1", **more: object) -> SnapshotRequest:
    snapshot = Snapshot(name, disks=tuple(parse_diskspec(spec) for spec in specs))
    return SnapshotRequest(guest.uuid, snapshot, **more)  # type: ignore[arg-type]


def end(guest: Guest, ending: Ending, name: str = "s1", **more: object) -> SnapshotEndRequest:
    return SnapshotEndRequest(guest.uuid, name, ending, **more)  # type: ignore[arg-type]


def snapshots(guest: Guest) -> list[str]:
    return guest.virsh("snapshot-list", "--name").split()


def journal_of(guest: Guest) -> bool:
    return "urn:virt-mirror" in guest.xml() + guest.xml(inactive=True)


def left_half_way(host: Host, guest: Guest, request: SnapshotRequest) -> None:
    """Take it, and go away while the mirror is being filled."""
    run = host.run(accepted(host, request))
    job_in(host, guest, Phase.COPYING)
    run.leave()
    assert run.wait(PATIENCE)


def images_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.suffix != ".xml"}


# By XML and by options, as a program


XML = """
<domainsnapshot>
  <name>my snap</name>
  <description>!@#$%^ &lt;x&gt;</description>
  <disks>
    <disk name='vda' snapshot='external'>
      <source file='{old}/vda.new'/>
      <mirror file='{new}/vda.mirror'/>
    </disk>
    <disk name='vdb'>
      <mirror file='{new}/vdb.mirror'/>
    </disk>
  </disks>
</domainsnapshot>"""


def test_created_by_xml_and_pivoted(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN, DiskSpec(), DiskSpec(readonly=True)])
    before = {target: vm.chain(target) for target in ("vda", "vdb")}
    wanted = there / "wanted.xml"
    wanted.write_text(XML.format(old=vm.directory, new=there))
    said = program(hypervisor, "snapshot", "create", vm.name, "--xml", wanted, "--yes").stdout
    assert f"virt-mirror -c '{hypervisor.uri}' snapshot delete {vm.name} 'my snap' --pivot" in said
    assert vm.virsh("snapshot-list", "--name").strip() == "my snap"
    shown = vm.virsh("snapshot-dumpxml", "my snap")
    check_schema(shown)
    known = parse_snapshot(shown, mirrors=False)
    assert (known.description, known.state) == ("!@#$%^ <x>", "disk-snapshot")
    generated = Path(before["vdb"][0]).with_suffix(".my snap")
    assert [disk.path for disk in known.disks or ()] == [f"{vm.directory}/vda.new", str(generated), None]
    for target in ("vda", "vdb"):
        mirror = vm.mirror(target)
        assert mirror is not None
        assert (mirror.ready, mirror.source, mirror.format) == ("yes", f"{there}/{target}.mirror", "qcow2")
        assert backing_file(there / f"{target}.mirror") == before[target][0]
        assert vm.chain(target)[1:] == before[target]
    assert vm.source() == f"{vm.directory}/vda.new"
    (row,) = tree(hypervisor, vm)["snapshots"]  # type: ignore[misc]
    assert {disk["target"]: disk["mirror"] for disk in row["disks"]} == {  # type: ignore[has-type]
        target: {"path": f"{there}/{target}.mirror", "state": "in sync"} for target in ("vda", "vdb")
    }
    refusal = program(hypervisor, "pivot", vm.name, "vda", "--yes", status=3).stderr
    assert "snapshot delete" in refusal
    program(hypervisor, "snapshot", "delete", vm.name, "my snap", "--pivot", "--yes")
    assert snapshots(vm) == []
    for target in ("vda", "vdb"):
        assert vm.chain(target) == [f"{there}/{target}.mirror", *before[target]]
        assert vm.source(target, inactive=True) == f"{there}/{target}.mirror"
        assert vm.mirror(target) is None
    assert vm.has_open(there / "vda.mirror")
    assert vm.state() == "running"
    assert is_writing(there / "vda.mirror")
    assert not journal_of(vm)
    vm.virsh("destroy")
    assert check(there / "vda.mirror") == 0


def test_created_by_options_and_given_up(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN, DiskSpec(), EMPTY])
    before = vm.chain()
    overlay, mirror = vm.directory / "a,b.new", there / "a,b.mirror"
    spec = f"vda,file={vm.directory}/a,,b.new,mirror={there}/a,,b.mirror"
    options = ("--diskspec", spec, "--diskspec", "vdb,snapshot=no", "--description", "why not", "--yes")
    told = json.loads(program(hypervisor, "snapshot", "create", vm.name, *options, "--json").stdout)
    assert told["outcome"]["end"] == "done"
    assert told["plan"]["steps"][0]["kind"] == "TakeSnapshot"
    (name,) = snapshots(vm)
    assert name.replace("-", "").isdecimal()
    assert "why not" in vm.virsh("snapshot-dumpxml", name)
    assert vm.source() == str(overlay)
    assert vm.source("vdb") == str(vm.images("vdb")[-1])
    program(hypervisor, "snapshot", "delete", vm.name, name, "--abort", "--yes")
    assert snapshots(vm) == []
    assert vm.chain() == [str(overlay), *before]
    assert not mirror.exists()
    assert vm.mirror() is None
    assert is_writing(overlay)
    assert not journal_of(vm)


def test_files_that_make_no_sense(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(delay=None)
    wanted = there / "wanted.xml"
    for old, new, said in (
        ("<mirror file='{new}/vda.mirror'/>", "<miror file='/x'/>", "line 8: <miror> is nothing that <disk>"),
        ("<mirror file='{new}/vda.mirror'/>", "<mirror/>", "line 6: the mirror of vda needs a file"),
        ("snapshot='external'", "snapshot='internal'", "only an external snapshot"),
    ):
        wanted.write_text(XML.replace(old, new).format(old=vm.directory, new=there))
        refusal = program(hypervisor, "snapshot", "create", vm.name, "--xml", wanted, "--yes", status=2)
        assert said in refusal.stderr
    assert snapshots(vm) == []


# The images at the second place are somebody else's


def brought(vm: Guest, there: Path) -> SnapshotRequest:
    """An overlay, and a mirror on an empty base at the second place, which is still to be filled."""
    top = vm.images()[-1]
    overlay, mirror, base = vm.directory / "overlay.qcow2", there / "overlay.qcow2", there / top.name
    size = str(DiskSpec().size)
    command("qemu-img", "create", "-q", "-f", "qcow2", str(base), size)
    command(
        "qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", str(top), "-F", "qcow2", str(overlay), size
    )
    command(
        "qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(mirror), size
    )
    return wish(vm, f"vda,file={overlay},mirror={mirror}", reuse_external=True)


def test_the_base_is_brought_to_the_second_place_meanwhile(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    vm = guest(disks=[CHAIN])
    before, top = vm.chain(), vm.images()[-1]
    request = brought(vm, there)
    with watched(hypervisor) as host:
        carried_out(host, request)
        assert vm.source() == str(vm.directory / "overlay.qcow2")
        plan = accepted(host, end(vm, Ending.PIVOT))
        # Nobody has filled it yet: the guest would find a disk with holes.
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert "differ" in outcome.message or "mismatch" in outcome.message.lower()
        assert vm.mirror() is not None
        assert snapshots(vm) == ["s1"]
        convert = ("qemu-img", "convert", "-n", "-U", "-f", "qcow2", "-O", "qcow2")
        command(*convert, str(top), str(there / top.name))
        done = carried_out(host, end(vm, Ending.PIVOT))
        assert all(f.severity is Severity.FINE for f in done.findings), done.findings
        assert journal_is_empty(host)
    assert vm.chain() == [str(there / "overlay.qcow2"), str(there / top.name)]
    assert vm.source(inactive=True) == str(there / "overlay.qcow2")
    assert snapshots(vm) == []
    assert is_writing(there / "overlay.qcow2")
    vm.virsh("suspend")
    assert images_equal(Path(before[0]), there / top.name)
    vm.virsh("resume")


def test_what_was_there_before_stays(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN])
    before = vm.chain()
    request = brought(vm, there)
    with watched(hypervisor) as host:
        carried_out(host, request)
        carried_out(host, end(vm, Ending.CANCEL))
        assert vm.source() == str(vm.directory / "overlay.qcow2")
        assert (there / "overlay.qcow2").exists()
        assert journal_is_empty(host)
    assert vm.chain()[1:] == before


def test_taking_back_leaves_what_was_there_before(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN])
    before = vm.chain()
    request = brought(vm, there)
    with watched(hypervisor) as host:
        carried_out(host, request)
        carried_out(host, RecoverRequest(vm.uuid, undo=True))
        assert journal_is_empty(host)
    assert vm.chain() == before
    assert snapshots(vm) == []
    assert (vm.directory / "overlay.qcow2").exists()
    assert (there / "overlay.qcow2").exists()


def test_the_overlay_must_stand_on_what_the_guest_is_on(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    vm = guest(disks=[CHAIN], delay=None)
    request = brought(vm, there)
    overlay = vm.directory / "overlay.qcow2"
    base = vm.images()[0]
    command("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(overlay))
    with watched(hypervisor) as host:
        assert refusals(host.plan(request)) == {"overlay-backing"}
        overlay.unlink()
        assert refusals(host.plan(request)) == {"destination-missing"}


# Taken back, gone on with


def test_all_of_it_is_taken_back(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN, DiskSpec()])
    before, beside = {t: vm.chain(t) for t in ("vda", "vdb")}, images_in(vm.directory)
    with watched(hypervisor) as host:
        carried_out(host, wish(vm, f"vda,mirror={there}/m"))
        assert snapshots(vm) == ["s1"]
        assert vm.chain("vdb")[1:] == before["vdb"]
        carried_out(host, RecoverRequest(vm.uuid, undo=True))
        assert journal_is_empty(host)
    assert {t: vm.chain(t) for t in ("vda", "vdb")} == before
    assert vm.source(inactive=True) == before["vda"][0]
    assert snapshots(vm) == []
    assert list(there.iterdir()) == []
    assert images_in(vm.directory) == beside
    assert is_writing(Path(before["vda"][0]))


@pytest.fixture
def something_to_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a mirror begin when its overlay holds some data; it would be in sync at once where the guest is slow."""
    run = steps.run

    def later(step: Step, host: Host, left: threading.Event) -> tuple[Finding, ...]:
        if isinstance(step, StartCopy):
            domain = host.state.domain(step.uuid)
            layer = domain.active_layer(step.target) if domain else None
            assert layer is not None
            wait_for(lambda: allocated(Path(layer.path)) > 4 * MIB, what="data in the overlay")
        return run(step, host, left)

    monkeypatch.setattr(steps, "run", later)


@pytest.mark.usefixtures("something_to_copy")
def test_a_creation_that_was_cut_short(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN], burst=32)
    before, beside = vm.chain(), images_in(vm.directory)
    request = wish(vm, f"vda,mirror={there}/m", bandwidth=SLOW)
    with watched(hypervisor) as host:
        left_half_way(host, vm, request)
        assert snapshots(vm) == ["s1"]
        assert refusals(host.plan(end(vm, Ending.PIVOT))) == {"plan-left-over"}
        assert refusals(host.plan(EndRequest(vm.uuid, ("vda",), Ending.CANCEL))) == {"part-of-a-snapshot"}
        carried_out(host, RecoverRequest(vm.uuid, undo=True))
        assert journal_is_empty(host)
        assert (vm.chain(), snapshots(vm), list(there.iterdir())) == (before, [], [])
        assert images_in(vm.directory) == beside
        left_half_way(host, vm, request)
        vm.virsh("blockjob", "vda", "--bandwidth", "0")
    with watched(hypervisor) as later:
        carried_out(later, RecoverRequest(vm.uuid, undo=False))
        assert vm.mirror() is not None
        carried_out(later, end(vm, Ending.PIVOT))
        assert journal_is_empty(later)
    assert vm.chain() == [str(there / "m"), *before]
    assert snapshots(vm) == []


@pytest.mark.usefixtures("something_to_copy")
def test_a_creation_that_fails_takes_everything_back(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    vm = guest(disks=[CHAIN], burst=32)
    before, beside = vm.chain(), images_in(vm.directory)
    with watched(hypervisor) as host:
        run = host.run(accepted(host, wish(vm, f"vda,mirror={there}/m", bandwidth=SLOW)))
        job_in(host, vm, Phase.COPYING)
        vm.virsh("blockjob", "vda", "--abort")
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert journal_is_empty(host)
    assert (vm.chain(), snapshots(vm), list(there.iterdir())) == (before, [], [])
    assert images_in(vm.directory) == beside


def test_somebody_elses_snapshot_of_that_name_is_left_alone(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    vm = guest(disks=[CHAIN])
    with watched(hypervisor) as host:
        plan = accepted(host, wish(vm, f"vda,mirror={there}/m"))
        vm.virsh("snapshot-create-as", "s1", "--disk-only", "--diskspec", f"vda,file={vm.directory}/other")
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert journal_is_empty(host)
    assert snapshots(vm) == ["s1"]
    assert vm.source() == f"{vm.directory}/other"


def test_what_somebody_else_made_meanwhile_is_not_removed(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    vm = guest(disks=[CHAIN])
    before, overlay = vm.chain(), there / "overlay"
    with watched(hypervisor) as host:
        plan = accepted(host, wish(vm, f"vda,file={overlay},mirror={there}/m"))
        overlay.write_text("somebody else's")
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert journal_is_empty(host)
    assert overlay.read_text() == "somebody else's"
    assert (vm.chain(), snapshots(vm)) == (before, [])


def test_the_daemon_goes_while_it_is_held(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN])
    with watched(hypervisor) as host:
        carried_out(host, wish(vm, f"vda,mirror={there}/m"))
        hypervisor.restart()
        assert host.wait_for(
            lambda s: True if s.link is Link.LIVE and s.listed and s.unread == 0 else None, timeout=PATIENCE
        )
        carried_out(host, end(vm, Ending.PIVOT))
        assert journal_is_empty(host)
    assert vm.source() == f"{there}/m"


def test_the_guest_is_powered_off_while_it_is_held(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    vm = guest(disks=[CHAIN])
    before = vm.chain()
    with watched(hypervisor) as host:
        carried_out(host, wish(vm, f"vda,mirror={there}/m"))
        overlay = vm.source()
        vm.virsh("destroy")
        assert host.wait_for(lambda s: True if not s.active_jobs else None, timeout=PATIENCE)
        assert refusals(host.plan(end(vm, Ending.PIVOT))) == {"domain-not-running"}
        vm.virsh("start")
        assert host.wait_for(
            lambda s: True if (d := s.domain(vm.uuid)) and d.state.active else None, timeout=PATIENCE
        )
        assert refusals(host.plan(end(vm, Ending.PIVOT))) == {"mirror-gone"}
        (finding,) = host.examine(vm.uuid)
        assert finding.check == "mirrors-gone"
        carried_out(host, end(vm, Ending.CANCEL))
        assert journal_is_empty(host)
    assert vm.chain() == [overlay, *before]
    assert not (there / "m").exists()
    assert snapshots(vm) == []


def test_a_transient_guest(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN], persistent=False)
    with watched(hypervisor) as host:
        plan = accepted(host, wish(vm, f"vda,mirror={there}/m"))
        assert any(f.check == "transient-domain" for f in plan.findings)
        carried_out(host, wish(vm, f"vda,mirror={there}/m"))
        assert snapshots(vm) == ["s1"]
        carried_out(host, end(vm, Ending.PIVOT))
        assert journal_is_empty(host)
    assert vm.source() == f"{there}/m"
    assert snapshots(vm) == []


# What is refused, and what libvirt refuses meanwhile


def test_what_the_plan_says_of_libvirt_is_so(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN, DiskSpec()])
    with watched(hypervisor) as host:
        carried_out(host, wish(vm, f"vda,mirror={there}/m", "vdb,snapshot=no"))
        for refused in (
            ("save", there / "saved"),
            ("managedsave",),
            ("migrate", "qemu+unix:///system?socket=/nowhere", "--live"),
            ("detach-disk", "vda", "--live"),
            ("snapshot-create-as", "further", "--disk-only"),
            ("snapshot-create-as", "further"),
            ("blockresize", "vda", "128M"),
        ):
            assert "error:" in vm.virsh(*map(str, refused), check=False), refused
        assert vm.state() == "running"
        assert refusals(host.plan(wish(vm, f"vdb,mirror={there}/n", name="s2"))) == {"job-running"}
        carried_out(host, end(vm, Ending.CANCEL))


def test_what_speaks_against_it(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN, DiskSpec(readonly=True)], delay=None)
    mirror = f"vda,mirror={there}/m"
    with watched(hypervisor) as host:
        assert refusals(host.plan(wish(vm, "vda"))) == {"no-mirror"}
        assert refusals(host.plan(wish(vm, mirror, f"vdb,mirror={there}/n"))) == {"disk-read-only"}
        assert refusals(host.plan(wish(vm, f"vda,mirror={there}/none/m"))) == {"directory-missing"}
        (there / "m").write_text("x")
        assert refusals(host.plan(wish(vm, mirror))) == {"destination-exists"}
        (there / "m").unlink()
        generated = Path(vm.chain()[0]).with_suffix(".s1")
        generated.write_text("x")
        assert refusals(host.plan(wish(vm, mirror))) == {"destination-exists"}
        generated.unlink()
        used = vm.images()[0]
        assert "destination-in-use" in refusals(host.plan(wish(vm, f"vda,mirror={used}")))
        vm.virsh("snapshot-create-as", "plain", "--disk-only")
        assert refusals(host.plan(wish(vm, mirror, name="plain"))) == {"snapshot-exists"}
        assert refusals(host.plan(end(vm, Ending.PIVOT, "plain"))) == {"not-mirrored"}
        assert refusals(host.plan(end(vm, Ending.PIVOT, "none"))) == {"no-such-snapshot"}
        vm.virsh("destroy")
        assert refusals(host.plan(wish(vm, mirror))) == {"domain-not-running"}


def test_qed(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    vm = guest(disks=[CHAIN])
    with watched(hypervisor) as host:
        carried_out(host, wish(vm, f"vda,driver=qed,mirror={there}/m"))
        assert image_info(there / "m", "qed")["format"] == "qed"
        carried_out(host, end(vm, Ending.PIVOT))
    assert vm.source() == f"{there}/m"


# What libvirt prints


def test_every_snapshot_of_libvirts_is_read_and_taken_again(guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(), DiskSpec(), DiskSpec(readonly=True)], delay=None)
    vm.virsh("snapshot-create-as", "internal", "--description", "a <b> & \"c\" 'd'")
    vm.virsh("snapshot-create-as", "disks", "--disk-only", "--diskspec", "vdb,snapshot=no")
    memory = f"{vm.directory}/memory,snapshot=external"
    vm.virsh("snapshot-create-as", "memory", "--memspec", memory, "--diskspec", "vda,snapshot=external")
    for name in ("internal", "disks", "memory"):
        shown = vm.virsh("snapshot-dumpxml", name)
        check_schema(shown)
        snapshot = parse_snapshot(shown, mirrors=False)
        again = snapshot_xml(snapshot)
        assert parse_snapshot(again, mirrors=False) == snapshot
        assert canonicalize(again, strip_text=True) == canonicalize(shown, strip_text=True)
        # libvirt takes what was written anew for what it printed.
        file = vm.directory / "again.xml"
        file.write_text(again)
        vm.virsh("snapshot-create", file, "--redefine", "--validate")
        assert vm.virsh("snapshot-dumpxml", name) == shown
