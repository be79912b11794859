"""The plans that take mirrored snapshots and end them; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.copy_facts import IMAGE, NEW, refusals, use, warnings
from tests.fake_host import GIB, NOW, make_chain, make_disk, make_domain, make_mirror, make_state
from tui.model.chain_steps import CompareImages
from tui.model.disk import Disk, MirrorReady
from tui.model.diskspec import parse_diskspec
from tui.model.doctor import DoctorFacts, examine
from tui.model.domain import Domain, RunState
from tui.model.end_plan import plan_end
from tui.model.facts import (
    CopyFacts,
    EndFacts,
    ImageFacts,
    LayerFacts,
    PathFacts,
    Sizes,
    SnapshotFacts,
    UseKind,
    running_on,
)
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.mirrored_snapshot import Kept, Kind, Snapshot, SnapshotDisk, parse_snapshot
from tui.model.plan import Plan
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import Ending, EndRequest, RecoverRequest, SnapshotEndRequest, SnapshotRequest
from tui.model.snapshot_case import TakeFacts, generated_path, mirror_request, overlay_request, taken_disks
from tui.model.snapshot_end_plan import SnapshotEndFacts, plan_snapshot_end
from tui.model.snapshot_plan import plan_snapshot
from tui.model.snapshot_steps import DropSnapshot, TakeSnapshot
from tui.model.steps import AwaitSync, EndJobs, ProvePivot, RemoveDestination, StartCopy, Undo
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkSource

VDA = make_disk("vda", "/slow/vda.qcow2", "/slow/base")
VDB = make_disk("vdb", "/slow/vdb.img")
CDROM = make_disk("vdc", "/iso/x", readonly=True)
BOTH = ("vda,mirror=/fast/vda.q", "vdb,file=/slow/vdb.new,mirror=/fast/vdb.q")
ONE = ("vda,mirror=/fast/vda.q", "vdb,snapshot=no")


def wish(domain: Domain, *specs: str, name: str | None = "s1", **more: Any) -> SnapshotRequest:
    said: dict[str, Any] = {"disks": tuple(parse_diskspec(spec) for spec in specs)}
    said.update({key: more.pop(key) for key in ("disks", "memory", "description") if key in more})
    return SnapshotRequest(domain.uuid, Snapshot(name, **said), **more)


def facts(
    domain: Domain, request: SnapshotRequest, *, there: PathFacts = NEW, mirror: PathFacts = NEW, **more: Any
) -> TakeFacts:
    about: dict[str, Any] = {"libvirt": (9, 0, 0), "checkpoints": (), "now": NOW, **more.pop("about", {})}

    def known(disk: Disk, place: PathFacts) -> CopyFacts:
        layers = tuple(LayerFacts(layer.path, GIB, ()) for layer in disk.chain.layers)
        return CopyFacts(
            domain, disk, sizes=Sizes(4 * GIB, GIB, GIB), layers=layers, destination=place, **about
        )

    disks = taken_disks(request.snapshot, domain)
    return TakeFacts(
        domain,
        overlays={disk.target: known(disk.disk, there) for disk in disks},
        mirrors={disk.target: known(disk.disk, mirror) for disk in disks if disk.mirror},
        **more,
    )


def create(*specs: str, domain: Domain | None = None, name: str | None = "s1", **more: Any) -> Plan:
    domain = domain or make_domain(disks=[VDA, VDB, CDROM])
    keys = ("disks", "memory", "description", "reuse_external", "bandwidth", "synchronous_writes")
    request = wish(domain, *specs, name=name, **{key: more.pop(key) for key in keys if key in more})
    return plan_snapshot(request, facts(domain, request, **more), "p1")


def taken(plan: Plan) -> TakeSnapshot:
    step = plan.steps[0]
    assert isinstance(step, TakeSnapshot)
    return step


# Taking


def test_a_snapshot_with_two_mirrors() -> None:
    plan = create(*BOTH, bandwidth=5, synchronous_writes=True)
    assert refusals(plan) == set()
    assert [type(step) for step in plan.steps] == [TakeSnapshot, StartCopy, StartCopy, AwaitSync, AwaitSync]
    step = taken(plan)
    assert step.targets == ("vda", "vdb")
    assert step.paths == ("/slow/vda.s1", "/slow/vdb.new")
    assert step.bases == ("/slow/vda.qcow2", "/slow/vdb.img")
    assert step.others == ("vdc",)
    first, second = (s for s in plan.steps if isinstance(s, StartCopy))
    assert (first.path, second.path) == ("/fast/vda.q", "/fast/vdb.q")
    assert (first.source, first.format) == ("/slow/vda.s1", "qcow2")
    assert first.shallow
    assert first.creates
    assert not first.reuse_external
    assert (first.bandwidth, first.synchronous_writes) == (5, True)


def test_libvirt_is_asked_for_all_that_is_meant_and_no_mirror() -> None:
    asked = parse_snapshot(taken(create(*BOTH, description="why, not")).xml, mirrors=False)
    assert (asked.name, asked.description) == ("s1", "why, not")
    assert [(d.name, d.kind, d.format, d.path) for d in asked.disks or ()] == [
        ("vda", Kind.EXTERNAL, "qcow2", "/slow/vda.s1"),
        ("vdb", Kind.EXTERNAL, "qcow2", "/slow/vdb.new"),
        ("vdc", Kind.NO, None, None),
    ]


def test_the_command_that_says_the_same() -> None:
    step = taken(create("vda,file=/slow/a,,b,mirror=/fast/a", "vdb,snapshot=no", description="why not"))
    (command,) = step.commands
    assert command == (
        "virsh snapshot-create-as db01 --name s1 --disk-only --atomic --description 'why not' "
        "--diskspec vda,snapshot=external,driver=qcow2,file=/slow/a,,b --diskspec vdb,snapshot=no "
        "--diskspec vdc,snapshot=no"
    )
    more = Kept((("file", "/slow/o"),), ('<seclabel model="dac" relabel="no"/>',))
    disk = SnapshotDisk("vda", Kind.EXTERNAL, source=more, mirror=Kept((("file", "/fast/m"),)))
    plan = create(disks=(disk,))
    assert taken(plan).commands == ("virsh snapshot-create db01 snapshot.xml --disk-only --atomic",)
    assert 'relabel="no"' in taken(plan).xml


def test_disks_that_nobody_named_are_as_libvirt_has_it() -> None:
    plan = create("vda,mirror=/fast/vda.q")
    assert taken(plan).paths == ("/slow/vda.s1", "/slow/vdb.s1")
    assert "disk-by-default" in warnings(plan)
    assert "disk-by-default" not in warnings(create(*ONE))
    left_out = replace(VDB, snapshot="no")
    assert taken(create("vda,mirror=/m", domain=make_domain(disks=[VDA, left_out]))).targets == ("vda",)


@pytest.mark.parametrize(
    ("path", "generated"),
    [("/a/x.qcow2", "/a/x.s"), ("/a.b/x", "/a.b/x.s"), ("/a/x.y.z", "/a/x.y.s"), ("/a/.x", "/a/.s")],
)
def test_names_are_made_up_as_libvirt_does(path: str, generated: str) -> None:
    assert generated_path(make_disk("vda", path), "s") == generated


def test_a_disk_may_be_named_by_its_image() -> None:
    assert taken(create("/slow/vda.qcow2,mirror=/m", "vdb,snapshot=no")).targets == ("vda",)


def test_the_mirror_has_the_format_of_the_overlay() -> None:
    plan = create("vda,driver=qed,mirror=/m", "vdb,snapshot=no")
    start = plan.steps[1]
    assert isinstance(start, StartCopy)
    assert start.format == taken(plan).formats[0] == "qed"
    assert 'type="qed"' in start.xml


NETWORK = replace(VDB, chain=Chain((Layer(NetworkSource("nbd", "x", ()), "raw"),)))
DEVICE = replace(VDB, chain=Chain((Layer(BlockSource("/dev/vg/b"), "raw"),)))


@pytest.mark.parametrize(
    ("specs", "check"),
    [
        (("vda",), "no-mirror"),
        (("vda,mirror=/m", "vdz"), "no-such-disk"),
        (("vda,mirror=/m", "/slow/vda.qcow2"), "disk-twice"),
        (("vdc,mirror=/m",), "disk-read-only"),
        (("vda,mirror=/m,driver=raw",), "format-unsupported"),
        (("vda,mirror=/m", "vdb,mirror=/m"), "same-name"),
        (("vda,file=/x,mirror=//x",), "same-name"),
    ],
)
def test_what_speaks_against_a_wish(specs: tuple[str, ...], check: str) -> None:
    assert refusals(create(*specs)) == {check}


@pytest.mark.parametrize(
    ("disk", "check"),
    [
        (NETWORK, "no-file-name"),
        (DEVICE, "no-file-name"),
        (replace(VDB, snapshot="internal"), "kind-unsupported"),
        (replace(VDB, snapshot="manual"), "kind-unsupported"),
    ],
)
def test_what_speaks_against_a_disk_that_is_not_named(disk: Disk, check: str) -> None:
    assert check in refusals(create("vda,mirror=/m", domain=make_domain(disks=[VDA, disk])))
    assert (
        refusals(create("vda,mirror=/m", "vdb,snapshot=no", domain=make_domain(disks=[VDA, disk]))) == set()
    )


def test_further_kinds_of_disk() -> None:
    empty = replace(VDB, chain=Chain())
    assert refusals(create(*BOTH, domain=make_domain(disks=[VDA, empty]))) == {"disk-empty"}
    assert refusals(create(*BOTH, domain=make_domain(disks=[VDA, NETWORK]))) == {"layer-kind"}
    assert refusals(create(*BOTH, domain=make_domain(disks=[VDA, DEVICE]))) == set()
    block = SnapshotDisk(
        "vda", Kind.EXTERNAL, Kept((("dev", "/dev/x"),)), mirror=Kept((("file", "/m"),)), type="block"
    )
    assert refusals(create(disks=(block,))) == {"source-type"}


@pytest.mark.parametrize("name", ["", "a/b", ".a", None])
def test_names_that_libvirt_does_not_take(name: str | None) -> None:
    assert "snapshot-name" in refusals(create(*BOTH, name=name))


def test_what_is_there_already() -> None:
    known = (SnapshotFacts("s1", frozenset()),)
    assert refusals(create(*BOTH, snapshots=known)) == {"snapshot-exists"}
    assert "snapshots-unchecked" in warnings(create(*BOTH, snapshots=None))
    file = replace(IMAGE, image=None)
    assert refusals(create(*ONE, there=file)) == {"destination-exists"}
    assert refusals(create(*ONE, mirror=file)) == {"destination-exists"}
    plan = create(*ONE, about={"uses": {"/slow/vda.s1": use(UseKind.LAYER)}})
    assert refusals(plan) == {"destination-in-use"}
    assert refusals(create(*ONE, about={"entries": (entry(),)})) == {"snapshot-exists"}
    assert refusals(create(*ONE, name="s2", about={"entries": (entry(),)})) == {"plan-left-over"}
    busy = replace(VDA, mirror=make_mirror())
    plan = create("vda,snapshot=no", "vdb,mirror=/m", domain=make_domain(disks=[busy, VDB]))
    assert refusals(plan) == set()
    assert refusals(create(*ONE, domain=make_domain(disks=[busy, VDB]))) == {"job-running"}
    default = create("vdb,mirror=/m", domain=make_domain(disks=[busy, VDB]))
    assert refusals(default) == {"job-running"}


def test_memory_and_a_guest_that_is_off() -> None:
    assert refusals(create(*ONE, memory=Kept((("snapshot", "internal"),)))) == {"memory"}
    assert refusals(create(*ONE, memory=Kept((("file", "/m"),)))) == {"memory"}
    assert refusals(create(*ONE, memory=Kept((("snapshot", "no"),)))) == set()
    off = make_domain(disks=[VDA, VDB], state=RunState.SHUT_OFF)
    assert refusals(create(*ONE, domain=off)) == {"domain-not-running"}


def test_what_is_not_possible_meanwhile_is_said_once() -> None:
    plan = create(*BOTH)
    (said,) = (f for f in plan.findings if f.check in ("while-mirrored", "forbidden-meanwhile"))
    for word in ("saved", "migrated", "memory", "vda and vdb", "detached", "snapshot again"):
        assert word in said.reason
    assert "virt-mirror snapshot delete db01 s1" in said.remedy
    transient = create(*BOTH, domain=make_domain(disks=[VDA, VDB], persistent=False))
    assert "transient-domain" in warnings(transient)
    start = transient.steps[1]
    assert isinstance(start, StartCopy)
    assert not start.transient_job


# Images that are there already

OVERLAY = replace(IMAGE, image=ImageFacts(4 * GIB, "/slow/vda.qcow2", "qcow2", backing_exists=True))
THERE = replace(IMAGE, image=ImageFacts(4 * GIB, "/fast/vda.qcow2", "qcow2", backing_exists=True))


def reuse(there: PathFacts = OVERLAY, mirror: PathFacts = THERE) -> Plan:
    return create(*ONE, reuse_external=True, there=there, mirror=mirror)


def test_images_that_are_there_are_taken_and_left() -> None:
    plan = reuse()
    assert refusals(plan) == set()
    assert taken(plan).reuse_external
    assert "--reuse-external" in taken(plan).commands[0]
    start = plan.steps[1]
    assert isinstance(start, StartCopy)
    assert (start.shallow, start.reuse_external, start.creates) == (True, True, False)
    assert "content-unchecked" in warnings(plan)
    assert not any("rm" in command for command in taken(plan).undo_commands)


def with_image(place: PathFacts, **more: Any) -> PathFacts:
    assert place.image is not None
    return replace(place, image=replace(place.image, **more))


@pytest.mark.parametrize(
    ("there", "mirror", "check"),
    [
        (NEW, THERE, "destination-missing"),
        (OVERLAY, NEW, "destination-missing"),
        (with_image(OVERLAY, backing="/slow/other"), THERE, "overlay-backing"),
        (with_image(OVERLAY, backing=None), THERE, "overlay-backing"),
        (with_image(OVERLAY, backing_format=None), THERE, "backing-format-missing"),
        (with_image(OVERLAY, virtual_size=GIB), THERE, "destination-size"),
        (replace(OVERLAY, image=None, unreadable="No qcow2."), THERE, "image-unreadable"),
        (OVERLAY, with_image(THERE, backing_exists=False), "backing-missing"),
        (OVERLAY, with_image(THERE, backing=None), "shallow-no-backing"),
        (OVERLAY, with_image(THERE, virtual_size=GIB), "destination-size"),
        (OVERLAY, replace(THERE, image=None, unreadable="No qcow2."), "image-unreadable"),
    ],
)
def test_images_that_are_not_what_they_must_be(there: PathFacts, mirror: PathFacts, check: str) -> None:
    assert refusals(reuse(there, mirror)) == {check}


def test_an_overlay_that_holds_something() -> None:
    assert "overlay-content" in warnings(reuse(replace(OVERLAY, allocated=GIB)))
    assert "overlay-content" not in warnings(reuse())


# The journal, and taking back


def entry(
    *, reached: int | None = None, heartbeat: float = 0.0, specs: tuple[str, ...] = ONE, **more: Any
) -> Entry:
    plan = create(*specs, **more)
    at = len(plan.steps) if reached is None else reached
    return Entry("p1", plan.uuid, plan.title, plan.steps, at, "root@host-b:7", NOW - 60, heartbeat)


def mirrored(*, ready: MirrorReady = MirrorReady.YES, both: bool = False) -> Domain:
    def on(disk: Disk, path: str, mirror: str) -> Disk:
        layers = (Layer(FileSource(path), "qcow2"), *disk.chain.layers)
        return replace(disk, chain=Chain(layers), mirror=make_mirror(mirror, ready))

    second = on(VDB, "/slow/vdb.new", "/fast/vdb.q") if both else VDB
    return make_domain(disks=[on(VDA, "/slow/vda.s1", "/fast/vda.q"), second, CDROM])


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


# Ending


def end_facts(domain: Domain, *entries: Entry, **more: Any) -> SnapshotEndFacts:
    running = tuple(job for disk in domain.disks if (job := running_on(disk, None)))
    known = {key: more.pop(key) for key in ("uses", "removable") if key in more}
    end = EndFacts(domain, running, entries, owner="root@here:1", now=NOW, **known)
    return SnapshotEndFacts(end, **more)


def finish(
    domain: Domain | None = None, found: Entry | None = None, ending: Ending = Ending.PIVOT, **more: Any
) -> Plan:
    domain, found = domain or mirrored(), found or entry()
    compare = more.pop("compare", True)
    name = more.pop("name", "s1")
    request = SnapshotEndRequest(domain.uuid, name, ending, compare)
    return plan_snapshot_end(request, end_facts(domain, found, **more), "p2")


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
    assert warnings(plan) == {"mirror-gone"}


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


def test_the_places_that_are_looked_at() -> None:
    request = wish(make_domain(disks=[VDA]), "vda,mirror=/fast/vda.q", reuse_external=True)
    (disk,) = taken_disks(request.snapshot, make_domain(disks=[VDA]))
    overlay, mirror = overlay_request(request, disk), mirror_request(request, disk)
    assert overlay.destination.layers[0] == Layer(FileSource("/slow/vda.s1"), "qcow2")
    assert mirror.destination.layers[0] == Layer(FileSource("/fast/vda.q"), "qcow2")
    assert overlay.reuse_external
    assert mirror.reuse_external
