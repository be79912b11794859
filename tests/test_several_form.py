"""The form for several moves: a plan for each, what they mean for one another, and what is queued in the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from tests.dialogs import HOSTILE, Host
from tests.fake_host import GIB, FakeControl, default_plan, make_disk, make_domain, make_state
from tests.mirror_form import UNANSWERED
from tests.settled import running, until
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.plan_view import PlanView
from tui.app.dialogs.several_fields import Mover
from tui.app.dialogs.several_moves import SeveralMoves
from tui.engine.errors import HostError
from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import MakeImage
from tui.model.finding import Acceptance, refused, warning
from tui.model.plan import Plan
from tui.model.request import How, MoveRequest, Request, Shared, Then
from tui.model.together import together

NAMES = ("db01", "files", "web01")
DOMAINS = [make_domain(name, disks=[make_disk("vda", f"/slow/{name}"), make_disk("vdb")]) for name in NAMES]
UUIDS = [domain.uuid for domain in DOMAINS]


def move_plan(control: FakeControl, request: Request, **changes: Any) -> Plan:
    """A plan of a copy, so that it has a destination, as large as it is told."""
    assert isinstance(request, MoveRequest)
    plan = default_plan(request, control.state, control.findings)
    path = f"{request.directory}/{plan.domain}"
    start = StartCopy(request.uuid, plan.domain, "vda", f"/slow/{plan.domain}", path, "<disk/>", creates=True)
    made = replace(plan, steps=(start,), needs=2 * GIB, free=5 * GIB, request=request)
    return replace(made, **changes)


def host(*refuse: str, uri: str = "test:///a", **options: Any) -> FakeControl:
    control = FakeControl(uri, make_state(*DOMAINS), **options)
    control.pools = ("/slow", "/fast")

    def plan(request: Request) -> Plan:
        made = move_plan(control, request)
        off = refused("off", f"{made.domain} is shut off.", "Start it.")
        return replace(made, findings=(off,)) if made.domain in refuse else made

    control.planner = plan
    return control


def movers(control: FakeControl) -> list[Mover]:
    return [Mover(control, domain, ("vda", "vdb")) for domain in DOMAINS]


def in_form(
    control: FakeControl,
    act: Callable[[Pilot[None], SeveralMoves], Any] | None = None,
    *,
    size: tuple[int, int] = (120, 36),
    these: list[Mover] | None = None,
) -> Any:
    """Open the form, wait for its plans, do something; what it answered."""
    answers: list[Any] = []

    async def run() -> None:
        app = Host()
        async with running(app, size=size) as pilot:
            form = SeveralMoves(these or movers(control))
            form.DEBOUNCE = 0
            await app.push_screen(form, answers.append)
            await until(pilot, lambda: ("places",) in control.calls and "/fast" in place(form))
            await until(pilot, lambda: not form.checking)
            if act:
                await act(pilot, form)

    asyncio.run(run())
    return answers[0] if answers else UNANSWERED


def place(form: SeveralMoves) -> str:
    return form.query_one("#place", Input).value


def shown(form: SeveralMoves) -> str:
    return form.query_one(PlanView).plain


def verdict(form: SeveralMoves) -> str:
    return form.query_one("#verdict", Flow).plain


def queued(answer: Any) -> list[str]:
    return [plan.domain for _control, plan in answer]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_enter_goes_to_the_button_and_enter_queues_all(size: tuple[int, int]) -> None:
    control = host()

    async def act(pilot: Pilot[None], form: SeveralMoves) -> None:
        assert "all 3 may be queued" in verdict(form)
        await pilot.press("enter")
        await pilot.pause()
        assert form.query_one("#start", Button).has_focus
        await pilot.press("enter")
        await pilot.pause()

    answer = in_form(control, act, size=size)
    assert queued(answer) == list(NAMES)
    assert all(one is control for one, _plan in answer)
    assert [plan.request.uuid for _one, plan in answer] == UUIDS
    assert {plan.request.directory for _one, plan in answer} == {"/fast"}
    assert {plan.request.targets for _one, plan in answer} == {("vda", "vdb")}
    assert all(call[0] != "run" for call in control.calls)


def test_escape_queues_nothing() -> None:
    async def act(pilot: Pilot[None], _form: SeveralMoves) -> None:
        await pilot.press("escape")
        await pilot.pause()

    assert in_form(host(), act) is None


def test_the_focus_is_not_on_the_button() -> None:
    async def act(_pilot: Pilot[None], form: SeveralMoves) -> None:
        assert form.query_one("#place", Input).has_focus

    in_form(host(), act)


def test_each_domain_is_listed_with_what_goes_where() -> None:
    async def act(_pilot: Pilot[None], form: SeveralMoves) -> None:
        text = shown(form)
        for name in NAMES:
            assert f"{name:7}vda vdb  2 GiB" in text
        assert "vda vdb  /slow → /fast" in text
        assert "together 6 GiB" in text

    in_form(host(), act)


def test_a_refused_one_says_why_and_is_not_queued() -> None:
    async def act(pilot: Pilot[None], form: SeveralMoves) -> None:
        assert "✗ files  vda vdb  refused: files is shut off." in shown(form)
        assert "Start it." in shown(form)
        assert "2 of 3 may be queued" in verdict(form)
        form.query_one("#start", Button).press()
        await pilot.pause()

    assert queued(in_form(host("files"), act)) == ["db01", "web01"]


def test_where_all_are_refused_nothing_can_be_queued() -> None:
    async def act(pilot: Pilot[None], form: SeveralMoves) -> None:
        assert form.query_one("#start", Button).disabled
        await pilot.press("enter")
        await until(pilot, lambda: form.query_one(PlanView).has_focus)

    assert in_form(host(*NAMES), act) is UNANSWERED


def test_what_is_mended_is_queued() -> None:
    control = host()

    def plan(request: Request) -> Plan:
        made = move_plan(control, request)
        assert isinstance(request, MoveRequest)
        if made.domain != "files" or Acceptance.LOSE_CHECKPOINTS in request.accepted:
            return made
        finding = refused("checkpoints", "It has checkpoints.", "", Acceptance.LOSE_CHECKPOINTS)
        return replace(made, findings=(finding,))

    control.planner = plan

    async def act(pilot: Pilot[None], form: SeveralMoves) -> None:
        check = form.check(Acceptance.LOSE_CHECKPOINTS)
        assert check.display
        assert not form.check(Acceptance.LOSE_INTERNAL_SNAPSHOTS).display
        check.value = True
        await until(pilot, lambda: "all 3" in verdict(form))
        form.query_one("#start", Button).press()
        await pilot.pause()

    assert queued(in_form(control, act)) == list(NAMES)


def test_unticking_asks_no_host_and_leaves_one_out() -> None:
    control = host()

    async def act(pilot: Pilot[None], form: SeveralMoves) -> None:
        asked = len(control.requests)
        form.query_one("#domain-1", Check).value = False
        await until(pilot, lambda: "all 2" in verdict(form))
        assert len(control.requests) == asked
        assert "files  stays" in shown(form)
        form.query_one("#start", Button).press()
        await pilot.pause()

    assert queued(in_form(control, act)) == ["db01", "web01"]


def test_none_ticked_is_a_mistake() -> None:
    async def act(pilot: Pilot[None], form: SeveralMoves) -> None:
        for number in range(3):
            form.query_one(f"#domain-{number}", Check).value = False
        await pilot.pause()
        assert form.query_one("#place-field", Field).remark == "Tick a domain that is to be moved."
        assert form.query_one("#start", Button).disabled

    in_form(host(), act)


def test_the_way_is_the_same_for_all() -> None:
    control = host()

    async def act(pilot: Pilot[None], form: SeveralMoves) -> None:
        form.query_one("#how", Choice).value = How.FLATTEN
        form.query_one("#bandwidth", Input).value = "7"
        form.query_one("#then", Choice).value = Then.HOLD
        form.query_one("#place", Input).value = "pool:big"
        await pilot.pause()
        await until(pilot, lambda: not form.checking)

    in_form(control, act)
    wish = {
        (r.how, r.bandwidth, r.then, r.directory) for r in control.requests[-3:] if isinstance(r, MoveRequest)
    }
    assert wish == {(How.FLATTEN, 7 * 1024 * 1024, Then.HOLD, "pool:big")}


def test_a_host_that_cannot_answer_is_told_for_its_domain() -> None:
    control = host()

    def plan(request: Request) -> Plan:
        if request.uuid == UUIDS[0]:
            raise HostError("It cannot be looked at.")
        return move_plan(control, request)

    control.planner = plan

    async def act(_pilot: Pilot[None], form: SeveralMoves) -> None:
        assert "db01   It cannot be looked at." in shown(form)
        assert "2 of 3" in verdict(form)

    in_form(control, act)


def test_a_read_only_host_takes_nothing() -> None:
    writing, reading = host(), host(uri="test:///b", read_only=True)
    these = [Mover(writing, DOMAINS[0], ("vda",)), Mover(reading, DOMAINS[1], ("vda",))]

    async def act(pilot: Pilot[None], form: SeveralMoves) -> None:
        assert "read-only: nothing is queued" in shown(form)
        form.query_one("#start", Button).press()
        await pilot.pause()

    answer = in_form(writing, act, these=these)
    assert [(one, plan.domain) for one, plan in answer] == [(writing, "db01")]


def test_what_is_asked_while_a_host_thinks_takes_the_place_of_the_rest() -> None:
    control = host()
    usual, hold = control.planner, threading.Event()
    assert usual

    async def act(pilot: Pilot[None], form: SeveralMoves) -> None:
        started = threading.Event()

        def slow(request: Request) -> Plan:
            started.set()
            assert hold.wait(20)
            return usual(request)

        control.planner = slow
        form.query_one("#place", Input).value = "/one"
        await until(pilot, started.is_set)
        form.query_one("#place", Input).value = "/two"
        await pilot.pause()
        hold.set()
        await until(pilot, lambda: not form.checking)
        asked = [r.directory for r in control.requests if isinstance(r, MoveRequest)]
        assert asked.count("/one") == 1
        assert asked.count("/two") == 3
        assert "/two" in shown(form)

    in_form(control, act)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_hostile_text(text: str, size: tuple[int, int]) -> None:
    domain = make_domain(text, disks=[make_disk("vda", f"/{text}/x")])
    control = FakeControl("test:///a", make_state(domain, hostname=text))
    control.pools = ("/fast",)
    findings = (warning("a", text, text), refused("b", text, text))
    control.planner = lambda request: move_plan(control, request, findings=findings)

    async def act(pilot: Pilot[None], _form: SeveralMoves) -> None:
        await pilot.press("f2")
        await pilot.pause()

    in_form(
        control, act, size=size, these=[Mover(control, domain, ("vda",)), Mover(control, domain, (text,))]
    )


# What plans mean for one another


def plans(*wishes: tuple[str, str, int, int]) -> list[tuple[str, Plan]]:
    """Domain, image, what it needs and what is free."""
    control = host()
    made = []
    for name, path, needs, free in wishes:
        request = MoveRequest(make_domain(name).uuid, "/fast")
        start = StartCopy("u", name, "vda", "/slow/x", path, "<disk/>", creates=True)
        made.append(("a", move_plan(control, request, domain=name, steps=(start,), needs=needs, free=free)))
    return made


def checks(found: tuple[tuple[Any, ...], ...]) -> list[list[str]]:
    return [[finding.check for finding in findings] for findings in found]


def test_two_that_would_make_the_same_image() -> None:
    found = together(plans(("a", "/fast/x", 1, 9), ("b", "/fast/x", 1, 9), ("c", "/fast/y", 1, 9)))
    assert checks(found) == [[], ["image-comes"], []]
    assert "a" in found[1][0].reason


@pytest.mark.parametrize(
    ("shared", "like", "found"),
    [
        (Shared.COPY, "/slow/base", ["image-comes"]),
        (Shared.REUSE, "/slow/base", []),
        (Shared.REUSE, "/other/base", ["image-comes"]),
    ],
)
def test_a_base_that_two_stand_on_is_used_by_the_second(shared: Shared, like: str, found: list[str]) -> None:
    first, second = (plan for _host, plan in plans(("a", "/fast/a", 1, 9), ("b", "/fast/b", 1, 9)))
    wish = MoveRequest("u", "/fast", shared=shared)
    bases = [MakeImage("u", "x", "vda", "/fast/base", "raw", 1, like=one) for one in ("/slow/base", like)]
    with_bases = [
        ("a", replace(plan, steps=(base, *plan.steps), request=wish))
        for plan, base in zip((first, second), bases, strict=True)
    ]
    assert checks(together(with_bases)) == [[], found]


def test_room_that_is_enough_for_each_and_not_for_all() -> None:
    found = together(plans(("a", "/fast/x", 4, 9), ("b", "/fast/y", 4, 9), ("c", "/fast/z", 4, 9)))
    assert checks(found) == [[], [], ["space-in-turn"]]


def test_other_places_and_other_hosts_are_their_own() -> None:
    one = plans(("a", "/fast/x", 8, 9), ("b", "/slow/x", 8, 9))
    other = [("b", plan) for _host, plan in plans(("c", "/fast/x", 8, 9))]
    assert checks(together([*one, *other])) == [[], [], []]


def test_what_is_refused_anyway_takes_nothing_from_the_others() -> None:
    first, second = plans(("a", "/fast/x", 8, 9), ("b", "/fast/x", 8, 9))
    refusing = (first[0], replace(first[1], findings=(refused("x", "No."),)))
    assert checks(together([refusing, second])) == [[], []]
