"""The images of a host where they lie: on this machine, or behind ssh. Nothing else handles what a move makes."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from tui.engine import blocks, filling, images, places, room
from tui.engine.errors import StepFailed
from tui.model.chain_steps import ImageCopy, MakeImage
from tui.model.facts import LayerFacts
from tui.model.image import ImageInfo
from tui.model.storage import Layer

CLOCK_SLACK = 2.0
"""Seconds by which a file may be older than the plan that had it made: file times are coarse."""


class Files(Protocol):
    """What is done with images. Any of it raises HostError where the files cannot be reached."""

    def existing(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of these paths that lead to something."""

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

    def allocated(self, paths: Iterable[str]) -> dict[str, int]:
        """Bytes that those of these files take that are there."""

    def make(self, step: MakeImage) -> None:
        """Make an empty image with the owner and mode of another one."""

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

    def shares_blocks(self, path: str) -> bool | None:
        """Whether files beside an image can share its blocks; ``None`` where nobody could try."""

    def clone(self, source: str, path: str) -> None:
        """Make a file that shares the blocks of another one, in an instant, and that nobody writes to."""

    def remove(self, path: str, since: float) -> str:
        """Remove a file that is not older than a moment; why it stays, in a sentence, or nothing."""

    def put_away(self, path: str, place: str) -> str:
        """Move an image aside, into a directory that is made; why it stays, in a few words, or nothing."""


class FilesHere:
    """The images of this machine."""

    def existing(self, paths: Iterable[str]) -> frozenset[str]:
        """Dangling links count: nothing is to be written through them."""
        return frozenset(path for path in paths if os.path.lexists(path))

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

    def make(self, step: MakeImage) -> None:
        """Libvirt labels both alike when a guest uses them."""
        images.create(step.path, step.format, step.size, step.backing, step.backing_format)
        if step.like is None:
            return
        try:
            status = os.stat(step.like)  # noqa: PTH116  the name stays as it is
            os.chmod(step.path, status.st_mode & 0o777)  # noqa: PTH101
            if os.geteuid() == 0:
                os.chown(step.path, status.st_uid, status.st_gid)
        except OSError as error:
            message = f"{step.path} could not be given the owner of {step.like}: {error.strerror}."
            raise StepFailed(message) from error

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
