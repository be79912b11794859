"""The plans that end mirrored snapshots, and those that take them back; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.copy_facts import refusals, use, warnings
from tests.fake_host import GIB, NOW, make_chain, make_domain, make_state
from tests.snapshot_facts import BOTH, OVERLAY, THERE, VDA, VDB, end_facts, entry, finish, mirrored
from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import CompareImages
from tui.model.disk import MirrorReady
from tui.model.doctor import DoctorFacts, examine
from tui.model.domain import RunState
from tui.model.end_plan import plan_end
from tui.model.facts import (
    ImageFacts,
    UseKind,
)
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.plan import Plan
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import Ending, EndRequest, RecoverRequest, SnapshotEndRequest
from tui.model.snapshot import SnapshotFacts
from tui.model.snapshot_end_plan import plan_snapshot_end
from tui.model.snapshot_steps import DropSnapshot, TakeSnapshot
from tui.model.steps import EndJobs, ProvePivot, RemoveDestination, Undo


def test_the_journal_gives_back_every_step() -> None:
    found = entry(specs=BOTH, description="x")
    assert parse_entry(entry_xml(found), found.uuid) == found
    assert found.moves
    end = plan_snapshot_end(
        SnapshotEndRequest(found.uuid, "s1", Ending.PIVOT), end_facts(mirrored(), found), "p2"
    )
    other = Entry("p2", end.uuid, end.title, end.steps, 0, "me", NOW, NOW)
    assert parse_entry(entry_xml(other), other.uuid) == other


def test_all_of_it_is_taken_back_the_last_first() -> None:
    found = entry(specs=BOTH)
    domain = mirrored(both=True)
    plan = plan_recover(RecoverRequest(domain.uuid, undo=True), RecoverFacts(domain, (found,), now=NOW), "p3")
    assert refusals(plan) == set()
    undone = [step.step for step in plan.steps if isinstance(step, Undo)]
    assert [type(step) for step in undone] == [StartCopy, StartCopy, TakeSnapshot]
    assert plan.commands[-1] == "virsh snapshot-delete db01 s1 --metadata"
    assert "virsh blockcommit db01 vda --base /slow/vda.qcow2 --active --wait --pivot" in plan.commands
    assert plan.steps[-1].title.startswith("Merge what is in the overlays of vda and vdb back")


def test_nothing_is_taken_back_past_the_pivot_or_from_under_other_layers() -> None:
    def undo(active: str) -> set[str]:
        disk = replace(VDA, chain=make_chain(active, "/slow/vda.qcow2"))
        domain = make_domain(disks=[disk, VDB])
        known = RecoverFacts(domain, (entry(),), now=NOW)
        return refusals(plan_recover(RecoverRequest(domain.uuid, undo=True), known, "p3"))

    assert undo("/fast/vda.q") == {"past-the-pivot"}
    assert undo("/slow/further") == {"layer-above"}
    above = make_domain(disks=[replace(VDA, chain=make_chain("/slow/further", "/slow/vda.s1")), VDB])
    plan = plan_recover(RecoverRequest(above.uuid, undo=True), RecoverFacts(above, (entry(),), now=NOW), "p3")
    # A commit of ours would be refused for the sake of this very plan.
    assert "virsh blockcommit db01 vda --base /slow/vda.s1 --active --wait --pivot" in plan.remedies
    assert undo("/slow/vda.s1") == set()
    assert undo("/slow/vda.qcow2") == set()


def test_of_two_plans_the_one_with_something_ahead_is_gone_on_with() -> None:
    found = entry()
    end = plan_snapshot_end(
        SnapshotEndRequest(found.uuid, "s1", Ending.PIVOT), end_facts(mirrored(), found), "p2"
    )
    cut = Entry("p2", end.uuid, end.title, end.steps, 0, "root@host-b:7", NOW - 5, 0.0)
    known = RecoverFacts(mirrored(), (found, cut), now=NOW)
    plan = plan_recover(RecoverRequest(found.uuid, undo=False), known, "p3")
    assert (plan.id, plan.steps) == ("p2", end.steps)


def test_what_is_held_has_nothing_ahead() -> None:
    known = RecoverFacts(mirrored(), (entry(),), now=NOW)
    plan = plan_recover(RecoverRequest(known.domain.uuid, undo=False), known, "p3")
    assert refusals(plan) == {"nothing-ahead"}
    assert any("virt-mirror snapshot delete db01 s1 --pivot" in finding.remedy for finding in plan.findings)


# Ending


def test_the_guest_goes_over_to_all_mirrors_at_one_instant() -> None:
    plan = finish(mirrored(both=True), entry(specs=BOTH))
    assert refusals(plan) == set()
    assert [type(step) for step in plan.steps] == [EndJobs, ProvePivot, ProvePivot, DropSnapshot]
    end = plan.steps[0]
    assert isinstance(end, EndJobs)
    assert (end.targets, end.ending, end.pause) == (("vda", "vdb"), Ending.PIVOT, True)
    assert plan.steps[-1] == DropSnapshot(plan.uuid, "db01", "s1", "p1")
    assert plan.closes == ("p1",)
    assert [layer.path for layer in plan.chains[0].then.layers] == [
        "/fast/vda.q",
        "/slow/vda.qcow2",
        "/slow/base",
    ]


def test_the_mirrors_are_given_up() -> None:
    plan = finish(ending=Ending.CANCEL, removable={"/fast/vda.q": True})
    assert refusals(plan) == set()
    assert [type(step) for step in plan.steps] == [EndJobs, RemoveDestination, DropSnapshot]
    needed = finish(
        ending=Ending.CANCEL, removable={"/fast/vda.q": True}, uses={"/fast/vda.q": use(UseKind.LAYER)}
    )
    assert [type(step) for step in needed.steps] == [EndJobs, DropSnapshot]


def reused(**more: Any) -> Plan:
    found = entry(reuse_external=True, there=OVERLAY, mirror=THERE)
    headers = {"/fast/vda.q": ImageFacts(4 * GIB, "/fast/vda.qcow2", "qcow2", backing_exists=True)}
    return finish(found=found, **{"headers": headers, **more})


def test_what_somebody_else_brought_is_compared_first() -> None:
    plan = reused()
    assert refusals(plan) == set()
    compare = plan.steps[0]
    assert isinstance(compare, CompareImages)
    assert (compare.source, compare.path, compare.format) == ("/slow/vda.qcow2", "/fast/vda.qcow2", "qcow2")
    assert [type(step) for step in reused(compare=False).steps] == [EndJobs, ProvePivot, DropSnapshot]
    assert "base-unchecked" in warnings(reused(compare=False))
    assert "base-unchecked" in warnings(reused(headers={}))
    raw = {"/fast/vda.q": ImageFacts(4 * GIB, "/fast/vda.qcow2", "raw", backing_exists=True)}
    assert "base-unchecked" in warnings(reused(headers=raw))
    same = {"/fast/vda.q": ImageFacts(4 * GIB, "/slow/vda.qcow2", "qcow2", backing_exists=True)}
    assert warnings(reused(headers=same)) == set()
    gone = {"/fast/vda.q": ImageFacts(4 * GIB, "/fast/vda.qcow2", "qcow2", backing_exists=False)}
    assert refusals(reused(headers=gone)) == {"backing-missing"}
    kept = reused(ending=Ending.CANCEL, removable={"/fast/vda.q": True})
    assert [type(step) for step in kept.steps] == [EndJobs, DropSnapshot]


def test_a_name_with_a_space_is_quoted_in_what_to_do() -> None:
    plan = finish(name="be fore", snapshots=(SnapshotFacts("be fore", frozenset()),))
    assert plan.remedies == "Delete it without that: virt-mirror snapshot delete db01 'be fore'"


def test_what_cannot_be_ended() -> None:
    assert refusals(finish(mirrored(ready=MirrorReady.NO))) == {"not-in-sync"}
    assert refusals(finish(name="other")) == {"no-such-snapshot"}
    known = (SnapshotFacts("plain", frozenset()),)
    assert refusals(finish(name="plain", snapshots=known)) == {"not-mirrored"}
    assert refusals(finish(found=entry(reached=2, heartbeat=NOW))) == {"plan-in-progress"}
    assert refusals(finish(found=entry(reached=2))) == {"plan-left-over"}
    lost = replace(mirrored(), definition=replace(mirrored().definition, disks=(VDA, VDB)))
    assert refusals(finish(lost)) == {"mirror-gone"}
    off = replace(mirrored(), state=RunState.SHUT_OFF)
    assert refusals(finish(off)) == {"domain-not-running"}


def test_what_is_over_already_is_brought_to_its_end() -> None:
    gone = make_domain(disks=[replace(VDA, chain=make_chain("/fast/vda.q", "/slow/vda.qcow2")), VDB])
    assert [type(step) for step in finish(gone).steps] == [ProvePivot, DropSnapshot]
    assert refusals(finish(gone)) == set()
    assert refusals(finish(gone, ending=Ending.CANCEL)) == {"pivoted"}
    lost = make_domain(disks=[replace(VDA, chain=make_chain("/slow/vda.s1", "/slow/vda.qcow2")), VDB])
    plan = finish(lost, ending=Ending.CANCEL, removable={"/fast/vda.q": True})
    assert [type(step) for step in plan.steps] == [RemoveDestination, DropSnapshot]
    assert warnings(plan) == {"mirror-gone", "overlays-stay"}


@pytest.mark.parametrize("ending", Ending)
def test_a_mirror_of_a_snapshot_is_not_ended_by_itself(ending: Ending) -> None:
    known = end_facts(mirrored(), entry()).end
    plan = plan_end(EndRequest(known.domain.uuid, ("vda",), ending), known, "p2")
    assert refusals(plan) == {"part-of-a-snapshot"}
    (finding,) = (f for f in plan.findings if f.check == "part-of-a-snapshot")
    assert "virt-mirror snapshot delete db01 s1 --pivot" in finding.remedy


def test_the_doctor_knows_how_they_end() -> None:
    lost = make_domain(disks=[replace(VDA, chain=make_chain("/slow/vda.s1", "/slow/vda.qcow2")), VDB])
    state = replace(make_state(lost), entries=(entry(),))
    (finding,) = examine(DoctorFacts(state))
    assert finding.check == "mirrors-gone"
    assert "virt-mirror snapshot delete db01 s1" in finding.remedy
