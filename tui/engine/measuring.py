"""What libvirt has measured of a migration that is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tui.engine.errors import HostError
from tui.model.figures import Figures
from tui.model.host import HostState
from tui.model.migrate_steps import Migrate

if TYPE_CHECKING:
    from tui.engine.host import Host


class Copied:
    """How much of the disks has gone over."""

    def __init__(self, uuid: str) -> None:
        """Nothing was seen yet of that domain."""
        self._uuid = uuid
        self.amount: int | None = None
        """Bytes, as far as that was seen."""

    def look(self, state: HostState) -> None:
        """See how far it is in a picture; the last ones tell of no disks any more."""
        migration = state.migrations.get(self._uuid)
        if migration is not None and migration.disks:
            self.amount = max(self.amount or 0, sum(disk.cur for disk in migration.disks))


@contextmanager
def watched_copying(uuid: str, host: Host) -> Iterator[Copied]:
    """See meanwhile how much of the disks of a domain goes over."""
    copied = Copied(uuid)
    end = host.subscribe(copied.look, lambda _line: None)
    try:
        yield copied
    finally:
        end()


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
