"""A host that plays what a test tells it to and remembers what it was asked: a ``Control`` without libvirt.

Nothing here imitates libvirt. It is for what stands in front of the engine: the screen and the command line,
whose exact calls are asserted.
"""

from __future__ import annotations

import itertools
import threading
import uuid as uuids
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tui.engine.control import End, Level, LogLine, Outcome
from tui.engine.errors import HostError, ReadOnlyError
from tui.model.begin_steps import StartCopy
from tui.model.disk import Device, Disk, Mirror, MirrorJob, MirrorReady
from tui.model.domain import Definition, Domain, RunState
from tui.model.facts import EndFacts
from tui.model.finding import Finding, fine
from tui.model.hierarchy import Hierarchy, SnapshotView
from tui.model.hierarchy_case import HierarchyFacts
from tui.model.hierarchy_file import Saved
from tui.model.hierarchy_noted import notes_of
from tui.model.hierarchy_plan import plan_hierarchy
from tui.model.hierarchy_request import (
    SnapshotDeleteRequest,
    SnapshotImportRequest,
    SnapshotRevertRequest,
)
from tui.model.host import HostState, Link, Memory
from tui.model.job import Job, JobType, Phase, Progress, Sample
from tui.model.journal import Entry
from tui.model.live_case import LiveFacts
from tui.model.live_plan import plan_live_snapshot
from tui.model.merge_case import MergeFacts
from tui.model.merge_plan import plan_merge
from tui.model.migrate_case import MigrateFacts
from tui.model.migrate_plan import plan_migrate
from tui.model.migrate_request import MigrateRequest, MigrationTuneRequest
from tui.model.move_case import MoveFacts
from tui.model.move_plan import plan_move
from tui.model.plan import Plan
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import (
    CommitRequest,
    CopyRequest,
    Ending,
    EndRequest,
    LiveSnapshotRequest,
    MoveRequest,
    PullRequest,
    RecoverRequest,
    RemoteCopyRequest,
    Request,
    SnapshotEndRequest,
    SnapshotRequest,
    SpeedRequest,
    Then,
)
from tui.model.snapshot_case import TakeFacts
from tui.model.snapshot_end_plan import SnapshotEndFacts, plan_snapshot_end
from tui.model.snapshot_plan import plan_snapshot
from tui.model.steps import (
    AwaitSync,
    EndJobs,
    ProvePivot,
    RemoveDestination,
    SetSpeed,
    Step,
)
from tui.model.storage import Chain, FileSource, Layer
from tui.model.tune_plan import plan_tune

MIB = 1024 * 1024
GIB = 1024 * MIB
NOW = 1_700_000_000.0
"""The wall clock of everything that the builders make."""


def uuid_of(name: str) -> str:
    """The UUID that ``make_domain`` gives to a name: always the same one."""
    return str(uuids.uuid5(uuids.NAMESPACE_DNS, name))


def make_chain(*paths: str, format: str | None = "qcow2", complete: bool = True) -> Chain:  # noqa: A002
    """A chain of files, the active layer first, numbered as libvirt numbers them."""
    layers = tuple(Layer(FileSource(path), format, index) for index, path in enumerate(paths, start=1))
    return Chain(layers, complete)


def make_disk(
    target: str = "vda",
    *paths: str,
    bus: str | None = "virtio",
    device: Device = Device.DISK,
    mirror: Mirror | None = None,
    readonly: bool = False,
) -> Disk:
    """A disk on the files of ``paths``, or on one named for the target."""
    return Disk(
        target=target,
        bus=bus,
        device=device,
        chain=make_chain(*(paths or (f"/slow/{target}.qcow2",))),
        mirror=mirror,
        readonly=readonly,
    )


def make_mirror(path: str = "/fast/vda.qcow2", ready: MirrorReady = MirrorReady.NO) -> Mirror:
    """The ``<mirror>`` of a copy to ``path``."""
    return Mirror(MirrorJob.COPY, ready, make_chain(path))


def make_domain(
    name: str = "db01",
    *,
    disks: Iterable[Disk] | None = None,
    state: RunState = RunState.RUNNING,
    persistent: bool = True,
    uuid: str | None = None,
) -> Domain:
    """A domain with one disk, unless ``disks`` are given."""
    definition = Definition(
        name=name,
        uuid=uuid or uuid_of(name),
        disks=tuple(disks) if disks is not None else (make_disk(),),
        hypervisor="kvm",
    )
    return Domain(definition, state, persistent)


_numbers = itertools.count(1)


def make_job(
    domain: Domain | str = "db01",
    target: str = "vda",
    *,
    phase: Phase = Phase.COPYING,
    type: JobType = JobType.COPY,  # noqa: A002
    cur: int = 1 * GIB,
    end: int = 4 * GIB,
    bandwidth: int = 0,
    progress: Progress | None = None,
    source: str = "/slow/vda.qcow2",
    destination: str = "/fast/vda.qcow2",
    samples: tuple[Sample, ...] = (),
    plan: str | None = "p1",
    remark: str | None = None,
    number: int | None = None,
) -> Job:
    """A job of a disk; ``progress`` overrides ``cur``, ``end`` and ``bandwidth``."""
    name = domain if isinstance(domain, str) else domain.name
    return Job(
        number=next(_numbers) if number is None else number,
        uuid=uuid_of(domain) if isinstance(domain, str) else domain.uuid,
        domain=name,
        target=target,
        type=type,
        phase=phase,
        source=Layer(FileSource(source), "qcow2", 1),
        destination=make_chain(destination),
        progress=progress or Progress(cur, end, bandwidth, type),
        samples=samples,
        started=NOW,
        in_sync_since=NOW + 60 if phase in (Phase.IN_SYNC, Phase.PIVOTING, Phase.DONE) else None,
        ended=NOW + 90 if phase.ended else None,
        plan=plan,
        remark=remark,
    )


def make_samples(
    *,
    count: int = 11,
    every: float = 1.0,
    rate: int = 100 * MIB,
    guest: int | None = 0,
    cur: int = 0,
    end: int = 4 * GIB,
) -> tuple[Sample, ...]:
    """What ticks see of a copy at ``rate``; ``end`` grows with what the ``guest`` writes."""
    return tuple(
        Sample(
            at=tick * every,
            cur=cur + int(rate * tick * every),
            end=end + int((guest or 0) * tick * every),
            guest_written=None if guest is None else int(guest * tick * every),
        )
        for tick in range(count)
    )


def make_state(
    *domains: Domain,
    uri: str = "test:///fake",
    jobs: Iterable[Job] = (),
    link: Link = Link.LIVE,
    hostname: str | None = "fake-host",
    error: str | None = None,
    unread: int = 0,
    read_only: bool = False,
) -> HostState:
    """The picture of a live host; one domain ``db01`` when none is given."""
    return HostState(
        uri=uri,
        link=link,
        link_since=NOW,
        error=error,
        hostname=hostname,
        libvirt=(9, 0, 0),
        hypervisor="QEMU 7.2.22",
        read_only=read_only,
        domains=tuple(sorted(domains or (make_domain(),), key=lambda d: d.name)),
        listed=link is Link.LIVE,
        unread=unread,
        jobs=tuple(jobs),
        refreshed=NOW,
    )


class FakeRun:
    """A run that ends when the test says so."""

    def __init__(self, plan: Plan, calls: list[tuple[Any, ...]]) -> None:
        """Begin at the first step; ``calls`` is where ``leave`` is recorded."""
        self.plan = plan
        self.step = 0
        self._calls = calls
        self._ended = threading.Event()
        self._outcome: Outcome | None = None

    def finish(self, outcome: Outcome) -> None:
        """End it so; the first end counts."""
        if self._outcome is None:
            self._outcome = outcome
            self.step = len(self.plan.steps)
        self._ended.set()

    def wait(self, timeout: float | None = None) -> Outcome | None:
        """As ``Run.wait``."""
        self._ended.wait(timeout)
        return self._outcome

    def leave(self) -> None:
        """As ``Run.leave``: recorded, and the run ends as left."""
        self._calls.append(("leave", self.plan))
        self.finish(Outcome(End.LEFT, "The job goes on."))


class FakeControl:
    """A scripted host.

    Attributes:
        calls: everything that was asked, in order: ``("plan", request)``, ``("run", plan)``,
            ``("leave", plan)``, ``("refresh", uuid)``, ``("places",)``, ``("close",)``.
        findings: what the default plan finds.
        planner: makes the plan instead of ``default_plan``; may raise ``HostError``.
        outcome: how every run ends, at once; ``None`` leaves it open until ``runs[-1].finish(...)``.
        on_run: called in ``run`` with the new run, to publish states or to end it.
        error: raised by ``plan`` and ``run`` when set.
        pools: the answer of ``places``.
        view: the answer of ``snapshots``.
        room: the answer of ``memory``.
    """

    def __init__(
        self, uri: str = "test:///fake", states: HostState | None = None, *, read_only: bool = False
    ) -> None:
        """Be a host that shows ``states``, or a live one with one domain."""
        self.uri = uri
        self.read_only = read_only
        self.calls: list[tuple[Any, ...]] = []
        self.findings: tuple[Finding, ...] = (fine("host", "The host answers."),)
        self.planner: Callable[[Request], Plan] | None = None
        self.outcome: Outcome | None = Outcome(End.DONE, "Done.")
        self.on_run: Callable[[FakeRun], None] | None = None
        self.error: HostError | None = None
        self.pools: tuple[str, ...] = ("/fast", "/slow")
        self.view: SnapshotView | None = None
        self.room = Memory(free=48 * GIB, total=64 * GIB)
        self.runs: list[FakeRun] = []
        self._state = replace(states or make_state(), uri=uri, read_only=read_only)
        self._lock = threading.Lock()
        self._listeners: list[tuple[Callable[[HostState], None], Callable[[LogLine], None]]] = []

    @property
    def state(self) -> HostState:
        """The latest picture."""
        return self._state

    @property
    def under_way(self) -> tuple[Entry, ...]:
        """The plans of the runs that have not ended."""
        plans = (run.plan for run in self.runs if run.wait(0) is None)
        return tuple(Entry(p.id, p.uuid, p.title, p.steps, 0, "root@here:1", NOW, NOW) for p in plans)

    @property
    def requests(self) -> list[Request]:
        """The requests that plans were made for, in order."""
        return [call[1] for call in self.calls if call[0] == "plan"]

    @property
    def subscribers(self) -> int:
        """How many are being told."""
        return len(self._listeners)

    def publish(self, state: HostState) -> None:
        """Show a new picture: subscribers are told in the thread of the caller."""
        self._state = replace(state, uri=self.uri, read_only=self.read_only)
        with self._lock:
            listeners = list(self._listeners)
        for on_state, _ in listeners:
            on_state(self._state)

    def log(self, line: LogLine | str, level: Level = Level.INFO) -> None:
        """Say something; a string becomes a line of this host."""
        if isinstance(line, str):
            line = LogLine(NOW, self._state.name, level, line)
        with self._lock:
            listeners = list(self._listeners)
        for _, on_log in listeners:
            on_log(line)

    def subscribe(
        self, on_state: Callable[[HostState], None], on_log: Callable[[LogLine], None]
    ) -> Callable[[], None]:
        """As ``Control.subscribe``."""
        listener = (on_state, on_log)
        with self._lock:
            self._listeners.append(listener)
        on_state(self._state)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def plan(self, request: Request) -> Plan:
        """The plan of ``planner``, or the default one."""
        self.calls.append(("plan", request))
        if self.error:
            raise self.error
        if self.planner:
            return self.planner(request)
        return replace(default_plan(request, self._state, self.findings), request=request)

    def run(self, plan: Plan) -> FakeRun:
        """Begin a run; it ends as ``outcome`` says."""
        self.calls.append(("run", plan))
        if self.read_only:
            message = "The connection is read-only."
            raise ReadOnlyError(message)
        if self.error:
            raise self.error
        if plan.refused:
            message = "The plan is refused."
            raise HostError(message)
        run = FakeRun(plan, self.calls)
        self.runs.append(run)
        if self.on_run:
            self.on_run(run)
        if self.outcome:
            run.finish(self.outcome)
        return run

    def go_on(self, uuid: str) -> None:
        """Recorded."""
        self.calls.append(("go_on", uuid))
        self.publish(replace(self._state, awaited={}))

    def give_up(self, uuid: str) -> None:
        """As ``Control.give_up``."""
        self.calls.append(("give_up", uuid))
        given_up = {uuid: replace(part, given_up=True) for uuid, part in self._state.awaited.items()}
        self.publish(replace(self._state, awaited=given_up))

    def refresh(self, uuid: str | None = None) -> None:
        """Recorded; the state stays as it is."""
        self.calls.append(("refresh", uuid))

    def examine(self, uuid: str | None = None) -> tuple[Finding, ...]:
        """Recorded; ``findings`` is what is found."""
        self.calls.append(("examine", uuid))
        return self.findings

    def snapshots(self, uuid: str) -> SnapshotView:
        """Recorded; ``view`` or a domain without snapshots."""
        self.calls.append(("snapshots", uuid))
        domain = self._state.domain(uuid)
        assert domain is not None
        return self.view or SnapshotView(domain, Hierarchy())

    def save_snapshots(self, uuid: str) -> Saved:
        """Recorded; the snapshots of ``view``."""
        view = self.snapshots(uuid)
        noted = tuple(note.name for note in notes_of(view.domain))
        return Saved(view.domain.name, view.domain.uuid, view.hierarchy.snapshots, noted=noted)

    def memory(self) -> Memory:
        """As it was set."""
        self.calls.append(("memory",))
        return self.room

    def places(self) -> tuple[str, ...]:
        """The pools."""
        self.calls.append(("places",))
        return self.pools

    def close(self) -> None:
        """Recorded."""
        self.calls.append(("close",))


def default_plan(  # noqa: C901, PLR0911, PLR0912  one for each kind of request
    request: Request, state: HostState, findings: tuple[Finding, ...] = ()
) -> Plan:
    """The steps that such a request usually has, with no look at whether they make sense."""
    domain = state.domain(request.uuid)
    name = domain.name if domain else request.uuid
    match request:
        case CopyRequest(target=target):
            return _copy_plan(request, name, _source(domain, target), findings)
        case RemoteCopyRequest(copy=wish):
            return _copy_plan(wish, name, _source(domain, wish.target), findings)
        case CommitRequest() | PullRequest():
            disk = domain.disk(request.target) if domain else None
            facts = MergeFacts(domain or make_domain(), disk, snapshots=())
            return replace(plan_merge(request, facts, "p4"), findings=findings)
        case MoveRequest():
            known = MoveFacts(domain or make_domain(), request.directory)
            return replace(plan_move(request, known, "p5"), findings=findings)
        case SnapshotRequest():
            taken = TakeFacts(domain or make_domain())
            return replace(plan_snapshot(request, taken, "p7"), findings=findings)
        case LiveSnapshotRequest():
            live = LiveFacts(domain or make_domain())
            return replace(plan_live_snapshot(request, live, "p9", NOW), findings=findings)
        case SnapshotEndRequest():
            held = SnapshotEndFacts(EndFacts(domain or make_domain(), entries=state.entries_of(request.uuid)))
            return plan_snapshot_end(request, held, "p8")
        case SnapshotImportRequest() | SnapshotDeleteRequest() | SnapshotRevertRequest():
            return plan_hierarchy(request, HierarchyFacts(domain or make_domain()), "p9")
        case MigrateRequest():
            there = MigrateFacts(domain or make_domain(), there="host-b")
            return plan_migrate(request, there, "p10")
        case MigrationTuneRequest():
            return plan_tune(request, domain or make_domain(), state.migrations.get(request.uuid), "p11")
        case RecoverRequest():
            found = RecoverFacts(domain or make_domain(), state.entries_of(request.uuid), now=NOW)
            return plan_recover(request, found, "p6")
        case EndRequest(targets=targets, ending=ending):
            end = EndJobs(request.uuid, name, targets, ending, request.pause)
            return Plan("p2", end.title, request.uuid, name, findings, (end, *_after(request, state, name)))
        case SpeedRequest(target=target, bandwidth=bandwidth):
            speed = SetSpeed(request.uuid, name, target, bandwidth)
            return Plan("p3", speed.title, request.uuid, name, findings, (speed,), journalled=False)


def _copy_plan(request: CopyRequest, name: str, source: str, findings: tuple[Finding, ...]) -> Plan:
    uuid, target, layer = request.uuid, request.target, request.destination.active
    path = layer.path if layer else "?"
    start = StartCopy(
        uuid=uuid,
        domain=name,
        target=target,
        source=source,
        path=path,
        xml=f"<disk type='file'><source file='{path}'/></disk>",
        creates=not request.reuse_external,
        format=layer.format if layer else None,
        shallow=request.shallow,
        reuse_external=request.reuse_external,
        transient_job=request.transient_job,
        synchronous_writes=request.synchronous_writes,
        bandwidth=request.bandwidth,
        granularity=request.granularity,
        buf_size=request.buf_size,
    )
    steps: list[Step] = [start, AwaitSync(uuid, name, target, request.timeout)]
    if request.then is not Then.HOLD:
        steps.append(EndJobs(uuid, name, (target,), Ending(request.then.value)))
    if request.then is Then.PIVOT:
        steps.append(ProvePivot(uuid, name, target, start.xml, path))
    facts = (("domain", name), ("disk", target), ("from", source), ("to", path))
    return Plan("p1", start.title, uuid, name, findings, tuple(steps), facts=facts)


def _after(request: EndRequest, state: HostState, name: str) -> tuple[Step, ...]:
    jobs = [(t, job) for t in request.targets if (job := state.job(request.uuid, t))]
    paths = [(t, layer.path) for t, job in jobs if (layer := job.destination.active)]
    if request.ending is Ending.PIVOT:
        return tuple(ProvePivot(request.uuid, name, t, f"<disk file='{p}'/>", p) for t, p in paths)
    if request.ending is Ending.CANCEL:
        return tuple(RemoveDestination(request.uuid, name, t, p, NOW) for t, p in paths)
    return ()


def _source(domain: Domain | None, target: str) -> str:
    disk = domain.disk(target) if domain else None
    active = disk.chain.active if disk else None
    return active.path if active else "?"
