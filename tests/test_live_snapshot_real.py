"""Live snapshots on a real host: what virsh and qemu-img see of them, whatever goes wrong, and how they go again."""

from __future__ import annotations

import json
import os
import select
import shlex
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Button, Digits, Input

from tests import logical
from tests.app_pilot import played
from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    cut_off,
    journal_is_empty,
    left_in_the_middle,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor, UnavailableError
from tests.linux_content import needs_recovery, proved
from tests.linux_guest import LinuxDisk, LinuxGuests
from tests.logical import LogicalPool
from tests.outside import check, image_info, is_writing, wait_for
from tests.snapshot_view import form_opened, method
from tests.ssh_server import SshServer
from tests.storage import administer
from tests.test_cli_real import program
from tests.test_ssh_real import socket_of
from tests.test_terminal import Terminal
from tui.app.dialogs.fields import Check
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.held import HeldDialog
from tui.app.dialogs.standstill import StandstillDialog
from tui.engine.control import End
from tui.engine.present import PRESENT
from tui.model.destination import parse_destination
from tui.model.domain import RunState
from tui.model.journal import STALE_AFTER
from tui.model.live_steps import TakeTogether
from tui.model.methods import Method, Quiesce, Wish
from tui.model.request import CommitRequest, How, LiveSnapshotRequest, MoveRequest, RecoverRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {"lvm": logical.lvm, "stand-in": logical.stand_in}


@pytest.fixture(params=list(KINDS))
def group(request: pytest.FixtureRequest, hypervisor: Hypervisor) -> Iterator[LogicalPool]:
    """A logical pool; name it before the guests that go there."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(KINDS[request.param](hypervisor, size=1024 * MIB, extent=MIB))
        except UnavailableError as error:
            pytest.skip(f"no logical volumes of this kind here: {error}")


def wish(guest: Guest, methods: dict[str, Method], **more: object) -> LiveSnapshotRequest:
    wishes = tuple(Wish(target, method) for target, method in methods.items())
    return LiveSnapshotRequest(guest.uuid, "s1", disks=wishes, **more)  # type: ignore[arg-type]


def two_disks(guest: Guests, cloning: Path) -> Guest:
    """One that is raw, where files can share blocks, and one that is qcow2."""
    return guest(disks=[DiskSpec(data=8 * MIB), DiskSpec(format="raw", directory=cloning)])


def nothing_is_left(guest: Guest, cloning: Path, old: list[str]) -> None:
    assert guest.state() == "running"
    assert is_writing(Path(guest.chain()[0]))
    assert [guest.chain(target)[0] for target in ("vda", "vdb")] == old
    assert "urn:virt-mirror" not in guest.xml() + guest.xml(inactive=True)
    assert guest.virsh("snapshot-list", "--name").split() == []
    assert list(cloning.glob("*.s1")) + list(guest.directory.glob("*.s1")) == []


def actives(guest: Guest) -> list[str]:
    return [guest.chain(target)[0] for target in ("vda", "vdb")]


@pytest.mark.parametrize("cloning", ["btrfs", "xfs"], indirect=True)
def test_create_see_and_delete_on_the_command_line(
    hypervisor: Hypervisor, cloning: Path, guest: Guests
) -> None:
    made = two_disks(guest, cloning)
    old = actives(made)
    create = (
        "snapshot",
        "create",
        made.name,
        "s1",
        "--pause",
        "--description",
        "before it",
        "--yes",
        "--json",
    )
    done = program(hypervisor, *create)
    assert done.returncode == 0, done.stderr
    held = {one["target"]: one for one in json.loads(done.stdout)["plan"]["held"]}
    assert {target: one["method"] for target, one in held.items()} == {"vda": "qemu", "vdb": "btrfs"}
    backup = {target: parse_destination(one["backup"]).layers[0].path for target, one in held.items()}
    now = {target: parse_destination(one["disk"]).layers[0].path for target, one in held.items()}
    assert [now["vda"], now["vdb"]] == actives(made)
    assert backup == {"vda": old[0], "vdb": f"{Path(old[1]).with_suffix('')}.s1"}
    clone = Path(backup["vdb"])
    before = clone.read_bytes()
    assert made.virsh("snapshot-list", "--name").split() == ["s1"]
    tree = json.loads(program(hypervisor, "snapshot", "tree", made.name, "--json").stdout)
    (one,) = tree["snapshots"]
    assert (one["name"], one["kind"], one["description"]) == ("s1", "mixed", "before it")
    assert {disk["target"]: disk["holds_state"]["path"] for disk in one["disks"]} == backup
    assert is_writing(Path(now["vda"]))
    assert clone.read_bytes() == before, "what is held has changed"
    aside = clone.rename(clone.with_suffix(".aside"))
    found = program(hypervisor, "doctor", made.name, "--json").stdout
    assert "snapshot-lost" in found
    assert str(clone) in found
    aside.rename(clone)
    assert "snapshot-lost" not in program(hypervisor, "doctor", made.name, "--json").stdout
    gone = program(hypervisor, "snapshot", "delete", made.name, "s1", "--yes")
    assert gone.returncode == 0, gone.stderr
    nothing_is_left(made, cloning, old)


def test_a_state_inside_of_the_images(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(), DiskSpec()])
    with watched(hypervisor) as host:
        carried_out(host, wish(made, {"vda": Method.INTERNAL, "vdb": Method.INTERNAL}))
        assert journal_is_empty(host)
        mixed = host.plan(wish(made, {"vda": Method.INTERNAL, "vdb": Method.QEMU}))
        assert refusals(mixed) == {"memory-alone", "snapshot-exists"}
    assert made.state() == "running"
    for path in actives(made):
        info = image_info(Path(path), "qcow2")
        assert [snapshot["name"] for snapshot in info["snapshots"]] == ["s1"]
    assert made.virsh("snapshot-list", "--name", "--internal").split() == ["s1"]


@pytest.mark.parametrize(
    ("command", "why"),
    [("echo no room >&2; exit 3", "failed with 3: no room"), ("sleep 60", "within 1 s")],
    ids=["fails", "takes too long"],
)
def test_the_guest_goes_on_whatever_the_command_does(
    hypervisor: Hypervisor, cloning: Path, guest: Guests, command: str, why: str
) -> None:
    """The other disk's clone was made before, and is taken back."""
    made = two_disks(guest, cloning)
    old = actives(made)
    with watched(hypervisor) as host:
        asked = wish(
            made, {"vda": Method.MANUAL, "vdb": Method.BTRFS}, pause=True, command=command, limit=1.0
        )
        outcome = carried_out(host, asked, End.FAILED)
        assert why in outcome.message
        assert "the guest goes on" in outcome.message
        assert journal_is_empty(host)
    nothing_is_left(made, cloning, old)


def test_by_hand_with_all_that_the_command_is_told(
    hypervisor: Hypervisor, cloning: Path, guest: Guests
) -> None:
    made = two_disks(guest, cloning)
    said = made.directory / "said"
    told = "$VIRT_MIRROR_DOMAIN $VIRT_MIRROR_DISKS $VIRT_MIRROR_SNAPSHOT"
    command = f'echo "{told}" > {shlex.quote(str(said))}'
    with watched(hypervisor) as host:
        asked = wish(made, {"vda": Method.MANUAL, "vdb": Method.MANUAL}, pause=True, command=command)
        outcome = carried_out(host, asked)
    assert said.read_text().split() == [made.name, "vda", "vdb", "s1"]
    assert "paused" in {finding.check for finding in outcome.findings}
    assert made.state() == "running"


def test_by_hand_at_the_terminal(hypervisor: Hypervisor, guest: Guests) -> None:
    """The guest stands still until enter is pressed."""
    made = guest(disks=[DiskSpec()])
    ours, theirs = os.openpty()
    words = ("snapshot", "create", made.name, "s1", "--method", "manual", "--wait", "--pause", "--yes")
    with (
        open(ours, "w", encoding="ascii") as keys,  # noqa: PTH123  a descriptor
        subprocess.Popen(
            [sys.executable, "-m", "tui", "-c", hypervisor.uri, *words],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        os.close(theirs)
        wait_for(lambda: made.state() == "paused", what="the guest stands still")
        keys.write("\n")
        keys.flush()
        _said, complaint = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, complaint
    assert "stands still (the guest paused), for 30 s at most: do your part, and press enter." in complaint
    assert made.state() == "running"


def test_what_is_painted_on_a_terminal_leaves_the_prompt(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec()])
    ours, theirs = os.openpty()
    words = ("snapshot", "create", made.name, "s1", "--method", "manual", "--wait", "--pause", "--yes")
    said = b""
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        [sys.executable, "-m", "tui", "-c", hypervisor.uri, *words],
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        while b"press enter.\r\n" not in said:
            assert select.select([ours], [], [], PATIENCE)[0], said
            said += os.read(ours, 4096)
        assert made.state() == "paused"
        os.write(ours, b"\n")
        while process.poll() is None and select.select([ours], [], [], PATIENCE)[0]:
            with suppress(OSError):
                said += os.read(ours, 4096)
        assert process.wait(PATIENCE) == 0, said
    os.close(ours)
    assert made.state() == "running"


@pytest.mark.parametrize(("key", "end"), [("enter", "held"), ("escape", "given up"), (None, "late")])
def test_by_hand_from_the_form(hypervisor: Hypervisor, guest: Guests, key: str | None, end: str) -> None:
    """The guest stands still while the dialog counts, and what is taken stays only if the user says so."""
    made = guest(disks=[DiskSpec(), DiskSpec()])
    old = actives(made)

    @played
    async def play() -> None:
        with watched(hypervisor) as host:
            async with form_opened(host, clock=time.time) as (screen, form):
                method(form, 1).value = Method.MANUAL
                form.query_one("#name", Input).value = "s1"
                form.query_one("#pause", Check).value = True
                form.query_one("#limit", Input).value = "600" if key else "1"
                # The proposal for the first one is taken, an overlay.
                asked = wish(made, {"vdb": Method.MANUAL}, pause=True, asks=True, limit=600.0 if key else 1.0)
                await screen.until(lambda: form.plan is not None and form.plan.request == asked)
                form.query_one("#start", Button).press()
                if key:
                    await screen.until(lambda: host.state.awaited)
                    dialog = screen.app.screen
                    assert isinstance(dialog, StandstillDialog)
                    dialog.look()
                    assert 500 < int(dialog.query_one(Digits).value) <= 600
                    assert made.state() == "paused"
                    await screen.press(key)
                if end == "held":
                    await screen.until(lambda: isinstance(screen.app.screen, HeldDialog))
                    return
                await screen.until(lambda: isinstance(screen.app.screen, StandstillDialog))
                dialog = screen.app.screen
                words = "given up; the guest goes on" if key else "within 1 s"
                await screen.until(lambda: words in dialog.query_one(Flow).plain)

    play()
    assert made.state() == "running"
    if end == "held":
        assert "urn:virt-mirror:snapshot:" in made.xml()
        assert actives(made)[0] != old[0]
        return
    assert actives(made) == old
    assert "urn:virt-mirror" not in made.xml() + made.xml(inactive=True)


def test_the_terminal_dies_while_the_user_is_waited_for(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path
) -> None:
    """Nobody is there any more to say anything, and the guest goes on long before the time is over."""
    made = guest(disks=[DiskSpec()])
    terminal = Terminal(tmp_path, 120, 36)
    try:
        words = shlex.join([sys.executable, "-P", "-m", "tui", "-c", hypervisor.uri])
        terminal.enter(
            f"unset COLUMNS LINES; PYTHONPATH={Path(__file__).parent.parent} XDG_STATE_HOME={tmp_path} {words}"
        )
        terminal.until(made.name, "running", "live")
        terminal.type("s")
        terminal.until("n New")
        terminal.type("n")
        terminal.until("● qemu")
        terminal.type("Tab", "Tab", "Right", "Right")
        terminal.until("● manual", "Empty: the guest stands still")
        terminal.type("Tab", "Tab", "Tab", "Tab", "Space")
        terminal.until("[x] the guest may be paused")
        terminal.type("Tab", "End", "0", "Enter")
        terminal.until("enter takes it")
        terminal.type("Enter")
        terminal.until("seconds left")
        assert made.state() == "paused"
    finally:
        terminal.close()
    wait_for(lambda: made.state() == "running", what="the guest goes on")
    with watched(hypervisor, clock=lambda: time.time() + STALE_AFTER + 1) as host:
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        assert journal_is_empty(host)
    assert made.state() == "running"


def test_by_hand_nobody_says_that_it_is_done(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec()])
    with watched(hypervisor) as host:
        asked = wish(made, {"vda": Method.MANUAL}, pause=True, asks=True, limit=0.5)
        assert "Nobody has said within 0.5 s" in carried_out(host, asked, End.FAILED).message
        assert host.state.awaited == {}
        assert journal_is_empty(host)
    assert made.state() == "running"


def test_what_is_noted_may_be_read_for_long_before_it_is_begun(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec()])
    times = [4e9]
    with watched(hypervisor, clock=lambda: times[0]) as host:
        plan = accepted(host, wish(made, {"vda": Method.MANUAL}, pause=True, command="true"))
        times[0] += PRESENT + 1
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome
    assert 'created="4000000000' in made.xml()


def test_a_part_that_cannot_be_taken_takes_the_others_back(
    hypervisor: Hypervisor, cloning: Path, guest: Guests
) -> None:
    """Somebody makes a file of that name after the plan was made: it is his, and stays."""
    made = two_disks(guest, cloning)
    old = actives(made)
    with watched(hypervisor) as host:
        plan = accepted(host, wish(made, {"vda": Method.QEMU, "vdb": Method.BTRFS}, pause=True))
        strange = Path(f"{Path(old[0]).with_suffix('')}.s1")
        strange.write_text("somebody's")
        outcome = host.run(plan).wait(2 * PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert journal_is_empty(host)
    assert strange.read_text() == "somebody's"
    strange.unlink()
    nothing_is_left(made, cloning, old)


@pytest.mark.parametrize("undo", [True, False], ids=["undo", "resume"])
@pytest.mark.parametrize("when", ["before", "inside", "after"])
@pytest.mark.parametrize("number", [0, 1], ids=["take", "note"])
def test_killed_at_every_step(
    hypervisor: Hypervisor, cloning: Path, guest: Guests, number: int, when: str, *, undo: bool
) -> None:
    made = two_disks(guest, cloning)
    old = actives(made)
    methods = {"vda": Method.QEMU.value, "vdb": Method.BTRFS.value}
    if (number, when) == (1, "inside"):
        pytest.skip("writing the note is one call")
    cut_off(made, {"uuid": made.uuid, "name": "s1", "methods": methods}, number, when)
    # Nobody looks, and the guest goes on.
    wait_for(lambda: made.state() == "running", what="the guest goes on")
    with watched(hypervisor) as host:
        (entry,) = host.state.entries
        torn = (number, when) == (0, "inside")
        end = End.FAILED if torn and not undo else End.DONE
        outcome = carried_out(host, RecoverRequest(made.uuid, undo=undo), end)
        if end is End.FAILED:
            # Half of it is of another instant: it is taken back, and not completed.
            assert "cloned" in outcome.message
        assert journal_is_empty(host), entry
    if undo or torn:
        nothing_is_left(made, cloning, old)
        return
    assert made.virsh("snapshot-list", "--name").split() == ["s1"]
    assert Path(f"{Path(old[1]).with_suffix('')}.s1").exists()
    assert "urn:virt-mirror:snapshot:" in made.xml(inactive=True)
    made.virsh("destroy")
    assert check(Path(made.source() or "")) == 0


def test_a_guest_left_paused_goes_on_and_stays_paused_when_somebody_wants_it(
    hypervisor: Hypervisor, guest: Guests
) -> None:
    """Killed with nobody to watch over the guest: the next start lets it go on, once."""
    made = guest(disks=[DiskSpec(), DiskSpec()])
    with watched(hypervisor) as host:
        asked = wish(made, {"vda": Method.QEMU, "vdb": Method.MANUAL}, pause=True, command="true")
        plan = accepted(host, asked)
    left_in_the_middle(made, plan, TakeTogether)
    made.virsh("suspend")
    with watched(hypervisor) as host:
        wait_for(lambda: made.state() == "running", what="the guest goes on")
        made.virsh("suspend")
        assert host.wait_for(
            lambda s: ((d := s.domain(made.uuid)) and d.state is RunState.PAUSED) or None, timeout=PATIENCE
        )
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        assert journal_is_empty(host)
        assert made.state() == "paused"


def test_a_commit_keeps_what_a_clone_stands_on(hypervisor: Hypervisor, cloning: Path, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=3, directory=cloning)])
    with watched(hypervisor) as host:
        carried_out(host, wish(made, {"vda": Method.BTRFS}, pause=True))
        base, middle = made.chain()[2], made.chain()[1]
        plan = host.plan(CommitRequest(made.uuid, "vda", top=middle, base=base))
        assert "snapshots" in " ".join(refusals(plan)), plan.findings


def test_volumes_hold_the_same_instant_as_overlays(
    hypervisor: Hypervisor, group: LogicalPool, linux_guest: LinuxGuests, tmp_path: Path
) -> None:
    made = linux_guest([LinuxDisk(), LinuxDisk(format="raw")], agent=True)
    old = Path(made.chain("vda")[0])
    with watched(hypervisor) as host:
        carried_out(host, MoveRequest(made.uuid, f"pool:{group.name}", ("vdb",), How.FLATTEN))
        origin = Path(made.chain("vdb")[0])
        before = made.last()
        asked = LiveSnapshotRequest(made.uuid, "s1", quiesce=Quiesce.REQUIRED)
        plan = accepted(host, asked)
        assert {held.target: held.method for held in plan.held} == {"vda": "qemu", "vdb": "lvm"}
        assert "cow-size" in {finding.check for finding in plan.findings}
        carried_out(host, asked)
        assert journal_is_empty(host)
        assert made.ask_agent("guest-fsfreeze-status") == "thawed"
        made.goes_on()
        (name,) = set(group.volumes()) - {origin.name}
        assert name.startswith(f"{origin.name}-s1-")
        volume = tmp_path / "volume.raw"
        volume.symlink_to(group.path / name)
        held = {"vda": old, "vdb": volume}
        ticks = made.ticks()
        assert before <= proved(held, ticks) < ticks[-1].number
        assert not any(needs_recovery(path, path.suffix[1:]) for path in held.values())
        done = program(hypervisor, "snapshot", "delete", made.name, "s1", "--yes")
        assert done.returncode == 0, done.stderr
    assert group.volumes() == [origin.name]
    assert made.chain("vda") == [str(old)]
    assert "urn:virt-mirror" not in made.xml() + made.xml(inactive=True)


def on_a_volume(guest: Guests, group: LogicalPool, monkeypatch: pytest.MonkeyPatch) -> Guest:
    """With a second disk on a volume, to which it writes too; LVM's tools are found by whoever looks for them."""
    if group.tools:
        monkeypatch.setenv("PATH", f"{group.tools}:{os.environ['PATH']}")
    group.make("origin", 16 * MIB)
    volume = (
        "<disk type='block' device='disk'><driver name='qemu' type='raw' cache='none'/>"
        f"<source dev='{group.path}/origin'/><target dev='vdb' bus='virtio'/></disk>"
    )
    return guest(disks=[DiskSpec(), volume], drives=2, delay=0)


def filled(path: Path) -> float:
    """What LVM says of a volume, in percents."""
    return float(administer("lvs", "--noheadings", "-o", "data_percent", str(path)))


def test_how_full_a_volume_is(
    hypervisor: Hypervisor,
    group: LogicalPool,
    guest: Guests,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    made = on_a_volume(guest, group, monkeypatch)
    wishes = (Wish("vda", Method.NO), Wish("vdb", Method.LVM, volume="held", size=16 * MIB))
    with watched(hypervisor) as host:
        carried_out(host, LiveSnapshotRequest(made.uuid, "s1", disks=wishes, pause=True))
    held = group.path / "held"
    wait_for(lambda: filled(held) > 1, what="the guest writes")
    made.virsh("suspend")
    tree = program(hypervisor, "snapshot", "tree", made.name, "--json").stdout
    (one,) = json.loads(tree)["snapshots"]
    (disk,) = one["disks"]
    assert f"{100 * disk['filled']:.2f}" == f"{filled(held):.2f}"
    assert 0 < disk["filled"] < 1
    said = program(hypervisor, "snapshot", "tree", made.name).stdout
    assert f"vdb filled {int(filled(held))} %" in said
    server = SshServer(tmp_path)
    try:
        with watched(server.uri(socket_of(hypervisor)), may_ask=False) as far:
            assert far.snapshots(made.uuid).filled == {str(held): disk["filled"]}
    finally:
        server.stop()


def test_a_volume_that_is_full(
    hypervisor: Hypervisor, group: LogicalPool, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = on_a_volume(guest, group, monkeypatch)
    # Of what it has written once the guest changes one chunk of 4 KiB in 32 from then on: 2 MiB in all, and more
    # than the volume has room for only if that isn't rounded up to a larger extent.
    wishes = (Wish("vda", Method.NO), Wish("vdb", Method.LVM, volume="held", size=MIB))
    # One that writes could fill it before libvirt has looked at what it has just made, which it does not understand.
    made.virsh("suspend")
    with watched(hypervisor) as host:
        carried_out(host, LiveSnapshotRequest(made.uuid, "s1", disks=wishes, pause=True))
    made.virsh("resume")
    wait_for(lambda: filled(group.path / "held") == 100, what="the guest fills it")
    said = program(hypervisor, "snapshot", "tree", made.name).stdout
    assert "vdb full: it holds the state no more" in said
    # libvirt shows no such volume from its next look on; "not there" would be wrong.
    assert group.volumes() == ["origin"]
    left = program(hypervisor, "snapshot", "delete", made.name, "s1", "--yes", "--json").stdout
    (finding,) = json.loads(left)["outcome"]["findings"]
    assert finding["check"] == "volume-left"
    assert finding["remedy"].endswith(f"lvremove {group.path / 'held'}")
    assert (group.path / "held").exists()
    administer("lvremove", "--yes", str(group.path / "held"))
    program(hypervisor, "snapshot", "delete", made.name, "s1", "--yes")
    assert "urn:virt-mirror" not in made.xml() + made.xml(inactive=True)
