"""The images of a host where they lie: on this machine, or behind ssh. Nothing else handles what a move makes."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol

from tui.engine import blocks, filling, images, logical, places, room
from tui.engine.batches import batches
from tui.engine.connection import Connection
from tui.engine.errors import AlreadyThere, HostError, StepFailed
from tui.model.chain_steps import ImageCopy, MakeImage
from tui.model.facts import LayerFacts, PathFacts, PathKind, parent_of
from tui.model.file_identity import SCRIPT, FileIdentity, parse_identities
from tui.model.image import ImageInfo
from tui.model.storage import Layer
from tui.model.text import printable

AT_ONCE = 3
"""Images read at a time."""
CLOCK_SLACK = 2.0
"""Seconds by which a file may be older than the plan that had it made: file times are coarse."""


class Files(Protocol):
    """What is done with images. Any of it raises HostError where the files cannot be reached."""

    def existing(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of these paths that lead to something."""

    def missing(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of these paths that surely lead to nothing: not those behind a directory that cannot be searched."""

    def readable(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of these paths that can be read."""

    def writable(self, directory: str) -> bool | None:
        """Whether files can be made in a directory; ``None`` where nothing is there."""

    def free(self, directory: str) -> int | None:
        """Bytes that are free in a directory."""

    def left_for(self, path: str) -> int | None:
        """Bytes that are left where a file lies, when they are few; ``None`` while there is room."""

    def layer(self, layer: Layer) -> LayerFacts:
        """What a layer takes, and what its header says."""

    def info(self, path: str, format: str) -> ImageInfo:  # noqa: A002  qemu-img's word
        """As ``tui.engine.images.image_info``."""

    def infos(self, formats: Mapping[str, str]) -> dict[str, ImageInfo | HostError]:
        """The same of many images, in their formats; why not, of those that cannot be read."""

    def allocated(self, paths: Iterable[str]) -> dict[str, int]:
        """Bytes that those of these files take that are there."""

    def filled(self, volumes: Iterable[str]) -> dict[str, float]:
        """The part of these snapshot volumes that is in use; those of which LVM tells nothing are left out."""

    def make(self, step: MakeImage) -> None:
        """Make an empty image with the owner and mode of another one; AlreadyThere where somebody was faster."""

    def made(self, step: MakeImage) -> bool:
        """Whether what lies there was made by this step, and nobody has written to it since."""

    def fill(
        self,
        copies: Sequence[ImageCopy],
        bandwidth: int,
        tell: filling.Tell,
        crawls: filling.Crawl,
        left: threading.Event,
    ) -> int:
        """As ``tui.engine.filling.fill``."""

    def rename_backing(self, copy: ImageCopy) -> None:
        """Write the name that the layer below has at the destination into a header, if it is another one."""

    def compare(self, one: str, other: str, format: str, left: threading.Event) -> None:  # noqa: A002  qemu-img's word
        """As ``tui.engine.images.compare``."""

    def digest(self, path: str, skip: int, left: threading.Event) -> str:
        """As ``tui.engine.blocks.digest``."""

    def shares_blocks(self, path: str) -> bool | None:
        """Whether files beside an image can share its blocks; ``None`` where nobody could try."""

    def clone(self, source: str, path: str) -> None:
        """Make a file that shares the blocks of another one, in an instant, and that nobody writes to."""

    def remove(self, path: str, since: float) -> str:
        """Remove a file that is not older than a moment; why it stays, in a sentence, or nothing."""

    def put_away(self, path: str, place: str) -> str:
        """Move an image aside, into a directory that is made; why it stays, in a few words, or nothing."""

    def ask(self, script: str, *arguments: str) -> str:
        """What a constant script says there; StepFailed with its last complaint when it fails."""

    def words(self, script: str, *arguments: str) -> tuple[str, ...]:
        """The command that runs a constant script there."""


class FilesHere:
    """The images of this machine."""

    def existing(self, paths: Iterable[str]) -> frozenset[str]:
        """Dangling links count: nothing is to be written through them."""
        return frozenset(path for path in paths if os.path.lexists(path))

    def missing(self, paths: Iterable[str]) -> frozenset[str]:
        """Links that lead nowhere count."""
        return frozenset(path for path in paths if places.exists(path) is False)

    def readable(self, paths: Iterable[str]) -> frozenset[str]:
        """Asked for the user of this process."""
        return frozenset(path for path in paths if os.access(path, os.R_OK))

    def writable(self, directory: str) -> bool | None:
        """Asked for the user of this process."""
        return os.access(directory, os.W_OK | os.X_OK) if os.path.lexists(directory) else None

    def free(self, directory: str) -> int | None:
        """What a user who is not root may use; ``None`` where there is no such directory."""
        try:
            system = os.statvfs(directory)
        except (OSError, ValueError):
            return None
        return system.f_bavail * system.f_frsize

    def left_for(self, path: str) -> int | None:
        """As ``tui.engine.room.left_in``."""
        return room.left_in(path)

    def layer(self, layer: Layer) -> LayerFacts:
        """As ``tui.engine.places.layer_here``."""
        return places.layer_here(layer)

    def info(self, path: str, format: str) -> ImageInfo:  # noqa: A002
        """By qemu-img."""
        return images.image_info(path, format)

    def infos(self, formats: Mapping[str, str]) -> dict[str, ImageInfo | HostError]:
        """By qemu-img, several at a time."""

        def info(path: str) -> ImageInfo | HostError:
            try:
                return images.image_info(path, formats[path])
            except images.ImageError as error:
                return error

        with ThreadPoolExecutor(AT_ONCE, "images") as pool:
            return dict(zip(formats, pool.map(info, formats), strict=True))

    def allocated(self, paths: Iterable[str]) -> dict[str, int]:
        """Devices are left out: how much of one is used is not seen from outside."""
        found = {}
        for path in paths:
            try:
                status = os.stat(path)  # noqa: PTH116  the name stays as it is
            except (OSError, ValueError):
                continue
            if stat.S_ISREG(status.st_mode):
                found[path] = room.taken(status)
        return found

    def filled(self, volumes: Iterable[str]) -> dict[str, float]:
        """As ``tui.engine.logical.filled``."""
        return logical.filled(volumes)

    def make(self, step: MakeImage) -> None:
        """Libvirt labels both alike when a guest uses them."""
        try:
            # qemu-img would empty an image that somebody has made since it was looked for.
            # Whatever is to be seen in it, libvirt lets the guest's QEMU in.
            os.close(os.open(step.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError as error:
            raise AlreadyThere(f"{step.path} exists already and is not overwritten.") from error
        except OSError as error:
            raise StepFailed(f"{step.path} cannot be made: {error.strerror}.") from error
        with ExitStack() as failed:
            failed.callback(os.unlink, step.path)
            below = (step.backing, step.backing_format)
            images.create(step.path, step.format, step.size, *below, layout=step.layout)
            if step.like is not None:
                _own_as(step.path, step.like)
            os.utime(step.path, (step.mark, step.mark))
            failed.pop_all()

    def made(self, step: MakeImage) -> bool:
        """By its time."""
        try:
            return int(os.lstat(step.path).st_mtime) == step.mark
        except (OSError, ValueError):
            return False

    def fill(
        self,
        copies: Sequence[ImageCopy],
        bandwidth: int,
        tell: filling.Tell,
        crawls: filling.Crawl,
        left: threading.Event,
    ) -> int:
        """Several at once, in this process."""
        return filling.fill(copies, bandwidth, tell, crawls, left)

    def rename_backing(self, copy: ImageCopy) -> None:
        """The header alone changes."""
        if copy.backing is not None:
            images.rename_backing(copy.path, copy.format, copy.backing, copy.backing_format or "raw")

    def compare(self, one: str, other: str, format: str, left: threading.Event) -> None:  # noqa: A002
        """By qemu-img."""
        images.compare(one, other, format, left)

    def digest(self, path: str, skip: int, left: threading.Event) -> str:
        """In this process."""
        try:
            return blocks.digest(path, skip, left)
        except OSError as error:
            message = f"{path} could not be read: {error.strerror}."
            raise StepFailed(message) from error

    def shares_blocks(self, path: str) -> bool | None:
        """Tried with a file that has no name."""
        return blocks.clonable(path)

    def clone(self, source: str, path: str) -> None:
        """With the owner of the image, and its mode without the right to write."""
        blocks.clone(source, path)

    def remove(self, path: str, since: float) -> str:
        """Whatever is older was there before."""
        try:
            if os.lstat(path).st_ctime < since - CLOCK_SLACK:
                return f"{path} is older than the plan and stays."
            os.unlink(path)  # noqa: PTH108  beside os.lstat, on the very same string
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"{path} could not be removed: {error.strerror}."
        return ""

    def put_away(self, path: str, place: str) -> str:
        """Nobody but the owner gets into the directory."""
        try:
            os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
            if os.path.lexists(place):
                return "cannot go where another image of its name is"
            os.rename(path, place)  # noqa: PTH104
        except OSError as error:
            return f"could not be moved ({error.strerror})"
        return ""

    def ask(self, script: str, *arguments: str) -> str:
        """By the shell; what it starts is not interrupted with this program."""
        done = subprocess.run(
            self.words(script, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            start_new_session=True,
        )
        if done.returncode:
            lines = (done.stderr.strip() or done.stdout.strip() or "it does not say why").splitlines()
            message = f"{printable(lines[-1]).rstrip('.')}."
            raise StepFailed(message)
        return done.stdout

    def words(self, script: str, *arguments: str) -> tuple[str, ...]:
        """By the shell."""
        return ("sh", "-c", script, "sh", *arguments)


def _own_as(path: str, like: str) -> None:
    try:
        status = os.stat(like)  # noqa: PTH116  the name stays as it is
        os.chmod(path, status.st_mode & 0o777)  # noqa: PTH101
        if os.geteuid() == 0:
            os.chown(path, status.st_uid, status.st_gid)
    except OSError as error:
        message = f"{path} could not be given the owner of {like}: {error.strerror}."
        raise StepFailed(message) from error


def identities(paths: Iterable[str], files: Files | None) -> dict[str, FileIdentity]:
    """Which files these paths lead to at a host, as far as that can be asked."""
    found: dict[str, FileIdentity] = {}
    if files is None:
        return found
    for some in batches(paths):
        found |= parse_identities(files.ask(SCRIPT, *some), some)
    return found


def look_there(layers: Iterable[Layer], connection: Connection, files: Files | None) -> dict[str, PathFacts]:
    """What lies at paths of a host that is not this machine: what its pools know, and what its own tools see."""
    found = {layer.path: places.look_there(connection, layer) for layer in layers}
    if files is None:
        return found
    asked = [path for path, known in found.items() if known.kind in (None, PathKind.MISSING)]
    there = files.existing(asked)
    parents = {path: parent_of(path) for path in asked if path not in there}
    around = {
        parent: (files.writable(parent) is not None, files.free(parent)) for parent in {*parents.values()}
    }
    for path in there:
        kind = PathKind.BLOCK if path.startswith("/dev/") else PathKind.FILE
        found[path] = replace(found[path], kind=kind)
    for path, parent in parents.items():
        exists, free = around[parent]
        found[path] = replace(found[path], kind=PathKind.MISSING, parent_exists=exists, free=free)
    return found
