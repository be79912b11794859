"""How a picture of a host follows from the last one and a piece of news. Pure functions, all of them.

The truth about a job is its terminal event together with the XML afterwards. The two arrive in either order,
and the event may never arrive: after a lost connection libvirt repeats nothing, and a guest that is powered
off takes its jobs along in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypedDict

from tui.model.disk import Mirror, MirrorJob
from tui.model.domain import Definition, Domain, RunState
from tui.model.finding import Finding
from tui.model.headway import filled_by
from tui.model.host import HostState
from tui.model.job import MIRROR_PHASES, Job, JobEvent, JobType, Phase, Progress, Sample
from tui.model.job_end import ended_as, settled, taken_back
from tui.model.journal import Entry
from tui.model.request import Ending
from tui.model.steps import EndJobs
from tui.model.storage import Chain, same_place

EVENT_GRACE = 3.0
"""Seconds that a missing mirror waits for the event that explains it."""
SAMPLES_KEPT = 600
ENDED_KEPT = 30


def with_listing(state: HostState, names: Mapping[str, str], now: float) -> HostState:
    """The domains of a host by UUID and name: all are to be read, and their disks to be measured."""
    for uuid in [d.uuid for d in state.domains if d.uuid not in names]:
        state = without_domain(state, uuid, now)
    known = {d.uuid for d in state.domains}
    new = [
        Domain(Definition(name, uuid), RunState.UNKNOWN, persistent=False)
        for uuid, name in names.items()
        if uuid not in known
    ]
    domains = tuple(sorted([*state.domains, *new], key=lambda d: (d.name, d.uuid)))
    return replace(state, domains=domains, listed=True, unread=len(names) + 1, refreshed=now)


def without_domain(state: HostState, uuid: str, now: float) -> HostState:
    """A domain is gone: undefined, or a transient one that stopped."""
    jobs = tuple(
        ended_as(job, Phase.FAILED, f"{job.domain} is gone, and the job with it.", now)
        if job.uuid == uuid and not job.phase.ended
        else job
        for job in state.jobs
    )
    entries = tuple(e for e in state.entries if e.uuid != uuid)
    return replace(
        state,
        domains=tuple(d for d in state.domains if d.uuid != uuid),
        entries=entries,
        **_files_of(state, entries),
        jobs=_trim(jobs),
        refreshed=now,
    )


def with_domain(
    state: HostState, domain: Domain, entries: tuple[Entry, ...], now: float, *, first_look: bool = False
) -> HostState:
    """A domain as it was just read, its journal included.

    ``first_look`` says that events may have been missed before this reading, so that nothing is waited for.
    """
    others = [d for d in state.domains if d.uuid != domain.uuid]
    kept = (*(e for e in state.entries if e.uuid != domain.uuid), *entries)
    state = replace(
        state,
        domains=tuple(sorted([*others, domain], key=lambda d: (d.name, d.uuid))),
        entries=kept,
        **_files_of(state, kept),
        refreshed=now,
    )
    for disk in domain.disks:
        if disk.mirror is not None:
            state = _with_mirror(state, domain, disk.target, disk.mirror, now, first_look=first_look)
    for job in state.active_jobs:
        if job.uuid == domain.uuid and not job.type.mirrors:
            state = _with_job(state, replace(job, plan=_plan_of(entries, job) or job.plan))
    for job in state.active_jobs:
        if job.uuid == domain.uuid and not job.starting and _gone_from(job, domain):
            job = replace(job, ending=_ending(entries, job.target) or job.ending)  # noqa: PLW2901
            state = _with_job(state, settled(job, domain, now, first_look=first_look))
    return state


def with_block_event(state: HostState, uuid: str, target: str, event: JobEvent, now: float) -> HostState:
    """libvirt said something about a job; what it means shows in the XML that is read next."""
    job = state.job(uuid, target)
    if job is None or job.phase.ended:
        return state
    if event is JobEvent.READY and job.phase is Phase.COPYING:
        job = _in_sync(job, now)
    return _with_job(replace(state, refreshed=now), replace(job, last_event=event))


def with_started(state: HostState, job: Job) -> HostState:
    """A job that is about to be started here, before the call, so that no event can come too early."""
    return replace(state, jobs=_trim((*state.jobs, replace(job, starting=True))))


def with_start_result(state: HostState, number: int, error: str | None, now: float) -> HostState:
    """The call that starts a job has returned."""
    job = next((j for j in state.jobs if j.number == number), None)
    if job is None:
        return state
    if error is None:
        return _with_job(state, replace(job, starting=False))
    return _with_job(state, ended_as(replace(job, starting=False), Phase.FAILED, error, now))


def with_progress(
    state: HostState, number: int, progress: Progress, written: int | None, *, at: float, now: float
) -> HostState:
    """One tick's numbers of one job; ``at`` is monotonic, ``now`` wall clock."""
    job = next((j for j in state.jobs if j.number == number), None)
    if job is None or job.phase.ended:
        return state
    samples = job.samples
    if progress.known:
        samples = (*samples[-SAMPLES_KEPT + 1 :], Sample(at, progress.cur, progress.end, written))
    # Whoever makes progress has not vanished, whatever an earlier answer said.
    vanished = job.vanished if job.type.mirrors else None
    job = replace(job, progress=progress, samples=samples, vanished=vanished)
    return _with_job(replace(state, refreshed=now), job)


def with_found_job(state: HostState, uuid: str, target: str, progress: Progress) -> HostState:
    """A disk was found to have a job that no definition tells of: a pull, a commit of lower layers, a backup."""
    domain, job = state.domain(uuid), state.job(uuid, target)
    disk = domain.disk(target) if domain else None
    known = job is not None and not job.phase.ended
    if domain is None or disk is None or known or progress.type.mirrors:
        # A mirror that is not in the definition yet, or not any more, comes and goes with the definition.
        return state
    found = Job(
        number=next_number(state),
        uuid=uuid,
        domain=domain.name,
        target=target,
        type=progress.type,
        phase=Phase.COPYING,
        source=disk.chain.active,
        destination=Chain(complete=False),
        progress=progress,
    )
    found = replace(found, plan=_plan_of(state.entries_of(uuid), found))
    return replace(state, jobs=_trim((*state.jobs, found)))


def with_missing(state: HostState, number: int, now: float) -> HostState:
    """The host knows no such job any more; an event said how it ended, or is about to."""
    job = next((j for j in state.jobs if j.number == number), None)
    if job is None or job.phase.ended or job.vanished is not None:
        return state
    return _with_job(state, replace(job, vanished=now))


def with_overdue(state: HostState, now: float) -> HostState:
    """Settle the jobs whose explaining event did not come."""
    for job in state.active_jobs:
        domain = state.domain(job.uuid)
        if job.vanished is not None and domain is not None and now - job.vanished > EVENT_GRACE:
            state = _with_job(state, settled(job, domain, now, first_look=True))
    return state


def with_proof(state: HostState, uuid: str, target: str, proof: tuple[Finding, ...]) -> HostState:
    """What was checked after the last job of a disk; the same check again takes the place of the one before."""
    job = state.job(uuid, target)
    if job is None:
        return state
    checks = {finding.check for finding in proof}
    before = tuple(finding for finding in job.proof if finding.check not in checks)
    return _with_job(state, replace(job, proof=before + proof))


def with_remark(state: HostState, number: int, remark: str | None) -> HostState:
    """Why a job stands still, or nothing."""
    job = next((j for j in state.jobs if j.number == number and not j.phase.ended), None)
    return _with_job(state, replace(job, remark=remark)) if job else state


def with_copied(state: HostState, path: str, done: int, total: int, at: float) -> HostState:
    """So many bytes of an image are filled, at a time of a monotonic clock."""
    since, _ = state.told.get(path, (at, at))
    return replace(state, files={**state.files, path: (done, total)}, told={**state.told, path: (since, at)})


def without_copied(state: HostState, paths: Iterable[str]) -> HostState:
    """Nothing is being filled there any more."""
    gone = frozenset(paths)
    return replace(
        state,
        files={path: amount for path, amount in state.files.items() if path not in gone},
        told={path: times for path, times in state.told.items() if path not in gone},
    )


def without_job(state: HostState, number: int) -> HostState:
    """Take an ended job off the list."""
    return replace(state, jobs=tuple(j for j in state.jobs if j.number != number or not j.phase.ended))


def with_taken_back(state: HostState, uuid: str, target: str, overlay: str, base: str) -> HostState:
    """An overlay is merged back into its base to undo a plan.

    What counts for people is the job that was taken back, and not that it took a merge.
    """
    merge = state.job(uuid, target)
    if merge is not None and merge.type is JobType.ACTIVE_COMMIT:
        state = without_job(state, merge.number)
    jobs = tuple(
        taken_back(job, base)
        if job.key == (uuid, target) and job.source is not None and job.source.path == overlay
        else job
        for job in state.jobs
    )
    return replace(state, jobs=jobs)


def next_number(state: HostState) -> int:
    """A number for a new job."""
    return max((j.number for j in state.jobs), default=0) + 1


def _files_of(state: HostState, entries: Iterable[Entry]) -> _Files:
    """What is known of images whose plan is still open: until its end they count for how far it is."""
    steps = [step for entry in entries for step in entry.steps] if state.files else []
    wanted = {path for step in steps for path in filled_by(step)}
    return {
        "files": {path: amount for path, amount in state.files.items() if path in wanted},
        "told": {path: times for path, times in state.told.items() if path in wanted},
    }


class _Files(TypedDict):
    """What of a picture is about images that plans fill."""

    files: dict[str, tuple[int, int]]
    told: dict[str, tuple[float, float]]


def _gone_from(job: Job, domain: Domain) -> bool:
    """Whether the definition shows that a job is over."""
    disk = domain.disk(job.target)
    if disk is None:
        return True
    if job.type.mirrors:
        return disk.mirror is None
    # No definition tells of the others, so that only their event does, or the end of the guest.
    return not domain.state.active or (job.last_event is not None and job.last_event.terminal)


def _with_job(state: HostState, job: Job) -> HostState:
    jobs = tuple(job if j.number == job.number else j for j in state.jobs if not _merged_away(j, job))
    return replace(state, jobs=_trim(jobs))


def _merged_away(ended: Job, merge: Job) -> bool:
    """Whether what a job has brought about is no more, since another one has merged it into what it stood on."""
    merged = merge.type is JobType.ACTIVE_COMMIT and merge.phase is Phase.DONE
    if not merged or ended.key != merge.key or not ended.phase.ended or ended.number >= merge.number:
        return False
    place = ended.destination.active
    return place is not None and merge.source is not None and same_place(place, merge.source)


def _trim(jobs: tuple[Job, ...]) -> tuple[Job, ...]:
    ended = [j for j in jobs if j.phase.ended]
    forgotten = {j.number for j in ended[:-ENDED_KEPT]} if len(ended) > ENDED_KEPT else set()
    return tuple(j for j in jobs if j.number not in forgotten)


def _with_mirror(
    state: HostState, domain: Domain, target: str, mirror: Mirror, now: float, *, first_look: bool
) -> HostState:
    job = state.job(domain.uuid, target)
    if job is not None and not job.phase.ended and not job.type.mirrors:
        # A disk has one job at a time: the end of the one before was missed.
        job = settled(job, domain, now, first_look=True)
        state = _with_job(state, job)
    entries = state.entries_of(domain.uuid)
    concluding = mirror.job is MirrorJob.CONCLUDING
    if job is None or job.phase.ended:
        disk = domain.disk(target)
        job = Job(
            number=next_number(state),
            uuid=domain.uuid,
            domain=domain.name,
            target=target,
            type=JobType.ACTIVE_COMMIT if mirror.job is MirrorJob.ACTIVE_COMMIT else JobType.COPY,
            phase=_last_phase(entries, target) if concluding else Phase.COPYING,
            source=disk.chain.active if disk else None,
            destination=mirror.chain,
        )
        state = replace(state, jobs=(*state.jobs, job))
    phase = MIRROR_PHASES[mirror.ready]
    if concluding:
        # For a moment at its end the mirror has neither job nor ready; the phase before it still holds.
        phase = job.phase
    elif phase is Phase.COPYING and job.phase is Phase.IN_SYNC:
        # The READY event overtook this reading.
        phase = Phase.IN_SYNC
    reached_now = phase is Phase.IN_SYNC and job.phase is Phase.COPYING and not first_look
    if phase is Phase.IN_SYNC and job.phase is Phase.COPYING:
        job = _in_sync(job, now if reached_now else None)
    entry = _entry_of(entries, target, mirror)
    copy = entry.copy_of(target) if entry else None
    return _with_job(
        state,
        replace(
            job,
            phase=phase,
            destination=mirror.chain,
            named=copy.named if copy else job.named,
            plan=entry.id if entry else job.plan,
            started=entry.started if entry and job.started is None else job.started,
            ending=_ending(entries, target),
            vanished=None,
        ),
    )


def _last_phase(entries: tuple[Entry, ...], target: str) -> Phase:
    """The phase of a job that is first seen at its very end."""
    return Phase.PIVOTING if _ending(entries, target) is Ending.PIVOT else Phase.CANCELLING


def _in_sync(job: Job, since: float | None) -> Job:
    """A job that has just got in sync; ``since`` when that was seen.

    What the last tick said remained was before that, and is no lag.
    """
    progress = replace(job.progress, cur=0, end=0) if job.progress else None
    return replace(job, phase=Phase.IN_SYNC, in_sync_since=job.in_sync_since or since, progress=progress)


def _entry_of(entries: tuple[Entry, ...], target: str, mirror: Mirror) -> Entry | None:
    """The plan that began this mirror: same disk, same place."""
    destination = mirror.destination
    for entry in entries:
        begins = [begin for begin in entry.begins if begin.target == target]
        if destination and any(begin.path == destination.path for begin in begins):
            return entry
    return None


def _plan_of(entries: tuple[Entry, ...], job: Job) -> str | None:
    """The plan that began a job which no definition tells of: a disk has one job at a time."""
    for entry in entries:
        if any(begin.target == job.target and begin.job is job.type for begin in entry.begins):
            return entry.id
    return None


def _ending(entries: tuple[Entry, ...], target: str) -> Ending | None:
    """How the journal says the job is being ended just now."""
    for entry in entries:
        if entry.reached < len(entry.steps):
            step = entry.steps[entry.reached]
            if isinstance(step, EndJobs) and target in step.targets:
                return step.ending
    return None
