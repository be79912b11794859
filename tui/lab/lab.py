"""Prepare the lab's guests and their storage in a directory, find them again, and remove all of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tui.lab import catalogue, embedded, images
from tui.lab.errors import LabError
from tui.lab.guest import GuestDisk, domain_xml

import libvirt

if TYPE_CHECKING:
    from collections.abc import Callable

_SPACE_NEEDED: Final = 3 * 1024 * images.MIB
"""Bytes: the guests' images, and as much again for mirrors of them."""


def default_root() -> Path:
    """Where this user's lab lies: short, because of its sockets, and on a disk, because of its images."""
    # Anyone could make a directory of this name first: Lab looks whose it is.
    return Path(f"/var/tmp/virt-mirror-lab-{os.getuid()}")  # noqa: S108


class Lab:
    """A directory with an embedded hypervisor, guests that write all the time, and two storages.

    The guests' images lie in the storage `slow`; `fast` is empty, a place to mirror to.
    """

    suggested_bandwidth: Final = 16 * images.MIB
    """Bytes per second at which a mirror of these guests takes long enough to watch."""

    def __init__(self, root: Path | None = None) -> None:
        """Name the lab's directory, an absolute path that need not exist; nothing is touched yet."""
        self.root: Final = root or default_root()
        self.uri: Final = embedded.uri(self.root)
        self.slow: Final = self.root / "slow"
        self.fast: Final = self.root / "fast"
        self._kept: Final = self.root / "kept"
        self._connection: libvirt.virConnect | None = None

    @property
    def kept(self) -> bool:
        """Whether somebody wanted it to stay; it is so until it is torn down."""
        return self._kept.exists()

    def keep(self) -> None:
        """Note in the directory of a prepared lab that it is to stay."""
        self._kept.touch()

    def prepare(self, say: Callable[[str], None]) -> None:
        """Make what is missing, start what should run, and keep a connection so that the hypervisor stays.

        A lab that was kept, or whose process was killed at any point, is taken up where it stands.

        Args:
            say: is called with a short sentence for each step, from this thread.

        Raises:
            LabError: a tool is missing, the disk is full, or another process has this lab open.
        """
        self._own_directory()
        connection = self._open()
        try:
            # libvirt's first look at QEMU takes as long as making the images: do both at once.
            with ThreadPoolExecutor(max_workers=1) as pool:
                probe = pool.submit(connection.getDomainCapabilities, None, "x86_64", None, "qemu")
                defined = {domain.name(): domain for domain in connection.listAllDomains()}
                # A domain is defined when its images are complete: without it, there is none to keep.
                missing = [guest for guest in catalogue.GUESTS if guest.name not in defined]
                if missing:
                    self._need_space()
                made = [(guest, _make(guest, self.slow, say)) for guest in missing]
                probe.result()
            for guest, disks in made:
                defined[guest.name] = connection.defineXML(domain_xml(guest.name, disks))
            for guest in catalogue.GUESTS:
                _start(guest, defined[guest.name], say)
        except libvirt.libvirtError as error:
            msg = f"The lab cannot be prepared: {error}."
            raise LabError(msg) from error

    def tear_down(self, say: Callable[[str], None]) -> None:
        """Stop every guest in the lab and remove its directory. Without a lab, nothing happens.

        Raises:
            LabError: a guest could not be stopped, or another process has this lab open; nothing is removed.
        """
        if not self.root.exists():
            return
        self._own_directory()
        connection = self._open()
        try:
            running = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
            if running:
                say(f"Stopping {len(running)} guests.")
                # libvirt waits up to seconds for each process to vanish: let it wait for all at once.
                with ThreadPoolExecutor(max_workers=len(running)) as pool:
                    list(pool.map(_stop, running))
        except libvirt.libvirtError as error:
            msg = f"The lab in {self.root} cannot be removed: {error}."
            raise LabError(msg) from error
        self.close()
        say(f"Removing {self.root}.")
        shutil.rmtree(self.root)

    def close(self) -> None:
        """Let go of the hypervisor. The guests run on, and the next lab in this directory finds them."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> libvirt.virConnect:
        if self._connection is None:
            self._connection = embedded.open_hypervisor(self.root)
        return self._connection

    def _own_directory(self) -> None:
        """Create the directory, or make sure that it is ours.

        Its name can be guessed and its parent may be writable by everyone, so it may be somebody else's.
        """
        with contextlib.suppress(FileExistsError):
            self.root.mkdir(mode=0o700, parents=True)
        status = self.root.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            msg = f"{self.root} is not a directory of your own: remove it first."
            raise LabError(msg)
        self.slow.mkdir(exist_ok=True)
        self.fast.mkdir(exist_ok=True)

    def _need_space(self) -> None:
        free = shutil.disk_usage(self.root).free
        if free < _SPACE_NEEDED:
            needed, there = (f"{size / images.MIB / 1024:.1f} GiB" for size in (_SPACE_NEEDED, free))
            msg = f"The lab needs {needed} in {self.root.parent}, and {there} are free."
            raise LabError(msg)


def _make(guest: catalogue.Guest, storage: Path, say: Callable[[str], None]) -> list[GuestDisk]:
    say(f"Making {guest.name}: {guest.what}.")
    return [disk.make(storage) for disk in guest.disks]


def _start(guest: catalogue.Guest, domain: libvirt.virDomain, say: Callable[[str], None]) -> None:
    if guest.runs and not domain.isActive():
        say(f"Starting {guest.name}.")
        domain.create()


def _stop(domain: libvirt.virDomain) -> None:
    try:
        domain.destroy()
    except libvirt.libvirtError as error:
        # It ended by itself, or its user stopped it, since we asked which are running.
        if error.get_error_code() not in {libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN}:
            raise
