"""The plans about snapshots that are there, or that a file brings; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.copy_facts import refusals, warnings
from tests.fake_host import GIB, NOW, make_chain, make_disk, make_domain
from tests.hierarchy_facts import UUID, known, text_of
from tests.snapshot_facts import entry
from tui.model.disk import Disk
from tui.model.domain import Domain, RunState
from tui.model.facts import LayerFacts, Running, Use, UseKind
from tui.model.finding import Acceptance
from tui.model.hierarchy import KnownSnapshot, arranged, parse_known
from tui.model.hierarchy_case import HierarchyFacts
from tui.model.hierarchy_delete import merges_of
from tui.model.hierarchy_file import ImageRecord, Saved
from tui.model.hierarchy_plan import plan_hierarchy
from tui.model.hierarchy_request import (
    After,
    HierarchyRequest,
    SnapshotDeleteRequest,
    SnapshotImportRequest,
    SnapshotRevertRequest,
)
from tui.model.hierarchy_steps import DefineSnapshots, DeleteSnapshots, RemoveMemories, RevertSnapshot
from tui.model.image import ImageInfo
from tui.model.job import JobType, Phase
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.merge_case import MergeFacts
from tui.model.mirrored_snapshot import Kind
from tui.model.plan import Plan
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import RecoverRequest
from tui.model.steps import Step, Undo
from tui.model.storage import Chain

BASE, ONE, TWO = "/i/base", "/i/1", "/i/2"
INSIDE = known("i", kind="internal", base=TWO, created=3)
LINE = (
    known("s1", overlay=ONE, base=BASE),
    known("s2", "s1", overlay=TWO, base=ONE, created=2, current=True),
)
VDA = make_disk("vda", TWO, ONE, BASE)
OURS = frozenset({Acceptance.LOSE_PRESENT_STATE})


def domain_on(*disks: Disk, **more: Any) -> Domain:
    return make_domain("db01", disks=disks or (VDA,), **more)


def image(backing: str | None = None, *, size: int = GIB, snapshots: tuple[str, ...] = ()) -> ImageInfo:
    return ImageInfo(size, "qcow2", backing_file=backing, full_backing_file=backing, snapshots=snapshots)


PLAIN = {BASE: image(), ONE: image(BASE), TWO: image(ONE)}
GOOD = {**PLAIN, TWO: image(ONE, snapshots=("i",))}


def facts(*snapshots: KnownSnapshot, **more: Any) -> HierarchyFacts:
    about: dict[str, Any] = {
        "domain": domain_on(),
        "libvirt": (9, 0, 0),
        "existing": frozenset(GOOD),
        "images": GOOD,
        "now": NOW,
    }
    return HierarchyFacts(hierarchy=arranged(snapshots), **{**about, **more})


def plan(request: HierarchyRequest, known_: HierarchyFacts) -> Plan:
    return plan_hierarchy(request, known_, "p1")


def delete(name: str, *snapshots: KnownSnapshot, how: dict[str, bool] | None = None, **more: Any) -> Plan:
    request = SnapshotDeleteRequest(UUID, name, **(how or {}))
    found = facts(*(snapshots or LINE), **more)
    merges = tuple((one, merge_facts(one.target, found)) for one in merges_of(request, found))
    return plan(request, replace(found, merges=merges))


def merge_facts(target: str, about: HierarchyFacts) -> MergeFacts:
    """What a host says of a chain that is merged."""
    disk = about.domain.disk(target)
    assert disk is not None
    return MergeFacts(
        about.domain,
        disk,
        capacity=4 * GIB,
        layers=tuple(LayerFacts(layer.path, GIB) for layer in disk.chain.layers),
        room=(2 * GIB,) * len(disk.chain.layers),
        uses=about.uses,
        unfollowed=about.unfollowed,
        snapshots=tuple(one.needed for one in about.hierarchy.snapshots),
        now=NOW,
    )


def revert(
    name: str, *snapshots: KnownSnapshot, after: After = After.AS_THEN, ours: bool = True, **more: Any
) -> Plan:
    return plan(
        SnapshotRevertRequest(UUID, name, after, OURS if ours else frozenset()), facts(*snapshots, **more)
    )


def remedies(plan_: Plan) -> str:
    return " ".join(finding.remedy for finding in plan_.findings)


# Deleting


def test_an_external_one_is_merged_by_libvirt_since_9_0() -> None:
    found = delete("s2", images=PLAIN)
    assert refusals(found) == set()
    (step,) = found.steps
    assert isinstance(step, DeleteSnapshots)
    assert (step.snapshots, step.targets, step.overlays) == (("s2",), ("vda",), (TWO,))
    assert found.commands == ("virsh snapshot-delete db01 s2",)
    assert dict(found.facts)["current then"] == "s1"
    assert not found.journalled


def test_the_memory_of_the_guest_goes_with_its_snapshot() -> None:
    one = known("s1", overlay=ONE, base=BASE, memory="/i/memory", current=True)
    there: dict[str, Any] = {
        "existing": frozenset({*GOOD, "/i/memory"}),
        "domain": domain_on(make_disk("vda", ONE, BASE)),
    }
    found = delete("s1", one, **there)
    assert refusals(found) == set()
    assert [type(step) for step in found.steps] == [DeleteSnapshots, RemoveMemories]
    assert found.steps[1].title == "Remove /i/memory, the memory that the snapshot s1 held"
    forgotten = delete("s1", one, how={"metadata_only": True}, **there)
    assert [type(step) for step in forgotten.steps] == [DeleteSnapshots]
    assert "memory-stays" in warnings(forgotten)
    assert "memory-stays" in warnings(delete("s1", one, **{**there, "existing": None}))
    # Another one names it too.
    two = known("s2", "s1", overlay=TWO, base=ONE, memory="/i/memory", created=2, current=True)
    found = delete("s2", replace(one, current=False), two, existing=there["existing"])
    assert [type(step) for step in found.steps] == [DeleteSnapshots]


def test_each_disk_is_named_once() -> None:
    assert (
        "the overlay of vda into" in DeleteSnapshots(UUID, "db01", ("a", "b"), targets=("vda", "vda")).title
    )


def test_what_is_forgotten_comes_back_by_an_import() -> None:
    alone = {"metadata_only": True}
    bring = "virt-mirror snapshot import db01 FILE, with what was exported before"
    assert dict(delete("s2", how=alone).facts)["undo"] == bring
    assert dict(delete("s1", how={**alone, "children": True}).facts)["undo"] == bring
    assert dict(delete("s1", how=alone).facts)["undo"] == bring


def test_that_libvirt_takes_overlays_for_merged_is_told() -> None:
    alone = {"metadata_only": True}
    found = delete("s1", how=alone)
    assert warnings(found) == {"metadata-only", "images-renamed"}
    assert "has s2 name that instead" in " ".join(one.reason for one in found.findings)
    assert "images-renamed" not in warnings(delete("s1", how=alone, libvirt=(8, 0, 0)))
    assert "images-renamed" not in warnings(delete("s1", how={**alone, "children": True}))
    assert "images-renamed" not in warnings(delete("s2", how=alone))
    below = known("i", "s1", kind="internal", base=BASE, created=3)
    assert "images-renamed" not in warnings(delete("s1", LINE[0], below, how=alone))


def test_what_lies_inside_of_an_overlay_is_not_removed_with_it() -> None:
    """libvirt merges the overlay and removes its file, whatever else is in that."""
    found = delete("s2")
    assert refusals(found) == {"internal-snapshots"}
    assert TWO in " ".join(finding.reason for finding in found.findings)
    # libvirt knows of that one, and how it goes.
    child = known("i", "s2", kind="internal", base=TWO, created=3, current=True)
    line = (LINE[0], replace(LINE[1], current=False), child)
    for images in (GOOD, {}):
        found = delete("s2", *line, images=images)
        assert refusals(found) == {"internal-snapshots"}
        assert remedies(found).strip().endswith("Delete those first: virt-mirror snapshot delete db01 i")
    # Of images that nobody can look into it is said.
    assert warnings(delete("s2", images={}, existing=None)) >= {"states-unseen"}


def test_nothing_is_merged_into_what_others_stand_on() -> None:
    branch = known("s2b", "s1", overlay="/i/2b", base=ONE, created=3)
    assert refusals(delete("s1", *LINE, branch)) == {"branches"}
    assert refusals(delete("s2", *LINE, branch)) == {"base-shared"}
    assert refusals(delete("s2b", *LINE, branch)) == {"not-in-chain"}
    further = known("s3b", "s2b", overlay="/i/3b", base="/i/2b", created=4)
    gone = "virt-mirror snapshot delete db01 {} --metadata-only"
    said = f"first: {gone.format('s3b')}; {gone.format('s2b')}"
    assert remedies(delete("s1", *LINE, branch, further)).strip().endswith(said)
    # A libvirt that goes back to external ones takes their images along.
    said = "first: virt-mirror snapshot delete db01 s3b; virt-mirror snapshot delete db01 s2b"
    assert remedies(delete("s1", *LINE, branch, further, reverts_external=True)).strip().endswith(said)
    lost = replace(LINE[1], current=False)
    assert gone.format("s2b") in remedies(delete("s1", LINE[0], lost, branch))
    assert gone.format("s2") not in remedies(delete("s1", LINE[0], lost, branch))
    ends = replace(LINE[0], current=True), replace(LINE[1], current=False)
    assert refusals(delete("s1", *ends)) == {"branches"}
    user = Use("other", "web01", "vda", UseKind.LAYER)
    assert refusals(delete("s2", uses={ONE: (user,)})) == {"base-shared"}
    own = replace(user, uuid=UUID)
    assert refusals(delete("s2", uses={ONE: (own,)}, images=PLAIN)) == set()
    assert "chains-unseen" in warnings(delete("s2", unfollowed=("web01 vda",)))
    assert refusals(delete("s2", domain=domain_on(make_disk("vda", BASE)))) == {"not-in-chain"}


def test_a_chain_that_nobody_lists_is_told_by_the_header_of_the_overlay() -> None:
    unseen = domain_on(replace(VDA, chain=make_chain(TWO, complete=False)))
    assert refusals(delete("s2", domain=unseen, images=PLAIN)) == set()
    assert refusals(delete("s2", domain=unseen, images={TWO: image(BASE)})) == {"not-in-chain"}
    assert refusals(delete("s1", domain=unseen)) == {"chain-unseen"}


def test_internal_ones_must_be_where_the_guest_writes() -> None:
    found = delete("i", INSIDE)
    assert refusals(found) == set()
    (step,) = found.steps
    assert isinstance(step, DeleteSnapshots)
    assert (step.paths, step.targets) == ((TWO,), ())
    below = known("i", kind="internal", base=BASE)
    found = delete("i", below)
    assert refusals(found) == {"state-below"}
    assert "virt-mirror commit db01 vda --base /i/base --pivot" in remedies(found)
    assert refusals(delete("i", INSIDE, images={TWO: image(ONE)})) == {"state-missing"}
    assert "state-unchecked" in warnings(delete("i", INSIDE, images={}))
    assert refusals(delete("i", INSIDE, domain=domain_on(make_disk("vdb")))) == {"no-such-disk"}


def test_names_with_spaces_are_quoted_in_what_to_do() -> None:
    gone = delete("be fore", known("be fore", kind="internal", base=TWO), images={TWO: image(ONE)})
    assert (
        gone.remedies
        == "Have the snapshot forgotten: virt-mirror snapshot delete db01 'be fore' --metadata-only"
    )
    mine, other = (known("be fore", overlay=path, base=BASE) for path in (ONE, "/i/other"))
    differs = bring(replace(SAVED, snapshots=(mine,)), other)
    assert "first: virt-mirror snapshot delete db01 'be fore' --metadata-only" in differs.remedies


def test_with_all_that_descend() -> None:
    tree = (INSIDE, known("j", "i", kind="internal", base=TWO, created=4), *LINE)
    images = {**GOOD, TWO: image(ONE, snapshots=("i", "j"))}
    found = delete("i", *tree, how={"children": True}, images=images)
    assert refusals(found) == set()
    assert found.commands == ("virsh snapshot-delete db01 j", "virsh snapshot-delete db01 i")
    found = delete("i", *tree, how={"children": True, "itself": False}, images=images)
    assert found.commands == ("virsh snapshot-delete db01 j",)
    (step,) = found.steps
    assert isinstance(step, DeleteSnapshots)
    assert step.snapshots == ("j",)
    assert refusals(delete("s2", how={"children": True, "itself": False})) == {"no-children"}
    found = delete("s1", how={"children": True})
    assert refusals(found) == {"external-children"}
    assert "virt-mirror snapshot delete db01 s2; virt-mirror snapshot delete db01 s1" in remedies(found)
    left = known("s2b", "s1", overlay="/i/2b", base=ONE, created=0)
    found = delete("s1", *LINE, left, how={"children": True})
    assert "first: virt-mirror snapshot delete db01 s2b --metadata-only; " in remedies(found)


@pytest.mark.parametrize("libvirt", [(8, 0, 0), (10, 10, 0)], ids=["merged here", "deleted by libvirt"])
def test_with_all_that_descend_where_nothing_does_is_a_plain_deletion(libvirt: tuple[int, int, int]) -> None:
    found = delete("s2", how={"children": True}, libvirt=libvirt, images=PLAIN)
    assert found == delete("s2", libvirt=libvirt, images=PLAIN)
    assert refusals(found) == set()
    assert found.steps


def test_below_what_libvirt_has_not_merged_to_the_end_nothing_is_deleted() -> None:
    text = text_of("s1", overlay=ONE, base=BASE).replace("<driver", "<snapshotDeleteInProgress/><driver", 1)
    began = parse_known(text)
    found = delete("s1", began, LINE[1])
    assert refusals(found) == {"deletion-unfinished"}
    assert remedies(found).strip().endswith("once more first: virt-mirror snapshot delete db01 s2")
    assert refusals(delete("s2", began, LINE[1], images=PLAIN)) == set()
    assert "--metadata-only" in remedies(delete("s1", replace(began, current=True)))
    assert began.identity == LINE[0].identity


def test_forgetting_is_always_possible_and_told() -> None:
    how = {"metadata_only": True}
    found = delete("s1", how={**how, "children": True}, libvirt=(8, 0, 0), domain=domain_on(make_disk("vda")))
    assert refusals(found) == set()
    assert "metadata-only" in warnings(found)
    assert found.commands == (
        "virsh snapshot-delete db01 s2 --metadata",
        "virsh snapshot-delete db01 s1 --metadata",
    )
    assert "virt-mirror snapshot export db01" in remedies(found)
    assert refusals(delete("none", how=how)) == {"no-such-snapshot"}


def test_what_is_under_way_comes_first() -> None:
    held = entry()
    mirrored = known("s1", overlay="/slow/vda.s1", base="/slow/vda.qcow2")
    for how in ({"metadata_only": True}, {}):
        found = delete("s1", mirrored, how=how, entries=(held,))
        assert "mirrored" in refusals(found)
        assert "virt-mirror snapshot delete db01 s1 --pivot" in remedies(found)
        # What would end the mirrors would be refused itself.
        found = delete("s1", mirrored, how=how, entries=(entry(reached=1),))
        assert "mirrored" in refusals(found)
        assert "virt-mirror resume db01, or virt-mirror undo db01." in remedies(found)
        assert "--pivot" not in remedies(found)
    assert "plan-left-over" in refusals(delete("s2", entries=(replace(held, heartbeat=0.0),)))
    job = Running("vda", JobType.COPY, Phase.COPYING, None, Chain())
    assert refusals(delete("s2", running=(job,), images=PLAIN)) == {"job-running"}
    assert "job-running" in refusals(revert("i", INSIDE, running=(job,)))
    assert refusals(delete("s2", running=(job,), how={"metadata_only": True})) == set()


def test_what_libvirt_has_no_hand_in() -> None:
    by_hand = known("m", kind="manual", base=TWO)
    assert refusals(delete("m", by_hand)) == {"kind-unsupported"}
    assert refusals(revert("m", by_hand)) == {"kind-unsupported"}


# Going back


def test_going_back_has_to_be_accepted() -> None:
    refused = revert("i", INSIDE, ours=False)
    assert refusals(refused) == {"present-state"}
    assert refused.findings[0].acceptance is Acceptance.LOSE_PRESENT_STATE
    # An overlay would be in the way of what lies inside.
    assert refused.findings[0].remedy.endswith(": virt-mirror snapshot create db01 --method internal")
    off = domain_on(state=RunState.SHUT_OFF)
    assert (
        remedies(revert("i", INSIDE, ours=False, domain=off))
        .strip()
        .endswith(": virsh snapshot-create-as db01")
    )
    found = revert("s2", *LINE, ours=False, reverts_external=True)
    assert "virt-mirror snapshot create db01 --method qemu" in remedies(found)
    found = revert("i", INSIDE)
    assert refusals(found) == set()
    assert "present-state" in warnings(found)
    assert found.commands == ("virsh snapshot-revert db01 i",)
    (step,) = found.steps
    assert isinstance(step, RevertSnapshot)
    assert (step.disks, step.paths) == (("vda",), (TWO,))


@pytest.mark.parametrize("after", [After.RUNNING, After.PAUSED])
def test_what_the_guest_does_then(after: After) -> None:
    found = revert("i", INSIDE, after=after)
    assert found.commands == (f"virsh snapshot-revert db01 i --{after}",)
    assert dict(found.facts)["guest then"] == after


def test_external_ones_where_libvirt_says_that_it_can() -> None:
    found = revert("s2", *LINE, ours=False)
    assert refusals(found) == {"revert-unsupported"}
    assert "present-state" not in warnings(found), "nothing is lost by what cannot be"
    assert "make new ones on it: qemu-img create -f qcow2 -b /i/1 -F raw NEW-vda; give vda" in remedies(found)
    assert "with driver type='qcow2', and remove every <backingStore> of these disks: virsh edit db01" in (
        remedies(found)
    )
    found = revert("s2", *LINE, reverts_external=True)
    assert refusals(found) == set()
    assert dict(found.facts)["guest then"] == "shut off"


def test_a_state_that_is_written_over_is_not_brought_back() -> None:
    found = revert("s1", known("s1", overlay=ONE, base=BASE), domain=domain_on(make_disk("vda", BASE)))
    assert refusals(found) == {"state-overwritten"}
    assert remedies(found).strip().endswith(": virt-mirror snapshot delete db01 s1 --metadata-only")


def test_where_libvirt_cannot_the_memory_is_restored_by_hand() -> None:
    held = known("s1", overlay=ONE, base=BASE, memory="/i/memory", state="running")
    found = remedies(revert("s1", held, ours=False))
    assert "virsh save-image-dumpxml /i/memory > then.xml; in then.xml give vda the new files" in found
    assert "remove every <backingStore> of these disks; virsh restore /i/memory --xml then.xml" in found


def test_going_back_breaks_no_overlay() -> None:
    below = known("i", kind="internal", base=BASE)
    found = revert("i", below, *LINE)
    assert refusals(found) == {"state-below"}
    # What stands on the image has to go as well.
    forget = "virt-mirror snapshot delete db01 {} --metadata-only"
    assert remedies(found).strip() == (
        "Merge what is above it first: virt-mirror commit db01 vda --base /i/base --pivot --lose-snapshots; "
        f"{forget.format('s2')}; {forget.format('s1')}"
    )
    found = revert("i", below, domain=domain_on(state=RunState.SHUT_OFF))
    assert (
        remedies(found)
        .strip()
        .endswith(": start the guest; virt-mirror commit db01 vda --base /i/base --pivot")
    )
    elsewhere: dict[str, Any] = {"domain": domain_on(make_disk("vda", "/i/x"))}
    there = frozenset({BASE, "/i/x"})
    found = revert("i", below, **elsewhere, images={BASE: image(snapshots=("i",))}, existing=there)
    assert "put it back there: virsh edit db01" in remedies(found)
    assert refusals(revert("none", below)) == {"no-such-snapshot"}
    # There is nothing that it could be put back on.
    gone = revert("i", below, **elsewhere, images={"/i/x": image()}, existing=frozenset({"/i/x"}))
    assert refusals(gone) == {"state-missing"}
    assert f"Bring it back, or have the snapshot forgotten: {forget.format('i')}" in remedies(gone)


def test_a_transient_guest_is_not_forgotten() -> None:
    off = known("i", kind="internal", base=TWO, state="shutoff")
    transient = domain_on(persistent=False)
    assert refusals(revert("i", off, domain=transient)) == {"transient-domain"}
    assert refusals(revert("i", off, domain=transient, after=After.RUNNING)) == set()
    assert refusals(revert("i", off)) == set()


def test_disks_without_a_part_in_it_are_told() -> None:
    assert "disks-stay" in warnings(revert("i", INSIDE, domain=domain_on(VDA, make_disk("vdb", TWO))))


# Importing

SAVED = Saved("db01", UUID, LINE, (ImageRecord(BASE, "raw", GIB), ImageRecord(ONE, "qcow2", GIB)))


def bring(
    saved: Saved = SAVED, *there: KnownSnapshot, how: dict[str, Any] | None = None, **more: Any
) -> Plan:
    request = SnapshotImportRequest(UUID, "/f.xml", "digest", saved, **(how or {}))
    return plan(request, facts(*there, **more))


def step_of(found: Plan) -> DefineSnapshots:
    (step,) = found.steps
    assert isinstance(step, DefineSnapshots)
    return step


def test_all_that_is_new_parents_first() -> None:
    found = bring(replace(SAVED, snapshots=LINE))
    assert refusals(found) == set()
    step = step_of(found)
    assert (step.snapshots, step.current, step.previous) == (("s1", "s2"), "s2", None)
    assert step.identities == (LINE[0].identity, LINE[1].identity)
    assert found.commands == (
        "virsh snapshot-create db01 s1.xml --redefine",
        "virsh snapshot-create db01 s2.xml --redefine",
        "virsh snapshot-create db01 s2.xml --redefine --current",
    )
    assert found.journalled
    assert {f.check for f in found.findings} == {"images-agree"}


def test_how_it_is_done_and_taken_back_by_hand_can_be_typed() -> None:
    said = dict(bring(replace(SAVED, snapshots=LINE)).facts)
    assert said["by hand"] == "each NAME.xml is the definition of NAME, out of /f.xml"
    forget = "virt-mirror snapshot delete db01 {} --metadata-only"
    assert said["undo"] == f"{forget.format('s2')}; {forget.format('s1')}"


def test_a_map_that_fits_nothing_is_told() -> None:
    maps = (("/i", "/i"), ("/a", "/b"), ("/i/bas", "/c"))
    found = [
        f
        for f in bring(replace(SAVED, snapshots=LINE), how={"maps": maps}).findings
        if f.check == "map-unused"
    ]
    assert [[place in one.reason for place in ("/a:", "/i/bas:")] for one in found] == [
        [True, False],
        [False, True],
    ]


def test_what_is_there_is_left_alone() -> None:
    found = bring(SAVED, *LINE)
    assert found.steps == ()
    assert not found.journalled
    assert {f.check for f in found.findings} == {"already-there", "nothing-to-do"}
    found = bring(SAVED, replace(LINE[0], current=True))
    assert step_of(found).snapshots == ("s2",)
    assert step_of(found).previous == "s1"
    assert warnings(found) == {"current-changes"}
    other = known("s1", overlay="/i/other", base=BASE, current=True)
    assert refusals(bring(SAVED, other)) == {"snapshot-differs"}
    found = bring(SAVED, replace(LINE[0], current=True), how={"current": False})
    assert step_of(found).current is None


WHOLE = (
    known("a", overlay=ONE, base=BASE, base_format="qcow2"),
    known("b", "a", overlay=TWO, base=ONE, base_format="raw", created=2),
    known("c", "b", overlay="/i/3", base=TWO, created=3, current=True),
    known("d", "b", kind="internal", base=TWO, created=4),
)


def forgotten(*names: str, merging: bool) -> tuple[KnownSnapshot, ...]:
    """What libvirt has of them when it has forgotten some: since 9.0 it takes their overlays for merged."""
    left = {one.name: one for one in WHOLE}
    for name in names:
        gone = left.pop(name)
        (disk,) = gone.disks
        for one in left.values():
            how: dict[str, Any] = {"parent": gone.parent} if one.parent == name else {}
            (held,) = one.disks
            if merging and one.parent == name and held.base == disk.path and held.kind is Kind.EXTERNAL:
                how["disks"] = (replace(held, base=disk.base, base_format=disk.base_format),)
                how["named"] = one.named - {held.base} | {disk.base}
            left[one.name] = replace(one, **how)
    return tuple(left.values())


@pytest.mark.parametrize("merging", [False, True])
@pytest.mark.parametrize("gone", [("a",), ("b",), ("a", "b"), ("b", "a")])
def test_what_libvirt_changed_when_others_were_forgotten_is_mended(
    gone: tuple[str, ...], *, merging: bool
) -> None:
    there = forgotten(*gone, merging=merging)
    existing = frozenset({BASE, ONE, TWO, "/i/3"})
    images = {**PLAIN, TWO: image(ONE, snapshots=("d",)), "/i/3": image(TWO)}
    found = bring(replace(SAVED, snapshots=WHOLE), *there, images=images, existing=existing)
    assert refusals(found) == set()
    step = step_of(found)
    was = {one.name: one for one in there}
    changed = tuple(one.name for one in WHOLE if one.name in was and was[one.name].parent != one.parent)
    assert changed
    assert step.mended == changed
    assert step.former == tuple(was[name].identity for name in changed)
    assert step.new == tuple(sorted(gone))
    assert step.snapshots == tuple(one.name for one in WHOLE if one.name in {*gone, *changed})
    assert step.identities == tuple(one.identity for one in WHOLE if one.name in step.snapshots)
    assert (step.current, step.previous) == (None, "c")
    assert found.commands == tuple(
        f"virsh snapshot-create db01 {name}.xml --redefine" for name in step.snapshots
    )
    assert step.undo_commands == tuple(
        f"virsh snapshot-delete db01 {name} --metadata" for name in reversed(step.new)
    )
    assert dict(found.facts)["undo"].count("--metadata-only") == len(gone)
    told = next(one.reason for one in found.findings if one.check == "changed-by-forgetting")
    assert told.endswith(f"forgotten: {', '.join(changed)}.")
    held = left(found.steps)
    assert parse_entry(entry_xml(held), UUID) == held


def test_the_title_of_an_import_says_what_is_mended() -> None:
    found = bring(replace(SAVED, snapshots=WHOLE[:3]), *forgotten("b", merging=True)[:2])
    assert step_of(found).title == "Define the snapshot b of db01, parents first, and mend the snapshot c"


def test_what_was_left_out_of_a_chain_is_mended() -> None:
    """What libvirt shows of it is the same but for that, and its identity as well."""
    chained = replace(WHOLE[2], named=WHOLE[2].named | {ONE, BASE})
    saved = replace(SAVED, snapshots=(*WHOLE[:2], chained))
    there = (replace(WHOLE[1], parent=None), replace(chained, named=chained.named - {ONE}))
    assert there[1].identity == chained.identity
    assert step_of(bring(saved, *there)).mended == ("b", "c")
    # Those that are there have nothing to do with what else is missing.
    other = replace(chained, named=chained.named | {"/i/other"})
    assert step_of(bring(saved, there[0], other)).mended == ("b",)


@pytest.mark.parametrize(
    "other",
    [
        {"parent": "x"},
        {"parent": None},
        {"parent": "a", "description": "another"},
        {"parent": "a", "created": 9},
    ],
)
def test_what_no_forgetting_has_made_is_another_one(other: dict[str, Any]) -> None:
    there = (WHOLE[0], known("x", "a", overlay="/i/x", base=ONE), replace(WHOLE[2], **other))
    saved = replace(SAVED, snapshots=WHOLE[:3])
    assert refusals(bring(saved, *there)) == {"snapshot-differs"}
    (disk,) = WHOLE[2].disks
    elsewhere = replace(WHOLE[2], parent="a", disks=(replace(disk, base=BASE),))
    assert refusals(bring(saved, WHOLE[0], elsewhere)) == {"snapshot-differs"}
    named = replace(WHOLE[2], parent="a", named=frozenset({"/i/3", "/i/other"}))
    assert refusals(bring(saved, WHOLE[0], named)) == {"snapshot-differs"}


def test_an_import_that_was_begun_before_others_were_mended_is_read() -> None:
    held = left(bring(replace(SAVED, snapshots=LINE)).steps)
    text = entry_xml(held).replace(', "mended": [], "former": []', "")
    assert "mended" not in text
    assert parse_entry(text, UUID) == held


def test_only_a_mark_is_to_be_set() -> None:
    found = bring(SAVED, LINE[0], replace(LINE[1], current=False))
    step = step_of(found)
    assert (step.snapshots, step.current) == ((), "s2")
    assert step.title == "Mark the snapshot s2 of db01 as current"


def test_the_domain_must_be_the_same() -> None:
    assert refusals(bring(replace(SAVED, uuid="other"))) == {"other-domain"}
    strange = known("s1", overlay=ONE, base=BASE, uuid="other")
    assert refusals(bring(replace(SAVED, snapshots=(strange,)))) == {"other-domain"}


def test_names_and_parents_that_libvirt_does_not_take() -> None:
    for name in ("a/b", ".a"):
        one = known(name, overlay=ONE, base=BASE)
        assert refusals(bring(replace(SAVED, snapshots=(one,)))) == {"snapshot-name"}
    timeless = replace(LINE[0], created=None)
    assert refusals(bring(replace(SAVED, snapshots=(timeless,)))) == {"incomplete"}
    assert refusals(bring(replace(SAVED, snapshots=LINE[1:]))) == {"hierarchy-broken"}
    assert refusals(bring(replace(SAVED, snapshots=LINE[1:]), replace(LINE[0]))) == set()
    circle = (known("a", "b", overlay=ONE, base=BASE), known("b", "a", overlay=ONE, base=BASE))
    assert refusals(bring(replace(SAVED, snapshots=circle))) == {"hierarchy-broken"}


@pytest.mark.parametrize(
    ("images", "existing", "check"),
    [
        ({**GOOD, TWO: image(BASE)}, frozenset(GOOD), "backing-differs"),
        ({**GOOD, TWO: image(None)}, frozenset(GOOD), "backing-differs"),
        ({**GOOD, ONE: image(BASE, size=1)}, frozenset(GOOD), "size-differs"),
        ({ONE: GOOD[ONE], TWO: GOOD[TWO]}, frozenset({ONE, TWO}), "image-missing"),
    ],
)
def test_images_that_do_not_agree(images: dict[str, ImageInfo], existing: frozenset[str], check: str) -> None:
    found = bring(images=images, existing=existing)
    assert refusals(found) == {check}
    taken = bring(images=images, existing=existing, how={"accepted": frozenset({Acceptance.LOSE_SNAPSHOTS})})
    assert refusals(taken) == set()
    assert check in warnings(taken)


def test_an_internal_one_must_be_in_its_image() -> None:
    saved = replace(SAVED, snapshots=(INSIDE,))
    assert refusals(bring(saved)) == set()
    assert refusals(bring(saved, images={**GOOD, TWO: image(ONE)})) == {"state-missing"}
    assert warnings(bring(saved, images={})) == {"image-unread"}


def test_what_nobody_could_look_at_is_told() -> None:
    assert warnings(bring(existing=None, images={})) == {"images-unchecked"}


def test_what_the_guest_writes_must_come_after_the_current_one() -> None:
    elsewhere = domain_on(make_disk("vda", "/j/2", "/j/1"))
    found = bring(domain=elsewhere)
    assert refusals(found) == {"current-elsewhere"}
    assert "--no-current" in remedies(found)
    assert refusals(bring(domain=elsewhere, how={"current": False})) == set()
    unseen = domain_on(replace(VDA, chain=make_chain("/j/2", complete=False)))
    assert "current-unchecked" in warnings(bring(domain=unseen))


def test_images_that_lie_elsewhere_by_now() -> None:
    images = {path.replace("/i/", "/j/"): GOOD[path] for path in GOOD}
    images["/j/1"], images["/j/2"] = image("/j/base"), image("/j/1")
    found = bring(
        how={"maps": (("/i", "/j"),)},
        domain=domain_on(make_disk("vda", "/j/2", "/j/1", "/j/base")),
        images=images,
        existing=frozenset(images),
    )
    assert refusals(found) == set()
    step = step_of(found)
    assert dict(zip(step.befores, step.afters, strict=True)) == {BASE: "/j/base", ONE: "/j/1", TWO: "/j/2"}
    assert step.identities != tuple(one.identity for one in LINE)


def test_a_path_that_xml_cannot_carry() -> None:
    assert refusals(bring(how={"maps": (("/i", "/\x01"),)})) == {"snapshot-xml"}


# The journal


def left(steps: tuple[Step, ...]) -> Entry:
    return Entry("p1", UUID, "Import", steps, 0, "me", NOW, 0.0)


def test_the_journal_gives_an_import_back_without_its_secrets() -> None:
    found = left(bring().steps)
    text = entry_xml(found)
    assert parse_entry(text, UUID) == found
    assert "domainsnapshot" not in text
    for one in (delete("s2"), revert("i", INSIDE)):
        again = left(one.steps)
        assert parse_entry(entry_xml(again), UUID) == again


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.SHUT_OFF])
def test_an_import_is_gone_on_with_or_taken_back_whether_the_guest_runs_or_not(state: RunState) -> None:
    held = left(bring(SAVED, known("own", current=True, overlay="/o", base="/p")).steps)
    known_ = RecoverFacts(domain_on(state=state), (held,), now=NOW)
    back = plan_recover(RecoverRequest(UUID, undo=True), known_, "p2")
    assert refusals(back) == set()
    (step,) = back.steps
    assert isinstance(step, Undo)
    assert step.title == "Forget again 2 snapshots of db01"
    assert back.commands == (
        "virsh snapshot-delete db01 s2 --metadata",
        "virsh snapshot-delete db01 s1 --metadata",
        "virsh snapshot-create db01 own.xml --redefine --current",
    )
    on = plan_recover(RecoverRequest(UUID, undo=False), known_, "p2")
    assert refusals(on) == set()
    assert on.steps == held.steps


def test_two_imports_do_not_mix() -> None:
    held = left(bring().steps)
    assert refusals(bring(entries=(held,))) == {"plan-left-over"}
    assert refusals(bring(entries=(replace(held, heartbeat=NOW),))) == {"plan-in-progress"}
