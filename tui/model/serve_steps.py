"""The steps by which the other host serves an image to the network for a disk to be copied into, and stops that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from tui.model.command import typed
from tui.model.migrate_steps import MakeThere


@dataclass(frozen=True, slots=True)
class ServeThere:
    """Serve an image that was made at the other host to one client, until that has gone."""

    made: MakeThere
    address: str
    """Where it listens, and is reached."""
    port: int
    export: str
    """The id of the plan: a server that exports this is this plan's."""

    @property
    def uuid(self) -> str:
        """The domain."""
        return self.made.uuid

    @property
    def targets(self) -> tuple[str, ...]:
        """The disk."""
        return self.made.targets

    @property
    def host(self) -> str:
        """What people call the other host."""
        return self.made.host

    @property
    def destination(self) -> str:
        """Its URI."""
        return self.made.destination

    @property
    def place(self) -> str:
        """Where the image lies there."""
        return self.made.image.path

    @property
    def format(self) -> str:
        """Its format."""
        return self.made.image.format

    @property
    def title(self) -> str:
        """For people."""
        return f"Serve {self.place} at {self.host}, port {self.port} of {self.address}, to this one copy"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, at the other host."""
        where = (f"--bind={self.address}", f"--port={self.port}", f"--export-name={self.export}")
        words = ("--fork", "--shared=1", "--discard=unmap", f"--format={self.format}", *where)
        return (typed("qemu-nbd", *words, "--", self.place),)

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"End the server of {self.place}, at {self.host}"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back, at the other host."""
        # By its words it would be found together with the shell in which they are typed.
        return (typed("fuser", "--kill", "--namespace", "tcp", str(self.port)),)


_Taken = TypeVar("_Taken", ServeThere, MakeThere)


@dataclass(frozen=True, slots=True)
class _TakesBack(Generic[_Taken]):
    """What takes a step back, and is called as that calls it."""

    step: _Taken

    @property
    def uuid(self) -> str:
        """The domain."""
        return self.step.uuid

    @property
    def targets(self) -> tuple[str, ...]:
        """The disk."""
        return self.step.targets

    @property
    def title(self) -> str:
        """For people."""
        return self.step.undo_title

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, at the other host."""
        return self.step.undo_commands


@dataclass(frozen=True, slots=True)
class StopServing(_TakesBack[ServeThere]):
    """See that the server has ended, as it does by itself when the copy has, or end it."""

    kept: bool
    """Whether the image stays as a copy."""


@dataclass(frozen=True, slots=True)
class RemoveThere(_TakesBack[MakeThere]):
    """Remove the unfinished image at the other host; only ever one that was made for the copy."""

    since: float
    """When the copy began, seconds since the epoch: an older file is not ours."""


ServeStep = ServeThere | StopServing | RemoveThere
