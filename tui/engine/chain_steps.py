"""Taking a whole chain along: the overlay, the images at the destination, what is copied into them."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from tui.engine.errors import StepFailed
from tui.engine.quiescing import frozen
from tui.engine.room import crawling
from tui.engine.steps import Left, await_shown, happened, reasons, run, telling, undo
from tui.model import tracking
from tui.model.begin_steps import StartCommit
from tui.model.chain_steps import CompareImages, CopyImages, MakeImage, TakeOverlay
from tui.model.figures import Figures
from tui.model.finding import Finding, fine
from tui.model.quantity import size
from tui.model.request import Ending
from tui.model.snapshot import overlay_xml
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.steps import AwaitSync, EndJobs, RemoveDestination, Undo

if TYPE_CHECKING:
    from tui.engine.files import Files
    from tui.engine.host import Host


@run.register(Undo)
def _(step: Undo, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    return tuple(fine("undone", reason) for reason in undo(step.step, host, step.since, failed=step.failed))


@happened.register(Undo)
def _(step: Undo, host: Host) -> bool:  # noqa: ARG001
    # What is undone already is not undone again: the step looks by itself.
    return False


# The overlay


@run.register(TakeOverlay)
def _(step: TakeOverlay, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    overlays = dict(zip(step.targets, step.paths, strict=True))
    found: list[Finding] = []
    try:
        with telling(found), frozen(host, step.uuid, step.domain, found) if step.quiesce else nullcontext():
            host.connection().snapshot_disks(step.uuid, overlay_xml(overlays, step.others))
    finally:
        host.refresh(step.uuid)
    await_shown(step, host, "the overlays that were made")
    return tuple(found)


@happened.register(TakeOverlay)
@happened.register(TakeSnapshot)
def _(step: TakeOverlay | TakeSnapshot, host: Host) -> bool:
    return all(_is_on(host, step.uuid, t, path) for t, path in zip(step.targets, step.paths, strict=True))


@undo.register(TakeOverlay)
def take_back_overlays(
    step: TakeOverlay | TakeSnapshot, host: Host, since: float, *, failed: bool
) -> list[str]:
    """Merge what is in overlays back into what they stand on, and remove those that were made."""
    remarks = []
    waits = threading.Event()
    for target, path, base, xml in zip(step.targets, step.paths, step.bases, step.base_xmls, strict=True):
        was_on = _is_on(host, step.uuid, target, path)
        if was_on:
            commit = StartCommit(
                step.uuid, step.domain, target, target, base, base, xml, paths=(path,), active=True
            )
            run(commit, host, waits)
            run(AwaitSync(step.uuid, step.domain, target), host, waits)
            run(EndJobs(step.uuid, step.domain, (target,), Ending.PIVOT), host, waits)
            host.apply(
                partial(tracking.with_taken_back, uuid=step.uuid, target=target, overlay=path, base=base)
            )
            remarks.append(f"{target} is back on {base}.")
        if isinstance(step, TakeSnapshot) and (step.reuse_external or (failed and not was_on)):
            # It was there before, or it is somebody else's: libvirt removes what it made for nothing.
            continue
        # Whether it is there is not seen on another machine.
        if (host.files is not None or was_on) and _is_on(host, step.uuid, target, base):
            remarks += removed(step, target, path, host, since)
    return remarks


def _is_on(host: Host, uuid: str, target: str, path: str) -> bool:
    domain = host.state.domain(uuid)
    return domain is not None and domain.is_on(target, path)


def removed(
    step: TakeOverlay | TakeSnapshot | MakeImage, target: str, path: str, host: Host, since: float
) -> list[str]:
    """Remove what the step made, if it is there and nothing uses it."""
    if host.files is not None and not host.files.existing([path]):
        return []
    return reasons(RemoveDestination(step.uuid, step.domain, target, path, since), host)


# Images at the destination


@run.register(MakeImage)
def _(step: MakeImage, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    reached_files(host).make(step)
    return ()


@happened.register(MakeImage)
def _(step: MakeImage, host: Host) -> bool:
    return host.files is not None and host.files.made(step)


@undo.register(MakeImage)
def _(step: MakeImage, host: Host, since: float, *, failed: bool) -> list[str]:
    if failed and not happened(step, host):
        return []
    return removed(step, step.target, step.path, host, since)


@run.register(CopyImages)
def _(step: CopyImages, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    files = reached_files(host)
    _insist_on_idle(step, host)
    started = time.monotonic()

    def tell(path: str, done: int, total: int) -> None:
        at = time.monotonic()
        host.apply(partial(tracking.with_copied, path=path, done=done, total=total, at=at))

    filled = False
    try:
        amount = files.fill(step.images, step.bandwidth, tell, crawling(files, host, step.domain), left)
        filled = not left.is_set()
    finally:
        if not filled:
            host.apply(partial(tracking.without_copied, paths=[image.path for image in step.images]))
    if not filled:
        raise Left
    for image in step.images:
        files.rename_backing(image)
    took = time.monotonic() - started
    return (fine("images-copied", f"{size(amount)} copied in {took:.1f} s.", Figures(disks=amount)),)


@run.register(CompareImages)
def _(step: CompareImages, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    reached_files(host).compare(step.source, step.path, step.format, left)
    if left.is_set():
        raise Left
    return (fine("images-equal", f"{step.path} holds the same as {step.source}."),)


@happened.register(CopyImages)
@happened.register(CompareImages)
def _(step: CopyImages | CompareImages, host: Host) -> bool:  # noqa: ARG001
    # Once more does no harm, and half of it would.
    return False


def _insist_on_idle(step: CopyImages, host: Host) -> None:
    """Somebody may have pivoted meanwhile, without asking: what a guest runs on must never be written over."""
    for image in step.images:
        users = [
            f"{domain.name} {disk.target}"
            for domain in host.state.domains
            for disk in domain.disks
            if image.path in disk.chain.local_paths
        ]
        if users:
            message = f"{image.path} is in use by {', '.join(users)} already, and is not written to."
            raise StepFailed(message)


def reached_files(host: Host) -> Files:
    """The images of a host.

    Raises:
        StepFailed: when nobody can handle them from here.
    """
    if host.files is None:
        message = "Images can be handled on this machine and through ssh only."
        raise StepFailed(message)
    return host.files
