"""What a host's picture tells of a domain on its way to another host; no host is needed for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.fake_host import MIB, NOW, FakeControl, make_disk, make_domain, make_samples, make_state
from tests.test_cli import invoke
from tui.app.rows import matching, rows_of
from tui.model.abandoned import abandoned
from tui.model.arriving import plan_arriving
from tui.model.chain_steps import MakeImage
from tui.model.doctor import DoctorFacts, examine
from tui.model.domain import RunState
from tui.model.host import HostState
from tui.model.job import JobEvent, Sample
from tui.model.journal import Entry
from tui.model.migrate_steps import (
    BringBack,
    CompareThere,
    CopyLayersThere,
    MakeThere,
    Migrate,
    ProveArrival,
    SetAside,
)
from tui.model.migration import DiskOnTheWay, MemoryOnTheWay, Migration, MigrationPhase, Round, about
from tui.model.on_the_way import (
    begun,
    led_elsewhere,
    with_disk_event,
    with_layers,
    with_migration,
    with_pause,
    with_phase,
    with_step,
    without_other,
)
from tui.model.steps import Step

DOMAIN = make_domain("db01", disks=[make_disk("vda"), make_disk("vdb")])
UUID = DOMAIN.uuid
STATE = make_state(DOMAIN)
MEMORY = MemoryOnTheWay(1000, 500)


def disk(target: str = "vda", *, count: int = 11, **more: int) -> DiskOnTheWay:
    """A disk that was looked at so often, without a limit."""
    samples = make_samples(count=count, **more)
    return DiskOnTheWay(target, samples[-1].cur, samples[-1].end, samples=samples)


def way(
    *disks: DiskOnTheWay, phase: MigrationPhase = MigrationPhase.DISKS, memory: MemoryOnTheWay | None = None
) -> Migration:
    return Migration(UUID, "db01", "host-b", phase, disks, memory)


def look(at: float, cur: int, *, paused: bool = False) -> Migration:
    """One look at a disk."""
    end = 100 * MIB
    sample = Sample(at, cur * MIB, end)
    return replace(way(DiskOnTheWay("vda", cur * MIB, end, samples=(sample,))), paused=paused)


def seen(*looks: Migration, state: HostState = STATE) -> Migration:
    for one in looks:
        state = with_migration(state, one)
    return state.migrations[UUID]


FAST, SLOW = disk(rate=200 * MIB), disk("vdb", rate=20 * MIB)
BUSY = disk(rate=20 * MIB, guest=80 * MIB)
EVEN = replace(BUSY, samples=tuple(replace(s, guest_written=None) for s in BUSY.samples))
STILL = disk("vdb", rate=0)
NEW = disk("vdb", count=1)
HELD = replace(SLOW, in_sync=True)


def test_it_takes_as_long_as_its_slowest_disk() -> None:
    slowest = SLOW.outlook.seconds
    assert slowest is not None
    assert way(FAST, SLOW).seconds == slowest > (FAST.outlook.seconds or slowest)
    assert way(FAST, HELD).seconds == FAST.outlook.seconds
    assert way(FAST, SLOW).rate == pytest.approx(220 * MIB)


@pytest.mark.parametrize("unknown", [BUSY, STILL, NEW])
def test_what_is_not_known_of_one_disk_is_not_known_of_all(unknown: DiskOnTheWay) -> None:
    migration = way(FAST, unknown)
    assert migration.seconds is None
    assert about(migration.seconds) == "–"


@pytest.mark.parametrize(
    ("disks", "troubles"),
    [
        ((FAST, SLOW), ()),
        ((FAST, NEW), ()),
        ((BUSY, HELD), ("the guest writes faster than vda is copied",)),
        ((EVEN, HELD), ("the guest writes as fast as vda is copied",)),
        ((BUSY, replace(BUSY, target="vdb")), ("the guest writes faster than vda and vdb are copied",)),
        ((FAST, STILL), ("vdb stands still: nothing was copied in the last 10s",)),
        ((replace(BUSY, in_sync=True), HELD), ()),
    ],
)
def test_what_never_ends_is_said(disks: tuple[DiskOnTheWay, ...], troubles: tuple[str, ...]) -> None:
    migration = way(*disks)
    assert migration.troubles == troubles
    assert migration.outruns is ("writes" in str(troubles))
    assert all(trouble in migration.words for trouble in troubles)
    assert ("in sync in" in migration.words) is bool(migration.copying and not troubles)


def test_a_guest_that_is_paused_writes_nothing() -> None:
    migration = replace(way(BUSY, HELD), paused=True)
    assert migration.troubles == ()
    assert "the guest is paused" in migration.words


def sent(number: int, size: int = 100, *, paused: bool = False) -> Migration:
    """One look at the memory, in a round that began with so many MiB."""
    rounds = (Round(number, size * MIB),)
    memory = MemoryOnTheWay(1000 * MIB, size * MIB, 10 * MIB, 9 * MIB, number, rounds)
    return replace(way(phase=MigrationPhase.MEMORY, memory=memory), paused=paused)


@pytest.mark.parametrize(
    ("sizes", "never"),
    [
        ([100, 100], True),
        ([100, 97], True),
        ([100, 120], True),
        ([100, 90], False),
        ([100, 50, 52], True),
        ([100, 120, 80], False),
        ([50, 100, 100, 100, 100], True),
        ([20, 100, 90, 80, 70, 60, 50], False),
    ],
)
def test_memory_arrives_when_less_is_left_from_round_to_round(sizes: list[int], *, never: bool) -> None:
    """As long as that is not known its rates tell, which are the same all the time."""
    # What is told together with the first rate is a guess.
    looks = [sent(1, 1), *(sent(number, size) for number, size in enumerate(sizes, start=2))]
    migration = seen(*looks)
    assert migration.outruns is never
    assert migration.troubles == (("the guest changes its memory faster than it is sent",) if never else ())
    assert (migration.seconds is None) is never


def test_rounds_are_told_apart() -> None:
    def known(*looks: Migration) -> list[tuple[int, int]]:
        memory = seen(*looks).memory
        assert memory
        return [(one.number, one.size // MIB) for one in memory.rounds]

    assert known(sent(2)) == []
    assert known(sent(2), sent(2, 80)) == [(2, 80)]
    assert known(sent(2), sent(2, 80), sent(2, 90), sent(4, 50)) == [(2, 90), (4, 50)]
    assert known(sent(2), sent(7), sent(3, 60)) == [(3, 60)]
    assert known(*map(sent, range(1, 20))) == [(number, 100) for number in range(15, 20)]


@pytest.mark.parametrize(
    ("dirty", "iteration", "never"), [(100, 2, True), (97, 2, True), (90, 2, False), (200, 1, False)]
)
def test_rates_tell_before_there_are_rounds(dirty: int, iteration: int, *, never: bool) -> None:
    memory = MemoryOnTheWay(1000, 500, rate=100, dirty_rate=dirty, iteration=iteration)
    assert memory.diverges is never


def test_a_guest_that_stands_still_changes_no_memory() -> None:
    """Libvirt goes on telling what it changed before."""
    stuck = [sent(number) for number in range(2, 6)]
    assert seen(*stuck).outruns
    for migration in (
        seen(*stuck, sent(5, paused=True)),
        with_pause(with_migration(STATE, seen(*stuck)), UUID).migrations[UUID],
        seen(*stuck, replace(sent(5), phase=MigrationPhase.POSTCOPY)),
    ):
        assert not migration.troubles
        assert migration.memory
        assert migration.memory.dirty_rate is None
        assert migration.seconds == 10
    assert not seen(*stuck, sent(5, paused=True), sent(6)).outruns
    assert seen(*stuck, sent(5, paused=True), sent(6), sent(7), sent(8)).outruns


def test_looks_are_joined_until_the_guest_is_paused_or_goes_on() -> None:
    looks = [look(float(second), second) for second in range(3)]
    assert len(seen(*looks).disks[0].samples) == 3
    paused = look(3.0, 3, paused=True)
    assert [s.at for s in seen(*looks, paused).disks[0].samples] == [3.0]
    assert len(seen(*looks, paused, look(4.0, 4, paused=True)).disks[0].samples) == 2
    assert [s.at for s in seen(*looks, paused, look(4.0, 4)).disks[0].samples] == [4.0]


@pytest.mark.parametrize("first", ["event", "look"])
def test_a_disk_is_in_sync_when_libvirt_says_so(first: str) -> None:
    state = with_migration(STATE, way(phase=MigrationPhase.PREPARING))
    both = way(DiskOnTheWay("vda", 5, 5), DiskOnTheWay("vdb", 5, 5))
    if first == "look":
        state = with_migration(state, both)
    assert not any(d.in_sync for d in state.migrations[UUID].disks)
    state = with_disk_event(state, UUID, "vdb", JobEvent.READY)
    for _ in range(2):
        state = with_migration(state, both)
        assert [d.in_sync for d in state.migrations[UUID].disks] == [False, True]
    assert state.migrations[UUID].copying[0].target == "vda"


def test_how_far_it_is_matters_until_the_guest_is_there() -> None:
    sent = way(phase=MigrationPhase.MEMORY, memory=MemoryOnTheWay(100, 37))
    assert (sent.percent, sent.far) == (63, " 63 %")
    assert replace(sent, phase=MigrationPhase.POSTCOPY).far == ""
    assert way(phase=MigrationPhase.PREPARING).far == ""


@pytest.mark.parametrize("event", [event for event in JobEvent if event is not JobEvent.READY])
def test_nothing_else_makes_it_in_sync(event: JobEvent) -> None:
    state = with_migration(STATE, way(FAST))
    assert with_disk_event(state, UUID, "vda", event) == state
    assert with_disk_event(STATE, UUID, "vda", JobEvent.READY) == STATE


def test_who_is_paused_is_not_being_switched_over() -> None:
    """libvirt gives both the same reason."""
    switching = replace(way(FAST, phase=MigrationPhase.SWITCHING), paused=True)
    assert seen(switching).phase is MigrationPhase.DISKS
    assert seen(switching).paused
    sent = replace(switching, memory=MEMORY)
    before = with_migration(STATE, way(FAST, phase=MigrationPhase.MEMORY, memory=MEMORY))
    assert seen(sent, state=before).phase is MigrationPhase.SWITCHING
    assert not seen(sent, state=before).paused
    told = with_pause(before, UUID)
    assert seen(sent, sent, state=told).phase is MigrationPhase.MEMORY
    assert seen(sent, sent, state=told).paused
    assert seen(replace(sent, disks=()), state=before).phase is MigrationPhase.SWITCHING
    assert not seen(replace(sent, phase=MigrationPhase.POSTCOPY), state=told).paused
    assert with_pause(STATE, UUID) == STATE


STEP = Migrate(UUID, "db01", "test:///b", "host-b", "u", "db01", ("vda",))


@pytest.mark.parametrize(
    ("entry", "own", "found"),
    [
        ({}, frozenset(), True),
        ({}, frozenset({"p1"}), False),
        ({"heartbeat": 0.0}, frozenset(), False),
        ({"reached": 1}, frozenset(), False),
        ({"steps": (replace(STEP, offline=True),)}, frozenset(), False),
    ],
)
def test_what_other_programs_lead(entry: dict[str, object], own: frozenset[str], *, found: bool) -> None:
    theirs = Entry("p1", UUID, "Migrate db01", (STEP,), 0, "root@elsewhere:7", NOW, NOW)
    state = replace(STATE, entries=(replace(theirs, **entry),))  # type: ignore[arg-type]
    assert led_elsewhere(state, own) == ({UUID: STEP} if found else {})


def test_what_another_program_leads_goes_on_however_old_its_journal_is() -> None:
    """Nobody can change that on the way."""
    theirs = Entry("p1", UUID, "Migrate db01", (STEP,), 0, "root@elsewhere:7", NOW, 0.0)
    state = replace(STATE, entries=(theirs,))
    assert abandoned(state) == (theirs,)
    assert state.interrupted(UUID, "vda") == theirs
    on_the_way = with_migration(state, replace(way(FAST), led=False))
    assert led_elsewhere(on_the_way, frozenset()) == {UUID: STEP}
    assert abandoned(on_the_way) == ()
    assert on_the_way.interrupted(UUID, "vda") is None


ARRIVAL = ProveArrival(UUID, "db01", "test:///a", "host-a", (), (), persistent=True, undefined=True)


def test_a_plan_is_not_interrupted_while_its_domain_arrives() -> None:
    """Its journal comes along as it was when it left."""
    theirs = Entry("p1", UUID, "Migrate db01", (STEP, ARRIVAL), 0, "root@elsewhere:7", NOW, 0.0)
    assert [theirs.brings_from(uuid) for uuid in ("u", "other")] == ["host-a", None]
    assert replace(theirs, reached=1).brings_from("u") is None
    arriving = replace(DOMAIN, arriving_from="host-a", state=RunState.PAUSED)
    assert (arriving.standing, DOMAIN.standing) == ("arriving from host-a", "running")
    state = replace(make_state(arriving), entries=(theirs,))
    assert state.under_way(UUID)
    assert abandoned(state) == ()
    assert state.interrupted(UUID, "vda") is None
    assert led_elsewhere(state, frozenset()) == {}
    (found,) = examine(DoctorFacts(state, now=NOW))
    assert (found.check, found.reason) == (
        "plan-in-progress",
        "db01 is arriving from host-a: root@elsewhere:7 is at “Migrate db01”.",
    )
    here = replace(STATE, entries=(theirs,))
    assert not here.under_way(UUID)
    assert abandoned(here) == (theirs,)


def test_what_arrives_is_left_alone() -> None:
    assert plan_arriving(DOMAIN, "p9") is None
    plan = plan_arriving(replace(DOMAIN, arriving_from="host-a"), "p9")
    assert plan is not None
    assert plan.refused
    assert [(f.reason, f.remedy) for f in plan.findings] == [
        (
            "db01 is arriving from host-a, and nothing can be done with it here before it has.",
            "Wait for that, or call it back at host-a.",
        )
    ]


def test_where_a_state_is_shown_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = replace(DOMAIN, arriving_from="host\x1b[31m", state=RunState.PAUSED)
    state = make_state(hostile)
    assert invoke("list", hosts=(FakeControl(states=state),)) == 0
    said = capsys.readouterr().out
    assert "db01  arriving from host" in said
    assert "\x1b" not in said
    rows = rows_of(0, state)
    assert {(row.standing, row.arriving_from) for row in rows} == {("arriving", "host\x1b[31m")}
    assert matching(rows, "arriving") == rows


def test_what_is_led_here_does_not_end_by_what_is_not_led_elsewhere() -> None:
    here = with_migration(STATE, way(FAST))
    assert without_other(here, UUID) is here
    assert without_other(with_migration(STATE, replace(way(FAST), led=False)), UUID) == STATE
    assert without_other(STATE, UUID) is STATE


# The phases


LED = replace(STEP, targets=("vda", "vdb"))
IMAGE = MakeImage(UUID, "db01", "vda", "/i/vda", "raw", 1)


@pytest.mark.parametrize(
    ("step", "phase", "doing"),
    [
        (MakeThere("test:///b", "host-b", IMAGE), MigrationPhase.PREPARING, "images are made"),
        (CompareThere(UUID, "db01", "test:///b", "host-b", (), (), ()), MigrationPhase.COMPARING, ""),
        (CopyLayersThere(UUID, "db01", "test:///b", "host-b", (), (), ()), MigrationPhase.LAYERS, ""),
        (SetAside(UUID, "db01", ("a",), ""), MigrationPhase.PREPARING, "set aside"),
        (STEP, MigrationPhase.PREPARING, "the hosts agree"),
        (BringBack(UUID, "db01", ("a",), "", None, (), ()), MigrationPhase.FINISHING, "become known there"),
        (
            ProveArrival(UUID, "db01", "test:///a", "host-a", (), (), persistent=True, undefined=True),
            MigrationPhase.FINISHING,
            "proved",
        ),
    ],
)
def test_each_step_is_in_a_phase(step: Step, phase: MigrationPhase, doing: str) -> None:
    last = with_migration(STATE, way(FAST, phase=MigrationPhase.MEMORY, memory=MEMORY))
    now = with_step(last, LED, step).migrations[UUID]
    assert now.phase is phase
    assert doing in now.doing
    assert (now.disks, now.memory, now.percent) == ((), None, None), "of what it does now nothing is known"
    assert now == replace(begun(LED), phase=phase, doing=now.doing)


def test_the_phases_come_one_after_another() -> None:
    """All disks are in sync when libvirt has said so of each; the bytes of all may be there before."""
    both = replace(begun(LED), phase=MigrationPhase.DISKS, disks=(DiskOnTheWay("vda", 5, 5),))
    state, phases = with_step(STATE, LED, STEP), []
    changes: list[Callable[[HostState], HostState]] = [
        lambda s: with_migration(s, both),
        lambda s: with_disk_event(s, UUID, "vda", JobEvent.READY),
        lambda s: with_migration(s, replace(both, disks=(*both.disks, DiskOnTheWay("vdb", 5, 5)))),
        lambda s: with_disk_event(s, UUID, "vdb", JobEvent.READY),
        lambda s: with_migration(s, both),
        lambda s: with_migration(s, replace(both, phase=MigrationPhase.MEMORY, memory=MEMORY)),
        lambda s: with_disk_event(s, UUID, "vdb", JobEvent.READY),
        lambda s: with_migration(s, replace(both, phase=MigrationPhase.SWITCHING, memory=MEMORY)),
        lambda s: with_phase(s, LED, MigrationPhase.FINISHING, "proved"),
    ]
    for change in changes:
        state = change(state)
        phases.append(state.migrations[UUID].phase)
    assert phases == [
        *[MigrationPhase.DISKS] * 3,
        *[MigrationPhase.IN_SYNC] * 2,
        *[MigrationPhase.MEMORY] * 2,
        MigrationPhase.SWITCHING,
        MigrationPhase.FINISHING,
    ]
    order = list(MigrationPhase)
    assert phases == sorted(phases, key=order.index)


def test_in_sync_is_no_part_of_anything() -> None:
    held = replace(way(HELD, phase=MigrationPhase.IN_SYNC), targets=("vdb",))
    assert (held.percent, held.rate, held.seconds, held.troubles) == (None, None, None, ())
    assert not held.over, "the guest is here still"


@pytest.mark.parametrize("phase", MigrationPhase)
def test_what_is_past_the_switch_is_over(phase: MigrationPhase) -> None:
    words = {
        MigrationPhase.SWITCHING: "is being switched over",
        MigrationPhase.POSTCOPY: "is being switched over",
        MigrationPhase.FINISHING: "has gone over to host-b",
        MigrationPhase.UNDOING: "is being taken back already",
    }
    over = way(phase=phase).over
    assert bool(over) is (phase in words)
    assert words.get(phase, "") in over


def test_layers_of_nothing_are_not_shown() -> None:
    assert with_layers(STATE, UUID, MigrationPhase.LAYERS, None) is STATE
