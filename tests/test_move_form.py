"""The move form, and the keys by which an interrupted move is gone on with or taken back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList

from tests.app_pilot import opened, played
from tests.dialogs import Host
from tests.fake_host import NOW, FakeControl, make_disk, make_domain, make_job, make_state
from tests.mirror_form import UNANSWERED
from tests.settled import running, until
from tui.app.dialogs.ask import Question
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.move import MoveForm
from tui.model.chain_steps import CopyImages, ImageCopy, MakeImage
from tui.model.host import HostState
from tui.model.journal import Entry
from tui.model.request import How, MoveRequest, RecoverRequest, Then
from tui.model.steps import AwaitSync

DOMAIN = make_domain(
    "db01",
    disks=[
        make_disk("vda", "/slow/top", "/slow/base"),
        make_disk("vdb", "/slow/data"),
        make_disk("vdc", "/iso/x", readonly=True),
    ],
)
UUID = DOMAIN.uuid


def in_form(
    act: Any = None,
    targets: tuple[str, ...] = (),
    size: tuple[int, int] = (120, 36),
    pools: tuple[str, ...] = ("/slow", "/fast", "/other"),
) -> Any:
    """Open the form, wait for its plan, do something; what it answered, and the last that was asked for."""
    control = FakeControl(states=make_state(DOMAIN))
    control.pools = pools
    answers: list[Any] = []

    async def run() -> None:
        app = Host()
        async with running(app, size=size) as pilot:
            form = MoveForm(control, DOMAIN, targets)
            form.DEBOUNCE = 0
            await app.push_screen(form, answers.append)
            await until(pilot, lambda: control.requests and not form.checking)
            if act:
                await act(pilot, form)
                await until(pilot, lambda: not form.is_attached or not form.checking)

    asyncio.run(run())
    return (answers[0] if answers else UNANSWERED), control.requests[-1]


def usual(*targets: str, **wish: Any) -> MoveRequest:
    return MoveRequest(UUID, "/fast", targets, **{"how": How.KEEP_CHAIN, "merge_overlay": True, **wish})


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_it_begins_with_what_can_be_written_and_another_place(size: tuple[int, int]) -> None:
    assert in_form(size=size)[1] == usual("vda", "vdb")


def test_a_logical_pool_is_proposed_by_its_name_after_the_directories() -> None:
    async def act(_pilot: Pilot[None], form: MoveForm) -> None:
        listed = form.query_one("#proposals", OptionList)
        found = [str(listed.get_option_at_index(n).prompt) for n in range(listed.option_count)]
        assert found == ["/fast", "pool:vg"]
        form.query_one("#place", Input).value = "pool:vg"

    assert in_form(act, pools=("/slow", "/fast", "pool:vg"))[1] == replace(
        usual("vda", "vdb"), directory="pool:vg"
    )
    assert in_form(pools=("/slow", "pool:vg"))[1] == replace(usual("vda", "vdb"), directory="pool:vg")


def test_tagged_disks_are_ticked() -> None:
    assert in_form(targets=("vdb",))[1] == usual("vdb")


def test_every_choice_is_in_the_request() -> None:
    async def act(_pilot: Pilot[None], form: MoveForm) -> None:
        form.query_one("#disk-0", Check).value = False
        form.query_one("#place", Input).value = "pool:fast"
        form.query_one("#merge", Check).value = False
        form.query_one("#bandwidth", Input).value = "7"
        form.query_one("#synchronous", Check).value = True
        form.query_one("#then", Choice).value = Then.HOLD

    wish = replace(
        usual("vdb", merge_overlay=False, then=Then.HOLD, synchronous_writes=True, bandwidth=7 * 1024 * 1024),
        directory="pool:fast",
    )
    assert in_form(act)[1] == wish


def test_a_flattened_disk_has_no_overlay() -> None:
    async def act(pilot: Pilot[None], form: MoveForm) -> None:
        form.query_one("#how", Choice).value = How.FLATTEN
        await pilot.pause()
        assert not form.query_one("#merge-field").display

    assert in_form(act)[1] == usual("vda", "vdb", how=How.FLATTEN, merge_overlay=False)


@pytest.mark.parametrize("place", ["", "here"])
def test_a_place_that_is_none(place: str) -> None:
    async def act(pilot: Pilot[None], form: MoveForm) -> None:
        form.query_one("#place", Input).value = place
        await pilot.pause()
        assert form.query_one("#place-field", Field).remark
        assert form.query_one("#start", Button).disabled

    in_form(act)


def test_no_disk_at_all() -> None:
    async def act(pilot: Pilot[None], form: MoveForm) -> None:
        for number in (0, 1):
            form.query_one(f"#disk-{number}", Check).value = False
        await pilot.pause()
        assert "Tick" in form.query_one("#place-field", Field).remark

    in_form(act)


@played
async def test_the_key_opens_the_form_for_the_tagged_disks() -> None:
    control = FakeControl(states=make_state(DOMAIN))
    control.pools = ("/fast",)
    async with opened(control) as screen:
        await screen.go_to("db01", "vdb")
        await screen.press("space", "M")
        await screen.until(lambda: isinstance(screen.app.screen, MoveForm))
        await screen.until(lambda: control.requests)
        assert control.requests[-1] == usual("vdb")


# An interrupted move


def interrupted(heartbeat: float = 0.0) -> HostState:
    steps = (
        MakeImage(UUID, "db01", "vda", "/fast/base", "raw", 1),
        CopyImages(UUID, "db01", ("vda",), (ImageCopy("/slow/base", "/fast/base", "raw"),)),
        AwaitSync(UUID, "db01", "vda"),
    )
    entry = Entry("p9", UUID, "Move vda of db01 to /fast", steps, 1, "root@host-b:7", NOW, heartbeat)
    job = replace(make_job(DOMAIN), plan="p9")
    return replace(make_state(DOMAIN, jobs=[job]), entries=(entry,))


@played
async def test_an_interrupted_move_is_shown_where_its_disk_is() -> None:
    async with opened(FakeControl(states=interrupted())) as screen:
        assert "interrupted" in screen.painted(screen.main.domains.table)
        assert "R goes on" in screen.main.chain.details.render().plain  # type: ignore[union-attr]
        assert "interrupted at step 2 of 3" in screen.painted(screen.main.jobs)


@played
async def test_a_move_that_is_carried_on_is_not() -> None:
    async with opened(FakeControl(states=interrupted(heartbeat=NOW))) as screen:
        assert "interrupted" not in screen.painted(screen.main.domains.table)
        assert "step 2 of 3, copy base" in screen.painted(screen.main.jobs)


@pytest.mark.parametrize(("key", "undo"), [("R", False), ("X", True), ("x", True)])
@played
async def test_it_is_gone_on_with_or_taken_back(key: str, undo: bool) -> None:  # noqa: FBT001
    control = FakeControl(states=interrupted())
    async with opened(control) as screen:
        await screen.press(key)
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan | Question))
        assert control.requests == [RecoverRequest(UUID, undo, "p9")]
        await screen.press("y")
        await screen.until(lambda: any(call[0] == "run" for call in control.calls))


@played
async def test_without_a_plan_the_keys_say_so() -> None:
    control = FakeControl(states=make_state())
    async with opened(control) as screen:
        await screen.press("R")
        assert "No plan" in screen.notes[-1]
        assert control.calls == []
