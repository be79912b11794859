"""What the disks of a Linux guest hold, found without running or mounting them.

The chain is read by qemu-img, the journal is replayed by e2fsck, which must find nothing else to mend, and the files
are taken out by debugfs. Only copies are written to.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.linux_guest import Tick, run

if TYPE_CHECKING:
    from collections.abc import Iterator

_MENDED: Final = 1
"""e2fsck's status when it changed something that it may change unasked, as a journal that it replayed."""


# On a busy machine the clock of an emulated guest goes ahead of its host's.
_USUAL = ("recovering journal", " blocks", "is in the future.", "hardware clock being incorrectly set)")
"""How the lines end that e2fsck writes of a file system in which nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Content:
    """What was found on one disk."""

    sums: Mapping[int, str]
    """By number, the SHA-256 of each file, which its name confirms."""
    latest: int
    """The number in the file that is overwritten in place with each number."""
    beat: int
    """What was counted in the file that is overwritten all the time, counted over all disks."""


def content(image: Path, image_format: str = "qcow2") -> Content:
    """Read a disk, with its chain as the image's header names it.

    Raises:
        AssertionError: the file system is damaged, or a file does not hold what its name says.
    """
    with _copied(image, image_format) as plain, tempfile.TemporaryDirectory() as directory:
        said = run("e2fsck", "-f", "-p", str(plain), status=(0, _MENDED))
        odd = [line for line in said.splitlines() if not line.endswith(_USUAL)]
        assert not odd, f"{image}: {said}"
        run("debugfs", "-R", f"rdump / {directory}", str(plain))
        return _read(Path(directory), image)


def needs_recovery(image: Path, image_format: str = "qcow2") -> bool:
    """Whether a disk's journal would have to be replayed: not if the file system was frozen or unmounted."""
    with _copied(image, image_format) as plain:
        (features,) = (
            line
            for line in run("dumpe2fs", "-h", str(plain)).splitlines()
            if line.startswith("Filesystem features:")
        )
        return "needs_recovery" in features


def proved(images: Mapping[str, Path], ticks: Sequence[Tick]) -> int:
    """See that disks hold one state that the guest was in: all files up to a number, and none beyond it.

    Several disks must hold the state of one and the same instant.

    Args:
        images: by target, the active layer of each disk, or what was so at the instant in question.
        ticks: what the guest has said, up to that instant or longer.

    Returns:
        The last number that is there.

    Raises:
        AssertionError: something is missing, is too much, or is not what was written.
    """
    found = {target: content(image, image.suffix[1:]) for target, image in images.items()}
    last = max(max(one.sums) for one in found.values())
    step = len({tick.target for tick in ticks})  # from one number of a disk to its next
    for target, one in found.items():
        own = {tick.number: tick.sum for tick in ticks if tick.target == target and tick.number <= last}
        written = {number: total for number, total in one.sums.items() if number}
        lost = {number: total for number, total in own.items() if written.get(number) != total}
        assert not lost, f"{images[target]} lacks {sorted(lost)} of what was on {target} for good by {last}"
        # The very last file may be on the disk before the guest has come to say so.
        unsaid = written.keys() - own.keys() - {last}
        assert not unsaid, f"{images[target]} holds {sorted(unsaid)}, which {target} never held"
        newest = max(one.sums)
        assert newest <= one.latest <= newest + step, (
            f"{images[target]}: {newest} is new, {one.latest} latest"
        )
    beats = [one.beat for one in found.values()]
    assert max(beats) - min(beats) < step, (
        f"{list(map(str, images.values()))} are of several instants: {beats}"
    )
    return last


@contextmanager
def _copied(image: Path, image_format: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:  # not in memory, where /tmp may be
        plain = Path(directory) / "disk.raw"
        run("qemu-img", "convert", "-f", image_format, "-O", "raw", str(image), str(plain))
        yield plain


def _read(directory: Path, image: Path) -> Content:
    sums = {}
    for path in directory.iterdir():
        number, dash, total = path.name.partition("-")
        if not dash or not number.isdigit():
            continue
        assert hashlib.sha256(path.read_bytes()).hexdigest() == total, f"{image}: {path.name} is damaged"
        assert int(number) not in sums, f"{image}: there are two files of number {number}"
        sums[int(number)] = total
    latest, total = (directory / "latest").read_text().split()
    assert sums.get(int(latest), total) == total, f"{image}: {latest} has two checksums"
    return Content(sums, int(latest), int((directory / "beat").read_text()))
