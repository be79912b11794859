"""The merge form: what pointing at a layer means, what the fields make of it, and the chain that it shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from tests.app_pilot import opened, played
from tests.dialogs import Host
from tests.fake_host import FakeControl, make_disk, make_domain, make_state
from tests.mirror_form import UNANSWERED
from tests.settled import running, until
from tui.app.dialogs.fields import Check, Choice
from tui.app.dialogs.merge import MergeForm
from tui.app.dialogs.merge_fields import COMMIT, PULL
from tui.app.dialogs.plan_view import PlanView
from tui.model.begin_steps import StartCommit
from tui.model.plan import Plan
from tui.model.request import CommitRequest, MergeRequest, PullRequest, Then

PATHS = ("/slow/top", "/slow/mid", "/slow/low", "/slow/base")
DOMAIN = make_domain("db01", disks=[make_disk("vda", *PATHS)])
UUID = DOMAIN.uuid


def in_form(
    what: str, place: int, act: Any = None, size: tuple[int, int] = (120, 36)
) -> tuple[Any, MergeRequest]:
    """Open the form, wait for its plan, do something; what it answered, and the last that was asked for."""
    control = FakeControl(states=make_state(DOMAIN))
    answers: list[Any] = []

    async def run() -> None:
        app = Host()
        async with running(app, size=size) as pilot:
            (disk,) = DOMAIN.disks
            form = MergeForm(control, DOMAIN, disk, what, place)
            form.DEBOUNCE = 0
            await app.push_screen(form, answers.append)
            await until(pilot, lambda: not form.checking)
            if act:
                await act(pilot, form)
                await until(pilot, lambda: not form.is_attached or not form.checking)

    asyncio.run(run())
    asked = control.requests[-1]
    assert isinstance(asked, MergeRequest)
    return (answers[0] if answers else UNANSWERED), asked


@pytest.mark.parametrize(
    ("what", "place", "request_"),
    [
        (COMMIT, 0, CommitRequest(UUID, "vda", base="vda[2]")),
        (COMMIT, 1, CommitRequest(UUID, "vda", top="vda[2]", base="vda[3]")),
        (COMMIT, 3, CommitRequest(UUID, "vda", top="vda[3]", base="vda[4]")),
        (PULL, 0, PullRequest(UUID, "vda")),
        (PULL, 1, PullRequest(UUID, "vda")),
        (PULL, 3, PullRequest(UUID, "vda", base="vda[4]")),
    ],
)
def test_what_pointing_at_a_layer_means(what: str, place: int, request_: MergeRequest) -> None:
    assert in_form(what, place)[1] == request_


def test_of_two_layers_nothing_can_be_left_below() -> None:
    control = FakeControl(states=make_state(two := make_domain("db01", disks=[make_disk("vda", *PATHS[:2])])))

    async def run() -> None:
        app = Host()
        async with running(app, size=(120, 36)) as pilot:
            form = MergeForm(control, two, two.disks[0], PULL, 0)
            form.DEBOUNCE = 0
            await app.push_screen(form)
            await until(pilot, lambda: not form.checking)
            onto = form.query_one("#onto", Choice)
            onto.focus()
            await pilot.press("down", "up", "down")
            await until(pilot, lambda: not form.checking)
            assert (onto.value, onto.size.height) == ("", 1)

    asyncio.run(run())
    assert control.requests[-1] == PullRequest(two.uuid, "vda")


def test_every_choice_is_in_the_request() -> None:
    async def act(_pilot: Pilot[None], form: MergeForm) -> None:
        form.query_one("#base", Choice).value = "3"
        form.query_one("#then", Choice).value = Then.PIVOT
        form.query_one("#delete", Check).value = True
        form.query_one("#bandwidth", Input).value = "5"

    wish = CommitRequest(UUID, "vda", base="vda[4]", then=Then.PIVOT, delete=True, bandwidth=5 * 1024 * 1024)
    assert in_form(COMMIT, 0, act)[1] == wish


def test_only_what_means_something_is_asked_for() -> None:
    async def act(pilot: Pilot[None], form: MergeForm) -> None:
        form.query_one("#relative", Check).value = True
        assert not form.query_one("#relative-field").display
        form.query_one("#what", Choice).value = PULL
        await pilot.pause()
        assert not form.query_one("#delete-field").display
        assert not form.query_one("#then-field").display

    assert in_form(COMMIT, 0, act)[1] == PullRequest(UUID, "vda")


def test_the_base_makes_way_for_the_top() -> None:
    async def act(pilot: Pilot[None], form: MergeForm) -> None:
        form.query_one("#top", Choice).value = "2"
        await pilot.pause()
        assert form.query_one("#base", Choice).value == "3"
        form.query_one("#base", Choice).value = "1"
        await pilot.pause()
        assert form.query_one("#top", Choice).value == "0"

    assert in_form(COMMIT, 0, act)[1] == CommitRequest(UUID, "vda", base="vda[2]")


def test_a_bad_limit_is_said_under_its_field() -> None:
    async def act(pilot: Pilot[None], form: MergeForm) -> None:
        form.query_one("#bandwidth", Input).value = "fast"
        await pilot.pause()
        assert form.query_one("#start", Button).disabled
        await pilot.press("enter")
        assert form.query_one("#bandwidth", Input).has_focus

    in_form(COMMIT, 0, act)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_the_chain_is_drawn_as_it_will_be(size: tuple[int, int]) -> None:
    async def act(_pilot: Pilot[None], form: MergeForm) -> None:
        lines = form.query_one(PlanView).plain.splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith("Chain of vda"))
        now, then = lines[start + 1 : start + 5], lines[start + 6 : start + 9]
        assert [line.strip(" └") for line in now] == ["base", "low", "mid  merged", "top  ◀ active"]
        assert [line.strip(" └") for line in then] == ["base", "low", "top  ◀ active"]

    in_form(COMMIT, 1, act, size)


def test_a_click_picks_a_layer() -> None:
    async def act(pilot: Pilot[None], form: MergeForm) -> None:
        await pilot.click("#base", offset=(3, 2))
        assert form.query_one("#base", Choice).value == "3"

    in_form(COMMIT, 0, act)


def test_enter_twice_starts_what_is_shown() -> None:
    async def act(pilot: Pilot[None], form: MergeForm) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: form.query_one("#start", Button).has_focus)
        await pilot.press("enter")

    plan, _asked = in_form(COMMIT, 1, act)
    assert isinstance(plan, Plan)
    assert isinstance(plan.steps[0], StartCommit)


@pytest.mark.parametrize(
    ("key", "request_"),
    [
        ("c", CommitRequest(UUID, "vda", top="vda[3]", base="vda[4]")),
        ("u", PullRequest(UUID, "vda", base="vda[3]")),
    ],
)
@played
async def test_the_key_is_for_the_layer_under_the_cursor(key: str, request_: MergeRequest) -> None:
    control = FakeControl(states=make_state(DOMAIN))
    async with opened(control) as screen:
        await screen.press("2", "up")
        assert screen.main.chain.current is not None
        assert screen.main.chain.current.path == "/slow/mid"
        await screen.press("up", key)
        await screen.until(lambda: isinstance(screen.app.screen, MergeForm) and screen.app.screen.plan)
        assert control.requests[-1] == request_
        await screen.press("enter", "enter")
        await screen.until(lambda: any(call[0] == "run" for call in control.calls))


@played
async def test_a_disk_of_one_layer_says_so() -> None:
    control = FakeControl(states=make_state())
    async with opened(control) as screen:
        await screen.press("c")
        assert "several layers" in screen.notes[-1]
        assert control.calls == []
