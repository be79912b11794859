"""Moves into logical pools: their plans, for which no host is needed, and libvirt's calls on its own test driver."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.copy_facts import refusals, use, warnings
from tests.engine import watched
from tests.fake_host import GIB, MIB, NOW, make_chain, make_disk, make_domain, make_mirror, make_state
from tests.test_move_plan import facts, kinds, running
from tui.engine import steps
from tui.engine.errors import HostError, StepFailed
from tui.engine.host import Host
from tui.engine.look import Look
from tui.engine.move_facts import pool_or_directory
from tui.engine.promised import promised_of
from tui.model.begin_steps import StartCopy
from tui.model.copy_space import most_of
from tui.model.disk import Disk, MirrorReady
from tui.model.domain import RunState
from tui.model.end_plan import plan_end
from tui.model.facts import EndFacts, Running, Sizes, UseKind
from tui.model.job import JobType, Phase, Progress
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.logical_pool import EXTENT, LogicalPool, volume_name
from tui.model.move_case import MoveFacts
from tui.model.move_plan import plan_move
from tui.model.plan import Plan
from tui.model.queue import writes_to
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import Ending, EndRequest, How, MoveRequest, RecoverRequest, Then
from tui.model.snapshot import SnapshotFacts
from tui.model.steps import AwaitSync, EndJobs, ProvePivot, Undo
from tui.model.storage import BlockSource
from tui.model.together import together
from tui.model.volume_steps import MakeVolume, RemoveVolume, volume_xml

import libvirt

SINGLE = make_disk("vda", "/slow/a")
OTHER = make_disk("vdb", "/slow/b")
CHAIN = make_disk("vdc", "/slow/top", "/slow/base")
POOL = LogicalPool("vg", "/dev/vg", 100 * GIB, (200 * GIB, 100 * GIB))


def known(*disks: Disk, pool: LogicalPool = POOL, capacity: int = 4 * GIB, **more: Any) -> MoveFacts:
    found = facts(*(disks or (SINGLE,)), directory=pool.path, pool=pool, free=pool.available, **more)
    copies = {
        target: replace(copy, sizes=Sizes(capacity, GIB, GIB) if capacity else None)
        for target, copy in found.copies.items()
    }
    return replace(found, copies=copies)


def move(found: MoveFacts | None = None, *targets: str, **wish: Any) -> Plan:
    found = found or known()
    return plan_move(MoveRequest(found.domain.uuid, "pool:vg", targets, **wish), found, "p1")


def volumes(plan: Plan) -> list[MakeVolume]:
    return [step for step in plan.steps if isinstance(step, MakeVolume)]


def entry(reached: int, *, heartbeat: float = 0.0, **wish: Any) -> Entry:
    plan = move(known(SINGLE, OTHER), **wish)
    return Entry("p1", plan.uuid, plan.title, plan.steps, reached, "root@host-b:7", NOW - 60, heartbeat)


# The plan


def test_each_disk_gets_a_volume_and_is_copied_into_its_device() -> None:
    plan = move(known(SINGLE, OTHER))
    assert refusals(plan) == set()
    assert kinds(plan) == [
        *[MakeVolume] * 2,
        *[StartCopy] * 2,
        *[AwaitSync] * 2,
        EndJobs,
        *[ProvePivot] * 2,
    ]
    make = volumes(plan)[0]
    assert (make.pool, make.name, make.path) == ("vg", "db01-vda-p1", "/dev/vg/db01-vda-p1")
    assert (make.size, make.exact) == (4 * GIB, True)
    assert plan.title == "Move vda and vdb of db01 to the pool vg"
    assert plan.commands[0] == f"virsh vol-create-as vg db01-vda-p1 {4 * GIB}"
    start = plan.steps[2]
    assert isinstance(start, StartCopy)
    assert (start.path, start.format, start.blockdev, start.creates) == (make.path, "raw", True, False)
    assert "<source dev=" in start.xml
    assert not start.reuse_external
    layer = plan.chains[0].then.layers[0]
    assert (layer.source, layer.format) == (BlockSource(make.path), "raw")
    assert (plan.needs, plan.free) == (8 * GIB, 100 * GIB)
    assert writes_to(plan) == "pool:vg"


@pytest.mark.parametrize("how", [None, How.KEEP_CHAIN, How.SHALLOW])
def test_a_chain_is_never_flattened_without_being_asked_for(how: How | None) -> None:
    plan = move(known(CHAIN), how=how)
    assert refusals(plan) == {"volume-chain"}
    assert (plan.steps, plan.chains) == ((), ())
    assert not any("/dev/vg" in value for _label, value in plan.facts)
    (finding,) = (f for f in plan.findings if f.check == "volume-chain")
    assert "--flatten" in finding.remedy
    assert refusals(move(known(CHAIN), how=How.FLATTEN)) == set()
    # A single image is one already.
    assert kinds(move(how=how))[:2] == [MakeVolume, StartCopy]
    assert "shallow-single-layer" not in warnings(move(how=how))


@pytest.mark.parametrize(
    ("more", "wish", "check"),
    [
        ({"capacity": 4 * GIB + 512}, {}, "volume-size"),
        ({"capacity": 0}, {}, "volume-size"),
        ({}, {"format": "vmdk"}, "volume-format"),
        ({"pool": replace(POOL, taken=frozenset({"db01-vda-p1"}))}, {}, "volume-exists"),
        ({"pool": replace(POOL, available=3 * GIB)}, {}, "space-together"),
    ],
)
def test_what_no_volume_can_take(more: dict[str, Any], wish: dict[str, Any], check: str) -> None:
    plan = move(known(**more), **wish)
    assert refusals(plan) == {check}
    assert plan.commands == ()


def test_a_disk_of_an_odd_size_goes_as_qcow2_with_room_for_its_metadata() -> None:
    odd = 4 * GIB + 512
    plan = move(known(capacity=odd), format="qcow2")
    assert refusals(plan) == set()
    (make,) = volumes(plan)
    assert not make.exact
    assert make.size % EXTENT == 0
    assert make.size >= most_of(odd, raw=False) > odd
    assert "space-tight" not in warnings(plan)
    start = plan.steps[1]
    assert isinstance(start, StartCopy)
    assert (start.format, start.blockdev, start.reuse_external) == ("qcow2", True, False)


def test_extents_that_a_size_of_the_pool_shows_to_be_smaller() -> None:
    fine = replace(POOL, sizes=(200 * GIB + MIB, 100 * GIB))
    assert (POOL.extent, fine.extent, LogicalPool("vg", "/dev/vg").extent) == (EXTENT, MIB, EXTENT)
    odd = 4 * GIB + MIB
    assert refusals(move(known(capacity=odd))) == {"volume-size"}
    assert volumes(move(known(capacity=odd, pool=fine)))[0].size == odd


def test_room_that_nobody_knows_of() -> None:
    assert "space-unchecked" in warnings(move(known(pool=replace(POOL, available=None))))


def test_snapshots_go_on_to_name_the_old_images() -> None:
    names = (SnapshotFacts("s", frozenset({"/slow/a"})),)
    plan = move(known(snapshots=names))
    assert "snapshots-stay" in warnings(plan)
    assert kinds(plan)[-1] is ProvePivot


def test_several_moves_share_the_room_of_the_pool() -> None:
    one, other = (replace(move(known(capacity=60 * GIB)), domain=name) for name in ("a", "b"))
    other = replace(
        other,
        steps=tuple(replace(s, path=f"{s.path}2") if isinstance(s, StartCopy) else s for s in other.steps),
    )
    found = together([("h", one), ("h", other)])
    assert [[f.check for f in findings] for findings in found] == [[], ["space-in-turn"]]


def test_room_that_other_plans_will_make_volumes_of_does_not_count() -> None:
    mine = make_domain("web01")
    begun = entry(1, heartbeat=NOW)
    state = replace(make_state(mine, make_domain()), entries=(begun,))
    look = Look(UNASKED, state, mine, (), local=True, now=NOW)
    assert promised_of("vg", look) == {"db01": 4 * GIB}
    assert promised_of("other", look) == {}
    left = replace(look, state=replace(state, entries=(replace(begun, heartbeat=0.0),)))
    assert promised_of("vg", left) == {}


UNASKED: Any = None
"""A connection that nobody needs."""


# Names


LVM_TAKES = re.compile(r"[a-zA-Z0-9+_.][a-zA-Z0-9+_.-]*")


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("db01", "db01-vda-p1"),
        ("-rf /", "rf__-vda-p1"),
        ("../x", "_x-vda-p1"),
        ("", "vm-vda-p1"),
        ("…", "_-vda-p1"),
        ("snapshot1", "vm-snapshot1-vda-p1"),
        ("a_rimage", "a.rimage-vda-p1"),
        ("\x1b[31mred", "__31mred-vda-p1"),
    ],
)
def test_names_of_volumes(domain: str, name: str) -> None:
    assert volume_name(domain, "vda", "p1") == name


@given(st.text(), st.text(min_size=1))
def test_lvm_takes_every_name(domain: str, target: str) -> None:
    name = volume_name(domain, target, "0a1b2c3d")
    assert LVM_TAKES.fullmatch(name)
    assert len(name) <= 127
    assert name.endswith("-0a1b2c3d")


# The journal, and what it is for


def test_the_journal_gives_back_every_step() -> None:
    found = entry(1)
    assert parse_entry(entry_xml(found), found.uuid) == found
    cancel = replace(found, steps=(volumes(move())[0].removal,), reached=0)
    assert parse_entry(entry_xml(cancel), cancel.uuid) == cancel


def test_a_plan_that_made_volumes_is_more_than_its_mirrors() -> None:
    assert [(e.moves, e.layered, len(e.volumes)) for e in (entry(0), entry(1), entry(3))] == [
        (True, False, 1),
        (True, False, 2),
        (True, False, 2),
    ]
    assert not entry(2).filling


def recover(found: Entry, *, undo: bool, **more: Any) -> Plan:
    domain = more.pop("domain", None) or known(SINGLE, OTHER).domain
    return plan_recover(
        RecoverRequest(domain.uuid, undo), RecoverFacts(domain, (found,), now=NOW, **more), "p2"
    )


def test_undoing_deletes_the_volumes_last() -> None:
    plan = recover(entry(3), undo=True)
    assert refusals(plan) == set()
    assert [step.step for step in plan.steps if isinstance(step, Undo)] == list(reversed(entry(3).steps[:4]))
    assert plan.commands[-1] == "virsh vol-delete db01-vda-p1 --pool vg"
    # That needs no running guest.
    off = replace(known(SINGLE, OTHER).domain, state=RunState.SHUT_OFF)
    assert refusals(recover(entry(3), undo=True, domain=off)) == set()


def end(ending: Ending, *targets: str, **more: Any) -> Plan:
    held = entry(6, then=Then.HOLD)
    domain = make_domain(
        disks=[
            replace(disk, mirror=replace(make_mirror(ready=MirrorReady.YES), chain=make_chain(copy.path)))
            for disk, copy in zip((SINGLE, OTHER), held.copies, strict=True)
        ]
    )
    jobs = tuple(
        Running(copy.target, JobType.COPY, Phase.IN_SYNC, SINGLE.chain.active, make_chain(copy.path), SYNC)
        for copy in held.copies
    )
    found = EndFacts(domain, jobs, (held,), now=NOW, **more)
    return plan_end(EndRequest(domain.uuid, targets, ending), found, "p2")


SYNC = Progress(1000, 1000, 0, JobType.COPY)


def test_cancelling_deletes_the_volumes() -> None:
    plan = end(Ending.CANCEL, "vda", "vdb")
    assert refusals(plan) == set()
    assert kinds(plan) == [EndJobs, RemoveVolume, RemoveVolume]
    assert [f.reason for f in plan.findings if f.check == "destination-removed"] == [
        f"The volume /dev/vg/db01-{target}-p1 was made for this copy and is deleted."
        for target in ("vda", "vdb")
    ]
    assert plan.closes == ("p1",)
    used = end(Ending.CANCEL, "vda", "vdb", uses={"/dev/vg/db01-vda-p1": use(UseKind.LAYER)})
    assert [step.target for step in used.steps if isinstance(step, RemoveVolume)] == ["vdb"]
    for ending in (Ending.PIVOT, Ending.KEEP):
        assert not any(isinstance(step, RemoveVolume) for step in end(ending, "vda", "vdb").steps)


def test_what_an_interrupted_move_left_is_seen() -> None:
    found = entry(3)
    state = replace(make_state(known(SINGLE, OTHER).domain), entries=(found,))
    assert state.interrupted(found.uuid, "vda") == found
    assert state.leftover(found.uuid, "vda") == "/dev/vg/db01-vda-p1"


def test_what_is_running_is_gone_on_with() -> None:
    plan = recover(entry(4), undo=False, running=(*running(), replace(running()[0], target="vdb")))
    assert refusals(plan) == set()
    assert plan.ahead == entry(4).steps[4:]


# libvirt's calls


LOGICAL = (
    "<pool type='logical'><name>vg</name><source><name>vg</name></source>"
    "<target><path>/dev/vg</path></target></pool>"
)
ISCSI = (
    "<pool type='iscsi'><name>san</name><source><host name='h'/><device path='iqn.2013-06.com.example:t'/></source>"
    "<target><path>/dev/disk/by-path</path></target></pool>"
)


@pytest.fixture
def driver() -> Iterator[Host]:
    """libvirt's test driver, with a logical pool and one of another type."""
    connection = libvirt.open("test:///default")
    domain = connection.defineXML(
        "<domain type='test'><name>d</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    )
    pools = [connection.storagePoolDefineXML(text) for text in (LOGICAL, ISCSI)]
    try:
        for pool in pools:
            pool.create()
        with watched("test:///default") as host:
            yield host
    finally:
        for pool in pools:
            if pool.isActive():
                pool.destroy()
            pool.undefine()
        domain.undefine()
        connection.close()


def step_of(host: Host, **more: Any) -> MakeVolume:
    domain = next(domain for domain in host.state.domains if domain.name == "d")
    make = MakeVolume(
        domain.uuid, domain.name, "vda", "vg", "d-vda-p1", "/dev/vg/d-vda-p1", 64 * MIB, exact=True
    )
    return replace(make, **more)


def run(host: Host, step: MakeVolume | RemoveVolume) -> list[str]:
    return [finding.check for finding in steps.run(step, host, threading.Event())]


def names() -> list[str]:
    connection = libvirt.open("test:///default")
    try:
        return [str(v.name()) for v in connection.storagePoolLookupByName("vg").listAllVolumes()]
    finally:
        connection.close()


def test_a_volume_is_made_seen_and_taken_back(driver: Host) -> None:
    make = step_of(driver)
    calls = driver.connection().calls
    assert not steps.happened(make, driver)
    before = calls.copy()
    assert run(driver, make) == ["volume-made"]
    assert calls - before == {
        "volCreateXML": 1,
        "poolLookupByName": 3,
        "volLookupByName": 2,
        "volGetPath": 1,
        "volInfo": 1,
    }
    assert steps.happened(make, driver)
    assert names() == [make.name]
    # Whoever was cut off after the call makes no second one.
    before = calls.copy()
    run(driver, make)
    assert "volCreateXML" not in calls - before
    for failed in (True, False):
        assert steps.undo(make, driver, NOW, failed=failed) == (
            [f"{make.path} was deleted."] if failed else []
        )
    assert names() == []
    assert steps.happened(make.removal, driver)
    assert run(driver, make.removal) == ["volume-removed"]


def test_a_volume_stays_where_nobody_can_see_what_a_disk_stands_on(driver: Host) -> None:
    """The domain that the test driver has of its own has such a disk."""
    unseen = next(domain for domain in driver.state.domains if domain.name == "test")
    make = step_of(driver, uuid=unseen.uuid)
    run(driver, make)
    (reason,) = steps.undo(make, driver, NOW, failed=True)
    assert reason.endswith("and stays.")
    assert names() == [make.name]


def test_a_volume_that_came_out_otherwise(driver: Host) -> None:
    run(driver, step_of(driver))
    for other in ({"size": 60 * MIB}, {"path": "/dev/other/d-vda-p1"}, {"size": 65 * MIB, "exact": False}):
        make = step_of(driver, **other)
        assert not steps.happened(make, driver)
        with pytest.raises(StepFailed):
            run(driver, make)
    assert steps.happened(step_of(driver, size=60 * MIB, exact=False), driver)
    assert names() == ["d-vda-p1"]


def test_a_pool_that_has_no_room_or_is_gone(driver: Host) -> None:
    with pytest.raises(HostError):
        run(driver, step_of(driver, size=1024 * 1024 * GIB))
    assert names() == []
    with pytest.raises(HostError):
        run(driver, step_of(driver, pool="none"))
    assert run(driver, step_of(driver, pool="none").removal) == ["volume-left"]


def test_the_definition_of_a_volume() -> None:
    make = MakeVolume("u", "d", "vda", "vg", "a&b", "/dev/vg/a&b", 7, exact=True)
    assert volume_xml(make) == (
        '<volume><name>a&amp;b</name><capacity unit="bytes">7</capacity>'
        '<allocation unit="bytes">7</allocation></volume>'
    )


def test_what_the_host_says_of_its_pools(driver: Host) -> None:
    assert driver.places()[-1] == "pool:vg"
    assert "/dev/vg" not in driver.places()
    connection = driver.connection()
    place, problem, pool = pool_or_directory("pool:vg", connection)
    assert (place, problem) == ("/dev/vg", "")
    assert pool is not None
    assert (pool.name, pool.path) == ("vg", "/dev/vg")
    assert pool.available
    assert pool_or_directory("pool:default-pool", connection)[2] is None
    place, problem, pool = pool_or_directory("pool:san", connection)
    assert (place, pool) == (None, None)
    assert "of the type iscsi" in problem
