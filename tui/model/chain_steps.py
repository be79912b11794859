"""The steps of a plan that take a whole backing chain along."""

from __future__ import annotations

import posixpath
import zlib
from dataclasses import dataclass

from tui.model import quarantine
from tui.model.command import typed, virsh
from tui.model.diskspec import diskspec
from tui.model.mirrored_snapshot import Kind, file_disk
from tui.model.text import counted


@dataclass(frozen=True, slots=True)
class TakeOverlay:
    """Give disks a new active layer, all at one instant: what they stand on does not change from then on."""

    uuid: str
    domain: str
    targets: tuple[str, ...]
    paths: tuple[str, ...]
    """The new layers, one for each of the targets."""
    bases: tuple[str, ...]
    """The active layers until now."""
    base_xmls: tuple[str, ...]
    """Those as ``<disk>``, for going back."""
    others: tuple[str, ...] = ()
    """The disks of the domain that are left alone."""
    quiesce: bool = False
    """Have the guest's agent write out and freeze its file systems for that instant."""

    @property
    def title(self) -> str:
        """For people."""
        title = (
            f"Write what is new of {' and '.join(self.targets)} to an overlay, so that the rest stands still"
        )
        return f"{title}; file systems frozen meanwhile" if self.quiesce else title

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        made = zip(self.targets, self.paths, strict=True)
        disks = [file_disk(target, path=path) for target, path in made]
        disks += [file_disk(target, kind=Kind.NO) for target in self.others]
        words = [word for disk in disks for word in ("--diskspec", diskspec(disk))]
        take = virsh("snapshot-create-as", self.domain, "--disk-only", "--atomic", "--no-metadata", *words)
        if not self.quiesce:
            return (take,)
        return (virsh("domfsfreeze", self.domain), take, virsh("domfsthaw", self.domain))

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"Merge what is in the overlay of {' and '.join(self.targets)} back, and remove it"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back."""
        return merging_back(self.domain, self.targets, self.paths, self.bases, keep=False)


def merging_back(
    domain: str, targets: tuple[str, ...], paths: tuple[str, ...], bases: tuple[str, ...], *, keep: bool
) -> tuple[str, ...]:
    """What a person would type to merge overlays into what they stand on, and to remove them unless they are kept."""
    commands = []
    for target, path, base in zip(targets, paths, bases, strict=True):
        back = ("--base", base, "--active", "--wait", "--pivot")
        commands.append(virsh("blockcommit", domain, target, *back))
        if not keep:
            commands.append(typed("rm", "--", path))
    return tuple(commands)


@dataclass(frozen=True, slots=True)
class MakeImage:
    """Make an image at the destination, empty, whose header names the layer below."""

    uuid: str
    domain: str
    target: str
    path: str
    format: str
    size: int
    """Bytes that the guest sees."""
    backing: str | None = None
    """The name of the layer below, as it is to stand in the header."""
    backing_format: str | None = None
    like: str | None = None
    """The image whose owner and mode it gets."""
    layout: tuple[str, ...] = ()
    """As ``ImageInfo.layout``."""

    @property
    def mark(self) -> int:
        """The second of a time long past by which the file is known that this has made, until it is written to.

        Who was killed between journal and deed finds out by that whether it was done: another file may have come to
        the path. A time is kept by every file system, and told to whoever can list the directory.
        """
        return zlib.crc32(f"{self.uuid} {self.path}".encode(errors="surrogateescape")) % 900_000_000

    @property
    def title(self) -> str:
        """For people."""
        return f"Make {self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        below = ("-u", "-b", self.backing, "-F", self.backing_format or "raw") if self.backing else ()
        layout = ("-o", ",".join(self.layout)) if self.layout else ()
        made = ("-f", self.format, *layout, *below, "--", self.path, str(self.size))
        return (typed("qemu-img", "create", *made),)

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"Remove {self.path}, made for this plan"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back."""
        return (typed("rm", "--", self.path),)


@dataclass(frozen=True, slots=True)
class ImageCopy:
    """A layer that does not change any more, and the image that was made for it elsewhere."""

    source: str
    path: str
    format: str
    backing: str | None = None
    """How the layer below is named at the destination; ``None`` where the name stays as it is."""
    backing_format: str | None = None

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        copy = typed("cp", "--sparse=always", "--reflink=auto", "--", self.source, self.path)
        if self.backing is None:
            return (copy,)
        named = ("-b", self.backing, "-F", self.backing_format or "raw")
        return (copy, typed("qemu-img", "rebase", "-u", "-f", self.format, *named, "--", self.path))


@dataclass(frozen=True, slots=True)
class CopyImages:
    """Fill made images with layers that do not change any more, byte by byte, holes left out."""

    uuid: str
    domain: str
    targets: tuple[str, ...]
    images: tuple[ImageCopy, ...]
    bandwidth: int = 0
    """Limit in bytes per second for all of them together; 0 is none."""

    @property
    def title(self) -> str:
        """For people."""
        if len(self.images) == 1:
            (image,) = self.images
            return f"Copy {image.source} to {image.path}"
        return f"Copy {len(self.images)} layers of {' and '.join(self.targets)}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return tuple(command for image in self.images for command in image.commands)


@dataclass(frozen=True, slots=True)
class CompareImages:
    """Read both and see that a guest would find the same in them."""

    uuid: str
    domain: str
    target: str
    source: str
    path: str
    format: str

    @property
    def title(self) -> str:
        """For people."""
        return f"Compare {self.path} with {self.source}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        formats = ("-U", "-f", self.format, "-F", self.format)
        return (typed("qemu-img", "compare", *formats, "--", self.source, self.path),)


@dataclass(frozen=True, slots=True)
class MapSnapshots:
    """Define libvirt's snapshots anew, naming the images at the place that they have now."""

    uuid: str
    domain: str
    targets: tuple[str, ...]
    snapshots: tuple[str, ...]
    """Their names."""
    befores: tuple[str, ...]
    """The paths that they name."""
    afters: tuple[str, ...]
    """The paths that they are to name, one for each of those."""

    @property
    def title(self) -> str:
        """For people."""
        what = "snapshot" if len(self.snapshots) == 1 else f"{len(self.snapshots)} snapshots"
        return f"Have the {what} of {self.domain} name the images at the new place"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, with the paths in the XML changed in between."""
        return tuple(
            command
            for name in self.snapshots
            for command in (
                f"{virsh('snapshot-dumpxml', self.domain, name, '--security-info')} > snapshot.xml",
                virsh("snapshot-create", self.domain, "snapshot.xml", "--redefine"),
            )
        )


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Put images that are not needed any more into a directory beside them, from where they can be had back."""

    uuid: str
    domain: str
    targets: tuple[str, ...]
    paths: tuple[str, ...]
    mark: str
    """What tells the directories of this plan from others."""

    def place(self, path: str) -> str:
        """Where an image goes."""
        return quarantine.place_of(path, self.mark)

    @property
    def places(self) -> tuple[str, ...]:
        """The directories."""
        return tuple(dict.fromkeys(posixpath.dirname(self.place(path)) for path in self.paths))

    @property
    def title(self) -> str:
        """For people."""
        images = counted(len(self.paths), "old image")
        return f"Put {images} of {' and '.join(self.targets)} into quarantine"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        made = tuple(typed("mkdir", "--mode=0700", "--parents", "--", place) for place in self.places)
        moved = tuple(typed("mv", "--no-clobber", "--", path, self.place(path)) for path in self.paths)
        return (*made, *moved)
