"""What libvirt has measured of a migration that is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.engine.errors import HostError
from tui.model.figures import Figures
from tui.model.migrate_steps import Migrate

if TYPE_CHECKING:
    from tui.engine.host import Host


def measured(step: Migrate, there: Host, still: float | None, copied: int | None) -> Figures:
    """Ask the host where the domain has arrived, which has been told by the other one; that one may know it no more.

    Args:
        step: what took it there.
        there: that host.
        still: seconds for which the guest was heard to stand still.
        copied: bytes of disks that were seen to be copied; libvirt does not count what goes beside the memory.
    """
    try:
        stats: dict[str, Any] = there.connection().migration_stats(step.uuid, completed=True)
    except HostError:
        # It has gone over all the same.
        stats = {}
    return Figures(
        still_seconds=still,
        downtime_ms=stats.get("downtime"),
        total_ms=stats.get("time_elapsed"),
        setup_ms=stats.get("setup_time"),
        memory=stats.get("memory_processed"),
        rounds=stats.get("memory_iteration"),
        disks=copied,
    )
