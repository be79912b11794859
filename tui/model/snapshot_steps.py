"""The steps about snapshots that libvirt remembers."""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.chain_steps import merging_back
from tui.model.command import snapshot_deletion, typed, virsh
from tui.model.diskspec import diskspec, memspec
from tui.model.mirrored_snapshot import Kind, file_disk


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Give disks a new active layer, all at one instant, as a snapshot that libvirt remembers."""

    uuid: str
    domain: str
    name: str
    """Of the snapshot."""
    xml: str
    """The whole ``<domainsnapshot>``, each disk of the domain named."""
    targets: tuple[str, ...]
    paths: tuple[str, ...]
    """The new layers, one for each of the targets."""
    formats: tuple[str, ...]
    bases: tuple[str, ...]
    """The active layers until now."""
    base_xmls: tuple[str, ...]
    """Those as ``<disk>``, for going back."""
    others: tuple[str, ...] = ()
    """The disks of the domain that are left alone."""
    description: str = ""
    reuse_external: bool = False
    """The new layers are images that exist already, and stay whatever happens."""
    metadata: bool = True
    """libvirt keeps a record of it."""
    validate: bool = False
    """libvirt checks the XML against its schema as well."""
    memory: str | None = None
    """The file that the memory of the guest is written to as well."""
    live: bool = False
    """The guest goes on while that is being written, and stands still but for the end of it."""
    limit: float | None = None
    """Seconds for which it may stand still."""
    simple: bool = True
    """Whether names, paths and formats say all of it; else the command needs the XML in a file."""

    @property
    def title(self) -> str:
        """For people."""
        what = " and ".join((*self.targets, "the memory") if self.memory else self.targets)
        return f"Take the snapshot {self.name} of {what}: what is new goes to overlays"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        words = ["--disk-only"] if self.memory is None else ["--live"] if self.live else []
        words += ["--atomic", *(["--reuse-external"] if self.reuse_external else [])]
        words += [] if self.metadata else ["--no-metadata"]
        words += ["--validate"] if self.validate else []
        if not self.simple:
            return (virsh("snapshot-create", self.domain, "snapshot.xml", *words),)
        if self.description:
            words += ["--description", self.description]
        made = zip(self.targets, self.paths, self.formats, strict=True)
        disks = [file_disk(target, path=path, format=form, kind=Kind.EXTERNAL) for target, path, form in made]
        disks += [file_disk(target, kind=Kind.NO) for target in self.others]
        words += ["--memspec", memspec(self.memory)] if self.memory is not None else []
        words += [word for disk in disks for word in ("--diskspec", diskspec(disk))]
        return (virsh("snapshot-create-as", self.domain, "--name", self.name, *words),)

    @property
    def undo_title(self) -> str:
        """For people."""
        disks = " and ".join(self.targets)
        return f"Merge what is in the overlays of {disks} back, and forget the snapshot {self.name}"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back."""
        merged = merging_back(self.domain, self.targets, self.paths, self.bases, keep=self.reuse_external)
        removed = () if self.memory is None else (typed("rm", "--", self.memory),)
        forgotten = (virsh("snapshot-delete", self.domain, self.name, "--metadata"),) if self.metadata else ()
        return (*merged, *removed, *forgotten)

    def deletion(self, ending: str = "--pivot") -> str:
        """The command that ends its mirrors."""
        return snapshot_deletion(self.domain, self.name, ending)

    @property
    def deletions(self) -> str:
        """Both ways to end its mirrors, for people."""
        return f"{self.deletion('--pivot')}, or {self.deletion('--abort')}"


@dataclass(frozen=True, slots=True)
class DropSnapshot:
    """Have libvirt forget a snapshot whose mirrors have ended, and close the plan that took it."""

    uuid: str
    domain: str
    name: str
    plan: str
    """The id of that plan in the journal."""

    @property
    def title(self) -> str:
        """For people."""
        return f"Forget the snapshot {self.name}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (virsh("snapshot-delete", self.domain, self.name, "--metadata"),)
