"""A look at a domain on its way to another host: what libvirt says of its disks and its memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tui.engine.disk_calls import guest_written
from tui.model import on_the_way
from tui.model.job import Sample
from tui.model.migrate_steps import Migrate
from tui.model.migration import DiskOnTheWay, MemoryOnTheWay, Migration, Round, phase_of
from tui.model.on_the_way import begun

if TYPE_CHECKING:
    from tui.engine.connection import Connection
    from tui.engine.host import Host


def look(step: Migrate, host: Host, *, led: bool = True) -> Migration:
    """Ask how far it is, and show that; what is shown joins what was seen before.

    Raises:
        HostError: when the host does not say.
    """
    connection = host.connection()
    stats = connection.migration_stats(step.uuid)
    memory = _memory(stats)
    disks = _disks(step, connection, all_there=memory is not None)
    paused, late = connection.standstill(step.uuid)
    expected = stats.get("downtime")
    seen = replace(
        begun(step, led=led),
        phase=late or phase_of(disks, memory),
        paused=paused,
        disks=disks,
        memory=memory,
        downtime=expected if isinstance(expected, int) else None,
    )
    return host.apply(lambda s: on_the_way.with_migration(s, seen)).migrations[step.uuid]


def leaves(step: Migrate, host: Host) -> bool:
    """Whether a domain is on its way from here that another program leads; if so show how far.

    Raises:
        HostError: when the host does not say, as when it has just gone or come back.
    """
    connection = host.connection()
    # Its journal comes along; and whoever asks one that arrives keeps its host from calling it off.
    if step.host_uuid == connection.host_uuid() or not connection.migrates(step.uuid):
        return False
    look(step, host, led=False)
    return True


def _disks(step: Migrate, connection: Connection, *, all_there: bool) -> tuple[DiskOnTheWay, ...]:
    """Those of which anything is known; libvirt sends memory only once all of them are in sync."""
    jobs = {target: connection.job(step.uuid, target) for target in step.targets}
    at = time.monotonic()
    written = connection.block_stats({step.uuid}).get(step.uuid, {}) if any(jobs.values()) else {}
    return tuple(
        DiskOnTheWay(
            target,
            job.cur,
            job.end,
            in_sync=all_there,
            limit=job.bandwidth,
            samples=(Sample(at, job.cur, job.end, guest_written(written, target)),) if job.known else (),
        )
        for target, job in jobs.items()
        if job and job.end
    )


def _memory(stats: Mapping[str, Any]) -> MemoryOnTheWay | None:
    total = stats.get("memory_total")
    if not total:
        return None
    page = stats.get("memory_page_size", 4096)
    pages, rate = stats.get("memory_dirty_rate"), stats.get("memory_bps")
    iteration, still = stats.get("memory_iteration", 0), stats.get("downtime", 0)
    # The standstill that QEMU expects is what all of the round takes at the rate that it tells with it.
    known = pages and rate and still
    return MemoryOnTheWay(
        total,
        stats.get("memory_remaining", 0),
        rate=rate or None,
        dirty_rate=pages * page if pages else None,
        iteration=iteration,
        rounds=(Round(iteration, rate * still // 1000),) if known else (),
    )
