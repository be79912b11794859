"""Snapshots that libvirt remembers: taking them, forgetting them, taking them back."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

from tui.engine import journal
from tui.engine.chain_steps import removed, take_back_overlays
from tui.engine.memory import memory_written
from tui.engine.steps import await_shown, happened, run, telling, undo
from tui.model.finding import Finding, fine
from tui.model.snapshot import files_of
from tui.model.snapshot_steps import DropSnapshot, TakeSnapshot

if TYPE_CHECKING:
    from tui.engine.host import Host


@run.register(TakeSnapshot)
def _(step: TakeSnapshot, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    found: list[Finding] = []
    try:
        written = memory_written(step, host, left, found) if step.memory is not None else nullcontext()
        with telling(found), written:
            host.connection().take_snapshot(step)
    finally:
        host.refresh(step.uuid)
    await_shown(step, host, f"the overlays of the snapshot {step.name}")
    return tuple(found)


@undo.register(TakeSnapshot)
def _(step: TakeSnapshot, host: Host, since: float, *, failed: bool) -> list[str]:
    known = host.connection().snapshot_xml(step.uuid, step.name)
    # A snapshot of that name that somebody else took meanwhile has other images.
    ours = known is not None and set(step.paths) <= files_of(known)
    taken = happened(step, host)
    remarks = take_back_overlays(step, host, since, failed=failed)
    # Of one that failed libvirt removes the file itself, or it is somebody else's.
    if step.memory is not None and (taken or not failed):
        remarks += removed(step, step.targets[0], step.memory, host, since)
    if ours and host.connection().forget_snapshot(step.uuid, step.name):
        remarks.append(f"The snapshot {step.name} is forgotten.")
    return remarks


@run.register(DropSnapshot)
def _(step: DropSnapshot, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    known = host.connection().forget_snapshot(step.uuid, step.name)
    domain = host.state.domain(step.uuid)
    if domain is not None:
        # Here as well as at the plan's end: whoever goes on with an interrupted one does not know of it.
        journal.remove(host.connection(), domain, step.plan)
    reason = (
        f"libvirt has forgotten the snapshot {step.name}." if known else f"{step.name} was forgotten already."
    )
    return (fine("snapshot-forgotten", reason),)


@happened.register(DropSnapshot)
def _(step: DropSnapshot, host: Host) -> bool:  # noqa: ARG001
    # Forgetting twice does no harm.
    return False
