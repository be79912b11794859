"""Holding the state of all disks at one instant, noting what holds it, and taking it back."""

from __future__ import annotations

import os
import posixpath
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tui.engine import journal
from tui.engine.chain_steps import reached_files
from tui.engine.errors import HostError, JobCancelled, NoConnection, StepFailed
from tui.engine.quiescing import frozen, limited, paused
from tui.engine.steps import happened, reasons, run, telling, undo
from tui.engine.volume_steps import made_volume
from tui.model.awaited import Awaited
from tui.model.file_volume import clone_xml, parse_file_volume
from tui.model.finding import Finding, Severity, fine
from tui.model.host import HostState
from tui.model.live_steps import (
    Clone,
    DropHeld,
    NoteSnapshot,
    SnapshotVolume,
    TakeInternal,
    TakeTogether,
    snapshot_volume_xml,
)
from tui.model.methods import Quiesce
from tui.model.steps import RemoveDestination
from tui.model.text import printable
from tui.model.volume_steps import RemoveVolume
from tui.model.xml import InvalidXML

if TYPE_CHECKING:
    from tui.engine.host import Host

_MAX_REASON = 300


@run.register(TakeTogether)
def _(step: TakeTogether, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    found: list[Finding] = []
    made: list[RemoveVolume] = []
    # Whatever can be looked at before the guest stands still is looked at now.
    making = [_making(step, volume, host) for volume in step.volumes]
    making += [_cloning(step, clone, host) for clone in step.clones]
    try:
        with telling(found), _standing_still(step, host, found):
            stands_since = time.monotonic()
            # What is easiest to take back comes first.
            for make, removals in making:
                make()
                made += removals
            if step.asks:
                _await_user(step, host, left, step.limit - (time.monotonic() - stands_since))
            elif step.manual:
                _run_command(step)
            if step.overlays:
                found += run(step.overlays, host, left)
        for volume in step.volumes:
            made_volume(volume.pool, volume.name, host.connection())
    except NoConnection:
        raise
    except HostError as error:
        # Only now it is known that those whose names anybody could have given are this plan's.
        for removal in made:
            run(removal, host, left)
        # Whoever reads it wants to know that the guest goes on.
        how = "the guest goes on" if step.pause or step.freezes else ""
        error.message = f"{error.message.rstrip('.')}; {how}." if how else error.message
        raise
    return tuple(found)


_Making = tuple[Callable[[], object], tuple[RemoveVolume, ...]]
"""What makes a volume or a clone, and what removes it if a later part fails; undoing the step removes other files."""


def _making(step: TakeTogether, volume: SnapshotVolume, host: Host) -> _Making:
    make = partial(host.connection().create_volume, volume.pool, snapshot_volume_xml(volume))
    return make, (_removal(step, volume.target, volume.pool, volume.path),)


def _cloning(step: TakeTogether, clone: Clone, host: Host) -> _Making:
    """What makes a clone, in a single call where libvirt does it.

    Raises:
        StepFailed: when its pool does not hold the image as a raw volume, or the clone already.
    """
    if clone.pool is None:
        return partial(reached_files(host).clone, clone.source, clone.path), ()
    connection, pool, shown = host.connection(), printable(clone.pool), printable(clone.source)
    if connection.volume_xml(clone.source) is None or connection.lists_volume(clone.pool, clone.name):
        # A pool knows its directory as it was at its last look: images may have come, and clones gone.
        connection.refresh_pool(clone.pool)
    text = connection.volume_xml(clone.source)
    if text is None:
        message = f"The pool {pool} does not show {shown}."
        raise StepFailed(message, remedy="Look at the pool, and at the plan again.")
    if connection.lists_volume(clone.pool, clone.name):
        message = f"{shown} could not be cloned to {printable(clone.path)}: it exists already."
        raise StepFailed(message)
    try:
        origin = parse_file_volume(text)
    except InvalidXML as error:
        message = f"What libvirt says of {shown} cannot be read: {error}."
        raise StepFailed(message) from error
    if not origin.raw:
        message = f"The pool {pool} takes {shown} for something else than a raw image, and would not share its blocks."
        raise StepFailed(message, remedy="Look at the plan again, which then does without the pool.")
    make = partial(connection.cloning(clone.pool, clone.origin), clone_xml(clone.name, origin))
    return make, (_removal(step, clone.target, clone.pool, clone.path),)


@contextmanager
def _standing_still(step: TakeTogether, host: Host, found: list[Finding]) -> Iterator[None]:
    """The guest writes nothing meanwhile, as far as that was asked for, and never longer than its limit."""
    uuid, domain = step.uuid, step.domain
    freezes = step.freezes
    needed = step.quiesce is Quiesce.REQUIRED
    with (
        frozen(host, uuid, domain, found, needed=needed) if freezes else nullcontext(),
        paused(host, uuid, domain, found) if step.pause else nullcontext(),
        limited(host, uuid, step.limit, thaw=freezes, resume=step.pause)
        if freezes or step.pause
        else nullcontext(),
    ):
        yield


def _await_user(step: TakeTogether, host: Host, left: threading.Event, seconds: float) -> None:
    """Whoever looks on says that his part is done, with ``Host.go_on``, or gives it up."""
    seconds = max(0.0, seconds)
    until = host.clock() + seconds
    part = Awaited(step.domain, step.manual, step.stillness, step.limit, until)
    host.apply(lambda s: replace(s, awaited={**s.awaited, step.uuid: part}))

    def answer(state: HostState) -> bool | None:
        found = state.awaited.get(step.uuid)
        return True if found is None else False if found.given_up else None

    try:
        done = host.wait_for(answer, timeout=seconds, stop=left)
    finally:
        host.go_on(step.uuid)
    if done:
        return
    if done is False or left.is_set():
        message = "It was given up."
        raise JobCancelled(message)
    message = f"Nobody has said within {step.limit:g} s that it is done."
    raise StepFailed(message)


def _run_command(step: TakeTogether) -> None:
    """Run what the user gave, and end it with all that it began when the guest has stood still for long enough."""
    environment = {
        **os.environ,
        "VIRT_MIRROR_DOMAIN": step.domain,
        "VIRT_MIRROR_DISKS": " ".join(step.manual),
        "VIRT_MIRROR_SNAPSHOT": step.name,
    }
    with subprocess.Popen(
        ["sh", "-c", step.command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            _said, complaint = process.communicate(timeout=step.limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            message = f"Your command did not end within {step.limit:g} s, and was ended."
            raise StepFailed(message) from None
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines()
        reason = f": {printable(lines[-1], _MAX_REASON)}" if lines else ""
        message = f"Your command failed with {process.returncode}{reason}."
        raise StepFailed(message)


@happened.register(TakeTogether)
def _(step: TakeTogether, host: Host) -> bool:
    # The command of the user's own leaves nothing to be seen, and half of it all is nothing.
    if step.manual:
        return False
    paths = [clone.path for clone in step.clones if clone.pool is None]
    there = not paths or (host.files is not None and host.files.existing(paths) == set(paths))
    names = [(volume.pool, volume.name) for volume in step.volumes]
    names += [(clone.pool, clone.name) for clone in step.clones if clone.pool is not None]
    volumes = all(host.connection().volume_in(pool, name) for pool, name in names)
    return there and volumes and (step.overlays is None or happened(step.overlays, host))


@undo.register(TakeTogether)
def _(step: TakeTogether, host: Host, since: float, *, failed: bool) -> list[str]:
    remarks = undo(step.overlays, host, since, failed=failed) if step.overlays else []
    for clone in step.clones:
        remarks += _undo_clone(step, clone, host, since)
    for volume in step.volumes:
        if host.connection().volume_in(volume.pool, volume.name) is None:
            continue
        if failed and not volume.marked:
            remarks.append(
                f"Whether the volume {volume.name} of the pool {volume.pool} is this plan's nobody can tell."
            )
            continue
        remarks += reasons(_removal(step, volume.target, volume.pool, volume.path), host)
    return remarks


def _undo_clone(step: TakeTogether, clone: Clone, host: Host, since: float) -> list[str]:
    if clone.pool is not None:
        if host.connection().volume_in(clone.pool, clone.name) is None:
            return []
        # Anybody could have given one its name.
        gone = replace(_removal(step, clone.target, clone.pool, clone.path), since=since)
        return reasons(gone, host)
    if host.files is None or not host.files.existing([clone.path]):
        return []
    return reasons(RemoveDestination(step.uuid, step.domain, clone.target, clone.path, since), host)


def _removal(step: TakeTogether, target: str, pool: str, path: str) -> RemoveVolume:
    return RemoveVolume(step.uuid, step.domain, target, pool, posixpath.basename(path), path)


# Inside of images


@run.register(TakeInternal)
def _(step: TakeInternal, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    try:
        host.connection().take_internal(step.uuid, step.xml)
    finally:
        host.refresh(step.uuid)
    return (fine("state-held", f"The state {step.name} lies in the images of {', '.join(step.targets)}."),)


@happened.register(TakeInternal)
def _(step: TakeInternal, host: Host) -> bool:
    return host.connection().snapshot_xml(step.uuid, step.name) is not None


@undo.register(TakeInternal)
def _(step: TakeInternal, host: Host, since: float, *, failed: bool) -> list[str]:  # noqa: ARG001
    # One that failed has left nothing, or its name was somebody else's.
    if failed or not happened(step, host):
        return []
    host.connection().delete_snapshot(step.uuid, step.name)
    return [f"The snapshot {step.name} was deleted."]


# Deleting


@run.register(DropHeld)
def _(step: DropHeld, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for path in step.paths:
        removal = RemoveDestination(step.uuid, step.domain, step.targets[0], path, step.since)
        found += run(removal, host, left)
    for target, pool, name, path in step.volumes:
        found += run(RemoveVolume(step.uuid, step.domain, target, pool, name, path), host, left)
    if any(finding.severity is not Severity.FINE for finding in found):
        # What is still there must be found again.
        return tuple(found)
    domain = host.state.domain(step.uuid)
    if domain is not None:
        journal.remove_note(host.connection(), domain, step.space)
        host.refresh(step.uuid)
    return (
        *found,
        fine("note-removed", f"{step.domain} does not remember the snapshot {step.name} any more."),
    )


@happened.register(DropHeld)
def _(step: DropHeld, host: Host) -> bool:  # noqa: ARG001
    # Whatever is gone is not removed again.
    return False


# The note


@run.register(NoteSnapshot)
def _(step: NoteSnapshot, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    domain = host.state.domain(step.uuid)
    if domain is None:
        message = f"{step.domain} does not exist any more."
        raise StepFailed(message)
    journal.write_note(host.connection(), domain, step.space, step.note)
    host.refresh(step.uuid)
    return ()


@happened.register(NoteSnapshot)
def _(step: NoteSnapshot, host: Host) -> bool:
    domain = host.state.domain(step.uuid)
    return domain is not None and step.note in domain.definition.noted_snapshots


@undo.register(NoteSnapshot)
def _(step: NoteSnapshot, host: Host, since: float, *, failed: bool) -> list[str]:  # noqa: ARG001
    domain = host.state.domain(step.uuid)
    if domain is not None:
        journal.remove_note(host.connection(), domain, step.space)
    return []
