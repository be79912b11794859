"""What speaks against a copy: every refusal and every warning, and what a user may take upon himself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

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
    plan,
    refusals,
    use,
    warnings,
    with_snapshot,
)
from tests.fake_host import GIB, MIB, make_chain, make_domain, make_mirror
from tui.model.disk import Device
from tui.model.domain import RunState
from tui.model.facts import (
    CopyFacts,
    ImageFacts,
    LayerFacts,
    PathFacts,
    PathKind,
    UseKind,
)
from tui.model.finding import Acceptance, Severity
from tui.model.job import JobType, Progress
from tui.model.storage import (
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


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("/fast/" + 255 * "x", True),
        ("/fast/" + 256 * "x", False),
        ("/fast/" + 128 * "ä", False),
        (f"/{256 * 'x'}/copy", False),
        (20 * ("/" + 203 * "x") + "/" + 14 * "y", True),
        (20 * ("/" + 203 * "x") + "/" + 15 * "y", False),
    ],
)
def test_names_that_no_file_can_have(path: str, fits: bool) -> None:  # noqa: FBT001
    made = plan(facts(place=NEW if fits else PathFacts()), destination(path))
    assert refusals(made) == (set() if fits else {"name-too-long"})
    assert "destination-unchecked" not in warnings(made)


@pytest.mark.parametrize("kind", UseKind)
@pytest.mark.parametrize(
    ("there", "reuse"),
    [
        (IMAGE, False),
        (IMAGE, True),
        (replace(IMAGE, image=ImageFacts(CAPACITY - 512)), True),
        (replace(IMAGE, image=None, unreadable="It is none."), True),
        (replace(IMAGE, image=ImageFacts(CAPACITY, "/gone", "qcow2", backing_exists=False)), True),
    ],
)
@pytest.mark.parametrize("shallow", [False, True])
def test_of_an_image_in_use_nothing_else_is_said(
    kind: UseKind,
    there: PathFacts,
    reuse: bool,  # noqa: FBT001
    shallow: bool,  # noqa: FBT001
) -> None:
    known = facts(place=there, uses={DEST: use(kind)})
    made = plan(known, destination(DEST, "qcow2"), reuse_external=reuse, shallow=shallow)
    (said,) = (f for f in made.findings if DEST in f.reason + f.remedy)
    assert (said.check, said.remedy) == ("destination-in-use", "Choose another destination.")
    assert refusals(made) == {"destination-in-use"}
