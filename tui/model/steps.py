"""The steps a plan is made of, as values: what they are called and what a person would type instead.

How a step is run, seen to have happened and undone is the engine's part (``tui.engine.steps``), one function
each for every class here.
"""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.begin_steps import Begin
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
from tui.model.live_steps import DropHeld, NoteSnapshot, TakeInternal, TakeTogether
from tui.model.migrate_steps import MakeThere, Migrate, MigrateStep, SetAside
from tui.model.quantity import rate
from tui.model.request import Ending
from tui.model.serve_steps import ServeStep, ServeThere
from tui.model.snapshot_steps import DropSnapshot, TakeSnapshot
from tui.model.text import counted
from tui.model.volume_steps import MakeVolume, RemoveVolume


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
    removes: str = ""
    """The image that was made for the job and goes with it; empty where none does."""

    @property
    def uuid(self) -> str:
        """The domain."""
        return self.step.uuid

    @property
    def title(self) -> str:
        """For people."""
        if isinstance(self.step, Begin):
            removal = f", and remove {self.removes}" if self.removes else ""
            return f"Cancel the {self.step.job} of {self.step.target}{removal}"
        return self.step.undo_title

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, as far as it was done."""
        if isinstance(self.step, Begin):
            removal = (typed("rm", "--", self.removes),) if self.removes else ()
            return (virsh("blockjob", self.step.domain, self.step.target, "--abort"), *removal)
        return self.step.undo_commands


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
Proof = ProvePivot | ProveChain
"""Steps that look whether all is as it was to be."""
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
