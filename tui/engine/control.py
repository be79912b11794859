"""What a screen or a command may ask of one host. ``tui.engine.host.Host`` is the real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tui.model.finding import Finding
from tui.model.hierarchy import SnapshotView
from tui.model.hierarchy_file import Saved
from tui.model.host import HostState, Memory
from tui.model.journal import Entry
from tui.model.plan import Plan
from tui.model.request import Request


class Level(StrEnum):
    """How much a log line matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One thing that happened, for the log drawer and for standard error."""

    at: float
    """Wall clock, seconds since the epoch."""
    host: str
    level: Level
    text: str
    commands: tuple[str, ...] = ()
    """What a person would have typed."""
    domain: str | None = None


class End(StrEnum):
    """How the run of a plan ended."""

    DONE = "done"
    FAILED = "failed"
    LEFT = "left"
    """Nobody waits any more; what was started goes on in QEMU."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run."""

    end: End
    message: str = ""
    """One sentence."""
    findings: tuple[Finding, ...] = ()
    """What was proved."""
    cancelled: bool = False
    """Whether it failed only because somebody cancelled what it waited for."""


class Run(Protocol):
    """A plan being carried out in a thread of its own."""

    plan: Plan

    @property
    def step(self) -> int:
        """Index of the step being done."""

    def wait(self, timeout: float | None = None) -> Outcome | None:
        """Block until it ends and say how; ``None`` when ``timeout`` seconds pass first."""

    def leave(self) -> None:
        """Stop waiting. A job that was started goes on, and its journal stays."""


class Control(Protocol):
    """One host. All methods may be called from any thread."""

    uri: str
    read_only: bool

    @property
    def state(self) -> HostState:
        """The latest picture."""

    @property
    def under_way(self) -> tuple[Entry, ...]:
        """The plans that are carried out from here now, those in no journal too, as far as they are."""

    def subscribe(
        self, on_state: Callable[[HostState], None], on_log: Callable[[LogLine], None]
    ) -> Callable[[], None]:
        """Be told of the picture, every new one, and each log line, from this host's thread: hand over and return.

        Returns a function that ends the subscription.
        """

    def plan(self, request: Request) -> Plan:
        """Look at the host and make the plan; changes nothing. Blocks until the host has answered.

        Raises:
            HostError: when the host cannot be asked.
        """

    def run(self, plan: Plan) -> Run:
        """Begin to carry out a plan.

        Raises:
            ReadOnlyError: on a read-only connection.
            HostError: when the plan's own findings refuse it.
        """

    def go_on(self, uuid: str) -> None:
        """Tell a plan that holds a guest still for the user that he has done his part."""

    def give_up(self, uuid: str) -> None:
        """Tell it that he will not do it: the guest goes on, and what was taken is taken back."""

    def refresh(self, uuid: str | None = None) -> None:
        """Read one domain again, or all of them; returns at once."""

    def examine(self, uuid: str | None = None) -> tuple[Finding, ...]:
        """Look for what is wrong or left over, on one domain or everywhere. Blocks; changes nothing.

        Raises:
            HostError: when the host cannot be asked.
        """

    def snapshots(self, uuid: str) -> SnapshotView:
        """The snapshots that libvirt knows of a domain, and what their images are to its chains. Blocks.

        Raises:
            HostError: when the host cannot be asked, or the domain is gone.
        """

    def save_snapshots(self, uuid: str) -> Saved:
        """The same with all that is needed to define them again, secrets included. Blocks.

        Raises:
            HostError: when the host cannot be asked, or does not tell that on this connection.
        """

    def memory(self) -> Memory:
        """How much the host has, and how much of it more guests could have. Blocks.

        Raises:
            HostError: when the host cannot be asked, or does not tell.
        """

    def places(self) -> tuple[str, ...]:
        """Directories of the storage pools, and ``pool:NAME`` for those of volumes, for completion. Blocks."""

    def close(self) -> None:
        """Let go of the host at once; jobs go on in QEMU."""
