"""What a key means at the moment it is pressed: the disk, the job, the plan or the migration under the cursor."""

from __future__ import annotations

from collections.abc import Mapping

from tui.app.command import Panel
from tui.app.deeds import Aim, running_number
from tui.app.queue_keys import QueueKeys
from tui.app.rows import DiskKey
from tui.app.widgets.interrupted import InterruptedRow
from tui.app.widgets.jobs import JobRow, JobsView
from tui.app.widgets.migrations import MigrationRow
from tui.model.abandoned import barred
from tui.model.job import Job
from tui.model.journal import Entry
from tui.model.migration import Migration

LISTS = (Panel.JOBS, Panel.QUEUE)
"""The panels whose keys mean the object under the cursor, and no tags."""


class AimedKeys(QueueKeys):
    """Finds it; the keys that change something bind to it."""

    jobs: JobsView

    def focused_disk(self) -> DiskKey | None:
        """The disk that a key means: that of the job or item under the cursor, else that of the table's row."""
        if self.panel in LISTS:
            item = self.jobs.current if self.panel is Panel.JOBS else self.queue_view.current
            return item.disk if item else None
        row = self.domains.table.current
        return row.key if row else None

    def focused_migration(self) -> Migration | None:
        """That of the domain that a key means, on its way to another host."""
        if self.panel is Panel.JOBS:
            item = self.jobs.current
            return item.migration if isinstance(item, MigrationRow) and item.ended is None else None
        disk = self.focused_disk()
        return self.picture.states[disk[0]].migrations.get(disk[1]) if disk else None

    def focused_arrival(self) -> MigrationRow | None:
        """The migration under the cursor, if it has ended."""
        item = self.jobs.current if self.panel is Panel.JOBS else None
        return item if isinstance(item, MigrationRow) and item.ended is not None else None

    def _on_its_way(self) -> bool:
        """Whether a migration is meant, running or ended, to which nothing else can be done; says so."""
        migration = self.focused_migration()
        arrival = self.focused_arrival()
        if arrival is not None:
            self.hint(f"The migration of {arrival.migration.domain} has ended: d dismisses it.")
            return True
        if migration is not None:
            where = f"{migration.domain} is on its way to {migration.host}"
            self.hint(migration.over or f"{where}: b changes how it goes on, x calls it back.")
        return migration is not None

    def focused_job(self) -> Job | None:
        """The job that a key means."""
        if self.panel is Panel.JOBS:
            item = self.jobs.current
            return item.job if isinstance(item, JobRow) else None
        if self.panel is Panel.QUEUE:
            queued = self.queue_view.current
            return self._job_of(queued.disk) if queued else None
        row = self.domains.table.current
        return row.job if row else None

    def aimed_disks(self) -> list[DiskKey]:
        """The disks that a key is for: the tagged ones of the cursor's domain, else the cursor's."""
        disk = self.focused_disk()
        if disk is None or self.panel in LISTS:
            return [disk] if disk else []
        number, uuid, _ = disk
        tagged = [row.key for row in self.domains.tagged if (row.number, row.uuid) == (number, uuid)]
        return sorted(tagged) or [disk]

    def aimed_jobs(self) -> list[Job | None]:
        """The jobs of those disks."""
        if self.panel in LISTS:
            return [self.focused_job()]
        return [self._job_of(disk) for disk in self.aimed_disks()]

    def _job_of(self, disk: DiskKey) -> Job | None:
        number, uuid, target = disk
        return self.picture.states[number].job(uuid, target)

    def focused_interruption(self) -> InterruptedRow | None:
        """The interrupted plan under the cursor, where it is in the list of jobs itself."""
        item = self.jobs.current if self.panel is Panel.JOBS else None
        return item if isinstance(item, InterruptedRow) else None

    def plan_of(self, disk: DiskKey) -> Entry | None:
        """The plan in progress that a key means: the one under the cursor, else that which is about a disk."""
        row = self.focused_interruption()
        if row is not None:
            return row.plan
        number, uuid, target = disk
        return self.picture.states[number].plan_of(uuid, target)

    def interrupted(self, disk: DiskKey) -> bool:
        """Whether nobody carries on that plan any more."""
        number, uuid, target = disk
        cut_off = self.picture.states[number].interrupted(uuid, target)
        return cut_off is not None or self.focused_interruption() is not None

    def barred(self, disk: DiskKey) -> Mapping[str, str]:
        """What cannot be done with that plan once it is interrupted, resume or undo, and why."""
        entry = self.plan_of(disk)
        return barred(self.picture.states[disk[0]], entry) if entry and self.interrupted(disk) else {}

    def leftover_of(self, disk: DiskKey) -> str | None:
        """The image that an interrupted copy of a disk has left behind."""
        number, uuid, target = disk
        return self.picture.states[number].leftover(uuid, target)

    def _tags_elsewhere(self, disks: list[DiskKey]) -> bool:
        """Whether other disks are tagged than these, which whoever pressed the key may have meant; says so."""
        tagged = self.domains.tagged
        if self.panel in LISTS or not tagged or not set(disks).isdisjoint(row.key for row in tagged):
            return False
        names = ", ".join(sorted({row.name for row in tagged}))
        self.hint(
            f"Tags are set on {names}, the cursor is elsewhere, and this key is for one domain: "
            "U forgets the tags, or go there."
        )
        return True

    def _aim(self, disks: list[DiskKey]) -> Aim:
        """Bind to what these disks are now; to the domain alone where none of its disks is meant."""
        number, uuid, _ = disks[0]
        targets = [target for _, _, target in disks if target]
        running = {target: running_number(self._job_of((number, uuid, target))) for target in targets}
        return Aim(self.picture.controls[number], uuid, running)
