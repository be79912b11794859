"""Beginning jobs, and waiting for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tui.engine.disk_calls import CommitFlags, CopyFlags
from tui.engine.errors import HostError, JobCancelled, NoConnection, StepFailed
from tui.engine.steps import Left, await_end, happened, reasons, run, undo
from tui.model import tracking
from tui.model.begin_steps import Begin, StartCommit, StartCopy, StartPull
from tui.model.destination import parse_destination
from tui.model.finding import Finding
from tui.model.host import HostState
from tui.model.job import Job, Phase
from tui.model.steps import AwaitEnd, AwaitSync, RemoveDestination

if TYPE_CHECKING:
    from tui.engine.host import Host


@contextmanager
def _starting(step: Begin, host: Host) -> Iterator[None]:
    """Show the job from before the call that starts it, so that no event comes too early, and how the call ended."""
    destination = parse_destination(step.xml)
    domain = host.state.domain(step.uuid)
    plan = next((entry.id for entry in host.under_way if step in entry.steps), None)
    numbers: list[int] = []

    def expected(state: HostState) -> HostState:
        numbers[:] = [tracking.next_number(state)]
        return tracking.with_started(
            state,
            Job(
                number=numbers[0],
                uuid=step.uuid,
                domain=step.domain,
                target=step.target,
                type=step.job,
                phase=Phase.COPYING,
                source=domain.active_layer(step.target) if domain else None,
                destination=destination,
                named=step.named if isinstance(step, StartCopy) else "",
                plan=plan,
                started=host.clock(),
            ),
        )

    host.apply(expected)
    error: str | None = "It is not known whether it began."
    try:
        yield
        error = None
    except HostError as refusal:
        error = str(refusal)
        raise
    finally:
        host.apply(lambda s: tracking.with_start_result(s, numbers[0], error, host.clock()))
        host.refresh(step.uuid)


@run.register(StartCopy)
def _(step: StartCopy, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    connection = host.connection()
    with _starting(step, host):
        if step.legacy:
            flags = CopyFlags(
                step.shallow, step.reuse_external, raw=step.format == "raw", blockdev=step.blockdev
            )
            connection.block_rebase_copy(step.uuid, step.target, step.path, step.bandwidth, flags)
        else:
            flags = CopyFlags(step.shallow, step.reuse_external, step.transient_job, step.synchronous_writes)
            wanted = {
                "bandwidth": step.bandwidth,
                "granularity": step.granularity,
                "buf-size": step.buf_size,
            }
            params = {name: value for name, value in wanted.items() if value}
            connection.block_copy(step.uuid, step.target, step.xml, params, flags)
    return ()


@run.register(StartCommit)
def _(step: StartCommit, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    connection = host.connection()
    flags = CommitFlags(step.bandwidth, step.delete, step.keep_relative)
    with _starting(step, host):
        top = None if step.active else step.top
        connection.block_commit(step.uuid, step.target, step.base, top, flags)
    return ()


@run.register(StartPull)
def _(step: StartPull, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    connection = host.connection()
    with _starting(step, host):
        connection.block_pull(
            step.uuid, step.target, step.base, step.bandwidth, keep_relative=step.keep_relative
        )
    return ()


@happened.register(StartCopy)
def _(step: StartCopy, host: Host) -> bool:
    return _running(step, host)


@happened.register(StartCommit)
@happened.register(StartPull)
def _(step: StartCommit | StartPull, host: Host) -> bool:
    domain = host.state.domain(step.uuid)
    disk = domain.disk(step.target) if domain else None
    used = {layer.path for layer in disk.chain.layers} if disk else set()
    return _running(step, host) or not used & set(step.paths)


def _running(step: Begin, host: Host) -> bool:
    """Whether the very job that the step begins is there."""
    job = host.state.job(step.uuid, step.target)
    if job is None or job.phase.ended or job.type is not step.job:
        return False
    destination = job.destination.active
    return not job.type.mirrors or (destination is not None and destination.path == step.path)


@undo.register(StartCopy)
def _(step: StartCopy, host: Host, since: float, *, failed: bool) -> list[str]:
    if failed and not happened(step, host):
        # libvirt refused, and removes what it had created for a copy that it could not start.
        return []
    remarks = _cancelled(step, host)
    job = host.state.job(step.uuid, step.target)
    if job is not None and job.phase is Phase.DONE:
        return remarks
    if step.creates:
        removal = RemoveDestination(step.uuid, step.domain, step.target, step.path, since)
        remarks += reasons(removal, host)
    return remarks


@undo.register(StartCommit)
@undo.register(StartPull)
def _(step: StartCommit | StartPull, host: Host, since: float, *, failed: bool) -> list[str]:  # noqa: ARG001
    return _cancelled(step, host)


def _cancelled(step: Begin, host: Host) -> list[str]:
    """End the job that the step began, if it runs."""
    if not _running(step, host):
        return []
    remark = f"The {step.job} of {step.target} was cancelled."
    try:
        host.connection().end_job(step.uuid, step.target, pivot=False)
    except NoConnection:
        raise
    except HostError:
        # A guest that has just ended takes its jobs along before anybody has seen it.
        reading = host.connection().read(step.uuid)
        if reading is not None and reading.state.active:
            raise
        remark = f"The {step.job} of {step.target} ended with the guest."
    await_end(host, step.uuid, step.target, None, timeout=None)
    return [remark]


# Waiting


@run.register(AwaitSync)
def _(step: AwaitSync, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    def decided(state: HostState) -> Job | None:
        # One that somebody cancels meanwhile has got nowhere yet; how it ends will tell.
        job = state.job(step.uuid, step.target)
        waits = job is None or job.phase in (Phase.COPYING, Phase.CANCELLING)
        return None if waits else job

    job = host.wait_for(decided, timeout=step.timeout, stop=left)
    if left.is_set():
        raise Left
    if job is None:
        message = f"{step.target} of {step.domain} was not in sync within {step.timeout:g} s."
        raise StepFailed(message)
    if job.phase.ended and job.phase is not Phase.DONE:
        raise _ended_early(job, f"The copy of {step.target} ended.")
    return ()


def _ended_early(job: Job, words: str) -> StepFailed:
    kind = JobCancelled if job.phase is Phase.CANCELLED else StepFailed
    return kind(job.remark or words)


@happened.register(AwaitSync)
def _(step: AwaitSync, host: Host) -> bool:
    job = host.state.job(step.uuid, step.target)
    return job is not None and job.phase in (Phase.IN_SYNC, Phase.PIVOTING, Phase.DONE)


@run.register(AwaitEnd)
def _(step: AwaitEnd, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    job = await_end(host, step.uuid, step.target, left, timeout=None)
    if job.phase is not Phase.DONE:
        raise _ended_early(job, f"The job on {step.target} ended.")
    return ()


@happened.register(AwaitEnd)
def _(step: AwaitEnd, host: Host) -> bool:
    job = host.state.job(step.uuid, step.target)
    return job is None or job.phase is Phase.DONE
