"""Snapshots of real guests whose parents were forgotten: an import gives them back, and the tree is whole again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.engine import PATIENCE, accepted, carried_out, journal_is_empty, refusals, watched
from tests.guests import Guest, Guests
from tests.hypervisor import Hypervisor
from tests.real_snapshots import current, dumps, exported, snapshots, wish
from tui.engine.connection import Connection
from tui.engine.control import End
from tui.engine.host import Host
from tui.model.request import RecoverRequest

PARENTS = {"a": None, "b": "a", "c": "b", "d": "c", "f": "b", "e": "c"}
"""By name, in the order in which they are taken; the last one is current."""
DISK_ONLY, INTERNAL = ("--disk-only",), ()


def grow(vm: Guest, *how: str) -> None:
    """Take these snapshots."""
    for name, parent in PARENTS.items():
        if parent is not None:
            # As if the guest had gone back there.
            vm.virsh("snapshot-current", parent)
        vm.virsh("snapshot-create-as", name, *(word.format(vm.directory / name) for word in how))


def forget(vm: Guest, *names: str) -> None:
    for name in names:
        vm.virsh("snapshot-delete", name, "--metadata")


def tree(vm: Guest) -> dict[str, set[str]]:
    """By name the children, as libvirt keeps them beside what the definitions say; the first of all have no name."""
    roots = set(vm.virsh("snapshot-list", "--roots", "--name").split())
    names = snapshots(vm)
    return {"": roots} | {
        name: set(vm.virsh("snapshot-list", "--from", name, "--name").split()) for name in names
    }


def whole(vm: Guest) -> object:
    """All that libvirt knows of them, but for where it notes that a chain ends: of internal ones it forgets that."""
    said = {name: re.sub(r"\n *<backingStore/>", "", text) for name, text in dumps(vm).items()}
    return tree(vm), said, current(vm)


@pytest.mark.parametrize(
    ("running", "how"),
    [
        (True, DISK_ONLY),
        (False, DISK_ONLY),
        (True, INTERNAL),
        (False, INTERNAL),
        (True, ("--memspec", "{}.memory", "--diskspec", "vda,snapshot=external")),
    ],
    ids=["external", "external of one that is off", "internal", "internal of one that is off", "with memory"],
)
def test_forgotten_parents_come_back(
    hypervisor: Hypervisor, guest: Guests, how: tuple[str, ...], *, running: bool
) -> None:
    vm = guest(running=running)
    grow(vm, *how)
    before = whole(vm)
    path = exported(hypervisor, vm)
    with watched(hypervisor) as host:
        for gone in ("b", "c"), ("a", "b", "c"):
            forget(vm, *gone)
            left = whole(vm)
            assert left != before
            carried_out(host, wish(vm, path))
            assert whole(vm) == before, gone
            # As the plan says: nothing has to be remembered to take it back.
            forget(vm, *reversed(gone))
            assert whole(vm) == left, gone
            carried_out(host, wish(vm, path))
            assert whole(vm) == before, gone
        assert journal_is_empty(host)
    hypervisor.restart()
    assert whole(vm) == before


def test_with_the_current_one_it_is_as_before(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(running=False)
    grow(vm, *DISK_ONLY)
    before = whole(vm)
    path = exported(hypervisor, vm)
    forget(vm, "e", "c")
    assert current(vm) == "b"
    with watched(hypervisor) as host:
        carried_out(host, wish(vm, path, current=False))
        assert current(vm) == "b"
        carried_out(host, wish(vm, path))
    assert whole(vm) == before


@pytest.mark.parametrize("undo", [True, False], ids=["undo", "resume"])
def test_cut_short_anywhere_it_is_gone_on_with_or_taken_back(
    hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch, *, undo: bool
) -> None:
    vm = guest()
    grow(vm, *DISK_ONLY)
    before = whole(vm)
    path = exported(hypervisor, vm)
    forget(vm, "a", "c")
    left = whole(vm)
    # The last one of the six has nothing but its chain mended.
    for calls in range(7):
        with watched(hypervisor) as host:
            cut_short(host, vm, path, monkeypatch, calls)
        with watched(hypervisor, clock=lambda: 4e9) as later:
            carried_out(later, RecoverRequest(vm.uuid, undo=undo))
            assert journal_is_empty(later)
        assert whole(vm) == (left if undo else before), calls
        if not undo:
            forget(vm, "c", "a")
    assert whole(vm) == left


def cut_short(host: Host, vm: Guest, path: Path, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """Import, and die after as many calls that define, before it is looked at what came of them."""
    redefine, made = Connection.redefine_snapshot, 0

    def dies(self: Connection, uuid: str, xml: str, *, current: bool) -> None:
        nonlocal made
        if made < calls:
            made += 1
            redefine(self, uuid, xml, current=current)
        if made == calls:
            raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "redefine_snapshot", dies)
        outcome = host.run(accepted(host, wish(vm, path))).wait(PATIENCE)
    assert outcome is not None
    assert outcome.end is End.FAILED
    assert made == calls


def test_a_parent_that_no_forgetting_has_made_is_left_alone(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(running=False)
    grow(vm, *DISK_ONLY)
    path = exported(hypervisor, vm)
    forget(vm, "c")
    moved = vm.directory / "d.xml"
    moved.write_text(vm.virsh("snapshot-dumpxml", "d", "--security-info").replace("<name>b<", "<name>f<"))
    vm.virsh("snapshot-create", moved, "--redefine")
    before = whole(vm)
    with watched(hypervisor) as host:
        assert refusals(host.plan(wish(vm, path))) == {"snapshot-differs"}
    assert whole(vm) == before


def test_one_that_changes_meanwhile_is_left_alone(hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(running=False)
    grow(vm, *DISK_ONLY)
    path = exported(hypervisor, vm)
    forget(vm, "c")
    with watched(hypervisor) as host:
        plan = accepted(host, wish(vm, path))
        forget(vm, "b")
        before = whole(vm)
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert journal_is_empty(host)
    assert whole(vm) == before
