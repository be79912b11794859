"""Room and memory of a host that domains on their way to it will take; stand-ins answer for both hosts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.copy_facts import refusals, warnings
from tests.fake_host import GIB, NOW, make_domain, make_job, make_state
from tests.test_migrate_plan import MISSING, TO, facts, plan
from tui.engine.look import Look
from tui.engine.promised_there import promised_at, without_promised
from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import ImageCopy, MakeImage
from tui.model.finding import Acceptance
from tui.model.job import Phase
from tui.model.journal import Entry
from tui.model.migrate_case import MigrateFacts
from tui.model.migrate_steps import CopyLayersThere, MakeThere, Migrate, ProveArrival
from tui.model.migration import MemoryOnTheWay, Migration
from tui.model.serve_steps import ServeThere
from tui.model.steps import AwaitSync

WEB = make_domain("web01")
MINE = facts().domain


@dataclass
class FilesThere:
    """The files of the other host: two file systems, and what lies on them."""

    sizes: dict[str, int]

    def ask(self, _script: str, *directories: str) -> str:
        lines = [f"{7 if name == '/i' else 8} 1\next4" for name in directories]
        return "\n".join(["boot", *lines])

    def allocated(self, paths: list[str]) -> dict[str, int]:
        return {path: self.sizes[path] for path in paths if path in self.sizes}


def on_its_way(*, reached: int = 3, host: str = "b", here: bool = False) -> Entry:
    """A plan that makes a disk of 80 GiB and a layer of which 6 GiB are written, and takes the guest there."""
    uuid, name = WEB.uuid, WEB.name
    there = ("qemu+ssh://b/system", "host-b")
    disk = MakeImage(uuid, name, "vda", "/i/web", "qcow2", 80 * GIB)
    layer = MakeImage(uuid, name, "", "/i/web.base", "raw", 90 * GIB)
    copy = CopyLayersThere(
        uuid, name, *there, (), (ImageCopy("/x/base", "/i/web.base", "raw"),), (6 * GIB,), 0
    )
    steps = (
        MakeThere(*there, disk),
        MakeThere(*there, layer),
        copy,
        Migrate(uuid, name, *there, host, name),
        ProveArrival(uuid, name, "", "", (), (), persistent=True, undefined=True),
    )
    return Entry("p9", uuid, "Migrate web01 to host-b", steps, reached, "me", NOW, NOW, here)


def looked(entry: Entry, **more: Any) -> Look:
    """At this host, while that plan is carried out."""
    state = replace(make_state(MINE, WEB), **more)
    connection: Any = SimpleNamespace(memory_size=lambda _uuid: 6 * GIB)
    under_way = (entry,) if entry.here else ()
    shown = () if under_way else (entry,)
    return Look(
        connection, replace(state, entries=shown), MINE, (), local=False, now=NOW, under_way=under_way
    )


def other(sizes: dict[str, int] | None = None) -> Any:
    """The host there, and what images take of it."""
    return SimpleNamespace(files=FilesThere(sizes or {}), state=make_state(hostname="host-b"))


def beside(entry: Entry, sizes: dict[str, int] | None = None, **more: Any) -> MigrateFacts:
    """What is known of a wish while that plan is carried out."""
    return without_promised(facts(), looked(entry, **more), other(sizes))


def free(found: MigrateFacts) -> int | None:
    return found.images["/i/top"].place.free


def test_room_that_another_will_take_is_not_free() -> None:
    found = beside(on_its_way())
    assert (free(found), found.promised) == (14 * GIB, {"web01": 86 * GIB})
    assert free(beside(on_its_way(here=True))) == 14 * GIB, "before any journal tells of it"
    assert free(beside(on_its_way(), {"/i/web": 30 * GIB, "/i/web.base": 6 * GIB})) == 50 * GIB
    assert free(beside(on_its_way(), {"/i/web": 81 * GIB, "/i/web.base": 6 * GIB})) == 100 * GIB
    assert found.images["/iso/x"].place.free == facts().images["/iso/x"].place.free, "another file system"


def test_a_plan_that_brings_nothing_more() -> None:
    assert free(beside(on_its_way(reached=4))) == 100 * GIB, "it has gone"
    assert free(beside(on_its_way(host="c"))) == 100 * GIB, "it goes elsewhere"
    left = replace(on_its_way(), heartbeat=0.0)
    assert beside(left).promised == {}
    way = Migration(WEB.uuid, WEB.name, "host-b", led=False)
    assert free(beside(left, migrations={WEB.uuid: way})) == 14 * GIB, "libvirt says that it goes on"


def pooled(reached: int = 0) -> Entry:
    """A plan for which libvirt makes a disk of 80 GiB in a storage pool."""
    entry = on_its_way(reached=reached)
    migrate, proof = entry.steps[3:]
    assert isinstance(migrate, Migrate)
    return replace(entry, steps=(replace(migrate, pooled=(("/i/web", 80 * GIB),)), proof))


@pytest.mark.parametrize(("taken", "left"), [(None, 80), (30, 50)])
def test_room_that_libvirt_will_take_in_a_pool_is_not_free(taken: int | None, left: int) -> None:
    """Nobody sees the file systems there: images of one directory share one, and the pool says what they take."""
    volume = f"<volume><allocation>{(taken or 0) * GIB}</allocation></volume>"
    connection = SimpleNamespace(volume_xml=lambda _path: volume if taken else None)
    there: Any = SimpleNamespace(
        files=None, state=make_state(hostname="host-b"), connection=lambda: connection
    )
    unseen = replace(MISSING, place=replace(MISSING.place, kind=None))
    known = facts({**facts().images, "/i/top": unseen}, reached=False)
    found = without_promised(known, looked(pooled()), there)
    assert (free(found), found.promised) == ((100 - left) * GIB, {"web01": left * GIB})
    assert found.images["/iso/x"].place.free == facts().images["/iso/x"].place.free
    assert free(without_promised(known, looked(pooled(1)), there)) == 100 * GIB, "it has gone"


def test_what_a_pool_makes_is_seen_by_who_reaches_its_files() -> None:
    assert free(beside(pooled())) == 20 * GIB
    assert free(beside(pooled(), {"/i/web": 79 * GIB})) == 99 * GIB


def copies(reached: int) -> Entry:
    """A plan that copies a disk of 80 GiB to an image at the other host: it is made, served, and copied to."""
    made = MakeThere(TO, "host-b", MakeImage(WEB.uuid, WEB.name, "vda", "/i/web", "qcow2", 80 * GIB))
    start = StartCopy(WEB.uuid, WEB.name, "vda", "/s/web", "nbd://b/p9", "<disk/>", creates=False)
    steps = (made, ServeThere(made, "b", 61000, "p9"), start, AwaitSync(WEB.uuid, WEB.name, "vda"))
    return Entry(
        "p9", WEB.uuid, "Mirror vda of web01 to host-b", steps, reached, "root@elsewhere:1", NOW, NOW
    )


def test_room_that_a_copy_will_take_is_not_free() -> None:
    """Before it begins all of it; then what is left of the job, whoever leads it, and nothing without one."""
    job = make_job(WEB, cur=10 * GIB, end=40 * GIB, plan="p9")
    left = replace(copies(4), heartbeat=0.0)
    for entry, jobs, taken in (
        (copies(0), (), 80),
        (copies(2), (), 80),
        (replace(copies(2), heartbeat=0.0), (), 0),
        (copies(3), (job,), 30),
        (left, (job,), 30),
        (left, (replace(job, phase=Phase.FAILED),), 0),
        (left, (replace(job, plan="p8"),), 0),
        (copies(3), (), 0),
    ):
        found = beside(entry, jobs=jobs)
        assert (free(found), found.promised) == (
            (100 - taken) * GIB,
            {"web01": taken * GIB} if taken else {},
        )
        there = promised_at(["/i", "/x"], looked(entry, jobs=jobs), other(), "b")
        assert {place: sum(room.values()) for place, room in there.items() if room} == (
            {"/i": taken * GIB} if taken else {}
        )
    there = other()
    there.state = make_state(hostname="host-c")
    assert promised_at(["/i"], looked(copies(0)), there, "c") == {}
    mine = replace(copies(0), uuid=MINE.uuid)
    look = replace(looked(mine), entries=(mine,))
    assert promised_at(["/i"], look, other(), "b") == {"/i": {MINE.name: 80 * GIB}}, "of another disk"


def test_the_second_of_two_is_refused() -> None:
    known = beside(on_its_way(), {"/i/web.base": 6 * GIB})
    tight = replace(known, sizes={target: replace(s, capacity=30 * GIB) for target, s in known.sizes.items()})
    assert refusals(plan(tight)) == {"space"}
    assert refusals(plan(tight, accepted=frozenset({Acceptance.RISK_FULL_DESTINATION}))) == set()
    assert plan(tight).free == 20 * GIB


def test_memory_that_another_will_take_is_not_free() -> None:
    found = beside(on_its_way())
    assert found.wanted is not None
    assert (found.wanted.free_memory, found.wanted.beside) == (2 * GIB, ("web01",))
    tight = replace(found, wanted=replace(found.wanted, memory=4 * GIB))
    assert "memory" in warnings(plan(tight))
    (said,) = (f.reason for f in plan(tight).findings if f.check == "memory")
    assert said.endswith("and host-b has 2 GiB free beside what web01 will take.")
    way = Migration(WEB.uuid, WEB.name, "host-b", memory=MemoryOnTheWay(6 * GIB, GIB))
    later = beside(on_its_way(), migrations={WEB.uuid: way})
    assert later.wanted is not None
    assert later.wanted.free_memory == 7 * GIB, "what came of it takes room already"
