"""Live snapshots of a Linux guest that writes to two disks all the time: what is held is of one instant."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine import accepted, carried_out, cut_off, journal_is_empty, left_in_the_middle, watched
from tests.hypervisor import Hypervisor
from tests.linux_content import needs_recovery, proved
from tests.linux_guest import LinuxDisk, LinuxGuest, LinuxGuests
from tests.outside import check, wait_for
from tests.ssh_server import SshServer
from tui.engine.control import End, Outcome
from tui.model.destination import parse_destination
from tui.model.live_steps import TakeTogether
from tui.model.methods import Method, Quiesce, Wish
from tui.model.mirrored_snapshot import Snapshot, file_disk
from tui.model.plan import Plan
from tui.model.request import (
    Ending,
    LiveSnapshotRequest,
    RecoverRequest,
    SnapshotEndRequest,
    SnapshotRequest,
)

QCOW2 = LinuxDisk()
DEEP = LinuxDisk(layers=2)
RAW = LinuxDisk(format="raw")


@dataclass(frozen=True, slots=True)
class Case:
    """How the two disks are held."""

    methods: tuple[Method | None, Method | None]
    agent: bool = True
    far: bool = False
    """The host is reached through ssh, as one that is somewhere else."""


CASES = {
    "overlays": Case((Method.QEMU, Method.QEMU)),
    "overlays, no agent": Case((Method.QEMU, Method.QEMU), agent=False),
    "clones": Case((Method.BTRFS, Method.BTRFS)),
    "clones, paused": Case((Method.BTRFS, Method.BTRFS), agent=False),
    "an overlay and a clone": Case((Method.QEMU, Method.BTRFS)),
    "a clone and an overlay, paused": Case((Method.BTRFS, Method.QEMU), agent=False),
    "the best for each": Case((None, None)),
    "by hand": Case((Method.MANUAL, Method.MANUAL)),
    "clones through ssh": Case((Method.BTRFS, Method.BTRFS), far=True),
}


def backups(plan: Plan) -> dict[str, Path]:
    """What the plan says that a backup is made from."""
    found = {held.target: held.backup for held in plan.held}
    return {t: Path(parse_destination(text).layers[0].path) for t, text in found.items() if text}


def said(outcome: Outcome) -> set[str]:
    return {finding.check for finding in outcome.findings}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_all_disks_are_held_at_one_instant(
    hypervisor: Hypervisor, cloning: Path, linux_guest: LinuxGuests, tmp_path: Path, case: Case
) -> None:
    made = linux_guest([DEEP, RAW], agent=case.agent, within=cloning)
    old = {target: Path(made.chain(target)[0]) for target in made.targets}
    clones = {target: path.with_name(f"{target}-held{path.suffix}") for target, path in old.items()}
    wishes = tuple(
        Wish(target, method, path=str(clones[target]) if method is Method.BTRFS else None)
        for target, method in zip(made.targets, case.methods, strict=True)
    )
    command = " && ".join(f"cp --reflink=always {old[target]} {clones[target]}" for target in made.targets)
    wish = LiveSnapshotRequest(made.uuid, "held", disks=wishes, pause=not case.agent, command=command)
    before, server = made.last(), SshServer(tmp_path)
    far = server.uri(hypervisor.root / "sock" / "libvirt-sock")
    try:
        with watched(far if case.far else hypervisor.uri, may_ask=False) as host:
            plan = accepted(host, wish)
            outcome = carried_out(host, wish)
            assert journal_is_empty(host)
    finally:
        server.stop()
    assert made.state() == "running"
    if case.agent:
        assert made.ask_agent("guest-fsfreeze-status") == "thawed"
    made.goes_on()
    now = {target: Path(made.chain(target)[0]) for target in made.targets}
    made.virsh("destroy")
    held = backups(plan) if Method.MANUAL not in case.methods else clones
    if case.methods == (None, None):
        # An overlay for what is qcow2 anyway, and a clone of what is raw.
        assert held["vda"] == old["vda"] != now["vda"]
        assert now["vdb"] == old["vdb"] != held["vdb"]
        held["vdb"] = held["vdb"].rename(clones["vdb"])
    ticks = made.ticks()
    assert before <= proved(held, ticks) < ticks[-1].number
    end = ticks[-1].number
    assert end <= proved(now_readable(now, tmp_path), ticks) <= end + 1
    for path in held.values():
        form = path.suffix[1:]
        assert needs_recovery(path, form) is not case.agent
        if form == "qcow2":
            assert check(path) == 0
        if path in clones.values() and Method.MANUAL not in case.methods:
            assert not path.stat().st_mode & 0o222, "somebody could write to what is held"
    assert ("quiesced" in said(outcome)) is case.agent
    note = any(method is not Method.QEMU for method in case.methods)
    assert ("urn:virt-mirror:snapshot:" in made.xml(inactive=True)) is note


def now_readable(now: dict[str, Path], directory: Path) -> dict[str, Path]:
    """The active layers under names that end as their formats are called."""
    named = {}
    for target, path in now.items():
        if path.suffix in (".qcow2", ".raw"):
            named[target] = path
        else:
            named[target] = directory / f"{target}.qcow2"
            named[target].symlink_to(path)
    return named


def test_without_an_agent_and_a_pause_several_instants_are_refused(
    hypervisor: Hypervisor, cloning: Path, linux_guest: LinuxGuests
) -> None:
    made = linux_guest([QCOW2, RAW], within=cloning)
    with watched(hypervisor) as host:
        mixed = LiveSnapshotRequest(
            made.uuid, "held", disks=(Wish("vda", Method.QEMU), Wish("vdb", Method.BTRFS))
        )
        plan = host.plan(mixed)
        assert {f.check for f in plan.findings if f.severity == "refused"} == {"not-one-instant"}
        frozen = LiveSnapshotRequest(made.uuid, "held", method=Method.QEMU, quiesce=Quiesce.REQUIRED)
        plan = host.plan(frozen)
        assert {f.check for f in plan.findings if f.severity == "refused"} == {"no-agent"}
    assert list(cloning.rglob("*held*")) == []


def mirrored(guest: LinuxGuest, there: Path) -> SnapshotRequest:
    """A wish for a snapshot of all disks, each with a mirror, that needs the agent."""
    disks = tuple(file_disk(target, mirror=str(there / f"{target}.qcow2")) for target in guest.targets)
    return SnapshotRequest(guest.uuid, Snapshot("held", disks=disks), quiesce=Quiesce.REQUIRED)


@pytest.mark.parametrize("ending", [Ending.PIVOT, Ending.CANCEL])
def test_disks_with_mirrors_are_held_at_one_instant(
    hypervisor: Hypervisor, linux_guest: LinuxGuests, tmp_path: Path, ending: Ending
) -> None:
    made = linux_guest([QCOW2, RAW], agent=True)
    old = {target: Path(made.chain(target)[0]) for target in made.targets}
    before = made.last()
    with watched(hypervisor) as host:
        outcome = carried_out(host, mirrored(made, tmp_path))
        assert "quiesced" in said(outcome)
        assert made.ask_agent("guest-fsfreeze-status") == "thawed"
        made.goes_on()
        held = {target: tmp_path / f"held-{target}{path.suffix}" for target, path in old.items()}
        for target, path in old.items():
            # Nobody writes to them until the mirrors end.
            shutil.copyfile(path, held[target])
        overlays = {target: Path(made.chain(target)[0]) for target in made.targets}
        carried_out(host, SnapshotEndRequest(made.uuid, "held", ending))
        assert journal_is_empty(host)
    made.goes_on()
    now = {target: Path(made.chain(target)[0]) for target in made.targets}
    mirrors = {target: tmp_path / f"{target}.qcow2" for target in made.targets}
    assert now == (mirrors if ending is Ending.PIVOT else overlays)
    made.virsh("destroy")
    ticks = made.ticks()
    assert before <= proved(held, ticks) < ticks[-1].number
    for path in held.values():
        assert not needs_recovery(path, path.suffix[1:])
    end = ticks[-1].number
    assert end <= proved(now_readable(now, tmp_path), ticks) <= end + 1


def test_killed_while_all_is_frozen_for_mirrors(
    hypervisor: Hypervisor, linux_guest: LinuxGuests, tmp_path: Path
) -> None:
    made = linux_guest([QCOW2, RAW], agent=True)
    specs = [f"{target},mirror={tmp_path}/{target}.qcow2" for target in made.targets]
    cut_off(made, {"uuid": made.uuid, "name": "held", "specs": specs}, 0, "inside")
    wait_for(lambda: made.ask_agent("guest-fsfreeze-status") == "thawed", what="its file systems are thawed")
    made.goes_on()
    with watched(hypervisor) as host:
        carried_out(host, RecoverRequest(made.uuid, undo=False))
        carried_out(host, SnapshotEndRequest(made.uuid, "held", Ending.PIVOT))
        assert journal_is_empty(host)
    made.goes_on()
    assert [made.chain(target)[0] for target in made.targets] == [
        f"{tmp_path}/{target}.qcow2" for target in made.targets
    ]


AGENT = "qemu-ga --daemonize --statedir=/run --pidfile=/run/qemu-ga.pid"
FROZEN = "while ! [ -e /run/qga.state.isfrozen ]; do sleep 1; done; sleep 1"
"""The agent notes it just before it freezes anything."""
RESTART = f"kill -9 $(cat /run/qemu-ga.pid); sleep 4; exec {AGENT}"


def test_the_agent_dies_while_all_is_frozen(hypervisor: Hypervisor, linux_guest: LinuxGuests) -> None:
    """It is started again, as an init system does, and the guest goes on as soon as it answers."""
    made = linux_guest([QCOW2, RAW], agent=True)
    words = {"path": "/bin/sh", "arg": ["-c", f"{FROZEN}; {RESTART}"]}
    made.virsh("qemu-agent-command", json.dumps({"execute": "guest-exec", "arguments": words}))
    disks = tuple(Wish(target, Method.MANUAL) for target in made.targets)
    with watched(hypervisor) as host:
        asked = LiveSnapshotRequest(
            made.uuid, "held", disks=disks, quiesce=Quiesce.REQUIRED, command="sleep 5", limit=60.0
        )
        outcome = carried_out(host, asked)
    assert "quiesced" in said(outcome)
    made.goes_on()
    assert made.ask_agent("guest-fsfreeze-status") == "thawed"


UNREACHABLE = (
    "mkdir -p /extra/x && mount -t ext4 /dev/vda /extra/x && mkdir /extra/y && mount -t ext4 /dev/vdb /extra/y"
    " && mount -t tmpfs none /extra"
)
"""The agent is to freeze what it then cannot open, and fails."""


def run_inside(guest: LinuxGuest, script: str) -> None:
    """Have the agent run a script to its end."""

    def asked(command: str, **arguments: object) -> Any:
        words = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(guest.virsh("qemu-agent-command", words))["return"]

    pid = asked("guest-exec", path="/bin/sh", arg=["-c", script])["pid"]
    wait_for(lambda: asked("guest-exec-status", pid=pid)["exited"], what="the script has ended")


@pytest.mark.parametrize("quiesce", [Quiesce.REQUIRED, Quiesce.AUTO])
def test_the_freeze_fails(hypervisor: Hypervisor, linux_guest: LinuxGuests, quiesce: Quiesce) -> None:
    """It keeps the snapshot back where it was required, and else is said; nothing stays frozen."""
    made = linux_guest([QCOW2, RAW], agent=True)
    run_inside(made, UNREACHABLE)
    wish = LiveSnapshotRequest(made.uuid, "held", method=Method.QEMU, quiesce=quiesce)
    required = quiesce is Quiesce.REQUIRED
    with watched(hypervisor) as host:
        outcome = carried_out(host, wish, End.FAILED if required else End.DONE)
        assert journal_is_empty(host)
    assert ("not-quiesced" in said(outcome)) is not required
    assert made.virsh("snapshot-list", "--name").split() == ([] if required else ["held"])
    assert made.ask_agent("guest-fsfreeze-status") == "thawed"
    made.goes_on()


def test_one_disk_cannot_be_held_while_all_is_frozen(
    hypervisor: Hypervisor, linux_guest: LinuxGuests
) -> None:
    made = linux_guest([QCOW2, RAW], agent=True)
    before = {target: made.chain(target) for target in made.targets}
    disks = tuple(map(Wish, made.targets, (Method.QEMU, Method.MANUAL)))
    with watched(hypervisor) as host:
        asked = LiveSnapshotRequest(
            made.uuid,
            "held",
            disks=disks,
            quiesce=Quiesce.REQUIRED,
            command="echo no room >&2; exit 3",
            limit=60.0,
        )
        outcome = carried_out(host, asked, End.FAILED)
        assert journal_is_empty(host)
    assert "failed with 3: no room" in outcome.message
    assert made.ask_agent("guest-fsfreeze-status") == "thawed"
    made.goes_on()
    assert made.virsh("snapshot-list", "--name").split() == []
    assert {target: made.chain(target) for target in made.targets} == before


@pytest.mark.parametrize("method", [Method.BTRFS, Method.QEMU])
def test_killed_while_all_is_frozen(
    hypervisor: Hypervisor, cloning: Path, linux_guest: LinuxGuests, method: Method
) -> None:
    """Nobody starts anything, and the guest goes on."""
    made = linux_guest([QCOW2, RAW], agent=True, within=cloning)
    methods = dict.fromkeys(made.targets, method.value)
    cut_off(made, {"uuid": made.uuid, "name": "held", "methods": methods}, 0, "inside")
    wait_for(lambda: made.state() == "running", what="the guest goes on")
    wait_for(lambda: made.ask_agent("guest-fsfreeze-status") == "thawed", what="its file systems are thawed")
    made.goes_on()
    with watched(hypervisor) as host:
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        assert journal_is_empty(host)
    assert list(cloning.rglob("*held*")) == []
    assert made.virsh("snapshot-list", "--name").split() == []
    before = made.ticks()
    made.virsh("destroy")
    now = {target: Path(made.source(target) or "") for target in made.targets}
    assert proved(now, made.ticks()) >= before[-1].number


def test_left_frozen_it_is_thawed_by_the_next_start(hypervisor: Hypervisor, linux_guest: LinuxGuests) -> None:
    """With nobody to watch over the guest, as on a hypervisor that was inside of the process that died."""
    made = linux_guest([QCOW2, RAW], agent=True)
    with watched(hypervisor) as host:
        plan = accepted(host, LiveSnapshotRequest(made.uuid, "held", method=Method.QEMU))
    left_in_the_middle(made, plan, TakeTogether)
    assert made.ask_agent("guest-fsfreeze-freeze") == 2
    with watched(hypervisor) as host:
        wait_for(
            lambda: made.ask_agent("guest-fsfreeze-status") == "thawed", what="its file systems are thawed"
        )
        made.goes_on()
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        assert journal_is_empty(host)
