"""The plan of a copy: its steps, its facts, and the flags of the reference; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.copy_facts import (
    CAPACITY,
    CHAIN,
    DATA,
    DEST,
    DEVICE,
    IMAGE,
    NEW,
    OVERLAY,
    RAW,
    SINGLE,
    destination,
    device,
    entry,
    facts,
    found,
    plan,
    refusals,
    start,
    use,
    warnings,
    with_snapshot,
)
from tests.fake_host import GIB, MIB, NOW, make_domain, make_mirror
from tui.model.begin_steps import StartCopy
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
    UseKind,
    same_name,
)
from tui.model.finding import Acceptance, Severity
from tui.model.request import CopyRequest, Ending, Then
from tui.model.steps import AwaitSync, EndJobs, ProvePivot
from tui.model.storage import (
    BlockSource,
    Chain,
    DirSource,
    Encryption,
    FileSource,
    Layer,
    NetworkSource,
    Slice,
    UnknownSource,
    VhostUserSource,
    VolumeSource,
)


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


def test_newer_versions_of_libvirt_store_the_zeroes_in_raw_images() -> None:
    raw, tight = destination(DEST, "raw"), replace(NEW, free=3 * GIB + 1)
    assert refusals(plan(facts(place=tight, libvirt=(9, 0, 0)), raw)) == set()
    newer: dict[str, Any] = {"place": tight, "libvirt": (11, 3, 0)}
    assert refusals(plan(facts(**newer), raw)) == {"space"}
    assert "thin-becomes-fat" in warnings(plan(facts(libvirt=(11, 3, 0)), raw))
    assert refusals(plan(facts(replace(CHAIN, driver=Driver(discard="unmap")), **newer), raw)) == set()
    assert refusals(plan(facts(**newer), destination(DEST, "qcow2"))) == set()


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
