"""Clones that libvirt itself makes of raw volumes, in pools on real btrfs and XFS; seen from outside, and by virsh."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.conftest import MakePool
from tests.engine import PATIENCE, accepted, carried_out, cut_off, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor, UnavailableError
from tests.outside import is_writing
from tests.relay import HERE, Relay
from tests.storage import Pool, administer
from tests.test_cli_real import program
from tui.engine.control import End, Outcome
from tui.engine.host import Host
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.live_steps import TakeTogether
from tui.model.methods import Method, Wish
from tui.model.plan import Plan
from tui.model.request import LiveSnapshotRequest, RecoverRequest
from tui.model.snapshot_note import parse_noted


def raw_guest(guest: Guests, directory: Path) -> Guest:
    """One that writes to a raw image in the directory of a pool."""
    return guest(disks=[DiskSpec(size=16 * MIB, format="raw", data=MIB, directory=directory)], walk=4)


def clone_of(made: Guest) -> Path:
    """Where the clone goes."""
    return Path(f"{Path(made.chain()[0]).with_suffix('')}.s1")


def wish(made: Guest, **more: object) -> LiveSnapshotRequest:
    return LiveSnapshotRequest(made.uuid, "s1", disks=(Wish("vda", Method.BTRFS),), **more)  # type: ignore[arg-type]


def commands(plan: Plan) -> tuple[str, ...]:
    (step,) = (step for step in plan.steps if isinstance(step, TakeTogether))
    return step.commands


def vol_clone(pool: Pool, made: Guest) -> str:
    origin, clone = Path(made.chain()[0]).name, clone_of(made).name
    return f"virsh vol-clone --pool {pool.name} --vol {origin} --newname {clone} --reflink"


def shares_blocks(path: Path) -> bool:
    """As the kernel tells of its extents."""
    try:
        return "shared" in administer("filefrag", "-v", str(path))
    except UnavailableError as error:
        pytest.skip(f"nobody tells whether blocks are shared: {error}")


def nothing_is_left(made: Guest, pool: Pool) -> None:
    assert made.state() == "running"
    assert is_writing(Path(made.chain()[0]))
    assert not clone_of(made).exists()
    assert clone_of(made).name not in pool.volumes()
    assert "urn:virt-mirror" not in made.xml() + made.xml(inactive=True)


def failed(host: Host, plan: Plan) -> Outcome:
    """Carry it out, and insist that it fails."""
    outcome = host.run(plan).wait(PATIENCE)
    assert outcome is not None
    assert outcome.end is End.FAILED, outcome
    assert journal_is_empty(host)
    return outcome


@pytest.mark.parametrize("cloning", ["btrfs", "xfs"], indirect=True)
def test_libvirt_clones_and_deletes_in_the_pool(
    hypervisor: Hypervisor, cloning: Path, pool: MakePool, guest: Guests
) -> None:
    fast = pool("fast", cloning)
    made = raw_guest(guest, cloning)
    image, clone = Path(made.chain()[0]), clone_of(made)
    assert fast.volumes() == []
    done = program(hypervisor, "snapshot", "create", made.name, "s1", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    (step, _note) = json.loads(done.stdout)["plan"]["steps"]
    assert step["commands"] == ["virsh pool-refresh fast", vol_clone(fast, made)]
    # Nobody has had the pool look again: libvirt has made it.
    assert set(fast.volumes()) == {image.name, clone.name}
    assert shares_blocks(clone)
    before = clone.read_bytes()
    assert len(before) == 16 * MIB
    # From the middle on the guest writes nothing.
    assert before[8 * MIB :] == image.read_bytes()[8 * MIB :]
    assert any(before[8 * MIB :])
    assert is_writing(image)
    assert clone.read_bytes() == before, "what is held has changed"
    assert not clone.stat().st_mode & 0o222, "somebody could write to what is held"
    assert clone.stat().st_uid == image.stat().st_uid
    assert str(clone) not in program(hypervisor, "doctor", made.name, "--json").stdout
    gone = program(hypervisor, "snapshot", "delete", made.name, "s1", "--yes", "--json")
    assert gone.returncode == 0, gone.stderr
    (step,) = json.loads(gone.stdout)["plan"]["steps"]
    assert step["commands"][0] == f"virsh vol-delete {clone.name} --pool fast"
    nothing_is_left(made, fast)


def test_all_that_a_guest_at_rest_has_written_is_held(
    hypervisor: Hypervisor, cloning: Path, pool: MakePool, guest: Guests
) -> None:
    """Although QEMU holds its lock on the image; and the command in the plan does the same."""
    fast = pool("fast", cloning)
    made = raw_guest(guest, cloning)
    hypervisor.virsh("pool-refresh", fast.name)
    image, clone = Path(made.chain()[0]), clone_of(made)
    assert is_writing(image)
    made.virsh("suspend")
    with watched(hypervisor) as host:
        plan = accepted(host, wish(made))
        assert commands(plan) == (vol_clone(fast, made),)
        carried_out(host, wish(made))
        assert clone.read_bytes() == image.read_bytes()
        assert made.state() == "paused"
        carried_out(host, SnapshotDeleteRequest(made.uuid, "s1"))
    assert clone.name not in fast.volumes()
    hypervisor.virsh(*commands(plan)[0].split()[1:])
    assert clone.read_bytes() == image.read_bytes()
    assert shares_blocks(clone)


def test_a_host_whose_files_nobody_reaches(
    hypervisor: Hypervisor, cloning: Path, pool: MakePool, guest: Guests
) -> None:
    fast = pool("fast", cloning)
    made = raw_guest(guest, cloning)
    clone = clone_of(made)
    with (
        Relay(hypervisor.root / "sock" / "libvirt-sock") as relay,
        watched(f"qemu+tcp://{HERE}:{relay.port}/system") as host,
    ):
        assert host.files is None
        plan = accepted(host, wish(made))
        assert "reflink-untried" in {finding.check for finding in plan.findings}
        carried_out(host, wish(made))
        assert clone.name in fast.volumes()
        assert shares_blocks(clone)
        text = host.wait_for(
            lambda s: next(iter(d.definition.noted_snapshots), None) if (d := s.domain(made.uuid)) else None,
            timeout=PATIENCE,
        )
        (held,) = parse_noted(text or "").disks
        assert (held.path, held.pool, held.volume) == (str(clone), "fast", clone.name)
        carried_out(host, SnapshotDeleteRequest(made.uuid, "s1"))
        nothing_is_left(made, fast)


def test_a_file_system_that_cannot_share_blocks(
    hypervisor: Hypervisor, small: Path, pool: MakePool, guest: Guests
) -> None:
    """Where that can be tried it is no method; else libvirt fails, the guest goes on, and nothing is left."""
    plain = pool("plain", small)
    made = guest(disks=[DiskSpec(size=16 * MIB, format="raw", data=MIB, directory=small), DiskSpec()], walk=4)
    wishes = (Wish("vda", Method.BTRFS), Wish("vdb", Method.MANUAL))
    asked = LiveSnapshotRequest(made.uuid, "s1", disks=wishes, pause=True, command="true")
    with watched(hypervisor) as host:
        assert refusals(host.plan(asked)) == {"method-unfit"}
    with (
        Relay(hypervisor.root / "sock" / "libvirt-sock") as relay,
        watched(f"qemu+tcp://{HERE}:{relay.port}/system") as host,
    ):
        plan = accepted(host, asked)
        assert "virsh suspend" in commands(plan)[1]
        outcome = failed(host, plan)
        assert "failed to clone files" in outcome.message
        assert "the guest goes on" in outcome.message
    nothing_is_left(made, plain)


def test_a_part_that_fails_takes_the_clone_back(
    hypervisor: Hypervisor, cloning: Path, pool: MakePool, guest: Guests
) -> None:
    fast = pool("fast", cloning)
    made = guest(disks=[DiskSpec(size=16 * MIB, format="raw", data=MIB, directory=cloning), DiskSpec()])
    wishes = (Wish("vda", Method.BTRFS), Wish("vdb", Method.MANUAL))
    seen = made.directory / "seen"
    command = f"test -e {clone_of(made)} && touch {seen}; exit 3"
    with watched(hypervisor) as host:
        asked = LiveSnapshotRequest(made.uuid, "s1", disks=wishes, pause=True, command=command)
        outcome = failed(host, accepted(host, asked))
        assert "the guest goes on" in outcome.message
    assert seen.exists(), "the clone was not made before"
    nothing_is_left(made, fast)


def test_a_pool_that_is_behind_looks_again(
    hypervisor: Hypervisor, cloning: Path, pool: MakePool, guest: Guests
) -> None:
    fast = pool("fast", cloning)
    made = raw_guest(guest, cloning)
    clone = clone_of(made)
    with watched(hypervisor) as host:
        carried_out(host, wish(made))
        clone.unlink()
        carried_out(host, SnapshotDeleteRequest(made.uuid, "s1", metadata_only=True))
        assert clone.name in fast.volumes()
        carried_out(host, wish(made))
        aside = clone.rename(clone.with_suffix(".aside"))
        hypervisor.virsh("pool-refresh", fast.name)
        aside.rename(clone)
        assert clone.name not in fast.volumes()
        carried_out(host, SnapshotDeleteRequest(made.uuid, "s1"))
    nothing_is_left(made, fast)


def test_what_somebody_makes_meanwhile_is_his(
    hypervisor: Hypervisor, cloning: Path, pool: MakePool, guest: Guests
) -> None:
    fast = pool("fast", cloning)
    made = raw_guest(guest, cloning)
    clone = clone_of(made)
    # It is older than what the plan makes.
    with watched(hypervisor, clock=lambda: time.time() + 60) as host:
        plan = accepted(host, wish(made))
        clone.write_text("somebody's")
        outcome = failed(host, plan)
    assert "it exists already" in outcome.message
    assert "is older than the plan and stays" in outcome.message
    assert clone.read_text() == "somebody's"
    assert clone.name in fast.volumes()


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_what_libvirt_takes_for_another_format(
    hypervisor: Hypervisor, cloning: Path, pool: MakePool, guest: Guests, *, listed: bool
) -> None:
    """A guest can write what it likes to its disk, the header of another format too."""
    fast = pool("fast", cloning)
    made = guest(disks=[DiskSpec(), DiskSpec(size=16 * MIB, format="raw", directory=cloning)])
    with Path(made.chain("vdb")[0]).open("r+b") as image:
        image.write(Path(made.chain("vda")[0]).read_bytes()[:512])
    if listed:
        hypervisor.virsh("pool-refresh", fast.name)
    asked = LiveSnapshotRequest(
        made.uuid, "s1", disks=(Wish("vda", Method.NO), Wish("vdb", Method.BTRFS)), pause=True
    )
    with watched(hypervisor) as host:
        plan = accepted(host, asked)
        if not listed:
            assert "something else than a raw image" in failed(host, plan).message
            plan = accepted(host, asked)
        assert "cp --reflink=always" in commands(plan)[0]
        carried_out(host, asked)


@pytest.mark.parametrize("undo", [True, False], ids=["undo", "resume"])
@pytest.mark.parametrize("when", ["inside", "after"])
def test_killed_where_libvirt_clones(
    hypervisor: Hypervisor, cloning: Path, pool: MakePool, guest: Guests, when: str, *, undo: bool
) -> None:
    """What the host shows decides: the volume is there, and so the step was done."""
    fast = pool("fast", cloning)
    made = raw_guest(guest, cloning)
    clone = clone_of(made)
    cut_off(made, {"uuid": made.uuid, "name": "s1", "methods": {"vda": Method.BTRFS.value}}, 0, when)
    assert clone.name in fast.volumes()
    with watched(hypervisor) as host:
        carried_out(host, RecoverRequest(made.uuid, undo=undo))
        assert journal_is_empty(host)
    if undo:
        nothing_is_left(made, fast)
        return
    assert clone.name in fast.volumes()
    assert "urn:virt-mirror:snapshot:" in made.xml(inactive=True)
