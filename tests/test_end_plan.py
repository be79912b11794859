"""The plans that end jobs or change their speed; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_host import NOW, make_chain, make_disk, make_domain, make_mirror
from tui.model.begin_steps import StartCopy
from tui.model.disk import MirrorJob, MirrorReady
from tui.model.end_plan import plan_end, plan_speed
from tui.model.facts import EndFacts, Running, Use, UseKind, running_on
from tui.model.finding import Severity
from tui.model.job import JobType, Phase, Progress
from tui.model.journal import Entry
from tui.model.migrate_request import Tune
from tui.model.migrate_steps import TuneMigration
from tui.model.migration import Migration, MigrationPhase
from tui.model.plan import Plan
from tui.model.request import Ending, EndRequest, SpeedRequest
from tui.model.steps import AwaitSync, EndJobs, ProvePivot, RemoveDestination, SetSpeed, Step
from tui.model.storage import Chain

DOMAIN = make_domain(disks=[make_disk("vda"), make_disk("vdb"), make_disk("vdc")])
UUID = DOMAIN.uuid
HALF = Progress(500, 1000, 0, JobType.COPY)
SYNC = Progress(1000, 1000, 0, JobType.COPY)


def running(
    target: str = "vda",
    phase: Phase = Phase.IN_SYNC,
    type: JobType = JobType.COPY,  # noqa: A002
    progress: Progress | None = SYNC,
) -> Running:
    disk = DOMAIN.disk(target)
    assert disk is not None
    return Running(target, type, phase, disk.chain.active, make_chain(f"/fast/{target}"), progress)


def copy_entry(
    target: str = "vda",
    *,
    creates: bool = True,
    heartbeat: float = 0.0,
    path: str | None = None,
    plan: str = "",
) -> Entry:
    path = path or f"/fast/{target}"
    xml = f"<disk type='file'><source file='{path}'/></disk>"
    start = StartCopy(UUID, "db01", target, f"/slow/{target}", path, xml, creates)
    steps = (start, AwaitSync(UUID, "db01", target))
    return Entry(
        plan or f"p-{target}", UUID, f"Mirror {target}", steps, 2, "root@host-b:7", NOW - 60, heartbeat
    )


def known(*jobs: Running, entries: tuple[Entry, ...] = (), **more: Any) -> EndFacts:
    removable = {copy.path: True for e in entries for copy in e.copies if copy.creates}
    defaults: dict[str, Any] = {"removable": removable, "now": NOW}
    return EndFacts(DOMAIN, jobs, entries, **{**defaults, **more})


def end(facts: EndFacts, ending: Ending, *targets: str, **wish: bool) -> Plan:
    return plan_end(EndRequest(UUID, targets, ending, **wish), facts, "p9")


def found(made: Plan, severity: Severity) -> set[str]:
    return {f.check for f in made.findings if f.severity is severity}


def refusals(made: Plan) -> set[str]:
    return found(made, Severity.REFUSED)


def warnings(made: Plan) -> set[str]:
    return found(made, Severity.WARNING)


def kinds(made: Plan) -> list[type]:
    return [type(step) for step in made.steps]


def use(
    kind: UseKind, *, uuid: str = "other", target: str = "vda", plan: str | None = None
) -> tuple[Use, ...]:
    return (Use(uuid, "web01", target, kind, plan),)


def test_pivot_of_one_disk() -> None:
    made = end(known(running(), entries=(copy_entry(),)), Ending.PIVOT, "vda")
    assert not made.refused
    assert warnings(made) == set()
    assert kinds(made) == [EndJobs, ProvePivot]
    assert made.steps[0] == EndJobs(UUID, "db01", ("vda",), Ending.PIVOT, paths=("/fast/vda",))
    assert made.closes == ("p-vda",)
    assert made.journalled
    assert made.title == "Pivot vda of db01"
    assert dict(made.facts)["to"] == "/fast/vda"


def test_pivot_of_all_disks_happens_at_one_instant() -> None:
    made = end(known(running("vda"), running("vdb"), running("vdc", type=JobType.PULL)), Ending.PIVOT)
    assert kinds(made) == [EndJobs, ProvePivot, ProvePivot]
    assert made.steps[0] == EndJobs(
        UUID, "db01", ("vda", "vdb"), Ending.PIVOT, pause=True, paths=("/fast/vda", "/fast/vdb")
    )
    assert {"pausing", "foreign-job"} <= warnings(made)


def test_a_pivot_waits_when_it_is_asked_to() -> None:
    facts = known(running("vda"), running("vdb", Phase.COPYING, progress=HALF))
    refused = end(facts, Ending.PIVOT)
    assert refusals(refused) == {"not-in-sync"}
    assert "50 %" in refused.findings[0].reason
    made = end(facts, Ending.PIVOT, wait=True)
    assert not made.refused
    assert kinds(made) == [AwaitSync, EndJobs, ProvePivot, ProvePivot]


def test_a_copy_that_is_not_in_sync_is_not_kept() -> None:
    facts = known(running(phase=Phase.COPYING, progress=None))
    made = end(facts, Ending.KEEP, "vda")
    assert refusals(made) == {"not-in-sync"}
    assert "unknown part" in made.findings[0].reason
    assert kinds(end(facts, Ending.KEEP, "vda", wait=True)) == [AwaitSync, EndJobs]
    assert kinds(end(known(running()), Ending.KEEP, "vda")) == [EndJobs]


@pytest.mark.parametrize("phase", [Phase.COPYING, Phase.IN_SYNC])
def test_cancel_removes_what_was_made_for_the_copy(phase: Phase) -> None:
    mirror = {"/fast/vda": (*use(UseKind.MIRROR, uuid=UUID), *use(UseKind.PLAN, uuid=UUID, plan="p-vda"))}
    made = end(known(running(phase=phase), entries=(copy_entry(),), uses=mirror), Ending.CANCEL, "vda")
    assert not made.refused
    assert made.steps == (
        EndJobs(UUID, "db01", ("vda",), Ending.CANCEL),
        RemoveDestination(UUID, "db01", "vda", "/fast/vda", NOW - 60),
    )
    assert made.closes == ("p-vda",)


@pytest.mark.parametrize(
    ("entries", "more", "check"),
    [
        ((copy_entry(creates=False),), {}, "destination-kept"),
        ((copy_entry(path="/fast/another"),), {}, "foreign-job"),
        ((), {}, "foreign-job"),
        ((copy_entry(),), {"removable": {"/fast/vda": False}}, "destination-left"),
        ((copy_entry(),), {"removable": {}}, "destination-left"),
        ((copy_entry(),), {"uses": {"/fast/vda": use(UseKind.LAYER)}}, "destination-kept"),
        ((copy_entry(),), {"uses": {"/fast/vda": use(UseKind.MIRROR)}}, "destination-kept"),
        ((copy_entry(),), {"uses": {"/fast/vda": use(UseKind.PLAN, plan="px")}}, "destination-kept"),
    ],
)
def test_cancel_leaves_the_rest_alone(entries: tuple[Entry, ...], more: dict[str, Any], check: str) -> None:
    made = end(known(running(), entries=entries, **more), Ending.CANCEL, "vda")
    assert not made.refused
    assert kinds(made) == [EndJobs]
    assert check in {f.check for f in made.findings}


def test_what_an_interrupted_plan_left_is_cleared() -> None:
    made = end(known(entries=(copy_entry(),)), Ending.CANCEL, "vda")
    assert not made.refused
    assert kinds(made) == [RemoveDestination]
    assert made.closes == ("p-vda",)
    assert not made.journalled
    assert end(known(entries=(copy_entry(),)), Ending.CANCEL).closes == ("p-vda",)


def test_after_a_pivot_the_destination_stays() -> None:
    uses = {"/fast/vda": use(UseKind.LAYER, uuid=UUID)}
    made = end(known(entries=(copy_entry(),), uses=uses), Ending.CANCEL, "vda")
    assert made.steps == ()
    assert made.closes == ("p-vda",)
    assert "destination-kept" in found(made, Severity.FINE)


def test_a_plan_that_is_being_carried_out_is_not_cleared() -> None:
    made = end(known(entries=(copy_entry(heartbeat=NOW),)), Ending.CANCEL, "vda")
    assert refusals(made) == {"plan-in-progress"}


def test_somebody_waits_for_the_job() -> None:
    facts = known(running(), entries=(copy_entry(heartbeat=NOW),))
    assert "plan-in-progress" in warnings(end(facts, Ending.CANCEL, "vda"))
    own = replace(facts, entries=(replace(*facts.entries, here=True),))
    assert warnings(end(own, Ending.CANCEL, "vda")) == set()


def test_a_plan_for_several_disks_stays_open_for_the_others() -> None:
    steps = (EndJobs(UUID, "db01", ("vda", "vdb"), Ending.PIVOT),)
    both = Entry("both", UUID, "Pivot both", steps, 0, "x", NOW, 0.0)
    facts = known(running("vda"), running("vdb"), entries=(both,))
    assert end(facts, Ending.CANCEL, "vda").closes == ()
    assert end(facts, Ending.CANCEL, "vda", "vdb").closes == ("both",)


def moved_together(reached: int = 2, heartbeat: float = 0.0) -> Entry:
    """The entry of a plan that copies two disks, each as one image."""
    starts = (
        StartCopy(UUID, "db01", target, f"/slow/{target}", f"/fast/{target}", "<disk/>", creates=True)
        for target in ("vda", "vdb")
    )
    waits = (AwaitSync(UUID, "db01", target) for target in ("vda", "vdb"))
    steps: tuple[Step, ...] = (*starts, *waits, EndJobs(UUID, "db01", ("vda", "vdb"), Ending.PIVOT))
    return Entry("both", UUID, "Move both", steps, reached, "root@host-b:7", NOW - 60, heartbeat)


def of_plan(target: str) -> tuple[Use, ...]:
    """The destination of a disk, which its own mirror and its own plan need."""
    return (
        *use(UseKind.MIRROR, uuid=UUID, target=target),
        *use(UseKind.PLAN, uuid=UUID, target=target, plan="both"),
    )


BOTH = {"/fast/vda": of_plan("vda"), "/fast/vdb": of_plan("vdb")}


@pytest.mark.parametrize("ending", [Ending.CANCEL, Ending.KEEP])
@pytest.mark.parametrize("heartbeat", [0.0, NOW])
def test_the_mirrors_of_one_plan_end_together(ending: Ending, heartbeat: float) -> None:
    facts = known(running("vda"), running("vdb"), entries=(moved_together(heartbeat=heartbeat),), uses=BOTH)
    made = end(facts, ending, "vda")
    (refusal,) = made.refusals
    assert refusal.check == "together"
    assert refusal.reason == "“Move both” has a mirror of vdb as well, and its mirrors end together."
    assert refusal.remedy == f"{ending.capitalize()} them together: virt-mirror {ending} db01 vda vdb"
    assert "destination-kept" not in {f.check for f in made.findings}, "its own plan is no reason to keep it"
    whole = end(facts, ending, "vda", "vdb")
    assert not whole.refused
    assert whole.closes == ("both",)
    removed = [step.path for step in whole.steps if isinstance(step, RemoveDestination)]
    assert removed == (["/fast/vda", "/fast/vdb"] if ending is Ending.CANCEL else [])


def test_what_has_a_mirror_alone_of_a_plan_for_several_ends_alone() -> None:
    entry = moved_together(reached=0)
    assert not end(known(running("vda"), entries=(entry,)), Ending.CANCEL, "vda").refused
    gone = make_disk("vda", "/fast/vda")
    domain = make_domain(disks=[gone, make_disk("vdb"), make_disk("vdc")])
    facts = replace(known(running("vdb"), entries=(moved_together(),), uses=BOTH), domain=domain)
    made = end(facts, Ending.CANCEL, "vdb")
    assert not made.refused
    assert [step.path for step in made.steps if isinstance(step, RemoveDestination)] == ["/fast/vdb"]
    assert made.closes == ("both",)
    assert end(facts, Ending.CANCEL, "vdc").closes == ()


def test_what_one_of_two_cancelled_copies_left_is_cleared_with_the_other() -> None:
    facts = known(running("vdb"), entries=(moved_together(),), uses=BOTH)
    assert refusals(end(facts, Ending.CANCEL, "vdb")) == {"together"}
    made = end(facts, Ending.CANCEL)
    assert not made.refused
    assert kinds(made) == [EndJobs, RemoveDestination, RemoveDestination]
    assert made.closes == ("both",)


@pytest.mark.parametrize(
    ("facts", "ending", "targets", "check"),
    [
        (known(), Ending.PIVOT, (), "no-jobs"),
        (known(), Ending.CANCEL, (), "no-jobs"),
        (known(), Ending.PIVOT, ("vda",), "no-job"),
        (known(entries=(copy_entry(),)), Ending.PIVOT, ("vda",), "no-job"),
        (known(), Ending.CANCEL, ("vdz",), "no-such-disk"),
        (known(running(type=JobType.PULL, phase=Phase.COPYING)), Ending.PIVOT, ("vda",), "not-a-mirror"),
        (known(running(type=JobType.COMMIT, phase=Phase.COPYING)), Ending.KEEP, ("vda",), "not-a-mirror"),
        (known(running(type=JobType.ACTIVE_COMMIT)), Ending.KEEP, ("vda",), "nothing-to-keep"),
        (known(running(phase=Phase.PIVOTING)), Ending.PIVOT, ("vda",), "already-ending"),
        (known(running(phase=Phase.CANCELLING)), Ending.CANCEL, ("vda",), "already-ending"),
        (known(running(phase=Phase.CANCELLING)), Ending.PIVOT, ("vda",), "ending-otherwise"),
        (known(running(phase=Phase.PIVOTING)), Ending.CANCEL, ("vda",), "ending-otherwise"),
        (known(running(phase=Phase.PIVOTING)), Ending.KEEP, ("vda",), "ending-otherwise"),
        (known(replace(running(), destination=Chain())), Ending.PIVOT, ("vda",), "destination-unknown"),
    ],
)
def test_refused(facts: EndFacts, ending: Ending, targets: tuple[str, ...], check: str) -> None:
    assert refusals(end(facts, ending, *targets)) == {check}


@pytest.mark.parametrize(
    ("phase", "ending"), [(Phase.PIVOTING, Ending.PIVOT), (Phase.CANCELLING, Ending.CANCEL)]
)
def test_the_way_out_for_a_guest_that_outruns_its_destination(phase: Phase, ending: Ending) -> None:
    made = end(known(running(phase=phase)), ending, "vda", pause=True)
    assert not made.refused
    assert {"already-ending", "pausing"} <= warnings(made)
    paths = ("/fast/vda",) if ending is Ending.PIVOT else ()
    assert made.steps[0] == EndJobs(UUID, "db01", ("vda",), ending, pause=True, paths=paths)


def test_an_active_commit() -> None:
    job = running(type=JobType.ACTIVE_COMMIT)
    assert not end(known(job), Ending.PIVOT, "vda").refused
    assert "base-modified" in warnings(end(known(job), Ending.CANCEL, "vda"))


def test_a_pull_can_be_cancelled() -> None:
    job = replace(running(type=JobType.PULL, phase=Phase.COPYING), destination=Chain(complete=False))
    made = end(known(job), Ending.CANCEL)
    assert not made.refused
    assert kinds(made) == [EndJobs]


def test_speed() -> None:
    facts = known(running(progress=Progress(1, 2, 1024**2, JobType.COPY)))
    made = plan_speed(SpeedRequest(UUID, "vda", 0), facts, "p9")
    assert not made.refused
    assert not made.journalled
    assert made.steps == (SetSpeed(UUID, "db01", "vda", 0),)
    assert dict(made.facts)["limit now"] == "1 MiB/s"
    assert dict(made.facts)["limit then"] == "none"
    assert refusals(plan_speed(SpeedRequest(UUID, "vda", 2**63), facts, "p9")) == {"bandwidth"}
    assert refusals(plan_speed(SpeedRequest(UUID, "vda", -1), facts, "p9")) == {"bandwidth"}
    assert refusals(plan_speed(SpeedRequest(UUID, "vdb", 5), facts, "p9")) == {"no-job"}


GOING = Migration(UUID, "db01", "host-b", MigrationPhase.DISKS, led=False)


@pytest.mark.parametrize(
    ("migration", "call_back", "limit"),
    [
        (GOING, "virt-mirror cancel db01", "virt-mirror speed db01 MIB"),
        # Somebody has begun it with virsh.
        (None, "virsh domjobabort db01", "virsh migrate-setspeed db01 MIB"),
    ],
)
@pytest.mark.parametrize("job", [(), (running(phase=Phase.COPYING, progress=HALF),)])
def test_what_copies_the_disks_of_a_migration_is_nobodys_mirror(
    migration: Migration | None, call_back: str, limit: str, job: tuple[Running, ...]
) -> None:
    facts = known(*job, migration=migration, migrating=True)
    plans = [end(facts, ending, "vda") for ending in Ending]
    plans += [end(facts, Ending.PIVOT), end(facts, Ending.KEEP)]
    plans.append(plan_speed(SpeedRequest(UUID, "vda", 5), facts, "p9"))
    for made in plans:
        (finding,) = made.findings
        assert (finding.check, made.refused, made.steps) == ("migrating", True, ())
        assert finding.reason.startswith("db01 is on its way to ")
        assert finding.remedy is not None
        assert finding.remedy.endswith(limit if made is plans[-1] else call_back)


def test_to_cancel_a_domain_on_its_way_is_to_call_it_back() -> None:
    made = end(known(running(), migration=GOING, migrating=True), Ending.CANCEL)
    assert not made.findings
    assert made.steps == (TuneMigration(UUID, "db01", Tune.CALL_BACK),)
    late = replace(GOING, phase=MigrationPhase.SWITCHING)
    assert refusals(end(known(migration=late, migrating=True), Ending.CANCEL)) == {"past-the-switch"}
    assert refusals(end(known(migrating=True), Ending.CANCEL)) == {"migrating"}


@pytest.mark.parametrize(
    ("ready", "phase"),
    [
        (MirrorReady.NO, Phase.COPYING),
        (MirrorReady.YES, Phase.IN_SYNC),
        (MirrorReady.ABORT, Phase.CANCELLING),
        (MirrorReady.PIVOT, Phase.PIVOTING),
    ],
)
def test_a_job_as_the_definition_shows_it(ready: MirrorReady, phase: Phase) -> None:
    job = running_on(make_disk(mirror=make_mirror(ready=ready)), SYNC)
    assert job is not None
    assert job.phase is phase
    assert job.percent == (99 if phase is Phase.COPYING else None)


def test_a_job_without_a_mirror() -> None:
    assert running_on(make_disk(), None) is None
    pull = running_on(make_disk(), Progress(0, 0, 0, JobType.PULL))
    assert pull is not None
    assert pull.percent is None
    ending = replace(make_mirror(), job=MirrorJob.CONCLUDING)
    job = running_on(make_disk(mirror=ending), None)
    assert job is not None
    assert job.phase is Phase.CANCELLING


progresses = st.sampled_from([None, HALF, SYNC, Progress(0, 0, 0), Progress(1, 1, 0)])
destinations = st.sampled_from([Chain(), Chain(complete=False), make_chain("/fast/vda")])
jobs = st.builds(
    Running,
    st.sampled_from(["vda", "vdb"]),
    st.sampled_from(JobType),
    st.sampled_from([p for p in Phase if not p.ended]),
    st.none(),
    destinations,
    progresses,
)
entries = st.builds(
    copy_entry,
    st.sampled_from(["vda", "vdb", "vdz"]),
    creates=st.booleans(),
    heartbeat=st.sampled_from([0.0, NOW]),
    path=st.sampled_from(["/fast/vda", "/fast/b"]),
)


@given(
    st.lists(jobs, max_size=3).map(tuple),
    st.lists(entries, max_size=3).map(tuple),
    st.lists(st.sampled_from(["vda", "vdb", "vdz"]), max_size=2).map(tuple),
    st.sampled_from(Ending),
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.sampled_from(["/fast/vda", "/fast/b"]), st.sampled_from(UseKind).map(use)),
)
def test_every_refusal_says_what_to_do(  # noqa: PLR0917
    running_jobs: tuple[Running, ...],
    plans: tuple[Entry, ...],
    targets: tuple[str, ...],
    ending: Ending,
    pause: bool,  # noqa: FBT001
    wait: bool,  # noqa: FBT001
    uses: dict[str, tuple[Use, ...]],
) -> None:
    facts = known(*running_jobs, entries=plans, uses=uses)
    made = plan_end(EndRequest(UUID, targets, ending, pause, wait), facts, "p9")
    for finding in made.findings:
        assert finding.reason.endswith(".")
        if finding.severity is Severity.REFUSED:
            assert finding.remedy
    removed = {step.path for step in made.steps if isinstance(step, RemoveDestination)}
    layers = {path for path, users in uses.items() if any(u.kind is UseKind.LAYER for u in users)}
    assert not removed & layers
    if ending is not Ending.CANCEL:
        assert not removed
