"""Guests that go to a host which has none of the layers below, seen from outside of both."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    command,
    cut_off,
    journal_is_empty,
    log_of,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.layouts import ODD, lay_out, layout_of
from tests.memory import with_memory
from tests.outside import allocated, check, image_info, images_equal, is_writing, wait_for
from tests.ssh_server import SshServer
from tests.test_ssh_real import socket_of
from tests.two_hosts import (
    SLOW,
    as_before,
    copies_disks,
    current_at,
    definitions,
    directory_at,
    known,
    migration,
    removed_from,
    source_at,
    state_at,
    tree_of_two_branches,
)
from tui.engine import carrying, journal, runner
from tui.engine.control import End
from tui.model.figures import Figures
from tui.model.finding import Acceptance
from tui.model.host import HostState
from tui.model.journal import STALE_AFTER, Entry
from tui.model.migrate_request import CopyStorage, MigrationTuneRequest, Tune
from tui.model.migrate_steps import CopyLayersThere, MakeThere
from tui.model.migration import MigrationPhase
from tui.model.request import RecoverRequest


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    """The way to hosts behind ssh."""
    made = SshServer(tmp_path)
    yield made
    made.stop()


def content(paths: list[Path]) -> dict[Path, str]:
    """What tells the bytes of files from others."""
    return {path: sha256(path.read_bytes()).hexdigest() for path in paths}


def chain_of(image: Path) -> list[Path]:
    """An image and what it stands on, by what stands in the headers."""
    said = json.loads(command("qemu-img", "info", "-U", "--backing-chain", "--output=json", str(image)))
    return [Path(layer["filename"]).resolve() for layer in said]


def brings(guest: Guest, state: HostState) -> bool | None:
    """Whether its layers are under way, some of them there; as ``wait_for`` wants it."""
    found = state.migrations.get(guest.uuid)
    return True if found and found.phase is MigrationPhase.LAYERS and found.percent else None


def signs_after(plan: str, moment: float, state: HostState) -> bool | None:
    """Whether the journal of a plan was signed since; as ``wait_for`` wants it."""
    return any(entry.id == plan and entry.heartbeat > moment for entry in state.entries) or None


@pytest.mark.parametrize("how", ["as one image", "with its chain", "with its chain, both behind ssh"])
def test_an_image_there_is_laid_out_as_the_one_here(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, server: SshServer, how: str
) -> None:
    made = guest(disks=[DiskSpec(layers=2)], running=False)
    lay_out(made)
    made.virsh("start")
    top = made.images()[-1]
    there, maps = directory_at(other, made)
    storage = CopyStorage.ALL if how == "as one image" else CopyStorage.INC
    wish, source = migration(made, other, maps=maps, storage=storage), hypervisor.uri
    if "ssh" in how:
        wish = replace(wish, destination=server.uri(socket_of(other)))
        source = server.uri(socket_of(hypervisor))
    with watched(source, may_ask=False) as host, removed_from(other, made):
        plan = accepted(host, wish)
        assert any(f"-o {','.join(ODD)} " in command for command in plan.steps[0].commands)
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert is_writing(there / top.name)
        assert layout_of(there / top.name) == layout_of(top)
        assert layout_of(top)["cluster-size"] == MIB
        other.virsh("destroy", made.name)
        assert check(there / top.name) == 0


@pytest.mark.parametrize("way", ["here", "there behind ssh", "both behind ssh"])
def test_a_chain_is_brought(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, server: SshServer, way: str
) -> None:
    made = guest(
        disks=[DiskSpec(data=4 * MIB, layers=3, relative_backing=way == "here"), DiskSpec(format="raw")],
        running=False,
    )
    base, mid, top = made.images()
    command("qemu-img", "snapshot", "-c", "inside", str(base))
    command("qemu-img", "bitmap", "--add", str(mid), "b0")
    made.virsh("start")
    base.chmod(0o640)
    before = content([base, mid])
    there, maps = directory_at(other, made)
    # A name with which a shell, or tar, could do something.
    odd = there / "a 'b' & \\1,$HOME.qcow2"
    maps = (*maps, (str(base), str(odd)))
    wish = migration(made, other, maps=maps, storage=CopyStorage.INC)
    if way != "here":
        wish = replace(wish, destination=server.uri(socket_of(other)))
    source = server.uri(socket_of(hypervisor)) if way == "both behind ssh" else hypervisor.uri
    with watched(source, may_ask=False) as host, removed_from(other, made):
        outcome = carried_out(host, wish)
        assert {"layers-copied", "disk-there", "image-open"} <= {f.check for f in outcome.findings}
        (copied,) = [finding for finding in outcome.findings if finding.check == "layers-copied"]
        assert copied.figures == Figures(disks=allocated(base) + allocated(mid))
        assert (state_at(hypervisor, made), state_at(other, made)) == (None, "running")
        assert source_at(other, made) == str(there / top.name)
        assert is_writing(there / top.name)
        assert chain_of(there / top.name) == [there / top.name, there / mid.name, odd]
        assert content([base, mid]) == before
        assert odd.read_bytes() == base.read_bytes()
        assert image_info(odd, "qcow2")["snapshots"][0]["name"] == "inside"
        assert image_info(there / mid.name, "qcow2")["format-specific"]["data"]["bitmaps"][0]["name"] == "b0"
        assert images_equal(mid, there / mid.name)
        assert odd.stat().st_mode & 0o777 == 0o640
        other.virsh("destroy", made.uuid)
        assert check(there / mid.name) == check(there / top.name) == 0


def test_holes_stay_holes(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(size=256 * MIB, data=0, layers=2, format="raw")])
    base = made.images()[0]
    there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        carried_out(host, migration(made, other, maps=maps, storage=CopyStorage.INC))
        assert base.stat().st_size == (there / base.name).stat().st_size
        assert allocated(there / base.name) <= allocated(base) < MIB


def test_a_hierarchy_is_brought(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    """Five external snapshots in two branches, the current one in the middle, and the memory of one of them."""
    made = guest(disks=[DiskSpec(data=MIB), DiskSpec(data=MIB)])
    memory = made.directory / "memory"
    made.virsh("snapshot-create-as", "--name", "m", "--memspec", f"file={memory}", "--live")
    made.virsh("snapshot-create-as", "--name", "s", "--disk-only", "--diskspec", "vdb,snapshot=no")
    tree_of_two_branches(made)
    tree = definitions(hypervisor, made)
    active = {target: Path(made.chain(target)[0]) for target in ("vda", "vdb")}
    still = [
        path for path in made.directory.iterdir() if path not in active.values() and path.suffix != ".xml"
    ]
    before, held = content(still), memory.read_bytes()
    there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        carried_out(host, migration(made, other, maps=maps))
        assert known(definitions(other, made)) == known(tree, maps)
        assert current_at(other, made) == "b"
        assert content(still) == before
        assert {path.name for path in there.iterdir()} == {
            *(path.name for path in still),
            *(path.name for path in active.values()),
        }
        for path in still:
            if path != memory:
                # What stands on the image that the guest writes to holds what that does.
                assert set(chain_of(path)) & set(active.values()) or images_equal(path, there / path.name)
                assert {layer.parent for layer in chain_of(there / path.name)} == {there}
        assert (there / memory.name).read_bytes() == held
        for path in active.values():
            assert [layer.name for layer in chain_of(there / path.name)] == [
                layer.name for layer in chain_of(path)
            ]
        assert is_writing(there / active["vda"].name)
        other.virsh("destroy", made.uuid)
        for path in there.iterdir():
            assert path.name == memory.name or check(path) == 0


def test_what_is_there_is_used_if_it_is_the_same(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, server: SshServer
) -> None:
    """Two guests stand on one base, and the second one finds it there; but not if it is another one."""
    made = guest(disks=[DiskSpec(data=4 * MIB, layers=3)])
    base, mid, top = made.images()
    there, maps = directory_at(other, made)
    wish = migration(made, other, maps=maps, storage=CopyStorage.INC)
    wish = replace(wish, destination=server.uri(socket_of(other)))
    for path in (base, mid):
        shutil.copy(path, there)
    command(
        *("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2"),
        *("-b", str(there / base.name), str(there / mid.name)),
    )
    ours = content([there / base.name, there / mid.name])
    with watched(hypervisor) as host, removed_from(other, made):
        command("qemu-io", "-c", "write -P 9 40M 64k", str(there / base.name))
        failed = carried_out(host, wish, End.FAILED)
        assert "does not hold, byte for byte" in failed.message
        assert {path.name for path in there.iterdir()} == {base.name, mid.name}, "what is not ours stays"
        shutil.copy(base, there)
        # Beside an equal layer nothing tells what it stands on but its header, which QEMU follows from the next start.
        stray = str(shutil.copy(base, there.parent / f"stray-{base.name}"))
        stand_on = partial(command, *("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2"), "-b")
        stand_on(stray, str(there / mid.name))
        assert refusals(host.plan(wish)) == {"layer-differs"}
        stand_on(str(there / base.name), str(there / mid.name))
        plan = accepted(host, wish)
        stand_on(stray, str(there / mid.name))
        ended = host.run(plan).wait(PATIENCE)
        assert ended is not None
        assert f"stands on {stray} (qcow2)" in ended.message
        stand_on(str(there / base.name), str(there / mid.name))
        outcome = carried_out(host, wish)
        assert "layers-equal" in {finding.check for finding in outcome.findings}
        assert chain_of(there / top.name) == [there / path.name for path in (top, mid, base)]
        assert content(list(ours)) == ours


DISK = """<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>
<target dev='vda' bus='virtio'/></disk>"""


OFF = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory><os><type>hvm</type></os>
<devices>{disk}</devices></domain>"""


@pytest.mark.parametrize("how", ["both go", "the first is called back", "the first comes late"])
def test_two_guests_stand_on_one_base(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The second waits for what the first brings, and keeps it when the first does not go after all."""
    first = guest(disks=[DiskSpec(layers=2, data=8 * MIB)], delay=20)
    base, top = first.images()
    overlay = first.directory / "second.qcow2"
    command("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(overlay))
    second = guest(disks=[DISK.format(path=overlay)])
    there, maps = directory_at(other, first)
    inc = {"maps": maps, "storage": CopyStorage.INC}
    pass_on, begun, go_on = carrying.pass_on, threading.Event(), threading.Event()

    def held(*given: Any) -> None:
        if begun.is_set():
            go_on.wait(PATIENCE)
        pass_on(*given)

    monkeypatch.setattr(carrying, "pass_on", held)
    with watched(hypervisor) as host, removed_from(other, first), removed_from(other, second):
        log = log_of(host)
        one = host.run(accepted(host, migration(first, other, bandwidth=SLOW, **inc)))
        assert host.wait_for(partial(brings, first), timeout=PATIENCE), one.outcome
        begun.set()
        plan = accepted(host, migration(second, other, **inc))
        assert "layer-coming" in {finding.check for finding in plan.findings}
        two = host.run(plan)
        wait_for(lambda: any("is waited for" in line.text for line in log), what="the second one waits")
        if how == "the first is called back":
            one.leave()
        go_on.set()
        if how == "the first comes late":
            disks = partial(copies_disks, first)
            assert host.wait_for(disks, timeout=PATIENCE), one.outcome
            one.leave()
        outcomes = [run.wait(2 * PATIENCE) for run in (one, two)]
        ends = [outcome.end if outcome else None for outcome in outcomes]
        assert (
            ends
            == {
                "both go": [End.DONE, End.DONE],
                "the first is called back": [End.FAILED, End.FAILED],
                "the first comes late": [End.FAILED, End.DONE],
            }[how]
        ), outcomes
        assert {path.name for path in there.iterdir()} == {
            "both go": {base.name, top.name, overlay.name},
            "the first is called back": set[str](),
            "the first comes late": {base.name, overlay.name},
        }[how]
        if how != "the first is called back":
            assert source_at(other, second) == str(there / overlay.name)
            assert images_equal(base, there / base.name)


def test_what_nobody_brings_any_more_is_not_waited_for(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing happens when a plan grows old: who waits for it sees that at his own next sign of life."""
    first = guest(disks=[DiskSpec(layers=2)])
    overlay = first.directory / "second.qcow2"
    base = str(first.images()[0])
    command("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", str(overlay))
    second = guest(disks=[DISK.format(path=overlay)])
    there, maps = directory_at(other, first)
    inc = {"maps": maps, "storage": CopyStorage.INC}
    monkeypatch.setattr(runner, "HEARTBEAT", 0.2)
    ahead = [0.0]
    with watched(hypervisor, clock=lambda: time.time() + ahead[0]) as host, removed_from(other, second):
        log, plan, now = log_of(host), accepted(host, migration(first, other, **inc)), time.time()
        elsewhere = Entry(plan.id, plan.uuid, plan.title, plan.steps, 0, "root@host-z:7", now, now)
        domain = host.state.domain(first.uuid)
        assert domain is not None
        journal.write(host.connection(), domain, elsewhere)
        assert host.wait_for(lambda s: s.entries or None, timeout=PATIENCE)
        run = host.run(accepted(host, migration(second, other, **inc)))
        wait_for(lambda: any("is waited for" in line.text for line in log), what="it waits")
        for _sign in range(2):
            later = partial(signs_after, run.plan.id, run.entry.heartbeat)
            assert host.wait_for(later, timeout=PATIENCE), run.outcome
        ahead[0] = STALE_AFTER + 1
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert str(there / Path(base).name) in outcome.message
        journal.remove(host.connection(), domain, plan.id)


BRANCH = """<domainsnapshot><name>s</name><state>shutoff</state><creationTime>1</creationTime>
<disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='{path}'/></disk></disks>
{domain}</domainsnapshot>"""


@pytest.mark.parametrize("how", ["on it", "not readable", "a branch"])
def test_what_a_domain_that_is_off_stands_on_stays(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, how: str
) -> None:
    """A definition names the active layer alone: the headers say what is below it, and nobody guesses that.

    A snapshot may need it as well, beside what the domain is on.
    """
    # Its memory keeps it here until it is called back.
    made = with_memory(guest, 32 * MIB, disks=[DiskSpec(layers=3, data=8 * MIB)], delay=20)
    base, mid, _top = made.images()
    there, maps = directory_at(other, made)
    overlay = there / "off.qcow2"
    with watched(hypervisor) as host, removed_from(other, made):
        log = log_of(host)
        wish = migration(made, other, maps=maps, storage=CopyStorage.INC, bandwidth=SLOW)
        run = host.run(accepted(host, wish))
        assert host.wait_for(partial(copies_disks, made), timeout=PATIENCE), run.outcome
        stand_on = (*("-b", str(there / base.name)), *("-F", "qcow2"), str(overlay))
        command("qemu-img", "create", "-q", "-f", "qcow2", *stand_on)
        if how == "not readable":
            overlay.write_bytes(b"no image")
        name, document = f"off-{made.name}", there / "off.xml"
        own = DISK.format(path=there / "own").replace("qcow2", "raw")
        document.write_text(
            OFF.format(name=name, disk=own if how == "a branch" else DISK.format(path=overlay))
        )
        other.virsh("define", document)
        try:
            if how == "a branch":
                document.write_text(BRANCH.format(path=overlay, domain=other.virsh("dumpxml", name)))
                other.virsh("snapshot-create", name, document, "--redefine")
            run.leave()
            assert run.wait(PATIENCE)
        finally:
            other.virsh("undefine", name, "--snapshots-metadata")
        kept = {base.name, mid.name} if how == "not readable" else {base.name}
        assert {path.name for path in there.iterdir()} == {overlay.name, document.name, *kept}
        words = {
            "on it": f"{name} vda is on it",
            "not readable": f"nobody can see whether {name} vda is on it",
            "a branch": f"the snapshot s of {name} is on it",
        }[how]
        assert any(f": {words}" in line.text for line in log)


# What goes wrong


def branched(guest: Guests, **more: Any) -> Guest:
    """A guest with five snapshots in two branches, and some MiB in a layer below."""
    made = guest(disks=[DiskSpec(data=24 * MIB)], **more)
    tree_of_two_branches(made)
    return made


@pytest.mark.parametrize("how", ["left", "by a plan"])
def test_called_back_while_layers_are_copied(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, how: str
) -> None:
    made = branched(guest)
    tree = definitions(hypervisor, made)
    there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        run = host.run(accepted(host, migration(made, other, maps=maps, bandwidth=SLOW)))
        assert host.wait_for(partial(brings, made), timeout=PATIENCE), run.outcome
        assert refusals(host.plan(MigrationTuneRequest(made.uuid, Tune.BANDWIDTH, 0))) == {"too-early"}
        phases = set[MigrationPhase]()
        stop = host.subscribe(
            lambda s: phases.update(m.phase for m in s.migrations.values()), lambda _line: None
        )
        if how == "left":
            run.leave()
        else:
            carried_out(host, MigrationTuneRequest(made.uuid, Tune.CALL_BACK))
        outcome = run.wait(PATIENCE)
        stop()
        assert outcome is not None
        assert outcome.cancelled, outcome.message
        assert phases <= {MigrationPhase.LAYERS, MigrationPhase.UNDOING}, "it was not waited for what is left"
        assert host.state.migrations == {}
        assert journal_is_empty(host)
    as_before(made, hypervisor, other, tree, "b")
    assert list(there.iterdir()) == []


def test_the_line_is_cut_while_layers_are_copied(
    hypervisor: Hypervisor,
    other: Hypervisor,
    guest: Guests,
    server: SshServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = branched(guest)
    tree = definitions(hypervisor, made)
    there, maps = directory_at(other, made)
    wish = replace(migration(made, other, maps=maps), destination=server.uri(socket_of(other)))
    pass_on, passed = carrying.pass_on, count()

    def cut(*given: Any) -> None:
        if next(passed) == 20:
            server.hang_up()
        pass_on(*given)

    monkeypatch.setattr(carrying, "pass_on", cut)
    with watched(hypervisor) as host, removed_from(other, made):
        log = log_of(host)
        carried_out(host, wish)
        (line,) = [line for line in log if "begun anew" in line.text]
        assert str(there) in line.text
        assert not any("tried again" in line.text for line in log), (
            "the line broke while a file was under way"
        )
        assert known(definitions(other, made)) == known(tree, maps)
        assert is_writing(there / Path(source_at(other, made) or "").name)


def test_the_destination_fills_up_while_layers_are_copied(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = branched(guest)
    tree = definitions(hypervisor, made)
    small = other.small
    if small is None:
        pytest.skip("only root can mount a file system that the host sees as well")
    maps = ((str(made.directory), str(small)),)
    fill = small / "fill"
    risky = frozenset({Acceptance.RISK_FULL_DESTINATION})
    with watched(hypervisor) as host, removed_from(other, made):
        wish = migration(made, other, maps=maps, accepted=risky)
        plan = accepted(host, wish)
        with fill.open("wb") as file:
            file.write(b"x" * (shutil.disk_usage(small).free - 6 * MIB))
        try:
            outcome = host.run(plan).wait(PATIENCE)
            assert outcome is not None
            assert outcome.end is End.FAILED
            assert "No space left" in outcome.message
            assert journal_is_empty(host)
            assert list(small.iterdir()) == [fill]
            fill.unlink()
            fill.write_bytes(b"x" * (shutil.disk_usage(small).free - 6 * MIB))
            assert refusals(host.plan(wish)) == {"space"}
        finally:
            fill.unlink()
    as_before(made, hypervisor, other, tree, "b")


@pytest.mark.parametrize("what", ["a layer is written to", "somebody makes one there"])
def test_what_changes_meanwhile(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    made = guest(disks=[DiskSpec(layers=3)])
    base, mid, _top = made.images()
    there, maps = directory_at(other, made)
    pass_on = carrying.pass_on

    def touched(*given: Any) -> None:
        mid.touch()
        pass_on(*given)

    monkeypatch.setattr(carrying, "pass_on", touched)
    with watched(hypervisor) as host, removed_from(other, made):
        plan = accepted(host, migration(made, other, maps=maps, storage=CopyStorage.INC))
        if what == "somebody makes one there":
            (there / base.name).touch()
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        words = "is not overwritten" if what == "somebody makes one there" else "has changed meanwhile"
        assert words in outcome.message
        assert journal_is_empty(host)
    as_before(made, hypervisor, other, {}, None)
    left = [there / base.name] if what == "somebody makes one there" else []
    assert list(there.iterdir()) == left, "what is not ours stays"


KILLED = [(1, "after", True), (6, "inside", True), (6, "inside", False), (6, "after", False)]


@pytest.mark.parametrize(("number", "when", "undo"), KILLED)
def test_killed_while_layers_are_brought(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, number: int, when: str, *, undo: bool
) -> None:
    """The active layer is made there (0), then five that stand still (1 to 5), and these are copied (6)."""
    made = branched(guest)
    tree = definitions(hypervisor, made)
    still = [path for path in made.directory.glob("*-vda-*") if str(path) != made.chain()[0]]
    there, maps = directory_at(other, made)
    with watched(hypervisor) as host:
        plan = accepted(host, migration(made, other, maps=maps))
        assert isinstance(plan.steps[6], CopyLayersThere)
    wish: dict[str, object] = {"uuid": made.uuid, "destination": other.uri, "maps": maps}
    with removed_from(other, made):
        cut_off(made, wish, number, when)
        assert state_at(hypervisor, made) == "running"
        with watched(hypervisor) as host:
            carried_out(host, RecoverRequest(made.uuid, undo=undo))
            assert journal_is_empty(host)
        if undo:
            as_before(made, hypervisor, other, tree, "b")
            assert list(there.iterdir()) == []
            return
        assert state_at(other, made) == "running"
        assert known(definitions(other, made)) == known(tree, maps)
        assert current_at(other, made) == "b"
        for path in still:
            assert (there / path.name).stat().st_size == path.stat().st_size


@pytest.mark.parametrize("undo", [True, False])
def test_killed_before_somebody_else_makes_a_layer_there(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, *, undo: bool
) -> None:
    """The journal says that it is being made: what is there then need not be what the plan has made."""
    made = branched(guest)
    tree = definitions(hypervisor, made)
    there, maps = directory_at(other, made)
    with watched(hypervisor) as host:
        step = accepted(host, migration(made, other, maps=maps)).steps[1]
        assert isinstance(step, MakeThere)
    wish: dict[str, object] = {"uuid": made.uuid, "destination": other.uri, "maps": maps}
    cut_off(made, wish, 1, "before")
    theirs = Path(step.image.path)
    with theirs.open("wb") as file:
        file.truncate(step.image.size)
    with watched(hypervisor) as host:
        log = log_of(host)
        outcome = carried_out(host, RecoverRequest(made.uuid, undo=undo), End.DONE if undo else End.FAILED)
        said = " ".join([outcome.message, *(finding.reason for finding in outcome.findings)])
        assert ("this plan has not made it" if undo else "is not overwritten") in said, log
        assert journal_is_empty(host)
    as_before(made, hypervisor, other, tree, "b")
    assert list(there.iterdir()) == [theirs]
    assert theirs.stat().st_blocks == 0
