"""Hosts side by side, and the forms by which several domains leave one of them."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from textual.content import Content
from textual.widgets import Button, Static

from tests.app_pilot import Screen, opened, played
from tests.dialogs import HOSTILE
from tests.fake_host import GIB, NOW, FakeControl, make_disk, make_domain, make_state
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.hosts import HostsDialog
from tui.app.dialogs.migrate import MigrateForm
from tui.app.dialogs.plan_view import PlanView
from tui.app.dialogs.several_migrations import SeveralMigrations
from tui.engine.errors import HostError
from tui.model.domain import Domain, RunState
from tui.model.finding import Acceptance, refused
from tui.model.host import HostState, Link, Memory
from tui.model.migrate_request import CopyStorage, MigrateRequest
from tui.model.migrate_steps import Migrate
from tui.model.migration import DiskOnTheWay, Migration, MigrationPhase
from tui.model.plan import Plan
from tui.model.request import Request

HERE, THERE, LOST = "test:///a", "test:///b", "test:///c"


def domain(name: str, memory: int = 2, **more: Any) -> Domain:
    """With so many GiB of memory."""
    made = make_domain(name, disks=[make_disk("vda", f"/slow/{name}")], **more)
    return replace(made, definition=replace(made.definition, memory=memory * GIB))


DB01, FILES, OLD = domain("db01", 4), domain("files"), domain("old", state=RunState.SHUT_OFF)


def here(*domains: Domain, **more: Any) -> FakeControl:
    """The host that domains leave, with plans that know their memory."""
    control = FakeControl(HERE, make_state(*(domains or (DB01, FILES, OLD)), hostname="host-a"), **more)

    def plan(request: Request) -> Plan:
        assert isinstance(request, MigrateRequest)
        found = control.state.domain(request.uuid)
        assert found is not None
        step = Migrate(request.uuid, found.name, request.destination, "host-b", "u", found.name)
        title = f"Migrate {found.name} to host-b"
        memory = None if request.offline else found.definition.memory
        made = Plan("p", title, request.uuid, found.name, control.findings, (step,), request=request)
        return replace(made, memory=memory, free_memory=48 * GIB)

    control.planner = plan
    return control


def there(**more: Any) -> FakeControl:
    control = FakeControl(THERE, make_state(domain("mail"), hostname="host-b"), **more)
    control.room = Memory(5 * GIB, 8 * GIB)
    return control


def lost() -> FakeControl:
    return FakeControl(LOST, make_state(domain("zoo"), hostname="host-c", link=Link.LOST))


async def side_by_side(screen: Screen, name: str = "db01") -> HostsDialog:
    await screen.go_to(name)
    await screen.press("w")
    dialog = screen.app.screen
    assert isinstance(dialog, HostsDialog)
    return dialog


def column(screen: Screen, dialog: HostsDialog, number: int) -> str:
    return screen.painted(dialog._columns[number])  # noqa: SLF001


def outlook(dialog: HostsDialog) -> str:
    return str(dialog.query_one("#outlook", Static).render())


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_each_host_has_its_domains_and_its_memory(size: tuple[int, int]) -> None:
    migration = Migration(
        FILES.uuid, "files", "host-b", MigrationPhase.DISKS, (DiskOnTheWay("vda", 30, 100),)
    )
    control = here()
    control.publish(replace(control.state, migrations={FILES.uuid: migration}))
    async with opened(control, there(), size=size) as screen:
        dialog = await side_by_side(screen)
        shown = dialog._columns  # noqa: SLF001
        await screen.until(lambda: "5 GiB of 8 GiB" in str(shown[1].border_subtitle))
        assert [("host-" + one, "live") for one in "ab"] == [
            tuple(Content.from_markup(str(one.border_title)).plain.split()) for one in shown
        ]
        lines = column(screen, dialog, 0).splitlines()
        assert lines[0].split() == ["●", "db01", "4", "GiB"]
        assert lines[1].split() == ["●", "files", "→", "host-b", "30", "%"]
        assert lines[2].split() == ["○", "old", "2", "GiB"]
        assert column(screen, dialog, 1).splitlines()[0].split() == ["●", "mail", "2", "GiB"]


@played
async def test_pick_one_and_point_at_a_host() -> None:
    control, other = here(), there()
    async with opened(control, lost(), other) as screen:
        dialog = await side_by_side(screen)
        assert outlook(dialog).strip() == "Nothing is picked."
        await screen.press("enter")
        # The next host is out of reach.
        await screen.press("enter")
        assert "host-c is out of reach." in screen.notes
        assert screen.app.screen is dialog
        await screen.press("right")
        assert column(screen, dialog, 2).splitlines()[1].split() == ["→", "●", "db01", "4", "GiB"]
        assert outlook(dialog).strip() == "→ host-b  db01  4 GiB of memory"
        await screen.press("enter")
        form = screen.app.screen
        assert isinstance(form, MigrateForm)
        assert form.query_one("#host", Choice).value == THERE
        await screen.until(lambda: control.requests == [MigrateRequest(DB01.uuid, THERE)])


@pytest.mark.parametrize("picks", [1, 2])
@played
async def test_the_form_leads_back_to_the_hosts_until_it_has_begun(picks: int) -> None:
    control = here()
    async with opened(control, there()) as screen:
        dialog = await side_by_side(screen)
        await screen.press(*["space"] * picks, "right")
        before = outlook(dialog)
        await screen.press("enter")
        form = screen.app.screen
        assert isinstance(form, MigrateForm if picks == 1 else SeveralMigrations)
        await screen.press("escape")
        assert screen.app.screen is dialog
        assert outlook(dialog) == before
        assert dialog.focused is dialog._columns[1]  # noqa: SLF001
        await screen.press("enter")
        again = screen.app.screen
        assert isinstance(again, MigrateForm | SeveralMigrations)
        await screen.until(lambda: not again.query_one("#start", Button).disabled)
        await screen.press("enter", "enter")
        await screen.until(lambda: control.runs)
        assert screen.app.screen is screen.main


@played
async def test_several_are_picked_in_order_and_dropped() -> None:
    control = here()
    async with opened(control, there()) as screen:
        dialog = await side_by_side(screen, "files")
        await screen.press("space", "up", "up", "space", "tab")
        assert outlook(dialog).strip() == "→ host-b  files, db01  6 GiB of memory"
        await screen.press("U", "left", "a", "right")
        assert outlook(dialog).strip() == "→ host-b  db01, files  6 GiB of memory"
        await screen.press("H")
        form = screen.app.screen
        assert isinstance(form, SeveralMigrations)
        await screen.until(lambda: {r.uuid for r in control.requests} == {DB01.uuid, FILES.uuid})


@played
async def test_what_is_picked_leaves_one_host_and_is_there_no_more_when_it_has_gone() -> None:
    control, other = here(), there()
    async with opened(control, other) as screen:
        dialog = await side_by_side(screen)
        await screen.press("space", "right", "down", "space")
        assert "Picked is what stands under the cursor, on its own host." in screen.notes
        await screen.press("up", "space", "a")
        assert "Domains leave one host at a time: U forgets what is picked." in screen.notes
        assert outlook(dialog).strip().startswith("→ host-b  db01")
        await screen.press("U", "space")
        assert outlook(dialog).strip().startswith("→ point at a host  mail")
        other.publish(make_state(domain("other"), hostname="host-b"))
        await screen.until(lambda: outlook(dialog).strip() == "Nothing is picked.")
        await screen.press("escape")
        assert screen.app.screen is screen.main


@played
async def test_a_click_moves_the_cursor_and_no_more() -> None:
    async with opened(here(), there()) as screen:
        dialog = await side_by_side(screen)
        await screen.press("space")
        other = dialog._columns[1]  # noqa: SLF001
        for _ in range(2):
            await screen.pilot.click(other, offset=(6, 1))
            assert other.current is not None
            assert other.current.domain.name == "mail"
            assert screen.app.screen is dialog
        assert outlook(dialog).strip().startswith("→ host-b  db01")
        await screen.pilot.click("#go-on")
        assert isinstance(screen.app.screen, MigrateForm)


@played
async def test_memory_is_asked_for_again_when_others_run_and_not_shown_when_it_comes_too_late() -> None:
    control, other, wait = here(), there(), threading.Event()
    async with opened(control, other) as screen:
        await side_by_side(screen)
        asked = other.calls.count(("memory",))
        other.publish(make_state(domain("mail"), domain("new"), hostname="host-b"))
        await screen.until(lambda: other.calls.count(("memory",)) == asked + 1)
        told = other.memory
        other.memory = lambda: (wait.wait(20), told())[1]  # type: ignore[method-assign]
        other.publish(make_state(domain("mail"), hostname="host-b"))
        await screen.press("escape")
        wait.set()
        await screen.until(lambda: other.calls.count(("memory",)) == asked + 2)
        assert screen.app.screen is screen.main


@pytest.mark.parametrize("name", ["hypervisor-07.example.org", "b"])
@played
async def test_the_name_of_a_domain_on_its_way_keeps_room(name: str) -> None:
    control = here()
    migration = Migration(DB01.uuid, "db01", name, MigrationPhase.DISKS, (DiskOnTheWay("vda", 30, 100),))
    control.publish(replace(control.state, migrations={DB01.uuid: migration}))
    async with opened(control, there(), size=(80, 24)) as screen:
        dialog = await side_by_side(screen)
        assert column(screen, dialog, 0).splitlines()[0].split()[1] == "db01"
        assert "30 %" in column(screen, dialog, 0)


@played
async def test_the_key_finds_the_host_of_the_table_and_asks_where_there_is_none() -> None:
    control, other = here(), there()
    async with opened(control, other) as screen:
        await screen.go_to("mail")
        await screen.press("3", "E")
        form = screen.app.screen
        assert isinstance(form, SeveralMigrations)
        assert [one.domain.name for one in form._candidates] == ["mail"]  # noqa: SLF001


@played
async def test_what_is_risked_at_one_host_is_not_risked_at_another() -> None:
    control = here()
    third = FakeControl("test:///d", make_state(domain("zoo"), hostname="host-d"))
    control.findings = (refused("space", "There is no room.", acceptance=Acceptance.RISK_FULL_DESTINATION),)
    async with opened(control, there(), third) as screen:
        form = await evacuation(screen)
        check = form.query_one(f"#{Acceptance.RISK_FULL_DESTINATION}", Check)
        check.value = True
        await screen.until(lambda: not form.checking)
        form.query_one("#host", Choice).value = "test:///d"
        await screen.until(lambda: not check.value)


@played
async def test_a_host_alone_says_what_to_do() -> None:
    async with opened(FakeControl(), ascii_only=True) as screen:
        dialog = await side_by_side(screen)
        assert "press +" in outlook(dialog)
        await screen.press("enter", "enter")
        assert "Point at another host with the arrows." in screen.notes


@played
async def test_of_a_read_only_host_nothing_is_picked() -> None:
    async with opened(here(read_only=True), there()) as screen:
        dialog = await side_by_side(screen)
        await screen.press("space", "enter", "a")
        assert outlook(dialog).strip() == "Nothing is picked."
        assert "host-a was opened read-only." in screen.notes


@pytest.mark.parametrize("text", HOSTILE)
@played
async def test_names_from_a_host_are_harmless(text: str) -> None:
    control = here(domain(text), domain("zoo"))
    async with opened(control, FakeControl(THERE, make_state(hostname=text))) as screen:
        await side_by_side(screen, "zoo")
        await screen.press("a", "right")
        await screen.press("enter")
        assert isinstance(screen.app.screen, SeveralMigrations)
        await screen.until(lambda: len(control.requests) == 2)


# The form


async def evacuation(screen: Screen, *keys: str) -> SeveralMigrations:
    await screen.go_to("db01")
    await screen.press(*(keys or ("E",)))
    form = screen.app.screen
    assert isinstance(form, SeveralMigrations)
    await screen.until(lambda: not form.checking)
    return form


def verdict(form: SeveralMigrations) -> str:
    return form.query_one("#verdict", Flow).plain


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_a_host_is_evacuated_through_the_queue(size: tuple[int, int]) -> None:
    control, other = here(), there()
    control.outcome = None
    async with opened(control, other, size=size) as screen:
        form = await evacuation(screen)
        text = form.query_one(PlanView).plain
        assert "db01   4 GiB of memory" in text
        assert "old    stays" in text
        assert "together 6 GiB of memory; 48 GiB free there" in text
        assert "host-a → host-b" in text
        assert "all 2 may be queued" in verdict(form)
        await screen.press("enter", "enter")
        await screen.until(lambda: len(control.runs) == 1)
        queue = screen.app.runner.queue
        assert [(i.domain, i.to, i.peer, i.state.value) for i in queue.items] == [
            ("db01", "host-b", THERE, "running"),
            ("files", "host-b", THERE, "waiting"),
        ]
        assert "2 migrations are queued." in screen.log
        await screen.press("5")
        await screen.until(lambda: "→ host-b" in screen.painted(screen.main.queue_view))
        painted = screen.painted(screen.main.queue_view)
        assert "waits for db01, going there" in painted


@played
async def test_of_one_that_is_off_the_definition_goes_if_it_is_ticked() -> None:
    control = here()
    async with opened(control, there()) as screen:
        form = await evacuation(screen)
        form.query_one("#domain-2", Check).value = True
        await screen.until(lambda: "all 3 may be queued" in verdict(form))
        assert "its definition" in form.query_one(PlanView).plain
        last = control.requests[-1]
        assert isinstance(last, MigrateRequest)
        assert (last.uuid, last.offline, last.storage) == (OLD.uuid, True, CopyStorage.NONE)
        for number in range(3):
            form.query_one(f"#domain-{number}", Check).value = False
        await screen.until(lambda: "not complete yet" in verdict(form))
        field = form.query_one("#domain-0-field", Field)
        assert (field.display, field.remark) == (True, "Tick a domain that is to go.")
        await screen.press("enter")
        assert form.query_one("#domain-0").has_focus


@played
async def test_what_cannot_go_is_told_and_stays() -> None:
    control = here()
    planner = control.planner
    assert planner

    def plan(request: Request) -> Plan:
        made = planner(request)
        if made.domain != "db01":
            return made
        return replace(
            made, findings=(refused("cpu", "The guest's CPU is more than host-b has.", "Change it."),)
        )

    control.planner = plan
    async with opened(control, there()) as screen:
        form = await evacuation(screen)
        assert "refused: The guest's CPU is more than host-b has." in form.query_one(PlanView).plain
        assert "1 of 2 may be queued" in verdict(form)
        control.error = HostError("The host is busy.")
        form.query_one("#synchronous", Check).value = True
        await screen.until(lambda: "none of 2 may be queued" in verdict(form))


@played
async def test_tagged_domains_of_one_host_go_together() -> None:
    control, other = here(), there()
    async with opened(control, other) as screen:
        await screen.go_to("db01")
        await screen.press("t", "t")
        form = await evacuation(screen, "H")
        assert [one.domain.name for one in form._candidates] == ["db01", "files"]  # noqa: SLF001
        await screen.press("escape")
        await screen.go_to("mail")
        await screen.press("t", "H")
        assert screen.app.screen is screen.main
        assert any("one host at a time" in note for note in screen.notes)


@played
async def test_while_the_other_host_is_away_nothing_goes_there() -> None:
    control, other = here(), there()
    async with opened(control, other) as screen:
        await evacuation(screen)
        other.publish(replace(other.state, link=Link.LOST, link_since=NOW))
        await screen.press("enter", "enter")
        await screen.until(lambda: len(screen.app.runner.queue.waiting) == 2)
        assert "waits for the other host to be reached" in screen.painted(screen.main.queue_view)
        other.publish(replace(other.state, link=Link.LIVE))
        await screen.until(lambda: not screen.app.runner.queue.waiting)


@played
async def test_a_host_without_domains_has_nothing_to_evacuate() -> None:
    empty = FakeControl(HERE, replace(HostState(HERE), link=Link.LIVE, listed=True, hostname="host-a"))
    async with opened(empty) as screen:
        await screen.press("E")
        assert "There is no domain on host-a that could go." in screen.notes
