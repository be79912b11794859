"""The plans that take mirrored snapshots; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.copy_facts import IMAGE, NEW, refusals, use, warnings
from tests.fake_host import GIB, NOW, make_disk, make_domain, make_mirror
from tests.snapshot_facts import BOTH, CDROM, ONE, OVERLAY, THERE, VDA, VDB, create, entry, taken, wish
from tui.model.begin_steps import StartCopy
from tui.model.disk import Disk
from tui.model.domain import RunState
from tui.model.facts import (
    PathFacts,
    UseKind,
)
from tui.model.finding import Acceptance
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.live_steps import TakeTogether
from tui.model.methods import Quiesce
from tui.model.mirrored_snapshot import Kept, Kind, SnapshotDisk, parse_snapshot
from tui.model.plan import Plan
from tui.model.snapshot import SnapshotFacts
from tui.model.snapshot_case import generated_path, mirror_request, overlay_request, taken_disks
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.steps import AwaitSync
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkSource

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


def test_file_systems_are_frozen_for_the_overlays() -> None:
    made = make_domain(disks=[VDA, VDB, CDROM])
    domain = replace(made, definition=replace(made.definition, agent=True))
    plan = create(*BOTH, domain=domain, limit=7.0)
    assert [type(step) for step in plan.steps][:2] == [TakeTogether, StartCopy]
    step = plan.steps[0]
    assert isinstance(step, TakeTogether)
    assert (step.quiesce, step.pause, step.limit) == (Quiesce.AUTO, False, 7.0)
    assert step.overlays == taken(create(*BOTH))
    assert step.commands == ("virsh domfsfreeze db01", *step.overlays.commands, "virsh domfsthaw db01")
    assert ("stands still", "file systems frozen, at most 7 s") in plan.facts
    assert "quiesced" in {finding.check for finding in plan.findings}
    # Whoever goes on with it, or ends it, finds the snapshot in the journal.
    left = Entry("p1", plan.uuid, plan.title, plan.steps, 0, "me", NOW, NOW)
    read = parse_entry(entry_xml(left), plan.uuid)
    assert (read.snapshot, read.freezes) == (step.overlays, True)
    for wanted in (
        create(*BOTH, domain=domain, quiesce=Quiesce.NO),
        create(*BOTH, domain=replace(domain, state=RunState.PAUSED)),
        create(*BOTH),
    ):
        assert isinstance(wanted.steps[0], TakeSnapshot)
        assert "crash-consistent" in {finding.check for finding in wanted.findings}
    assert refusals(create(*BOTH, quiesce=Quiesce.REQUIRED)) == {"no-agent"}
    assert refusals(create(*BOTH, domain=domain, quiesce=Quiesce.REQUIRED)) == set()


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


def test_names_that_no_file_can_have() -> None:
    plan = create(*ONE, name=252 * "x", there=PathFacts())
    assert refusals(plan) == {"name-too-long"}
    assert "destination-unchecked" not in warnings(plan)
    assert refusals(create(*ONE, name=251 * "x")) == set()
    assert refusals(create(f"vda,mirror=/{256 * 'x'}", "vdb,snapshot=no", mirror=PathFacts())) == {
        "name-too-long"
    }


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


def reuse(there: PathFacts = OVERLAY, mirror: PathFacts = THERE, **more: Any) -> Plan:
    return create(*ONE, reuse_external=True, there=there, mirror=mirror, **more)


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


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("there", [OVERLAY, IMAGE, replace(OVERLAY, image=None, unreadable="No qcow2.")])
@pytest.mark.parametrize("path", ["/slow/vda.s1", "/fast/vda.q"])
def test_an_image_of_somebody_is_to_be_left_alone(path: str, there: PathFacts, again: bool) -> None:  # noqa: FBT001
    places = {"there": NEW, "mirror": NEW} if not again else {"there": OVERLAY, "mirror": THERE}
    places["there" if path.startswith("/slow") else "mirror"] = there
    uses: dict[str, Any] = {"uses": {path: use(UseKind.LAYER)}}
    plan = create(*ONE, reuse_external=again, about=uses, there=places["there"], mirror=places["mirror"])
    (said,) = (f for f in plan.findings if path in f.reason + f.remedy and f.check in refusals(plan))
    assert (said.check, said.remedy) == ("destination-in-use", "Choose another destination.")
    assert refusals(plan) == {"destination-in-use"}


def test_an_overlay_that_holds_something() -> None:
    full = replace(OVERLAY, allocated=GIB)
    plan = reuse(full)
    assert refusals(plan) == {"overlay-content"}
    assert plan.findings[0].acceptance is Acceptance.OVERWRITE_IMAGES
    accepted = reuse(full, accepted=frozenset({Acceptance.OVERWRITE_IMAGES}))
    assert refusals(accepted) == set()
    assert "overlay-content" in warnings(accepted)
    assert "overlay-content" not in refusals(reuse()) | warnings(reuse())


def test_the_places_that_are_looked_at() -> None:
    request = wish(make_domain(disks=[VDA]), "vda,mirror=/fast/vda.q", reuse_external=True)
    (disk,) = taken_disks(request.snapshot, make_domain(disks=[VDA]))
    overlay, mirror = overlay_request(request, disk), mirror_request(request, disk)
    assert overlay.destination.layers[0] == Layer(FileSource("/slow/vda.s1"), "qcow2")
    assert mirror.destination.layers[0] == Layer(FileSource("/fast/vda.q"), "qcow2")
    assert overlay.reuse_external
    assert mirror.reuse_external
