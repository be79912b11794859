"""Moving the disks of a Linux guest that writes all the time: nothing that it was told is on the disk is lost.

After each move the guest is stopped as by a power failure. What is on the destination must be all that the guest said,
and the old chain must hold the state of one instant, that of the swap, for all disks together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.engine import carried_out, journal_is_empty, watched
from tests.guests import Guests
from tests.hypervisor import Hypervisor
from tests.linux_content import needs_recovery, proved
from tests.linux_guest import LinuxDisk, LinuxGuest, LinuxGuests, make_base, make_overlay, run
from tests.outside import backing_file, check
from tests.ssh_server import SshServer
from tui.model.finding import Severity
from tui.model.request import Ending, EndRequest, How, MoveRequest, Shared, Then

DEEP = LinuxDisk(layers=3)
DEEP_RELATIVE = LinuxDisk(layers=3, relative_backing=True)
ON_RAW = LinuxDisk(layers=2, format="raw")
ON_RAW_RELATIVE = LinuxDisk(layers=3, format="raw", relative_backing=True)
PLAIN = LinuxDisk()
OFF = """
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/><source file='{}'/><target dev='vda' bus='virtio'/>
</disk>
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A guest and how it is moved."""

    disks: tuple[LinuxDisk, ...]
    how: How | None = None
    agent: bool = False
    merge: bool = False
    hold: bool = False
    """Stay in sync until the guest has written more, and pivot by a request of its own."""
    shared: Shared = Shared.COPY


CASES = {
    "three layers": Case((DEEP,), agent=True),
    "relative on raw, folded": Case((ON_RAW_RELATIVE,), How.KEEP_CHAIN, merge=True),
    "different depth, folded": Case((DEEP_RELATIVE, ON_RAW), agent=True, merge=True),
    "a chain and none": Case((DEEP, PLAIN)),
    "held": Case((ON_RAW, DEEP_RELATIVE), How.KEEP_CHAIN, hold=True),
    "flattened": Case((DEEP_RELATIVE, ON_RAW), How.FLATTEN, agent=True),
    "shallow": Case((DEEP, ON_RAW_RELATIVE), How.SHALLOW),
}


@dataclass(frozen=True, slots=True)
class Before:
    """A guest before its move."""

    guest: LinuxGuest
    chains: Mapping[str, Sequence[Path]]
    """By target, active layer first."""
    said: int
    """The last number."""

    @classmethod
    def of(cls, guest: LinuxGuest) -> Before:
        return cls(guest, {t: [Path(path) for path in guest.chain(t)] for t in guest.targets}, guest.last())


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory, on a file system that the guests' own images need not be on."""
    return tmp_path_factory.mktemp("there")


@pytest.fixture
def far(hypervisor: Hypervisor, tmp_path: Path) -> Iterator[str]:
    """The URI of the same host, reached through ssh as one that is somewhere else."""
    server = SshServer(tmp_path)
    yield server.uri(hypervisor.root / "sock" / "libvirt-sock")
    server.stop()


def move(uri: str, guest: LinuxGuest, there: Path, case: Case) -> None:
    """Move all disks of a guest on a host, however that is reached."""
    then = Then.HOLD if case.hold else Then.PIVOT
    wish = MoveRequest(
        guest.uuid, str(there), how=case.how, merge_overlay=case.merge, then=then, shared=case.shared
    )
    with watched(uri, may_ask=False) as host:
        outcome = carried_out(host, wish)
        # What QEMU has open cannot be seen from elsewhere, and the program says so.
        odd = [f for f in outcome.findings if f.severity is not Severity.FINE]
        assert not odd or not host.local, odd
        if case.hold:
            guest.goes_on()
            carried_out(host, EndRequest(guest.uuid, tuple(guest.targets), Ending.PIVOT, pause=True))
        assert journal_is_empty(host)


def old_tops(before: Before) -> dict[str, Path]:
    """What was the active layer at the pivot: the overlay that was taken, where one was."""
    tops = {}
    for target, (active, *_) in before.chains.items():
        overlays = list(active.parent.glob(f"{active.stem}.move-*"))
        assert len(overlays) <= 1
        tops[target] = overlays[0] if overlays else active
    return tops


def stopped(guest: LinuxGuest) -> dict[str, Path]:
    """Let the guest go on where it is now, cut its power, and return its active layers."""
    guest.goes_on()
    now = {target: Path(guest.chain(target)[0]) for target in guest.targets}
    assert now == {target: Path(guest.source(target, inactive=True) or "") for target in guest.targets}
    guest.virsh("destroy")
    return now


def nothing_is_lost(before: Before, now: Mapping[str, Path]) -> None:
    """See what is on the new images and on the old ones, the guest being stopped."""
    ticks = before.guest.ticks()
    end = ticks[-1].number
    assert end <= proved(now, ticks) <= end + 1
    swapped = proved(old_tops(before), ticks)
    assert before.said <= swapped < end, "the old chain is not that of the swap"


def is_sound(path: Path) -> None:
    """See that an image's structure is right, and wastes nothing."""
    if path.suffix == ".qcow2":
        assert check(path) == 0


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_nothing_is_lost(hypervisor: Hypervisor, linux_guest: LinuxGuests, there: Path, case: Case) -> None:
    made = linux_guest(case.disks, agent=case.agent)
    before = Before.of(made)
    move(hypervisor.uri, made, there, case)
    if case.agent:
        assert made.ask_agent("guest-fsfreeze-status") == "thawed"
    for (target, old), disk in zip(before.chains.items(), case.disks, strict=True):
        new = [Path(path) for path in made.chain(target)]
        along = old if case.how in (None, How.KEEP_CHAIN) else old[:1]
        overlay = new[:1] if len(along) > 1 and not case.merge else []
        left = old[1:] if case.how is How.SHALLOW else []
        assert new == [*overlay, *(there / path.name for path in along), *left]
        for layer, below in pairwise(new):
            named = backing_file(layer)
            assert named == (
                below.name if disk.relative_backing and layer.parent == below.parent else str(below)
            )
        if len(along) > 1:
            # What lies below the overlay was frozen for the instant at which that was put on it.
            assert needs_recovery(old[0]) is not case.agent
    now = stopped(made)
    for path in there.iterdir():
        is_sound(path)
    nothing_is_lost(before, now)


def test_a_base_of_several_domains(
    hypervisor: Hypervisor, guest: Guests, linux_guest: LinuxGuests, there: Path
) -> None:
    base = make_base(there / "base.qcow2")
    first, second = there / "first", there / "second"
    shallow, deep = LinuxDisk(layers=2, base=base), LinuxDisk(layers=3, base=base)
    one, two = linux_guest([shallow, PLAIN]), linux_guest([deep])
    # A third one is off and stays on the base, which is thus shared all the time.
    overlay = make_overlay(there / "third.qcow2", base)
    guest(disks=[OFF.format(overlay)], running=False, delay=None)
    moves = []
    for made, place, shared in (
        (one, second, Shared.COPY),
        (two, first, Shared.LEAVE),
        (two, second, Shared.REUSE),
    ):
        place.mkdir(exist_ok=True)
        moves.append(Before.of(made))
        move(hypervisor.uri, made, place, Case((), shared=shared, merge=True))
        assert made.chain()[-1] == str(base if shared is Shared.LEAVE else second / base.name)
        made.goes_on()
    now = {made.uuid: stopped(made) for made in (one, two)}
    for before in moves:
        nothing_is_lost(before, now[before.guest.uuid])


def test_one_move_after_the_other(hypervisor: Hypervisor, linux_guest: LinuxGuests, there: Path) -> None:
    made = linux_guest([DEEP, DEEP_RELATIVE])
    first, second = there / "first", there / "second"
    moves = []
    for place, merge in ((first, False), (second, True)):
        place.mkdir()
        moves.append(Before.of(made))
        move(hypervisor.uri, made, place, Case((DEEP, DEEP_RELATIVE), merge=merge))
        made.goes_on()
    now = stopped(made)
    for before in moves:
        nothing_is_lost(before, now)


def test_where_files_can_share_their_blocks(
    hypervisor: Hypervisor, cloning: Path, linux_guest: LinuxGuests
) -> None:
    made = linux_guest([DEEP_RELATIVE, ON_RAW], agent=True, within=cloning)
    there = cloning / "there"
    there.mkdir()
    before = Before.of(made)
    move(hypervisor.uri, made, there, Case((DEEP_RELATIVE, ON_RAW), merge=True))
    for chain in before.chains.values():
        # The active layer has taken the overlay in since; the others still are the old ones' blocks.
        for path in chain[1:]:
            assert "shared" in run("filefrag", "-v", str(there / path.name))
    nothing_is_lost(before, stopped(made))


@pytest.mark.parametrize("how", [How.KEEP_CHAIN, How.FLATTEN])
def test_on_a_host_behind_ssh(far: str, linux_guest: LinuxGuests, there: Path, how: How) -> None:
    made = linux_guest([DEEP_RELATIVE, ON_RAW], agent=True)
    before = Before.of(made)
    move(far, made, there, Case((), how, merge=how is How.KEEP_CHAIN))
    assert {Path(path).parent for path in made.chain("vda")} == {there}
    nothing_is_lost(before, stopped(made))
