"""The mirror form: the exact request of what is filled in, and never a start of anything but what was shown."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList, TextArea

from tests.fake_host import MIB, FakeControl, default_plan, make_disk, make_domain, make_state
from tests.test_dialogs import HOSTILE, SIZES, Host
from tui.app.dialogs.choices import Choices, Kind, Mistakes, Part, parse_nbd, request_of
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.mirror import MirrorForm
from tui.app.dialogs.plan_view import PlanView
from tui.app.dialogs.proposal import file_name, propose
from tui.app.glyphs import ASCII, UNICODE, Glyphs
from tui.engine.errors import HostError, NoConnection
from tui.model.domain import Domain
from tui.model.finding import Acceptance, refused, warning
from tui.model.plan import Plan
from tui.model.request import CopyRequest, Request, Then
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkHost, NetworkSource

Act = Callable[[Pilot[None], MirrorForm], Awaitable[None]]
UNANSWERED = object()
PATIENCE = 20.0


def a_domain(name: str = "db01", *, persistent: bool = True) -> Domain:
    return make_domain(
        name, disks=[make_disk("vda", "/slow/top.qcow2", "/slow/base.qcow2")], persistent=persistent
    )


def request(domain: Domain, path: str = "/fast/db01-vda.qcow2", **changes: Any) -> CopyRequest:
    changes.setdefault("destination", Chain((Layer(FileSource(path)),), complete=False))
    return CopyRequest(domain.uuid, "vda", **changes)


async def until(pilot: Pilot[None], true: Callable[[], object]) -> None:
    """Let the screen and the threads work until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  what is waited for is a state of the screen, which has no event
            await asyncio.sleep(0.002)
    await pilot.pause()


def in_form(
    act: Act,
    *,
    control: FakeControl | None = None,
    domain: Domain | None = None,
    size: tuple[int, int] = (120, 36),
    **options: Any,
) -> Any:
    """Open the form, wait for its first plan, do something, and give back what it answered."""
    domain = domain or a_domain()
    control = control or FakeControl(states=make_state(domain))
    answers: list[Any] = []

    async def run() -> None:
        app = Host()
        async with app.run_test(size=size) as pilot:
            form = MirrorForm(control, domain, domain.disks[0], **{"fast": "/fast", "debounce": 0, **options})
            await app.push_screen(form, answers.append)
            await until(pilot, lambda: ("places",) in control.calls)
            await act(pilot, form)
            await pilot.pause()
            assert len(app.screen_stack) == (2 if not answers else 1)

    asyncio.run(run())
    assert not [call for call in control.calls if call[0] == "run"]
    return answers[0] if answers else UNANSWERED


async def settle(pilot: Pilot[None], form: MirrorForm) -> None:
    await pilot.pause()
    await until(pilot, lambda: not form.checking)


def start_of(form: MirrorForm) -> Button:
    return form.query_one("#start", Button)


def verdict(form: MirrorForm) -> str:
    return form.query_one("#verdict", Flow).plain


# Three keys


def test_enter_goes_to_start_and_enter_starts_what_was_shown() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        assert form.query_one("#place", Input).has_focus
        await pilot.press("enter")
        await until(pilot, lambda: start_of(form).has_focus)
        await pilot.press("enter")

    plan = in_form(act, control=control, domain=domain)
    assert isinstance(plan, Plan)
    assert plan.steps == default_plan(request(domain), make_state(domain)).steps
    assert control.requests == [request(domain)]


def test_escape_does_nothing() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        await pilot.press("escape")

    assert in_form(act) is None


def test_the_mouse_starts_too() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        await pilot.click("#start")

    assert isinstance(in_form(act), Plan)


# What is filled in, and what is asked


async def press_check(pilot: Pilot[None], form: MirrorForm, name: str) -> None:
    form.query_one(f"#{name}", Check).focus()
    await pilot.pause()
    await pilot.press("space")


async def choose(pilot: Pilot[None], form: MirrorForm, name: str, times: int) -> None:
    form.query_one(f"#{name}", Choice).focus()
    await pilot.pause()
    await pilot.press(*["right"] * times)


async def fill(pilot: Pilot[None], form: MirrorForm, name: str, text: str) -> None:
    form.query_one(f"#{name}", Input).value = text
    await pilot.pause()


async def fill_all(pilot: Pilot[None], form: MirrorForm) -> None:
    await choose(pilot, form, "format", 1)
    await choose(pilot, form, "then", 2)
    for name in ("shallow", "reuse", "synchronous"):
        await press_check(pilot, form, name)
    await fill(pilot, form, "place", "/other/copy.img")
    await fill(pilot, form, "bandwidth", "200")
    await fill(pilot, form, "granularity", "64K")
    await fill(pilot, form, "buffer", "16M")


def test_every_choice_is_in_the_request() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await fill_all(pilot, form)
        await settle(pilot, form)

    in_form(act, control=control, domain=domain)
    assert control.requests[-1] == CopyRequest(
        uuid=domain.uuid,
        target="vda",
        destination=Chain((Layer(FileSource("/other/copy.img"), "raw"),), complete=False),
        shallow=True,
        reuse_external=True,
        bandwidth=200 * MIB,
        granularity=64 * 1024,
        buf_size=16 * MIB,
        synchronous_writes=True,
        then=Then.KEEP,
    )


def test_a_block_device() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await choose(pilot, form, "kind", 1)
        assert form.query_one("#place", Input).value == ""
        await fill(pilot, form, "place", "/dev/vg/lv")
        await settle(pilot, form)

    in_form(act, control=control, domain=domain)
    destination = Chain((Layer(BlockSource("/dev/vg/lv")),), complete=False)
    assert control.requests[-1] == request(domain, destination=destination)


def test_a_network_disk() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await choose(pilot, form, "kind", 2)
        await fill(pilot, form, "place", "nbd://store:10809/db01")
        await settle(pilot, form)

    in_form(act, control=control, domain=domain)
    source = NetworkSource("nbd", "db01", (NetworkHost("store", "10809"),))
    assert control.requests[-1] == request(domain, destination=Chain((Layer(source),), complete=False))


def test_a_full_disk_begins_with_what_the_other_fields_say() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await choose(pilot, form, "kind", 3)
        xml = form.query_one("#xml", TextArea)
        assert "/fast/db01-vda.qcow2" in xml.text
        xml.text = '<disk type="block"><driver type="raw"/><source dev="/dev/x"/><backingStore/></disk>'
        await settle(pilot, form)
        await choose(pilot, form, "kind", 0)
        xml.text = "<disk"
        await pilot.pause()
        assert form.query_one("#xml-field", Field).remark
        assert start_of(form).disabled

    in_form(act, control=control, domain=domain)
    assert control.requests[-1] == request(domain, destination=Chain((Layer(BlockSource("/dev/x"), "raw"),)))


def test_what_was_typed_for_another_kind_comes_back() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await fill(pilot, form, "place", "/mine")
        await choose(pilot, form, "kind", 2)
        await pilot.press("left", "left")
        assert form.query_one("#place", Input).value == "/mine"

    in_form(act)


@pytest.mark.parametrize("persistent", [True, False])
def test_a_transient_job_is_asked_for_only_where_it_is_a_choice(persistent: bool) -> None:  # noqa: FBT001
    domain = a_domain(persistent=persistent)
    control = FakeControl(states=make_state(domain))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        check = form.query_one("#transient", Check)
        assert check.disabled is persistent
        assert check.value is persistent
        if not persistent:
            await press_check(pilot, form, "transient")
        await settle(pilot, form)

    in_form(act, control=control, domain=domain)
    assert control.requests[-1].transient_job is not persistent  # type: ignore[union-attr]


def test_a_suggested_limit_is_filled_in_and_explained() -> None:
    domain = a_domain()
    control = FakeControl(states=make_state(domain))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        assert "watch" in form.query_one("#bandwidth-field", Field).remark
        await settle(pilot, form)

    in_form(act, control=control, domain=domain, suggested_bandwidth=64 * MIB)
    assert control.requests[-1] == request(domain, bandwidth=64 * MIB)


def test_a_click_chooses_and_ticks() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        then = form.query_one("#then", Choice)
        await pilot.click("#then", offset=(12, 0))
        assert then.value == Then.PIVOT
        await pilot.click("#shallow")
        assert form.query_one("#shallow", Check).value
        assert "/slow/base.qcow2" in form.query_one("#shallow-field", Field).remark

    in_form(act)


@pytest.mark.parametrize("field", ["bandwidth", "granularity", "buffer"])
def test_a_bad_number_is_a_sentence_under_its_field(field: str) -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        await fill(pilot, form, field, "[/x]")
        assert form.query_one(f"#{field}-field", Field).remark.endswith(".")
        assert start_of(form).disabled
        form.query_one("#place", Input).focus()
        await pilot.press("enter")
        assert form.query_one(f"#{field}", Input).has_focus
        await fill(pilot, form, field, "")
        await settle(pilot, form)
        assert not start_of(form).disabled

    in_form(act)


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

    in_form(act, size=(80, 24))


# Proposals


def test_the_pools_of_the_host_become_the_proposal_while_nobody_has_typed() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        place = form.query_one("#place", Input)
        await until(pilot, lambda: place.value == "/fast/db01-vda.qcow2")
        await pilot.press("down")
        await until(pilot, lambda: form.query_one("#proposals", OptionList).has_focus)
        await pilot.press("down", "enter")
        await until(pilot, lambda: place.has_focus)
        assert place.value == "/slow/db01-vda.qcow2"
        await pilot.press("down")
        await pilot.pause()
        await pilot.press("escape")
        assert place.has_focus

    assert in_form(act, fast=None) is UNANSWERED


def test_pools_do_not_change_what_somebody_has_typed() -> None:
    control = FakeControl(states=make_state(a_domain()))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await fill(pilot, form, "place", "/mine")
        form.post_message(form.PlacesFound(("/quick",)))
        await settle(pilot, form)
        assert form.query_one("#place", Input).value == "/mine"

    in_form(act, control=control)


def test_a_proposal_nobody_touched_follows_the_format() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await choose(pilot, form, "format", 1)
        assert form.query_one("#place", Input).value == "/fast/db01-vda.raw"

    in_form(act)


def test_proposals_never_are_images_in_use() -> None:
    domain = a_domain()
    disk = domain.disks[0]
    taken = frozenset({"/fast/db01-vda.qcow2", "/fast/db01-vda-2.qcow2"})
    assert propose(
        domain, disk, "qcow2", directories=["/slow", "/fast/", "relative", "/e\x1b"], taken=taken
    ) == (
        "/fast/db01-vda-3.qcow2",
        "/slow/db01-vda.qcow2",
    )
    assert propose(domain, make_disk("vda", "/dev/vg/lv"), None) == ()


@pytest.mark.parametrize("name", [*HOSTILE, "..", "/", "a b"])
def test_a_proposed_name_is_one_harmless_part_of_a_path(name: str) -> None:
    proposed = file_name(a_domain(name), make_disk(), "qcow2")
    assert "/" not in proposed
    assert proposed.isprintable()
    assert not proposed.startswith((".", "-"))
    assert len(proposed) < 150


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


# The request alone


def test_nothing_to_write_to_is_a_mistake_for_each_kind() -> None:
    for kind in Kind:
        found = request_of(Choices(kind=kind), "u", "vda")
        assert isinstance(found, Mistakes)
        (sentence,) = found.sentences.values()
        assert sentence.endswith(".")


def test_all_mistakes_are_told_at_once() -> None:
    found = request_of(Choices(place="\x1b", bandwidth="x", granularity="x", buffer="x"), "u", "vda")
    assert isinstance(found, Mistakes)
    assert set(found.sentences) == set(Part) - {Part.XML}


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("nbd://a", NetworkSource("nbd", None, (NetworkHost("a"),))),
        ("nbd://a:1/x%20y", NetworkSource("nbd", "x y", (NetworkHost("a", "1"),))),
        ("nbds://[::1]:1/x", NetworkSource("nbd", "x", (NetworkHost("::1", "1"),), tls="yes")),
        (
            "nbd+unix:///x?socket=/run/s",
            NetworkSource("nbd", "x", (NetworkHost(transport="unix", socket="/run/s"),)),
        ),
    ],
)
def test_network_disks_are_read_as_qemu_writes_them(uri: str, source: NetworkSource) -> None:
    assert parse_nbd(uri) == source


@pytest.mark.parametrize(
    "uri",
    ["", "x", "http://a/x", "nbd://", "nbd://a:x", "nbd://u@a/x", "nbd://a/x?socket=/s", "nbd+unix:///x",
     "nbd+unix:///x?socket=s", "nbd+unix://a/x?socket=/s", "nbd+unix:///x?socket=/s&y=1", "nbd://["],
)  # fmt: skip
def test_what_is_no_network_disk_is_explained(uri: str) -> None:
    with pytest.raises(ValueError, match="nbd://host"):
        parse_nbd(uri)


def test_the_same_form_is_the_same_request() -> None:
    choices = Choices(place="/x", format="raw", then=Then.PIVOT)
    assert request_of(choices, "u", "vda") == request_of(replace(choices), "u", "vda")
