"""What the view of snapshots says of mirrors and of open plans, and what its keys do about them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.app_pilot import Screen, opened, played
from tests.dialogs import HOSTILE
from tests.fake_host import NOW, FakeControl, default_plan, make_domain, make_job, make_state
from tests.hierarchy_facts import known
from tests.snapshot_facts import BOTH, end_facts, entry, mirrored
from tests.snapshot_view import details, drawn, put_on, title, view_of
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.fields import Check, Choice
from tui.app.dialogs.snapshot_end import SnapshotEndForm
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.engine.control import End, Outcome
from tui.model.disk import MirrorReady
from tui.model.domain import Domain
from tui.model.hierarchy import MirrorState, SnapshotMirror, SnapshotView, arranged
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.hierarchy_rows import tree_rows
from tui.model.hierarchy_steps import DeleteSnapshots
from tui.model.job import JobType, Phase
from tui.model.journal import Entry
from tui.model.plan import Plan
from tui.model.request import Ending, RecoverRequest, Request, SnapshotEndRequest
from tui.model.snapshot_end_plan import plan_snapshot_end
from tui.model.snapshot_mirrors import mirrors_of

DOMAIN = mirrored()
SNAPSHOTS = (
    known("s0", overlay="/slow/vda.qcow2", base="/slow/base", created=1),
    known("s1", "s0", overlay="/slow/vda.s1", base="/slow/vda.qcow2", created=2, current=True),
)


def host(
    domain: Domain = DOMAIN, *entries: Entry, jobs: bool = False, read_only: bool = False
) -> FakeControl:
    """A host with two snapshots, the journal of its domain, and what the engine makes of it."""
    found = [make_job(domain, "vda", phase=Phase.IN_SYNC, plan=entry.id) for entry in entries]
    if jobs:
        found = [make_job(domain, "vda", type=JobType.COMMIT, plan=None)]
    control = FakeControl(
        states=replace(make_state(domain, jobs=found), entries=entries), read_only=read_only
    )
    control.view = SnapshotView(domain, arranged(SNAPSHOTS), mirrors=mirrors_of(domain, entries))

    def planner(request: Request) -> Plan:
        if isinstance(request, SnapshotEndRequest):
            return replace(plan_snapshot_end(request, end_facts(domain, *entries), "p8"), request=request)
        return replace(default_plan(request, control.state), request=request)

    control.planner = planner
    return control


def plans(view: SnapshotsDialog) -> str:
    return view.plans.plain


# What is known of mirrors


@pytest.mark.parametrize(
    ("domain", "reached", "states"),
    [
        (mirrored(), None, [MirrorState.IN_SYNC]),
        (mirrored(ready=MirrorReady.NO), None, [MirrorState.COPYING]),
        (mirrored(ready=MirrorReady.PIVOT), None, [MirrorState.ENDING]),
        (make_domain(), None, [MirrorState.GONE]),
        (make_domain(disks=[replace(DOMAIN.disks[0], chain=DOMAIN.disks[0].mirror.chain, mirror=None)]), None,  # type: ignore[union-attr]
         [MirrorState.IN_USE]),
        # It runs, though the journal is a step behind; or it is not begun at all.
        (mirrored(ready=MirrorReady.NO), 1, [MirrorState.COPYING]),
        (make_domain(), 1, []),
    ],
)  # fmt: skip
def test_the_mirrors_of_a_snapshot(domain: Domain, reached: int | None, states: list[MirrorState]) -> None:
    found = mirrors_of(domain, [entry(reached=reached)]).get("s1", ())
    assert [(one.target, one.path, one.state) for one in found] == [
        ("vda", "/fast/vda.q", state) for state in states
    ]


def test_a_snapshot_with_two_of_them_tells_of_the_worse() -> None:
    half = mirrored(both=True)
    half = replace(
        half, definition=replace(half.definition, disks=(half.disks[0], replace(half.disks[1], mirror=None)))
    )
    mirrors = mirrors_of(half, [entry(specs=BOTH)])
    assert [one.state for one in mirrors["s1"]] == [MirrorState.IN_SYNC, MirrorState.GONE]
    rows = tree_rows(SnapshotView(half, arranged(SNAPSHOTS), mirrors=mirrors), str)
    assert [row.mark for row in rows[:2]] == ["", "current, mirror gone"]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@pytest.mark.parametrize(
    ("ready", "sign", "word"), [(MirrorReady.YES, "✓", "in sync"), (MirrorReady.NO, "⇉", "copying")]
)
@played
async def test_the_view_shows_where_a_mirror_is_and_how_far(
    size: tuple[int, int], ready: MirrorReady, sign: str, word: str
) -> None:
    async with opened(host(mirrored(ready=ready), entry()), size=size) as screen:
        view = await view_of(screen)
        first, second = drawn(view, screen)[1:3]
        assert f"{sign} mirror" in second
        assert "s1  current" in second
        assert "mirror" not in first
        assert f"mirror to  /fast/vda.q  {sign} {word}" in details(view)
        assert "d lets the guest go over" in details(view)
        assert plans(view) == ""
        put_on(view, "s0")
        await screen.pilot.pause()
        assert "mirror" not in details(view)


@played
async def test_a_mirror_that_gets_in_sync_is_seen_without_a_key() -> None:
    control = host(mirrored(ready=MirrorReady.NO), entry())
    async with opened(control) as screen:
        view = await view_of(screen)
        assert "⇉ mirror" in drawn(view, screen)[2]
        there = host(DOMAIN, entry())
        control.view = there.view
        control.publish(there.state)
        await screen.until(lambda: "✓ mirror" in drawn(view, screen)[2])
        read = [call for call in control.calls if call[0] == "snapshots"]
        assert len(read) == 2


# Their end


async def form_of(screen: Screen) -> SnapshotEndForm:
    await screen.press("d")
    form = screen.app.screen
    assert isinstance(form, SnapshotEndForm)
    await screen.until(lambda: not form.checking)
    return form


@pytest.mark.parametrize("ending", [Ending.PIVOT, Ending.CANCEL])
@played
async def test_deleting_a_snapshot_with_mirrors_asks_which_way_they_end(ending: Ending) -> None:
    control = host(DOMAIN, entry())
    async with opened(control) as screen:
        await view_of(screen)
        form = await form_of(screen)
        assert control.requests == [SnapshotEndRequest(DOMAIN.uuid, "s1", Ending.PIVOT)]
        # They were made for it, on what the overlay stands on.
        assert not form.query_one("#compare", Check).display
        if ending is Ending.CANCEL:
            await screen.press("right")
            await screen.until(lambda: form.plan is not None and form.plan.request == control.requests[-1])
        await screen.until(lambda: form.plan is not None)
        assert ("run",) not in [call[:1] for call in control.calls]
        await screen.press("enter", "enter")
        await screen.until(lambda: control.calls[-1][0] == "snapshots")
        (run,) = (call[1] for call in control.calls if call[0] == "run")
        assert run.request == SnapshotEndRequest(DOMAIN.uuid, "s1", ending)


@played
async def test_what_mirrors_that_somebody_brought_stand_on_need_not_be_compared() -> None:
    control = host(DOMAIN, entry(reuse_external=True))
    async with opened(control) as screen:
        await view_of(screen)
        form = await form_of(screen)
        assert form.query_one("#compare", Check).display
        form.query_one("#compare", Check).value = False
        await screen.until(lambda: len(control.requests) == 2)
        assert control.requests[-1] == SnapshotEndRequest(DOMAIN.uuid, "s1", Ending.PIVOT, compare=False)


@played
async def test_mirrors_that_are_gone_are_given_up() -> None:
    stopped = make_domain(disks=[replace(DOMAIN.disks[0], mirror=None), *DOMAIN.disks[1:]])
    async with opened(host(stopped, entry())) as screen:
        view = await view_of(screen)
        assert "✗ mirror" in drawn(view, screen)[2]
        form = await form_of(screen)
        assert form.query_one("#ending", Choice).value == Ending.CANCEL


@played
async def test_a_snapshot_without_mirrors_is_deleted_as_ever() -> None:
    control = host(DOMAIN, entry())
    async with opened(control) as screen:
        view = await view_of(screen)
        put_on(view, "s0")
        await screen.press("d")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        assert control.requests == [SnapshotDeleteRequest(DOMAIN.uuid, "s0")]


# Plans


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_an_interrupted_plan_names_the_keys_that_go_on_with_it(size: tuple[int, int]) -> None:
    control = host(DOMAIN, entry(reached=2))
    async with opened(control, size=size) as screen:
        view = await view_of(screen)
        assert "! interrupted at step 3 of 3: " in plans(view)
        assert "s1 of db01: R goes on, X takes it back" in plans(view).replace("\n", " ")
        # Mirrors end once the snapshot is complete.
        assert "d lets" not in details(view)
        assert view.keys.plain.lstrip().startswith("R Resume")


@pytest.mark.parametrize(("key", "undo"), [("R", False), ("X", True)])
@played
async def test_keys_go_on_with_an_interrupted_plan_or_take_it_back(key: str, undo: bool) -> None:  # noqa: FBT001
    control = host(DOMAIN, entry(reached=2))
    async with opened(control) as screen:
        view = await view_of(screen)
        put_on(view, "s0")
        await screen.press(key)
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        assert control.requests == [RecoverRequest(DOMAIN.uuid, undo, "p1")]
        assert "run" not in [call[0] for call in control.calls]


@played
async def test_what_took_a_snapshot_and_holds_its_mirrors_is_taken_back_as_well() -> None:
    control = host(DOMAIN, entry())
    async with opened(control) as screen:
        view = await view_of(screen)
        assert "R Resume" not in view.keys.plain
        await screen.press("X")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        assert control.requests == [RecoverRequest(DOMAIN.uuid, undo=True, plan="p1")]


@played
async def test_what_somebody_else_is_at_is_told_of() -> None:
    async with opened(host(DOMAIN, entry(reached=2, heartbeat=NOW))) as screen:
        view = await view_of(screen)
        assert "⇉ under way at step 3 of 3: " in plans(view)
        assert "root@host-b:7" in plans(view)
        assert "R Resume" not in view.keys.plain


@pytest.mark.parametrize("key", ["R", "X"])
@played
async def test_without_a_plan_there_is_nothing_to_go_on_with(key: str) -> None:
    control = host()
    async with opened(control) as screen:
        view = await view_of(screen)
        await screen.press(key)
        assert "No plan is open on db01." in screen.notes[-1]
        assert screen.app.screen is view
        assert control.requests == []


@played
async def test_a_read_only_session_sees_plans_and_no_keys() -> None:
    control = host(DOMAIN, entry(reached=2), read_only=True)
    async with opened(control) as screen:
        view = await view_of(screen)
        assert "interrupted" in plans(view)
        assert "R goes on" not in plans(view)
        await screen.press("X")
        assert "this session is read-only" in screen.notes[-1]
        assert control.requests == []


@played
async def test_what_is_in_no_journal_is_shown_until_it_has_ended() -> None:
    control = host()
    control.outcome = None
    async with opened(control) as screen:
        step = DeleteSnapshots(DOMAIN.uuid, "db01", ("s0",))
        plan = Plan("p9", "Delete the snapshot s0", DOMAIN.uuid, "db01", (), (step,), journalled=False)
        running = control.run(plan)
        view = await view_of(screen)
        assert "⇉ under way: Delete the snapshot s0" in plans(view)
        running.finish(Outcome(End.DONE, "Done."))
        await screen.until(lambda: plans(view) == "")
        await screen.until(lambda: [call[0] for call in control.calls].count("snapshots") == 2)


@played
async def test_a_job_of_no_plan_is_told_of() -> None:
    async with opened(host(make_domain(), jobs=True)) as screen:
        view = await view_of(screen)
        assert "⇉ commit of vda: copying, 25 %" in plans(view)


@played
async def test_a_mirrored_snapshot_that_libvirt_has_forgotten_still_has_a_plan() -> None:
    control = host(DOMAIN, entry())
    control.view = SnapshotView(DOMAIN, arranged(SNAPSHOTS[:1]), mirrors=mirrors_of(DOMAIN, [entry()]))
    async with opened(control) as screen:
        view = await view_of(screen)
        assert "waits for its end: " in plans(view)
        assert "X takes it back" in plans(view)
        assert "1 snapshot" in title(view)


@pytest.mark.parametrize("text", HOSTILE)
@played
async def test_hostile_text(text: str) -> None:
    one = replace(entry(reached=2), title=text, owner=text)
    control = host(DOMAIN, one)
    mirror = SnapshotMirror("vda", f"/{text}", MirrorState.COPYING)
    control.view = SnapshotView(DOMAIN, arranged(SNAPSHOTS), mirrors={"s1": (mirror,)})
    async with opened(control, size=(80, 24)) as screen:
        view = await view_of(screen)
        assert "\x1b" not in plans(view) + details(view)
        for heartbeat in (NOW, 0.0):
            control.publish(replace(control.state, entries=(replace(one, heartbeat=heartbeat),)))
            view.look()
            assert "\x1b" not in plans(view)
