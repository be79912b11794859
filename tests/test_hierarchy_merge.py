"""The plans that delete an external snapshot where libvirt does not: merged here, and forgotten; no host is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.copy_facts import found, refusals, warnings
from tests.fake_host import NOW, make_disk
from tests.hierarchy_facts import UUID, known
from tests.test_hierarchy_plan import (
    BASE,
    LINE,
    ONE,
    TWO,
    VDA,
    delete,
    domain_on,
    facts,
    image,
    left,
    merge_facts,
    plan,
    remedies,
)
from tui.model.begin_steps import StartCommit, StartPull
from tui.model.domain import RunState
from tui.model.facts import Running, Use, UseKind
from tui.model.finding import Severity
from tui.model.hierarchy import KnownSnapshot
from tui.model.hierarchy_delete import merges_of
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.hierarchy_steps import DeleteSnapshots, RemoveMemories
from tui.model.job import JobType, Phase
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.live_steps import DropHeld
from tui.model.methods import Method
from tui.model.plan import Plan
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import RecoverRequest
from tui.model.snapshot_note import Held, NotedSnapshot, note_xml
from tui.model.steps import AwaitEnd, AwaitSync, EndJobs, ProveChain, ProvePivot
from tui.model.storage import Chain

PLAIN = {BASE: image(), ONE: image(BASE), TWO: image(ONE)}
"""Images with nothing inside."""
OLD: dict[str, Any] = {"libvirt": (8, 5, 0), "images": PLAIN}
"""A host whose libvirt deletes no external snapshots."""
BRANCH = known("s2b", "s1", overlay="/i/2b", base=ONE, created=3)
"""Another one whose overlay stands on the same image as that of s2."""
COMMIT = [StartCommit, AwaitSync, EndJobs, ProvePivot, ProveChain, DeleteSnapshots]
PULL = [StartPull, AwaitEnd, ProveChain]
VDB = make_disk("vdb", "/i/b1", "/i/b0")


def kinds(made: Plan) -> list[type]:
    return [type(step) for step in made.steps]


def then(made: Plan) -> list[list[str]]:
    return [[layer.path for layer in chain.then.layers] for chain in made.chains]


def said(made: Plan, check: str) -> str:
    return " ".join(finding.reason for finding in made.findings if finding.check == check)


def with_vdb(one: KnownSnapshot, *, base: str = "/i/b0") -> KnownSnapshot:
    """With a part of a second disk."""
    (other,) = known(one.name, overlay="/i/b1", base=base, target="vdb").disks
    return replace(one, disks=(*one.disks, other), named=one.named | {"/i/b1", base})


# By a commit


def test_before_9_0_its_overlay_is_committed_and_it_is_forgotten() -> None:
    made = delete("s2", **OLD)
    assert refusals(made) == set()
    assert kinds(made) == COMMIT
    assert made.commands[0] == "virsh blockcommit db01 vda --base 'vda[2]' --active --delete"
    assert made.commands[-1] == "virsh snapshot-delete db01 s2 --metadata"
    assert made.journalled
    assert then(made) == [[ONE, BASE]]
    assert "libvirt 8.5.0 cannot delete external snapshots" in said(made, "merged-here")
    assert "commits the overlay of vda into" in said(made, "merged-here")
    assert {"state-lost", "merged-here", "base-modified", "forbidden-meanwhile"} <= warnings(made)
    assert "Pull instead" not in remedies(made), "what is to be deleted needs the base"
    told = dict(made.facts)
    assert (told["current then"], told["merges"], told["grows by"]) == ("s1", TWO, "1 GiB at most")
    assert told["undo"].startswith("cancel until the pivot")
    assert made.leaves == ()


def test_after_an_internal_one_as_well() -> None:
    inside = known("i", kind="internal", base=BASE)
    one = known("s1", "i", overlay=ONE, base=BASE, created=2, current=True)
    made = delete("s1", inside, one, domain=domain_on(make_disk("vda", ONE, BASE)), images=PLAIN)
    assert refusals(made) == set(), "what lies inside of the base stays there"
    assert kinds(made) == COMMIT
    assert "comes after an internal one, as s1 does" in said(made, "merged-here")


def test_an_overlay_below_the_active_one_is_committed_too() -> None:
    # A layer above that no snapshot speaks of.
    made = delete("s1", replace(LINE[0], current=True), **OLD)
    assert kinds(made) == [StartCommit, AwaitEnd, ProveChain, DeleteSnapshots]
    assert made.commands[0] == "virsh blockcommit db01 vda --base 'vda[3]' --top 'vda[2]' --delete"
    assert then(made) == [[TWO, BASE]]


def test_the_disks_go_over_together() -> None:
    one = with_vdb(known("s1", overlay=ONE, base=BASE, current=True))
    domain = domain_on(make_disk("vda", ONE, BASE), VDB)
    made = delete("s1", one, domain=domain, **OLD)
    assert refusals(made) == set()
    assert kinds(made) == [
        *(StartCommit, StartCommit, AwaitSync, AwaitSync, EndJobs),
        *(ProvePivot, ProveChain, ProvePivot, ProveChain, DeleteSnapshots),
    ]
    (end,) = (step for step in made.steps if isinstance(step, EndJobs))
    assert (end.targets, end.paths) == (("vda", "vdb"), (BASE, "/i/b0"))


def test_the_memory_of_the_guest_goes_too() -> None:
    one = known("s1", overlay=ONE, base=BASE, memory="/i/memory", current=True)
    domain = domain_on(make_disk("vda", ONE, BASE))
    made = delete("s1", one, domain=domain, existing=frozenset({*PLAIN, "/i/memory"}), **OLD)
    assert kinds(made) == [*COMMIT, RemoveMemories]


def test_what_only_the_notes_of_the_domain_know_goes_first() -> None:
    note = note_xml(NotedSnapshot("p0", "s2", NOW, "", (Held("vdb", Method.BTRFS, "/clone", "qcow2"),)))
    plain = domain_on()
    domain = replace(plain, definition=replace(plain.definition, noted_snapshots=(note,)))
    made = delete("s2", domain=domain, **OLD)
    assert refusals(made) == set()
    assert (kinds(made), made.journalled) == ([DropHeld, *COMMIT], True)
    assert then(made) == [[ONE, BASE]]


def test_what_lies_inside_of_an_overlay_keeps_it() -> None:
    made = delete("s2", libvirt=(8, 5, 0))
    assert "--delete" not in made.commands[0]
    # libvirt knows of that one.
    inside = known("i", "s2", kind="internal", base=TWO, created=3, current=True)
    made = delete("s2", LINE[0], replace(LINE[1], current=False), inside, **OLD)
    assert refusals(made) == {"external-unsupported"}
    assert remedies(made).strip().endswith("first: virt-mirror snapshot delete db01 i")


def test_what_comes_after_it_is_deleted_first() -> None:
    made = delete("s1", **OLD)
    assert refusals(made) == {"external-unsupported"}
    assert remedies(made).strip().endswith("first: virt-mirror snapshot delete db01 s2")
    assert not made.journalled


def test_while_the_guest_is_off_nothing_is_merged() -> None:
    made = delete("s2", domain=domain_on(VDA, state=RunState.SHUT_OFF), **OLD)
    assert refusals(made) == {"external-unsupported"}
    assert "Start the guest, and delete it then" in remedies(made)


def test_what_forbids_a_commit_forbids_it_here() -> None:
    request = SnapshotDeleteRequest(UUID, "s2")
    about = facts(*LINE, **OLD)
    (wish,) = merges_of(request, about)
    chain = merge_facts(wish.target, about)
    tight = replace(about, merges=((wish, replace(chain, room=(None, 1, None))),))
    made = plan(request, tight)
    assert refusals(made) == {"space"}
    (refusal,) = (finding for finding in made.findings if finding.severity is Severity.REFUSED)
    assert refusal.acceptance is None, "no option of the deletion takes that upon oneself"
    assert "virt-mirror commit db01 vda --pivot --base /i/1; then virt-mirror snapshot delete db01 s2" in (
        refusal.remedy
    )
    unknown = replace(
        about,
        merges=((wish, replace(chain, disk=replace(VDA, chain=Chain(VDA.chain.layers, complete=False)))),),
    )
    assert refusals(plan(request, unknown)) == {"chain-unknown"}
    # Whoever else stands on the overlay.
    other = Use("other", "web01", "vda", UseKind.LAYER)
    assert refusals(delete("s2", uses={TWO: (other,)}, **OLD)) == {"layer-shared"}


def test_what_is_under_way_comes_first() -> None:
    job = Running("vda", JobType.COPY, Phase.COPYING, None, Chain())
    made = delete("s2", running=(job,), **OLD)
    assert refusals(made) == {"job-running"}


def test_libvirt_deletes_what_it_can() -> None:
    assert merges_of(SnapshotDeleteRequest(UUID, "s2"), facts(*LINE)) == ()
    for name, how in (("s2", {"metadata_only": True}), ("s1", {"children": True})):
        assert merges_of(SnapshotDeleteRequest(UUID, name, **how), facts(*LINE, **OLD)) == ()
    assert "chains-unseen" in warnings(delete("s2", unfollowed=("web01 vda",)))


# By a pull


@pytest.mark.parametrize("libvirt", [(8, 5, 0), (9, 0, 0)])
def test_a_base_that_others_need_stays_and_is_pulled(libvirt: tuple[int, int, int]) -> None:
    made = delete("s2", *LINE, BRANCH, images=PLAIN, libvirt=libvirt)
    assert refusals(made) == set()
    assert kinds(made) == [*PULL, DeleteSnapshots]
    assert made.commands[0] == "virsh blockpull db01 vda --base 'vda[3]'"
    assert then(made) == [[TWO, BASE]]
    assert (made.leaves, made.chains[0].gone) == ((ONE,), "stays")
    why = said(made, "merged-here")
    assert "the snapshot s2b needs /i/1 as it is" in why
    assert "pulls what the overlay of vda stands on up into it, and has s2 forgotten" in why
    assert dict(made.facts)["grows by"] == "1 GiB at most"
    assert dict(made.facts)["old images"] == "stay where they are, as they are"
    # s1 has that image in its chain no more; for s2b nothing changes.
    assert "The snapshots s1 name images" in said(made, "snapshots")


def test_on_the_last_image_nothing_is_left_below() -> None:
    other = Use("other", "web01", "vda", UseKind.LAYER)
    one = known("s1", overlay=ONE, base=BASE, current=True)
    domain = domain_on(make_disk("vda", ONE, BASE))
    made = delete("s1", one, domain=domain, uses={BASE: (other,)}, images=PLAIN)
    assert (kinds(made), made.commands[0]) == ([*PULL, DeleteSnapshots], "virsh blockpull db01 vda")
    assert then(made) == [[ONE]]
    assert "web01 vda needs /i/base" in said(made, "merged-here")


def test_each_disk_is_merged_as_it_can_be_and_nothing_runs_beside_a_pull() -> None:
    other = Use("other", "web01", "vda", UseKind.LAYER)
    one = with_vdb(known("s1", overlay=ONE, base=BASE, current=True))
    domain = domain_on(make_disk("vda", ONE, BASE), VDB)
    made = delete("s1", one, domain=domain, uses={BASE: (other,)}, images=PLAIN)
    assert kinds(made) == [*COMMIT[:-1], *PULL, DeleteSnapshots]
    assert [step.target for step in made.steps if isinstance(step, StartCommit | StartPull)] == ["vdb", "vda"]
    assert (made.leaves, then(made)) == ((BASE,), [["/i/b0"], [ONE]])
    both = {BASE: (other,), "/i/b0": (other,)}
    assert kinds(delete("s1", one, domain=domain, uses=both, images=PLAIN)) == [*PULL, *PULL, DeleteSnapshots]


def test_where_a_pull_would_take_more_along_it_is_only_forgotten() -> None:
    other = Use("other", "web01", "vda", UseKind.LAYER)
    made = delete("s1", uses={BASE: (other,)}, images=PLAIN)
    assert refusals(made) == {"base-shared"}
    assert remedies(made).strip().endswith("virt-mirror snapshot delete db01 s1 --metadata-only")
    # What lies inside of the overlay would read other data from below.
    assert refusals(delete("s2", *LINE, BRANCH)) == {"base-shared"}


def test_several_that_come_after_it_are_told_as_before() -> None:
    assert refusals(delete("s1", *LINE, BRANCH, images=PLAIN)) == {"branches"}


# Cut short


def cut(made: Plan, kind: type) -> Entry:
    """The journal of a program that died in the first step of a kind."""
    return replace(left(made.steps), reached=kinds(made).index(kind))


def recovered(entry: Entry, *chain: str, undo: bool = False, **more: Any) -> Plan:
    state = more.pop("state", RunState.RUNNING)
    domain = domain_on(make_disk("vda", *chain), state=state)
    assert parse_entry(entry_xml(entry), UUID) == entry
    return plan_recover(
        RecoverRequest(UUID, undo=undo), RecoverFacts(domain, (entry,), now=NOW, **more), "p2"
    )


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.SHUT_OFF])
def test_what_is_merged_is_still_to_be_forgotten(state: RunState) -> None:
    entry = cut(delete("s2", **OLD), DeleteSnapshots)
    on = recovered(entry, ONE, BASE, state=state)
    assert refusals(on) == set()
    assert on.commands == ("virsh snapshot-delete db01 s2 --metadata",)
    assert "past-the-pivot" in refusals(recovered(entry, ONE, BASE, state=state, undo=True))


def test_a_pull_that_has_come_to_its_end_is_gone_on_with_and_one_that_has_not_is_not() -> None:
    entry = cut(delete("s2", *LINE, BRANCH, images=PLAIN), AwaitEnd)
    assert refusals(recovered(entry, TWO, BASE)) == set()
    assert refusals(recovered(entry, TWO, ONE, BASE)) == {"job-gone"}
    job = Running("vda", JobType.PULL, Phase.COPYING, None, Chain())
    assert refusals(recovered(entry, TWO, ONE, BASE, running=(job,))) == set()
    assert refusals(recovered(entry, TWO, ONE, BASE, undo=True)) == set()


def test_a_commit_below_the_active_layer_likewise() -> None:
    entry = cut(delete("s1", replace(LINE[0], current=True), **OLD), AwaitEnd)
    assert refusals(recovered(entry, TWO, BASE)) == set()
    assert refusals(recovered(entry, TWO, ONE, BASE)) == {"job-gone"}


def test_all_is_well_is_said_of_the_layers() -> None:
    assert {"layers-own", "space"} <= found(delete("s2", **OLD), Severity.FINE)
