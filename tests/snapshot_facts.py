"""What the tests of mirrored snapshots share: a guest, wishes for it, and what is known of the host."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.copy_facts import IMAGE, NEW
from tests.fake_host import GIB, NOW, make_disk, make_domain, make_mirror
from tui.model.disk import Disk, MirrorReady
from tui.model.diskspec import parse_diskspec
from tui.model.domain import Domain
from tui.model.facts import (
    CopyFacts,
    EndFacts,
    ImageFacts,
    LayerFacts,
    PathFacts,
    Sizes,
    running_on,
)
from tui.model.journal import Entry
from tui.model.mirrored_snapshot import Snapshot
from tui.model.plan import Plan
from tui.model.request import Ending, SnapshotEndRequest, SnapshotRequest
from tui.model.snapshot_case import TakeFacts, taken_disks
from tui.model.snapshot_end_plan import SnapshotEndFacts, plan_snapshot_end
from tui.model.snapshot_plan import plan_snapshot
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.storage import Chain, FileSource, Layer

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
    keys = (
        "disks",
        "memory",
        "description",
        "reuse_external",
        "bandwidth",
        "synchronous_writes",
        "quiesce",
        "limit",
        "accepted",
    )
    request = wish(domain, *specs, name=name, **{key: more.pop(key) for key in keys if key in more})
    return plan_snapshot(request, facts(domain, request, **more), "p1")


def taken(plan: Plan) -> TakeSnapshot:
    step = plan.steps[0]
    assert isinstance(step, TakeSnapshot)
    return step


OVERLAY = replace(IMAGE, image=ImageFacts(4 * GIB, "/slow/vda.qcow2", "qcow2", backing_exists=True))
THERE = replace(IMAGE, image=ImageFacts(4 * GIB, "/fast/vda.qcow2", "qcow2", backing_exists=True))


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


def end_facts(domain: Domain, *entries: Entry, **more: Any) -> SnapshotEndFacts:
    running = tuple(job for disk in domain.disks if (job := running_on(disk, None)))
    known = {key: more.pop(key) for key in ("uses", "removable") if key in more}
    end = EndFacts(domain, running, entries, now=NOW, **known)
    return SnapshotEndFacts(end, **more)


def finish(
    domain: Domain | None = None, found: Entry | None = None, ending: Ending = Ending.PIVOT, **more: Any
) -> Plan:
    domain, found = domain or mirrored(), found or entry()
    compare = more.pop("compare", True)
    name = more.pop("name", "s1")
    request = SnapshotEndRequest(domain.uuid, name, ending, compare)
    return plan_snapshot_end(request, end_facts(domain, found, **more), "p2")
