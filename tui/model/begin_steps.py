"""The steps that begin a block job on a disk, as values: a copy, a commit, a pull."""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.command import virsh
from tui.model.job import JobType
from tui.model.text import counted


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


Begin = StartCopy | StartCommit | StartPull
"""Steps that begin a job, whose ``path`` is the image that the job fills."""
