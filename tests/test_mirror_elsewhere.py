"""The mirror form, for a copy to another host."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.app_pilot import opened, played
from tests.fake_host import MIB, FakeControl, make_domain, make_state
from tests.mirror_form import a_domain, choose, fill, in_form, request, settle, start_of
from tests.settled import until
from tui.app.dialogs.choices import Choices, Kind, Mistakes, Part, request_of
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.mirror import MirrorForm
from tui.model.plan import Plan
from tui.model.request import RemoteCopyRequest, Then

HOST_B, HOST_C = "qemu+ssh://root@host-b/system", "qemu+ssh://root@host-c/system"
PEERS = ((HOST_B, "host-b"), (HOST_C, "host-c"))
ELSEWHERE = 4
"""The place of other hosts among the kinds of destination."""


def there(host: str = HOST_B, address: str | None = None, port: int | None = None, **wish: Any) -> Any:
    return RemoteCopyRequest(request(a_domain(), **wish), host, address, port)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_another_host_is_asked_for_a_plan_at_once_and_enter_starts_it(size: tuple[int, int]) -> None:
    control = FakeControl(states=make_state(a_domain()))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await choose(pilot, form, "kind", ELSEWHERE)
        await settle(pilot, form)
        assert form.query_one("#host-field", Field).remark == HOST_B
        assert "served" in form.query_one("#place-field", Field).remark
        assert [
            word for word in form.query_one("#then", Choice).render().plain.split() if word == "pivot"
        ] == []
        assert not form.query_one("#shallow-field").display
        assert control.requests[-1] == there()
        await pilot.press("enter")
        await until(pilot, lambda: start_of(form).has_focus)
        await pilot.press("enter")

    assert isinstance(in_form(act, control=control, peers=PEERS, size=size), Plan)


def test_every_choice_of_it_is_in_the_request() -> None:
    control = FakeControl(states=make_state(a_domain()))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        form.query_one("#shallow", Check).value = form.query_one("#reuse", Check).value = True
        form.query_one("#then", Choice).value = Then.PIVOT
        await choose(pilot, form, "kind", ELSEWHERE)
        form.query_one("#host", Choice).value = HOST_C
        for name, text in {
            "place": "/there/x.raw",
            "nbd-address": "10.0.0.3",
            "nbd-port": "61000",
            "bandwidth": "5",
        }.items():
            await fill(pilot, form, name, text)
        form.query_one("#then", Choice).value = Then.KEEP
        await settle(pilot, form)

    in_form(act, control=control, peers=PEERS)
    assert control.requests[-1] == there(
        HOST_C, "10.0.0.3", 61000, path="/there/x.raw", bandwidth=5 * MIB, then=Then.KEEP
    )


def test_what_was_chosen_for_this_host_is_there_again() -> None:
    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        form.query_one("#shallow", Check).value = True
        form.query_one("#then", Choice).value = Then.PIVOT
        await choose(pilot, form, "kind", ELSEWHERE)
        assert form.query_one("#then", Choice).value == Then.HOLD
        await fill(pilot, form, "place", "/there/x.raw")
        form.query_one("#kind", Choice).value = Kind.FILE
        await settle(pilot, form)
        assert form.query_one("#place", Input).value == "/fast/db01-vda.qcow2"
        assert form.query_one("#shallow", Check).value
        assert not form.query_one("#nbd-port-field").display
        assert not form.query_one("#peer").display
        form.query_one("#kind", Choice).value = Kind.HOST
        await pilot.pause()
        assert form.query_one("#place", Input).value == "/there/x.raw"

    in_form(act, peers=PEERS)


def test_a_uri_is_asked_only_once_it_is_whole() -> None:
    control = FakeControl(states=make_state(a_domain()))

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await choose(pilot, form, "kind", ELSEWHERE)
        await pilot.pause()
        form.query_one("#uri").focus()
        await pilot.press(*"qemu://h")
        await pilot.pause()
        assert "Enter asks" in form.query_one("#uri-field", Field).remark
        assert not [one for one in control.requests if isinstance(one, RemoteCopyRequest)]
        await pilot.press("enter")
        await until(pilot, lambda: start_of(form).has_focus)

    in_form(act, control=control)
    assert control.requests[-1] == there("qemu://h")


def test_what_is_wrong_with_it() -> None:
    choices = Choices(Kind.HOST, "/x", host="", nbd_port="0", mistakes={Part.URI: "Name the other host."})
    found = request_of(choices, "u", "vda")
    assert isinstance(found, Mistakes)
    assert found.sentences == {Part.URI: "Name the other host.", Part.NBD_PORT: "A port from 1 to 65535."}


@played
async def test_the_key_offers_the_other_hosts() -> None:
    domain = a_domain()
    here = FakeControl("test:///a", make_state(domain, hostname="host-a"))
    other = FakeControl("test:///b", make_state(make_domain("web01"), hostname="host-b"))
    async with opened(here, other) as screen:
        await screen.go_to("db01")
        await screen.press("m")
        form = screen.app.screen
        assert isinstance(form, MirrorForm)
        form.query_one("#kind", Choice).value = Kind.HOST
        await screen.until(lambda: any(isinstance(one, RemoteCopyRequest) for one in here.requests))
        assert form.query_one("#host", Choice).render().plain.split() == ["●", "host-b", "○", "another"]
        asked = here.requests[-1]
        assert isinstance(asked, RemoteCopyRequest)
        assert asked.destination == "test:///b"
        plan = here.plan(asked)
        form.dismiss(plan)
        await screen.until(lambda: ("run", plan) in here.calls)
        assert other.requests == []
