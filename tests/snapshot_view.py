"""What the tests of the snapshot view share: a host with a tree of snapshots, and the view over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from textual.content import Content

from tests.app_pilot import Screen, opened
from tests.copy_facts import NEW, facts
from tests.fake_host import GIB, MIB, NOW, FakeControl, default_plan, make_disk, make_domain, make_state
from tests.hierarchy_facts import known
from tests.snapshot_facts import facts as taken_facts
from tui.app.dialogs.fields import Choice
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.snapshot import SnapshotForm
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.engine.control import Control
from tui.model.domain import Domain
from tui.model.facts import PathFacts
from tui.model.hierarchy import KnownSnapshot, SnapshotView, arranged
from tui.model.hierarchy_noted import notes_of, with_noted
from tui.model.hierarchy_rows import TreeRow
from tui.model.live_case import DiskFacts, LiveFacts
from tui.model.live_plan import plan_live_snapshot
from tui.model.plan import Plan
from tui.model.request import LiveSnapshotRequest, Request, SnapshotRequest
from tui.model.snapshot_plan import plan_snapshot

VDA = make_disk("vda", "/i/3", "/i/2", "/i/base")
VDB = make_disk("vdb", "/slow/vdb.qcow2")
DOMAIN = make_domain(disks=[VDA, VDB, make_disk("hdc", "/iso/x", readonly=True)])
UUID = DOMAIN.uuid
SNAPSHOTS = (
    known("install", overlay="/i/2", created=1_700_000_000, description="As it came"),
    known(
        "upgrade",
        "install",
        base="/i/2",
        overlay="/i/3",
        base_format="qcow2",
        created=1_700_100_000,
        current=True,
    ),
    known("other", "install", base="/i/2", overlay="/i/9", created=1_700_050_000),
    known("inside", "other", kind="internal", created=1_700_060_000),
)
SIZES = {"/i/3": 3 * MIB, "/i/2": 300 * MIB, "/i/base": 2 * GIB}


def host(
    snapshots: Iterable[KnownSnapshot] = SNAPSHOTS, *, domain: Domain = DOMAIN, read_only: bool = False
) -> FakeControl:
    """A host with these snapshots, which plans as the real one does of the new ones."""
    control = FakeControl(states=make_state(domain), read_only=read_only)
    control.view = SnapshotView(domain, with_noted(arranged(snapshots), notes_of(domain)), SIZES)

    def planner(request: Request) -> Plan:
        if isinstance(request, LiveSnapshotRequest):
            return live_plan(request, domain)
        if isinstance(request, SnapshotRequest):
            return replace(plan_snapshot(request, taken_facts(domain, request), "p7"), request=request)
        return replace(default_plan(request, control.state, control.findings), request=request, findings=())

    control.planner = planner
    return control


def live_plan(request: LiveSnapshotRequest, domain: Domain, *, place: PathFacts = NEW) -> Plan:
    """The real plan, of files that can share no blocks, and of overlays that find ``place``."""
    copies = {disk.target: replace(facts(disk), domain=domain) for disk in domain.disks}
    disks = {target: DiskFacts(copy, shares_blocks=False) for target, copy in copies.items()}
    overlays = {target: replace(copy, destination=place) for target, copy in copies.items()}
    known_of = LiveFacts(domain, disks=disks, overlays=overlays, reached=True)
    return replace(plan_live_snapshot(request, known_of, "p9", NOW), request=request)


async def view_of(screen: Screen) -> SnapshotsDialog:
    """Open the view and wait until it has been read."""
    await screen.press("s")
    view = screen.app.screen
    assert isinstance(view, SnapshotsDialog)
    await screen.until(lambda: view.view is not None)
    await screen.pilot.pause()
    return view


async def form_of(screen: Screen) -> SnapshotForm:
    """Open the form from the view, and wait for its first plan."""
    await screen.press("n")
    form = screen.app.screen
    assert isinstance(form, SnapshotForm)
    await screen.until(lambda: not form.checking)
    return form


@asynccontextmanager
async def form_opened(control: Control, **options: Any) -> AsyncIterator[tuple[Screen, SnapshotForm]]:
    """The application with the form in view, and its first plan; ``options`` are those of ``opened``."""
    async with opened(control, **options) as screen:
        await view_of(screen)
        yield screen, await form_of(screen)


def last(control: FakeControl) -> LiveSnapshotRequest:
    """What was asked for last."""
    request = control.requests[-1]
    assert isinstance(request, LiveSnapshotRequest)
    return request


def method(form: SnapshotForm, number: int) -> Choice:
    """By what the disk of that number is to be held."""
    return form.query_one(f"#method-{number}", Choice)


def drawn(view: SnapshotsDialog, screen: Screen) -> list[str]:
    """The tree as it is painted."""
    lines = [line.rstrip() for line in screen.painted(view.tree_view).splitlines()]
    return [line for line in lines if line]


def details(view: SnapshotsDialog) -> str:
    return view.query_one("#details Flow", Flow).plain


def title(view: SnapshotsDialog) -> str:
    return str(view.query_one("#title").render())


def put_on(view: SnapshotsDialog, name: str | None) -> None:
    view.tree_view.move_to(next(n for n, one in enumerate(view.tree_view.items) if one.known_name == name))


def names_drawn(view: SnapshotsDialog) -> list[str | None]:
    """A list to which the name of each line of the tree is added when it is drawn."""
    names: list[str | None] = []
    draw = view.tree_view.draw

    def noted(item: TreeRow, line: int, width: int) -> Content:
        names.append(item.known_name)
        return draw(item, line, width)

    view.tree_view.draw = noted  # type: ignore[method-assign]
    return names
