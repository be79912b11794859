"""A move that is killed at any step: the next start takes it back or goes on with it, and nothing is lost or left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine import carried_out, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import check, is_writing, wait_for
from tui.model.request import RecoverRequest

HERE = Path(__file__).parent
LAYERS = DiskSpec(layers=2, data=8 * MIB)
STEPS = (
    ("overlay", 1),
    ("make", 3),
    ("mirror", 1),
    ("copy", 1),
    ("compare", 1),
    ("sync", 1),
    ("pivot", 1),
    ("prove", 1),
    ("commit", 1),
    ("sync again", 1),
    ("pivot again", 1),
    ("prove again", 2),
)
"""The steps of a move of one disk with two layers whose overlay is folded back, and how many there are of each."""
NAMES = [name for name, count in STEPS for _ in range(count)]
PIVOT = NAMES.index("pivot")
MOMENTS = ("before", "inside", "after")
POINTS = [
    (number, when)
    for number, name in enumerate(NAMES)
    for when in MOMENTS
    if when != "inside" or name in ("copy", "pivot", "pivot again")
]


def kill(guest: Guest, there: Path, number: int, when: str) -> None:
    """Have a program move the guest's disk, and die at that point."""
    wish = json.dumps({"uuid": guest.uuid, "directory": str(there), "merge_overlay": True})
    words = [sys.executable, "-m", "tests.killed", guest.hypervisor.uri, wish, str(number), when]
    done = subprocess.run(words, cwd=HERE.parent, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def goes_on(guest: Guest) -> bool:
    """Whether the guest writes; a pivot that was under way may take the image away that was looked at."""
    try:
        return is_writing(Path(guest.chain()[0]))
    except FileNotFoundError:
        return False


def images_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.suffix == ".qcow2"}


@pytest.mark.parametrize("undo", [True, False], ids=["undo", "resume"])
@pytest.mark.parametrize(("number", "when"), POINTS, ids=[f"{when}-{n}-{NAMES[n]}" for n, when in POINTS])
def test_killed_and_found_again(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path, number: int, when: str, *, undo: bool
) -> None:
    made = guest(disks=[LAYERS])
    old = [path.name for path in made.images()]
    kill(made, tmp_path, number, when)
    # Whatever happens later, the guest has gone on.
    wait_for(lambda: goes_on(made), what="the guest's writes")
    with watched(hypervisor) as host:
        (entry,) = host.state.entries
        assert entry.reached == number
        went = not undo or (number, MOMENTS.index(when)) > (PIVOT, 0)
        if undo and went:
            # What has gone over is brought to its end, and not half of it back.
            assert host.wait_for(lambda s: True if not s.active_jobs or number > PIVOT else None)
            assert refusals(host.plan(RecoverRequest(made.uuid, undo=True))) == {"past-the-pivot"}
        carried_out(host, RecoverRequest(made.uuid, undo=undo and not went))
        assert journal_is_empty(host)
    assert made.mirror() is None
    assert "urn:virt-mirror" not in made.xml() + made.xml(inactive=True)
    chain = made.chain()
    assert made.source(inactive=True) == chain[0]
    assert is_writing(Path(chain[0]))
    (place,) = {Path(path).parent for path in chain}
    assert place == (tmp_path if went else made.directory)
    if not went:
        assert [Path(path).name for path in reversed(chain)] == old
        assert images_in(tmp_path) == set()
        assert images_in(made.directory) == set(old)
    else:
        assert [Path(path).name for path in reversed(chain)] == old
        assert images_in(tmp_path) == set(old)
    made.virsh("destroy")
    for path in chain:
        assert check(Path(path)) == 0
