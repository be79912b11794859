"""Snapshots with mirrors, killed at any step: the next start takes them back, or brings them to their end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import PATIENCE, carried_out, cut_off, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import check, is_writing, wait_for
from tui.model.diskspec import parse_diskspec
from tui.model.mirrored_snapshot import Snapshot
from tui.model.request import Ending, RecoverRequest, SnapshotEndRequest, SnapshotRequest

DISKS = [DiskSpec(layers=2, data=8 * MIB), DiskSpec()]
TARGETS = ("vda", "vdb")
CREATION = ("snapshot", "mirror", "mirror again", "sync", "sync again")
PIVOT = ("pivot", "prove", "prove again", "forget")
ABORT = ("cancel", "remove", "remove again", "forget")
MOMENTS = ("before", "inside", "after")
CALLS = ("snapshot", "mirror", "mirror again", "pivot", "cancel", "forget")
"""The steps that ask libvirt for something, and can be killed when it has been asked."""


def points(names: tuple[str, ...]) -> list[tuple[int, str]]:
    return [
        (n, when) for n, name in enumerate(names) for when in MOMENTS if when != "inside" or name in CALLS
    ]


def ids(names: tuple[str, ...]) -> list[str]:
    return [f"{when}-{n}-{names[n]}" for n, when in points(names)]


def specs(there: Path) -> list[str]:
    return [f"{target},mirror={there}/{target}.mirror" for target in TARGETS]


def kill(guest: Guest, number: int, when: str, **wish: object) -> None:
    """Have a program do it, and die at that point."""
    cut_off(guest, {"uuid": guest.uuid, "name": "s1", **wish}, number, when)


def snapshots(guest: Guest) -> list[str]:
    return guest.virsh("snapshot-list", "--name").split()


def images_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.suffix != ".xml"}


def is_clean(guest: Guest) -> bool:
    """Whether nothing of it is left: no mirror, no journal, no snapshot, and images that are whole."""
    assert [guest.mirror(target) for target in TARGETS] == [None, None]
    assert "urn:virt-mirror" not in guest.xml() + guest.xml(inactive=True)
    assert snapshots(guest) == []
    assert guest.state() == "running"
    assert is_writing(Path(guest.chain()[0]))
    for target in TARGETS:
        assert guest.source(target, inactive=True) == guest.chain(target)[0]
    images = [path for target in TARGETS for path in guest.chain(target)]
    guest.virsh("destroy")
    return all(check(Path(path)) == 0 for path in images)


@pytest.mark.parametrize("undo", [True, False], ids=["undo", "resume"])
@pytest.mark.parametrize(("number", "when"), points(CREATION), ids=ids(CREATION))
def test_a_creation(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path, number: int, when: str, *, undo: bool
) -> None:
    made = guest(disks=DISKS)
    before, beside = [made.chain(target) for target in TARGETS], images_in(made.directory)
    kill(made, number, when, specs=specs(tmp_path))
    # Whatever happens later, the guest has gone on.
    assert is_writing(Path(made.chain()[0]))
    with watched(hypervisor) as host:
        (entry,) = host.state.entries
        assert entry.reached == number
        carried_out(host, RecoverRequest(made.uuid, undo=undo))
        if not undo:
            assert snapshots(made) == ["s1"]
            carried_out(host, SnapshotEndRequest(made.uuid, "s1", Ending.PIVOT))
        assert journal_is_empty(host)
    chains = [made.chain(target) for target in TARGETS]
    if undo:
        assert chains == before
        assert images_in(tmp_path) == set()
        assert images_in(made.directory) == beside
    else:
        mirrors = [str(tmp_path / f"{target}.mirror") for target in TARGETS]
        assert chains == [[mirror, *below] for mirror, below in zip(mirrors, before, strict=True)]
    assert is_clean(made)


@pytest.mark.parametrize(
    ("ending", "number", "when"),
    [
        *((Ending.PIVOT, *point) for point in points(PIVOT)),
        *((Ending.CANCEL, *point) for point in points(ABORT)),
    ],
    ids=[*(f"pivot-{name}" for name in ids(PIVOT)), *(f"abort-{name}" for name in ids(ABORT))],
)
def test_an_end(
    hypervisor: Hypervisor, guest: Guests, tmp_path: Path, *, ending: Ending, number: int, when: str
) -> None:
    made = guest(disks=DISKS)
    before = [made.chain(target) for target in TARGETS]
    disks = tuple(parse_diskspec(spec) for spec in specs(tmp_path))
    with watched(hypervisor) as host:
        carried_out(host, SnapshotRequest(made.uuid, Snapshot("s1", disks=disks)))
    kill(made, number, when, ending=ending.value)
    with watched(hypervisor) as host:
        wait_for(lambda: made.state() == "running", what="the guest goes on")
        assert host.wait_for(
            lambda s: True if not s.entries or s.entries[0].snapshot else None, timeout=PATIENCE
        )
        request = SnapshotEndRequest(made.uuid, "s1", ending)
        # All of it may have happened, but for the journal of the end itself.
        if "no-such-snapshot" not in refusals(host.plan(request)):
            carried_out(host, request)
        assert journal_is_empty(host)
    kind = "mirror" if ending is Ending.PIVOT else "s1"
    for target, below in zip(TARGETS, before, strict=True):
        chain = made.chain(target)
        assert chain[1:] == below
        assert chain[0].endswith(f".{kind}")
        assert (tmp_path / f"{target}.mirror").exists() == (ending is Ending.PIVOT)
    assert is_clean(made)
