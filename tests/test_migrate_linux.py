"""A Linux guest that writes all the time goes to another host: nothing that it was told is on its disks is lost.

After the way it is stopped as by a power failure, and what is on the disks there must be all that it said.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from tests.engine import carried_out, command, refusals, watched
from tests.hypervisor import MIB, Hypervisor
from tests.linux_content import proved
from tests.linux_guest import LinuxDisk, LinuxGuest, LinuxGuests
from tests.two_hosts import (
    assert_proved,
    current_at,
    definitions,
    directory_at,
    migration,
    removed_from,
    source_at,
    state_at,
    tree_of_two_branches,
)
from tui.engine.control import End
from tui.model.finding import Acceptance
from tui.model.migrate_request import Convergence, CopyStorage


@dataclass(frozen=True, slots=True)
class Case:
    """A guest and how it goes."""

    disks: tuple[LinuxDisk, ...]
    storage: CopyStorage = CopyStorage.ALL
    copied: tuple[str, ...] = ("vda", "vdb")
    """The others are where both hosts have them."""
    convergence: Convergence = field(default_factory=Convergence)
    p2p: bool = False


CASES = {
    "shared": Case((LinuxDisk(layers=2), LinuxDisk(format="raw")), copied=()),
    "copied": Case((LinuxDisk(layers=3), LinuxDisk(format="raw"))),
    "copied, synchronously": Case(
        (LinuxDisk(), LinuxDisk()), convergence=Convergence(synchronous_writes=True)
    ),
    "one of two": Case((LinuxDisk(), LinuxDisk(format="raw")), copied=("vda",)),
    "onto layers of which some are there": Case((LinuxDisk(layers=3), LinuxDisk(layers=2)), CopyStorage.INC),
    "from host to host": Case((LinuxDisk(), LinuxDisk(layers=2)), p2p=True),
    "after the switch": Case((LinuxDisk(), LinuxDisk()), convergence=Convergence(postcopy=True)),
}


def brought(guest: LinuxGuest, target: str, there: Path) -> None:
    """What stands still of a disk, at the other host, standing on each other there."""
    below = [Path(path) for path in guest.chain(target)[1:]]
    for path in below:
        shutil.copy(path, there)
    for path, base in pairwise(below):
        named = ("-b", str(there / base.name), "-F", base.suffix[1:])
        command("qemu-img", "rebase", "-u", "-f", "qcow2", *named, str(there / path.name))


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_nothing_is_lost(
    hypervisor: Hypervisor, other: Hypervisor, linux_guest: LinuxGuests, case: Case
) -> None:
    made = linux_guest(case.disks)
    there, _all = directory_at(other, made)
    maps = tuple(
        (path, str(there / Path(path).name)) for target in case.copied for path in made.chain(target)
    )
    if case.storage is CopyStorage.INC:
        brought(made, "vdb", there)
    wish = migration(
        made,
        other,
        maps=maps,
        storage=case.storage if case.copied else None,
        unsafe=set(case.copied) != set(made.targets),
        convergence=case.convergence,
        p2p=case.p2p,
    )
    before = made.last()
    with watched(hypervisor) as host, removed_from(other, made):
        outcome = carried_out(host, wish)
        assert state_at(hypervisor, made) is None
        assert state_at(other, made) == "running"
        assert before < made.goes_on()
        assert_proved(outcome)
        now = {target: Path(source_at(other, made, target) or "") for target in made.targets}
        for target, path in now.items():
            assert (path.parent == there) is (target in case.copied)
        other.virsh("destroy", made.uuid)
        ticks = made.ticks()
        assert ticks[-1].number <= proved(now, ticks) <= ticks[-1].number + 1


@pytest.mark.parametrize("storage", [CopyStorage.INC, CopyStorage.ALL], ids=["all layers", "as one image"])
def test_a_tree_of_snapshots_goes_along(
    hypervisor: Hypervisor, other: Hypervisor, linux_guest: LinuxGuests, storage: CopyStorage
) -> None:
    """Five external ones in two branches, the current one in the middle: the layers hold there what they held here."""
    made = linux_guest((LinuxDisk(), LinuxDisk(format="raw")))
    at_a: list[int] = []
    overlays = tree_of_two_branches(made, lambda: at_a.append(made.goes_on()))
    at_b = made.goes_on()
    tree, here = definitions(hypervisor, made), set(made.directory.iterdir())
    there, maps = directory_at(other, made)
    lose = frozenset({Acceptance.LOSE_SNAPSHOTS} if storage is CopyStorage.ALL else ())
    with watched(hypervisor) as host, removed_from(other, made):
        outcome = carried_out(host, migration(made, other, maps=maps, storage=storage, accepted=lose))
        assert (state_at(hypervisor, made), state_at(other, made)) == (None, "running")
        assert set(made.directory.iterdir()) == here
        assert at_b < made.goes_on()
        assert_proved(outcome)
        images = f"/{made.name}-vd"
        moved = {
            name: text.replace(f"{made.directory}{images}", f"{there}{images}") for name, text in tree.items()
        }
        assert definitions(other, made) == moved
        assert current_at(other, made) == "b"
        other.virsh("destroy", made.uuid)
        ticks = made.ticks()
        # What is there must need nothing that is here.
        for path in made.directory.glob(f"{made.name}-vd*"):
            path.unlink()
        state = {
            name: {target: there / path.name for target, path in zip(made.targets, paths, strict=True)}
            for name, paths in overlays.items()
        }
        assert ticks[-1].number <= proved(state["b"], ticks) <= ticks[-1].number + 1
        if storage is CopyStorage.ALL:
            assert set(there.iterdir()) == set(state["b"].values())
            return
        # c stands on what the guest writes to, and e, by way of d, on what it was on before b.
        assert proved(state["c"], ticks) == proved(state["b"], ticks)
        assert at_a[0] <= proved(state["e"], ticks) <= at_b


def test_a_full_destination_leaves_the_guest_here(
    hypervisor: Hypervisor, other: Hypervisor, linux_guest: LinuxGuests
) -> None:
    made = linux_guest([LinuxDisk(format="raw")])
    assert other.small is not None
    fill = other.small / "fill"
    with fill.open("wb") as file:
        # Less than any file system needs for itself.
        file.write(b"x" * (shutil.disk_usage(other.small).free - MIB // 4))
    try:
        own = made.chain("vda")[0]
        maps = ((own, str(other.small / "vda.raw")),)
        risky = frozenset({Acceptance.RISK_FULL_DESTINATION})
        with watched(hypervisor) as host, removed_from(other, made):
            assert {
                f.check for f in host.plan(migration(made, other, maps=maps)).findings if f.acceptance
            } == {"space"}
            carried_out(host, migration(made, other, maps=maps, accepted=risky), End.FAILED)
            assert made.state() == "running"
            made.goes_on()
            assert not (other.small / "vda.raw").exists()
    finally:
        fill.unlink()


def test_a_guest_with_frozen_file_systems_stays(
    hypervisor: Hypervisor, other: Hypervisor, linux_guest: LinuxGuests
) -> None:
    made = linux_guest((LinuxDisk(),), agent=True)
    _there, maps = directory_at(other, made)
    with watched(hypervisor) as host:
        wish = migration(made, other, maps=maps)
        assert refusals(host.plan(wish)) == set()
        made.ask_agent("guest-fsfreeze-freeze")
        assert refusals(host.plan(wish)) == {"frozen"}
        made.virsh("domfsthaw")
        assert refusals(host.plan(wish)) == set()
