"""libvirt's calls about disks: their sizes and statistics, and the jobs on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

# The loop module sets libvirt's environment, which is read at its first use.
from tui.engine import loop  # noqa: F401

import libvirt  # isort: skip

from tui.engine.errors import HostError, NoConnection
from tui.model.domain import RunState
from tui.model.facts import Sizes
from tui.model.job import JobType, Progress

MIB = 1024 * 1024
RUN_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: RunState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: RunState.IDLE,
    libvirt.VIR_DOMAIN_PAUSED: RunState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: RunState.IN_SHUTDOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: RunState.SHUT_OFF,
    libvirt.VIR_DOMAIN_CRASHED: RunState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: RunState.SUSPENDED,
}

_JOB_TYPES = {
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY: JobType.COPY,
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT: JobType.ACTIVE_COMMIT,
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT: JobType.COMMIT,
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_PULL: JobType.PULL,
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP: JobType.BACKUP,
}


@dataclass(frozen=True, slots=True)
class CopyFlags:
    """The flags of a copy, which exist only together with one."""

    shallow: bool = False
    reuse_external: bool = False
    transient_job: bool = False
    synchronous_writes: bool = False
    raw: bool = False
    blockdev: bool = False


@dataclass(frozen=True, slots=True)
class CommitFlags:
    """How layers are merged downwards."""

    bandwidth: int = 0
    """Bytes per second; 0 is no limit."""
    delete: bool = False
    keep_relative: bool = False


class DiskCalls:
    """The part of a connection that is about disks."""

    calls: Counter[str]
    counts_bytes: bool
    """Whether the server knows limits in bytes per second; older ones count MiB per second."""
    _conn: Any
    _call: Callable[..., Any]
    _domain: Callable[[str], Any]

    def block_sizes(self, uuid: str, target: str) -> Sizes:
        """Virtual size, and what the active image takes."""
        return Sizes(*self._call("domainGetBlockInfo", self._domain(uuid).blockInfo, target, 0))

    def job(self, uuid: str, target: str) -> Progress | None:
        """Progress of the block job on a disk; ``None`` when there is none, however it ended."""
        flags = libvirt.VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES if self.counts_bytes else 0
        try:
            answer = self._call("domainGetBlockJobInfo", self._domain(uuid).blockJobInfo, target, flags)
        except HostError as error:
            # Hypervisors other than QEMU have no block jobs at all.
            if error.code == libvirt.VIR_ERR_NO_SUPPORT:
                return None
            raise
        if not answer:
            return None
        kind = _JOB_TYPES.get(answer["type"], JobType.UNKNOWN)
        limit = answer["bandwidth"] if self.counts_bytes else answer["bandwidth"] * MIB
        return Progress(answer["cur"], answer["end"], limit, kind)

    def block_stats(self, uuids: Iterable[str], *, backing: bool = False) -> dict[str, dict[str, Any]]:
        """The block statistics of several domains in one call, by UUID; a busy domain may be missing."""
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        flags |= libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING if backing else 0
        domains = [self._domain(uuid) for uuid in uuids]
        rows = self._call(
            "domainListGetStats",
            self._conn.domainListGetStats,
            domains,
            libvirt.VIR_DOMAIN_STATS_BLOCK,
            flags,
        )
        return {domain.UUIDString(): stats for domain, stats in rows}

    def capacities(
        self, uuids: Iterable[str] | None = None
    ) -> tuple[dict[tuple[str, str], int], frozenset[str]]:
        """Learn the sizes of all disks in one call that waits for no domain; ``uuids`` asks only for those domains.

        Returns:
            Virtual sizes in bytes by UUID and target, and the running domains that were too busy to say theirs.
        """
        wanted = libvirt.VIR_DOMAIN_STATS_BLOCK | libvirt.VIR_DOMAIN_STATS_STATE
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        sizes: dict[tuple[str, str], int] = {}
        busy = set[str]()
        if uuids is None:
            rows = self._call("getAllDomainStats", self._conn.getAllDomainStats, wanted, flags)
        else:
            domains = [self._domain(uuid) for uuid in uuids]
            rows = self._call("domainListGetStats", self._conn.domainListGetStats, domains, wanted, flags)
        for domain, stats in rows:
            uuid, disks = domain.UUIDString(), range(stats.get("block.count", 0))
            known = {
                (uuid, stats[f"block.{n}.name"]): stats[f"block.{n}.capacity"]
                for n in disks
                if f"block.{n}.capacity" in stats
            }
            sizes |= known
            runs = RUN_STATES.get(stats.get("state.state"), RunState.UNKNOWN).active
            if runs and disks and not known:
                busy.add(uuid)
        return sizes, frozenset(busy)

    def block_copy(self, uuid: str, target: str, xml: str, params: dict[str, int], flags: CopyFlags) -> None:
        """Start a mirror with virDomainBlockCopy; ``params`` as libvirt names them."""
        bits = (
            (libvirt.VIR_DOMAIN_BLOCK_COPY_SHALLOW if flags.shallow else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT if flags.reuse_external else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB if flags.transient_job else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES if flags.synchronous_writes else 0)
        )
        self._call("domainBlockCopy", self._domain(uuid).blockCopy, target, xml, params, bits)

    def block_rebase_copy(self, uuid: str, target: str, path: str, bandwidth: int, flags: CopyFlags) -> None:
        """Start a mirror with virDomainBlockRebase, for servers that lack virDomainBlockCopy."""
        bits = (
            libvirt.VIR_DOMAIN_BLOCK_REBASE_COPY
            | (libvirt.VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES if self.counts_bytes else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_REBASE_SHALLOW if flags.shallow else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT if flags.reuse_external else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_REBASE_COPY_RAW if flags.raw else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_REBASE_COPY_DEV if flags.blockdev else 0)
        )
        limit = self._counted(bandwidth)
        self._call("domainBlockRebase", self._domain(uuid).blockRebase, target, path, limit, bits)

    def freeze(self, uuid: str) -> int:
        """Have the guest's agent write out and freeze its file systems; how many they were."""
        return int(self._call("domainFSFreeze", self._domain(uuid).fsFreeze, None, 0))

    def thaw(self, uuid: str) -> int:
        """Let the guest write to its file systems again; those that are not frozen do not mind."""
        return int(self._call("domainFSThaw", self._domain(uuid).fsThaw, None, 0))

    def frozen(self, uuid: str) -> bool | None:
        """Whether the guest's file systems are frozen; ``None`` where its agent refuses to work and does not say why.

        An agent does next to nothing in that state. To ask for the state itself libvirt would mark the guest as
        tainted.
        """
        try:
            self._call("domainGetTime", self._domain(uuid).getTime, 0)
        except NoConnection:
            raise
        except HostError as error:
            if "has been disabled" not in error.message:
                return False
            return "frozen" in error.message or None
        return False

    def written(self, uuid: str, target: str) -> int:
        """Bytes that the guest has written to a disk since it was started."""
        return int(self._call("domainBlockStats", self._domain(uuid).blockStats, target)[3])

    def snapshot_disks(self, uuid: str, xml: str) -> None:
        """Give disks a new active layer, all or none, without a snapshot that libvirt would remember."""
        flags = (
            libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
            | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
            | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
        )
        self._call("domainSnapshotCreateXML", self._domain(uuid).snapshotCreateXML, xml, flags)

    def block_commit(self, uuid: str, target: str, base: str, top: str | None, wish: CommitFlags) -> None:
        """Start to merge the layers from ``top``, or with ``None`` from the active one, down into ``base``."""
        bits = (
            (libvirt.VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES if self.counts_bytes else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE if top is None else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_COMMIT_DELETE if wish.delete else 0)
            | (libvirt.VIR_DOMAIN_BLOCK_COMMIT_RELATIVE if wish.keep_relative else 0)
        )
        limit = self._counted(wish.bandwidth)
        self._call("domainBlockCommit", self._domain(uuid).blockCommit, target, base, top, limit, bits)

    def block_pull(
        self, uuid: str, target: str, base: str | None, bandwidth: int, *, keep_relative: bool
    ) -> None:
        """Start to pull what lies above ``base``, or with ``None`` everything, up into the active layer."""
        limit = self._counted(bandwidth)
        if base is None:
            bits = libvirt.VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES if self.counts_bytes else 0
            self._call("domainBlockPull", self._domain(uuid).blockPull, target, limit, bits)
            return
        bits = libvirt.VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES if self.counts_bytes else 0
        bits |= libvirt.VIR_DOMAIN_BLOCK_REBASE_RELATIVE if keep_relative else 0
        self._call("domainBlockRebase", self._domain(uuid).blockRebase, target, base, limit, bits)

    def end_job(self, uuid: str, target: str, *, pivot: bool) -> None:
        """Ask for the end of a job; returns when the request is accepted, and an event tells the rest.

        The synchronous form would hold the domain's job lock until the end.
        """
        flags = libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC
        flags |= libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT if pivot else 0
        self._call("domainBlockJobAbort", self._domain(uuid).blockJobAbort, target, flags)

    def set_speed(self, uuid: str, target: str, bandwidth: int) -> None:
        """Limit a job to ``bandwidth`` bytes per second; 0 is no limit."""
        flags = libvirt.VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES if self.counts_bytes else 0
        limit = self._counted(bandwidth)
        self._call("domainBlockJobSetSpeed", self._domain(uuid).blockJobSetSpeed, target, limit, flags)

    def _counted(self, bandwidth: int) -> int:
        """A limit in the server's unit, rounded up, since 0 would be none at all."""
        return bandwidth if self.counts_bytes else -(-bandwidth // MIB)


def guest_written(stats: dict[str, Any], target: str) -> int | None:
    """Bytes the guest has written to a disk, out of the rows of a domstats answer."""
    for number in range(stats.get("block.count", 0)):
        if stats.get(f"block.{number}.name") == target:
            written = stats.get(f"block.{number}.wr.bytes")
            return int(written) if written is not None else None
    return None
