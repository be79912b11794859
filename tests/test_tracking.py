"""What a host's picture becomes when news arrive, in every order that they can."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_host import make_chain, make_disk, make_domain, make_mirror, uuid_of
from tui.model import tracking
from tui.model.begin_steps import StartCopy
from tui.model.disk import Disk, MirrorJob, MirrorReady
from tui.model.domain import Domain, RunState
from tui.model.forecast import forecast
from tui.model.host import HostState
from tui.model.job import Job, JobEvent, JobType, Phase, Progress
from tui.model.journal import Entry
from tui.model.request import Ending
from tui.model.steps import EndJobs

OLD = "/slow/vda.qcow2"
NEW = "/fast/vda.qcow2"
UUID = uuid_of("db01")


def domain(path: str = OLD, ready: MirrorReady | None = None, state: RunState = RunState.RUNNING) -> Domain:
    disk = make_disk("vda", path, mirror=make_mirror(NEW, ready) if ready else None)
    return make_domain("db01", disks=[disk], state=state)


def seen(*steps: Domain | JobEvent, first_look: bool = False) -> HostState:
    """The picture after readings and events in that order, one second apart."""
    state = HostState("test:///x")
    for second, step in enumerate(steps):
        if isinstance(step, JobEvent):
            state = tracking.with_block_event(state, UUID, "vda", step, float(second))
        else:
            state = tracking.with_domain(state, step, (), float(second), first_look=first_look)
    return state


def job_of(state: HostState) -> Job:
    job = state.job(UUID, "vda")
    assert job is not None
    return job


COPYING = domain(ready=MirrorReady.NO)
SYNC = domain(ready=MirrorReady.YES)
PIVOTING = domain(ready=MirrorReady.PIVOT)
PIVOTED = domain(NEW)
PLAIN = domain(OLD)


@pytest.mark.parametrize(
    ("steps", "phase"),
    [
        ((COPYING,), Phase.COPYING),
        ((COPYING, JobEvent.READY), Phase.IN_SYNC),
        ((COPYING, JobEvent.READY, COPYING), Phase.IN_SYNC),  # the reading was on its way before the event
        ((COPYING, SYNC), Phase.IN_SYNC),  # READY can be lost
        ((COPYING, SYNC, PIVOTING), Phase.PIVOTING),
        ((SYNC, domain(ready=MirrorReady.ABORT)), Phase.CANCELLING),
        ((SYNC, PIVOTED), Phase.IN_SYNC),  # the XML is ahead of the event
        ((SYNC, PIVOTED, JobEvent.COMPLETED, PIVOTED), Phase.DONE),
        ((SYNC, JobEvent.COMPLETED, PIVOTED), Phase.DONE),
        ((SYNC, JobEvent.COMPLETED, PLAIN), Phase.CANCELLED),  # completed behind libvirt's back
        ((COPYING, JobEvent.CANCELED, PLAIN), Phase.CANCELLED),
        ((COPYING, JobEvent.FAILED, PLAIN), Phase.FAILED),
        ((COPYING, PLAIN), Phase.COPYING),  # waits for the event: a vanished job is not a success
        ((SYNC, domain(OLD, state=RunState.SHUT_OFF)), Phase.FAILED),
    ],
)
def test_phase_follows_from_event_and_xml_together(
    steps: tuple[Domain | JobEvent, ...], phase: Phase
) -> None:
    assert job_of(seen(*steps)).phase is phase


@pytest.mark.parametrize(
    ("after", "phase"), [(PIVOTED, Phase.DONE), (PLAIN, Phase.FAILED), (SYNC, Phase.IN_SYNC)]
)
def test_after_a_lost_connection_the_xml_alone_decides(after: Domain, phase: Phase) -> None:
    state = tracking.with_domain(seen(SYNC), after, (), 9.0, first_look=True)
    assert job_of(state).phase is phase


def test_a_missing_event_is_waited_for_and_then_done_without() -> None:
    state = seen(SYNC, PIVOTED)
    assert job_of(tracking.with_overdue(state, 1.5)).phase is Phase.IN_SYNC
    assert job_of(tracking.with_overdue(state, 1.0 + tracking.EVENT_GRACE + 0.1)).phase is Phase.DONE


def test_a_job_about_to_start_is_not_taken_for_ended() -> None:
    job = Job(1, UUID, "db01", "vda", JobType.COPY, Phase.COPYING, None, make_chain(NEW))
    state = tracking.with_started(seen(PLAIN), job)
    state = tracking.with_domain(state, PLAIN, (), 2.0)
    assert job_of(state).phase is Phase.COPYING
    # The event can overtake the call that started the job.
    state = tracking.with_block_event(state, UUID, "vda", JobEvent.FAILED, 2.0)
    state = tracking.with_start_result(state, 1, None, 3.0)
    state = tracking.with_domain(state, PLAIN, (), 3.0)
    assert job_of(state).phase is Phase.FAILED


def test_a_refused_start_is_a_failed_job_with_the_reason() -> None:
    job = Job(1, UUID, "db01", "vda", JobType.COPY, Phase.COPYING, None, make_chain(NEW))
    state = tracking.with_start_result(tracking.with_started(seen(PLAIN), job), 1, "no room", 3.0)
    assert (job_of(state).phase, job_of(state).remark) == (Phase.FAILED, "no room")


def entry(*, reached: int, ending: Ending = Ending.KEEP, path: str = NEW) -> Entry:
    copy = StartCopy(UUID, "db01", "vda", OLD, path, "<disk/>", creates=True)
    end = EndJobs(UUID, "db01", ("vda",), ending)
    return Entry("p1", UUID, "Mirror", (copy, end), reached, "root@a:1", started=7.0, heartbeat=7.0)


def test_the_journal_tells_whose_job_it_is_and_since_when() -> None:
    state = tracking.with_domain(HostState("x"), COPYING, (entry(reached=0),), 1.0)
    assert (job_of(state).plan, job_of(state).started) == ("p1", 7.0)
    state = tracking.with_domain(HostState("x"), COPYING, (entry(reached=0, path="/else"),), 1.0)
    assert (job_of(state).plan, job_of(state).started) == (None, None)


def test_a_kept_copy_is_done_and_a_cancelled_one_is_not() -> None:
    ends = ((Ending.KEEP, Phase.DONE, "consistent"), (Ending.CANCEL, Phase.CANCELLED, "given up"))
    for ending, phase, words in ends:
        state = tracking.with_domain(seen(SYNC), SYNC, (entry(reached=1, ending=ending),), 1.0)
        state = tracking.with_block_event(state, UUID, "vda", JobEvent.CANCELED, 2.0)
        state = tracking.with_domain(state, PLAIN, (entry(reached=1, ending=ending),), 2.0)
        assert job_of(state).phase is phase
        assert words in (job_of(state).remark or "")


def test_a_copy_through_a_server_is_called_by_its_image() -> None:
    known = entry(reached=1)
    served = replace(known, steps=(replace(known.copies[0], named="host-b:/fast/new"), known.steps[1]))
    state = tracking.with_domain(HostState("x"), SYNC, (served,), 1.0)
    assert job_of(state).place == "host-b:/fast/new"
    state = tracking.with_domain(
        tracking.with_block_event(state, UUID, "vda", JobEvent.CANCELED, 2.0), PLAIN, (), 3.0
    )
    assert "host-b:/fast/new" in (job_of(state).remark or "")


def test_in_sync_since_is_known_only_when_it_was_seen() -> None:
    assert job_of(seen(COPYING, JobEvent.READY)).in_sync_since == 1.0
    assert job_of(seen(SYNC, first_look=True)).in_sync_since is None


def test_a_domain_that_is_gone_takes_its_jobs_along() -> None:
    state = tracking.with_listing(seen(SYNC), {}, 5.0)
    assert state.domains == ()
    assert job_of(state).phase is Phase.FAILED


def test_progress_that_means_nothing_leaves_no_sample() -> None:
    state = seen(COPYING)
    number = job_of(state).number
    for progress in (Progress(0, 0, 0), Progress(0, 1, 0), Progress(1, 1, 0)):
        state = tracking.with_progress(state, number, progress, None, at=1.0, now=1.0)
    assert job_of(state).samples == ()
    assert job_of(state).percent is None
    state = tracking.with_progress(state, number, Progress(999, 1000, 0), 5, at=2.0, now=2.0)
    assert [s.cur for s in job_of(state).samples] == [999]
    assert job_of(state).percent == 99


@pytest.mark.parametrize("news", [JobEvent.READY, SYNC])
def test_what_remained_before_is_no_lag(news: Domain | JobEvent) -> None:
    state = tracking.with_progress(seen(COPYING), 1, Progress(60, 100, 7), None, at=1.0, now=1.0)
    if isinstance(news, JobEvent):
        state = tracking.with_block_event(state, UUID, "vda", news, 2.0)
    else:
        state = tracking.with_domain(state, news, (), 2.0)
    progress = job_of(state).progress
    assert progress is not None
    assert (progress.remaining, progress.bandwidth) == (None, 7)
    state = tracking.with_progress(state, 1, Progress(98, 100, 7), None, at=3.0, now=3.0)
    assert forecast(job_of(state)).lag == 2


def test_ended_jobs_are_forgotten_in_the_end() -> None:
    state = HostState("x")
    for _ in range(tracking.ENDED_KEPT + 5):
        state = tracking.with_domain(state, SYNC, (), 1.0)
        state = tracking.with_domain(state, PIVOTED, (), 1.0, first_look=True)
    assert len(state.jobs) == tracking.ENDED_KEPT


def pulling(*, at: float = 0.0) -> HostState:
    """The picture of a disk that was found to be pulled into."""
    state = tracking.with_domain(HostState("x"), PLAIN, (), at)
    return tracking.with_found_job(state, UUID, "vda", Progress(1, 10, 0, JobType.PULL))


@pytest.mark.parametrize(
    ("steps", "phase"),
    [
        ((EndJobs(UUID, "db01", ("vda",), Ending.PIVOT),), Phase.PIVOTING),
        ((EndJobs(UUID, "db01", ("vda",), Ending.CANCEL),), Phase.CANCELLING),
        ((), Phase.CANCELLING),
    ],
)
def test_a_mirror_that_is_first_seen_at_its_very_end(steps: tuple[EndJobs, ...], phase: Phase) -> None:
    ending = replace(make_mirror(NEW, MirrorReady.NO), job=MirrorJob.CONCLUDING)
    last = make_domain("db01", disks=[make_disk("vda", OLD, mirror=ending)])
    entry = Entry("p1", UUID, "a move", steps, 0, "root@h:1", 0.0, 0.0)
    state = tracking.with_domain(HostState("test:///x"), last, (entry,), 0.0, first_look=True)
    assert job_of(state).phase is phase


def test_a_job_without_a_mirror_is_found_once() -> None:
    state = pulling()
    assert (job_of(state).type, job_of(state).phase, job_of(state).percent) == (
        JobType.PULL,
        Phase.COPYING,
        10,
    )
    assert tracking.with_found_job(state, UUID, "vda", Progress(2, 10, 0, JobType.PULL)) == state
    copying = tracking.with_domain(HostState("x"), PLAIN, (), 0.0)
    # The definition that was read does not have this mirror yet; the next one will.
    assert tracking.with_found_job(copying, UUID, "vda", Progress(2, 10, 0, JobType.COPY)) == copying
    assert tracking.with_found_job(copying, UUID, "vdz", Progress(2, 10, 0, JobType.PULL)) == copying


@pytest.mark.parametrize(
    ("event", "phase"),
    [
        (JobEvent.COMPLETED, Phase.DONE),
        (JobEvent.CANCELED, Phase.CANCELLED),
        (JobEvent.FAILED, Phase.FAILED),
    ],
)
def test_a_job_without_a_mirror_ends_by_its_event(event: JobEvent, phase: Phase) -> None:
    state = tracking.with_domain(pulling(), PLAIN, (), 1.0, first_look=True)
    assert job_of(state).phase is Phase.COPYING
    state = tracking.with_block_event(state, UUID, "vda", event, 2.0)
    state = tracking.with_domain(state, PLAIN, (), 3.0)
    assert job_of(state).phase is phase
    assert "pull" in (job_of(state).remark or "") or phase is Phase.FAILED


def test_a_job_without_a_mirror_ends_with_its_guest() -> None:
    off = tracking.with_domain(pulling(), domain(state=RunState.SHUT_OFF), (), 1.0)
    assert job_of(off).phase is Phase.FAILED
    without_disk = tracking.with_domain(pulling(), make_domain("db01", disks=[]), (), 1.0, first_look=True)
    assert job_of(without_disk).phase is Phase.FAILED


def test_a_job_without_a_mirror_that_nobody_knows_any_more_waits_for_its_event() -> None:
    state = tracking.with_missing(pulling(), 1, 1.0)
    assert tracking.with_overdue(state, 1.0 + tracking.EVENT_GRACE) == state
    late = tracking.with_overdue(state, 1.1 + tracking.EVENT_GRACE)
    assert job_of(late).phase is Phase.FAILED
    assert "did not say how" in (job_of(late).remark or "")
    again = tracking.with_progress(state, 1, Progress(2, 10, 0, JobType.PULL), None, at=2.0, now=2.0)
    assert job_of(tracking.with_overdue(again, 9.0)).phase is Phase.COPYING


def test_a_mirror_after_a_job_whose_end_was_missed_is_another_job() -> None:
    state = tracking.with_domain(pulling(), COPYING, (), 1.0)
    assert [(j.type, j.phase) for j in state.jobs] == [
        (JobType.PULL, Phase.FAILED),
        (JobType.COPY, Phase.COPYING),
    ]


news = st.lists(
    st.one_of(
        st.sampled_from(list(JobEvent)),
        st.builds(
            domain,
            st.sampled_from([OLD, NEW]),
            st.one_of(st.none(), st.sampled_from(list(MirrorReady))),
            st.sampled_from(list(RunState)),
        ),
    ),
    max_size=12,
)


@given(news, st.booleans())
def test_whatever_arrives_the_picture_stays_honest(steps: list[Domain | JobEvent], first_look: bool) -> None:  # noqa: FBT001
    state = seen(*steps, first_look=first_look)
    last = next((s for s in reversed(steps) if isinstance(s, Domain)), None)
    for job in state.jobs:
        assert job.phase.ended == (job.ended is not None)
        assert not job.phase.ended or job.remark
    assert len([j for j in state.jobs if not j.phase.ended]) <= 1
    assert len({j.number for j in state.jobs}) == len(state.jobs)
    job_now = state.job(UUID, "vda")
    if last is not None and _mirror(last.disks[0]):
        assert job_now is not None
        assert not job_now.phase.ended
    done = [j for j in state.jobs if j.phase is Phase.DONE]
    assert not done or any(isinstance(s, Domain) and s.disks[0].chain.layers[0].path == NEW for s in steps)


def _mirror(disk: Disk) -> bool:
    return disk.mirror is not None


def test_what_is_merged_away_is_not_shown_as_the_end_of_a_job() -> None:
    """The image that a mirror ended on is no more once it has been merged into the one below."""
    merging = replace(make_mirror(OLD, MirrorReady.YES), job=MirrorJob.ACTIVE_COMMIT)
    disk = make_disk("vda", NEW, mirror=merging)
    commit = make_domain("db01", disks=[disk])
    state = seen(COPYING, SYNC, JobEvent.COMPLETED, PIVOTED, commit)
    assert [job.type for job in state.jobs] == [JobType.COPY, JobType.ACTIVE_COMMIT]
    for step in (JobEvent.COMPLETED, PLAIN):
        if isinstance(step, JobEvent):
            state = tracking.with_block_event(state, UUID, "vda", step, 9.0)
        else:
            state = tracking.with_domain(state, step, (), 9.0, first_look=False)
    (left,) = state.jobs
    assert (left.type, left.phase) == (JobType.ACTIVE_COMMIT, Phase.DONE)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((COPYING, JobEvent.CANCELED, PLAIN), "Taken back; the guest is back on base.qcow2."),
        ((COPYING, SYNC, JobEvent.CANCELED, PLAIN), "Taken back; the guest is back on base.qcow2."),
        ((COPYING, JobEvent.FAILED, PLAIN), "QEMU gave the job up; the guest is back on base.qcow2."),
    ],
)
def test_a_job_that_was_taken_back_says_where_the_guest_is_since(
    steps: tuple[Domain | JobEvent, ...], words: str
) -> None:
    base = "/slow/base.qcow2"
    merging = replace(make_mirror(base, MirrorReady.YES), job=MirrorJob.ACTIVE_COMMIT)
    commit = make_domain("db01", disks=[make_disk("vda", OLD, mirror=merging)])
    state = seen(*steps, commit, JobEvent.COMPLETED, domain(base))
    before, merge = state.jobs
    assert merge.type is JobType.ACTIVE_COMMIT
    assert OLD in (before.remark or "")
    state = tracking.with_taken_back(state, UUID, "vda", OLD, base)
    assert state.jobs == (replace(before, remark=words),)


def test_what_a_job_says_that_is_no_part_of_what_is_undone_stays() -> None:
    cancelled = seen(COPYING, JobEvent.CANCELED, PLAIN)
    assert tracking.with_taken_back(cancelled, UUID, "vda", "/slow/overlay", "/slow/base") == cancelled
    # One that never began says why.
    job = Job(1, UUID, "db01", "vda", JobType.COPY, Phase.COPYING, make_chain(OLD).active, make_chain(NEW))
    refused = tracking.with_start_result(tracking.with_started(seen(PLAIN), job), 1, "no room", 3.0)
    assert tracking.with_taken_back(refused, UUID, "vda", OLD, "/slow/base") == refused


def test_values_are_not_changed_in_place() -> None:
    state = seen(COPYING)
    before = replace(state)
    tracking.with_block_event(state, UUID, "vda", JobEvent.READY, 5.0)
    assert state == before
