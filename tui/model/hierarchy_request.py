"""What a user asks for about snapshots that are there, or that a file brings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.model.finding import Acceptance
from tui.model.hierarchy_file import Saved


class After(StrEnum):
    """What a guest does when it has been taken back to a snapshot."""

    AS_THEN = "as-then"
    """What it did when the snapshot was taken."""
    RUNNING = "running"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class SnapshotImportRequest:
    """Have libvirt remember the snapshots that a file holds."""

    uuid: str
    file: str
    """Its absolute path, on this machine."""
    digest: str
    """Of what stood in it."""
    saved: Saved
    maps: tuple[tuple[str, str], ...] = ()
    """Old and new places of images: files, or directories with all that is in them."""
    current: bool = True
    """Mark the current one of the file as such."""
    accepted: frozenset[Acceptance] = frozenset()


@dataclass(frozen=True, slots=True)
class SnapshotDeleteRequest:
    """Delete a snapshot that has no mirrors."""

    uuid: str
    name: str
    itself: bool = True
    children: bool = False
    """Delete all that descend from it as well, or those alone."""
    metadata_only: bool = False
    """Have libvirt forget it; the images stay as they are."""


@dataclass(frozen=True, slots=True)
class SnapshotRevertRequest:
    """Take a domain back to a snapshot."""

    uuid: str
    name: str
    after: After = After.AS_THEN
    accepted: frozenset[Acceptance] = frozenset()


HierarchyRequest = SnapshotImportRequest | SnapshotDeleteRequest | SnapshotRevertRequest
