"""The steps about snapshots that are there: define them, delete them, go back to one."""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.command import typed, virsh
from tui.model.text import counted


@dataclass(frozen=True, slots=True)
class DefineSnapshots:
    """Have libvirt remember snapshots whose images are there; no image is touched."""

    uuid: str
    domain: str
    file: str
    """What ``snapshot export`` wrote; definitions have secrets in them, which no journal may hold."""
    digest: str
    """Of what stood in it when the plan was made."""
    snapshots: tuple[str, ...]
    """The names of those that are told of, parents first."""
    identities: tuple[str, ...]
    """What tells each of these from another one of its name."""
    befores: tuple[str, ...] = ()
    """The paths that they name in the file."""
    afters: tuple[str, ...] = ()
    """The paths that they are to name, one for each of those."""
    current: str | None = None
    """Which one is marked as current then; ``None`` leaves that as it is."""
    previous: str | None = None
    """Which one was."""
    mended: tuple[str, ...] = ()
    """Those that are there already, but for what libvirt changed in them when others were forgotten.

    Once those are forgotten again, libvirt changes it again.
    """
    former: tuple[str, ...] = ()
    """What tells each of these until then."""

    @property
    def new(self) -> tuple[str, ...]:
        """The names of those that are not there yet."""
        return tuple(name for name in self.snapshots if name not in self.mended)

    @property
    def title(self) -> str:
        """For people."""
        if not self.snapshots:
            return f"Mark the snapshot {self.current} of {self.domain} as current"
        title = f"Define {the_snapshots(self.new)} of {self.domain}, parents first"
        if self.mended:
            title += f", and mend {the_snapshots(self.mended)}"
        return f"{title}; {self.current} is the current one then" if self.current else title

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, with each ``<domainsnapshot>`` in a file of its own."""
        made = tuple(
            virsh("snapshot-create", self.domain, f"{name}.xml", "--redefine") for name in self.snapshots
        )
        if self.current is None:
            return made
        return (
            *made,
            virsh("snapshot-create", self.domain, f"{self.current}.xml", "--redefine", "--current"),
        )

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"Forget again {the_snapshots(self.new)} of {self.domain}"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back."""
        gone = tuple(virsh("snapshot-delete", self.domain, name, "--metadata") for name in reversed(self.new))
        if self.previous is None or self.current is None:
            return gone
        return (
            *gone,
            virsh("snapshot-create", self.domain, f"{self.previous}.xml", "--redefine", "--current"),
        )


@dataclass(frozen=True, slots=True)
class DeleteSnapshots:
    """Have libvirt delete snapshots one by one, the youngest first."""

    uuid: str
    domain: str
    snapshots: tuple[str, ...]
    """All that go, parents first."""
    metadata_only: bool = False
    """Only what libvirt remembers; else the data goes as well."""
    targets: tuple[str, ...] = ()
    """The disks whose overlays are merged."""
    overlays: tuple[str, ...] = ()
    """Those, one for each of the targets."""
    paths: tuple[str, ...] = ()
    """The images that internal ones lie in."""
    formats: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """The images of states on branches that the guest has left: libvirt removes them, and merges nothing."""

    @property
    def title(self) -> str:
        """For people."""
        if self.metadata_only:
            return f"Forget {the_snapshots(self.snapshots)} of {self.domain}; the images stay as they are"
        if self.targets:
            disks = " and ".join(dict.fromkeys(self.targets))
            return (
                f"Delete {the_snapshots(self.snapshots)}: merge the overlay of {disks} into what it stands on"
            )
        if self.removed:
            return f"Delete {the_snapshots(self.snapshots)} of {self.domain}: remove {' and '.join(self.removed)}"
        return f"Delete {the_snapshots(self.snapshots)} of {self.domain} from the images"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        words = ["--metadata"] if self.metadata_only else []
        return tuple(virsh("snapshot-delete", self.domain, name, *words) for name in reversed(self.snapshots))


@dataclass(frozen=True, slots=True)
class RemoveMemories:
    """Remove the files with the memory of the guest that snapshots held: libvirt before 9.9 leaves them."""

    uuid: str
    domain: str
    snapshots: tuple[str, ...]
    paths: tuple[str, ...]

    @property
    def title(self) -> str:
        """For people."""
        return f"Remove {' and '.join(self.paths)}, the memory that {the_snapshots(self.snapshots)} held"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (typed("rm", "-f", "--", *self.paths),)


@dataclass(frozen=True, slots=True)
class RevertSnapshot:
    """Have libvirt take a domain back to a snapshot."""

    uuid: str
    domain: str
    snapshot: str
    disks: tuple[str, ...] = ()
    """The disks whose state is known to lie in images that they are on then."""
    paths: tuple[str, ...] = ()
    """Those, one for each of the disks."""
    overlaid: tuple[str, ...] = ()
    """The disks that get a new overlay on the image with their state."""
    bases: tuple[str, ...] = ()
    """Those, one for each of them."""
    running: bool = False
    paused: bool = False
    """Let the guest run, or not, whatever it did then."""

    @property
    def title(self) -> str:
        """For people."""
        return f"Take {self.domain} back to the snapshot {self.snapshot}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        words = ["--running"] if self.running else ["--paused"] if self.paused else []
        return (virsh("snapshot-revert", self.domain, self.snapshot, *words),)


HierarchyStep = DefineSnapshots | DeleteSnapshots | RemoveMemories | RevertSnapshot


def the_snapshots(names: tuple[str, ...]) -> str:
    """The one by its name, of several how many they are."""
    return f"the snapshot {names[0]}" if len(names) == 1 else counted(len(names), "snapshot")
