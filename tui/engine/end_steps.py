"""Ending jobs, removing what they leave, proving what came of them, and changing their speed."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

from tui.engine import proof
from tui.engine.control import Level
from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.needs import needed_by
from tui.engine.quiescing import paused
from tui.engine.steps import await_end, happened, run, telling
from tui.model import tracking
from tui.model.destination import parse_destination
from tui.model.domain import RunState
from tui.model.finding import Finding, Severity, fine, warning
from tui.model.host import HostState
from tui.model.job import Job, Phase
from tui.model.request import Ending
from tui.model.steps import EndJobs, ProveChain, ProvePivot, RemoveDestination, SetSpeed

if TYPE_CHECKING:
    from tui.engine.files import Files
    from tui.engine.host import Host

PAUSE_LIMIT = 30.0
"""Seconds a guest may stand still for a pivot."""


@run.register(EndJobs)
def _(step: EndJobs, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    domain = host.state.domain(step.uuid)
    # A guest that somebody else paused stays paused.
    pause = step.pause and domain is not None and domain.state in (RunState.RUNNING, RunState.IDLE)
    targets = tuple(target for target in step.targets if not _went(step, host, target))
    if step.ending is not Ending.CANCEL:
        _insist_on_sync(step, host.state, targets)
    found: list[Finding] = []
    with telling(found), paused(host, step.uuid, step.domain, found) if pause else nullcontext():
        if step.ending is Ending.CANCEL:
            for target in step.targets:
                _ask_end(step, host, target)
        for target in targets:
            # One after the other: when one fails, those after it have not been touched.
            if step.ending is not Ending.CANCEL:
                _ask_end(step, host, target)
            job = await_end(host, step.uuid, target, left, timeout=PAUSE_LIMIT if pause else None)
            _insist_on_outcome(step, job, host.state)
    return tuple(found)


def _went(step: EndJobs, host: Host, target: str) -> bool:
    """Whether a disk has gone over before, by this plan that was cut short then."""
    place = dict(zip(step.targets, step.paths, strict=False)).get(target)
    domain, job = host.state.domain(step.uuid), host.state.job(step.uuid, target)
    running = job is not None and not job.phase.ended
    return place is not None and not running and domain is not None and domain.is_on(target, place)


def _insist_on_sync(step: EndJobs, state: HostState, targets: tuple[str, ...]) -> None:
    """Before the first disk is touched: all of them can be."""
    for target in targets:
        job = state.job(step.uuid, target)
        if job is None or job.phase not in (Phase.IN_SYNC, Phase.PIVOTING, Phase.CANCELLING):
            what = job.phase.value if job else "without a job"
            message = f"{target} of {step.domain} is {what}, not in sync; nothing was changed."
            raise StepFailed(message)


def _ask_end(step: EndJobs, host: Host, target: str) -> None:
    job = host.state.job(step.uuid, target)
    if job is not None and job.phase in (Phase.PIVOTING, Phase.CANCELLING):
        # Accepted before, by us or by somebody else; a second request would be refused.
        return
    if job is not None and job.phase.ended and step.ending is Ending.CANCEL:
        return
    try:
        host.connection().end_job(step.uuid, target, pivot=step.ending is Ending.PIVOT)
    except NoConnection:
        raise
    except HostError as error:
        message = f"{target}: {error.message} {_what_is_where(step, host.state)}".rstrip()
        raise StepFailed(message, code=error.code) from error
    finally:
        host.refresh(step.uuid)


def _insist_on_outcome(step: EndJobs, job: Job, state: HostState) -> None:
    wanted = Phase.DONE if step.ending is Ending.PIVOT else None
    if job.phase is Phase.FAILED or (wanted and job.phase is not wanted):
        message = f"{job.target}: {job.remark} {_what_is_where(step, state)}".rstrip()
        raise StepFailed(message)


def _what_is_where(step: EndJobs, state: HostState) -> str:
    """For several disks: which of them is on which image now."""
    domain = state.domain(step.uuid)
    places = []
    for target in step.targets:
        active = domain.active_layer(target) if domain else None
        places.append(f"{target} is on {active.path if active else 'an unknown image'}")
    return ("Now " + ", ".join(places) + ".") if len(places) > 1 else ""


@happened.register(EndJobs)
def _(step: EndJobs, host: Host) -> bool:
    if step.paths:
        return all(_went(step, host, target) for target in step.targets)
    jobs = [host.state.job(step.uuid, target) for target in step.targets]
    return all(job is None or job.phase.ended for job in jobs)


# Removing what a cancelled copy leaves


@run.register(RemoveDestination)
def _(step: RemoveDestination, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    why = needed_by([step.path], step.uuid, host, whole_host=False).get(step.path)
    if why:
        return _left_there(step, f"{step.path} {why}, and stays.")
    return _remove_there(step, host) if host.files is None else _remove(step, host.files)


def _remove(step: RemoveDestination, files: Files) -> tuple[Finding, ...]:
    if not files.existing([step.path]):
        return (fine("destination-removed", f"{step.path} is not there."),)
    why = files.remove(step.path, step.since)
    return _left_there(step, why) if why else (fine("destination-removed", f"{step.path} was removed."),)


def _remove_there(step: RemoveDestination, host: Host) -> tuple[Finding, ...]:
    try:
        host.connection().delete_volume(step.path)
    except NoConnection:
        raise
    except HostError as error:
        return _left_there(step, f"{step.path} stays on the host: {error}")
    return (fine("destination-removed", f"{step.path} was removed."),)


def _left_there(step: RemoveDestination, reason: str) -> tuple[Finding, ...]:
    remedy = f"Remove it by hand when you are sure that nothing needs it: {step.commands[0]}"
    return (warning("destination-left", reason, remedy),)


@happened.register(RemoveDestination)
def _(step: RemoveDestination, host: Host) -> bool:
    return host.files is not None and not host.files.existing([step.path])


# Proof and speed


@run.register(ProvePivot)
def _(step: ProvePivot, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    layer = parse_destination(step.xml).layers[0]
    return _told(step, host, proof.prove(host, step.uuid, step.target, layer))


def _told(step: ProvePivot | ProveChain, host: Host, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Show what was proved with the job, and log what was not."""
    host.apply(lambda s: tracking.with_proof(s, step.uuid, step.target, findings))
    for finding in findings:
        if finding.severity is not Severity.FINE:
            host.log(f"{finding.reason} {finding.remedy}", Level.WARNING, domain=step.domain)
    return findings


@run.register(ProveChain)
def _(step: ProveChain, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    return _told(step, host, proof.prove_chain(host, step.uuid, step.target, step.paths))


@happened.register(ProvePivot)
@happened.register(ProveChain)
def _(step: ProvePivot | ProveChain, host: Host) -> bool:  # noqa: ARG001
    # Looking twice does no harm.
    return False


@run.register(SetSpeed)
def _(step: SetSpeed, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    host.connection().set_speed(step.uuid, step.target, step.bandwidth)
    return ()


@happened.register(SetSpeed)
def _(step: SetSpeed, host: Host) -> bool:  # noqa: ARG001
    return False
