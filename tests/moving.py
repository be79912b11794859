"""A move of two disks in the middle of its way: vda with the layers below it, vdb as one image."""

from __future__ import annotations

from dataclasses import replace

from tests.fake_host import GIB, NOW, make_disk, make_domain, make_job, make_state, uuid_of
from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import CompareImages, CopyImages, ImageCopy, MakeImage, TakeOverlay
from tui.model.domain import Domain
from tui.model.host import HostState
from tui.model.job import Job, Phase, Progress
from tui.model.journal import STALE_AFTER, Entry
from tui.model.request import Ending
from tui.model.steps import AwaitSync, EndJobs, Step

NAME = "db01"
UUID = uuid_of(NAME)
PLAN = "p-move"
LAYERS = ("/fast/base.qcow2", "/fast/top.qcow2")
COPYING, COMPARING, SYNCING, ENDING = 4, 5, 6, 8
"""How far the move is: the index of the step that is being done."""


def move_domain() -> Domain:
    disks = [make_disk("vda", "/slow/over.qcow2", "/slow/top.qcow2"), make_disk("vdb")]
    return make_domain(NAME, disks=disks)


def move_steps() -> tuple[Step, ...]:
    images = tuple(ImageCopy(path.replace("fast", "slow"), path, "qcow2") for path in LAYERS)
    return (
        TakeOverlay(UUID, NAME, ("vda",), ("/slow/over.qcow2",), ("/slow/top.qcow2",), ("<disk/>",)),
        MakeImage(UUID, NAME, "vda", "/fast/over.qcow2", "qcow2", GIB),
        StartCopy(UUID, NAME, "vda", "/slow/over.qcow2", "/fast/over.qcow2", "<disk/>", creates=False),
        StartCopy(UUID, NAME, "vdb", "/slow/vdb.qcow2", "/fast/vdb.qcow2", "<disk/>", creates=True),
        CopyImages(UUID, NAME, ("vda",), images),
        CompareImages(UUID, NAME, "vda", "/slow/top.qcow2", LAYERS[1], "qcow2"),
        AwaitSync(UUID, NAME, "vda"),
        AwaitSync(UUID, NAME, "vdb"),
        EndJobs(UUID, NAME, ("vda", "vdb"), Ending.PIVOT),
    )


def move_jobs(*, flat: Progress | None = None) -> tuple[Job, Job]:
    """The mirror of the overlay, in sync, and that of the other disk, which is too unless it says how far it is."""
    over = make_job(NAME, "vda", phase=Phase.IN_SYNC, plan=PLAN, cur=GIB, end=GIB, number=1)
    phase = Phase.COPYING if flat else Phase.IN_SYNC
    other = make_job(NAME, "vdb", phase=phase, plan=PLAN, progress=flat, cur=2 * GIB, end=2 * GIB, number=2)
    return (over, other)


def moving(
    reached: int = COPYING,
    *done: int,
    flat: Progress | None = None,
    stale: bool = False,
    title: str = "Move vda and vdb of db01 to /fast",
) -> HostState:
    """The move at a step; so many GiB of 4 are ``done`` of each of the layers, where anybody knows."""
    heartbeat = NOW - STALE_AFTER - 1 if stale else NOW
    entry = Entry(PLAN, UUID, title, move_steps(), reached, "me", NOW - 100, heartbeat)
    state = make_state(move_domain(), jobs=move_jobs(flat=flat))
    files = {path: (amount * GIB, 4 * GIB) for path, amount in zip(LAYERS, done, strict=False)}
    return replace(state, entries=(entry,), files=files)


def moving_flat() -> HostState:
    """Two disks on their way to another place, each as one image, by a plan that is carried out."""
    places = {target: f"/fast/{target}.qcow2" for target in ("vda", "vdb")}
    starts = (
        StartCopy(UUID, NAME, target, f"/slow/{target}.qcow2", place, "<disk/>", creates=True)
        for target, place in places.items()
    )
    steps: tuple[Step, ...] = (*starts, *(AwaitSync(UUID, NAME, target) for target in places))
    entry = Entry(PLAN, UUID, f"Move vda and vdb of {NAME} to /fast", steps, 2, "me", NOW - 100, NOW)
    disks = [make_disk(target) for target in places]
    jobs = [make_job(NAME, target, plan=PLAN, number=n) for n, target in enumerate(places, start=1)]
    return replace(make_state(make_domain(NAME, disks=disks), jobs=jobs), entries=(entry,))
