"""The plans of moves, and those that go on with an interrupted plan or take it back; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.copy_facts import IMAGE, NEW, refusals, use, warnings
from tests.fake_host import GIB, NOW, make_disk, make_domain
from tui.model.begin_steps import StartCommit, StartCopy
from tui.model.chain_steps import (
    CompareImages,
    CopyImages,
    MakeImage,
    MapSnapshots,
    Quarantine,
    TakeOverlay,
)
from tui.model.disk import Disk
from tui.model.domain import Domain, RunState
from tui.model.facts import CopyFacts, LayerFacts, Running, Sizes, Use, UseKind
from tui.model.job import JobType, Phase
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.move_case import MoveFacts
from tui.model.move_plan import plan_move
from tui.model.plan import Plan
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import How, MoveRequest, RecoverRequest, Shared, Then
from tui.model.snapshot import SnapshotFacts, files_of, mapped, overlay_xml
from tui.model.steps import AwaitSync, EndJobs, ProveChain, ProvePivot, Undo
from tui.model.storage import BlockSource, Chain, FileSource, Layer

ALL = ("/slow/top", "/slow/mid", "/slow/base")
DISK = make_disk("vda", *ALL)
OTHER = make_disk("vdb", "/data/one")
READ_ONLY = make_disk("vdc", "/iso/x", readonly=True)


def copy_facts(domain: Domain, disk: Disk, *, relative: bool = True, **more: Any) -> CopyFacts:
    below = disk.chain.layers[1:]
    names = [layer.path.rpartition("/")[2] if relative else layer.path for layer in below]
    layers = tuple(
        LayerFacts(layer.path, GIB, (), name)
        for layer, name in zip(disk.chain.layers, (*names, None), strict=True)
    )
    known = {"sizes": Sizes(4 * GIB, GIB, GIB), "layers": layers, "destination": NEW, "checkpoints": ()}
    return CopyFacts(domain, disk, libvirt=(9, 0, 0), now=NOW, **{**known, **more})


def facts(*disks: Disk, relative: bool = True, **more: Any) -> MoveFacts:
    domain = make_domain(disks=disks or [DISK])
    defaults: dict[str, Any] = {
        "directory": "/fast",
        "copies": {d.target: copy_facts(domain, d, relative=relative) for d in domain.disks if not d.empty},
        "readable": frozenset(layer.path for d in domain.disks for layer in d.chain.layers),
        "writable": True,
        "free": 100 * GIB,
    }
    return MoveFacts(domain, **{**defaults, **more})


def move(known: MoveFacts | None = None, *targets: str, **wish: Any) -> Plan:
    known = known or facts()
    return plan_move(MoveRequest(known.domain.uuid, "/fast", targets, **wish), known, "p1")


def kinds(plan: Plan) -> list[type]:
    return [type(step) for step in plan.steps]


def test_a_chain_goes_along_base_first() -> None:
    plan = move()
    assert refusals(plan) == set()
    assert kinds(plan) == [
        TakeOverlay,
        *[MakeImage] * 4,
        StartCopy,
        CopyImages,
        CompareImages,
        AwaitSync,
        EndJobs,
        ProvePivot,
        ProveChain,
    ]
    made = [step.path for step in plan.steps if isinstance(step, MakeImage)]
    assert made == ["/fast/base", "/fast/mid", "/fast/top", "/fast/top.move-p1.qcow2"]
    copied = [i.source for step in plan.steps if isinstance(step, CopyImages) for i in step.images]
    assert copied == ["/slow/base", "/slow/mid", "/slow/top"]
    start = next(step for step in plan.steps if isinstance(step, StartCopy))
    assert (start.shallow, start.reuse_external, start.creates, start.format) == (True, True, False, "qcow2")
    assert [layer.path for layer in plan.chains[0].then.layers] == list(reversed(made))


def test_the_overlay_is_folded_back() -> None:
    plan = move(merge_overlay=True)
    commit = next(step for step in plan.steps if isinstance(step, StartCommit))
    assert (commit.base, commit.delete, commit.active) == ("/fast/top", True, True)
    assert [layer.path for layer in plan.chains[0].then.layers] == ["/fast/top", "/fast/mid", "/fast/base"]


def test_relative_names_stay_and_absolute_ones_are_rewritten() -> None:
    def named(plan: Plan) -> list[tuple[str | None, str | None]]:
        made = {s.path: s.backing for s in plan.steps if isinstance(s, MakeImage)}
        copied = {i.path: i.backing for s in plan.steps if isinstance(s, CopyImages) for i in s.images}
        return [(made[path], copied[path]) for path in ("/fast/top", "/fast/base")]

    assert named(move()) == [("mid", None), (None, None)]
    assert named(move(facts(relative=False))) == [("/fast/mid", "/fast/mid"), (None, None)]


def test_all_disks_that_can_be_written_go_and_change_at_one_instant() -> None:
    plan = move(facts(DISK, OTHER, READ_ONLY))
    (end,) = (step for step in plan.steps if isinstance(step, EndJobs))
    assert (end.targets, end.pause) == (("vda", "vdb"), True)
    (overlay,) = (step for step in plan.steps if isinstance(step, TakeOverlay))
    assert (overlay.targets, overlay.others) == (("vda",), ("vdb", "vdc"))
    assert any(f.check == "stays" and "vdc" in f.reason for f in plan.findings)
    assert kinds(move(facts(DISK, OTHER), "vdb", then=Then.HOLD)) == [StartCopy, AwaitSync]


def test_flat_and_shallow_are_copies() -> None:
    flat = move(how=How.FLATTEN, format="raw")
    assert kinds(flat) == [StartCopy, AwaitSync, EndJobs, ProvePivot]
    start = flat.steps[0]
    assert isinstance(start, StartCopy)
    assert (start.path, start.format, start.creates) == ("/fast/top", "raw", True)
    shallow = move(how=How.SHALLOW).steps[0]
    assert isinstance(shallow, StartCopy)
    assert shallow.shallow


def test_there_is_one_estimate_of_the_room_for_all_disks() -> None:
    def moved(free: int) -> Plan:
        known = facts(make_disk("vda", "/slow/a"), make_disk("vdb", "/slow/b"), free=free)
        return move(known, how=How.FLATTEN)

    def said(plan: Plan) -> list[str]:
        return [finding.reason for finding in plan.findings if finding.check.startswith("space")]

    # Each holds a GiB, and comes to hold 4 once the guest has written everywhere.
    assert said(moved(100 * GIB)) == ["100 GiB are free there; about 2 GiB are needed, and at most 8 GiB."]
    assert dict(moved(100 * GIB).facts)["takes"] == "2 GiB likely, 8 GiB at most"
    # Either of them alone would have all the room that it can come to take.
    tight = moved(5 * GIB)
    assert "space-tight" in warnings(tight)
    assert len(said(tight)) == 1
    assert refusals(moved(GIB)) == {"space-together"}


def test_a_flattened_chain_takes_no_more_than_its_disk_holds() -> None:
    known = facts(make_disk("vda", *(f"/slow/{n}" for n in range(6))))
    # Six layers of a GiB each hold 4 GiB at most, and what the image itself is kept in.
    needs = move(known, how=How.FLATTEN).needs
    assert needs is not None
    assert 4 * GIB <= needs < 4.1 * GIB


@pytest.mark.parametrize(
    ("more", "check"),
    [
        ({"out_of_reach": "they are on the moon"}, "files-elsewhere"),
        ({"writable": False}, "directory-unwritable"),
        ({"there": {"/fast/mid": LayerFacts("/fast/mid")}}, "image-exists"),
        ({"readable": frozenset()}, "layer-unreadable"),
        ({"readable": frozenset(), "missing": frozenset(ALL)}, "layer-missing"),
        ({"free": 2 * GIB}, "space-together"),
        ({"directory": None, "problem": "There is no such pool."}, "no-directory"),
    ],
)
def test_what_keeps_a_chain_from_going_along(more: dict[str, Any], check: str) -> None:
    assert refusals(move(facts(**more))) == {check}
    if check in (
        "files-elsewhere",
        "directory-unwritable",
        "image-exists",
        "layer-unreadable",
        "layer-missing",
    ):
        assert refusals(move(facts(**more), how=How.FLATTEN)) == set()


def test_layers_that_are_no_plain_files() -> None:
    device = Layer(BlockSource("/dev/vg/mid"), "qcow2", 2)
    layers = (DISK.chain.layers[0], device, DISK.chain.layers[2])
    assert refusals(move(facts(replace(DISK, chain=Chain(layers))))) == {"layer-kind"}
    odd = (DISK.chain.layers[0], Layer(FileSource("/slow/mid"), "vmdk", 2), DISK.chain.layers[2])
    assert refusals(move(facts(replace(DISK, chain=Chain(odd))))) == {"layer-kind"}
    unknown = replace(DISK, chain=Chain(DISK.chain.layers, complete=False))
    assert refusals(move(facts(unknown))) == {"layers-unknown"}


def test_a_directory_that_xml_cannot_carry() -> None:
    for how in How:
        assert "destination-xml" in refusals(move(facts(directory="/a\x01b"), how=how))


def test_two_images_of_one_name() -> None:
    twin = make_disk("vdb", "/data/top")
    assert refusals(move(facts(DISK, twin), how=How.FLATTEN)) == {"same-name"}


def test_a_base_that_others_use_is_copied_and_said_to_be() -> None:
    known = facts()
    copies = {
        "vda": copy_facts(known.domain, DISK, uses={"/slow/base": use(UseKind.LAYER)}),
    }
    plan = move(replace(known, copies=copies))
    assert refusals(plan) == set()
    assert "base-shared" in warnings(plan)


SHARED = {"/slow/mid": use(UseKind.LAYER), "/slow/base": use(UseKind.LAYER)}
THERE = {"/fast/mid": LayerFacts("/fast/mid", GIB, (), "base"), "/fast/base": LayerFacts("/fast/base", GIB)}


def sharing(**more: Any) -> MoveFacts:
    known = facts(**more)
    return replace(known, copies={"vda": copy_facts(known.domain, DISK, uses=SHARED)})


def made_and_named(plan: Plan) -> dict[str, str | None]:
    return {s.path: s.backing for s in plan.steps if isinstance(s, MakeImage)}


def test_a_shared_base_may_stay() -> None:
    base_only = {"/slow/base": use(UseKind.LAYER)}
    known = facts()
    known = replace(known, copies={"vda": copy_facts(known.domain, DISK, uses=base_only)})
    plan = move(known, shared=Shared.LEAVE)
    named = made_and_named(plan)
    assert named["/fast/mid"] == "/slow/base"
    assert named["/fast/top"] == "mid"
    assert "/fast/base" not in named
    assert [i.backing for s in plan.steps if isinstance(s, CopyImages) for i in s.images] == [
        "/slow/base",
        None,
    ]
    assert plan.chains[0].then.layers[-1].path == "/slow/base"
    assert "base-stays" in {f.check for f in plan.findings}


def test_where_all_but_the_active_layer_stay_it_goes_alone() -> None:
    plan = move(sharing(), shared=Shared.LEAVE)
    (start,) = (step for step in plan.steps if isinstance(step, StartCopy))
    assert (start.shallow, start.reuse_external) == (True, False)
    assert not any(isinstance(step, TakeOverlay) for step in plan.steps)


def test_an_equal_base_that_lies_there_is_taken_once_it_was_compared() -> None:
    plan = move(sharing(there=THERE), shared=Shared.REUSE)
    assert refusals(plan) == set()
    first = plan.steps[0]
    assert isinstance(first, CompareImages)
    assert (first.source, first.path) == ("/slow/mid", "/fast/mid")
    assert set(made_and_named(plan)) == {"/fast/top", plan.chains[0].then.layers[0].path}
    assert [layer.path for layer in plan.chains[0].then.layers[1:]] == [
        "/fast/top",
        "/fast/mid",
        "/fast/base",
    ]


@pytest.mark.parametrize(
    ("more", "wish", "check"),
    [
        ({"there": THERE}, Shared.COPY, "image-exists"),
        ({"there": THERE, "written": frozenset({"/fast/mid"})}, Shared.REUSE, "reused-written"),
        ({"there": {**THERE, "/fast/mid": LayerFacts("/fast/mid")}}, Shared.REUSE, "reused-backing"),
        ({"there": {"/fast/top": LayerFacts("/fast/top")}}, Shared.REUSE, "image-exists"),
    ],
)
def test_what_lies_there_and_is_not_taken(more: dict[str, Any], wish: Shared, check: str) -> None:
    assert check in refusals(move(sharing(**more), shared=wish))


def test_snapshots_follow_the_images_that_hold_the_same() -> None:
    names = (SnapshotFacts("s", frozenset({"/slow/mid"})), SnapshotFacts("t", frozenset({"/x"})))
    plan = move(facts(snapshots=names))
    (step,) = (step for step in plan.steps if isinstance(step, MapSnapshots))
    assert step.snapshots == ("s",)
    assert dict(zip(step.befores, step.afters, strict=True))["/slow/mid"] == "/fast/mid"
    assert plan.steps.index(step) > max(n for n, s in enumerate(plan.steps) if isinstance(s, ProvePivot))
    assert "snapshots-stay" not in warnings(plan)


def test_snapshots_of_what_is_flattened_or_held_stay_with_the_old_images() -> None:
    names = (SnapshotFacts("s", frozenset({"/slow/mid"})),)
    for wish in ({"how": How.FLATTEN}, {"then": Then.HOLD}):
        plan = move(facts(snapshots=names), **wish)
        assert "snapshots-stay" in warnings(plan)
        assert not any(isinstance(step, MapSnapshots) for step in plan.steps)
    assert "snapshots-unchecked" in warnings(move(facts(snapshots=None)))


@pytest.mark.parametrize("kind", UseKind)
def test_an_image_there_that_somebody_uses_is_to_be_left_alone(kind: UseKind) -> None:
    for how, path in (
        (How.FLATTEN, "/fast/top"),
        (How.KEEP_CHAIN, "/fast/top"),
        (How.KEEP_CHAIN, "/fast/mid"),
    ):
        known = facts(there={path: LayerFacts(path)}, uses={path: use(kind)})
        copy = copy_facts(known.domain, DISK, destination=IMAGE, uses={path: use(kind)})
        plan = move(replace(known, copies={"vda": copy}), how=how)
        (said,) = (f for f in plan.findings if path in f.reason + f.remedy)
        assert said.check == "destination-in-use"
        assert "Choose another destination." in said.remedy
        for harm in ("remove", "anew", "away", "write into"):
            assert harm not in said.remedy


def test_a_chain_that_is_not_the_same_and_in_use_is_not_to_be_moved_away() -> None:
    there = {**THERE, "/fast/mid": LayerFacts("/fast/mid")}
    for uses, remedy in (
        ({}, "Move to another directory, or copy it with --shared-base copy after moving it away."),
        ({"/fast/mid": use(UseKind.LAYER)}, "Move to another directory."),
    ):
        plan = move(sharing(there=there, uses=uses), shared=Shared.REUSE)
        assert {f.remedy for f in plan.findings if f.check == "reused-backing"} == {remedy}


def test_names_that_no_file_can_have() -> None:
    for how in (How.FLATTEN, How.KEEP_CHAIN):
        assert refusals(move(facts(directory=f"/{256 * 'x'}"), how=how)) == {"name-too-long"}
    # The overlay of a move has a longer name than the image that it stands on.
    long = make_disk("vda", "/slow/" + 252 * "x", "/slow/base")
    assert refusals(move(facts(long), how=How.FLATTEN)) == set()
    assert refusals(move(facts(long), how=How.KEEP_CHAIN)) == {"name-too-long"}


def test_a_flat_move_to_where_it_is() -> None:
    known = facts(OTHER, directory="/data", uses={"/data/one": use(UseKind.LAYER)})
    me = Use(known.domain.uuid, known.domain.name, "vdb", UseKind.LAYER)
    copy = copy_facts(known.domain, OTHER, destination=IMAGE, uses={"/data/one": (me,)})
    plan = move(replace(known, copies={"vdb": copy}))
    (said,) = (f for f in plan.findings if "/data/one" in f.reason + f.remedy)
    assert (said.check, said.remedy) == ("destination-in-use", "Choose another destination.")


def test_a_move_to_where_it_is() -> None:
    assert refusals(move(facts(directory="/slow"))) == {"already-there"}


def put_away(plan: Plan) -> set[str]:
    return {path for step in plan.steps if isinstance(step, Quarantine) for path in step.paths}


def test_old_images_go_to_quarantine_when_nothing_needs_them() -> None:
    plan = move(facts(), delete_source=True)
    overlay = next(step.paths[0] for step in plan.steps if isinstance(step, TakeOverlay))
    assert put_away(plan) == {overlay, "/slow/top", "/slow/mid", "/slow/base"}
    assert isinstance(plan.steps[-1], Quarantine)
    assert put_away(move(facts(), how=How.SHALLOW, delete_source=True)) == {"/slow/top"}
    assert put_away(move(facts())) == set()


@pytest.mark.parametrize(
    ("more", "stays"),
    [
        ({"uses": {"/slow/base": use(UseKind.LAYER)}}, {"/slow/base"}),
        ({"unfollowed": ("web01 vda",)}, {"/slow/top", "/slow/mid", "/slow/base"}),
        ({"snapshots": None}, {"/slow/top", "/slow/mid", "/slow/base"}),
        # Another branch, which stands on images of this chain.
        (
            {"snapshots": (SnapshotFacts("s", frozenset({"/slow/mid", "/slow/branch"})),)},
            {"/slow/top", "/slow/mid", "/slow/base"},
        ),
        ({"snapshots": (SnapshotFacts("s", frozenset({"/slow/mid"})),)}, set()),
    ],
)
def test_old_images_that_something_needs_stay(more: dict[str, Any], stays: set[str]) -> None:
    plan = move(facts(**more), delete_source=True)
    assert put_away(plan).isdisjoint(stays)
    assert put_away(plan) | stays >= {"/slow/top", "/slow/mid", "/slow/base"}
    assert ("source-stays" in {f.check for f in plan.findings}) is bool(stays)


def test_what_a_held_guest_runs_on_is_not_put_away() -> None:
    assert refusals(move(facts(), delete_source=True, then=Then.HOLD)) == {"source-held"}


def test_snapshots_are_mapped_wherever_they_name_an_image() -> None:
    text = (
        "<domainsnapshot><name>s</name><disks><disk name='vda'><source file='/a'/></disk></disks>"
        "<domain><devices><disk><source file='/b'/><backingStore><source file='/a'/></backingStore></disk>"
        "<filesystem><source file='/a'/></filesystem></devices></domain></domainsnapshot>"
    )
    found = mapped(text, {"/a": "/new<"})
    assert found is not None
    assert files_of(found) == {"/new<", "/b"}
    assert "<filesystem><source file='/a'/>".replace("'", '"') in found
    assert mapped(text, {"/c": "/d"}) is None


@pytest.mark.parametrize(("agent", "check"), [(True, "quiesced"), (False, "not-quiesced")])
def test_a_guest_with_an_agent_is_quiesced(agent: bool, check: str) -> None:  # noqa: FBT001
    known = facts()
    domain = replace(known.domain, definition=replace(known.domain.definition, agent=agent))
    plan = move(replace(known, domain=domain))
    (overlay,) = (step for step in plan.steps if isinstance(step, TakeOverlay))
    assert overlay.quiesce is agent
    assert ("virsh domfsthaw db01" in overlay.commands) is agent
    assert check in {finding.check for finding in plan.findings}


@given(st.integers(1, 9), st.booleans())
def test_every_layer_is_made_and_filled_once(depth: int, relative: bool) -> None:  # noqa: FBT001
    disk = make_disk("vda", *(f"/slow/l{n}" for n in range(depth + 1)))
    plan = move(facts(disk, relative=relative))
    made = [s.path for s in plan.steps if isinstance(s, MakeImage)]
    filled = [i.path for s in plan.steps if isinstance(s, CopyImages) for i in s.images]
    assert len(set(made)) == len(made) == depth + 2
    assert made[:-1] == filled == [f"/fast/l{n}" for n in reversed(range(depth + 1))]


def test_the_journal_gives_back_every_step() -> None:
    names = (SnapshotFacts("s", frozenset({"/slow/mid"})),)
    plan = move(facts(DISK, OTHER, snapshots=names), merge_overlay=True, delete_source=True)
    entry = Entry("p1", plan.uuid, plan.title, plan.steps, 3, "root@h:1", NOW, NOW)
    assert parse_entry(entry_xml(entry), plan.uuid) == entry


def test_the_request_for_an_overlay() -> None:
    text = overlay_xml({"vda": "/a<b"}, ["vdb"])
    assert '<source file="/a&lt;b"/>' in text
    assert '<disk name="vdb" snapshot="no"/>' in text


# Interrupted plans


def entry(reached: int, *, heartbeat: float = 0.0) -> Entry:
    plan = move(merge_overlay=True)
    return Entry("p1", plan.uuid, plan.title, plan.steps, reached, "root@host-b:7", NOW - 60, heartbeat)


def recover(found: Entry | None, *, undo: bool, domain: Domain | None = None, **more: Any) -> Plan:
    domain = domain or facts().domain
    known = RecoverFacts(domain, (found,) if found else (), now=NOW, **more)
    return plan_recover(RecoverRequest(domain.uuid, undo), known, "p2")


def running(job: JobType = JobType.COPY) -> tuple[Running, ...]:
    return (Running("vda", job, Phase.COPYING, None, Chain()),)


def test_undoing_takes_back_the_last_first() -> None:
    plan = recover(entry(3), undo=True)
    assert refusals(plan) == set()
    steps = [step.step for step in plan.steps if isinstance(step, Undo)]
    assert steps == list(reversed(entry(3).steps[:4]))
    assert plan.commands[-2:] == (
        "virsh blockcommit db01 vda --base /slow/top --active --wait --pivot",
        "rm -- /slow/top.move-p1.qcow2",
    )
    later = [step.step for step in recover(entry(8), undo=True).steps if isinstance(step, Undo)]
    assert later == list(reversed(entry(8).steps[:6]))
    assert plan.closes == ("p1",)
    assert not plan.journalled


def test_undoing_names_the_images_that_it_removes() -> None:
    known = facts(make_disk("vda", "/slow/a"), make_disk("vdb", "/slow/b"))
    plan = move(known, how=How.FLATTEN)
    assert [type(step) for step in plan.steps[:2]] == [StartCopy, StartCopy]
    found = Entry("p1", plan.uuid, plan.title, plan.steps, 2, "root@host-b:7", NOW - 60, 0.0)
    # The copy of vdb has been cancelled before: its image is there all the same.
    undone = recover(found, undo=True, domain=known.domain, running=running())
    assert refusals(undone) == set()
    assert [step.title for step in undone.steps] == [
        "Cancel the copy of vdb, and remove /fast/b",
        "Cancel the copy of vda, and remove /fast/a",
    ]
    assert undone.commands == (
        "virsh blockjob db01 vdb --abort",
        "rm -- /fast/b",
        "virsh blockjob db01 vda --abort",
        "rm -- /fast/a",
    )
    there = make_domain(disks=[make_disk("vda", "/fast/a"), make_disk("vdb", "/slow/b")])
    kept = recover(found, undo=True, domain=there)
    assert [step.title for step in kept.steps][-1] == "Cancel the copy of vda"


def test_nothing_would_be_removed_past_the_pivot() -> None:
    gone = make_domain(disks=[make_disk("vda", "/fast/top.move-p1.qcow2", "/fast/top", "/fast/base")])
    plan = recover(entry(len(entry(0).steps) - 1), undo=True, domain=gone)
    assert refusals(plan) == {"past-the-pivot"}
    assert plan.steps == ()
    # That it cannot be taken back is no reason to mirror back.
    assert {finding.check for finding in plan.findings} == {"plan-left-over", "past-the-pivot"}


def test_what_was_done_before_it_was_cut_off_is_not_ahead() -> None:
    plan = recover(entry(7), undo=False, running=running(), done=True)
    assert plan.ahead == entry(7).steps[8:]
    assert plan.commands == tuple(c for step in entry(7).steps[8:] for c in step.commands)
    assert plan.resumed is not None
    # Whoever carries it out looks at that step once more.
    assert plan.resumed.reached == 7
    assert entry(7).steps[7].title in next(f.reason for f in plan.findings if f.check == "step-done")


def test_resuming_goes_on_from_where_it_was() -> None:
    plan = recover(entry(7), undo=False, running=running())
    assert refusals(plan) == set()
    assert plan.id == "p1"
    assert plan.ahead == entry(7).steps[7:]
    assert plan.commands == tuple(c for step in entry(7).steps[7:] for c in step.commands)
    copies = next(n for n, step in enumerate(entry(0).steps) if isinstance(step, CopyImages))
    again = recover(entry(copies), undo=False, running=running())
    assert "copied-again" in {finding.check for finding in again.findings}


def test_what_keeps_from_resuming() -> None:
    assert refusals(recover(entry(7), undo=False)) == {"job-gone"}
    assert refusals(recover(entry(7, heartbeat=NOW), undo=False, running=running())) == {"plan-in-progress"}
    assert refusals(recover(None, undo=False)) == {"no-plan"}
    assert refusals(recover(entry(len(entry(0).steps)), undo=False)) == {"nothing-ahead"}
    off = replace(facts().domain, state=RunState.SHUT_OFF)
    assert refusals(recover(entry(7), undo=False, domain=off)) == {"domain-not-running"}
    assert refusals(recover(entry(7), undo=True, domain=off)) == {"domain-not-running"}
    two = RecoverFacts(facts().domain, (entry(1), replace(entry(1), id="p8")), now=NOW)
    assert refusals(plan_recover(RecoverRequest(two.domain.uuid, undo=True), two, "p2")) == {"several-plans"}
    single = plan_recover(RecoverRequest(two.domain.uuid, undo=True, plan="p8"), two, "p2")
    assert single.closes == ("p8",)


def test_of_several_jobs_of_a_disk_the_latest_counts() -> None:
    steps = entry(0).steps
    commit = next(n for n, step in enumerate(steps) if isinstance(step, StartCommit))
    disk = make_disk("vda", "/fast/top", "/fast/mid", "/fast/base")
    folded = make_domain(disks=[disk])
    assert refusals(recover(entry(commit + 2), undo=False, domain=folded)) == set()
