"""Taking a whole chain along: the overlay, the images at the destination, what is copied into them."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from tui.engine import images
from tui.engine.errors import StepFailed
from tui.engine.steps import Left, happened, run, undo
from tui.model import tracking
from tui.model.chain_steps import CompareImages, CopyImage, MakeImage, TakeOverlay
from tui.model.finding import Finding, fine
from tui.model.request import Ending
from tui.model.snapshot import overlay_xml
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.steps import AwaitSync, EndJobs, RemoveDestination, StartCommit, Undo

if TYPE_CHECKING:
    from tui.engine.host import Host

CHUNK = 4 * 1024 * 1024
"""Bytes that are copied between two looks at whether anybody still waits."""


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
    try:
        host.connection().snapshot_disks(step.uuid, overlay_xml(overlays, step.others))
    finally:
        host.refresh(step.uuid)
    if host.wait_for(lambda _: True if happened(step, host) else None, timeout=_SEEN) is None:
        message = f"{step.domain} does not show the overlays that were made."
        raise StepFailed(message)
    return ()


_SEEN = 30.0
"""Seconds within which the definition shows what libvirt has done."""


@happened.register(TakeOverlay)
def _(step: TakeOverlay, host: Host) -> bool:
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
            remarks.append(f"{target} is back on {base}.")
        if isinstance(step, TakeSnapshot) and (step.reuse_external or (failed and not was_on)):
            # It was there before, or it is somebody else's: libvirt removes what it made for nothing.
            continue
        # Whether it is there is not seen on another machine.
        if (host.local or was_on) and _is_on(host, step.uuid, target, base):
            remarks += _removed(step, target, path, host, since)
    return remarks


def _is_on(host: Host, uuid: str, target: str, path: str) -> bool:
    domain = host.state.domain(uuid)
    return domain is not None and domain.is_on(target, path)


def _removed(
    step: TakeOverlay | TakeSnapshot | MakeImage, target: str, path: str, host: Host, since: float
) -> list[str]:
    """Remove what the step made, if it is there and nothing uses it."""
    if host.local and not os.path.lexists(path):
        return []
    removal = RemoveDestination(step.uuid, step.domain, target, path, since)
    return [finding.reason for finding in run(removal, host, threading.Event())]


# Images at the destination


@run.register(MakeImage)
def _(step: MakeImage, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    _insist_on_here(host)
    if os.path.lexists(step.path):
        message = f"{step.path} exists already and is not overwritten."
        raise StepFailed(message)
    images.create(step.path, step.format, step.size, step.backing, step.backing_format)
    if step.like is not None:
        _make_like(step.path, step.like)
    return ()


def _make_like(path: str, like: str) -> None:
    """Give an image the owner and mode of another one; libvirt labels both alike when a guest uses them."""
    try:
        status = os.stat(like)  # noqa: PTH116  the name stays as it is
        os.chmod(path, status.st_mode & 0o777)  # noqa: PTH101
        if os.geteuid() == 0:
            os.chown(path, status.st_uid, status.st_gid)
    except OSError as error:
        message = f"{path} could not be given the owner of {like}: {error.strerror}."
        raise StepFailed(message) from error


@happened.register(MakeImage)
def _(step: MakeImage, host: Host) -> bool:
    return host.local and os.path.lexists(step.path)


@undo.register(MakeImage)
def _(step: MakeImage, host: Host, since: float, *, failed: bool) -> list[str]:
    if failed and not happened(step, host):
        return []
    return _removed(step, step.target, step.path, host, since)


@run.register(CopyImage)
def _(step: CopyImage, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    _insist_on_here(host)
    _insist_on_idle(step, host)
    started = time.monotonic()
    try:
        amount = _fill(step, host, left)
    except OSError as error:
        message = f"{step.source} could not be copied to {step.path}: {error.strerror}."
        raise StepFailed(message) from error
    finally:
        host.apply(partial(tracking.with_copied, path=step.path, done=0, total=0))
    if step.backing is not None:
        images.rename_backing(step.path, step.format, step.backing, step.backing_format or "raw")
    took = time.monotonic() - started
    return (fine("image-copied", f"{step.source}: {amount} bytes copied in {took:.1f} s."),)


def _fill(step: CopyImage, host: Host, left: threading.Event) -> int:
    """Write a layer into the image that was made for it, in place, since that has its label already."""
    with open(step.source, "rb") as source, open(step.path, "r+b") as target:  # noqa: PTH123
        target.truncate(0)
        if images.cloned(source.fileno(), target.fileno()):
            return 0
        status = os.fstat(source.fileno())
        size, total = status.st_size, status.st_blocks * 512
        target.truncate(size)
        amount, started, at = 0, time.monotonic(), 0
        while (extent := _next_data(source.fileno(), at, size)) is not None:
            at, end = extent
            while at < end:
                if left.is_set():
                    raise Left
                copied = images.copy_range(source.fileno(), target.fileno(), at, min(CHUNK, end - at))
                at, amount = at + copied, amount + copied
                host.apply(partial(tracking.with_copied, path=step.path, done=amount, total=total))
                if step.bandwidth:
                    left.wait(max(0.0, amount / step.bandwidth - (time.monotonic() - started)))
        target.flush()
        os.fsync(target.fileno())
        return amount


def _next_data(file: int, at: int, size: int) -> tuple[int, int] | None:
    """The next part of a file that is no hole, from an offset on."""
    if at >= size:
        return None
    try:
        start = os.lseek(file, at, os.SEEK_DATA)
    except OSError:
        # ENXIO: nothing but a hole up to the end.
        return None
    return start, os.lseek(file, start, os.SEEK_HOLE)


@run.register(CompareImages)
def _(step: CompareImages, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    _insist_on_here(host)
    images.compare(step.source, step.path, step.format, left)
    if left.is_set():
        raise Left
    return (fine("images-equal", f"{step.path} holds the same as {step.source}."),)


@happened.register(CopyImage)
@happened.register(CompareImages)
def _(step: CopyImage | CompareImages, host: Host) -> bool:  # noqa: ARG001
    # Once more does no harm, and half of it would.
    return False


def _insist_on_idle(step: CopyImage, host: Host) -> None:
    """Somebody may have pivoted meanwhile, without asking: what a guest runs on must never be written over."""
    users = [
        f"{domain.name} {disk.target}"
        for domain in host.state.domains
        for disk in domain.disks
        if step.path in disk.chain.local_paths
    ]
    if users:
        message = f"{step.path} is in use by {', '.join(users)} already, and is not written to."
        raise StepFailed(message)


def _insist_on_here(host: Host) -> None:
    if not host.local:
        message = "Images can be handled on this machine only."
        raise StepFailed(message)
