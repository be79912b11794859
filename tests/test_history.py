"""What is kept of plans that have ended: the line of each, read back, and its words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_host import (
    GIB,
    NOW,
    default_plan,
    make_disk,
    make_domain,
    make_job,
    make_mirror,
    make_samples,
    make_state,
    uuid_of,
)
from tests.records import MIGRATED, make_record
from tui.model.doctor import DoctorFacts, LeftImages, Volume, examine
from tui.model.figures import Figures, together
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.history import (
    Record,
    Result,
    UnreadableRecord,
    amounts_of,
    document,
    kind_of,
    left_by,
    line_of,
    parse_record,
)
from tui.model.job import Job, Phase, Progress
from tui.model.methods import Method
from tui.model.migrate_request import MigrateRequest
from tui.model.request import (
    CopyRequest,
    Ending,
    EndRequest,
    LiveSnapshotRequest,
    MoveRequest,
    RecoverRequest,
    Request,
    Then,
)
from tui.model.steps import AwaitSync
from tui.model.storage import Chain, FileSource, Layer

DB01 = uuid_of("db01")
TEXT = st.text(st.characters(), max_size=20)
SECONDS = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.none() | st.integers(0, 2**63 - 1)
FIGURES = st.builds(Figures, st.none() | SECONDS, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT)
STEP_TITLES = st.lists(TEXT, max_size=4).map(tuple)
RECORDS = st.builds(
    Record,
    **dict.fromkeys(("plan", "kind", "title", "uri", "hostname", "domain", "uuid", "owner", "message"), TEXT),
    begun=SECONDS,
    ended=SECONDS,
    steps=STEP_TITLES,
    reached=st.just(0),
    result=st.sampled_from(Result),
    figures=FIGURES,
    left=STEP_TITLES,
)


@given(RECORDS, st.integers(0, 4))
def test_a_record_comes_back_as_it_was(record: Record, reached: int) -> None:
    record = replace(record, reached=min(reached, len(record.steps)))
    line = line_of(record)
    assert line.isascii()
    assert "\n" not in line
    assert parse_record(line) == record


def test_what_a_later_version_adds_is_passed_over() -> None:
    more = document(MIGRATED) | {"later": 1, "figures": document(MIGRATED)["figures"] | {"later": 1}}
    assert parse_record(json.dumps(more)) == MIGRATED
    less = document(MIGRATED) | {"figures": {}}
    assert parse_record(json.dumps(less)).figures == Figures()
    earlier = document(make_record(left=("/a",)))
    del earlier["left"]
    assert parse_record(json.dumps(earlier)).left == ()


def test_what_a_guest_has_left_is_what_it_was_on_and_is_not_now() -> None:
    before = make_domain(disks=[make_disk("vda", "/slow/top", "/base"), make_disk("vdb", "/slow/vdb")])
    now = make_domain(disks=[make_disk("vda", "/fast/top", "/base"), make_disk("vdb", "/slow/vdb")])
    plan = default_plan(EndRequest(DB01, ("vda",), Ending.PIVOT), make_state(before))
    assert left_by(plan, before, now) == ("/slow/top",)
    assert left_by(plan, before, before) == ()
    assert left_by(plan, before, None) == ()
    # The destination of a mirror is left by whoever ends it, even if that is not seen yet.
    mirrored = make_domain(disks=[make_disk("vda", "/slow/top", mirror=make_mirror("/fast/copy"))])
    assert left_by(plan, mirrored, mirrored) == ("/fast/copy",)


def test_what_is_left_is_told_until_something_uses_it() -> None:
    images = (("/slow/a b", GIB), ("/slow/c", GIB))
    left = LeftImages(DB01, "db01", "p1", "Move db01", NOW - 7200, images)
    state = make_state(make_domain(disks=[make_disk("vda", "/fast/top")]))
    facts = DoctorFacts(state, now=NOW, left=(left,), volumes=(Volume("/slow/c", "slow"),))
    (finding,) = examine(facts)
    assert finding.check == "image-left"
    assert "“Move db01” (p1) left /slow/a b, /slow/c, 2 GiB, 2h00m ago; nothing" in finding.reason
    assert finding.remedy == "When nothing elsewhere needs it either: rm -- '/slow/a b' /slow/c"
    assert examine(replace(facts, domain=uuid_of("web01")))[0].check == "healthy"
    (finding,) = examine(replace(facts, needed=frozenset({"/slow/c"})))
    assert finding.remedy.endswith("rm -- '/slow/a b'")
    # A chain that nobody sees to its end may stand on any of them.
    unseen = make_disk("vda", "/fast/top")
    unseen = replace(unseen, chain=replace(unseen.chain, complete=False))
    found = examine(replace(facts, state=make_state(make_domain(disks=[unseen]))))
    assert [finding.check for finding in found] == ["chain-unknown", "image-unused"]


@pytest.mark.parametrize(
    "change",
    [
        {"title": 3},
        {"title": None},
        {"steps": "abc"},
        {"steps": [1]},
        {"begun": "now"},
        {"begun": float("nan")},
        {"ended": float("inf")},
        {"ended": 10**400},
        {"reached": -1},
        {"reached": 1.5},
        {"result": "lost"},
        {"figures": None},
        {"figures": {"memory": -1}},
        {"figures": {"memory": 2**64}},
        {"figures": {"still_seconds": "long"}},
    ],
)
def test_what_is_no_record_is_told_from_one(change: dict[str, object]) -> None:
    with pytest.raises(UnreadableRecord):
        parse_record(json.dumps(document(MIGRATED) | change))


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "null", "1", '{"plan": "a"}', "[" * 100_000, line_of(MIGRATED)[:-9]]
)
def test_half_lines_and_foreign_ones(line: str) -> None:
    with pytest.raises(UnreadableRecord):
        parse_record(line)


@given(st.text())
def test_any_line_is_a_record_or_none(line: str) -> None:
    with pytest.raises(UnreadableRecord):
        parse_record(line)


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (CopyRequest(DB01, "vda", Chain((), complete=False)), "copy"),
        (LiveSnapshotRequest(DB01, "s", method=Method.QEMU), "live-snapshot"),
        (MigrateRequest(DB01, "qemu:///b"), "migrate"),
        (SnapshotDeleteRequest(DB01, "s"), "snapshot-delete"),
        (EndRequest(DB01, ("vda",), Ending.KEEP), "keep"),
        (RecoverRequest(DB01, undo=True), "undo"),
        (RecoverRequest(DB01, undo=False), "resume"),
        (None, "unknown"),
    ],
)
def test_kinds(request_: Request | None, kind: str) -> None:
    assert kind_of(request_) == kind


def test_words_about_one() -> None:
    assert MIGRATED.of("web01")
    assert MIGRATED.of(MIGRATED.uuid.upper())
    assert not MIGRATED.of("db01")
    assert MIGRATED.remark == ""
    held = make_record(message="Mirror vda of db01: in sync, and held so until you decide.")
    assert held.remark == "in sync, and held so until you decide."
    failed = make_record(result=Result.FAILED, reached=1, message="It is full.")
    assert (failed.remark, failed.progress) == ("It is full.", "step 2 of 4")
    # A plan of no steps, and a clock that was put back.
    assert make_record(steps=(), reached=0).progress == "step 0 of 0"
    assert make_record(begun=NOW, ended=NOW - 5).took == 0


def test_figures_in_words() -> None:
    assert MIGRATED.figures.words == ("the guest stood still for 99 ms", "3 GiB of memory in 4 rounds")
    assert Figures(still_seconds=2.34, disks=GIB, rounds=1, memory=1).words == (
        "the guest stood still for 2.3 s",
        "1 B of memory",
        "1 GiB of disks",
    )
    assert Figures().words == ()


def test_figures_together() -> None:
    parts = [
        Figures(still_seconds=0.2, disks=3),
        Figures(still_seconds=0.1, disks=4, memory=1),
        Figures(rounds=2),
    ]
    assert together(parts) == Figures(still_seconds=0.2, disks=7, memory=1, rounds=2)
    assert together([]) == Figures()


COPY = CopyRequest(
    DB01, "vda", Chain((Layer(FileSource("/fast/a"), "qcow2"),), complete=False), then=Then.PIVOT
)
IN_SYNC = make_job(
    phase=Phase.IN_SYNC, progress=Progress(0, 0, 0), samples=make_samples(cur=GIB, end=4 * GIB)
)


@pytest.mark.parametrize(
    ("job", "copied"),
    [
        (make_job(cur=GIB, end=4 * GIB), GIB),
        # Just in sync: what the last tick said is from before that.
        (IN_SYNC, 4 * GIB),
        (make_job(progress=Progress(0, 1, 0), samples=make_samples(count=1, cur=GIB)), GIB),
        (make_job(progress=Progress(0, 1, 0)), None),
        (make_job("web01"), None),
        (make_job(target="vdb"), None),
    ],
)
def test_what_jobs_have_copied(job: Job, copied: int | None) -> None:
    plan = default_plan(COPY, make_state())
    assert amounts_of(plan, 1, [job]) == Figures(disks=copied)


def test_of_several_jobs_of_a_disk_the_latest_counts() -> None:
    plan = default_plan(COPY, make_state())
    earlier, later = make_job(cur=1, number=1), make_job(cur=2, number=2)
    assert amounts_of(plan, 1, [earlier, later]) == Figures(disks=2)


def test_what_an_earlier_plan_has_copied_is_none_of_one_that_did_not_begin() -> None:
    plan = default_plan(COPY, make_state())
    earlier = make_job(cur=20 * GIB, end=20 * GIB, plan="p0", phase=Phase.DONE)
    for whose in (earlier, replace(earlier, plan=None)):
        assert amounts_of(plan, 0, [whose]) == Figures()
    waits = replace(plan, steps=tuple(step for step in plan.steps if isinstance(step, AwaitSync)))
    assert amounts_of(waits, 0, [earlier]) == Figures(disks=20 * GIB), "whoever ends it waits for it"


def test_what_was_not_begun_has_copied_nothing() -> None:
    plan = default_plan(MoveRequest(DB01, "/fast"), make_state())
    assert amounts_of(plan, 0, [make_job()]) == Figures()
