"""The kernel and the initial RAM disk of the Linux guest, from the distribution's packages; nothing is installed.

The packages are fetched with apt-get once and kept in the user's cache; afterwards no network is needed.
"""

from __future__ import annotations

import gzip
import lzma
import os
import platform
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INIT: Final = Path(__file__).with_name("linux_guest_init")

_KERNEL: Final = "linux-image-cloud-amd64"
"""An empty package that depends on the present kernel's."""
_DRIVERS: Final = ("virtio_pci", "virtio_blk", "virtio_console", "crc32c_generic", "ext4")
"""What the guest needs, as far as it is not a part of the kernel."""
_APPLETS: Final = (
    "cat",
    "dd",
    "echo",
    "head",
    "insmod",
    "ln",
    "mkdir",
    "mount",
    "mv",
    "printf",
    "sh",
    "sha256sum",
    "sleep",
    "sync",
)
_PATIENCE: Final = 90.0
"""Seconds for a download; more would end the whole test run."""


class UnobtainableError(Exception):
    """The packages cannot be had on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Files from the packages."""

    kernel: Path
    busybox: Path
    agent: Path
    modules: tuple[Path, ...]
    """In the order in which they need each other."""


def obtain() -> Parts:
    """Find the parts in the cache, or fetch them.

    Raises:
        UnobtainableError: they cannot be had here.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "virt-mirror-tests"
    kept = cache / "linux-guest"
    if not kept.is_dir():
        if (system := _system()) != "debian":
            msg = f"its packages come from Debian, and this is {system}"
            raise UnobtainableError(msg)
        if missing := [name for name in ("apt-get", "apt-cache", "dpkg") if not shutil.which(name)]:
            msg = f"not installed: {', '.join(missing)}"
            raise UnobtainableError(msg)
        cache.mkdir(parents=True, exist_ok=True)
        # Complete before it has its name, whoever else does the same at this moment.
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            unpacked = Path(scratch) / "unpacked"
            _fetch(Path(scratch), unpacked)
            try:
                unpacked.rename(kept)
            except OSError:
                if not kept.is_dir():
                    raise
    return _parts(kept)


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["ID"]
    except OSError:
        return "a system without a name"


def _fetch(scratch: Path, unpacked: Path) -> None:
    # Empty: the user that apt would change to cannot enter a directory of somebody else's.
    options = ["-o", "APT::Sandbox::User="]
    try:
        _download(scratch, options)
    except UnobtainableError:
        # No package lists, or old ones that name what the mirrors no longer have. Lists of one's own need no root.
        (scratch / "lists" / "partial").mkdir(parents=True)
        own = {"Dir::State::lists": "lists", "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": ""}
        for name, place in own.items():
            options += ["-o", f"{name}={scratch / place if place else ''}"]
        _run("apt-get", *options, "update", "--error-on=any", "-qq", directory=scratch)
        _download(scratch, options)
    for package in scratch.glob("*.deb"):
        _run("dpkg", "-x", str(package), str(unpacked), directory=scratch)


def _download(directory: Path, options: Sequence[str]) -> None:
    depends = _run("apt-cache", *options, "depends", "--important", _KERNEL, directory=directory)
    images = [line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line]
    if not images:
        msg = f"{_KERNEL} depends on no kernel"
        raise UnobtainableError(msg)
    packages = (images[0], "busybox-static", "qemu-guest-agent")
    _run("apt-get", *options, "download", "-qq", *packages, directory=directory)


def _run(*command: str, directory: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        msg = f"{command[0]} took more than {_PATIENCE:g} s"
        raise UnobtainableError(msg) from None
    if done.returncode:
        complaints = [line for line in done.stderr.splitlines() if line.startswith("E:")] or [
            done.stderr.strip()
        ]
        msg = f"{command[0]} failed: {complaints[0]}"
        raise UnobtainableError(msg)
    return done.stdout


def _parts(root: Path) -> Parts:
    return Parts(
        kernel=_only(root, "boot/vmlinuz-*"),
        busybox=_only(root, "**/bin/busybox"),
        agent=_only(root, "**/sbin/qemu-ga"),
        modules=tuple(_modules(root)),
    )


def _only(root: Path, pattern: str) -> Path:
    found = sorted(root.glob(pattern))
    if len(found) != 1:
        msg = f"the packages in {root} hold {len(found)} files like {pattern}"
        raise UnobtainableError(msg)
    return found[0]


def _modules(root: Path) -> list[Path]:
    """The drivers and what they depend on; what is no file is a part of the kernel."""
    files = {path.name.partition(".")[0].replace("-", "_"): path for path in root.glob("**/kernel/**/*.ko*")}
    found: dict[str, Path] = {}

    def add(name: str) -> None:
        if name in files and name not in found:
            depends = re.search(rb"\0depends=([^\0]*)\0", _unpacked(files[name]))
            for other in depends[1].decode().split(",") if depends else []:
                add(other)
            found[name] = files[name]

    for driver in _DRIVERS:
        add(driver)
    return list(found.values())


def _unpacked(module: Path) -> bytes:
    """A module's content; some releases compress them."""
    content = module.read_bytes()
    return lzma.decompress(content) if module.suffix == ".xz" else content


def write_initramfs(path: Path, parts: Parts) -> None:
    """Write the archive that the kernel unpacks into memory and runs ``/init`` from.

    Raises:
        UnobtainableError: a library that the agent needs is not on this machine.
    """
    with gzip.open(path, "wb", compresslevel=1) as archive:
        archive.writelines(_archive(_tree(parts)))


def _tree(parts: Parts) -> Iterator[tuple[str, int, bytes]]:
    """Name, mode and content of each entry, every directory before what is in it."""
    executable, plain, link = stat.S_IFREG | 0o755, stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777
    libraries = _libraries(parts.agent)
    made = ("bin", "dev", "disks", "modules", "proc", "run", "sys", "tmp", "var", "var/run")
    parents = {str(up).lstrip("/") for library in libraries for up in library.parents}
    for directory in sorted({*made, *parents} - {""}):
        yield directory, stat.S_IFDIR | 0o755, b""
    yield "init", executable, INIT.read_bytes()
    yield "bin/busybox", executable, parts.busybox.read_bytes()
    for applet in _APPLETS:
        yield f"bin/{applet}", link, b"busybox"
    yield "bin/qemu-ga", executable, parts.agent.read_bytes()
    for library in libraries:
        yield str(library).lstrip("/"), executable, library.read_bytes()
    for module in parts.modules:
        yield f"modules/{module.stem}", plain, _unpacked(module)
    yield "modules/order", plain, "".join(f"{module.stem}\n" for module in parts.modules).encode()


def _libraries(program: Path) -> list[Path]:
    """The shared libraries of a program and the loader, which QEMU itself needs as well, so they are here."""
    found = []
    for line in _run("ldd", str(program), directory=program.parent).splitlines():
        if "not found" in line:
            msg = f"the guest agent needs a library that is not installed: {line.strip()}"
            raise UnobtainableError(msg)
        found += [Path(word) for word in line.split() if word.startswith("/")]
    return found


def _archive(entries: Iterator[tuple[str, int, bytes]]) -> Iterator[bytes]:
    """The entries as the kernel reads them: cpio's format "newc"."""
    for number, (name, mode, content) in enumerate(entries, start=1):
        yield from _entry(number, name, mode, content)
    yield from _entry(0, "TRAILER!!!", 0, b"")


def _entry(number: int, name: str, mode: int, content: bytes) -> Iterator[bytes]:
    title = name.encode() + b"\0"
    # Inode, mode, owner, group, links, time, size, four halves of device numbers, length of the name, checksum.
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(title), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields) + title
    for part in (header, content):
        yield part
        yield b"\0" * (-len(part) % 4)
