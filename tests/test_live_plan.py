"""The plans that hold the state of several disks at one instant; no host is needed for that."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.copy_facts import refusals, warnings
from tests.fake_host import GIB, MIB, NOW, make_disk, make_domain
from tests.hierarchy_facts import known
from tui.model.destination import parse_destination
from tui.model.disk import Disk
from tui.model.domain import Domain, RunState
from tui.model.facts import CopyFacts, ImageFacts, LayerFacts, PathFacts, PathKind, Sizes
from tui.model.file_volume import FileVolume, clone_xml, parse_file_volume
from tui.model.finding import Acceptance
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.live_case import DiskFacts, FilePool, LiveFacts, LogicalVolume, MemoryFacts, proposed, unfit
from tui.model.live_plan import plan_live_snapshot
from tui.model.live_steps import NoteSnapshot, TakeInternal, TakeTogether, snapshot_volume_xml
from tui.model.methods import Method, Quiesce, Wish
from tui.model.mirrored_snapshot import memory_file, parse_snapshot
from tui.model.plan import Plan
from tui.model.request import LiveSnapshotRequest
from tui.model.snapshot import SnapshotFacts
from tui.model.snapshot_note import parse_noted
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkHost, NetworkSource


def disk(target: str, source: Any, form: str = "raw", **more: Any) -> Disk:
    return replace(make_disk(target=target), chain=Chain((Layer(source, form),), complete=True), **more)


QCOW2 = disk("vda", FileSource("/slow/vda.qcow2"), "qcow2")
RAW = disk("vdb", FileSource("/slow/vdb.raw"))
MISSING = PathFacts(kind=PathKind.MISSING, parent_exists=True)
VOLUME = disk("vdc", BlockSource("/dev/vg/data"))
NETWORK = disk("vdd", NetworkSource("rbd", "pool/image", (NetworkHost("mon", None),)))
ROM = disk("hdc", FileSource("/iso"), readonly=True)


def facts(*disks: Disk, agent: bool = True, state: RunState = RunState.RUNNING, **more: Any) -> LiveFacts:
    made = make_domain(disks=disks, state=state)
    domain = Domain(replace(made.definition, agent=agent), made.state, made.persistent)
    known = {}
    for one in disks:
        layers = tuple(LayerFacts(layer.path, allocated=MIB, snapshots=()) for layer in one.chain.layers)
        copy = CopyFacts(domain, one, sizes=Sizes(GIB, GIB, GIB), layers=layers)
        place = PathFacts(kind=PathKind.MISSING, parent_exists=True)
        volume = LogicalVolume("fastvg", "data", 10 * GIB) if one is VOLUME else None
        known[one.target] = DiskFacts(copy, shares_blocks=one is RAW, logical=volume, place=place)
    overlays = {t: replace(k.copy, destination=k.place) for t, k in known.items()}
    return LiveFacts(domain, disks=known, overlays=overlays, reached=True, **more)


def plan(known: LiveFacts, *wishes: Wish, **more: Any) -> Plan:
    request = LiveSnapshotRequest(known.domain.uuid, "s1", disks=wishes, **more)
    return plan_live_snapshot(request, known, "p1", NOW)


def place_of(text: str) -> str:
    """Where the first layer of a ``<disk>`` lies."""
    return parse_destination(text).layers[0].path


def taken(made: Plan) -> TakeTogether:
    (step,) = (step for step in made.steps if isinstance(step, TakeTogether))
    return step


def test_each_disk_gets_what_is_best_for_its_storage() -> None:
    made = plan(facts(QCOW2, RAW, VOLUME, ROM))
    assert refusals(made) == set()
    assert {held.target: held.method for held in made.held} == {"vda": "qemu", "vdb": "btrfs", "vdc": "lvm"}
    step = taken(made)
    assert step.targets == ("vda", "vdb", "vdc")
    assert step.quiesce is Quiesce.REQUIRED, (
        "three parts are of one instant only if nothing is written meanwhile"
    )
    assert not step.pause
    assert [(clone.source, clone.path) for clone in step.clones] == [("/slow/vdb.raw", "/slow/vdb.s1")]
    assert step.overlays is not None
    assert step.overlays.paths == ("/slow/vda.s1",)
    (volume,) = step.volumes
    assert (volume.pool, volume.origin, volume.name) == ("fastvg", "data", "data-s1-p1")
    assert volume.size == GIB // 5
    assert '<allocation unit="bytes">214748364</allocation>' in snapshot_volume_xml(volume)
    assert "<path>/dev/vg/data</path>" in snapshot_volume_xml(volume)
    assert step.commands[0] == "virsh domfsfreeze db01"
    assert step.commands[-1] == "virsh domfsthaw db01"


def test_what_a_backup_is_made_from_and_what_the_guest_uses() -> None:
    held = {one.target: one for one in plan(facts(QCOW2, RAW, VOLUME)).held}
    assert {t: place_of(one.disk) for t, one in held.items()} == {
        "vda": "/slow/vda.s1",
        "vdb": "/slow/vdb.raw",
        "vdc": "/dev/vg/data",
    }
    assert {t: place_of(one.backup or "") for t, one in held.items()} == {
        "vda": "/slow/vda.qcow2",
        "vdb": "/slow/vdb.s1",
        "vdc": "/dev/vg/data-s1-p1",
    }
    below = parse_destination(held["vda"].disk).layers[1]
    assert (below.path, below.format) == ("/slow/vda.qcow2", "qcow2")


def test_the_note_names_what_libvirt_does_not_know() -> None:
    made = plan(facts(QCOW2, RAW, parent=known("s0")), description="why")
    (note,) = (step for step in made.steps if isinstance(step, NoteSnapshot))
    noted = parse_noted(note.note)
    assert (noted.mark, noted.name, noted.description, noted.parent) == ("p1", "s1", "why", "s0")
    assert [(held.target, held.method, held.path) for held in noted.disks] == [
        ("vdb", Method.BTRFS, "/slow/vdb.s1")
    ]
    assert [type(step) for step in plan(facts(QCOW2)).steps] == [TakeTogether]


def test_the_journal_gives_the_step_back() -> None:
    steps = plan(facts(QCOW2, RAW, VOLUME)).steps
    entry = Entry("p1", "u", "title", steps, 0, "me", NOW, NOW)
    assert parse_entry(entry_xml(entry), "u") == entry
    assert json.loads(json.dumps(asdict(steps[0])))["quiesce"] == "required"


@pytest.mark.parametrize(
    ("method", "one", "why"),
    [
        (Method.QEMU, NETWORK, "neither in a file nor on a device"),
        (Method.INTERNAL, RAW, "only qcow2"),
        (Method.LVM, RAW, "no volume of a logical pool"),
        (Method.BTRFS, VOLUME, "no file"),
        (Method.BTRFS, QCOW2, "cannot let files share blocks"),
        (Method.QEMU, ROM, "read-only"),
    ],
)
def test_what_a_disk_cannot_have_is_said_with_the_reason(method: Method, one: Disk, why: str) -> None:
    known = facts(one)
    assert why in unfit(method, known.disks[one.target])
    made = plan(known, Wish(one.target, method), pause=True)
    assert "method-unfit" in refusals(made)
    assert made.steps == ()


def test_what_is_proposed_comes_with_its_reason() -> None:
    known = facts(QCOW2, RAW, VOLUME, ROM)
    assert [proposed(known.disks[t])[0] for t in known.disks] == [
        Method.QEMU,
        Method.BTRFS,
        Method.LVM,
        Method.NO,
    ]
    assert all(proposed(known.disks[t])[1] for t in known.disks)


@pytest.mark.parametrize(
    ("agent", "state", "pause", "stops"),
    [
        (True, RunState.RUNNING, False, set()),
        (False, RunState.RUNNING, True, set()),
        (False, RunState.PAUSED, False, set()),
        (False, RunState.RUNNING, False, {"not-one-instant"}),
    ],
    ids=["frozen", "paused for it", "paused before", "goes on"],
)
def test_several_parts_are_of_one_instant_or_refused(
    agent: bool,  # noqa: FBT001
    state: RunState,
    pause: bool,  # noqa: FBT001
    stops: set[str],
) -> None:
    made = plan(facts(QCOW2, RAW, agent=agent, state=state), pause=pause)
    assert refusals(made) == stops
    if not stops:
        assert taken(made).pause is (state is RunState.RUNNING and not agent)
        assert ("crash-consistent" in warnings(made)) is not agent


def test_an_overlay_that_holds_something_is_taken_only_when_that_is_accepted() -> None:
    known = facts(QCOW2)
    image = ImageFacts(GIB, "/slow/vda.qcow2", "qcow2", backing_exists=True)
    place = replace(MISSING, kind=PathKind.FILE, allocated=GIB, image=image)
    known = replace(known, overlays={"vda": replace(known.overlays["vda"], destination=place)})
    made = plan(known, reuse_external=True)
    assert refusals(made) == {"overlay-content"}
    assert not made.steps
    accepted = plan(known, reuse_external=True, accepted=frozenset({Acceptance.OVERWRITE_IMAGES}))
    assert refusals(accepted) == set()
    assert "overlay-content" in warnings(accepted)
    assert accepted.steps


def test_overlays_alone_need_no_rest() -> None:
    made = plan(facts(QCOW2, agent=False), pause=True)
    assert refusals(made) == set()
    assert not taken(made).pause
    assert taken(made).quiesce is Quiesce.NO


def test_an_image_whose_tables_qemu_has_in_memory_is_cloned_at_rest() -> None:
    known = facts(QCOW2, agent=False)
    shares = replace(known.disks["vda"], shares_blocks=True)
    known = replace(known, disks={"vda": shares})
    assert refusals(plan(known, Wish("vda", Method.BTRFS))) == {"not-one-instant"}
    assert taken(plan(known, Wish("vda", Method.BTRFS), pause=True)).pause


def test_a_freeze_that_is_required_is_refused_before_anything_happens() -> None:
    assert refusals(plan(facts(QCOW2, agent=False), quiesce=Quiesce.REQUIRED)) == {"no-agent"}
    assert taken(plan(facts(QCOW2), quiesce=Quiesce.REQUIRED)).quiesce is Quiesce.REQUIRED
    assert taken(plan(facts(QCOW2), quiesce=Quiesce.NO)).quiesce is Quiesce.NO


def test_a_volume_says_how_long_it_lasts() -> None:
    known = facts(VOLUME)
    fast = replace(known, disks={"vdc": replace(known.disks["vdc"], rate=float(MIB))})
    (finding,) = (f for f in plan(fast).findings if f.check == "cow-size")
    assert "205 MiB" in finding.reason
    assert "after 3m24s" in finding.reason
    tight = plan(known, Wish("vdc", Method.LVM, size=20 * GIB))
    assert "space" in refusals(tight)
    strange = plan(known, Wish("vdc", Method.LVM, volume="-x"))
    assert "volume-name" in refusals(strange)
    named = taken(plan(known, Wish("vdc", Method.LVM, volume="mine", size=GIB))).volumes[0]
    assert (named.name, named.size, named.marked) == ("mine", GIB, False)


def test_states_inside_of_images_go_alone() -> None:
    made = plan(facts(QCOW2), method=Method.INTERNAL)
    assert [type(step) for step in made.steps] == [TakeInternal]
    assert "memory-stops" in warnings(made)
    assert "memory-alone" in refusals(plan(facts(QCOW2, RAW), Wish("vda", Method.INTERNAL)))
    left = plan(facts(QCOW2, RAW, ROM), Wish("vda", Method.INTERNAL), Wish("vdb", Method.NO))
    assert refusals(left) == {"memory-all"}
    frozen = plan(facts(QCOW2), method=Method.INTERNAL, quiesce=Quiesce.REQUIRED)
    assert refusals(frozen) == {"memory-quiesce"}


def with_memory(known: LiveFacts, *wishes: Wish, place: PathFacts = MISSING, **more: Any) -> Plan:
    known = replace(known, memory=MemoryFacts(GIB, place))
    return plan(known, *wishes, memory="/slow/memory,of.s1", **more)


def test_memory_in_a_file_goes_with_overlays() -> None:
    named = Wish("vdc", path="/slow/vdc.s1")
    made = with_memory(facts(QCOW2, RAW, VOLUME, ROM), named, validate=True)
    assert refusals(made) == set()
    step = taken(made)
    assert (step.quiesce, step.pause, step.clones, step.volumes) == (Quiesce.NO, False, (), ())
    assert step.overlays is not None
    assert (step.overlays.targets, step.overlays.memory) == (("vda", "vdb", "vdc"), "/slow/memory,of.s1")
    assert step.overlays.live
    assert step.overlays.limit is None
    assert parse_snapshot(step.overlays.xml, mirrors=False).memory == memory_file("/slow/memory,of.s1")
    (command,) = step.commands
    assert "--live --atomic --validate" in command
    assert "--memspec file=/slow/memory,,of.s1,snapshot=external" in command
    assert "--disk-only" not in command
    assert step.undo_commands[-2] == "rm -- /slow/memory,of.s1"
    assert "vda and vdb and vdc and the memory as s1" in step.title
    assert "paused" not in step.title
    entry = Entry("p1", "u", "title", made.steps, 0, "me", NOW, NOW)
    assert parse_entry(entry_xml(entry), "u") == entry
    assert {offer.target: offer.proposed for offer in made.offers}["vdc"] is Method.QEMU


def test_memory_can_be_written_at_a_standstill() -> None:
    made = with_memory(facts(QCOW2), pause=True, limit=9.0)
    assert warnings(made) == {"memory-stops"}
    step = taken(made)
    assert step.overlays is not None
    assert (step.pause, step.overlays.live, step.overlays.limit) == (False, False, 9.0)
    assert "--live" not in step.commands[0]
    assert "the guest paused meanwhile, at most 9 s" in step.title


@pytest.mark.parametrize(
    ("place", "stops"),
    [
        (replace(MISSING, free=MIB), {"memory-space"}),
        (replace(MISSING, free=2 * GIB), set()),
        # libvirt would write over it without a word.
        (PathFacts(kind=PathKind.FILE, parent_exists=True), {"destination-exists"}),
        (PathFacts(kind=PathKind.MISSING, parent_exists=False), {"directory-missing"}),
    ],
    ids=["too little room", "room", "there already", "nowhere"],
)
def test_where_memory_can_go(place: PathFacts, stops: set[str]) -> None:
    assert refusals(with_memory(facts(QCOW2), place=place)) == stops


def test_where_memory_goes_is_not_known() -> None:
    made = with_memory(facts(QCOW2), place=PathFacts())
    assert (refusals(made), warnings(made)) == (set(), {"memory-unchecked"})
    accepted = frozenset({Acceptance.RISK_FULL_DESTINATION})
    tight = with_memory(facts(QCOW2), place=replace(MISSING, free=MIB), accepted=accepted)
    assert (refusals(tight), warnings(tight)) == (set(), {"memory-space"})


def test_memory_in_a_file_goes_with_nothing_else() -> None:
    known = facts(QCOW2, RAW)
    assert refusals(with_memory(known, Wish("vdb", Method.BTRFS))) == {"memory-alone"}
    assert refusals(with_memory(known, method=Method.INTERNAL)) >= {"memory-alone"}
    assert refusals(with_memory(known, Wish("vdb", Method.NO))) == {"memory-all"}
    assert refusals(with_memory(known, quiesce=Quiesce.REQUIRED)) == {"memory-quiesce"}
    same = with_memory(known, Wish("vda", Method.QEMU, path="/slow/memory,of.s1"))
    assert refusals(same) == {"same-name"}


@pytest.mark.parametrize(
    ("libvirt", "name", "refused"),
    [
        ((10, 9, 0), "in side", set()),
        ((10, 10, 0), "in side", {"snapshot-name"}),
        ((11, 3, 0), "é", {"snapshot-name"}),
        ((11, 3, 0), "1st-of_May.2", set()),
    ],
)
def test_newer_versions_of_libvirt_name_a_job_after_a_state_inside(
    libvirt: tuple[int, int, int], name: str, refused: set[str]
) -> None:
    known = facts(QCOW2, libvirt=libvirt)
    wanted = LiveSnapshotRequest(known.domain.uuid, name, method=Method.INTERNAL)
    assert refusals(plan_live_snapshot(wanted, known, "p1", NOW)) == refused
    overlays = LiveSnapshotRequest(known.domain.uuid, name, method=Method.QEMU)
    assert refusals(plan_live_snapshot(overlays, known, "p1", NOW)) == set()


def test_by_hand_there_must_be_a_command() -> None:
    known = facts(QCOW2)
    assert refusals(plan(known, Wish("vda", Method.MANUAL))) == {"no-command"}
    step = taken(plan(known, Wish("vda", Method.MANUAL), command="backup --now", limit=5.0))
    assert (step.manual, step.command, step.limit) == (("vda",), "backup --now", 5.0)
    assert "at most 5 s" in step.title
    assert "backup --now" in step.commands


@pytest.mark.parametrize(
    ("known", "more", "stops"),
    [
        (facts(QCOW2, state=RunState.SHUT_OFF), {}, {"domain-not-running"}),
        (facts(QCOW2, snapshots=(SnapshotFacts("s1", frozenset()),)), {}, {"snapshot-exists"}),
        (facts(QCOW2), {"method": Method.NO}, {"nothing-chosen"}),
        (facts(QCOW2), {"limit": 0.0}, {"limit"}),
        (facts(ROM), {}, {"nothing-chosen"}),
    ],
    ids=["off", "name taken", "nothing", "no time", "read-only"],
)
def test_what_is_refused(known: LiveFacts, more: dict[str, Any], stops: set[str]) -> None:
    assert refusals(plan(known, **more)) == stops


def test_wishes_that_make_no_sense() -> None:
    known = facts(QCOW2, RAW)
    assert "no-such-disk" in refusals(plan(known, Wish("vdz", Method.QEMU)))
    assert "disk-twice" in refusals(plan(known, Wish("vda", Method.QEMU), Wish("vda", Method.NO)))
    same = plan(known, Wish("vda", Method.QEMU, path="/same"), Wish("vdb", Method.BTRFS, path="/same"))
    assert "same-name" in refusals(same)
    there = replace(known.disks["vdb"], place=PathFacts(kind=PathKind.FILE, parent_exists=True))
    taken_place = replace(known, disks={**known.disks, "vdb": there})
    assert "destination-exists" in refusals(plan(taken_place))
    assert "files-elsewhere" in refusals(plan(replace(known, reached=False)))


def in_a_pool(*, listed: bool = True, reached: bool = True) -> LiveFacts:
    known = facts(RAW, agent=False)
    pool = FilePool("fast pool", "/slow", listed=listed)
    shares = True if reached else None
    return replace(
        known, reached=reached, disks={"vdb": replace(known.disks["vdb"], pool=pool, shares_blocks=shares)}
    )


def test_libvirt_clones_a_raw_volume_of_a_pool() -> None:
    made = plan(in_a_pool())
    assert refusals(made) == set()
    step = taken(made)
    assert step.commands == ("virsh vol-clone --pool 'fast pool' --vol vdb.raw --newname vdb.s1 --reflink",)
    assert step.undo_commands == ("virsh vol-delete vdb.s1 --pool 'fast pool'",)
    assert "cloned by libvirt, since its pool fast pool holds it as a raw volume" in dict(made.facts)["disk"]
    (note,) = (step for step in made.steps if isinstance(step, NoteSnapshot))
    (held,) = parse_noted(note.note).disks
    assert (held.path, held.pool, held.volume) == ("/slow/vdb.s1", "fast pool", "vdb.s1")
    assert (held.method, held.format) == (Method.BTRFS, "raw")
    entry = Entry("p1", "u", "title", made.steps, 0, "me", NOW, NOW)
    assert parse_entry(entry_xml(entry), "u") == entry


def test_a_pool_that_is_behind_looks_first() -> None:
    commands = taken(plan(in_a_pool(listed=False), pause=True, quiesce=Quiesce.NO)).commands
    assert commands[0] == "virsh pool-refresh 'fast pool'"


def test_libvirt_clones_where_nobody_else_can() -> None:
    known = in_a_pool(reached=False)
    assert {held.method for held in plan(known).held} == {"qemu"}
    made = plan(known, Wish("vdb", Method.BTRFS))
    assert (refusals(made), "reflink-untried" in warnings(made)) == (set(), True)
    elsewhere = plan(known, Wish("vdb", Method.BTRFS, path="/fast/vdb.s1"))
    assert "files-elsewhere" in refusals(elsewhere)


def test_a_clone_that_goes_elsewhere_is_made_where_its_image_lies() -> None:
    made = plan(in_a_pool(), Wish("vdb", Method.BTRFS, path="/slow/deep/vdb.s1"))
    assert taken(made).commands == ("cp --reflink=always -- /slow/vdb.raw /slow/deep/vdb.s1",)
    assert "cloned where it lies" in dict(made.facts)["disk"]


def test_a_pool_whose_files_cannot_share_blocks_is_no_way() -> None:
    known = in_a_pool()
    known = replace(known, disks={"vdb": replace(known.disks["vdb"], shares_blocks=False)})
    made = plan(known, Wish("vdb", Method.BTRFS))
    assert "method-unfit" in refusals(made)
    assert "cannot let files share blocks" in dict(made.offers[0].unfit)[Method.BTRFS]


VOLUME_XML = (
    "<volume type='file'><name>vdb.raw</name><target><path>/slow/vdb.raw</path><format type='{format}'/>"
    "<permissions><mode>0640</mode><owner>64055</owner><group>108</group></permissions>"
    "<timestamps><ctime>1795319262.618061821</ctime></timestamps>{more}</target></volume>"
)


def test_a_clone_has_the_owner_of_its_origin_and_cannot_be_written() -> None:
    origin = parse_file_volume(VOLUME_XML.format(format="raw", more=""))
    assert origin == FileVolume(
        raw=True, mode=0o640, owner="64055", group="108", changed=1795319262.618061821
    )
    made = parse_file_volume(clone_xml("a<b", origin))
    assert made == replace(origin, mode=0o440, changed=0)
    assert "<name>a&lt;b</name><allocation>0</allocation>" in clone_xml("a<b", origin)


@pytest.mark.parametrize(("form", "more"), [("qcow2", ""), ("raw", "<encryption format='luks'/>")])
def test_what_libvirt_would_convert_is_no_raw_volume(form: str, more: str) -> None:
    assert not parse_file_volume(VOLUME_XML.format(format=form, more=more)).raw


def undo_of(known_: LiveFacts, *wishes: Wish, **more: Any) -> str:
    return dict(plan(known_, *wishes, **more).facts)["undo"]


def test_the_way_back_is_one_that_there_is() -> None:
    delete = "virt-mirror snapshot delete db01 s1"
    merge = "virt-mirror commit db01 vda --base /slow/vda.qcow2 --pivot"
    forget = f"{merge} --lose-snapshots; {delete} --metadata-only"
    assert undo_of(facts(QCOW2)) == undo_of(facts(QCOW2, parent=known("s0"))) == delete
    inside = known("i", kind="internal")
    assert undo_of(facts(QCOW2, parent=inside)) == undo_of(facts(QCOW2, libvirt=(8, 5, 0))) == forget
    assert undo_of(facts(QCOW2, parent=inside), method=Method.INTERNAL) == delete
    assert undo_of(facts(RAW, parent=inside)) == delete
    assert undo_of(facts(QCOW2), metadata=False) == merge
    assert undo_of(facts(QCOW2, RAW), metadata=False) == f"{merge}; {delete}"
    needs = (SnapshotFacts("s0", frozenset({"/slow/vda.qcow2"})),)
    assert undo_of(facts(QCOW2, snapshots=needs), metadata=False) == f"{merge} --lose-snapshots"


def test_names_from_a_host_are_shown_harmless() -> None:
    hostile = disk("vda", FileSource("/slow/\x1b[31mred.qcow2"), "qcow2")
    made = plan(facts(hostile), Wish("vda", Method.BTRFS))
    assert not any("\x1b" in f.reason + f.remedy for f in made.findings)
    assert not any("\x1b" in value for _label, value in made.facts)
