"""How a job ended, by its terminal event together with the XML afterwards."""

from __future__ import annotations

import posixpath
from dataclasses import replace

from tui.model.domain import Domain
from tui.model.job import Job, JobEvent, JobType, Phase
from tui.model.request import Ending
from tui.model.storage import same_place


def settled(job: Job, domain: Domain, now: float, *, first_look: bool) -> Job:
    """Say how a job ended whose mirror is gone, or have it wait for the event that tells."""
    verdict = _verdict(job, domain, first_look=first_look)
    if verdict is None:
        return replace(job, vanished=job.vanished or now)
    return ended_as(job, *verdict, now)


def _verdict(job: Job, domain: Domain, *, first_look: bool) -> tuple[Phase, str] | None:  # noqa: PLR0911  # one line for each way a job can end
    source = domain.active_layer(job.target)
    destination = job.destination.active
    where = source.path if source else "no medium"
    if not domain.state.active:
        return Phase.FAILED, f"{domain.name} stopped, and the job with it; its disk is {where}."
    moved = source is not None and destination is not None and same_place(source, destination)
    event = job.last_event if job.last_event and job.last_event.terminal else None
    match event:
        case JobEvent.FAILED:
            return Phase.FAILED, f"QEMU gave the job up; the guest goes on with {where}."
        case JobEvent.COMPLETED if not job.type.mirrors:
            return Phase.DONE, f"The {job.type} is complete; the guest uses {where}."
        case JobEvent.COMPLETED if moved:
            return Phase.DONE, f"The guest now uses {where}."
        case JobEvent.COMPLETED:
            return Phase.CANCELLED, f"The mirror ended from outside; the guest stays on {where}."
        case JobEvent.CANCELED:
            return _ended_without_pivot(job, where)
        case _ if not first_look:
            return None
        case _ if moved:
            return Phase.DONE, f"The guest now uses {where}."
        case _ if job.phase is Phase.CANCELLING:
            return _ended_without_pivot(job, where)
        case _:
            return Phase.FAILED, f"The job ended and the host did not say how; the guest is on {where}."


def _ended_without_pivot(job: Job, where: str) -> tuple[Phase, str]:
    if not job.type.mirrors:
        return Phase.CANCELLED, f"The {job.type} ended before it was complete; the guest stays on {where}."
    copy = job.place or "the destination"
    if job.type is not JobType.COPY:
        return Phase.CANCELLED, f"The guest stays on {where}; {copy} has been written to."
    if job.in_sync_since is None and job.phase is Phase.COPYING:
        return Phase.CANCELLED, f"The guest stays on {where}; {copy} is incomplete."
    if job.ending is Ending.CANCEL:
        return Phase.CANCELLED, f"The guest stays on {where}; {copy} is given up."
    phase = Phase.DONE if job.ending is Ending.KEEP else Phase.CANCELLED
    return phase, f"The guest stays on {where}; {copy} is a consistent copy of the moment it ended."


def taken_back(job: Job, place: str) -> Job:
    """A job that did not take the guest over, once the overlay that it mirrored is merged back into ``place``.

    What the job's end said of the overlay and of its copy is no longer so: the undo has done away with them.
    """
    back = f"the guest is back on {posixpath.basename(place)}."
    if job.phase is Phase.CANCELLED:
        return replace(job, remark=f"Taken back; {back}")
    if job.phase is Phase.FAILED and job.last_event is JobEvent.FAILED:
        return replace(job, remark=f"QEMU gave the job up; {back}")
    return job


def ended_as(job: Job, phase: Phase, remark: str, now: float) -> Job:
    """The job as one that has ended, and why, for people."""
    return replace(job, phase=phase, ended=now, remark=remark, vanished=None)
