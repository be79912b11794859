"""The form by which a domain goes to another host."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Button, Input

from tests.app_pilot import opened, played
from tests.dialogs import Host
from tests.fake_host import MIB, FakeControl, make_disk, make_domain, make_state
from tests.mirror_form import UNANSWERED
from tests.settled import running, until
from tests.test_plan_view import hint
from tui.app.dialogs.fields import Check, Choice, Field, More
from tui.app.dialogs.migrate import MigrateForm
from tui.app.dialogs.migrate_options import MigrateOptions
from tui.app.dialogs.peer_fields import Peer
from tui.model.domain import Domain, RunState
from tui.model.finding import Acceptance, refused
from tui.model.host import Link
from tui.model.migrate_request import Convergence, CopyStorage, MigrateRequest, TimeoutAction, Transport

DOMAIN = make_domain(
    "db01", disks=[make_disk("vda"), make_disk("vdb"), make_disk("vdc", "/iso/x", readonly=True)]
)
HOST_B = "qemu+ssh://root@host-b/system"
PEERS = ((HOST_B, "host-b"), ("qemu+ssh://root@host-c/system", "host-c"))


def in_form(
    act: Any = None,
    domain: Domain = DOMAIN,
    peers: tuple[Peer, ...] = PEERS,
    size: tuple[int, int] = (120, 36),
    control: FakeControl | None = None,
) -> Any:
    """Open the form, do something; what it answered, and what was asked for, in order."""
    control = control or FakeControl(states=make_state(domain))
    answers: list[Any] = []

    async def run() -> None:
        app = Host()
        async with running(app, size=size) as pilot:
            form = MigrateForm(control, domain, peers)
            form.DEBOUNCE = 0
            await app.push_screen(form, answers.append)
            await pilot.pause()
            await until(pilot, lambda: not form.checking)
            if act:
                await act(pilot, form)
                await until(pilot, lambda: not form.is_attached or not form.checking)

    asyncio.run(run())
    return (answers[0] if answers else UNANSWERED), control.requests


def usual(**wish: Any) -> MigrateRequest:
    return MigrateRequest(DOMAIN.uuid, wish.pop("destination", HOST_B), **wish)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_it_begins_with_the_first_host_and_asks_it_at_once(size: tuple[int, int]) -> None:
    async def act(_pilot: Pilot[None], form: MigrateForm) -> None:
        assert form.query_one("#host").has_focus
        assert form.query_one("#host-field", Field).remark == HOST_B
        assert not form.query_one("#uri-field").display

    assert in_form(act, size=size)[1] == [usual()]


def test_what_is_typed_right_after_tab_is_for_the_next_field() -> None:
    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        form.query_one("#maps", Input).focus()
        await pilot.pause()
        # As a terminal sends them: without waiting for the field that is left.
        for key, character in (("tab", "\t"), ("7", "7"), ("shift+tab", None), ("slash", "/")):
            pilot.app.post_message(events.Key(key, character))
        await pilot.pause()
        typed = [form.query_one(f"#{name}", Input).value for name in ("maps", "name", "bandwidth")]
        assert typed == ["/", "7", ""]

    in_form(act)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_an_image_map_has_all_the_width_and_is_read_back_whole(size: tuple[int, int]) -> None:
    old, new = f"/var/{'a' * 60}", f"/srv/{'b' * 60}"

    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        field, maps = form.query_one("#maps-field", Field), form.query_one("#maps", Input)
        assert "/old=/new" in field.remark
        assert maps.region.width == field.content_region.width >= 62
        maps.value = f"{old}={new} /c=/d"
        await pilot.pause()
        assert field.remark == f"{old} → {new}; /c → /d"
        remark = field.query_one(".remark")
        assert remark.region.height * remark.region.width >= len(field.remark)
        maps.value = "/c"
        await pilot.pause()
        assert "this is none" in field.remark

    in_form(act, size=size)


def test_every_choice_is_in_the_request() -> None:
    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        form.query_one("#host", Choice).value = PEERS[1][0]
        form.query_one("#storage", Choice).value = CopyStorage.ALL
        form.query_one("#disk-1", Check).value = False
        for name, text in {
            "maps": "/slow=/fast '/a b=/c'",
            "name": "db02",
            "bandwidth": "7",
            "downtime": "450",
            "migrate-uri": "tcp://10.0.0.2",
            "disks-to": "tcp://10.0.0.2:49153",
            "listen": "10.0.0.2",
            "tls-name": "host-b",
            "timeout": "90",
            "connections": "4",
        }.items():
            form.query_one(f"#{name}", Input).value = text
        for name in ("auto-converge", "synchronous", "postcopy", "p2p", "tls", "unsafe"):
            form.query_one(f"#{name}", Check).value = True
        for name in ("compressed", "protection", "abort"):
            form.query_one(f"#{name}", Check).value = True
        for name, value in {"action": "abort", "kept": "yes", "forgotten": "no"}.items():
            form.query_one(f"#{name}", Choice).value = value
        await pilot.pause()
        assert "No way back" in form.query_one("#postcopy-field", Field).remark
        assert "ruined" in form.query_one("#unsafe-field", Field).remark
        assert "They go on" in form.query_one("#p2p-field", Field).remark

    assert in_form(act)[1][-1] == usual(
        destination=PEERS[1][0],
        storage=CopyStorage.ALL,
        targets=("vda",),
        maps=(("/slow", "/fast"), ("/a b", "/c")),
        name="db02",
        persistent=True,
        undefine_source=False,
        transport=Transport(
            p2p=True,
            tls=True,
            tls_destination="host-b",
            migrate_uri="tcp://10.0.0.2",
            disks_uri="tcp://10.0.0.2:49153",
            listen_address="10.0.0.2",
            bandwidth=7 * MIB,
            parallel=4,
            compressed=True,
        ),
        convergence=Convergence(
            auto_converge=True,
            postcopy=True,
            max_downtime=450,
            synchronous_writes=True,
            timeout=90,
            timeout_action=TimeoutAction.ABORT,
        ),
        unsafe=True,
        change_protection=True,
        abort_on_error=True,
    )


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_what_is_seldom_wanted_is_folded_away_and_unfolds_into_view(size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        more, options = form.query_one(More), form.query_one(MigrateOptions)
        assert not options.display
        more.focus()
        await pilot.press("space")
        await pilot.pause()
        assert hint(form).startswith("space more/less")
        fields = form.query_one("#fields").region
        assert fields.contains_region(form.query_one("#downtime").region)
        await pilot.press("tab", *"300", "tab", "tab", *"9")
        await pilot.pause()
        assert form.query_one("#action-field").display
        assert fields.contains_region(form.query_one("#timeout").region)
        assert "2 in use" in more.render().plain
        await pilot.press("tab", "right")
        more.value = False
        await pilot.pause()
        assert not options.display
        assert more.render().plain == "▸ more options  2 in use"

    wish = Convergence(max_downtime=300, timeout=9, timeout_action=TimeoutAction.POSTCOPY)
    assert in_form(act, size=size)[1][-1] == usual(convergence=wish)


def test_what_is_wrong_is_unfolded() -> None:
    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        form.query_one("#connections", Input).value = "many"
        await pilot.pause()
        assert not form.query_one(MigrateOptions).display
        await pilot.press("enter")
        await pilot.pause()
        assert form.query_one("#connections").has_focus
        assert form.query_one(MigrateOptions).display

    in_form(act)


def test_where_disks_go_is_a_port_or_a_uri_and_none_are_asked_for_without_copies() -> None:
    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        form.query_one("#disks-to", Input).value = "49160"
        await pilot.pause()
        await until(pilot, lambda: not form.checking)
        form.query_one("#storage", Choice).value = CopyStorage.NONE
        await pilot.pause()
        assert not form.query_one("#disks-to-field").display
        assert form.query_one(More).render().plain == "▸ more options"

    asked = in_form(act)[1]
    assert usual(transport=Transport(disks_port=49160)) in asked
    assert asked[-1] == usual(storage=CopyStorage.NONE)


def test_of_a_transient_domain_nothing_is_forgotten_here() -> None:
    transient = make_domain("db01", disks=DOMAIN.disks, persistent=False)

    async def act(_pilot: Pilot[None], form: MigrateForm) -> None:
        assert not form.query_one("#forgotten-field").display
        assert "transient" in form.query_one("#kept-field", Field).remark

    assert in_form(act, transient)[1] == [usual()]


@pytest.mark.parametrize("storage", [CopyStorage.INC, CopyStorage.NONE])
def test_disks_are_ticked_where_they_are_copied_whole(storage: CopyStorage) -> None:
    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        form.query_one("#synchronous", Check).value = True
        form.query_one("#storage", Choice).value = storage
        await pilot.pause()
        assert not any(field.display for field in form.query(".disk"))
        assert form.query_one("#synchronous-field").display is (storage is CopyStorage.INC)

    writes = Convergence(synchronous_writes=storage is CopyStorage.INC)
    assert in_form(act)[1][-1] == usual(storage=storage, convergence=writes)


def test_a_uri_is_asked_only_once_it_is_whole() -> None:
    control = FakeControl(states=make_state(DOMAIN))

    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        assert form.query_one("#uri").has_focus
        await pilot.press(*"qemu://h")
        await pilot.pause()
        assert control.requests == []
        assert "Enter asks" in form.query_one("#uri-field", Field).remark
        await pilot.press("enter")
        await until(pilot, lambda: form.plan)
        assert form.query_one("#start", Button).has_focus

    assert in_form(act, peers=(), control=control)[1] == [usual(destination="qemu://h")]


def test_leaving_the_field_asks_too_and_what_is_none_is_said() -> None:
    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        await pilot.press(*"host-b", "tab")
        await pilot.pause()
        assert "looks like" in form.query_one("#uri-field", Field).remark
        form.query_one("#uri", Input).value = ""
        form.query_one("#uri", Input).focus()
        await pilot.press("enter")
        await pilot.pause()
        assert form.query_one("#uri-field", Field).remark == "Name the other host."

    assert in_form(act, peers=())[1] == []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("maps", "/old", "this is none"),
        ("bandwidth", "fast", "MiB/s"),
        ("downtime", "0", "from 1"),
        ("downtime", "9" * 30, "from 1"),
        ("timeout", "soon", "seconds from 1"),
        ("connections", "256", "to 255"),
        ("disks-to", "65536", "A port from 1"),
    ],
)
def test_what_is_wrong_stands_beneath_it(name: str, text: str, words: str) -> None:
    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        form.query_one(f"#{name}", Input).value = text
        await pilot.pause()
        assert words in form.query_one(f"#{name}-field", Field).remark
        assert form.query_one("#start", Button).disabled

    in_form(act)


def test_no_disk_at_all() -> None:
    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        form.query_one("#storage", Choice).value = CopyStorage.ALL
        for number in (0, 1):
            form.query_one(f"#disk-{number}", Check).value = False
        await pilot.pause()
        assert "Tick" in form.query_one("#storage-field", Field).remark

    in_form(act)


def test_of_a_domain_that_is_off_only_the_definition_goes() -> None:
    off = make_domain("db01", state=RunState.SHUT_OFF)

    async def act(_pilot: Pilot[None], form: MigrateForm) -> None:
        hidden = (
            "storage",
            "bandwidth",
            "downtime",
            "postcopy",
            "p2p",
            "unsafe",
            "synchronous",
            "migrate-uri",
            "timeout",
            "connections",
            "disks-to",
            "listen",
            "tls-name",
            "abort",
        )
        assert not any(form.query_one(f"#{name}-field").display for name in hidden)
        form.query_one("#kept", Choice).value = "yes"

    assert in_form(act, off)[1] == [
        usual(storage=CopyStorage.NONE, offline=True),
        usual(storage=CopyStorage.NONE, offline=True, persistent=True),
    ]


def test_what_is_lost_can_be_accepted() -> None:
    control = FakeControl(states=make_state(DOMAIN))
    lost = refused("chain-lost", "It is lost.", "", Acceptance.LOSE_SNAPSHOTS)
    made = control.plan(usual())
    control.calls.clear()
    control.planner = lambda _request: type(made)("p", "t", DOMAIN.uuid, "db01", (lost,), ())

    async def act(pilot: Pilot[None], form: MigrateForm) -> None:
        check = form.query_one(f"#{Acceptance.LOSE_SNAPSHOTS}", Check)
        assert check.display
        check.value = True
        await pilot.pause()

    assert in_form(act, control=control)[1][-1] == usual(accepted=frozenset({Acceptance.LOSE_SNAPSHOTS}))


@played
async def test_the_key_offers_the_other_hosts_and_runs_the_plan() -> None:
    here = FakeControl("test:///a", make_state(DOMAIN, hostname="host-a"))
    there = FakeControl("test:///b", make_state(make_domain("web01"), hostname="host-b"))
    gone = FakeControl("test:///c", make_state(make_domain("zoo"), hostname="host-c", link=Link.LOST))
    async with opened(here, there, gone) as screen:
        await screen.go_to("db01")
        await screen.press("H")
        form = screen.app.screen
        assert isinstance(form, MigrateForm)
        assert form.query_one("#host", Choice).render().plain.split() == ["●", "host-b", "○", "another"]
        await screen.until(lambda: here.requests == [usual(destination="test:///b")])
        plan = here.plan(usual(destination="test:///b"))
        form.dismiss(plan)
        await screen.until(lambda: ("run", plan) in here.calls)
        assert there.calls == []


@played
async def test_a_read_only_session_has_no_such_key() -> None:
    control = FakeControl(read_only=True)
    async with opened(control) as screen:
        await screen.press("H")
        assert screen.app.screen is screen.main
        assert control.calls == []
