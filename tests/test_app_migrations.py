"""Domains on their way to another host: how they are shown, and what the keys do to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Button

from tests.app_pilot import Screen, opened, played
from tests.dialogs import HOSTILE, UNANSWERED, in_dialog
from tests.fake_host import (
    MIB,
    NOW,
    FakeControl,
    make_disk,
    make_domain,
    make_job,
    make_samples,
    make_state,
)
from tui.app.deeds import Aim
from tui.app.dialogs.arrival import ArrivalDialog
from tui.app.dialogs.ask import Question
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.migration import Change, MigrationDialog
from tui.app.glyphs import ASCII
from tui.app.widgets.migrations import MigrationRow
from tui.engine.control import End, Outcome
from tui.model.domain import RunState
from tui.model.finding import fine, warning
from tui.model.host import HostState
from tui.model.job import Phase
from tui.model.journal import Entry
from tui.model.migrate_request import MigrateRequest, MigrationTuneRequest, Tune
from tui.model.migrate_steps import Migrate
from tui.model.migration import DiskOnTheWay, LayersOnTheWay, MemoryOnTheWay, Migration, MigrationPhase
from tui.model.plan import Plan
from tui.model.request import RecoverRequest

DOMAIN = make_domain("db01", disks=[make_disk("vda"), make_disk("vdb")])
UUID = DOMAIN.uuid
DISKS = Migration(
    UUID,
    "db01",
    "host-b",
    MigrationPhase.DISKS,
    (DiskOnTheWay("vda", 30 * MIB, 100 * MIB), DiskOnTheWay("vdb", 100 * MIB, 100 * MIB, in_sync=True)),
)
MEMORY = Migration(
    UUID,
    "db01",
    "host-b",
    MigrationPhase.MEMORY,
    memory=MemoryOnTheWay(1024 * MIB, 256 * MIB, 128 * MIB, 64 * MIB, 3),
    downtime=300,
)
assert MEMORY.memory is not None
BUSY = make_samples(rate=20 * MIB, guest=80 * MIB)
OUTRUN = replace(
    DISKS,
    disks=(
        DiskOnTheWay("vda", BUSY[-1].cur, BUSY[-1].end, limit=25 * MIB, samples=BUSY),
        replace(DISKS.disks[1], samples=make_samples(count=2, cur=96 * MIB, end=100 * MIB, rate=0)),
    ),
)
STUCK = replace(MEMORY, memory=replace(MEMORY.memory, dirty_rate=200 * MIB))


def away(migration: Migration = MEMORY, **more: Any) -> HostState:
    """A host from which a domain is on its way, and another stays."""
    state = make_state(DOMAIN, make_domain("zoo"), **more)
    return replace(state, migrations={UUID: migration})


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_disks_on_their_way(size: tuple[int, int]) -> None:
    async with opened(FakeControl(states=away(DISKS)), size=size) as screen:
        row = screen.painted(screen.main.domains.table).splitlines()[1]
        assert "→ disks 65 %" in row
        await screen.press("3")
        jobs = screen.painted(screen.main.jobs)
        assert "db01 → host-b" in jobs
        assert "65 %" in jobs
        assert "vda ━━━━━━━━━━ 30 %" in jobs
        assert "vdb in sync" in jobs
        assert "in sync in –" in jobs
        assert "[Call back]" in jobs
        assert "1 job" in screen.main.header.plain
        assert "Jobs 1" in str(screen.main.jobs.border_title)


@played
async def test_layers_on_their_way() -> None:
    layers = replace(DISKS, phase=MigrationPhase.LAYERS, disks=(), layers=LayersOnTheWay(40 * MIB, 100 * MIB))
    async with opened(FakeControl(states=away(layers))) as screen:
        assert "→ layers 40 %" in screen.painted(screen.main.domains.table)
        await screen.press("3")
        assert "40/100 MiB" in screen.painted(screen.main.jobs)
        await screen.press("enter")
        shown = screen.app.screen.query_one("#state").plain  # type: ignore[attr-defined]
        (line,) = [line for line in shown.splitlines() if line.startswith("layers")]
        assert "40 %" in line
        assert "40/100 MiB" in line


@pytest.mark.parametrize(("size", "above"), [((120, 36), True), ((80, 24), False)])
@played
async def test_memory_on_its_way(size: tuple[int, int], above: bool) -> None:  # noqa: FBT001
    async with opened(FakeControl(states=away()), size=size) as screen:
        assert "→ memory 75 %" in screen.painted(screen.main.domains.table)
        await screen.press("3")
        first, second, *_ = screen.painted(screen.main.jobs).splitlines()
        assert ("128 MiB/s" in first) is above
        assert ("at 128 MiB/s" in second) is not above
        assert "0.75/1 GiB" in first
        for words in ("256 MiB left", "changed at 64 MiB/s", "about 4s"):
            assert words in second


@played
async def test_what_never_arrives_is_said_first() -> None:
    async with opened(FakeControl(states=away(STUCK)), size=(80, 24)) as screen:
        await screen.press("3")
        painted = screen.painted(screen.main.jobs)
        assert "the guest changes its memory faster than it is sent: b has remedies" in painted


@pytest.mark.parametrize("size", [(160, 36), (80, 24)])
@played
async def test_disks_that_are_never_in_sync_are_said_first(size: tuple[int, int]) -> None:
    async with opened(FakeControl(states=away(OUTRUN)), size=size) as screen:
        await screen.press("3")
        jobs = screen.painted(screen.main.jobs)
        assert "the guest writes faster than vda is copied: b has remedies" in jobs
        assert "in sync in" not in jobs
        if size[0] > 80:
            assert "20 MiB/s" in jobs.splitlines()[0]
            assert "vdb in sync · guest writes 80 MiB/s" in jobs
        assert "20 MiB/s" in screen.main.header.plain


@played
async def test_how_long_disks_take() -> None:
    samples = make_samples(rate=20 * MIB)
    going = replace(DISKS, disks=(DiskOnTheWay("vda", samples[-1].cur, samples[-1].end, samples=samples),))
    async with opened(FakeControl(states=away(going)), size=(120, 36)) as screen:
        await screen.press("3")
        assert "in sync in about 3m14s" in screen.painted(screen.main.jobs)


@played
async def test_what_another_program_leads() -> None:
    control = FakeControl(states=away(replace(OUTRUN, led=False, paused=True)))
    async with opened(control, size=(120, 36)) as screen:
        await screen.press("3")
        jobs = screen.painted(screen.main.jobs)
        for words in ("db01 → host-b", "paused", "led by another program", "[Call back]"):
            assert words in jobs
        await screen.press("q")
        assert screen.app._exit, "it does not end with this program"  # noqa: SLF001


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_what_arrives(size: tuple[int, int]) -> None:
    arriving = replace(DOMAIN, state=RunState.PAUSED, arriving_from="host-a")
    async with opened(FakeControl(states=make_state(arriving)), size=size) as screen:
        table = screen.painted(screen.main.domains.table)
        assert "arriving" in table
        assert table.count("from host-a") == 1


@played
async def test_in_plain_signs() -> None:
    async with opened(FakeControl(states=away(DISKS)), ascii_only=True) as screen:
        assert "> disks 65 %" in screen.painted(screen.main.domains.table)
        painted = screen.painted(screen.main.jobs)
        assert "db01 > host-b" in painted
        assert "vda ###....... 30 %" in painted
        assert painted.isascii()


@pytest.mark.parametrize("phase", MigrationPhase)
@pytest.mark.parametrize("text", HOSTILE)
@played
async def test_whatever_the_hosts_say(text: str, phase: MigrationPhase) -> None:
    disk = DiskOnTheWay(text, 1, 2)
    hostile = replace(MEMORY, domain=text, host=text, phase=phase, disks=(disk, disk))
    async with opened(FakeControl(states=away(hostile)), size=(80, 24)) as screen:
        await screen.press("3", "b")
        assert isinstance(screen.app.screen, MigrationDialog)
        assert "\x1b" not in screen.painted(screen.main.jobs)


# Keys


async def question(screen: Screen) -> ConfirmPlan:
    await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
    asked = screen.app.screen
    assert isinstance(asked, ConfirmPlan)
    return asked


async def to_domain(screen: Screen) -> None:
    await screen.go_to("db01", "vdb")


async def to_row(screen: Screen) -> None:
    await screen.press("3")


@pytest.mark.parametrize("go", [to_domain, to_row])
@played
async def test_it_is_called_back_once_that_was_asked(go: Callable[[Screen], Any]) -> None:
    control = FakeControl(states=away())
    async with opened(control) as screen:
        await go(screen)
        assert "Call back" in screen.main.keys.plain
        await screen.press("x")
        asked = await question(screen)
        assert control.requests == [MigrationTuneRequest(UUID, Tune.CALL_BACK)]
        assert not any(call[0] == "run" for call in control.calls)
        await screen.press("y")
        await screen.until(lambda: control.calls[-1] == ("run", asked.plan))


@played
async def test_a_button_calls_it_back() -> None:
    control = FakeControl(states=away())
    async with opened(control) as screen:
        await screen.click_text(screen.main.jobs, 0, "[Call back]")
        await question(screen)
        assert control.requests == [MigrationTuneRequest(UUID, Tune.CALL_BACK)]


FINISHING = replace(
    MEMORY,
    phase=MigrationPhase.FINISHING,
    memory=None,
    downtime=None,
    doing="its snapshots become known there",
)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_what_has_gone_over_is_shown_and_not_called_back(size: tuple[int, int]) -> None:
    gone = replace(away(FINISHING), domains=(make_domain("zoo"),))
    control = FakeControl(states=gone)
    async with opened(control, size=size) as screen:
        await screen.press("3")
        jobs = screen.painted(screen.main.jobs)
        for words in ("db01 → host-b", "finishing", "its snapshots become known there"):
            assert words in jobs
        assert "Call back" not in screen.main.keys.plain
        await screen.press("x")
        assert "has gone over to host-b" in screen.notes[-1]
        await screen.press("H")
        assert "has gone over to host-b" in screen.notes[-1]
        await screen.press("b")
        told = screen.app.screen.query_one("#remedies", Flow).plain.strip()
        assert told == FINISHING.over, "it is said once"
        assert control.calls == []


@played
async def test_an_ended_job_of_that_domain_is_not_the_migration() -> None:
    control = FakeControl(states=away(jobs=[make_job(DOMAIN, phase=Phase.DONE)]))
    async with opened(control) as screen:
        await screen.press("3", "G", "x")
        assert "has ended" in screen.notes[-1]
        assert control.calls == []


@played
async def test_a_remedy_is_a_key_away() -> None:
    control = FakeControl(states=away())
    async with opened(control) as screen:
        await screen.press("b", "s")
        await question(screen)
        assert control.requests == [MigrationTuneRequest(UUID, Tune.SUSPEND)]


@played
async def test_the_limit_is_typed_and_its_plan_shown() -> None:
    control = FakeControl(states=away())
    async with opened(control) as screen:
        await screen.press("b")
        assert isinstance(screen.app.screen, MigrationDialog)
        await screen.press("b", "4", "0", "enter")
        await question(screen)
        assert control.requests == [MigrationTuneRequest(UUID, Tune.BANDWIDTH, 40 * MIB)]


@played
async def test_details_are_the_same_dialog_and_end_with_the_migration() -> None:
    control = FakeControl(states=away())
    async with opened(control) as screen:
        await screen.press("enter")
        dialog = screen.app.screen
        assert isinstance(dialog, MigrationDialog)
        control.publish(replace(control.state, migrations={}))
        state = dialog.query_one("#state", Flow)
        await screen.until(lambda: "has ended" in state.plain)
        await screen.press("b", "s", "x")
        assert screen.app.screen is dialog
        assert control.requests == []


@pytest.mark.parametrize("key", ["m", "M", "H", "c", "u", "p", "K", "P", "R", "X", "d"])
@played
async def test_nothing_else_is_done_to_it(key: str) -> None:
    control = FakeControl(states=away())
    async with opened(control) as screen:
        await screen.press(key)
        assert screen.app.screen is screen.main
        assert "on its way to host-b" in screen.notes[-1]
        assert control.calls == []


@played
async def test_an_interrupted_one_is_taken_back_from_any_disk() -> None:
    step = Migrate(UUID, "db01", "test:///b", "host-b", "u", "db01")
    entry = Entry("p9", UUID, "Migrate db01 to host-b", (step,), 0, "root@host-a:7", NOW, 0.0)
    control = FakeControl(states=replace(make_state(DOMAIN), entries=(entry,)))
    async with opened(control) as screen:
        await screen.go_to("db01", "vdb")
        assert "interrupted" in screen.painted(screen.main.domains.table)
        await screen.press("X")
        await screen.until(lambda: control.requests == [RecoverRequest(UUID, undo=True, plan="p9")])


@played
async def test_the_other_domain_is_as_ever() -> None:
    async with opened(FakeControl(states=away())) as screen:
        await screen.go_to("zoo")
        assert "Call back" not in screen.main.keys.plain
        assert "Migrate" in screen.main.keys.plain


@pytest.mark.parametrize(
    ("migration", "words"),
    [
        (MEMORY, "it is called back"),
        (replace(MEMORY, p2p=True), "goes on to host-b without this program"),
        (replace(MEMORY, phase=MigrationPhase.PREPARING, p2p=True), "Only if the hosts have begun"),
        (replace(MEMORY, phase=MigrationPhase.POSTCOPY), "can lose the guest"),
        (replace(MEMORY, phase=MigrationPhase.FINISHING), "R there brings the rest to its end"),
        (replace(MEMORY, phase=MigrationPhase.UNDOING), "stays here"),
    ],
)
@played
async def test_quitting_says_what_becomes_of_it(migration: Migration, words: str) -> None:
    control = FakeControl(states=away(migration))
    async with opened(control) as screen:
        await screen.press("q")
        asked = screen.app.screen
        assert isinstance(asked, Question)
        assert words in asked._text  # noqa: SLF001
        assert "QEMU" not in asked._text  # noqa: SLF001
        await screen.press("y")
        assert screen.app._exit  # noqa: SLF001
        assert control.calls == []


# The end


PROOF = (
    fine(
        "migrated",
        "db01 went to host-b in 3.2 s. The guest stood still for 41 ms.",
        short="in 3.2 s. The guest stood still for 41 ms.",
    ),
    fine("arrived", "db01 is at host-b, and running."),
    warning("source-defined", "host-a still has a definition of db01.", "virsh undefine it there."),
)


def ending(outcome: Outcome) -> FakeControl:
    """A host whose migrations end so."""
    control = FakeControl(states=away())
    step = Migrate(UUID, "db01", "test:///b", "host-b", "u", "db01")
    control.planner = lambda _request: Plan("p9", "Migrate db01 to host-b", UUID, "db01", (), (step,))
    control.outcome = outcome
    control.on_run = lambda _run: control.publish(replace(control.state, migrations={}))
    return control


async def migrated(screen: Screen, control: FakeControl) -> None:
    """Run it, with the cursor on its row."""
    await screen.press("3")
    plan = control.plan(MigrateRequest(UUID, "test:///b"))
    screen.main.deeds.propose(Aim(control, UUID), MigrateRequest(UUID, "test:///b"), "Migrate")
    await question(screen)
    await screen.press("y")
    await screen.until(lambda: screen.main.picture.arrived)
    row = screen.main.jobs.current
    assert isinstance(row, MigrationRow)
    assert row.key == (0, plan.id)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_what_arrived_is_proved_until_it_is_dismissed(size: tuple[int, int]) -> None:
    control = ending(Outcome(End.DONE, "Migrate db01 to host-b: done.", PROOF))
    async with opened(control, size=size) as screen:
        await migrated(screen, control)
        painted = screen.painted(screen.main.jobs)
        for words in ("db01 → host-b", "done", "The guest stood still for 41 ms.", "[Dismiss]"):
            assert words in painted
        assert "✓ runs there" in painted
        assert "Jobs · 1 ended" in str(screen.main.jobs.border_title)
        assert "0 jobs" in screen.main.header.plain
        await screen.press("enter")
        dialog = screen.app.screen
        assert isinstance(dialog, ArrivalDialog)
        assert "still has a definition" in dialog.query_one("#proof").plain  # type: ignore[attr-defined]
        await screen.press("q", "x", "b", "H")
        assert screen.app.screen is screen.main
        assert "has ended: d dismisses it" in screen.notes[-1]
        await screen.press("d")
        assert not screen.main.jobs.items


@played
async def test_a_proof_that_is_longer_than_a_line_goes_on_in_the_next() -> None:
    more = (fine("disk-there", "vda is there."), fine("snapshots-there", "3 are known there."))
    control = ending(Outcome(End.DONE, "Done.", (*PROOF, *more, warning("source-active", "It is here too!"))))
    async with opened(control, size=(80, 24)) as screen:
        await migrated(screen, control)
        lines = screen.painted(screen.main.jobs).splitlines()
        assert lines[1].rstrip().endswith("41 ms. · ✓ runs there")
        assert "[Dismiss]  ✓ on its images · ✓ snapshots · ! gone here" in lines[2]


@played
async def test_why_one_did_not_arrive_is_broken_where_the_line_ends() -> None:
    reason = "QEMU could not open the image there: the address of that host could not be found by its name."
    control = ending(Outcome(End.FAILED, reason))
    async with opened(control, size=(80, 24)) as screen:
        await migrated(screen, control)
        painted = screen.painted(screen.main.jobs).replace("[Dismiss]", "")
        assert reason in " ".join(painted.split())


@played
async def test_all_of_a_proof_can_be_scrolled_to() -> None:
    disks = tuple(fine("disk-there", f"vd{number} is there.") for number in range(30))
    control = ending(Outcome(End.DONE, "Done.", disks))
    async with opened(control, size=(80, 24)) as screen:
        await migrated(screen, control)
        await screen.press("enter", "end")
        body = screen.app.screen.query_one(".body")
        assert body.scroll_offset.y == body.max_scroll_y > 0
        await screen.press("enter")
        assert screen.app.screen is screen.main


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome(End.FAILED, "No space is left there."), "failed"),
        (Outcome(End.FAILED, "It was called back.", cancelled=True), "cancelled"),
    ],
)
@played
async def test_one_that_did_not_arrive_says_why(outcome: Outcome, word: str) -> None:
    control = ending(outcome)
    async with opened(control) as screen:
        await migrated(screen, control)
        painted = screen.painted(screen.main.jobs)
        assert word in painted
        assert outcome.message in painted
        assert "Dismiss" in screen.main.keys.plain
        await screen.click_text(screen.main.jobs, 0, "[Dismiss]")
        assert not screen.main.jobs.items


# The dialog


def in_change(*keys: str, migration: Migration = MEMORY) -> Any:
    async def act(pilot: Any, dialog: MigrationDialog) -> None:
        assert dialog.query_one("#leave", Button).has_focus
        await pilot.press(*keys)

    return in_dialog(lambda: MigrationDialog(lambda: migration), act, (80, 24))


def test_each_change_has_a_key() -> None:
    may = replace(MEMORY, postcopy=True)
    assert in_change("b", "enter") == Change(Tune.BANDWIDTH, 0)
    assert in_change("b", "8", "enter") == Change(Tune.BANDWIDTH, 8 * MIB)
    assert in_change("b", "up", "d", "7", "0", "0", "enter") == Change(Tune.DOWNTIME, 700)
    assert in_change("p", migration=may) == Change(Tune.POSTCOPY)
    assert in_change("s") == Change(Tune.SUSPEND)
    assert in_change("x") == Change(Tune.CALL_BACK)


def test_each_remedy_is_shown_with_its_key_and_why_it_cannot_be_had() -> None:
    async def act(pilot: Any, dialog: MigrationDialog) -> None:
        offered = dialog.query_one("#remedies").plain.splitlines()  # type: ignore[attr-defined]
        assert [line[:1] for line in offered] == ["", *"bdapsx"]
        (auto,) = [line for line in offered if line.startswith("a")]
        assert "only from the start" in auto
        (late,) = [line for line in offered if line.startswith("p")]
        assert "begun without post-copy" in late
        await pilot.press("p")
        assert "Call it back, and begin it with post-copy." in said(dialog)
        await pilot.press("a")
        assert "only from the start" in said(dialog)
        await pilot.press("escape")

    assert in_dialog(lambda: MigrationDialog(lambda: MEMORY), act, (80, 24)) is None


def said(dialog: MigrationDialog) -> str:
    return dialog.news._said[-1].text  # noqa: SLF001


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_a_click_on_a_remedy_is_its_key(size: tuple[int, int]) -> None:
    async def act(pilot: Any, dialog: MigrationDialog) -> None:
        remedies = dialog.query_one("#remedies", Flow)
        lines = [line.plain for line in remedies.laid_out(remedies.content_size.width)]
        row = next(number for number, line in enumerate(lines) if line.startswith("s"))
        await pilot.click("#remedies", offset=(5, row))

    assert in_dialog(lambda: MigrationDialog(lambda: MEMORY), act, size) == Change(Tune.SUSPEND)


def test_auto_converge_that_is_on_is_said() -> None:
    async def act(_pilot: Any, dialog: MigrationDialog) -> None:
        offered = dialog.query_one("#remedies").plain  # type: ignore[attr-defined]
        assert "on already" in offered

    slowed = replace(MEMORY, auto_converge=True)
    in_dialog(lambda: MigrationDialog(lambda: slowed), act)


def test_a_pause_is_one_key_away_where_the_guest_writes_too_fast() -> None:
    async def act(pilot: Any, dialog: MigrationDialog) -> None:
        state = dialog.query_one("#state").plain  # type: ignore[attr-defined]
        for words in (
            "the guest writes faster than vda is copied",
            "Disks keep the limit",
            "call it back (x)",
            "guest writes  80 MiB/s",
            "limit         25 MiB/s for each disk",
            "in sync in    -",
            "vdb = in sync, 4 MiB behind",
        ):
            assert words in state
        assert state.isascii()
        await pilot.press("s")

    assert in_dialog(lambda: MigrationDialog(lambda: OUTRUN, glyphs=ASCII), act) == Change(Tune.SUSPEND)


@pytest.mark.parametrize("postcopy", [False, True])
def test_memory_that_never_arrives_is_said_with_what_helps(*, postcopy: bool) -> None:
    async def act(_pilot: Any, dialog: MigrationDialog) -> None:
        state = dialog.query_one("#state").plain  # type: ignore[attr-defined]
        helps = "more bandwidth (b), more downtime (d), post-copy (p) or pause (s)"
        assert "the guest changes its memory faster than it is sent. What helps: " in state
        assert (helps if postcopy else helps.replace(", post-copy (p)", "")) in state
        for words in ("this program leads it", "75 %", "200 MiB/s", "300 ms expected"):
            assert words in state
        assert state.isascii()

    stuck = replace(STUCK, postcopy=postcopy)
    in_dialog(lambda: MigrationDialog(lambda: stuck, glyphs=ASCII), act)


@pytest.mark.parametrize(
    "keys", [("p",), ("a",), ("d", "enter"), ("b", "x", "enter"), ("enter", "up")], ids=" ".join
)
def test_what_cannot_be_had(keys: tuple[str, ...]) -> None:
    answer = in_change(*keys)
    assert answer is (None if keys[0] == "enter" else UNANSWERED)


@pytest.mark.parametrize(
    ("migration", "open_still"), [(FINISHING, ""), (replace(MEMORY, paused=True), "bdx")]
)
def test_only_what_is_possible_can_be_chosen(migration: Migration, open_still: str) -> None:
    for key in "bdapsx":
        now = in_change(key, migration=migration)
        closed = key not in open_still or key in "bd"
        assert (now is UNANSWERED) is closed, key


def test_a_read_only_session_only_looks() -> None:
    async def act(pilot: Any, dialog: MigrationDialog) -> None:
        assert dialog.query_one("#leave", Button).has_focus
        await pilot.press("s", "x", "b")
        assert "read-only" in said(dialog)
        await pilot.press("escape")

    assert in_dialog(lambda: MigrationDialog(lambda: MEMORY, read_only=True), act) is None
