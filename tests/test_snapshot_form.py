"""The form of a snapshot: the methods that each disk can have, and what the fields make of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual import events
from textual.widgets import Button, Input

from tests.app_pilot import played
from tests.copy_facts import facts
from tests.dialogs import HOSTILE
from tests.fake_host import FakeControl, make_chain, make_disk, make_domain
from tests.snapshot_view import DOMAIN, UUID, form_opened, host, last, method
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.plan_view import PlanView
from tui.app.dialogs.snapshot import SnapshotForm
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.model.live_case import DiskFacts, LiveFacts, LogicalVolume
from tui.model.live_plan import plan_live_snapshot
from tui.model.methods import Method, Quiesce, Wish
from tui.model.plan import Plan
from tui.model.request import LiveSnapshotRequest, Request


def words(form: SnapshotForm, number: int) -> str:
    return method(form, number).render().plain


def remark(form: SnapshotForm, name: str) -> str:
    return form.query_one(f"#{name}-field", Field).remark


@played
async def test_what_fits_is_offered_and_what_does_not_says_why() -> None:
    control = host()
    async with form_opened(control) as (_screen, form):
        assert words(form, 0) == "● qemu  ○ internal  ○ manual  ○ skip"
        assert "Proposed: QEMU takes it at once" in remark(form, "method-0")
        plan = form.query_one(PlanView).plain
        assert "lvm: vda is no volume of a logical pool" in plan
        assert "btrfs: the file system of vda cannot let files share blocks" in plan
        # A drive that nothing is ever new on is not asked for.
        assert len(form.query(Choice)) == 2 + 2
        name = form.query_one("#name", Input).value
        assert name
        assert "/" not in name
        assert control.requests == [LiveSnapshotRequest(UUID, name)]
        assert "nobody" not in form.query_one(PlanView).plain
        assert "Hold the state of vda and vdb" in form.query_one(PlanView).plain


def on_volume_and_raw() -> FakeControl:
    """A host on which the first disk is a logical volume, and the second a raw file that can share blocks."""
    raw = replace(make_disk("vdb", "/slow/vdb.raw"), chain=make_chain("/slow/vdb.raw", format="raw"))
    domain = make_domain(disks=[make_disk("vda", "/slow/vda.qcow2"), raw])
    control = host(domain=domain)

    def planner(request: Request) -> Plan:
        assert isinstance(request, LiveSnapshotRequest)
        copies = {d.target: replace(facts(d), domain=domain) for d in domain.disks}
        disks = {
            "vda": DiskFacts(copies["vda"], logical=LogicalVolume("vg", "vda", 1 << 40)),
            "vdb": DiskFacts(copies["vdb"], shares_blocks=True),
        }
        known = LiveFacts(domain, disks=disks, overlays=copies, reached=True)
        return replace(plan_live_snapshot(request, known, "p9", 0.0), request=request)

    control.planner = planner
    return control


@played
async def test_a_logical_volume_and_a_raw_file_that_shares_blocks_are_proposed_as_such() -> None:
    control = on_volume_and_raw()
    async with form_opened(control) as (_screen, form):
        assert "● lvm" in words(form, 0)
        assert "● btrfs" in words(form, 1)
        assert "its pool keeps the state" in remark(form, "method-0")
        # Nothing is asked anew because of what was offered.
        assert [
            request.disks for request in control.requests if isinstance(request, LiveSnapshotRequest)
        ] == [()]


@played
async def test_every_choice_is_in_the_request() -> None:
    control = host()
    async with form_opened(control) as (screen, form):
        assert not form.query_one("#command-field").display
        form.query_one("#name", Input).value = "before [it]"
        form.query_one("#description", Input).value = "why"
        method(form, 0).value = Method.MANUAL
        method(form, 1).value = Method.NO
        form.query_one("#quiesce", Choice).value = Quiesce.NO
        form.query_one("#pause", Check).value = True
        form.query_one("#limit", Input).value = "7.5"
        await screen.pilot.pause()
        assert form.query_one("#command-field").display
        assert "By your own command" in remark(form, "method-0")
        assert remark(form, "command").startswith("Empty: ")
        form.query_one("#command", Input).value = "sync"
        await screen.until(lambda: form.plan is not None)
        assert last(control) == LiveSnapshotRequest(
            UUID,
            "before [it]",
            description="why",
            disks=(Wish("vda", Method.MANUAL), Wish("vdb", Method.NO)),
            quiesce=Quiesce.NO,
            pause=True,
            limit=7.5,
            command="sync",
        )


@played
async def test_what_has_no_effect_is_not_asked_for() -> None:
    control = host()
    async with form_opened(control) as (screen, form):

        def asked() -> list[str]:
            names = ("memory", "quiesce", "pause", "limit")
            return [name for name in names if not form.query_one(f"#{name}-field").disabled]

        assert asked() == ["memory", "quiesce", "pause", "limit"]
        form.query_one("#quiesce", Choice).value = Quiesce.REQUIRED
        form.query_one("#memory", Input).value = "/slow/memory"
        form.query_one("#limit", Input).value = "soon"
        await screen.until(lambda: asked() == ["memory", "pause"])
        await screen.until(lambda: last(control).memory == "/slow/memory")
        assert last(control).quiesce is Quiesce.AUTO
        form.query_one("#pause", Check).value = True
        await screen.until(lambda: asked() == ["memory", "pause", "limit"])
        assert remark(form, "limit")
        for number in (0, 1):
            method(form, number).value = Method.INTERNAL
        await screen.until(lambda: asked() == [])
        await screen.until(lambda: last(control).disks == (INSIDE, replace(INSIDE, target="vdb")))
        assert last(control) == LiveSnapshotRequest(UUID, last(control).name, disks=last(control).disks)
        assert "with the memory" in remark(form, "method-0")


INSIDE = Wish("vda", Method.INTERNAL)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_no_plan_stands_beside_what_is_wrong(size: tuple[int, int]) -> None:
    async with form_opened(host(), size=size) as (screen, form):
        view = form.query_one(PlanView)
        assert "Hold the state of vda and vdb" in view.plain
        form.query_one("#name", Input).value = ""
        await screen.until(lambda: "A snapshot needs a name." in view.plain)
        assert "Hold the state" not in view.plain
        await screen.press("f2", "enter")
        await screen.until(lambda: form.query_one("#name", Input).has_focus)
        form.query_one("#name", Input).value = "s1"
        await screen.until(lambda: "Hold the state of vda and vdb" in view.plain)


@played
async def test_keys_that_come_at_once_act_one_after_the_other() -> None:
    async with form_opened(host()) as (screen, form):
        form.query_one("#name", Input).focus()
        for key in ("ctrl+u", "n", "e", "v", "backspace", "w"):
            screen.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await screen.until(lambda: form.query_one("#name", Input).value == "new")


@played
async def test_where_each_disk_goes_is_proposed_and_can_be_chosen() -> None:
    control = on_volume_and_raw()
    async with form_opened(control) as (screen, form):

        def text(name: str) -> Input:
            return form.query_one(f"#{name}", Input)

        def asked(name: str) -> bool:
            field = form.query_one(f"#{name}-field")
            return field.display and not field.disabled

        form.query_one("#name", Input).value = "s1"
        await screen.until(lambda: text("file-1").placeholder == "/slow/vdb.s1")
        assert (text("volume-0").placeholder, text("size-0").placeholder) == ("vda-s1", "819 MiB")
        assert [asked(name) for name in ("file-0", "volume-0", "size-0")] == [False, True, True]
        assert [asked(name) for name in ("file-1", "volume-1", "size-1")] == [True, False, False]
        text("volume-0").value, text("size-0").value = "mine", "2G"
        text("file-1").value = " /slow/other "
        await screen.until(lambda: len(last(control).disks) == 2)
        wishes = (
            Wish("vda", Method.LVM, volume="mine", size=2 << 30),
            Wish("vdb", Method.BTRFS, "/slow/other"),
        )
        assert last(control).disks == wishes
        # What was filled in for another method does not count.
        method(form, 0).value = Method.QEMU
        await screen.until(lambda: last(control).disks[0] == Wish("vda", Method.QEMU))
        assert asked("file-0")


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_of_a_long_place_both_ends_are_seen(size: tuple[int, int]) -> None:
    directory = "/" + "d" * 100
    domain = make_domain(disks=[make_disk("vda", f"{directory}/vda.qcow2")])
    async with form_opened(host((), domain=domain), size=size) as (screen, form):
        form.query_one("#name", Input).value = "s1"
        field = form.query_one("#file-0", Input)
        await screen.until(lambda: field.placeholder.endswith("/vda.s1"))
        assert field.placeholder.startswith("/dd")
        assert len(field.placeholder) == field.content_size.width


@played
async def test_with_the_memory_overlays_are_proposed() -> None:
    control = on_volume_and_raw()
    async with form_opened(control) as (screen, form):
        assert "● lvm" in words(form, 0)
        form.query_one("#memory", Input).value = "/slow/memory"
        await screen.until(lambda: "● qemu" in words(form, 0) and "● qemu" in words(form, 1))
        assert last(control).memory == "/slow/memory"
        assert last(control).disks == ()
        assert "only together with overlays" in remark(form, "method-0")


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_a_size_that_is_none_is_said_under_its_field(size: tuple[int, int]) -> None:
    control = on_volume_and_raw()
    async with form_opened(control, size=size) as (screen, form):
        form.query_one("#size-0", Input).value = "much"
        await screen.pilot.pause()
        assert "a size is a whole number" in remark(form, "size-0").lower()
        assert form.query_one("#start", Button).disabled
        await screen.press("enter")
        assert form.query_one("#size-0", Input).has_focus
        form.query_one("#size-0", Input).value = ""
        await screen.until(lambda: remark(form, "size-0") == "")


@pytest.mark.parametrize(
    ("field", "text"),
    [("name", " "), ("memory", "here"), ("limit", "soon"), ("limit", "0"), ("limit", "1e9")],
)
@played
async def test_what_is_wrong_is_said_under_its_field(field: str, text: str) -> None:
    control = host()
    async with form_opened(control) as (screen, form):
        form.query_one(f"#{field}", Input).value = text
        await screen.pilot.pause()
        assert remark(form, field)
        assert form.query_one("#start", Button).disabled
        await screen.press("tab", "enter")
        assert form.query_one(f"#{field}", Input).has_focus
        assert len(control.requests) == 1


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("ascii_only", [False, True])
@played
async def test_hostile_text(text: str, ascii_only: bool) -> None:  # noqa: FBT001
    domain = make_domain(text, disks=[make_disk(text, f"/{text}"), make_disk("vdb", "/b")])
    control = host((), domain=domain)
    async with form_opened(control, size=(80, 24), ascii_only=ascii_only) as (screen, form):
        assert isinstance(form, SnapshotForm)
        form.query_one("#name", Input).value = "s1"
        await screen.until(lambda: not form.checking)
        await screen.press("f2", "f2", "escape")
        assert isinstance(screen.app.screen, SnapshotsDialog)


def test_the_plan_tells_what_each_disk_can_have() -> None:
    control = host()
    plan = control.plan(LiveSnapshotRequest(UUID, "s1"))
    assert [(offer.target, offer.proposed) for offer in plan.offers] == [
        ("vda", Method.QEMU),
        ("vdb", Method.QEMU),
    ]
    assert plan.offers[0].fit == (Method.QEMU, Method.INTERNAL, Method.MANUAL, Method.NO)
    assert dict(plan.offers[0].unfit)[Method.LVM] == "vda is no volume of a logical pool of this host"
    assert DOMAIN.disk("hdc") is not None
