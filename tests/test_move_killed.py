"""A move that is killed at any step: the next start takes it back or goes on with it, and nothing is lost or left."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.engine import PATIENCE, accepted, carried_out, cut_off, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import check, is_writing, wait_for
from tui.engine import host as engine_host
from tui.engine import steps
from tui.engine.control import End
from tui.engine.errors import NoConnection
from tui.engine.host import Host
from tui.model.finding import Finding
from tui.model.host import HostState
from tui.model.job import Phase
from tui.model.quarantine import PREFIX
from tui.model.request import MoveRequest, RecoverRequest
from tui.model.steps import Step

STEPS = (
    ("overlay", 1),
    ("make", 3),
    ("mirror", 2),
    ("copy", 1),
    ("compare", 1),
    ("sync", 2),
    ("pivot", 1),
    ("prove", 2),
    ("commit", 1),
    ("sync again", 1),
    ("pivot again", 1),
    ("prove again", 2),
    ("snapshots", 1),
    ("quarantine", 1),
)
"""The steps of a move of a disk with two layers, of which a snapshot knows, and of a flat one."""
NAMES = [name for name, count in STEPS for _ in range(count)]
PIVOT = NAMES.index("pivot")
MOMENTS = ("before", "inside", "after")
POINTS = [
    (number, when)
    for number, name in enumerate(NAMES)
    for when in MOMENTS
    if when != "inside" or name in ("copy", "pivot", "pivot again", "quarantine")
]


def kill(guest: Guest, there: Path, number: int, when: str) -> None:
    """Have a program move the guest's disk, and die at that point."""
    wish = {"uuid": guest.uuid, "directory": str(there), "merge_overlay": True, "delete_source": True}
    cut_off(guest, wish, number, when)


def goes_on(guest: Guest) -> bool:
    """Whether the guest writes.

    A pivot that was under way may take it away from the image that was looked at, or the image itself: ask again then.
    """
    try:
        return is_writing(Path(guest.chain()[0]), timeout=0.5)
    except FileNotFoundError:
        return False


def images_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.suffix in (".qcow2", ".snapped")}


@pytest.mark.parametrize("undo", [True, False], ids=["undo", "resume"])
@pytest.mark.parametrize(("number", "when"), POINTS, ids=[f"{when}-{n}-{NAMES[n]}" for n, when in POINTS])
def test_killed_and_found_again(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path, number: int, when: str, *, undo: bool
) -> None:
    made = guest(disks=[DiskSpec(data=8 * MIB), DiskSpec(data=4 * MIB)])
    made.virsh("snapshot-create-as", "snapped", "--disk-only", "--diskspec", "vdb,snapshot=no")
    old = {target: [Path(path).name for path in made.chain(target)] for target in ("vda", "vdb")}
    kill(made, tmp_path, number, when)
    # Nobody looks at it again, and the guest goes on, also when it stood still for the pivot of both disks just then.
    wait_for(lambda: goes_on(made), what="the guest's writes")
    with watched(hypervisor) as host:
        (entry,) = host.state.entries
        assert entry.reached == number
        assert len(entry.steps) == len(NAMES)
        went = not undo or (number, MOMENTS.index(when)) > (PIVOT, 0)
        if undo and went:
            # What has gone over is brought to its end, and not half of it back.
            assert host.wait_for(
                lambda s: None if any(j.phase is Phase.PIVOTING for j in s.jobs) else True, timeout=PATIENCE
            )
            assert refusals(host.plan(RecoverRequest(made.uuid, undo=True))) == {"past-the-pivot"}
        elif (number, when) == (PIVOT, "after"):
            # What is typed by hand must not begin with a pivot of jobs that are gone.
            ahead = host.plan(RecoverRequest(made.uuid, undo=False)).ahead
            assert ahead == entry.steps[PIVOT + 1 :]
        carried_out(host, RecoverRequest(made.uuid, undo=undo and not went))
        assert journal_is_empty(host)
    assert "urn:virt-mirror:plan" not in made.xml() + made.xml(inactive=True)
    place, other = (tmp_path, made.directory) if went else (made.directory, tmp_path)
    for target, names in old.items():
        assert made.mirror(target) is None
        assert made.chain(target) == [str(place / name) for name in names]
        assert made.source(target, inactive=True) == str(place / names[0])
    assert is_writing(Path(made.chain()[0]))
    everything = {name for names in old.values() for name in names}
    assert images_in(place) == everything
    assert images_in(other) == set()
    snapshot = made.virsh("snapshot-dumpxml", "snapped")
    assert f"'{place}/" in snapshot
    assert f"'{other}/" not in snapshot
    attics = [path for path in made.directory.iterdir() if path.name.startswith(PREFIX)]
    if went:
        # The old images and the overlay that they got for the move.
        (attic,) = attics
        assert len(images_in(attic)) == len(everything) + 1
        assert images_in(attic) > everything
    else:
        assert attics == []
    made.virsh("destroy")
    for target in old:
        for path in made.chain(target):
            assert check(Path(path)) == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_connection_is_cut_at_every_step(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Whoever lost the connection goes on by himself, wherever he was."""
    monkeypatch.setattr(engine_host, "RETRY_DELAYS", (0.05,))
    made = guest(disks=[DiskSpec(layers=2, data=8 * MIB), DiskSpec(data=4 * MIB)])
    run, happened = steps.run, steps.happened

    def found_done(step: Step, host: Host) -> bool:
        done = happened(step, host)
        if done:
            passed.add(step)
        return done

    def cut(step: Step, host: Host, left: threading.Event) -> tuple[Finding, ...]:
        fresh = step not in seen
        seen.append(step)
        if when == "before" and fresh:
            host.lose("cut by the test")
        found = run(step, host, left)
        if when == "after" and fresh:
            host.lose("cut by the test")
            # As when the answer to the call was lost on the way.
            raise NoConnection("cut by the test")
        return found

    seen: list[Step] = []
    # What happens by itself, as that a mirror is in sync, may have happened before its turn. It is passed over if the
    # connection breaks right then once more, as it does when an answer from before the cut is missed only now.
    passed: set[Step] = set()
    monkeypatch.setattr(steps, "run", cut)
    monkeypatch.setattr(steps, "happened", found_done)
    with watched(hypervisor) as host:
        plan = accepted(host, MoveRequest(made.uuid, str(tmp_path), merge_overlay=True, delete_source=True))
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert journal_is_empty(host)
    assert set(seen) | passed == set(plan.steps)
    for target in ("vda", "vdb"):
        assert made.mirror(target) is None
        assert {Path(path).parent for path in made.chain(target)} == {tmp_path}
    assert is_writing(Path(made.chain()[0]))
    assert len(images_in(tmp_path)) == 3


@pytest.mark.parametrize("number", range(len(NAMES)), ids=[f"{n}-{name}" for n, name in enumerate(NAMES)])
def test_the_guest_is_powered_off_at_any_step(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Its disks are on one whole chain when it is started again, and what was begun is taken back or finished."""
    made = guest(disks=[DiskSpec(data=8 * MIB), DiskSpec(data=4 * MIB)])
    made.virsh("snapshot-create-as", "snapped", "--disk-only", "--diskspec", "vdb,snapshot=no")
    run, reached = steps.run, 0

    def off(step: Step, host: Host, left: threading.Event) -> tuple[Finding, ...]:
        nonlocal reached
        if reached == number:
            made.virsh("destroy")
            assert host.wait_for(lambda s: _off(s, made), timeout=PATIENCE)
        reached += 1
        return run(step, host, left)

    with watched(hypervisor) as host:
        plan = accepted(host, MoveRequest(made.uuid, str(tmp_path), merge_overlay=True, delete_source=True))
        monkeypatch.setattr(steps, "run", off)
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        monkeypatch.setattr(steps, "run", run)
        made.virsh("start")
        assert host.wait_for(lambda s: None if _off(s, made) else True, timeout=PATIENCE)
        wait_for(lambda: goes_on(made), what="the guest's writes")
        for undo in (True, False):
            request = RecoverRequest(made.uuid, undo=undo)
            if host.state.entries and not host.plan(request).refused:
                carried_out(host, request)
                assert host.wait_for(lambda s: True if not s.entries else None, timeout=PATIENCE)
        assert journal_is_empty(host)
    for target in ("vda", "vdb"):
        assert made.mirror(target) is None
        chain = made.chain(target)
        assert len({Path(path).parent for path in chain}) == 1
        assert made.source(target, inactive=True) == chain[0]
    known = {Path(path) for target in ("vda", "vdb") for path in made.chain(target)}
    assert {Path(path).parent for path in map(str, known)} in ({tmp_path}, {made.directory})
    made.virsh("destroy")
    for path in known:
        assert check(path) == 0
    attics = {path for path in made.directory.iterdir() if path.name.startswith(PREFIX)}
    everything = {path for place in (tmp_path, made.directory, *attics) for path in place.iterdir()}
    stray = {path for path in everything if path.suffix in (".qcow2", ".snapped")} - known
    assert {path.parent for path in stray} <= (
        {made.directory, *attics} if known & set(tmp_path.iterdir()) else set()
    )


def _off(state: HostState, guest: Guest) -> bool | None:
    domain = state.domain(guest.uuid)
    return True if domain is not None and not domain.state.active else None
