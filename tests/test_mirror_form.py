"""The mirror form: the exact request of what is filled in, and never a start of anything but what was shown."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tests.fake_host import MIB, FakeControl, default_plan, make_state
from tests.mirror_form import a_domain, choose, fill, in_form, press_check, request, settle, start_of
from tests.settled import until
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.mirror import MirrorForm
from tui.model.plan import Plan
from tui.model.request import CopyRequest, Then
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkHost, NetworkSource

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


@pytest.mark.parametrize("field", ["#then", "#shallow"])
def test_enter_goes_to_start_from_every_field(field: str) -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        form.query_one(field).focus()
        before = form.query_one("#shallow", Check).value
        await pilot.press("enter")
        await until(pilot, lambda: start_of(form).has_focus)
        assert form.query_one("#shallow", Check).value is before

    in_form(act)


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
