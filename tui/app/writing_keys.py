"""The keys that change something: what they are about, and what they ask for."""

from __future__ import annotations

from tui.app.commands import Panel
from tui.app.deeds import Aim, running_number
from tui.app.dialogs.merge_fields import COMMIT, PULL
from tui.app.queue_keys import QueueKeys
from tui.app.rows import DiskKey
from tui.app.verbs import ending_of, why_not, why_not_in_plan, why_not_together
from tui.app.widgets.chain import ChainPanel
from tui.app.widgets.jobs import JobsView
from tui.model.job import Job
from tui.model.journal import Entry
from tui.model.request import Ending, EndRequest, RecoverRequest, SnapshotEndRequest

_LISTS = (Panel.JOBS, Panel.QUEUE)
"""The panels whose keys mean the object under the cursor, and no tags."""


class WritingKeys(QueueKeys):
    """What is bound to host, domain and disk at the moment of the key press."""

    chain: ChainPanel
    jobs: JobsView

    # What a key is about

    def focused_disk(self) -> DiskKey | None:
        """The disk that a key means: that of the job or item under the cursor, else that of the table's row."""
        if self.panel in _LISTS:
            item = self.jobs.current if self.panel is Panel.JOBS else self.queue_view.current
            return item.disk if item else None
        row = self.domains.table.current
        return row.key if row else None

    def focused_job(self) -> Job | None:
        """The job that a key means."""
        if self.panel is Panel.JOBS:
            item = self.jobs.current
            return item.job if item else None
        if self.panel is Panel.QUEUE:
            queued = self.queue_view.current
            return self._job_of(queued.disk) if queued else None
        row = self.domains.table.current
        return row.job if row else None

    def aimed_disks(self) -> list[DiskKey]:
        """The disks that a key is for: the tagged ones of the cursor's domain, else the cursor's."""
        disk = self.focused_disk()
        if disk is None or self.panel in _LISTS:
            return [disk] if disk else []
        number, uuid, _ = disk
        tagged = [row.key for row in self.domains.tagged if (row.number, row.uuid) == (number, uuid)]
        return sorted(tagged) or [disk]

    def aimed_jobs(self) -> list[Job | None]:
        """The jobs of those disks."""
        if self.panel in _LISTS:
            return [self.focused_job()]
        return [self._job_of(disk) for disk in self.aimed_disks()]

    def _job_of(self, disk: DiskKey) -> Job | None:
        number, uuid, target = disk
        return self.picture.states[number].job(uuid, target)

    def plan_of(self, disk: DiskKey) -> Entry | None:
        """The plan in progress that is about a disk."""
        number, uuid, target = disk
        return self.picture.states[number].plan_of(uuid, target)

    def interrupted(self, disk: DiskKey) -> bool:
        """Whether nobody carries on the plan of a disk any more."""
        number, uuid, target = disk
        return self.picture.states[number].interrupted(uuid, target) is not None

    def leftover_of(self, disk: DiskKey) -> str | None:
        """The image that an interrupted copy of a disk has left behind."""
        number, uuid, target = disk
        return self.picture.states[number].leftover(uuid, target)

    def _tags_elsewhere(self, disks: list[DiskKey]) -> bool:
        """Whether other disks are tagged than these, which whoever pressed the key may have meant; says so."""
        tagged = self.domains.tagged
        if self.panel in _LISTS or not tagged or not set(disks).isdisjoint(row.key for row in tagged):
            return False
        names = ", ".join(sorted({row.name for row in tagged}))
        self.hint(
            f"Tags are set on {names}, the cursor is elsewhere, and this key is for one domain: "
            "U forgets the tags, or go there."
        )
        return True

    def _aim(self, disks: list[DiskKey]) -> Aim:
        """Bind to what these disks are now."""
        number, uuid, _ = disks[0]
        running = {target: running_number(self._job_of((number, uuid, target))) for _, _, target in disks}
        return Aim(self.picture.controls[number], uuid, running)

    # Writes

    def action_mirror(self) -> None:
        """Fill in the form for the disk under the cursor, or one after the other for the tagged ones."""
        disks = self.aimed_disks()
        if not disks:
            self.hint("Move to the disk that is to be mirrored first.")
            return
        number, uuid, target = disks[0]
        domain = self.picture.states[number].domain(uuid)
        if domain is None or domain.disk(target) is None:
            self.hint("This domain has no disk that could be mirrored.")
            return
        if not self._tags_elsewhere(disks):
            self.deeds.mirror([self._aim([disk]) for disk in disks])

    def action_move(self) -> None:
        """Fill in the form for the tagged disks, wherever the cursor is; without any for the domain under it.

        With disks of several domains tagged, one form is for all of these.
        """
        everywhere = [] if self.panel in _LISTS else self.domains.tagged
        if len({(row.number, row.uuid) for row in everywhere}) > 1:
            self.move_several(everywhere)
            return
        tagged = sorted(row.key for row in everywhere)
        disk = tagged[0] if tagged else self.focused_disk()
        if disk is None or not disk[2]:
            self.hint("Move to the domain whose disks are to be moved first.")
            return
        self.deeds.move(self._aim([disk]), [target for _, _, target in tagged])

    def action_commit(self) -> None:
        """Merge layers down."""
        self._merge(COMMIT)

    def action_pull(self) -> None:
        """Bring layers up."""
        self._merge(PULL)

    def _merge(self, what: str) -> None:
        """Fill in the form for the layer under the cursor; from elsewhere than the chain for the active one."""
        disk = self.focused_disk()
        if disk is None or not disk[2]:
            self.hint("Move to the disk whose layers are to be merged first.")
            return
        number, uuid, target = disk
        domain = self.picture.states[number].domain(uuid)
        found = domain.disk(target) if domain else None
        if found is None or len(found.chain.layers) < 2:  # noqa: PLR2004
            self.hint("Merging takes a disk whose chain has several layers; this one has not.")
            return
        place = self.chain.place if self.panel is Panel.CHAIN else 0
        self.deeds.merge(self._aim([disk]), what, place)

    def action_pivot(self) -> None:
        """Let the guest go over to the destination."""
        self._end("pivot")

    def action_pivot_paused(self) -> None:
        """The same, with the guest paused until it has happened."""
        self._end("pivot-paused")

    def action_keep(self) -> None:
        """End the mirror and keep the copy."""
        self._end("keep")

    def action_cancel(self) -> None:
        """Cancel the job, or the item of the queue."""
        if self.panel is Panel.QUEUE:
            self.cancel_item()
            return
        self._end("cancel")

    def _end(self, command: str) -> None:
        disks = self.aimed_disks()
        if not disks:
            self.hint("Move to the job or the disk that is meant first.")
            return
        if self._tags_elsewhere(disks):
            return
        plan = self.plan_of(disks[0])
        if plan is not None and plan.snapshot is not None and plan.step is None and command != "keep":
            self._end_snapshot(disks[0], plan.snapshot.name, ending_of(command))
            return
        if plan is not None and plan.moves and command == "cancel":
            # A mirror that is a part of a move is not all that it has made.
            self._recover(undo=True)
            return
        tidying = command == "cancel" and all(self.leftover_of(disk) for disk in disks)
        reason = why_not_together(self.aimed_jobs(), command) or why_not_in_plan(plan, command)
        if reason and not tidying:
            self.hint(reason)
            return
        ending = ending_of(command)
        targets = tuple(target for _, _, target in disks)
        paused = command == "pivot-paused"
        request = EndRequest(
            uuid=disks[0][1],
            targets=targets,
            ending=ending,
            pause=paused or (ending is Ending.PIVOT and len(targets) > 1),
            wait=paused,
        )
        verb = {
            "pivot": "Pivot",
            "pivot-paused": "Pause and pivot",
            "keep": "Keep the copy",
            "cancel": "Tidy up" if tidying else "Cancel the job",
        }
        self.deeds.propose(self._aim(disks), request, verb[command])

    def _end_snapshot(self, disk: DiskKey, name: str, ending: Ending) -> None:
        """The mirrors of a snapshot end together, whichever of them is meant."""
        reason = why_not(self.focused_job(), "pivot") if ending is Ending.PIVOT else None
        if reason:
            self.hint(reason)
            return
        verb = "Pivot" if ending is Ending.PIVOT else "Give up the mirrors"
        self.deeds.propose(self._aim([disk]), SnapshotEndRequest(disk[1], name, ending), verb)

    def action_resume(self) -> None:
        """Go on with an interrupted plan."""
        self._recover(undo=False)

    def action_undo(self) -> None:
        """Take an interrupted plan back."""
        self._recover(undo=True)

    def _recover(self, *, undo: bool) -> None:
        disk = self.focused_disk()
        if disk is None:
            self.hint("Move to the disk whose plan is meant first.")
            return
        entry = self.plan_of(disk)
        if entry is None:
            self.hint("No plan is open on this disk.")
            return
        self.deeds.propose(
            self._aim([disk]), RecoverRequest(disk[1], undo, entry.id), "Undo" if undo else "Resume"
        )

    def action_speed(self) -> None:
        """Change the limit of the job."""
        disk, job = self.focused_disk(), self.focused_job()
        if disk is None or job is None or why_not(job, "speed"):
            self.hint(why_not(job, "speed") or "Move to a job first.")
            return
        self.deeds.speed(self._aim([disk]), job)
