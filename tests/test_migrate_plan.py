"""The plans that take a domain to another host; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.copy_facts import refusals, warnings
from tests.fake_host import GIB, MIB, NOW, make_chain, make_disk, make_domain
from tests.hierarchy_facts import text_of
from tui.model.coming import room_for
from tui.model.domain import RunState
from tui.model.facts import ImageFacts, PathFacts, PathKind, Running, Sizes
from tui.model.finding import Acceptance
from tui.model.hierarchy import arranged, parse_known
from tui.model.job import JobType, Phase
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.migrate_case import MigrateFacts, ThereFacts, Wanted
from tui.model.migrate_plan import plan_migrate
from tui.model.migrate_request import Convergence, CopyStorage, MigrateRequest, TimeoutAction, Transport
from tui.model.migrate_steps import BringBack, MakeThere, Migrate, ProveArrival, SetAside
from tui.model.migrate_xml import (
    asks_for,
    cpu_of,
    devices_of,
    networks_of,
    own_cpu_mode,
    there_xml,
    usb_devices_of,
)
from tui.model.packed import packed, unpacked
from tui.model.plan import Plan
from tui.model.storage import Chain, Encryption

DEEP = replace(make_disk("vda", "/i/top"), chain=make_chain("/i/top", "/i/base", format="qcow2"))
PLAIN = make_disk("vdb", "/i/b.qcow2")
ROM = make_disk("hdc", "/iso/x", readonly=True)
DOMAIN = make_domain(disks=[DEEP, PLAIN, ROM])
UUID = DOMAIN.uuid
RUNNING = Running("vda", JobType.COPY, Phase.COPYING, None, Chain())
TO = "qemu+ssh://root@host-b/system"
MISSING = ThereFacts(PathFacts(kind=PathKind.MISSING, parent_exists=True, free=100 * GIB), same=False)
SAME = ThereFacts(PathFacts(kind=PathKind.FILE), same=True, shared=True)
OTHER = ThereFacts(PathFacts(kind=PathKind.FILE, image=ImageFacts(4 * GIB)), same=False, shared=False)
WANTED = Wanted("db01", {}, "pc-q35 (kvm, x86_64)", memory=GIB, free_memory=8 * GIB, known_networks={})
PATHS = ("/i/top", "/i/base", "/i/b.qcow2", "/iso/x")


def facts(images: dict[str, ThereFacts] | ThereFacts = MISSING, **more: Any) -> MigrateFacts:
    found = dict.fromkeys(PATHS, images) if isinstance(images, ThereFacts) else images
    if isinstance(images, ThereFacts) and images is MISSING:
        found["/iso/x"] = SAME
    said: dict[str, Any] = {
        "domain": DOMAIN,
        "host": "host-a",
        "there": "host-b",
        "source_uri": "qemu:///system",
        "there_uuid": "b",
        "wanted": WANTED,
        "sizes": {"vda": Sizes(4 * GIB, GIB, GIB), "vdb": Sizes(4 * GIB, GIB, GIB)},
        "images": found,
        "reached": True,
        "layouts": {"/i/top": (), "/i/b.qcow2": ()},
        "now": NOW,
        **more,
    }
    return MigrateFacts(**said)


def plan(known_: MigrateFacts | None = None, **more: Any) -> Plan:
    return plan_migrate(MigrateRequest(UUID, TO, **more), known_ or facts(), "p1")


def step(made: Plan, kind: type[Any]) -> Any:
    (found,) = (one for one in made.steps if isinstance(one, kind))
    return found


def snapshots(*texts: str) -> dict[str, Any]:
    made = arranged(parse_known(text, current="<name>b<" in text) for text in texts)
    return {"hierarchy": made}


LINE = (
    text_of("a", overlay="/i/mid", base="/i/base", created=1, uuid=UUID),
    text_of("b", "a", overlay="/i/top", base="/i/mid", created=2, uuid=UUID),
)


def test_what_is_not_shared_is_copied_into_images_that_are_made() -> None:
    made = plan()
    assert refusals(made) == set()
    assert "flattened" in warnings(made)
    images = [one.image for one in made.steps if isinstance(one, MakeThere)]
    assert [(i.target, i.path, i.format, i.size, i.backing) for i in images] == [
        ("vda", "/i/top", "qcow2", 4 * GIB, None),
        ("vdb", "/i/b.qcow2", "qcow2", 4 * GIB, None),
    ]
    went = step(made, Migrate)
    assert (went.targets, went.storage, went.flattened) == (("vda", "vdb"), CopyStorage.ALL, ("vda", "vdb"))
    assert (went.persistent, went.undefine_source) == (True, True)
    (command,) = went.commands
    assert "--live --persistent --undefinesource --copy-storage-all --migrate-disks vda,vdb" in command
    proof = step(made, ProveArrival)
    assert proof.paths == ("/i/top", "/i/b.qcow2", "/iso/x")


def test_an_image_there_is_laid_out_as_the_one_here() -> None:
    odd = ("cluster_size=1048576", "extended_l2=on")
    made = plan(facts(layouts={"/i/top": odd, "/i/b.qcow2": ()}))
    top, plain = (one for one in made.steps if isinstance(one, MakeThere))
    assert top.commands == (
        f"qemu-img create -f qcow2 -o cluster_size=1048576,extended_l2=on -- /i/top {4 * GIB}",
    )
    assert plain.commands == (f"qemu-img create -f qcow2 -- /i/b.qcow2 {4 * GIB}",)
    said = [finding.reason for finding in made.findings if finding.check == "made-there"]
    assert said == [
        "/i/top is made at host-b, of exactly 4 GiB; laid out as here: cluster_size=1048576, extended_l2=on.",
        "/i/b.qcow2 is made at host-b, of exactly 4 GiB.",
    ]


def test_a_layout_that_nobody_sees_or_keeps_is_told() -> None:
    assert {"layout-unseen", "layout-lost"}.isdisjoint(warnings(plan()))
    assert "layout-unseen" in warnings(plan(facts(layouts={"/i/top": ()})))
    raw = make_domain(disks=[replace(PLAIN, chain=make_chain("/i/top", format="raw"))])
    assert "layout-unseen" not in warnings(plan(facts(domain=raw, layouts={})))
    odd = {"/i/top": ("cluster_size=1048576",), "/i/b.qcow2": ()}
    pooled = plan(facts(reached=False, pools=frozenset({"/i"}), layouts=odd))
    (said,) = (finding.reason for finding in pooled.findings if finding.check == "layout-lost")
    assert "/i/top" in said
    assert "cluster_size=1048576" in said


def test_no_image_is_made_that_takes_a_secret() -> None:
    top = replace(PLAIN.chain.layers[0], encryption=Encryption("luks", "s"))
    disk = replace(PLAIN, chain=Chain((top,), complete=True))
    assert refusals(plan(facts(domain=make_domain(disks=[disk, ROM])))) == {"encrypted"}


def test_what_both_hosts_have_stays() -> None:
    made = plan(facts(SAME))
    assert refusals(made) == set()
    assert [type(one) for one in made.steps] == [Migrate, ProveArrival]
    assert step(made, Migrate).storage is CopyStorage.NONE
    alone = replace(SAME, shared=False)
    assert refusals(plan(facts(alone))) == {"unsafe-storage"}
    unsafe = plan(facts(alone), unsafe=True)
    assert (refusals(unsafe), "unsafe" in warnings(unsafe)) == (set(), True)
    assert refusals(plan(facts(OTHER), storage=CopyStorage.NONE)) == {"image-differs"}


def test_the_active_layer_alone_goes_onto_what_is_there() -> None:
    images = {**dict.fromkeys(PATHS, MISSING), "/n/base": OTHER, "/iso/x": SAME}
    images |= {"/n/top": MISSING, "/n/b.qcow2": MISSING}
    maps = (("/i", "/n"),)
    made = plan(facts(images), storage=CopyStorage.INC, maps=maps, targets=("vda",))
    assert refusals(made) == {"image-missing"}, "vdb is not copied, and is not there"
    made = plan(facts({**images, "/n/b.qcow2": SAME}), storage=CopyStorage.INC, maps=maps)
    assert refusals(made) == set()
    (image,) = (one.image for one in made.steps if isinstance(one, MakeThere))
    assert (image.path, image.backing, image.backing_format) == ("/n/top", "/n/base", "qcow2")
    went = step(made, Migrate)
    assert (went.storage, went.flattened, went.targets) == (CopyStorage.INC, (), ("vda",))
    assert dict(zip(went.befores, went.afters, strict=True))["/i/top"] == "/n/top"
    gone = facts({**images, "/n/base": MISSING, "/n/b.qcow2": SAME})
    assert refusals(plan(gone, storage=CopyStorage.INC, maps=maps)) == {"base-missing"}


def test_snapshots_are_set_aside_and_come_back() -> None:
    there = dict.fromkeys((*PATHS, "/i/mid"), SAME)
    made = plan(facts(there, **snapshots(*LINE)))
    assert refusals(made) == set()
    assert [type(one) for one in made.steps] == [SetAside, Migrate, BringBack, ProveArrival]
    aside, back = step(made, SetAside), step(made, BringBack)
    assert (aside.names, aside.current) == (("a", "b"), "b")
    assert [parse_known(text).name for text in unpacked(aside.packed)] == ["a", "b"]
    assert aside.commands == (
        "virsh snapshot-delete db01 b --metadata",
        "virsh snapshot-delete db01 a --metadata",
    )
    assert back.commands[-1] == "virsh snapshot-create db01 b.xml --redefine --current"
    entry = Entry("p1", UUID, "title", made.steps, 1, "me", NOW, NOW)
    assert parse_entry(entry_xml(entry), UUID) == entry
    assert entry.moves
    assert dict(made.facts)["snapshots"] == "2; b is current"


def test_snapshots_that_would_be_lost_are_refused_unless_that_is_accepted() -> None:
    flat = facts(**snapshots(*LINE))
    assert refusals(plan(flat)) == {"chain-lost"}
    accepted = frozenset({Acceptance.LOSE_SNAPSHOTS})
    assert refusals(plan(flat, accepted=accepted)) == set()
    inside = text_of("i", kind="internal", base="/i/top", uuid=UUID)
    assert refusals(plan(facts(**snapshots(inside)))) == {"internal-lost"}
    shared = dict.fromkeys(PATHS, SAME)
    assert refusals(plan(facts({**shared, "/i/mid": MISSING}, **snapshots(*LINE)))) == {"image-missing"}
    memory = text_of("m", overlay="/i/top", base="/i/base", memory="/i/memory", state="running", uuid=UUID)
    held = facts({**shared, "/i/memory": MISSING}, **snapshots(memory))
    assert refusals(plan(held)) == {"image-missing"}
    assert "secrets" in warnings(plan(facts(shared, secrets=True, **snapshots(memory))))


@pytest.mark.parametrize(
    ("more", "stops"),
    [
        ({"unreached": "No route."}, {"host-away"}),
        ({"same_host": True}, {"same-host"}),
        ({"domain": make_domain(disks=[DEEP, PLAIN, ROM], state=RunState.SHUT_OFF)}, {"domain-off"}),
        ({"running": (RUNNING,)}, {"job-running"}),
        ({"migrating": True}, {"migrating"}),
        ({"entries": (Entry("p0", UUID, "t", (), 0, "me", NOW, NOW),)}, {"plan-in-progress"}),
        ({"entries": (Entry("p0", UUID, "t", (), 0, "me", NOW, 0.0),)}, {"plan-left-over"}),
        ({"wanted": replace(WANTED, taken_names={"db01": "x"})}, {"name-taken"}),
        ({"wanted": replace(WANTED, taken_names={"other": UUID})}, {"uuid-taken"}),
        ({"wanted": replace(WANTED, unsupported="no such machine.")}, {"machine"}),
        ({"wanted": replace(WANTED, cpu="lacks avx512.")}, {"cpu"}),
        ({"wanted": replace(WANTED, networks=("lan",))}, {"network"}),
        ({"wanted": replace(WANTED, networks=("lan",), known_networks={"lan": False})}, {"network"}),
        ({"wanted": replace(WANTED, networks=("lan",), known_networks={"lan": True})}, set()),
        ({"wanted": replace(WANTED, devices=("a pci device of the host",))}, {"host-device"}),
        ({"reached": False}, {"cannot-make"}),
        ({"reached": False, "pools": frozenset({"/i"})}, set()),
    ],
)
def test_what_keeps_it_here(more: dict[str, Any], stops: set[str]) -> None:
    assert refusals(plan(facts(**more))) == stops


@pytest.mark.parametrize("kind", [None, PathKind.MISSING])
def test_images_that_libvirt_makes_in_a_pool_need_room(kind: PathKind | None) -> None:
    """A pool lists what was there at its last look, so that nobody knows of an image that is new."""
    there = replace(MISSING, place=replace(MISSING.place, kind=kind, free=8 * GIB))
    known = facts({**dict.fromkeys(PATHS, there), "/iso/x": SAME}, reached=False, pools=frozenset({"/i"}))
    made = plan(known)
    assert refusals(made) == set()
    images = (("/i/top", 4 * GIB), ("/i/b.qcow2", 4 * GIB))
    assert step(made, Migrate).pooled == images
    assert (made.needs, made.free) == (8 * GIB, 8 * GIB)
    entry = Entry("p1", UUID, "title", made.steps, 0, "me", NOW, NOW)
    assert room_for(parse_entry(entry_xml(entry), UUID)) == dict(images)
    tight = replace(there, place=replace(there.place, free=4 * GIB - 1))
    full = replace(known, images={**dict.fromkeys(PATHS, tight), "/iso/x": SAME})
    assert refusals(plan(full)) == {"space"}
    assert step(plan(replace(known, reached=True)), Migrate).pooled == (), "then it is made from here"


@pytest.mark.parametrize(
    ("there", "stops"),
    [
        (replace(MISSING, place=replace(MISSING.place, free=GIB)), {"space"}),
        (replace(MISSING, place=replace(MISSING.place, parent_exists=False)), {"directory-missing"}),
        (replace(OTHER, place=PathFacts(kind=PathKind.FILE, image=ImageFacts(5 * GIB))), {"size-differs"}),
        (replace(OTHER, place=PathFacts(kind=PathKind.DIRECTORY)), {"destination-kind"}),
        (replace(OTHER, user="other"), {"image-used"}),
        (OTHER, {"overwritten"}),
    ],
    ids=["no room", "nowhere", "other size", "a directory", "used", "of the size"],
)
def test_where_a_copy_can_go(there: ThereFacts, stops: set[str]) -> None:
    images = {**dict.fromkeys(PATHS, SAME), "/i/b.qcow2": there}
    made = plan(facts(images), targets=("vdb",))
    assert refusals(made) == stops
    over = frozenset({Acceptance.OVERWRITE_IMAGES})
    accepted = plan(facts(images), targets=("vdb",), accepted=over)
    assert refusals(accepted) == stops - {"overwritten"}
    assert ("overwritten" in warnings(accepted)) is (there is OTHER)
    assert any(isinstance(one, MakeThere) for one in accepted.steps) is False


def test_of_a_domain_that_is_off_the_images_are_the_users_to_bring() -> None:
    off = make_domain(disks=[DEEP, PLAIN], state=RunState.SHUT_OFF)
    missing = plan(facts(MISSING, domain=off), offline=True)
    assert refusals(missing) == {"image-missing"}
    assert "Bring it there first" in missing.remedies
    brought = plan(facts(OTHER, domain=off), offline=True)
    assert refusals(brought) == set()
    assert "image-there" in warnings(brought)


@pytest.mark.parametrize(
    "more",
    [
        {"convergence": Convergence(synchronous_writes=True), "storage": CopyStorage.NONE},
        {"convergence": Convergence(timeout=5.0, timeout_action=TimeoutAction.POSTCOPY)},
        {"transport": Transport(disks_uri="tcp://b", disks_port=1)},
        {"transport": Transport(parallel=2, compressed=True)},
        {"convergence": Convergence(postcopy=True), "transport": Transport(compressed=True)},
        {"targets": ("vda",), "storage": CopyStorage.NONE},
    ],
)
def test_options_that_do_not_go_together(more: dict[str, Any]) -> None:
    assert "options" in refusals(plan(facts(SAME), **more))


def test_only_the_definition_of_one_that_is_off() -> None:
    off = make_domain(disks=[DEEP, PLAIN, ROM], state=RunState.SHUT_OFF)
    made = plan(facts(SAME, domain=off), offline=True)
    assert refusals(made) == set()
    assert "--offline" in step(made, Migrate).commands[0]
    assert not step(made, ProveArrival).running
    assert refusals(plan(facts(SAME), offline=True)) == {"domain-active"}


def test_definitions_on_both_sides_are_as_asked() -> None:
    kept = plan(facts(SAME), undefine_source=False)
    assert "stays-defined" in warnings(kept)
    assert not step(kept, ProveArrival).undefined
    gone = plan(facts(SAME), persistent=False)
    assert "transient" in warnings(gone)
    went = step(gone, Migrate)
    assert (went.persistent, went.undefine_source) == (False, False)


def test_the_command_says_all_of_it() -> None:
    made = plan(
        facts(SAME),
        name="other",
        transport=Transport(
            p2p=True, tls=True, migrate_uri="tcp://b", listen_address="::", bandwidth=5 * MIB + 1, parallel=3
        ),
        convergence=Convergence(auto_converge=True, postcopy=True, max_downtime=700, timeout=9.0),
        change_protection=True,
        abort_on_error=True,
    )
    downtime, command = step(made, Migrate).commands
    assert downtime == "virsh migrate-setmaxdowntime db01 700"
    for words in (
        "--p2p",
        "--tls",
        "--auto-converge",
        "--postcopy",
        "--migrateuri tcp://b",
        "--listen-address ::",
        "--bandwidth 6",
        "--parallel --",
        "--parallel-connections 3",
        "--dname other",
        "--timeout 9 --timeout-suspend",
        "--change-protection",
    ):
        assert words in command


XML = """
<domain type='kvm'><os><type arch='x86_64' machine='q35'>hvm</type></os>
<cpu mode='custom'><model>Nehalem</model></cpu><devices><emulator>/bin/q</emulator>
<disk type='file'><source file='/i/top'/><target dev='vda'/><backingStore type='file'><source file='/i/base'/>
</backingStore></disk><interface type='network'><source network='lan'/></interface>
<interface type='network'><source network='lan'/></interface>
<hostdev type='pci'/><hostdev type='usb'/></devices></domain>"""


def test_the_definition_for_there() -> None:
    places = {"/i/top": "/n/top", "/i/base": "/n/base"}
    kept = there_xml(XML, places, ())
    assert "/n/top" in kept
    assert "/n/base" in kept
    flat = there_xml(XML, places, ("vda",))
    assert "/n/top" in flat
    assert "backingStore" not in flat
    assert asks_for(XML) == ("/bin/q", "x86_64", "q35", "kvm")
    assert "Nehalem" in (cpu_of(XML) or "")
    assert cpu_of(XML.replace("custom", "host-passthrough")) is None
    assert networks_of(XML) == ("lan",)
    assert own_cpu_mode(XML) is None
    assert own_cpu_mode(XML.replace("custom", "host-passthrough")) == "host-passthrough"


@pytest.mark.parametrize(
    ("device", "stays", "usb"),
    [
        ("<hostdev mode='subsystem' type='pci'/>", "a PCI device of the host", 0),
        ("<hostdev mode='subsystem' type='mdev' model='vfio-pci'/>", "a mediated device of the host", 0),
        ("<hostdev mode='subsystem' type='scsi'/>", "a SCSI device of the host", 0),
        ("<hostdev mode='subsystem' type='scsi_host'/>", "a SCSI host device of the host", 0),
        ("<hostdev mode='capabilities' type='storage'/>", "a storage device of the host", 0),
        ("<hostdev/>", "a nameless device of the host", 0),
        ("<interface type='hostdev'/>", "a network card of the host", 0),
        ("<interface type='hostdev'><teaming type='transient' persistent='ua'/></interface>", "", 0),
        ("<hostdev mode='subsystem' type='pci'><teaming type='transient'/></hostdev>", "", 0),
        (
            "<hostdev mode='subsystem' type='mdev'><teaming type='transient'/></hostdev>",
            "a mediated device",
            0,
        ),
        ("<hostdev mode='subsystem' type='usb'/>", "", 1),
    ],
)
def test_devices_of_the_host(device: str, stays: str, usb: int) -> None:
    text = f"<domain><devices>{device}</devices></domain>"
    found = devices_of(text)
    assert [stays in one for one in found] == ([True] if stays else [])
    assert usb_devices_of(text) == usb


def test_what_is_not_known_of_there_is_said() -> None:
    made = plan(facts(SAME, wanted=replace(WANTED, uncompared="No such call.", usb_devices=2)))
    assert refusals(made) == set()
    assert {"cpu-uncompared", "usb-device"} <= set(warnings(made))
    assert "The CPU was not compared with that of host-b: No such call." in [f.reason for f in made.findings]


def test_a_hundred_definitions_take_little_room() -> None:
    texts = [text_of(f"s{n}", created=n) for n in range(100)]
    assert unpacked(packed(texts)) == tuple(texts)
    assert len(packed(texts)) < 8000
    for damaged in ("", "!", packed(texts)[:200], packed([])[:-4]):
        with pytest.raises(ValueError, match="damaged"):
            unpacked(damaged)


def test_names_from_a_host_are_shown_harmless() -> None:
    bad = "\x1b[31m"
    hostile = replace(WANTED, name=bad, taken_names={bad: UUID}, networks=(bad,), cpu=bad, machine=bad)
    made = plan(facts(there=bad, wanted=hostile, **snapshots(*LINE)))
    assert not any("\x1b" in f.reason + f.remedy for f in made.findings)
    assert not any("\x1b" in value for _label, value in made.facts)
