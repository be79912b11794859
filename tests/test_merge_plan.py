"""The plans of commits and pulls; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.copy_facts import found, refusals, use, warnings
from tests.fake_host import GIB, NOW, make_chain, make_disk, make_domain, make_mirror
from tui.model.begin_steps import StartCommit, StartPull
from tui.model.disk import Disk
from tui.model.facts import LayerFacts, UseKind
from tui.model.finding import Acceptance, Severity
from tui.model.job import JobType, Progress
from tui.model.merge_case import MergeFacts
from tui.model.merge_plan import plan_merge
from tui.model.plan import Plan
from tui.model.request import CommitRequest, PullRequest, Then
from tui.model.snapshot import SnapshotFacts, files_of
from tui.model.steps import AwaitEnd, AwaitSync, EndJobs, ProveChain, ProvePivot
from tui.model.storage import BlockSource, Chain, Layer

PATHS = ("/slow/top", "/slow/mid", "/slow/low", "/slow/base")
DISK = make_disk("vda", *PATHS)


def facts(disk: Disk | None = DISK, **more: Any) -> MergeFacts:
    layers = disk.chain.layers if disk else ()
    defaults: dict[str, Any] = {
        "capacity": 4 * GIB,
        "layers": tuple(LayerFacts(layer.path, GIB, (), "below") for layer in layers),
        "room": (100 * GIB,) * len(layers),
        "snapshots": (),
        "now": NOW,
    }
    domain = make_domain(disks=[disk] if disk else [make_disk("vdz")])
    return MergeFacts(domain, disk, **{**defaults, **more})


def commit(known: MergeFacts | None = None, **wish: Any) -> Plan:
    known = known or facts()
    return plan_merge(CommitRequest(known.domain.uuid, "vda", **wish), known, "p1")


def pull(known: MergeFacts | None = None, **wish: Any) -> Plan:
    known = known or facts()
    return plan_merge(PullRequest(known.domain.uuid, "vda", **wish), known, "p1")


def then(plan: Plan) -> list[str]:
    return [layer.path for layer in plan.chains[0].then.layers]


def test_an_active_commit() -> None:
    plan = commit(then=Then.PIVOT, delete=True, bandwidth=5)
    assert refusals(plan) == set()
    assert warnings(plan) == {"base-modified", "forbidden-meanwhile"}
    assert [type(step) for step in plan.steps] == [StartCommit, AwaitSync, EndJobs, ProvePivot, ProveChain]
    start = plan.steps[0]
    assert isinstance(start, StartCommit)
    assert (start.job, start.base, start.path) == (JobType.ACTIVE_COMMIT, "vda[4]", "/slow/base")
    assert start.commands == (
        "virsh blockcommit db01 vda --base 'vda[4]' --active --delete --bandwidth 5 --bytes",
    )
    assert then(plan) == ["/slow/base"]
    assert [type(step) for step in commit().steps] == [StartCommit, AwaitSync]


def test_a_commit_of_lower_layers() -> None:
    plan = commit(top="vda[2]", base="/slow/base", keep_relative=True)
    assert [type(step) for step in plan.steps] == [StartCommit, AwaitEnd, ProveChain]
    assert plan.commands[0] == "virsh blockcommit db01 vda --base 'vda[4]' --top 'vda[2]' --keep-relative"
    assert then(plan) == ["/slow/top", "/slow/base"]
    assert then(commit(top="/slow/mid", shallow=True)) == ["/slow/top", "/slow/low", "/slow/base"]


def test_a_pull() -> None:
    plan = pull(base="vda[3]", keep_relative=True)
    assert [type(step) for step in plan.steps] == [StartPull, AwaitEnd, ProveChain]
    assert plan.commands[0] == "virsh blockpull db01 vda --base 'vda[3]' --keep-relative"
    assert then(plan) == ["/slow/top", "/slow/low", "/slow/base"]
    assert then(pull()) == ["/slow/top"]
    assert pull().commands[0] == "virsh blockpull db01 vda"


@given(st.integers(2, 12), st.data())
def test_what_is_merged_goes_and_all_else_stays(depth: int, data: st.DataObject) -> None:
    paths = [f"/l{n}" for n in range(depth)]
    known = facts(make_disk("vda", *paths))
    top = data.draw(st.integers(0, depth - 2))
    base = data.draw(st.integers(top + 1, depth - 1))
    plan = commit(known, top=f"vda[{top + 1}]", base=paths[base])
    start = plan.steps[0]
    assert isinstance(start, StartCommit)
    assert list(start.paths) == paths[top:base]
    assert then(plan) == paths[:top] + paths[base:]
    assert start.active is (top == 0)
    below = data.draw(st.integers(2, depth))
    plan = pull(known, base=paths[below] if below < depth else None)
    assert then(plan) == paths[:1] + paths[below:]


@pytest.mark.parametrize(
    ("wish", "check"),
    [
        ({"top": "vda[9]"}, "no-such-layer"),
        ({"base": "/nowhere"}, "no-such-layer"),
        ({"top": "vda[3]", "base": "vda[2]"}, "layer-order"),
        ({"top": "vda[4]"}, "layer-order"),
        ({"base": "vda[3]", "shallow": True}, "not-shallow"),
        ({"keep_relative": True}, "relative-meaningless"),
        ({"bandwidth": -1}, "bandwidth"),
    ],
)
def test_a_commit_that_makes_no_sense(wish: dict[str, Any], check: str) -> None:
    assert refusals(commit(**wish)) == {check}


def test_a_pull_that_makes_no_sense() -> None:
    assert refusals(pull(base="vda[2]")) == {"nothing-between"}
    assert refusals(pull(base="vda[1]")) == {"nothing-between"}
    assert refusals(pull(keep_relative=True)) == {"relative-meaningless"}


def test_disks_that_have_nothing_to_merge() -> None:
    single = replace(DISK, chain=make_chain("/slow/top"))
    unknown = replace(DISK, chain=Chain(DISK.chain.layers, complete=False))
    assert refusals(commit(facts(single))) == {"one-layer"}
    assert refusals(commit(facts(unknown))) == {"chain-unknown"}
    assert refusals(commit(facts(None))) == {"no-such-disk"}
    assert "job-running" in refusals(commit(facts(replace(DISK, mirror=make_mirror("/x")))))
    assert "job-running" in refusals(pull(facts(running=Progress(1, 9, 0, JobType.PULL))))


def test_what_else_stands_on_the_layers() -> None:
    known = facts(uses={"/slow/low": use(UseKind.LAYER)})
    assert refusals(commit(known)) == {"layer-shared"}
    assert refusals(commit(known, top="vda[1]", base="vda[2]")) == set()
    assert refusals(pull(known)) == set()
    own = facts().domain.uuid
    assert refusals(commit(facts(uses={"/slow/low": use(UseKind.LAYER, uuid=own)}))) == set()
    assert "layers-unchecked" in warnings(commit(facts(unfollowed=("old vda",))))


def test_snapshots_that_need_the_images() -> None:
    known = facts(snapshots=(SnapshotFacts("before [x]", frozenset({"/slow/low"})),))
    assert refusals(commit(known)) == {"snapshots"}
    assert "virt-mirror snapshot delete db01 'before [x]'. Or accept" in commit(known).remedies
    assert refusals(commit(known, base="vda[2]")) == set()
    assert "snapshots" in warnings(commit(known, accepted=frozenset({Acceptance.LOSE_SNAPSHOTS})))
    assert "snapshots" in warnings(pull(known))
    # What lies inside of the image that takes the data stays there; of those above it is on what changes.
    low = frozenset({"/slow/low"})
    held = facts(snapshots=(SnapshotFacts("in", low, inside=low),))
    assert refusals(commit(held, base="/slow/low")) == set()
    assert refusals(commit(held)) == {"snapshots"}, "it leaves the chain"
    both = SnapshotFacts("above", low | {"/slow/mid"}, inside=frozenset({"/slow/mid"}))
    assert refusals(commit(facts(snapshots=(both,)), base="/slow/low")) == {"snapshots"}
    assert "snapshots-unchecked" in warnings(commit(facts(snapshots=None)))


def test_what_is_new_since_a_snapshot_may_grow() -> None:
    state = SnapshotFacts("s", frozenset({"/slow/low", "/slow/mid"}), overlays=frozenset({"/slow/mid"}))
    assert refusals(commit(facts(snapshots=(state,)), base="/slow/mid")) == set()
    assert refusals(commit(facts(snapshots=(state,)), base="/slow/low")) == {"snapshots"}


def test_many_snapshots_are_named_as_far_as_there_is_room() -> None:
    low = frozenset({"/slow/low"})
    known = facts(snapshots=tuple(SnapshotFacts(f"s{number}", low) for number in range(9)))
    said = commit(known).remedies
    assert "delete db01 s8; virt-mirror snapshot delete db01 s7" in said
    assert "s4; and so on, 9 in all" in said
    assert "s3" not in said


def test_internal_snapshots_go_with_the_image() -> None:
    layers = (*facts().layers[:1], replace(facts().layers[1], snapshots=("s",)), *facts().layers[2:])
    known = facts(layers=layers)
    assert refusals(commit(known, delete=True)) == {"internal-snapshots"}
    assert refusals(commit(known)) == set()
    accepted = frozenset({Acceptance.LOSE_INTERNAL_SNAPSHOTS})
    assert refusals(commit(known, delete=True, accepted=accepted)) == set()


def test_internal_snapshots_of_the_active_layer_miss_what_is_pulled() -> None:
    layers = (replace(facts().layers[0], snapshots=("s",)), *facts().layers[1:])
    known = facts(layers=layers)
    assert refusals(pull(known)) == {"internal-snapshots"}
    accepted = frozenset({Acceptance.LOSE_INTERNAL_SNAPSHOTS})
    assert refusals(pull(known, accepted=accepted)) == set()
    below = (*facts().layers[:1], replace(facts().layers[1], snapshots=("s",)), *facts().layers[2:])
    assert refusals(pull(facts(layers=below))) == set()


def test_a_device_is_not_removed() -> None:
    layers = (*DISK.chain.layers[:1], Layer(BlockSource("/dev/vg/mid"), "qcow2", 2), *DISK.chain.layers[2:])
    known = facts(replace(DISK, chain=Chain(layers)))
    assert "not-removed" in warnings(commit(known, delete=True))


def test_room_for_what_grows() -> None:
    tight = facts(room=(100 * GIB, 100 * GIB, 100 * GIB, 2 * GIB))
    assert refusals(commit(tight)) == {"space"}
    assert refusals(commit(tight, top="vda[3]")) == set()
    assert refusals(pull(tight)) == set()
    assert refusals(pull(facts(room=(GIB,) * 4))) == {"space"}
    risk = frozenset({Acceptance.RISK_FULL_DESTINATION})
    assert refusals(commit(tight, accepted=risk)) == set()
    assert "space-unchecked" in warnings(commit(facts(room=(None,) * 4)))
    # The guest sees so much and no more.
    assert dict(commit(facts(capacity=GIB)).facts)["grows by"] == "1 GiB at most"


def test_names_that_are_not_relative() -> None:
    absolute = tuple(replace(layer, backing="/slow/x") for layer in facts().layers)
    known = facts(layers=absolute)
    assert refusals(pull(known, base="vda[3]", keep_relative=True)) == {"names-absolute"}
    assert refusals(commit(known, top="vda[2]", keep_relative=True)) == {"names-absolute"}
    assert refusals(commit(known, top="vda[2]")) == set()


def test_layers_that_are_nobody_elses_are_said_to_be() -> None:
    assert "layers-own" in found(commit(), Severity.FINE)


def test_the_files_of_a_snapshot() -> None:
    text = (
        "<domainsnapshot><name>s</name><disks><disk name='vda' snapshot='external'>"
        "<source file='/a/overlay'/></disk></disks><domain><devices><disk><source dev='/dev/b'/>"
        "<backingStore><source file='/a/base'/></backingStore></disk>"
        "<interface><source network='n'/></interface></devices></domain></domainsnapshot>"
    )
    assert files_of(text) == {"/a/overlay", "/dev/b", "/a/base"}
