"""What is seldom asked for in the form of a snapshot: the very wish that the command line makes of the same words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual import events
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Button, Input

from tests.app_pilot import Screen, played
from tests.copy_facts import CAPACITY, IMAGE, NEW
from tests.fake_host import GIB, FakeControl, make_domain
from tests.hierarchy_facts import known
from tests.snapshot_view import DOMAIN, SNAPSHOTS, form_opened, host, last, live_plan, method
from tests.test_live_plan import NETWORK
from tests.test_snapshot_form import on_volume_and_raw, remark, words
from tui.app.dialogs.fields import Check, Choice, Field, More
from tui.app.dialogs.plan_view import PlanView
from tui.app.dialogs.snapshot import SnapshotForm
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.cli import arguments
from tui.cli.commands import WriteCommand
from tui.model.facts import ImageFacts
from tui.model.finding import Acceptance
from tui.model.methods import Method, Wish
from tui.model.plan import Plan
from tui.model.request import LiveSnapshotRequest, Request, SnapshotRequest

WIDE, NARROW = (120, 36), (80, 24)
BOTH = "--diskspec vda,mirror=/m --diskspec vdb,snapshot=external"


def by_command(line: str) -> Request:
    """What the command line asks for."""
    command = arguments.parse(("snapshot", "create", DOMAIN.name, "s1", *line.split())).command
    assert isinstance(command, WriteCommand)
    return command.wish(DOMAIN)


def put(form: SnapshotForm, name: str, value: str | bool) -> None:  # noqa: FBT001
    """Fill in the field of a name, ``_`` for the hyphens in it."""
    field = form.query_one(f"#{name.replace('_', '-')}", Widget)
    assert isinstance(field, Input | Choice | Check)
    field.value = value


async def filled_in(screen: Screen, form: SnapshotForm, **values: str | bool) -> None:
    """Fill in fields, and wait for the plan."""
    for name, value in {"name": "s1", **values}.items():
        put(form, name, value)
    await screen.pilot.pause()
    await screen.until(lambda: not form.checking)


def asked(form: SnapshotForm, *names: str) -> list[str]:
    """Those of the fields that mean something at present."""
    fields = {name: form.query_one(f"#{name}-field") for name in names}
    return [name for name, field in fields.items() if field.display and not field.disabled]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("--reuse-external", {"reuse": True}),
        ("--no-metadata", {"no_metadata": True}),
        ("--validate", {"validate": True}),
        (
            "--reuse-external --no-metadata --memspec /memory --diskspec vda,method=qemu,file=/o",
            {"reuse": True, "no_metadata": True, "memory": "/memory", "file_0": "/o"},
        ),
        (BOTH, {"mirror_0": " /m "}),
        (
            f"{BOTH} --reuse-external --validate --description why --bandwidth 5 --synchronous-writes",
            {
                "mirror_0": "/m",
                "reuse": True,
                "validate": True,
                "description": "why",
                "bandwidth": "5",
                "synchronous": True,
            },
        ),
        (
            "--diskspec vda,file=/o,mirror=/m --diskspec vdb,file=/p,mirror=/n",
            {"file_0": "/o", "mirror_0": "/m", "file_1": "/p", "mirror_1": "/n"},
        ),
        (
            "--diskspec vda,snapshot=no --diskspec vdb,mirror=/n",
            {"method_0": "no", "mirror_0": "/gone", "mirror_1": "/n"},
        ),
        # What has no effect there is not asked for.
        (
            f"{BOTH} --quiesce required --limit 7",
            {"no_metadata": True, "quiesce": "required", "pause": True, "limit": "7", "mirror_0": "/m"},
        ),
        (
            "--diskspec vda,method=no --diskspec vdb,method=no",
            {"reuse": True, "validate": True, "no_metadata": True, "method_0": "no", "method_1": "no"},
        ),
        ("", {"mirror_0": " ", "bandwidth": "x", "synchronous": True}),
    ],
)
@played
async def test_the_wish_is_that_of_the_command_line(line: str, values: dict[str, str | bool]) -> None:
    control = host()
    async with form_opened(control) as (screen, form):
        for name, value in {"name": "s1", **values}.items():
            put(form, name, value)
        wanted = by_command(line)
        await screen.until(lambda: control.requests[-1] == wanted and not form.checking)


@pytest.mark.parametrize("size", [WIDE, NARROW])
@played
async def test_by_keys_alone(size: tuple[int, int]) -> None:
    control = host()
    async with form_opened(control, size=size) as (screen, form):
        await filled_in(screen, form)
        more = form.query_one(More)
        assert more.render().plain == "▸ more options"
        assert not form.query_one("#options").display
        while not more.has_focus:
            await screen.press("tab")
        await screen.press("space")
        await screen.press("tab", *"/m")
        await screen.until(lambda: "Take the snapshot s1 of vda" in form.query_one(PlanView).plain)
        assert "/m" in form.query_one(PlanView).plain
        assert "2 in use" not in more.render().plain
        # Past the mirror of vdb and the limit.
        await screen.press("tab", "tab", "tab", "space", "tab", "space")
        assert "3 in use" in more.render().plain
        wanted = by_command(f"{BOTH} --synchronous-writes --reuse-external")
        await screen.until(lambda: control.requests[-1] == wanted)
        assert remark(form, "reuse") == "Files and mirrors are there, and say what they stand on."


@played
async def test_keys_that_come_at_once_are_for_what_had_the_focus() -> None:
    async with form_opened(host()) as (screen, form):
        await filled_in(screen, form, more=True)
        form.query_one("#quiesce").focus()
        keys = ("right", "tab", "space", "tab", "tab", "tab", "tab", "tab", "space", "tab", "space", "tab")
        for key in keys:
            screen.app.post_message(events.Key(key, " " if key == "space" else None))
        await screen.until(lambda: form.query_one("#validate").has_focus)
        assert form.query_one("#quiesce", Choice).value == "required"
        assert [form.query_one(f"#{name}", Check).value for name in ("pause", "reuse", "no-metadata")] == [
            True
        ] * 3


@played
async def test_of_what_no_method_is_proposed_for_one_can_be_chosen() -> None:
    domain = make_domain(disks=[NETWORK])
    async with form_opened(host((), domain=domain)) as (screen, form):
        await filled_in(screen, form)
        assert words(form, 0) == "○ manual  ○ skip"
        method(form, 0).focus()
        await screen.press("right")
        assert words(form, 0) == "● manual  ○ skip"


@pytest.mark.parametrize("size", [WIDE, NARROW])
@played
async def test_nothing_is_cut(size: tuple[int, int]) -> None:
    async with form_opened(host(), size=size) as (screen, form):
        await filled_in(screen, form, reuse=True, no_metadata=True, more=True)
        room = form.fields.content_region.right
        fields = [
            field for field in form.query("#options Check, #options .unit, #options Input") if field.display
        ]
        for field in fields:
            assert field.region.right <= room
        for number in (0, 1):
            entry = form.query_one(f"#mirror-{number}", Input)
            assert len(entry.placeholder) <= entry.content_size.width


@played
async def test_a_mirror_takes_what_it_does_not_go_with_out_of_view() -> None:
    control = host()
    names = ("memory", "quiesce", "pause", "limit", "no-metadata", "bandwidth", "synchronous", "reuse")
    still = ["quiesce", "limit"]
    async with form_opened(control) as (screen, form):
        await filled_in(screen, form)
        assert asked(form, *names) == ["memory", "quiesce", "pause", "limit", "no-metadata", "reuse"]
        form.query_one("#mirror-0", Input).value = "/m"
        await screen.until(lambda: asked(form, *names) == [*still, "bandwidth", "synchronous", "reuse"])
        assert "By qemu alone" in remark(form, "mirror-0")
        assert remark(form, "mirror-1") == ""
        await screen.until(lambda: words(form, 1) == "● qemu  ○ skip")
        assert "taken by qemu alone" in remark(form, "method-1")
        assert remark(form, "quiesce") == "File systems are frozen if the agent answers."
        assert "internal, lvm, btrfs, manual: a snapshot" in form.query_one(PlanView).plain
        assert form.plan is not None
        form.query_one("#mirror-0", Input).value = ""
        await screen.until(lambda: words(form, 1) == "● qemu  ○ internal  ○ manual  ○ skip")
        assert asked(form, *names) == ["memory", "quiesce", "pause", "limit", "no-metadata", "reuse"]


@played
async def test_what_cannot_be_with_a_mirror_is_refused_with_the_reason() -> None:
    control = host()
    async with form_opened(control) as (screen, form):
        form.query_one("#memory", Input).value = "/slow/memory"
        form.query_one("#mirror-0", Input).value = "/m"
        view = form.query_one(PlanView)
        await screen.until(lambda: "memory of the guest cannot be mirrored" in view.plain)
        assert asked(form, "memory") == ["memory"]
        assert form.query_one("#start", Button).disabled
        form.query_one("#memory", Input).value = ""
        await screen.until(lambda: form.plan is not None)
        assert asked(form, "memory") == []


def on_volume() -> FakeControl:
    """As there, and mirrored ones are planned too."""
    control, other = on_volume_and_raw(), host(domain=on_volume_and_raw().state.domains[0])
    planner, mirrored = control.planner, other.planner
    assert planner is not None
    assert mirrored is not None
    control.planner = lambda request: (
        mirrored(request) if isinstance(request, SnapshotRequest) else planner(request)
    )
    return control


@played
async def test_what_was_chosen_comes_back_with_what_can_be() -> None:
    control = on_volume()
    async with form_opened(control) as (screen, form):
        await filled_in(screen, form)
        assert asked(form, "mirror-0", "mirror-1") == []
        assert not form.query_one(More).display
        method(form, 0).value = Method.QEMU
        await screen.until(lambda: asked(form, "mirror-0", "mirror-1") == ["mirror-0"])
        form.query_one("#mirror-0", Input).value = "/m"
        # The other one, which nobody has chosen anything for, goes along.
        await screen.until(lambda: words(form, 1) == "● qemu  ○ skip")
        (wanted,) = {r for r in control.requests if isinstance(r, SnapshotRequest)}
        assert wanted == by_command(BOTH)
        form.query_one("#mirror-0", Input).value = ""
        await screen.until(lambda: "● btrfs" in words(form, 1))
        assert "● qemu" in words(form, 0)
        assert asked(form, "mirror-0", "mirror-1") == ["mirror-0"]
        await screen.until(lambda: not form.checking)
        request = control.requests[-1]
        assert isinstance(request, LiveSnapshotRequest)
        assert request.disks == (Wish("vda", Method.QEMU),)


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("field", ["mirror-0", "memory", "name"])
@played
async def test_nothing_moves_while_one_types(size: tuple[int, int], field: str) -> None:
    async with form_opened(on_volume(), size=size) as (screen, form):
        put(form, "method_0", "qemu")
        await filled_in(screen, form, more=True)

        def places() -> dict[str | None, Region]:
            return {widget.id: widget.region for widget in form.fields.query(Field) if widget.display}

        entry = form.query_one(f"#{field}", Input)
        entry.focus()
        entry.scroll_visible(animate=False)
        await screen.until(lambda: form.fields.region.contains_region(entry.region))
        before = places()
        # With the memory, and with a mirror, other methods are proposed for the second disk.
        for key in ("slash", "m", "backspace", "n" if field == "name" else "backspace"):
            await screen.press(key)
            assert places() == before
            await screen.until(lambda: not form.checking)
            assert places() == before


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize(
    ("field", "text"),
    [("mirror-1", "m"), ("file-0", "o"), ("bandwidth", "much")],
)
@played
async def test_what_is_wrong_is_said_under_its_field(size: tuple[int, int], field: str, text: str) -> None:
    async with form_opened(host(), size=size) as (screen, form):
        await filled_in(screen, form, mirror_0="/m")
        form.query_one(f"#{field}", Input).value = text
        await screen.until(lambda: form.query_one("#start", Button).disabled)
        assert remark(form, field).endswith(".")
        assert [remark(form, f"mirror-{n}") for n in (0, 1) if f"mirror-{n}" != field] != [
            remark(form, field)
        ]
        # What is folded away is unfolded.
        await screen.press("enter")
        await screen.until(lambda: form.query_one(f"#{field}", Input).has_focus)
        form.query_one(f"#{field}", Input).value = ""
        await screen.until(lambda: form.plan is not None)


@played
async def test_what_was_risked_at_one_place_is_not_risked_at_another() -> None:
    async with form_opened(host()) as (screen, form):
        await filled_in(screen, form, mirror_0="/m")
        risk = form.check(Acceptance.RISK_FULL_DESTINATION)
        risk.value = True
        await screen.until(lambda: form.accepted == {Acceptance.RISK_FULL_DESTINATION})
        form.query_one("#description", Input).value = "why"
        await screen.until(lambda: form.plan is not None)
        assert risk.value
        form.query_one("#mirror-0", Input).value = "/m2"
        await screen.until(lambda: not risk.value)


@played
async def test_an_overlay_that_holds_something_is_taken_only_when_that_is_accepted() -> None:
    control, image = host(), ImageFacts(CAPACITY, "/i/3", "qcow2", backing_exists=True)
    full = replace(IMAGE, allocated=GIB, image=image)

    def planner(request: Request) -> Plan:
        assert isinstance(request, LiveSnapshotRequest)
        return live_plan(request, DOMAIN, place=full if request.reuse_external else NEW)

    control.planner = planner
    async with form_opened(control) as (screen, form):
        start, accept = form.query_one("#start", Button), form.check(Acceptance.OVERWRITE_IMAGES)
        assert not start.disabled
        assert not accept.display
        await filled_in(screen, form, method_1="no", reuse=True)
        assert start.disabled
        assert accept.display
        accept.value = True
        await screen.until(lambda: not start.disabled)
        assert last(control).accepted == {Acceptance.OVERWRITE_IMAGES}
        # Of another name the overlay is another image.
        put(form, "name", "s2")
        await screen.until(lambda: not accept.value)
        await screen.until(lambda: not form.checking)
        assert start.disabled


@played
async def test_the_cursor_goes_to_what_was_taken_with_a_mirror() -> None:
    control = host()
    control.on_run = lambda _run: setattr(control, "view", host([*SNAPSHOTS, known("s1")]).view)
    async with form_opened(control) as (screen, form):
        await filled_in(screen, form, mirror_0="/m")
        await screen.press("enter", "enter")
        view = screen.app.screen
        assert isinstance(view, SnapshotsDialog)
        await screen.until(lambda: view.tree_view.current is not None and view.tree_view.current.name == "s1")
        (plan,) = [call[1] for call in control.calls if call[0] == "run"]
        assert plan.request == by_command(BOTH)
