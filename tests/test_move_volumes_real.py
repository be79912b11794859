"""Moving disks into volumes of a logical pool on a real host.

They are LVM's where there is a device mapper, and loop devices that a real libvirt takes for such.
"""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import logical
from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    cut_off,
    end_request,
    job_in,
    journal_is_empty,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor, UnavailableError
from tests.logical import LogicalPool
from tests.outside import check, image_info, images_equal, is_writing, virtual_size, wait_for
from tests.ssh_server import SshServer
from tests.test_cli_real import program
from tests.test_ssh_real import socket_of
from tui.engine import steps
from tui.engine.control import End
from tui.engine.errors import NoConnection
from tui.engine.host import Host
from tui.model.finding import Finding, Severity
from tui.model.job import Phase
from tui.model.request import Ending, How, MoveRequest, RecoverRequest, Then
from tui.model.steps import AwaitSync, Step
from tui.model.volume_steps import MakeVolume, RemoveVolume

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {"lvm": logical.lvm, "stand-in": logical.stand_in}
SLOW = 6 * MIB


@pytest.fixture(params=list(KINDS))
def group(request: pytest.FixtureRequest, hypervisor: Hypervisor) -> Iterator[LogicalPool]:
    """A logical pool of 512 MiB; name it before the guests that go there."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(KINDS[request.param](hypervisor))
        except UnavailableError as error:
            pytest.skip(f"no logical volumes of this kind here: {error}")


def move(guest: Guest, group: LogicalPool, *targets: str, **wish: object) -> MoveRequest:
    return MoveRequest(guest.uuid, f"pool:{group.name}", targets, **wish)  # type: ignore[arg-type]


def goes_on(guest: Guest) -> bool:
    """Whether the guest writes: statistics, since nobody sees that of a device."""

    def written() -> str:
        return guest.virsh("domblkstat", "vda")

    before = written()
    wait_for(lambda: written() != before, what="the guest's writes")
    return True


def test_each_disk_gets_a_volume(group: LogicalPool, hypervisor: Hypervisor, guest: Guests) -> None:
    """What lay in the volumes before does not shine through, and the guest's disks are as large as they were."""
    made = guest(disks=[DiskSpec(data=8 * MIB), DiskSpec(layers=3, data=4 * MIB), DiskSpec(format="raw")])
    old = {target: Path(made.chain(target)[0]) for target in ("vda", "vdb", "vdc")}
    with watched(hypervisor) as host:
        plan = accepted(host, move(made, group, how=How.FLATTEN, then=Then.HOLD))
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        made.virsh("suspend")
        volumes = {step.target: Path(step.path) for step in plan.steps if isinstance(step, MakeVolume)}
        assert sorted(path.name for path in volumes.values()) == sorted(group.volumes())
        outcome = carried_out(host, end_request(made, Ending.PIVOT, *volumes))
        assert all(f.severity is Severity.FINE for f in outcome.findings), outcome.findings
        assert journal_is_empty(host)
    for target, path in volumes.items():
        old_format = "raw" if target == "vdc" else "qcow2"
        assert images_equal(old[target], path, one_format=old_format, other_format="raw")
        assert virtual_size(path, "raw") == 64 * MIB
        assert made.chain(target) == [str(path)]
        assert made.source(target, inactive=True) == str(path)
        for inactive in (False, True):
            disk = made.disk(target, inactive=inactive)
            driver = disk.find("driver")
            assert (disk.get("type"), driver is not None and driver.get("type")) == ("block", "raw")
        assert made.has_open(path)
    made.virsh("resume")
    assert goes_on(made)
    # The definition is one that the guest starts from.
    made.virsh("destroy")
    made.virsh("start")
    assert goes_on(made)


def test_a_whole_move_and_back_to_files(
    group: LogicalPool, hypervisor: Hypervisor, guest: Guests, tmp_path: Path
) -> None:
    made = guest(disks=[DiskSpec(data=8 * MIB)])
    (image,) = made.images()
    with watched(hypervisor) as host:
        carried_out(host, move(made, group, delete_source=True))
        assert journal_is_empty(host)
        assert not image.exists()
        (volume,) = group.volumes()
        assert refusals(host.plan(move(made, group))) == {"already-there"}
        assert made.chain() == [str(group.path / volume)]
        carried_out(host, MoveRequest(made.uuid, str(tmp_path), format="qcow2"))
        assert journal_is_empty(host)
    assert made.chain() == [str(tmp_path / volume)]
    # It was somebody's disk, and is not ours to delete.
    assert group.volumes() == [volume]
    assert is_writing(tmp_path / volume)


def test_qcow2_in_a_volume_for_a_disk_of_an_odd_size(
    group: LogicalPool, hypervisor: Hypervisor, guest: Guests
) -> None:
    odd = 50 * MIB + 512
    made = guest(disks=[DiskSpec(size=odd, data=8 * MIB)])
    with watched(hypervisor) as host:
        assert refusals(host.plan(move(made, group))) == {"volume-size"}
        carried_out(host, move(made, group, format="qcow2"))
        assert journal_is_empty(host)
    (path,) = made.chain()
    assert virtual_size(Path(path), "qcow2") == odd
    assert virtual_size(Path(path), "raw") == 52 * MIB
    assert goes_on(made)
    made.virsh("destroy")
    assert check(Path(path)) == 0
    assert "backing-filename" not in image_info(Path(path), "qcow2")


@pytest.mark.parametrize("kind", KINDS)
def test_extents_that_nobody_foresaw(hypervisor: Hypervisor, guest: Guests, kind: str) -> None:
    """The volume comes out larger than the disk: nothing is copied, and it is deleted again."""
    with ExitStack() as stack:
        try:
            coarse = stack.enter_context(KINDS[kind](hypervisor, 512 * MIB, 32 * MIB))
        except UnavailableError as error:
            pytest.skip(f"no logical volumes of this kind here: {error}")
        made = guest(disks=[DiskSpec(size=68 * MIB)])
        before = made.chain()
        with watched(hypervisor) as host:
            outcome = carried_out(host, move(made, coarse), End.FAILED)
            assert "--format qcow2" in outcome.message
            assert journal_is_empty(host)
            assert made.chain() == before
            assert coarse.volumes() == []
            carried_out(host, move(made, coarse, format="qcow2"))
        assert len(coarse.volumes()) == 1
        guest.remove()


def test_what_is_refused(group: LogicalPool, hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=2), DiskSpec()])
    with watched(hypervisor) as host:
        for how in (None, How.KEEP_CHAIN, How.SHALLOW):
            assert refusals(host.plan(move(made, group, how=how))) == {"volume-chain"}
            assert refusals(host.plan(move(made, group, "vdb", how=how))) == set()
        assert f"pool:{group.name}" in host.places()
        assert str(group.path) not in host.places()
        assert refusals(host.plan(MoveRequest(made.uuid, str(group.path)))) == {"no-directory"}
        group.make("ballast", 400 * MIB)
        assert refusals(host.plan(move(made, group, how=How.FLATTEN))) == {"space-together"}
        assert refusals(host.plan(move(made, group, "vdb"))) == set()


@pytest.mark.parametrize("since", ["held", "aborted", "off"])
@pytest.mark.parametrize("way", ["undo", "cancel"])
def test_a_held_move_is_taken_back(
    group: LogicalPool, hypervisor: Hypervisor, guest: Guests, way: str, since: str
) -> None:
    """Also when the mirrors have ended meanwhile, with nobody there to see it."""
    made = guest(disks=[DiskSpec(data=8 * MIB), DiskSpec()])
    before = [made.chain(target) for target in ("vda", "vdb")]
    with watched(hypervisor) as host:
        carried_out(host, move(made, group, then=Then.HOLD))
        assert len(group.volumes()) == 2
    if since == "aborted":
        for target in ("vda", "vdb"):
            made.virsh("blockjob", target, "--abort")
    elif since == "off":
        made.virsh("destroy")
    with watched(hypervisor) as later:
        told = {"held": {"mirror-unfollowed"}}.get(since, {"copy-left-over"})
        assert {finding.check for finding in later.examine(made.uuid)} == told
        request = (
            RecoverRequest(made.uuid, undo=True)
            if way == "undo"
            else end_request(made, Ending.CANCEL, "vda", "vdb")
        )
        carried_out(later, request)
        assert journal_is_empty(later)
        assert {finding.check for finding in later.examine(made.uuid)} == {"healthy"}
    assert group.volumes() == []
    if since == "off":
        made.virsh("start")
    assert [made.chain(target) for target in ("vda", "vdb")] == before
    assert made.mirror() is None
    assert is_writing(Path(before[0][0]))


def test_a_move_that_fails_deletes_its_volumes(
    group: LogicalPool, hypervisor: Hypervisor, guest: Guests
) -> None:
    made = guest(disks=[DiskSpec(data=8 * MIB), DiskSpec()])
    before = made.chain()
    with watched(hypervisor) as host:
        run = host.run(accepted(host, move(made, group, bandwidth=SLOW)))
        job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
        made.virsh("blockjob", "vda", "--abort")
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert "was deleted" in outcome.message
        assert journal_is_empty(host)
    assert made.chain() == before
    assert group.volumes() == []


def test_a_volume_that_a_guest_is_on_is_never_deleted(
    group: LogicalPool, hypervisor: Hypervisor, guest: Guests
) -> None:
    made = guest()
    with watched(hypervisor) as host:
        carried_out(host, move(made, group))
        (name,) = group.volumes()
        removal = RemoveVolume(made.uuid, made.name, "vda", group.name, name, str(group.path / name))
        for state in ("running", "shut off"):
            assert made.state() == state
            (finding,) = steps.run(removal, host, threading.Event())
            assert finding.check == "volume-left"
            made.virsh("destroy", check=False)
            assert host.wait_for(lambda s: True if not s.domains[0].state.active else None, timeout=PATIENCE)
    assert group.volumes() == [name]


NAMES = ["make", "make", "mirror", "mirror", "sync", "sync", "pivot", "prove", "prove"]
"""The steps of a move of two disks."""
PIVOT = NAMES.index("pivot")
MOMENTS = ("before", "inside", "after")
POINTS = [
    *((0, when) for when in MOMENTS),
    (1, "inside"),
    *((2, when) for when in MOMENTS),
    (3, "inside"),
    (4, "before"),
    *((PIVOT, when) for when in MOMENTS),
    (PIVOT + 1, "before"),
]


@pytest.mark.parametrize("undo", [True, False], ids=["undo", "resume"])
@pytest.mark.parametrize(("number", "when"), POINTS, ids=[f"{when}-{n}-{NAMES[n]}" for n, when in POINTS])
def test_killed_and_found_again(
    group: LogicalPool, hypervisor: Hypervisor, guest: Guests, number: int, when: str, *, undo: bool
) -> None:
    made = guest(disks=[DiskSpec(data=8 * MIB), DiskSpec(data=4 * MIB)])
    before = [made.chain(target) for target in ("vda", "vdb")]
    cut_off(made, {"uuid": made.uuid, "directory": f"pool:{group.name}"}, number, when)
    with watched(hypervisor) as host:
        (entry,) = host.state.entries
        assert (entry.reached, len(entry.steps)) == (number, len(NAMES))
        assert "plan-interrupted" in {finding.check for finding in host.examine(made.uuid)}
        went = not undo or (number, MOMENTS.index(when)) > (PIVOT, 0)
        if undo and went:
            assert host.wait_for(
                lambda s: None if any(j.phase is Phase.PIVOTING for j in s.jobs) else True, timeout=PATIENCE
            )
            assert refusals(host.plan(RecoverRequest(made.uuid, undo=True))) == {"past-the-pivot"}
        request = RecoverRequest(made.uuid, undo=undo and not went)
        plan = host.plan(request)
        if not went or "job-gone" not in refusals(plan):
            carried_out(host, request)
        assert journal_is_empty(host)
        assert {finding.check for finding in host.examine(made.uuid)} == {"healthy"}
    assert "urn:virt-mirror:plan" not in made.xml() + made.xml(inactive=True)
    after = [made.chain(target) for target in ("vda", "vdb")]
    if went:
        assert sorted(group.volumes()) == sorted(Path(path).name for (path,) in after)
        assert {Path(path).parent for (path,) in after} == {group.path}
    else:
        assert group.volumes() == []
        assert after == before
    for target, chain in zip(("vda", "vdb"), after, strict=True):
        assert made.mirror(target) is None
        assert made.source(target, inactive=True) == chain[0]
    assert goes_on(made)


def test_the_connection_is_cut_at_every_step(
    group: LogicalPool, hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lost the answer to a call looks whether it was done."""
    made = guest(disks=[DiskSpec(data=8 * MIB)])
    run, seen = steps.run, list[Step]()

    def cut(step: Step, host: Host, left: threading.Event) -> tuple[Finding, ...]:
        found = run(step, host, left)
        if step in seen:
            return found
        seen.append(step)
        host.lose("cut by the test")
        raise NoConnection("cut by the test")

    monkeypatch.setattr(steps, "run", cut)
    monkeypatch.setattr("tui.engine.host.RETRY_DELAYS", (0.05,))
    with watched(hypervisor) as host:
        plan = accepted(host, move(made, group))
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert journal_is_empty(host)
    # It may be in sync before its turn, and is passed over if the connection breaks right then once more.
    assert {type(step) for step in plan.steps if step not in seen} <= {AwaitSync}
    assert len(group.volumes()) == 1
    assert made.chain() == [str(group.path / group.volumes()[0])]


def test_on_a_host_behind_ssh(
    group: LogicalPool, hypervisor: Hypervisor, guest: Guests, tmp_path: Path
) -> None:
    """libvirt makes and deletes the volumes there; nothing is looked for on this machine."""
    made = guest(disks=[DiskSpec(layers=2, data=4 * MIB)])
    before = made.chain()
    server = SshServer(tmp_path)
    try:
        with watched(server.uri(socket_of(hypervisor)), may_ask=False) as host:
            assert not host.local
            request = move(made, group, how=How.FLATTEN, then=Then.HOLD)
            carried_out(host, request)
            assert len(group.volumes()) == 1
            carried_out(host, RecoverRequest(made.uuid, undo=True))
            assert journal_is_empty(host)
            assert (group.volumes(), made.chain()) == ([], before)
            assert host.wait_for(lambda s: True if not s.active_jobs else None, timeout=PATIENCE)
            carried_out(host, replace(request, then=Then.PIVOT))
            assert journal_is_empty(host)
    finally:
        server.stop()
    (name,) = group.volumes()
    assert made.chain() == [str(group.path / name)]


def test_on_the_command_line(group: LogicalPool, hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest()
    words = ("move", made.name, "--to", f"pool:{group.name}")
    plan = json.loads(program(hypervisor, *words, "--dry-run", "--json").stdout)["plan"]
    assert [step["kind"] for step in plan["steps"]][:2] == ["MakeVolume", "StartCopy"]
    make, copy, *_ = (command for step in plan["steps"] for command in step["commands"])
    assert make.startswith(f"virsh vol-create-as {group.name} {made.name}-vda-")
    assert make.endswith(f" {64 * MIB}")
    assert "--format raw --blockdev" in copy
    assert group.volumes() == []
    done = program(hypervisor, *words, "--yes")
    assert done.returncode == 0, done.stderr
    assert Path(made.chain()[0]).parent == group.path
