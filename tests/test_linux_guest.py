"""The Linux guest itself: what is found on its disks is what it wrote, and what is not there is missed."""

from __future__ import annotations

import pytest

from tests.linux_content import needs_recovery, proved
from tests.linux_guest import LinuxDisk, LinuxGuests, run, seed_of


def test_a_disk_holds_what_was_said_to_be_on_it(linux_guest: LinuxGuests) -> None:
    made = linux_guest([LinuxDisk(layers=2), LinuxDisk()], agent=True)
    early = made.last()
    assert made.ask_agent("guest-fsfreeze-freeze") == 2
    overlay = made.images("vda")[-1]
    made.take_layer({"vda": LinuxDisk()}, 2)
    assert made.ask_agent("guest-fsfreeze-thaw") == 2
    frozen = made.last()
    made.goes_on()
    made.virsh("destroy")
    ticks = made.ticks()
    now = {target: made.images(target)[-1] for target in made.targets}
    assert proved(now, ticks) in (ticks[-1].number, ticks[-1].number + 1)
    assert needs_recovery(now["vda"])
    # A layer that was frozen when the next one was put on it holds a state of its own, which nothing is to be done to.
    assert early <= proved({"vda": overlay}, ticks) <= frozen
    assert not needs_recovery(overlay)
    # Disks of two different instants are no state of the guest.
    with pytest.raises(AssertionError, match="lacks"):
        proved({**now, "vda": overlay}, ticks)


def test_what_is_lost_or_damaged_is_missed(linux_guest: LinuxGuests) -> None:
    made = linux_guest([LinuxDisk(layers=3, format="raw")])
    made.virsh("destroy")
    base, mid, top = made.images()
    ticks = made.ticks()
    proved({"vda": top}, ticks)
    # A chain that lacks what its middle layer held.
    run("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", str(base), "-F", "raw", str(top))
    with pytest.raises(AssertionError):
        proved({"vda": top}, ticks)
    run("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", str(mid), "-F", "qcow2", str(top))
    proved({"vda": top}, ticks)
    # One byte in the base, far from all that the guest wrote.
    seed = seed_of(base)
    with base.open("r+b") as file:
        file.seek(file.read().index(seed[len(seed) // 2 :][:64]))
        file.write(b"\0" if seed[len(seed) // 2] else b"\1")
    with pytest.raises(AssertionError, match="damaged"):
        proved({"vda": top}, ticks)
