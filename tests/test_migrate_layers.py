"""What goes to another host ahead of a domain; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.copy_facts import refusals, warnings
from tests.fake_host import GIB, MIB, NOW, make_chain, make_disk, make_domain
from tests.hierarchy_facts import text_of
from tests.test_migrate_plan import MISSING, OTHER, SAME, TO, facts, snapshots, step
from tui.model.chain_steps import ImageCopy
from tui.model.coming import coming_to, counted_on
from tui.model.facts import ImageFacts, PathFacts, PathKind
from tui.model.finding import Acceptance, Severity
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.migrate_case import MigrateFacts, ThereFacts
from tui.model.migrate_plan import plan_migrate
from tui.model.migrate_request import CopyStorage, MigrateRequest, Transport
from tui.model.migrate_steps import CompareThere, CopyLayersThere, MakeThere, Migrate, SetAside
from tui.model.plan import Plan
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import RecoverRequest
from tui.model.still_file import SCRIPT, StillFile, parse_still

CHAIN = make_chain("/i/top", "/i/mid", "/i/base", format="qcow2")
DEEP = replace(make_disk("vda", "/i/top"), chain=CHAIN)
PLAIN = make_disk("vdb", "/i/b.qcow2")
DOMAIN = make_domain(disks=[DEEP, PLAIN])
BASE = StillFile("/i/base", "raw", 4 * GIB, GIB, 4 * GIB)
MID = StillFile(
    "/i/mid", "qcow2", GIB, GIB, 4 * GIB, backing="/i/base", below="/i/base", below_format="raw", header=65536
)
TOP = replace(MID, path="/i/top", backing="/i/mid", below="/i/mid", below_format="qcow2")
STILL = {one.path: one for one in (BASE, MID, TOP)}
MAPS = (("/i", "/n"),)
FREE = replace(MISSING, device=1)
LINE = (
    text_of("a", overlay="/i/mid", base="/i/base", created=1, uuid=DOMAIN.uuid),
    text_of("b", "a", overlay="/i/top", base="/i/mid", base_format="qcow2", created=2, uuid=DOMAIN.uuid),
)


def known(still: dict[str, StillFile] | None = None, **more: Any) -> MigrateFacts:
    """Nothing is there, unless it is said otherwise by place."""
    still = still or STILL
    places = dict.fromkeys([f"/n/{path.rpartition('/')[2]}" for path in (*still, "/i/b.qcow2")], FREE)
    images = {**places, **more.pop("images", {})}
    said = {"domain": DOMAIN, "reached_here": True, "still": still, **more}
    return facts(images, **said)


def made(facts_: MigrateFacts | None = None, **more: Any) -> Plan:
    request = MigrateRequest(DOMAIN.uuid, TO, **{"maps": MAPS, "storage": CopyStorage.INC, **more})
    return plan_migrate(request, facts_ or known(), "p1")


def names(plan_: Plan) -> dict[str, str | None]:
    """How the images that are brought name what they stand on; nothing where that stays."""
    return {image.path: image.backing for image in step(plan_, CopyLayersThere).images}


def test_the_lower_layers_are_brought_first() -> None:
    found = made(transport=Transport(bandwidth=MIB))
    assert refusals(found) == set()
    assert [type(one).__name__ for one in found.steps][:6] == [
        *("MakeThere", "MakeThere", "MakeThere", "MakeThere", "CopyLayersThere", "Migrate"),
    ]
    images = [one.image for one in found.steps if isinstance(one, MakeThere)]
    assert [(image.path, image.format, image.size) for image in images] == [
        ("/n/top", "qcow2", 4 * GIB),
        ("/n/b.qcow2", "qcow2", 4 * GIB),
        ("/n/mid", "raw", GIB),
        ("/n/base", "raw", 4 * GIB),
    ]
    assert (images[0].backing, images[0].backing_format) == ("/n/mid", "qcow2")
    copied = step(found, CopyLayersThere)
    assert copied.images == (
        ImageCopy("/i/mid", "/n/mid", "qcow2", "/n/base", "raw"),
        ImageCopy("/i/base", "/n/base", "raw"),
    )
    assert (copied.sizes, copied.bandwidth, copied.targets) == ((GIB, GIB), MIB, ("vda",))
    assert "qemu-img rebase -u -f qcow2 -b /n/base -F raw -- /n/mid" in copied.commands
    went = step(found, Migrate)
    assert (went.storage, went.flattened) == (CopyStorage.INC, ())
    told = [value for label, value in found.facts if label == "layer"]
    assert told == [f"/i/{name} as /n/{name}  1 GiB, copied first" for name in ("mid", "base")]
    entry = Entry("p1", DOMAIN.uuid, "title", found.steps, 4, "me", NOW, 0.0)
    assert parse_entry(entry_xml(entry), DOMAIN.uuid) == entry
    resumed = plan_recover(
        RecoverRequest(DOMAIN.uuid, undo=False), RecoverFacts(DOMAIN, (entry,), now=NOW), "p2"
    )
    assert "copied-again" in {finding.check for finding in resumed.findings}


@pytest.mark.parametrize(
    ("backing", "maps", "named"),
    [
        ("/i/base", (), None),
        ("/i/base", MAPS, "/n/base"),
        ("base", MAPS, None),
        ("../i/base", MAPS, "base"),
        ("base", (*MAPS, ("/i/base", "/elsewhere/base")), "../elsewhere/base"),
        ('json:{"file.filename": "/i/base"}', (), None),
        ("file:base", MAPS, "/n/base"),
    ],
)
def test_a_layer_names_the_one_below_where_it_is_there(
    backing: str, maps: tuple[tuple[str, str], ...], named: str | None
) -> None:
    still = {**STILL, "/i/mid": replace(MID, backing=backing)}
    images = dict.fromkeys(("/i/top", "/i/mid", "/i/base", "/i/b.qcow2", "/elsewhere/base"), FREE)
    found = made(known(still, images=images), maps=maps)
    assert refusals(found) == set()
    assert step(found, CopyLayersThere).images[0].backing == named


def test_the_active_layer_names_it_as_before() -> None:
    found = made(known({**STILL, "/i/top": replace(TOP, backing="mid")}))
    image = next(one.image for one in found.steps if isinstance(one, MakeThere))
    assert (image.path, image.backing, image.backing_format) == ("/n/top", "mid", "qcow2")


def test_what_is_there_is_compared_and_used() -> None:
    base = ThereFacts(PathFacts(kind=PathKind.FILE, image=ImageFacts(4 * GIB)), same=False)
    found = made(known(images={"/n/base": base}))
    assert refusals(found) == set()
    assert isinstance(found.steps[0], CompareThere)
    assert found.steps[0].images == (ImageCopy("/i/base", "/n/base", "raw"),)
    assert found.steps[0].commands == ("b2sum -- /i/base", "b2sum -- /n/base")
    assert list(names(found)) == ["/n/mid"]
    on_base = replace(base, place=replace(base.place, image=ImageFacts(4 * GIB, "/n/base")))
    mid = made(known(images={"/n/base": base, "/n/mid": on_base}))
    assert step(mid, CompareThere).headers == (65536, 0)
    assert not any(isinstance(one, CopyLayersThere) for one in mid.steps)
    one = made(known(images={"/n/base": replace(base, same=True)}))
    assert not any(isinstance(step_, CompareThere) for step_ in one.steps), "both hosts have that very file"
    assert list(names(one)) == ["/n/mid"]
    for wrong in (OTHER.place, replace(base.place, image=None), replace(base.place, image=ImageFacts(1))):
        there = ThereFacts(replace(wrong, image=None) if wrong is OTHER.place else wrong, same=False)
        assert refusals(made(known(images={"/n/base": there}))) == {"layer-differs"}


@pytest.mark.parametrize(
    ("backing", "there", "stops"),
    [
        ("/i/base", "/n/base", False),
        ("/i/base", "/n//base", False),
        ("/i/base", "/i/base", True),
        ("/i/base", None, True),
        ("base", "/n/base", False),
        ("base", "base", False),
        ("base", "/old/base", True),
        ('json:{"file.filename": "/i/base"}', "/n/base", False),
    ],
)
def test_what_is_there_stands_on_what_it_should(backing: str, there: str | None, *, stops: bool) -> None:
    """Another base shows other data once QEMU follows the header, though the layer itself is the same."""
    lies = ThereFacts(PathFacts(kind=PathKind.FILE, image=ImageFacts(4 * GIB, there, "raw")), same=False)
    mid = replace(MID, backing=backing)
    found = made(known({**STILL, "/i/mid": mid}, images={"/n/mid": lies}))
    assert refusals(found) == ({"layer-differs"} if stops else set())


def test_what_another_domain_brings_is_waited_for() -> None:
    """Whether it is there by halves, or not at all yet."""
    half = ThereFacts(PathFacts(kind=PathKind.FILE, image=None), same=False)
    for there in (FREE, half):
        found = made(known(images={"/n/base": there}, coming={"/n/base": "db02"}))
        assert (refusals(found), "layer-coming" in warnings(found)) == (set(), True)
        assert [image.path for image in step(found, CompareThere).images] == ["/n/base"]
        assert list(names(found)) == ["/n/mid"]
    first = Entry("p1", "u1", "t", made().steps, 0, "me", NOW, NOW)
    copies = next(n for n, one in enumerate(first.steps) if isinstance(one, CopyLayersThere))
    assert set(coming_to("host-b", (first,))) == {"/n/base", "/n/mid"}
    assert coming_to("host-c", (first,)) == {}
    assert coming_to("host-b", (replace(first, reached=copies + 1),)) == {}
    second = Entry("p2", "u2", "t", found.steps, 3, "me", NOW, NOW)
    assert counted_on("host-b", (first, second)) == {"/n/base": second}


def test_a_base_of_two_disks_is_brought_once() -> None:
    twin = replace(make_disk("vdb", "/i/b.qcow2"), chain=make_chain("/i/b.qcow2", "/i/base", format="qcow2"))
    found = made(known(domain=make_domain(disks=[DEEP, twin])))
    assert list(names(found)) == ["/n/mid", "/n/base"]
    assert step(found, CopyLayersThere).targets == ("vda", "vdb")


def test_snapshots_keep_their_layers_by_default() -> None:
    tree = known(**snapshots(*LINE))
    found = made(tree, storage=None)
    assert refusals(found) == set()
    assert step(found, Migrate).storage is CopyStorage.INC
    assert names(found) == {"/n/mid": "/n/base", "/n/base": None}
    assert [type(one) for one in found.steps][-4] is SetAside
    assert refusals(made(tree, storage=CopyStorage.ALL)) == {"chain-lost"}
    lost = made(tree, storage=None, accepted=frozenset({Acceptance.LOSE_SNAPSHOTS}))
    assert (refusals(lost), step(lost, Migrate).storage) == (set(), CopyStorage.ALL)
    for away in ({"reached_here": False}, {"reached": False, "pools": frozenset({"/n"})}):
        assert refusals(made(replace(tree, **away), storage=None)) == {"chain-lost"}
    plain = made(known(), storage=None)
    assert step(plain, Migrate).storage is CopyStorage.ALL, "no snapshot needs the layers"
    assert "flattened" in warnings(plain)


def test_other_branches_and_memory_come_along() -> None:
    branch = text_of(
        "c", "a", overlay="/i/c", base="/i/other", base_format="qcow2", created=3, uuid=DOMAIN.uuid
    )
    memory = text_of(
        "m", "b", overlay="/i/top", base="/i/mid", memory="/i/memory", state="running", uuid=DOMAIN.uuid
    )
    more = {
        "/i/c": replace(MID, path="/i/c", backing="/i/other", below="/i/other", below_format=None),
        "/i/other": replace(MID, path="/i/other", backing="/i/root", below="/i/root"),
        "/i/root": replace(BASE, path="/i/root"),
        "/i/d": replace(MID, path="/i/d", backing="/i/top", below="/i/top", below_format="qcow2"),
        "/i/memory": StillFile("/i/memory", None, MIB, MIB),
    }
    above = text_of("d", "b", overlay="/i/d", base="/i/top", base_format="qcow2", created=4, uuid=DOMAIN.uuid)
    tree = known({**STILL, **more}, **snapshots(*LINE, branch, memory, above))
    found = made(tree, storage=None)
    assert refusals(found) == set()
    assert names(found) == {
        "/n/mid": "/n/base",
        "/n/base": None,
        "/n/c": "/n/other",
        "/n/other": "/n/root",
        "/n/root": None,
        # It stands on what the guest writes to, which is no layer that could be copied here.
        "/n/d": "/n/top",
        "/n/memory": None,
    }
    image = next(one for one in step(found, CopyLayersThere).images if one.path == "/n/c")
    assert image.backing_format == "qcow2", "its header does not say it"
    kinds = [label for label, _value in found.facts if label in ("layer", "memory file", "layers")]
    assert kinds == [*["layer"] * 2, "memory file", *["layer"] * 3, "layers"]
    assert dict(found.facts)["layers"] == "and 1 more"


def test_memory_alone_comes_along_where_the_disks_are_shared() -> None:
    memory = text_of(
        "m", overlay="/i/top", base="/i/base", memory="/i/memory", state="running", uuid=DOMAIN.uuid
    )
    there = {**dict.fromkeys(("/i/top", "/i/mid", "/i/base", "/i/b.qcow2"), SAME), "/i/memory": FREE}
    still = {**STILL, "/i/memory": StillFile("/i/memory", None, MIB, MIB)}
    held = facts(there, domain=DOMAIN, reached_here=True, still=still, **snapshots(memory))
    found = plan_migrate(MigrateRequest(DOMAIN.uuid, TO), held, "p1")
    assert refusals(found) == set()
    assert list(names(found)) == ["/i/memory"]
    assert dict(found.facts)["memory file"] == "/i/memory as /i/memory  1 MiB, copied first"
    none = plan_migrate(MigrateRequest(DOMAIN.uuid, TO, storage=CopyStorage.NONE), held, "p1")
    assert refusals(none) == {"image-missing"}


@pytest.mark.parametrize("gone", ["/i/memory", "/i/c"])
def test_what_only_snapshots_need_may_be_lost(gone: str) -> None:
    memory = text_of(
        "m", "b", overlay="/i/top", base="/i/mid", memory="/i/memory", state="running", uuid=DOMAIN.uuid
    )
    branch = text_of("c", "a", overlay="/i/c", base="/i/base", base_format="raw", created=3, uuid=DOMAIN.uuid)
    more = {
        "/i/memory": StillFile("/i/memory", None, MIB, MIB),
        "/i/c": replace(MID, path="/i/c"),
    }
    more[gone] = StillFile(gone, trouble="is no file")
    tree = known({**STILL, **more}, **snapshots(*LINE, memory, branch))
    found = made(tree)
    (trouble,) = [finding for finding in found.findings if finding.severity is Severity.REFUSED]
    assert (trouble.check, trouble.acceptance) == ("layer-trouble", Acceptance.LOSE_SNAPSHOTS)
    assert ("memory" in trouble.remedy, "--copy-storage" in trouble.remedy) == (gone == "/i/memory", False)
    taken = made(tree, accepted=frozenset({Acceptance.LOSE_SNAPSHOTS}))
    assert refusals(taken) == set()
    assert "layer-trouble" in warnings(taken)
    place = gone.replace("/i/", "/n/")
    assert names(taken).keys() == {"/n/mid", "/n/base", "/n/c", "/n/memory"} - {place}
    assert place not in {one.image.path for one in taken.steps if isinstance(one, MakeThere)}
    base = {**STILL, **more, "/i/base": replace(BASE, trouble="is no file")}
    held = made(replace(tree, still=base), accepted=frozenset({Acceptance.LOSE_SNAPSHOTS}))
    assert refusals(held) == {"layer-trouble"}, "a disk stands on it"


def test_states_inside_of_lower_layers_go_along() -> None:
    inside = text_of("i", kind="internal", base="/i/base", uuid=DOMAIN.uuid)
    after = text_of("a", "i", overlay="/i/mid", base="/i/base", created=2, uuid=DOMAIN.uuid)
    assert refusals(made(known(**snapshots(inside, after)), storage=None)) == set()
    active = text_of("i", kind="internal", base="/i/top", uuid=DOMAIN.uuid)
    assert refusals(made(known(**snapshots(active)))) == {"internal-lost"}


@pytest.mark.parametrize(
    ("more", "maps", "stops"),
    [
        ({"still": {**STILL, "/i/base": replace(BASE, trouble="is no file")}}, MAPS, {"layer-trouble"}),
        ({"written": frozenset({"/i/mid"})}, MAPS, {"layer-written"}),
        ({"left_over": {"/n/base": "db02"}}, MAPS, {"layer-left-over"}),
        ({}, (*MAPS, ("/i/base", "/n/mid")), {"same-name"}),
        ({}, (*MAPS, ("/i/base", "/n/b.qcow2")), {"same-name"}),
        (
            {"images": {"/n/base": replace(FREE, place=replace(FREE.place, parent_exists=False))}},
            MAPS,
            {"directory-missing"},
        ),
        (
            {"images": {"/n/base": replace(FREE, place=replace(FREE.place, writable=False))}},
            MAPS,
            {"directory-unwritable"},
        ),
        ({"reached_here": False}, MAPS, {"base-missing"}),
    ],
    ids=["trouble", "written", "left over", "twice", "over a disk", "nowhere", "read-only", "out of reach"],
)
def test_what_keeps_a_layer_here(
    more: dict[str, Any], maps: tuple[tuple[str, str], ...], stops: set[str]
) -> None:
    assert refusals(made(known(**more), maps=maps)) == stops


@pytest.mark.parametrize(
    ("free", "devices", "stops"),
    [
        (10 * GIB, 1, set()),
        (10 * GIB - 1, 1, {"space"}),
        (2 * GIB - 1, 1, {"space"}),
        # Four for each disk, and two for the layers: nothing is too much for a file system of its own.
        (4 * GIB, 2, set()),
        (None, 1, set()),
    ],
)
def test_room_for_all_of_it(free: int | None, devices: int, stops: set[str]) -> None:
    places = ("/n/top", "/n/b.qcow2", "/n/mid", "/n/base")
    images = {
        place: replace(FREE, place=replace(FREE.place, free=free), device=number if devices > 1 else 1)
        for number, place in enumerate(places)
    }
    assert refusals(made(known(images=images))) == stops
    assert ("space-unchecked" in warnings(made(known(images=images)))) is (free is None)
    accepted = made(known(images=images), accepted=frozenset({Acceptance.RISK_FULL_DESTINATION}))
    assert refusals(accepted) == (stops if free and free < 2 * GIB else set())


def test_what_is_known_of_a_file() -> None:
    found = parse_still("100 8 1\n-\n5 0 0\n", ("/a", "/b", "/c"))
    assert found["/a"] == StillFile("/a", size=100, taken=4096)
    assert found["/b"].trouble == "is no file"
    assert (found["/c"].size, found["/c"].trouble) == (5, "cannot be read by you")
    assert "stat" in SCRIPT


def test_names_from_a_host_are_shown_harmless() -> None:
    bad = "/i/\x1b[31m"
    still = {**STILL, bad: replace(BASE, path=bad, trouble="\x1b[31m"), "/i/mid": replace(MID, below=bad)}
    tree = known(still, images={"/n/\x1b[31m": FREE}, left_over={"/n/mid": "\x1b[31m"})
    found = made(tree)
    assert {"layer-trouble", "layer-left-over"} <= refusals(found)
    assert not any("\x1b" in finding.reason + finding.remedy for finding in found.findings)
    assert not any("\x1b" in value for _label, value in found.facts)
