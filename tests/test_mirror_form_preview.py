"""What the mirror form shows while it is filled in, whatever the host or the user says."""

from __future__ import annotations

import threading

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from tests.dialogs import HOSTILE, SIZES
from tests.fake_host import FakeControl, default_plan, make_disk, make_domain, make_state
from tests.mirror_form import (
    UNANSWERED,
    a_domain,
    fill,
    in_form,
    press_check,
    request,
    settle,
    start_of,
    verdict,
)
from tests.settled import PATIENCE, until
from tui.app.dialogs.fields import Check
from tui.app.dialogs.mirror import MirrorForm
from tui.app.dialogs.plan_view import PlanView
from tui.app.glyphs import ASCII, UNICODE, Glyphs
from tui.engine.errors import HostError, NoConnection
from tui.model.finding import Acceptance, refused, warning
from tui.model.plan import Plan
from tui.model.request import CopyRequest, Request

# The preview


class Gate:
    """Lets plans through one at a time, by hand."""

    def __init__(self, control: FakeControl) -> None:
        self.asked: list[Request] = []
        self.passes = threading.Semaphore(0)
        self._state = control.state
        control.planner = self.plan

    def plan(self, wanted: Request) -> Plan:
        self.asked.append(wanted)
        assert self.passes.acquire(timeout=PATIENCE)
        return default_plan(wanted, self._state)


def test_start_waits_for_the_plan_and_an_old_answer_is_not_taken_for_it() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))
    gate = Gate(control)

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await until(pilot, lambda: len(gate.asked) == 1)
        assert start_of(form).disabled
        assert "checking" in verdict(form)
        await fill(pilot, form, "place", "/second")
        await fill(pilot, form, "place", "/third")
        gate.passes.release()
        await until(pilot, lambda: len(gate.asked) == 2)
        assert form.checking
        assert start_of(form).disabled
        assert form.plan is None
        gate.passes.release()
        await settle(pilot, form)
        assert not start_of(form).disabled
        assert "/third" in form.query_one(PlanView).plain
        await pilot.click("#start")

    plan = in_form(act, control=control, domain=domain)
    assert gate.asked == [request(domain), request(domain, "/third")]
    assert plan.steps == default_plan(request(domain, "/third"), make_state(domain)).steps


def test_enter_while_checking_goes_to_start_as_soon_as_it_may() -> None:
    control = FakeControl(states=make_state(a_domain()))
    gate = Gate(control)

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await until(pilot, lambda: len(gate.asked) == 1)
        await pilot.press("enter", "enter")
        assert form.query_one("#place", Input).has_focus
        gate.passes.release()
        await until(pilot, lambda: start_of(form).has_focus)

    assert in_form(act, control=control) is UNANSWERED


def test_typing_takes_the_way_to_start_back() -> None:
    control = FakeControl(states=make_state(a_domain()))
    gate = Gate(control)

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await until(pilot, lambda: len(gate.asked) == 1)
        await pilot.press("enter", "2")
        gate.passes.release()
        gate.passes.release()
        await settle(pilot, form)
        assert form.query_one("#place", Input).has_focus

    assert in_form(act, control=control) is UNANSWERED


def test_start_answers_nothing_when_the_form_has_just_changed() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        # The field has changed, and its message has not arrived yet.
        form.query_one("#place", Input).value = "/elsewhere"
        form.start()

    assert in_form(act) is UNANSWERED


def test_the_debounce_asks_once_for_what_was_typed_last() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await pilot.press(*"abc")
        await settle(pilot, form)

    in_form(act, control=control, domain=domain, debounce=0.3)
    assert control.requests[-1] == request(domain, "/fast/db01-vda.qcow2abc")
    assert request(domain, "/fast/db01-vda.qcow2a") not in control.requests


REFUSAL = refused("exists", "There is an image already.", "Choose another name.")


@pytest.mark.parametrize("size", SIZES)
def test_a_refused_plan_cannot_be_started_and_enter_shows_why(size: tuple[int, int]) -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))
    control.findings = (warning("w", "Beware."), REFUSAL)

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        assert start_of(form).disabled
        assert "There is an image already." in verdict(form)
        await pilot.press("enter")
        await until(pilot, lambda: form.query_one(PlanView).has_focus)
        assert form.query_one(PlanView).region.area > 0
        await pilot.press("enter")
        form.start()

    assert in_form(act, control=control, domain=domain, size=size) is UNANSWERED


def accepting(wanted: Request) -> Plan:
    """A host that asks to accept the loss of internal snapshots and a full destination."""
    assert isinstance(wanted, CopyRequest)
    findings = tuple(
        warning(a.value, "It is so.") if a in wanted.accepted else refused(a.value, "It is so.", "", a)
        for a in (Acceptance.LOSE_INTERNAL_SNAPSHOTS, Acceptance.RISK_FULL_DESTINATION)
    )
    return default_plan(wanted, make_state(a_domain()), findings)


def test_what_can_be_accepted_is_offered_and_accepted_one_by_one() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))
    control.planner = accepting
    snapshots, full, checkpoints = (
        f"#{a}"
        for a in (
            Acceptance.LOSE_INTERNAL_SNAPSHOTS,
            Acceptance.RISK_FULL_DESTINATION,
            Acceptance.LOSE_CHECKPOINTS,
        )
    )

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        assert [form.query_one(c, Check).display for c in (snapshots, full, checkpoints)] == [
            True,
            True,
            False,
        ]
        form.query_one("#place", Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: form.query_one(snapshots, Check).has_focus)
        await pilot.press("space")
        await settle(pilot, form)
        assert start_of(form).disabled
        await press_check(pilot, form, full[1:])
        await settle(pilot, form)
        assert form.query_one(snapshots, Check).display
        assert not start_of(form).disabled
        # Another destination may be full, too: that it may be was accepted of the first one only.
        await fill(pilot, form, "place", "/other")
        await settle(pilot, form)
        assert form.query_one(snapshots, Check).value
        assert not form.query_one(full, Check).value
        assert start_of(form).disabled

    assert in_form(act, control=control, domain=domain) is UNANSWERED
    both = frozenset({Acceptance.LOSE_INTERNAL_SNAPSHOTS, Acceptance.RISK_FULL_DESTINATION})
    assert request(domain, accepted=both) in control.requests
    assert control.requests[-1] == request(
        domain, "/other", accepted=both - {Acceptance.RISK_FULL_DESTINATION}
    )


@pytest.mark.parametrize(
    "error", [NoConnection("The host [/x] is away.", code=38, remedy="Wait."), RuntimeError("[/x] broke")]
)
def test_an_error_is_a_sentence_and_the_form_lives_on(error: Exception) -> None:
    control = FakeControl(states=make_state(a_domain()))

    def fail(_: Request) -> Plan:
        raise error

    control.planner = fail

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        assert "[/x]" in form.query_one(PlanView).plain
        assert "[/x]" in verdict(form)
        assert start_of(form).disabled
        await pilot.press("enter")
        control.planner = None
        await fill(pilot, form, "place", "/again")
        await settle(pilot, form)
        assert not start_of(form).disabled

    in_form(act, control=control)


def test_a_read_only_host_shows_the_plan_and_starts_nothing() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain), read_only=True)

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        assert "/fast/db01-vda.qcow2" in form.query_one(PlanView).plain
        assert "read-only" in verdict(form)
        assert start_of(form).disabled
        form.start()

    assert in_form(act, control=control, domain=domain) is UNANSWERED


def test_the_plan_says_all_that_matters() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        text = form.query_one(PlanView).plain
        for word in ("fake-host", "db01", "/slow/top.qcow2", "virsh blockcopy db01 vda", "<disk type="):
            assert word in text
        await pilot.press("tab", "c")
        assert pilot.app.clipboard.startswith("virsh blockcopy db01 vda --dest")

    in_form(act)


def test_a_narrow_window_turns_between_choices_and_plan() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        view = form.query_one(PlanView)
        assert view.region.area == 0
        await pilot.press("f2")
        await until(pilot, lambda: view.has_focus)
        assert view.region.area > 0
        await pilot.press("f2")
        await until(pilot, lambda: form.query_one("#place", Input).has_focus)
        limit = form.query_one("#bandwidth", Input)
        limit.focus()
        await pilot.press("f2")
        await until(pilot, lambda: view.has_focus)
        await pilot.press("f2")
        await until(pilot, lambda: limit.has_focus)

    in_form(act, size=(80, 24))


# Hostile and odd


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_hostile_names_are_shown_and_act_on_nothing(text: str, glyphs: Glyphs) -> None:
    domain = make_domain(text, disks=[make_disk("vda", f"/{text}/a", f"/{text}/b")])
    control = FakeControl(states=make_state(domain, hostname=text))
    control.findings = (refused("a", text, text), warning("b", text, text))
    control.pools = (f"/{text}",)

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        if not text.isprintable():
            assert form.query_one("#place", Input).value == ""
            await fill(pilot, form, "place", "/somewhere")
        await press_check(pilot, form, "shallow")
        await settle(pilot, form)
        assert "\x1b" not in pilot.app.export_screenshot()
        assert text.replace("\x1b", r"\x1b").replace("\n", r"\n") in form.query_one(PlanView).plain

    in_form(act, control=control, domain=domain, glyphs=glyphs, fast=None)


@pytest.mark.parametrize("size", SIZES)
def test_the_buttons_are_on_the_screen_at_any_size(size: tuple[int, int]) -> None:
    control = FakeControl(states=make_state(a_domain()))
    control.planner = accepting

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        for button in form.query(Button):
            assert button.region.area > 0
            assert button.region.bottom <= size[1]
            assert button.region.right <= size[0]

    in_form(act, control=control, size=size)


def test_an_answer_after_the_form_is_closed_is_nobodys() -> None:
    control = FakeControl(states=make_state(a_domain()))
    gate = Gate(control)

    async def act(pilot: Pilot[None], _: MirrorForm) -> None:
        await until(pilot, lambda: len(gate.asked) == 1)
        await pilot.press("escape")
        gate.passes.release()

    assert in_form(act, control=control) is None


def test_pools_that_cannot_be_asked_for_are_no_matter() -> None:
    control = FakeControl(states=make_state(a_domain()))

    def fail() -> tuple[str, ...]:
        control.calls.append(("places",))
        message = "No."
        raise HostError(message)

    control.places = fail  # type: ignore[method-assign]

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        assert not start_of(form).disabled

    in_form(act, control=control)
