"""The plan of a copy, from every wish and every state of a host; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_host import GIB, MIB, NOW, make_chain, make_disk, make_domain, make_mirror
from tui.model.copy_plan import plan_copy
from tui.model.disk import Device, Disk, Driver
from tui.model.domain import RunState
from tui.model.facts import (
    CopyFacts,
    ImageFacts,
    LayerFacts,
    PathFacts,
    PathKind,
    Sizes,
    Use,
    UseKind,
    same_name,
)
from tui.model.finding import Acceptance, Severity
from tui.model.job import JobType, Progress
from tui.model.journal import Entry
from tui.model.plan import Plan
from tui.model.request import CopyRequest, Ending, Then
from tui.model.steps import AwaitSync, EndJobs, ProvePivot, StartCopy
from tui.model.storage import (
    BlockSource,
    Chain,
    DirSource,
    Encryption,
    FileSource,
    Layer,
    NetworkHost,
    NetworkSource,
    Slice,
    UnknownSource,
    VhostUserSource,
    VolumeSource,
)

CAPACITY = 4 * GIB
DATA = 1 * GIB
DEST = "/fast/copy"

NEW = PathFacts(PathKind.MISSING, parent_exists=True, searchable=True, writable=True, free=100 * GIB)
IMAGE = replace(NEW, kind=PathKind.FILE, size=196_616, allocated=200_704, image=ImageFacts(CAPACITY))
OVERLAY = replace(IMAGE, image=ImageFacts(CAPACITY, "/slow/snap1", "qcow2", backing_exists=True))
DEVICE = replace(NEW, kind=PathKind.BLOCK, size=CAPACITY, image=ImageFacts(CAPACITY))

CHAIN = make_disk("vda", "/slow/snap2", "/slow/snap1", "/slow/base")
SINGLE = make_disk("vda", "/slow/snap2")
RAW = replace(SINGLE, chain=make_chain("/slow/snap2", format="raw"))


def destination(path: str = DEST, format: str | None = None, *below: str, **more: Any) -> Chain:  # noqa: A002
    layers = tuple(Layer(FileSource(p), "qcow2") for p in below)
    return Chain((Layer(FileSource(path), format, **more), *layers), complete=False)


def device(path: str = "/dev/vg/copy", format: str | None = None) -> Chain:  # noqa: A002
    return Chain((Layer(BlockSource(path), format),), complete=False)


def facts(
    disk: Disk | None = CHAIN, place: PathFacts = NEW, *, persistent: bool = True, **more: Any
) -> CopyFacts:
    domain = make_domain(disks=[disk] if disk else [make_disk()], persistent=persistent)
    layers = tuple(LayerFacts(layer.path, DATA, ()) for layer in disk.chain.layers) if disk else ()
    defaults: dict[str, Any] = {
        "libvirt": (9, 0, 0),
        "sizes": Sizes(CAPACITY, DATA, DATA),
        "layers": layers,
        "destination": place,
        "checkpoints": (),
        "now": NOW,
    }
    return CopyFacts(domain, disk, **{**defaults, **more})


def plan(known: CopyFacts, place: Chain | None = None, **wish: Any) -> Plan:
    target = wish.pop("target", "vda")
    request = CopyRequest(known.domain.uuid, target, destination() if place is None else place, **wish)
    return plan_copy(request, known, "p1")


def found(made: Plan, severity: Severity) -> set[str]:
    return {f.check for f in made.findings if f.severity is severity}


def refusals(made: Plan) -> set[str]:
    return found(made, Severity.REFUSED)


def warnings(made: Plan) -> set[str]:
    return found(made, Severity.WARNING)


def start(made: Plan) -> StartCopy:
    step = made.steps[0]
    assert isinstance(step, StartCopy)
    return step


def entry(*, heartbeat: float = NOW, target: str = "vda", owner: str = "root@host-b:7") -> Entry:
    step = AwaitSync("u", "db01", target)
    return Entry("p0", "u", f"Mirror {target} of db01", (step,), 0, owner, NOW - 500, heartbeat)


def use(kind: UseKind, *, domain: str = "web01", uuid: str = "other", target: str = "vda") -> tuple[Use, ...]:
    return (Use(uuid, domain, target, kind),)


def test_a_plain_copy_is_refused_by_nothing() -> None:
    made = plan(facts())
    assert refusals(made) == set()
    assert warnings(made) == {"persistent-domain", "forbidden-meanwhile"}
    assert found(made, Severity.FINE) == {"destination-free", "directory", "space"}
    assert made.title == "Mirror vda of db01"
    assert dict(made.facts)["from"] == "/slow/snap2 (qcow2)"
    assert dict(made.facts)["to"] == "/fast/copy (qcow2)"
    assert dict(made.facts)["copies"] == "3 GiB likely, 4 GiB at most"
    assert dict(made.facts)["disk"] == "vda  virtio  4 GiB"
    assert start(made).creates
    assert start(made).transient_job
    assert start(made).simple


def test_what_stops_the_plan_is_said_first() -> None:
    made = plan(facts(place=replace(NEW, kind=PathKind.DIRECTORY)))
    order = list(Severity)
    positions = [order.index(f.severity) for f in made.findings]
    assert positions == sorted(positions)
    assert positions[0] == 0


@pytest.mark.parametrize(
    ("then", "kinds"),
    [
        (Then.HOLD, [StartCopy, AwaitSync]),
        (Then.KEEP, [StartCopy, AwaitSync, EndJobs]),
        (Then.PIVOT, [StartCopy, AwaitSync, EndJobs, ProvePivot]),
    ],
)
def test_steps(then: Then, kinds: list[type]) -> None:
    made = plan(facts(), then=then, timeout=60.0)
    assert [type(step) for step in made.steps] == kinds
    wait = made.steps[1]
    assert isinstance(wait, AwaitSync)
    assert wait.timeout == 60.0
    if then is not Then.HOLD:
        end = made.steps[2]
        assert isinstance(end, EndJobs)
        assert (end.targets, end.ending) == (("vda",), Ending(then.value))


# The table of the message that brought block copy to libvirt, over base <- snap1 <- snap2.
REFERENCE: list[tuple[str, dict[str, Any], PathFacts, str | None, set[str], set[str]]] = [
    ("full", {}, NEW, None, set(), set()),
    ("raw", {}, NEW, "raw", set(), {"thin-becomes-fat"}),
    ("shallow", {"shallow": True}, NEW, None, set(), set()),
    ("reuse", {"reuse_external": True}, IMAGE, "qcow2", set(), set()),
    ("reuse without a format", {"reuse_external": True}, IMAGE, None, {"format-needed"}, set()),
    ("reuse and shallow", {"reuse_external": True, "shallow": True}, OVERLAY, "qcow2", set(), set()),
    (
        "reuse, shallow and raw",
        {"reuse_external": True, "shallow": True},
        IMAGE,
        "raw",
        set(),
        {"content-unchecked", "thin-becomes-fat"},
    ),
    ("shallow and raw", {"shallow": True}, NEW, "raw", {"shallow-raw"}, {"thin-becomes-fat"}),
    ("reuse and raw", {"reuse_external": True}, IMAGE, "raw", set(), {"raw-reuse", "thin-becomes-fat"}),
]


@pytest.mark.parametrize(
    ("wish", "place", "kind", "stops", "warns"), [r[1:] for r in REFERENCE], ids=[r[0] for r in REFERENCE]
)
def test_the_flags_of_the_reference(
    wish: dict[str, Any], place: PathFacts, kind: str | None, stops: set[str], warns: set[str]
) -> None:
    made = plan(facts(place=place, persistent=False), destination(DEST, kind), **wish)
    assert refusals(made) == stops
    assert warnings(made) == warns | {"forbidden-meanwhile"}
    if not stops:
        assert start(made).format == (kind or "qcow2")
        assert "backingStore" not in start(made).xml
        assert start(made).creates == ("reuse_external" not in wish)


@pytest.mark.parametrize(("disk", "stops"), [(RAW, set()), (SINGLE, {"shallow-raw"})], ids=["raw", "qcow2"])
def test_shallow_and_raw_on_a_single_layer(disk: Disk, stops: set[str]) -> None:
    made = plan(facts(disk), destination(DEST, "raw"), shallow=True)
    assert refusals(made) == stops
    assert ("shallow-single-layer" in warnings(made)) == (not stops)


def with_snapshot(at: int) -> CopyFacts:
    layers = list(facts().layers)
    layers[at] = replace(layers[at], snapshots=("before [upgrade]\x1b",))
    return facts(layers=tuple(layers))


FULL = replace(NEW, free=DATA)
REFUSALS: list[tuple[str, CopyFacts, Chain | None, dict[str, Any]]] = [
    ("no-such-disk", facts(None), None, {"target": "vdz"}),
    ("disk-empty", facts(replace(CHAIN, chain=Chain())), None, {}),
    ("no-destination", facts(), Chain(), {}),
    (
        "domain-not-running",
        replace(facts(), domain=make_domain(disks=[CHAIN], state=RunState.SHUT_OFF)),
        None,
        {},
    ),
    (
        "disk-outside-qemu",
        facts(replace(CHAIN, chain=Chain((Layer(VhostUserSource("/run/s")),)))),
        destination(DEST, "raw"),
        {},
    ),
    ("disk-bus", facts(replace(CHAIN, bus="sd")), None, {}),
    ("disk-transient", facts(replace(CHAIN, transient=True)), None, {}),
    ("disk-shareable", facts(replace(RAW, shareable=True)), destination(DEST, "qcow2"), {}),
    ("disk-shared", facts(replace(RAW, shareable=True), uses={"/slow/snap2": use(UseKind.LAYER)}), None, {}),
    ("job-running", facts(replace(CHAIN, mirror=make_mirror())), None, {}),
    ("job-running", facts(running=Progress(1, 2, 0, JobType.PULL)), None, {}),
    ("plan-in-progress", facts(entries=(entry(),)), None, {}),
    ("plan-left-over", facts(entries=(entry(heartbeat=0.0),)), None, {}),
    ("flag-unsupported", facts(libvirt=(7, 10, 0)), None, {"synchronous_writes": True}),
    ("persistent-unsupported", facts(libvirt=(1, 2, 8), supports_block_copy=False), None, {}),
    ("bandwidth", facts(), None, {"bandwidth": 2**63}),
    ("bandwidth", facts(), None, {"bandwidth": -1}),
    ("granularity", facts(), None, {"granularity": 3000}),
    ("granularity", facts(), None, {"granularity": 256}),
    ("granularity", facts(), None, {"granularity": 128 * MIB}),
    ("buffer-size", facts(), None, {"buf_size": 2**63}),
    ("timeout", facts(), None, {"timeout": 0.0}),
    ("timeout", facts(), None, {"timeout": float("nan")}),
    ("destination-type", facts(), Chain((Layer(VolumeSource("fast", "v"), "raw"),)), {}),
    ("destination-type", facts(), Chain((Layer(DirSource("/fast"), "raw"),)), {}),
    ("destination-type", facts(), Chain((Layer(UnknownSource("magic"), "raw"),)), {}),
    ("destination-relative", facts(), destination("copy"), {}),
    ("destination-xml", facts(), destination("/fast/\x00"), {}),
    ("format-unknown", facts(replace(SINGLE, chain=make_chain("/a", format=None))), None, {}),
    ("format-unsupported", facts(), destination(DEST, "dmg"), {}),
    ("format-unsupported", facts(place=IMAGE), destination(DEST, "qcwo2"), {"reuse_external": True}),
    ("destination-in-use", facts(uses={DEST: use(UseKind.LAYER)}), destination("//fast/./copy"), {}),
    ("destination-in-use", facts(uses={DEST: use(UseKind.MIRROR)}), None, {}),
    ("destination-in-use", facts(uses={DEST: use(UseKind.PLAN)}), None, {}),
    ("destination-directory", facts(place=replace(NEW, kind=PathKind.DIRECTORY)), None, {}),
    ("destination-special", facts(place=replace(NEW, kind=PathKind.OTHER)), None, {}),
    ("destination-missing", facts(), destination(DEST, "qcow2"), {"reuse_external": True}),
    ("destination-missing", facts(), device(), {}),
    ("destination-block", facts(place=DEVICE), destination("/dev/vg/copy"), {}),
    ("destination-not-block", facts(place=IMAGE), device(DEST), {}),
    ("destination-exists", facts(place=IMAGE), None, {}),
    ("directory-missing", facts(place=PathFacts(PathKind.MISSING, parent_exists=False)), None, {}),
    ("directory-closed", facts(place=replace(NEW, searchable=False)), None, {}),
    ("directory-not-writable", facts(place=replace(NEW, writable=False)), None, {}),
    (
        "image-unreadable",
        facts(place=replace(IMAGE, image=None, unreadable="It is none.")),
        destination(DEST, "qcow2"),
        {"reuse_external": True},
    ),
    (
        "destination-size",
        facts(place=replace(IMAGE, image=ImageFacts(CAPACITY - 512))),
        destination(DEST, "qcow2"),
        {"reuse_external": True},
    ),
    ("destination-size", facts(place=replace(DEVICE, size=CAPACITY + 4 * MIB)), device(format="raw"), {}),
    ("slices", facts(), destination(DEST, "raw", slices=(Slice(0, CAPACITY),)), {}),
    ("shallow-format", facts(), destination(DEST, "vdi"), {"shallow": True}),
    (
        "shallow-no-backing",
        facts(place=IMAGE),
        destination(DEST, "qcow2"),
        {"shallow": True, "reuse_external": True},
    ),
    (
        "shallow-no-backing",
        facts(place=OVERLAY),
        replace(destination(DEST, "qcow2"), complete=True),
        {"shallow": True, "reuse_external": True},
    ),
    (
        "backing-missing",
        facts(place=replace(IMAGE, image=ImageFacts(CAPACITY, "/gone", "qcow2", backing_exists=False))),
        destination(DEST, "qcow2"),
        {"shallow": True, "reuse_external": True},
    ),
    (
        "backing-missing",
        facts(place=replace(NEW, given_backing_exists=False)),
        destination(DEST, None, "/gone"),
        {"shallow": True},
    ),
    (
        "backing-format-missing",
        facts(place=replace(IMAGE, image=ImageFacts(CAPACITY, "/slow/snap1", None, backing_exists=True))),
        destination(DEST, "qcow2"),
        {"shallow": True, "reuse_external": True},
    ),
    ("backing-without-shallow", facts(), destination(DEST, None, "/slow/snap1"), {}),
    ("space", facts(place=FULL), None, {}),
    ("internal-snapshots", with_snapshot(0), None, {}),
    ("internal-snapshots", with_snapshot(0), None, {"shallow": True}),
    ("internal-snapshots", with_snapshot(2), None, {}),
    ("checkpoints", facts(checkpoints=("monday",)), destination(DEST, "raw"), {}),
]


@pytest.mark.parametrize(
    ("check", "known", "place", "wish"), REFUSALS, ids=[f"{n}-{r[0]}" for n, r in enumerate(REFUSALS)]
)
def test_refused(check: str, known: CopyFacts, place: Chain | None, wish: dict[str, Any]) -> None:
    made = plan(known, place, **wish)
    assert refusals(made) == {check}
    assert made.refused


WARNINGS: list[tuple[str, CopyFacts, Chain | None, dict[str, Any]]] = [
    ("disk-removable", facts(replace(RAW, device=Device.CDROM, readonly=True)), None, {}),
    ("disk-removable", facts(replace(RAW, device=Device.FLOPPY)), None, {}),
    ("disk-read-only", facts(replace(CHAIN, readonly=True)), None, {}),
    ("disk-lun", facts(replace(RAW, device=Device.LUN)), None, {}),
    ("disk-shareable", facts(replace(RAW, shareable=True)), None, {}),
    (
        "encryption-dropped",
        facts(
            replace(SINGLE, chain=Chain((Layer(FileSource("/a"), "qcow2", encryption=Encryption("luks")),)))
        ),
        None,
        {},
    ),
    ("persistent-domain", facts(), None, {}),
    ("forbidden-meanwhile", facts(), None, {}),
    ("buffer-size", facts(), None, {"buf_size": GIB}),
    ("destination-unchecked", facts(place=PathFacts()), None, {}),
    (
        "destination-unchecked",
        facts(),
        Chain((Layer(NetworkSource("nbd", "d", (NetworkHost("h", "1"),)), "raw"),)),
        {},
    ),
    (
        "size-unchecked",
        facts(place=replace(IMAGE, image=None)),
        destination(DEST, "qcow2"),
        {"reuse_external": True},
    ),
    ("size-unchecked", facts(place=IMAGE, sizes=None), destination(DEST, "qcow2"), {"reuse_external": True}),
    ("shallow-single-layer", facts(SINGLE), None, {"shallow": True}),
    (
        "chain-unknown",
        facts(replace(SINGLE, chain=make_chain("/slow/snap2", complete=False))),
        None,
        {"shallow": True},
    ),
    (
        "backing-unneeded",
        facts(place=replace(IMAGE, image=ImageFacts(CAPACITY, "/gone", "qcow2", backing_exists=False))),
        destination(DEST, "qcow2"),
        {"reuse_external": True},
    ),
    ("backing-unneeded", facts(place=OVERLAY), destination(DEST, "qcow2"), {"reuse_external": True}),
    (
        "content-unchecked",
        facts(
            place=replace(OVERLAY, image=ImageFacts(CAPACITY, "/fast/snap1", "qcow2", backing_exists=True))
        ),
        destination(DEST, "qcow2"),
        {"shallow": True, "reuse_external": True},
    ),
    (
        "content-unchecked",
        facts(place=PathFacts()),
        destination(DEST, "qcow2"),
        {"shallow": True, "reuse_external": True},
    ),
    ("content-unchecked", facts(), destination(DEST, None, "/fast/snap1"), {"shallow": True}),
    ("space-unchecked", facts(place=replace(NEW, free=None)), None, {}),
    ("space-tight", facts(place=replace(NEW, free=3 * GIB + 1)), None, {}),
    ("thin-becomes-fat", facts(), destination(DEST, "raw"), {}),
    ("internal-snapshots-unchecked", facts(layers=(LayerFacts("/slow/snap2"),)), None, {}),
    ("checkpoints-unchecked", facts(checkpoints=None), None, {}),
]


@pytest.mark.parametrize(
    ("check", "known", "place", "wish"), WARNINGS, ids=[f"{n}-{r[0]}" for n, r in enumerate(WARNINGS)]
)
def test_warned(check: str, known: CopyFacts, place: Chain | None, wish: dict[str, Any]) -> None:
    made = plan(known, place, **wish)
    assert refusals(made) == set()
    assert check in warnings(made)


@pytest.mark.parametrize(
    ("known", "place", "acceptance"),
    [
        (with_snapshot(1), None, Acceptance.LOSE_INTERNAL_SNAPSHOTS),
        (facts(checkpoints=("monday",)), destination(DEST, "raw"), Acceptance.LOSE_CHECKPOINTS),
        (facts(place=FULL), None, Acceptance.RISK_FULL_DESTINATION),
    ],
)
def test_what_a_user_may_take_upon_himself(
    known: CopyFacts, place: Chain | None, acceptance: Acceptance
) -> None:
    refused = plan(known, place)
    (stop,) = [f for f in refused.findings if f.severity is Severity.REFUSED]
    assert stop.acceptance is acceptance
    assert f"--{acceptance}" in stop.remedy
    accepted = plan(known, place, accepted=frozenset({acceptance}))
    assert not accepted.refused
    assert stop.check in warnings(accepted)
    others = frozenset(Acceptance) - {acceptance}
    assert plan(known, place, accepted=others).refused


def test_what_is_kept_aside_takes_nothing_from_the_guest() -> None:
    made = plan(with_snapshot(0), then=Then.KEEP)
    assert not made.refused
    assert "internal-snapshots" in warnings(made)


def test_a_shallow_copy_leaves_lower_snapshots_where_they_are() -> None:
    assert not plan(with_snapshot(1), shallow=True).refused


def test_checkpoints_survive_in_qcow2() -> None:
    assert "checkpoints" in found(plan(facts(checkpoints=("monday",))), Severity.FINE)


def test_discard_keeps_raw_thin() -> None:
    disk = replace(CHAIN, driver=Driver(discard="unmap"))
    assert "thin-becomes-fat" not in warnings(plan(facts(disk), destination(DEST, "raw")))


def test_a_shallow_copy_needs_room_for_one_layer() -> None:
    place = replace(NEW, free=2 * GIB)
    assert "space" in refusals(plan(facts(place=place)))
    shallow = plan(facts(place=place), shallow=True)
    assert not shallow.refused
    assert dict(shallow.facts)["copies"] == "the active layer: 1 GiB likely, 4 GiB at most"
    assert dict(shallow.facts)["stands on"] == "/slow/snap1"


def test_a_reused_image_has_room_of_its_own() -> None:
    place = replace(IMAGE, free=0, allocated=3 * GIB)
    assert not plan(facts(place=place), destination(DEST, "qcow2"), reuse_external=True).refused


def test_a_qcow2_image_on_a_device() -> None:
    place = replace(DEVICE, size=2 * CAPACITY)
    made = plan(facts(place=place), device())
    assert not made.refused
    assert start(made).blockdev
    assert not start(made).creates
    assert refusals(plan(facts(place=replace(DEVICE, size=GIB)), device())) == {"space"}


def test_an_empty_file_is_filled() -> None:
    made = plan(facts(place=replace(NEW, kind=PathKind.FILE, size=0)))
    assert not made.refused
    assert start(made).creates


def test_a_given_backing_file_needs_the_xml() -> None:
    made = plan(facts(), destination(DEST, None, "/slow/snap1"), shallow=True)
    assert not made.refused
    assert "content-unchecked" not in warnings(made)
    assert "/slow/snap1" in start(made).xml
    assert not start(made).simple
    assert "--xml" in made.commands[0]


@pytest.mark.parametrize(
    ("place", "wish", "flag"),
    [
        (Chain((Layer(NetworkSource("nbd", "d"), "raw"),)), {}, "--xml"),
        (destination(DEST, "qed"), {}, "--format"),
        (destination(DEST, "qcow2"), {"reuse_external": True}, "--reuse-external"),
        (None, {"granularity": 4096}, "--granularity"),
        (None, {"buf_size": MIB}, "--buf-size"),
        (None, {"synchronous_writes": True}, "--synchronous-writes"),
    ],
)
def test_a_server_without_block_copy(place: Chain | None, wish: dict[str, Any], flag: str) -> None:
    there = replace(IMAGE, image=None) if "reuse_external" in wish else NEW
    old = facts(place=there, persistent=False, libvirt=(1, 2, 8), supports_block_copy=False)
    made = plan(old, place, **wish)
    assert refusals(made) == {"flag-unsupported"}
    assert flag in made.findings[0].reason


@pytest.mark.parametrize(
    ("kind", "wish", "place"),
    [
        ("qcow2", {}, NEW),
        ("raw", {}, NEW),
        ("qcow2", {"shallow": True}, NEW),
        ("qcow2", {"reuse_external": True}, IMAGE),
        ("qcow2", {"reuse_external": True, "shallow": True}, OVERLAY),
        ("raw", {"reuse_external": True, "shallow": True}, IMAGE),
    ],
)
def test_the_reference_on_a_server_without_block_copy(
    kind: str, wish: dict[str, Any], place: PathFacts
) -> None:
    old = facts(place=place, persistent=False, libvirt=(1, 2, 8), supports_block_copy=False)
    made = plan(old, destination(DEST, kind), **wish, transient_job=True)
    assert not made.refused
    assert start(made).legacy
    assert not start(made).transient_job


def test_a_hostile_name_is_shown_and_kept() -> None:
    path = "/fast/[red]\x1b[2J\u202e" + "x" * 300
    made = plan(facts(place=replace(NEW, kind=PathKind.OTHER)), destination(path.replace("\x1b", "")))
    assert all("\u202e" not in text for f in made.findings for text in (f.reason, f.remedy))
    assert "[red]" in made.findings[0].reason
    assert start(made).path == path.replace("\x1b", "")


@pytest.mark.parametrize(
    ("one", "other"), [("/a//b", "/a/b"), ("//a/b", "/a/b"), ("/a/./c/../b", "/a/b"), ("/a/b/", "/a/b")]
)
def test_spellings_of_a_path(one: str, other: str) -> None:
    assert same_name(one) == same_name(other)


numbers = st.sampled_from([-1, 0, 1, 512, 3000, MIB, 128 * MIB, 2**62, 2**63, 2**64])
formats = st.sampled_from([None, "raw", "qcow2", "vdi", "dmg", "", "\x1b"])
sources = st.sampled_from(
    [
        FileSource(DEST),
        FileSource("rel"),
        FileSource("/slow/base"),
        FileSource(""),
        BlockSource("/dev/x"),
        VolumeSource("p", "v"),
        DirSource("/d"),
        NetworkSource("nbd"),
        UnknownSource("?"),
        VhostUserSource("/s"),
    ]
)
layers = st.builds(
    Layer,
    sources,
    formats,
    encryption=st.sampled_from([None, Encryption("luks")]),
    slices=st.sampled_from([(), (Slice(0, CAPACITY),)]),
)
chains = st.builds(Chain, st.lists(layers, max_size=3).map(tuple), st.booleans())
maybe = st.sampled_from([None, True, False])
amounts = st.sampled_from([None, 0, 512, DATA, CAPACITY, 100 * GIB])
images = st.none() | st.builds(
    ImageFacts,
    st.sampled_from([0, CAPACITY]),
    st.sampled_from([None, "/slow/snap1", "json:{}"]),
    formats,
    maybe,
)
placements = st.builds(
    PathFacts,
    st.none() | st.sampled_from(PathKind),
    amounts,
    amounts,
    images,
    st.sampled_from([None, "It is none."]),
    maybe,
    maybe,
    maybe,
    maybe,
    amounts,
)
requests = st.builds(
    CopyRequest,
    st.just("u"),
    st.sampled_from(["vda", "vdz"]),
    chains,
    st.booleans(),
    st.booleans(),
    numbers,
    numbers,
    numbers,
    st.booleans(),
    st.booleans(),
    st.sampled_from(Then),
    st.sampled_from([None, 0.0, -1.0, 5.0, float("inf")]),
    st.frozensets(st.sampled_from(Acceptance)),
)
disks = st.builds(
    Disk,
    st.just("vda"),
    st.sampled_from([None, "virtio", "sd"]),
    st.sampled_from(Device),
    chains,
    readonly=st.booleans(),
    shareable=st.booleans(),
    transient=st.booleans(),
    mirror=st.none() | st.just(make_mirror()),
)


@given(
    request=requests,
    disk=disks,
    place=placements,
    state=st.sampled_from(RunState),
    persistent=st.booleans(),
    version=st.sampled_from([None, (1, 2, 8), (7, 0, 0), (9, 0, 0)]),
    old=st.booleans(),
    sizes=st.none() | st.just(Sizes(CAPACITY, DATA, DATA)),
    snapshots=st.sampled_from([None, (), ("s",)]),
)
def test_every_wish_makes_a_plan_and_every_refusal_says_what_to_do(
    *,
    request: CopyRequest,
    disk: Disk,
    place: PathFacts,
    state: RunState,
    persistent: bool,
    version: tuple[int, int, int] | None,
    old: bool,
    sizes: Sizes | None,
    snapshots: tuple[str, ...] | None,
) -> None:
    domain = make_domain(disks=[disk], state=state, persistent=persistent)
    known = CopyFacts(
        domain,
        domain.disk(request.target),
        version,
        not old,
        sizes,
        tuple(LayerFacts(layer.path, DATA, snapshots) for layer in disk.chain.layers),
        {"/slow/base": use(UseKind.LAYER)},
        place,
        snapshots,
        None,
        (entry(heartbeat=0.0),) if persistent else (),
        NOW,
    )
    made = plan_copy(request, known, "p1")
    for finding in made.findings:
        assert finding.reason.endswith(".")
        assert finding.reason.isprintable()
        if finding.severity is Severity.REFUSED:
            assert finding.remedy
    assert made.refused or made.steps
