"""The form of a snapshot: the methods that each disk can have, what the fields make of it, and what came of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Button, Input, OptionList

from tests.app_pilot import opened, played
from tests.copy_facts import facts
from tests.dialogs import HOSTILE
from tests.fake_host import FakeControl, make_chain, make_disk, make_domain
from tests.snapshot_view import DOMAIN, UUID, form_of, host, view_of
from tui.app.dialogs.dialog import Buttons
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.held import HeldDialog
from tui.app.dialogs.plan_view import PlanView
from tui.app.dialogs.snapshot import SnapshotForm
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.engine.control import End, Outcome
from tui.model.finding import fine
from tui.model.live_case import DiskFacts, LiveFacts, LogicalVolume
from tui.model.live_plan import plan_live_snapshot
from tui.model.live_steps import TakeTogether
from tui.model.methods import Method, Quiesce, Wish
from tui.model.plan import Plan
from tui.model.request import LiveSnapshotRequest, Request


def last(control: FakeControl) -> LiveSnapshotRequest:
    request = control.requests[-1]
    assert isinstance(request, LiveSnapshotRequest)
    return request


def method(form: SnapshotForm, number: int) -> Choice:
    return form.query_one(f"#method-{number}", Choice)


def words(form: SnapshotForm, number: int) -> str:
    return method(form, number).render().plain


def remark(form: SnapshotForm, name: str) -> str:
    return form.query_one(f"#{name}-field", Field).remark


@played
async def test_what_fits_is_offered_and_what_does_not_says_why() -> None:
    control = host()
    async with opened(control) as screen:
        await view_of(screen)
        form = await form_of(screen)
        assert words(form, 0) == "● qemu  ○ internal  ○ manual  ○ skip"
        assert "Proposed: QEMU takes it at once" in remark(form, "method-0")
        assert "lvm: vda is no volume of a logical pool" in remark(form, "method-0")
        assert "btrfs: the file system of vda cannot let files share blocks" in remark(form, "method-0")
        # A drive that nothing is ever new on is not asked for.
        assert len(form.query(Choice)) == 2 + 2
        name = form.query_one("#name", Input).value
        assert name
        assert "/" not in name
        assert control.requests == [LiveSnapshotRequest(UUID, name)]
        assert "nobody" not in form.query_one(PlanView).plain
        assert "Hold the state of vda and vdb" in form.query_one(PlanView).plain


@played
async def test_a_logical_volume_and_a_raw_file_that_shares_blocks_are_proposed_as_such() -> None:
    raw = replace(make_disk("vdb", "/slow/vdb.raw"), chain=make_chain("/slow/vdb.raw", format="raw"))
    domain = make_domain(disks=[make_disk("vda", "/slow/vda.qcow2"), raw])
    control = host(domain=domain)

    def planner(request: Request) -> Plan:
        assert isinstance(request, LiveSnapshotRequest)
        copies = {d.target: replace(facts(d), domain=domain) for d in domain.disks}
        disks = {
            "vda": DiskFacts(copies["vda"], logical=LogicalVolume("vg", "vda", 1 << 40)),
            "vdb": DiskFacts(copies["vdb"], shares_blocks=True),
        }
        known = LiveFacts(domain, disks=disks, overlays=copies, reached=True)
        return replace(plan_live_snapshot(request, known, "p9", 0.0), request=request)

    control.planner = planner
    async with opened(control) as screen:
        await view_of(screen)
        form = await form_of(screen)
        assert "● lvm" in words(form, 0)
        assert "● btrfs" in words(form, 1)
        assert "its pool keeps the state" in remark(form, "method-0")
        # Nothing is asked anew because of what was offered.
        assert [
            request.disks for request in control.requests if isinstance(request, LiveSnapshotRequest)
        ] == [()]


@played
async def test_every_choice_is_in_the_request() -> None:
    control = host()
    async with opened(control) as screen:
        await view_of(screen)
        form = await form_of(screen)
        assert not form.query_one("#command-field").display
        form.query_one("#name", Input).value = "before [it]"
        form.query_one("#description", Input).value = "why"
        method(form, 0).value = Method.MANUAL
        method(form, 1).value = Method.NO
        form.query_one("#quiesce", Choice).value = Quiesce.NO
        form.query_one("#pause", Check).value = True
        form.query_one("#limit", Input).value = "7.5"
        await screen.pilot.pause()
        assert form.query_one("#command-field").display
        assert "By your own command" in remark(form, "method-0")
        await screen.until(lambda: not form.checking)
        assert form.query_one("#start", Button).disabled
        form.query_one("#command", Input).value = "sync"
        await screen.until(lambda: form.plan is not None)
        assert last(control) == LiveSnapshotRequest(
            UUID,
            "before [it]",
            description="why",
            disks=(Wish("vda", Method.MANUAL), Wish("vdb", Method.NO)),
            quiesce=Quiesce.NO,
            pause=True,
            limit=7.5,
            command="sync",
        )


@pytest.mark.parametrize(
    ("field", "text"), [("name", " "), ("limit", "soon"), ("limit", "0"), ("limit", "1e9")]
)
@played
async def test_what_is_wrong_is_said_under_its_field(field: str, text: str) -> None:
    control = host()
    async with opened(control) as screen:
        await view_of(screen)
        form = await form_of(screen)
        form.query_one(f"#{field}", Input).value = text
        await screen.pilot.pause()
        assert remark(form, field)
        assert form.query_one("#start", Button).disabled
        await screen.press("tab", "enter")
        assert form.query_one(f"#{field}", Input).has_focus
        assert len(control.requests) == 1


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_what_was_taken_is_shown_and_can_be_copied(size: tuple[int, int]) -> None:
    control = host()
    control.outcome = Outcome(End.DONE, "Done.", findings=(fine("stood-still", "It stood still for 12 ms."),))
    async with opened(control, size=size) as screen:
        view = await view_of(screen)
        form = await form_of(screen)
        form.query_one("#name", Input).value = "s1"
        await screen.until(lambda: form.plan is not None and last(control).name == "s1")
        await screen.press("enter", "enter")
        await screen.until(lambda: isinstance(screen.app.screen, HeldDialog))
        dialog = screen.app.screen
        assert isinstance(dialog, HeldDialog)
        (plan,) = [call[1] for call in control.calls if call[0] == "run"]
        assert isinstance(plan.steps[0], TakeTogether)
        assert control.calls[-1] == ("snapshots", UUID)
        held = dialog.query_one("#held", OptionList)
        await screen.until(lambda: held.option_count == 4)
        assert "It stood still for 12 ms." in dialog.query_one("#proof").plain  # type: ignore[attr-defined]
        assert held.region.bottom <= dialog.query_one(Buttons).region.y
        await screen.press("c")
        assert screen.app.clipboard == plan.held[0].disk.strip()
        assert "/i/3.s1" in screen.app.clipboard
        await screen.press("j", "c")
        assert screen.app.clipboard == (plan.held[0].backup or "").strip()
        await screen.press("a")
        assert screen.app.clipboard.count("<disk") == 4
        await screen.press("escape")
        assert screen.app.screen is view
        await screen.press("b")
        assert isinstance(screen.app.screen, HeldDialog)


@played
async def test_a_state_that_only_the_user_knows_of_says_so() -> None:
    control = host()
    async with opened(control) as screen:
        await view_of(screen)
        form = await form_of(screen)
        for number in (0, 1):
            method(form, number).value = Method.MANUAL
        form.query_one("#command", Input).value = "sync"
        form.query_one("#pause", Check).value = True
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: isinstance(screen.app.screen, HeldDialog))
        await screen.press("j", "c")
        assert "only you know where" in screen.notes[-1]


@played
async def test_what_fails_shows_no_result() -> None:
    control = host()
    control.outcome = Outcome(End.FAILED, "No room.")
    async with opened(control) as screen:
        view = await view_of(screen)
        form = await form_of(screen)
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: any("No room." in note for note in screen.notes))
        assert screen.app.screen is view
        await screen.press("b")
        assert "No snapshot has been taken here" in screen.notes[-1]


@played
async def test_a_result_waits_for_the_end_of_a_question() -> None:
    control = host()
    control.outcome = None
    async with opened(control) as screen:
        view = await view_of(screen)
        form = await form_of(screen)
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: control.runs)
        await screen.press("question_mark")
        control.runs[-1].finish(Outcome(End.DONE, "Done."))
        await screen.until(lambda: control.calls[-1] == ("snapshots", UUID))
        assert not isinstance(screen.app.screen, HeldDialog)
        await screen.press("escape")
        await screen.until(lambda: isinstance(screen.app.screen, HeldDialog))
        await screen.press("escape", "escape")
        assert screen.app.screen is screen.main
        assert not view.is_attached


@played
async def test_a_view_that_was_closed_is_not_missed() -> None:
    control = host()
    control.outcome = None
    async with opened(control) as screen:
        await view_of(screen)
        form = await form_of(screen)
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: control.runs)
        await screen.press("escape")
        assert screen.app.screen is screen.main
        control.runs[-1].finish(Outcome(End.DONE, "It is taken."))
        await screen.until(lambda: "It is taken." in screen.log)
        assert screen.app.screen is screen.main


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("ascii_only", [False, True])
@played
async def test_hostile_text(text: str, ascii_only: bool) -> None:  # noqa: FBT001
    domain = make_domain(text, disks=[make_disk(text, f"/{text}"), make_disk("vdb", "/b")])
    control = host((), domain=domain)
    async with opened(control, size=(80, 24), ascii_only=ascii_only) as screen:
        await view_of(screen)
        form = await form_of(screen)
        assert isinstance(form, SnapshotForm)
        form.query_one("#name", Input).value = "s1"
        await screen.until(lambda: not form.checking)
        await screen.press("f2", "f2", "escape")
        assert isinstance(screen.app.screen, SnapshotsDialog)


def test_the_plan_tells_what_each_disk_can_have() -> None:
    control = host()
    plan = control.plan(LiveSnapshotRequest(UUID, "s1"))
    assert [(offer.target, offer.proposed) for offer in plan.offers] == [
        ("vda", Method.QEMU),
        ("vdb", Method.QEMU),
    ]
    assert plan.offers[0].fit == (Method.QEMU, Method.INTERNAL, Method.MANUAL, Method.NO)
    assert dict(plan.offers[0].unfit)[Method.LVM] == "vda is no volume of a logical pool of this host"
    assert DOMAIN.disk("hdc") is not None
