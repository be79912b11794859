"""What the tests of copy plans share: a host in every state, and the plan for a wish on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.fake_host import GIB, NOW, make_chain, make_disk, make_domain
from tui.model.begin_steps import StartCopy
from tui.model.copy_plan import plan_copy
from tui.model.disk import Disk
from tui.model.facts import (
    CopyFacts,
    ImageFacts,
    LayerFacts,
    PathFacts,
    PathKind,
    Sizes,
    Use,
    UseKind,
)
from tui.model.finding import Severity
from tui.model.journal import Entry
from tui.model.plan import Plan
from tui.model.request import CopyRequest
from tui.model.steps import AwaitSync
from tui.model.storage import (
    BlockSource,
    Chain,
    FileSource,
    Layer,
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


def with_snapshot(at: int) -> CopyFacts:
    layers = list(facts().layers)
    layers[at] = replace(layers[at], snapshots=("before [upgrade]\x1b",))
    return facts(layers=tuple(layers))
