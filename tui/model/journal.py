"""A plan in progress, as it is written into the domain's metadata and read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, get_args

from lxml import etree

from tui.model import xml
from tui.model.begin_steps import Begin, StartCopy
from tui.model.chain_steps import ImageCopy, MakeImage, TakeOverlay
from tui.model.command import own
from tui.model.domain import PLAN_NAMESPACE
from tui.model.live_steps import Clone, SnapshotVolume, TakeInternal, TakeTogether, mirrored_snapshot
from tui.model.methods import Quiesce
from tui.model.migrate_request import Convergence, CopyStorage, TimeoutAction, Transport
from tui.model.migrate_steps import MakeThere, Migrate, ProveArrival, SetAside
from tui.model.request import Ending
from tui.model.serve_steps import ServeThere
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.steps import ChainStep, EndJobs, Proof, Step
from tui.model.text import printable
from tui.model.volume_steps import MakeVolume

STALE_AFTER = 90.0
"""Seconds without a heartbeat after which the owner is taken to be gone."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One plan of one domain: what is to be done, how far it is, and who does it.

    Each entry is a metadata element with a namespace of its own, so that two administrators who work on two
    disks of one domain never overwrite each other's journal.
    """

    id: str
    uuid: str
    title: str
    steps: tuple[Step, ...]
    reached: int
    """Index of the step that is being done; ``len(steps)`` when all are and the plan is held open."""
    owner: str
    """Who runs it, as ``root@host-a:4711``."""
    started: float
    """Wall clock, seconds since the epoch."""
    heartbeat: float
    """Wall clock of the last sign of life."""
    here: bool = False
    """Whether this very process is the owner; of each look anew, and nothing that is written down."""

    @property
    def who(self) -> str:
        """The owner, for people, within a sentence."""
        return "this program" if self.here else printable(self.owner)

    @property
    def subject(self) -> str:
        """The same, for a sentence to begin with."""
        return "This program" if self.here else printable(self.owner)

    @property
    def targets(self) -> frozenset[str]:
        """The disks it is about."""
        return frozenset(
            t for s in self.steps for t in (getattr(s, "targets", None) or (getattr(s, "target", None),)) if t
        )

    @property
    def begins(self) -> tuple[Begin, ...]:
        """The steps that begin jobs."""
        return tuple(s for s in self.steps if isinstance(s, Begin))

    @property
    def copies(self) -> tuple[StartCopy, ...]:
        """Those that begin copies: only they leave a destination behind."""
        return tuple(s for s in self.steps if isinstance(s, StartCopy))

    @property
    def mirrored(self) -> frozenset[str]:
        """The disks that it has begun mirrors of, which are of use only together."""
        begun = self.steps[: self.reached + 1]
        return frozenset(s.target for s in begun if isinstance(s, Begin) and s.job.mirrors)

    @property
    def moves(self) -> bool:
        """Whether it has made images or volumes that nobody but this entry knows of."""
        held = any(isinstance(s, TakeTogether | TakeInternal) for s in self.steps[: self.reached + 1])
        aside = any(isinstance(s, MakeThere | SetAside | Migrate) for s in self.steps[: self.reached + 1])
        return self.layered or held or aside or bool(self.volumes)

    @property
    def layered(self) -> bool:
        """Whether it has made layers, which are of use only together."""
        return any(
            isinstance(s, TakeOverlay | MakeImage | TakeSnapshot)
            or (isinstance(s, TakeTogether) and s.overlays)
            for s in self.steps[: self.reached + 1]
        )

    @property
    def volumes(self) -> tuple[MakeVolume, ...]:
        """The volumes that it has made for disks."""
        return tuple(s for s in self.steps[: self.reached + 1] if isinstance(s, MakeVolume))

    @property
    def snapshot(self) -> TakeSnapshot | None:
        """The snapshot that it takes, and whose mirrors it holds."""
        return mirrored_snapshot(self.steps)

    @property
    def ways_out(self) -> str:
        """The commands that bring a plan to its end which takes a snapshot with mirrors: those end once it is taken."""
        if self.snapshot is None:
            return ""
        name = self.snapshot.domain
        if self.step is None:
            return self.snapshot.deletions
        return f"{own('resume', name)}, or {own('undo', name)}"

    @property
    def serving(self) -> ServeThere | None:
        """The step by which another host serves the image that a disk is copied into."""
        return next((s for s in self.steps if isinstance(s, ServeThere)), None)

    @property
    def progress(self) -> str:
        """How far it is, as ``step 3 of 12``, for people."""
        return f"step {min(self.reached + 1, len(self.steps))} of {len(self.steps)}"

    @property
    def step(self) -> Step | None:
        """The step that is being done; ``None`` when all are."""
        return self.steps[self.reached] if self.reached < len(self.steps) else None

    @property
    def unfinished(self) -> bool:
        """Whether more is left to do than to look at what was done."""
        return any(not isinstance(step, Proof) for step in self.steps[self.reached :])

    @property
    def pauses(self) -> bool:
        """Whether the step that is being done has the guest paused for a while."""
        return isinstance(self.step, EndJobs | TakeTogether) and self.step.pause

    @property
    def freezes(self) -> bool:
        """Whether the step that is being done has the guest's file systems frozen for a while."""
        match self.step:
            case TakeOverlay():
                return self.step.quiesce
            case TakeTogether():
                return self.step.freezes
        return False

    @property
    def migration(self) -> Migrate | None:
        """The step that takes the domain to another host."""
        return next((s for s in self.steps if isinstance(s, Migrate)), None)

    @property
    def leads(self) -> Migrate | None:
        """The migration that it is at, unless its guest is off."""
        return self.step if isinstance(self.step, Migrate) and not self.step.offline else None

    def brings_from(self, host_uuid: str) -> str | None:
        """The host that it is taking its domain from, for people, if it takes it to that one now."""
        if self.leads is None or self.leads.host_uuid != host_uuid:
            return None
        return next((step.source_host for step in self.steps if isinstance(step, ProveArrival)), None)

    @property
    def arrived(self) -> bool:
        """Whether it was cut off when its domain had gone over already: its journal is at that host then."""
        return self.migration is not None and self.reached > self.steps.index(self.migration)

    @property
    def filling(self) -> bool:
        """Whether images at the destination are not complete yet, so that no guest may go over to them."""
        return any(isinstance(s, ChainStep) for s in self.steps[self.reached :])

    def begin_of(self, target: str) -> Begin | None:
        """The step that begins a job on a disk, the first if there are several."""
        return next((s for s in self.begins if s.target == target), None)

    def copy_of(self, target: str) -> StartCopy | None:
        """The step that begins the copy of a disk."""
        return next((s for s in self.copies if s.target == target), None)

    def volume_of(self, target: str) -> MakeVolume | None:
        """The step that has made a volume for a disk."""
        return next((s for s in self.volumes if s.target == target), None)

    def stale(self, now: float) -> bool:
        """Whether the owner has not been heard of for too long."""
        return now - self.heartbeat > STALE_AFTER


def latest(*told: Iterable[Entry]) -> tuple[Entry, ...]:
    """Each plan once, as the last of these has it that tells of it."""
    return tuple({entry.id: entry for entries in told for entry in entries}.values())


def namespace(plan_id: str) -> str:
    """The namespace URI under which libvirt keeps the entry."""
    return PLAN_NAMESPACE + plan_id


def entry_xml(entry: Entry) -> str:
    """The element for virDomainSetMetadata."""
    root = etree.Element(
        etree.QName(namespace(entry.id), "plan"),
        id=entry.id,
        title=entry.title,
        reached=str(entry.reached),
        owner=entry.owner,
        started=repr(entry.started),
        heartbeat=repr(entry.heartbeat),
    )
    for step in entry.steps:
        child = etree.SubElement(root, etree.QName(namespace(entry.id), "step"), kind=type(step).__name__)
        child.text = json.dumps(asdict(step))
    return etree.tostring(root, encoding="unicode")


_KINDS = {kind.__name__: kind for kind in get_args(Step)}


def parse_entry(text: str, uuid: str) -> Entry:
    """Read an entry back.

    Raises:
        xml.InvalidXML: when it is not one that this version wrote.
    """
    root = xml.parse(text)
    try:
        steps = tuple(_step(child.get("kind", ""), child.text or "") for child in root)
        return Entry(
            id=xml.required(root, "id"),
            uuid=uuid,
            title=xml.required(root, "title"),
            steps=steps,
            reached=int(xml.required(root, "reached")),
            owner=xml.required(root, "owner"),
            started=float(xml.required(root, "started")),
            heartbeat=float(xml.required(root, "heartbeat")),
        )
    except (KeyError, ValueError, TypeError) as error:
        message = f"a journal entry of this domain cannot be read ({error})"
        raise xml.InvalidXML(message) from error


def _frozen(value: Any) -> Any:
    """JSON has lists where steps have tuples."""
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def _fields(value: dict[str, Any]) -> dict[str, Any]:
    return {name: _frozen(part) for name, part in value.items()}


def _copies(values: Any) -> tuple[ImageCopy, ...]:
    return tuple(ImageCopy(**value) for value in values)


def _made_there(value: dict[str, Any]) -> MakeThere:
    return MakeThere(**{**value, "image": MakeImage(**_fields(value["image"]))})


def _served(value: dict[str, Any]) -> ServeThere:
    return ServeThere(**{**value, "made": _made_there(value["made"])})


def _convergence(value: dict[str, Any]) -> Convergence:
    return Convergence(**{**value, "timeout_action": TimeoutAction(value["timeout_action"])})


_READERS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "EndJobs": {"ending": Ending},
    "MakeThere": {"image": lambda value: MakeImage(**_fields(value))},
    "ServeThere": {"made": _made_there},
    "StopServing": {"step": _served},
    "RemoveThere": {"step": _made_there},
    "Migrate": {
        "storage": CopyStorage,
        "transport": lambda value: Transport(**value),
        "convergence": _convergence,
    },
    "CopyImages": {"images": _copies},
    "CopyLayersThere": {"images": _copies},
    "CompareThere": {"images": _copies},
    "TakeTogether": {
        "quiesce": Quiesce,
        "clones": lambda values: tuple(Clone(**value) for value in values),
        "volumes": lambda values: tuple(SnapshotVolume(**value) for value in values),
        "overlays": lambda value: value and TakeSnapshot(**_fields(value)),
    },
}
"""By kind of step: how those of its fields are read that are no plain values."""


def _step(kind: str, text: str) -> Step:
    fields = _fields(json.loads(text))
    fields |= {name: read(fields[name]) for name, read in _READERS.get(kind, {}).items() if name in fields}
    step: Step = _KINDS[kind](**fields)
    return step
