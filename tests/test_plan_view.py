"""A plan that is longer than the window: that there is more is said, and all of it can be reached."""

from __future__ import annotations

from typing import Any

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from tests.dialogs import a_plan, in_dialog
from tests.fake_host import FakeControl, make_state
from tests.mirror_form import a_domain, in_form, settle
from tests.settled import until
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.fields import Check
from tui.app.dialogs.flow import Flow, Line
from tui.app.dialogs.mirror import MirrorForm
from tui.app.dialogs.plan_view import HANG, PlanView, plan_lines, xml_line
from tui.app.glyphs import UNICODE
from tui.model.finding import fine
from tui.model.plan import Plan

SIZES = [(80, 24), (120, 36)]


def long_plan() -> Plan:
    return a_plan(findings=tuple(fine(f"f{n}", f"All is well with the part {n}.") for n in range(60)))


def above(dialog: Screen[Any]) -> str:
    return str(dialog.query_one(".above", Static).render())


def hint(dialog: Screen[Any]) -> str:
    return str(dialog.query_one(".hint", Static).render())


@pytest.mark.parametrize("size", SIZES)
def test_what_is_out_of_view_is_named_and_can_be_paged_to(size: tuple[int, int]) -> None:
    async def act(pilot: Pilot[None], dialog: ConfirmPlan) -> None:
        await until(pilot, lambda: "more lines (pgdn): What, Steps, By hand" in above(dialog))
        for _ in range(20):
            await pilot.press("pagedown")
        await until(pilot, lambda: above(dialog) == "")
        view = dialog.query_one(PlanView)
        assert view.scroll_y == view.max_scroll_y > 0
        await pilot.press("pageup")
        await until(pilot, lambda: "more lines" in above(dialog))
        assert dialog.focused is dialog.query_one("#leave")

    in_dialog(lambda: ConfirmPlan(long_plan(), "h", verb="Pivot"), act, size=size)


def test_of_a_short_plan_nothing_is_out_of_view() -> None:
    async def act(pilot: Pilot[None], dialog: ConfirmPlan) -> None:
        await pilot.pause()
        assert above(dialog) == ""

    in_dialog(lambda: ConfirmPlan(a_plan(), "h", verb="Pivot"), act)


@pytest.mark.parametrize("size", SIZES)
def test_a_form_names_the_key_to_its_plan_wherever_the_focus_is(size: tuple[int, int]) -> None:
    control = FakeControl(states=make_state(a_domain()))
    control.planner = lambda _: long_plan()

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        assert "f2 plan" in hint(form)
        form.query(Check).first().focus()
        await until(pilot, lambda: "yes/no" in hint(form))
        assert "f2 plan" in hint(form)
        await pilot.press("f2")
        await until(pilot, lambda: "f2 choices  c copy" in hint(form))
        await until(pilot, lambda: "Steps" in above(form))
        room = form.query_one(".hint", Static).size.width
        assert len(hint(form)) <= room

    in_form(act, control=control, domain=a_domain(), size=size)


def test_a_form_pages_its_plan_while_it_is_filled_in() -> None:
    control = FakeControl(states=make_state(a_domain()))
    control.planner = lambda _: long_plan()

    async def act(pilot: Pilot[None], form: MirrorForm) -> None:
        await settle(pilot, form)
        view, focused = form.query_one(PlanView), form.focused
        await pilot.press("pagedown")
        await until(pilot, lambda: view.scroll_y > 0)
        assert form.focused is focused

    in_form(act, control=control, domain=a_domain())


LONG = "/var/lib/libvirt/images/customers/of-the-north"
XML = f"""<disk type='file'>
  <source file='{LONG}/{LONG}/a.qcow2'/>
</disk>"""


@pytest.mark.parametrize("size", SIZES)
def test_what_is_too_wide_is_broken_at_its_joints_and_set_in(size: tuple[int, int]) -> None:
    plan = a_plan(findings=(fine("f", f"No disk uses {LONG}/{LONG}/{LONG}/vda.qcow2."),))
    command = f"cp {LONG}/{LONG}/{LONG}/vda.qcow2 {LONG}/b.qcow2 --sparse=always --reflink=auto --verbose"
    by_hand = Line(Content("$ "), Content(command), HANG)

    async def act(pilot: Pilot[None], dialog: ConfirmPlan) -> None:
        view = dialog.query_one(PlanView)
        view.show([*plan_lines(plan, UNICODE, "h"), by_hand, *map(xml_line, XML.splitlines())])
        await pilot.pause()
        flow = view.query_one(Flow)
        rows = [row.plain for row in flow.laid_out(flow.content_size.width)]
        assert rows[1] == "✓ No disk uses"
        assert rows[2].startswith("  /var")
        assert rows[2].endswith("/")
        command_at = next(n for n, row in enumerate(rows) if row.startswith("$ cp"))
        xml_at = rows.index("<disk type='file'>")
        assert all(row.startswith("    ") and row[4] != " " for row in rows[command_at + 1 : xml_at])
        assert rows[xml_at + 1] == "  <source"
        assert all(row.startswith("    ") and row[4] != " " for row in rows[xml_at + 2 : -1])

    in_dialog(lambda: ConfirmPlan(plan, "h", verb="Pivot"), act, size=size)
