"""The steps a plan is made of, as values: what they are called and what a person would type instead.

How a step is run, seen to have happened and undone is the engine's part (``tui.engine.steps``), one function
each for every class here.
"""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.chain_steps import (
    CompareImages,
    CopyImages,
    MakeImage,
    MapSnapshots,
    Quarantine,
    TakeOverlay,
)
from tui.model.command import typed, virsh
from tui.model.hierarchy_steps import DefineSnapshots, HierarchyStep
from tui.model.job import JobType
from tui.model.live_steps import DropHeld, NoteSnapshot, TakeInternal, TakeTogether
from tui.model.migrate_steps import MakeThere, Migrate, MigrateStep, SetAside
from tui.model.quantity import rate
from tui.model.request import Ending
from tui.model.serve_steps import ServeStep, ServeThere
from tui.model.snapshot_steps import DropSnapshot, TakeSnapshot
from tui.model.text import counted
from tui.model.volume_steps import MakeVolume, RemoveVolume


@dataclass(frozen=True, slots=True)
class StartCopy:
    """Begin the mirror of one disk."""

    uuid: str
    domain: str
    target: str
    source: str
    """Where the disk lies now, for people."""
    path: str
    """Where it goes, for people."""
    xml: str
    """The destination as ``<disk>``."""
    creates: bool
    """Whether libvirt makes the destination file, so that cancelling may remove it."""
    format: str | None = None
    shallow: bool = False
    reuse_external: bool = False
    blockdev: bool = False
    transient_job: bool = False
    synchronous_writes: bool = False
    bandwidth: int = 0
    granularity: int = 0
    buf_size: int = 0
    simple: bool = True
    """Whether path, format and flags say all of the destination; else the command needs the XML in a file."""
    legacy: bool = False
    """Use virDomainBlockRebase, for a server without virDomainBlockCopy."""
    named: str = ""
    """What people call the image at the other end, where ``path`` is the address of what serves it."""

    @property
    def place(self) -> str:
        """What people call the place that it goes to."""
        return self.named or self.path

    @property
    def job(self) -> JobType:
        """The job that it begins."""
        return JobType.COPY

    @property
    def title(self) -> str:
        """For people."""
        return f"Mirror {self.target} of {self.domain} to {self.place}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        words = ["blockcopy", self.domain, self.target]
        words += ["--dest", self.path] if self.simple else ["--xml", "destination.xml"]
        if self.simple and self.format:
            words += ["--format", self.format]
        flags = {
            "--blockdev": self.blockdev and self.simple,
            "--shallow": self.shallow,
            "--reuse-external": self.reuse_external,
            "--transient-job": self.transient_job,
            "--synchronous-writes": self.synchronous_writes,
        }
        words += [flag for flag, given in flags.items() if given]
        if self.bandwidth:
            words += ["--bandwidth", str(self.bandwidth), "--bytes"]
        if self.granularity:
            words += ["--granularity", str(self.granularity)]
        if self.buf_size:
            words += ["--buf-size", str(self.buf_size)]
        return (virsh(*words),)


@dataclass(frozen=True, slots=True)
class StartCommit:
    """Begin to write what upper layers hold down into a lower one, which takes their place."""

    uuid: str
    domain: str
    target: str
    top: str
    """The uppermost layer that is merged, as libvirt knows it: ``vda[2]``, or a path."""
    base: str
    """The layer that takes the data, likewise."""
    path: str
    """Where that layer lies, for people."""
    xml: str
    """That layer as ``<disk>``, for the proof."""
    paths: tuple[str, ...]
    """The images that are merged into it, for people."""
    active: bool
    """Whether the guest writes to the top, so that the job gets in sync and then waits to be ended."""
    delete: bool = False
    """Have libvirt remove the merged images afterwards."""
    keep_relative: bool = False
    bandwidth: int = 0

    @property
    def job(self) -> JobType:
        """The job that it begins."""
        return JobType.ACTIVE_COMMIT if self.active else JobType.COMMIT

    @property
    def title(self) -> str:
        """For people."""
        images = counted(len(self.paths), "image")
        return f"Commit {images} of {self.target} into {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        words = ["blockcommit", self.domain, self.target, "--base", self.base]
        words += ["--active"] if self.active else ["--top", self.top]
        words += ["--delete"] if self.delete else []
        words += ["--keep-relative"] if self.keep_relative else []
        words += ["--bandwidth", str(self.bandwidth), "--bytes"] if self.bandwidth else []
        return (virsh(*words),)


@dataclass(frozen=True, slots=True)
class StartPull:
    """Begin to bring what lower layers hold up into the active one, which then stands without them."""

    uuid: str
    domain: str
    target: str
    base: str | None
    """The layer that stays below, as libvirt knows it; ``None`` where none does."""
    path: str
    """The active layer."""
    xml: str
    """The active layer as ``<disk>``."""
    paths: tuple[str, ...]
    """The images that are no longer needed, for people."""
    keep_relative: bool = False
    bandwidth: int = 0

    @property
    def job(self) -> JobType:
        """The job that it begins."""
        return JobType.PULL

    @property
    def title(self) -> str:
        """For people."""
        images = counted(len(self.paths), "image")
        return f"Pull {images} of {self.target} up into {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        words = ["blockpull", self.domain, self.target]
        words += ["--base", self.base] if self.base else []
        words += ["--keep-relative"] if self.keep_relative else []
        words += ["--bandwidth", str(self.bandwidth), "--bytes"] if self.bandwidth else []
        return (virsh(*words),)


@dataclass(frozen=True, slots=True)
class AwaitEnd:
    """Wait until a job that ends by itself has ended."""

    uuid: str
    domain: str
    target: str

    @property
    def title(self) -> str:
        """For people."""
        return f"Wait until the job on {self.target} is done"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        # An event would be waited for in vain when it has come already.
        look = virsh("blockjob", self.domain, self.target, "--info", "--raw")
        return (f"while {look} | grep -q .; do sleep 1; done",)


@dataclass(frozen=True, slots=True)
class AwaitSync:
    """Wait until the destination holds all that the source holds."""

    uuid: str
    domain: str
    target: str
    timeout: float | None = None
    """Seconds, after which the copy is cancelled."""

    @property
    def title(self) -> str:
        """For people."""
        return f"Wait until {self.target} is in sync"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        place = f"//disk[target/@dev='{self.target}']/mirror/@ready"
        return (f"until {virsh('dumpxml', self.domain, '--xpath', place)} | grep -q yes; do sleep 1; done",)


@dataclass(frozen=True, slots=True)
class EndJobs:
    """End the jobs of one or more disks of a domain: all pivot, all are kept, or all are cancelled."""

    uuid: str
    domain: str
    targets: tuple[str, ...]
    ending: Ending
    pause: bool = False
    """Pause the guest meanwhile, so that all disks change at one instant, or so that they can at all."""
    paths: tuple[str, ...] = ()
    """For a pivot: where each of the disks goes, one for each of the targets, or none where that is not known."""

    @property
    def title(self) -> str:
        """For people."""
        disks = " and ".join(self.targets)
        several = len(self.targets) > 1
        words = {
            Ending.PIVOT: f"pivot {disks} to {'their destinations' if several else 'its destination'}",
            Ending.KEEP: f"end the {'mirrors' if several else 'mirror'} of {disks} and keep the copy",
            Ending.CANCEL: f"cancel the {'jobs' if several else 'job'} on {disks}",
        }[self.ending]
        if self.pause:
            return f"Suspend {self.domain}, {words}, resume it"
        return words[0].upper() + words[1:]

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        flag = ("--pivot",) if self.ending is Ending.PIVOT else ()
        ends = tuple(virsh("blockjob", self.domain, t, "--abort", *flag) for t in self.targets)
        if not self.pause:
            return ends
        return (virsh("suspend", self.domain), *ends, virsh("resume", self.domain))


@dataclass(frozen=True, slots=True)
class RemoveDestination:
    """Remove the unfinished image that a cancelled copy leaves; only ever one that was made for that copy."""

    uuid: str
    domain: str
    target: str
    path: str
    since: float
    """When the copy began, seconds since the epoch: an older file is not ours."""

    @property
    def title(self) -> str:
        """For people."""
        return f"Remove {self.path}, made for this copy"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (typed("rm", "--", self.path),)


@dataclass(frozen=True, slots=True)
class ProvePivot:
    """Look at the host: live and persistent definition, image really open. Mend a stale definition."""

    uuid: str
    domain: str
    target: str
    xml: str
    """The destination as ``<disk>``."""
    path: str

    @property
    def title(self) -> str:
        """For people."""
        return f"Prove that {self.target} is on {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (
            virsh("domblklist", self.domain),
            virsh("domblklist", self.domain, "--inactive"),
            typed("lsof", "--", self.path),
        )


@dataclass(frozen=True, slots=True)
class ProveChain:
    """Look at the host: the chain that the guest uses is the one that was to come of it."""

    uuid: str
    domain: str
    target: str
    paths: tuple[str, ...]
    """The chain, the active layer first."""

    @property
    def title(self) -> str:
        """For people."""
        layers = counted(len(self.paths), "layer")
        return f"Prove that {self.target} has {layers} now"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (virsh("dumpxml", self.domain, "--xpath", f"//disk[target/@dev='{self.target}']"),)


@dataclass(frozen=True, slots=True)
class SetSpeed:
    """Change the limit of a job."""

    uuid: str
    domain: str
    target: str
    bandwidth: int
    """Bytes per second; 0 is no limit."""

    @property
    def title(self) -> str:
        """For people."""
        limit = f"to {rate(self.bandwidth)}" if self.bandwidth else "away"
        return f"Set the limit of {self.target} {limit}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (virsh("blockjob", self.domain, self.target, "--bandwidth", str(self.bandwidth), "--bytes"),)


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back what a step of an interrupted plan did, as far as the host shows that it was done."""

    step: Undoable
    since: float
    """When that plan began, seconds since the epoch: older files are not its own."""
    failed: bool = False
    """Whether it is the step that the plan did not get beyond."""

    @property
    def uuid(self) -> str:
        """The domain."""
        return self.step.uuid

    @property
    def title(self) -> str:
        """For people."""
        if isinstance(self.step, Begin):
            return f"Cancel the {self.step.job} of {self.step.target}"
        return self.step.undo_title

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, as far as it was done."""
        if isinstance(self.step, Begin):
            return (virsh("blockjob", self.step.domain, self.step.target, "--abort"),)
        return self.step.undo_commands


Begin = StartCopy | StartCommit | StartPull
"""Steps that begin a job, whose ``path`` is the image that the job fills."""
Undoable = (
    Begin
    | TakeOverlay
    | MakeImage
    | MakeVolume
    | TakeSnapshot
    | TakeTogether
    | TakeInternal
    | DefineSnapshots
    | NoteSnapshot
    | MakeThere
    | SetAside
    | Migrate
    | ServeThere
)
"""Steps that leave something behind when a plan is given up."""
ChainStep = TakeOverlay | MakeImage | CopyImages | CompareImages | TakeSnapshot
"""Steps without which a chain is not complete elsewhere, or that make one longer."""
TidyStep = MapSnapshots | Quarantine
"""Steps that follow when the guest has gone over."""
Step = (
    Begin
    | ChainStep
    | TidyStep
    | MakeVolume
    | RemoveVolume
    | AwaitSync
    | AwaitEnd
    | EndJobs
    | RemoveDestination
    | ProvePivot
    | ProveChain
    | SetSpeed
    | DropSnapshot
    | TakeTogether
    | TakeInternal
    | NoteSnapshot
    | DropHeld
    | HierarchyStep
    | MigrateStep
    | ServeStep
    | Undo
)
