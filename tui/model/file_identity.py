"""Which file a path leads to, so that two hosts can tell whether they have the same one."""

from __future__ import annotations

from dataclasses import dataclass

SHARED = frozenset(
    {"nfs", "nfs4", "smb2", "cifs", "smb", "gfs/gfs2", "gfs2", "ocfs2", "ceph", "gpfs", "lustre", "fuseblk"}
)
"""File systems, as ``stat -f`` calls them, that several hosts can have."""

SCRIPT = """LC_ALL=C; export LC_ALL
cat /proc/sys/kernel/random/boot_id
for p; do
if [ -e "$p" ]; then
stat -L -c '%d %i' -- "$p" && stat -f -L -c %T -- "$p" || echo -
else echo -
fi
done"""
"""A line that tells the machine; then for each path two lines, or a dash."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """A file of a machine."""

    machine: str
    """Which differs from machine to machine, and from start to start."""
    device: int
    inode: int
    file_system: str
    """Its kind."""

    @property
    def shared(self) -> bool:
        """Whether other hosts can have it too."""
        return self.file_system in SHARED


def same_file(one: FileIdentity, other: FileIdentity) -> bool:
    """Whether these are one file; of different machines only those are that lie on a file system made for that."""
    if one.machine == other.machine:
        return (one.device, one.inode) == (other.device, other.inode)
    return one.shared and other.shared and one.inode == other.inode


def parse_identities(answer: str, paths: tuple[str, ...]) -> dict[str, FileIdentity]:
    """Read what ``SCRIPT`` has printed; those of which nothing is known are left out.

    Raises:
        ValueError: when it is something else.
    """
    machine, *lines = answer.splitlines() or [""]
    found: dict[str, FileIdentity] = {}
    waiting = iter(lines)
    for path in paths:
        line = next(waiting, "-")
        if line == "-":
            continue
        device, _, inode = line.partition(" ")
        kind = next(waiting, "-")
        if kind != "-":
            found[path] = FileIdentity(machine, int(device), int(inode), kind)
    return found
