"""The keys that change something: what they ask for."""

from __future__ import annotations

from collections.abc import Callable

from tui.app.aimed_keys import LISTS, AimedKeys
from tui.app.background import Background
from tui.app.command import Panel
from tui.app.deeds import Aim
from tui.app.dialogs.hosts import Departure, HostsDialog
from tui.app.dialogs.merge_fields import COMMIT, PULL
from tui.app.dialogs.peer_fields import Peer
from tui.app.dialogs.several import Candidate
from tui.app.rows import DiskKey
from tui.app.verbs import ending_of, why_not, why_not_in_plan, why_not_recovered, why_not_together
from tui.app.widgets.chain import ChainPanel
from tui.engine.control import Control
from tui.model.domain import Domain
from tui.model.host import Link
from tui.model.migrate_request import MigrationTuneRequest, Tune
from tui.model.request import Ending, EndRequest, RecoverRequest, SnapshotEndRequest


class WritingKeys(AimedKeys):
    """What is bound to host, domain and disk at the moment of the key press."""

    chain: ChainPanel
    background: Background

    def action_mirror(self) -> None:
        """Fill in the form for the disk under the cursor, or one after the other for the tagged ones."""
        if self._on_its_way():
            return
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
            self.deeds.mirror([self._aim([disk]) for disk in disks], self._peers_of)

    def action_move(self) -> None:
        """Fill in the form for the tagged disks, wherever the cursor is; without any for the domain under it.

        With disks of several domains tagged, one form is for all of these.
        """
        everywhere = [] if self.panel in LISTS else self.domains.tagged
        if len({(row.number, row.uuid) for row in everywhere}) > 1:
            self.move_several(everywhere)
            return
        if not everywhere and self._on_its_way():
            return
        tagged = sorted(row.key for row in everywhere)
        disk = tagged[0] if tagged else self.focused_disk()
        if disk is None or not disk[2]:
            self.hint("Move to the domain whose disks are to be moved first.")
            return
        self.deeds.move(self._aim([disk]), [target for _, _, target in tagged])

    def action_migrate(self) -> None:
        """Fill in the form for the domain under the cursor; with disks of several tagged, one for all of these."""
        tagged = [] if self.panel in LISTS else self.domains.tagged
        if len({(row.number, row.uuid) for row in tagged}) > 1:
            self._migrate_tagged({(row.number, row.uuid) for row in tagged})
            return
        if self._on_its_way():
            return
        disk = self.focused_disk()
        domain = self.picture.states[disk[0]].domain(disk[1]) if disk else None
        if disk is None or domain is None:
            self.hint("Move to the domain that is to go to another host first.")
            return
        if not self._tags_elsewhere([disk]):
            self.deeds.migrate(Aim(self.picture.controls[disk[0]], domain.uuid), domain, self._peers(disk[0]))

    def _migrate_tagged(self, tagged: set[tuple[int, str]]) -> None:
        numbers = {number for number, _uuid in tagged}
        if len(numbers) > 1:
            self.hint(
                "Tags are set on several hosts, and domains leave one host at a time: U forgets the tags."
            )
            return
        (number,) = numbers
        domains = self.picture.states[number].domains
        self._migrate_several(number, [d for d in domains if (number, d.uuid) in tagged])

    def action_evacuate(self) -> None:
        """Fill in the form for all domains of the host under the cursor."""
        row, controls = self.domains.table.current, self.picture.controls
        disk = self.focused_disk() or (row.key if row else None)
        if not controls:
            self.hint("No host is open: + opens one.")
            return
        if disk is None and len(controls) > 1:
            self.hint("Move to a domain of the host that is to be evacuated first.")
            return
        number = disk[0] if disk else 0
        state = self.picture.states[number]
        staying = [domain for domain in state.domains if not state.under_way(domain.uuid)]
        if not staying:
            self.hint(f"There is no domain on {state.name} that could go.")
            return
        self._migrate_several(number, sorted(staying, key=lambda one: (not one.state.active, one.name)))

    def _migrate_several(
        self,
        number: int,
        domains: list[Domain],
        first: int | None = None,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        controls = self.picture.controls
        candidates = [Candidate(controls[number], domain) for domain in domains]
        self.deeds.migrate_several(candidates, self._peers(number, first), controls, begun)

    def action_hosts(self) -> None:
        """Show the hosts side by side, and have go what is picked there."""
        disk, controls = self.focused_disk(), self.picture.controls
        if not controls:
            self.hint("No host is open: + opens one.")
            return
        dialog = HostsDialog(
            controls,
            self.background,
            lambda departure: self._depart(departure, dialog.action_leave),
            first=disk[0] if disk else 0,
            uuid=disk[1] if disk else None,
            glyphs=self.glyphs,
        )
        self.app.push_screen(dialog)

    def _depart(self, departure: Departure, begun: Callable[[], None]) -> None:
        """Fill in the form for what was picked, with the host that was pointed at first."""
        number, state = departure.source, self.picture.controls[departure.source].state
        domains = [domain for uuid in departure.uuids if (domain := state.domain(uuid))]
        if not domains:
            self.hint("What was picked is gone. Nothing was done.")
        elif len(domains) == 1:
            peers = self._peers(number, first=departure.destination)
            aim = Aim(self.picture.controls[number], domains[0].uuid)
            self.deeds.migrate(aim, domains[0], peers, begun)
        else:
            self._migrate_several(number, domains, departure.destination, begun)

    def _peers_of(self, control: Control) -> list[Peer]:
        return self._peers(self.picture.controls.index(control))

    def _peers(self, number: int, first: int | None = None) -> list[Peer]:
        """The other hosts that are reached now."""
        others = {
            control.uri or control.state.uri: control.state
            for other, control in sorted(enumerate(self.picture.controls), key=lambda one: one[0] != first)
            if other != number and control.state.link is Link.LIVE
        }
        return [(uri, state.name) for uri, state in others.items()]

    def action_commit(self) -> None:
        """Merge layers down."""
        self._merge(COMMIT)

    def action_pull(self) -> None:
        """Bring layers up."""
        self._merge(PULL)

    def _merge(self, what: str) -> None:
        """Fill in the form for the layer under the cursor; from elsewhere than the chain for the active one."""
        if self._on_its_way():
            return
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
        """Cancel the job or the item of the queue, or call a migration back."""
        if self.panel is Panel.QUEUE:
            self.cancel_item()
        elif self.focused_migration() is not None:
            self._call_back()
        else:
            self._end("cancel")

    def _call_back(self) -> None:
        """Have the domain stay that is on its way to another host."""
        disk, migration = self.focused_disk(), self.focused_migration()
        if migration is not None and migration.over:
            self.hint(migration.over)
        elif disk is not None and not self._tags_elsewhere([disk]):
            request = MigrationTuneRequest(disk[1], Tune.CALL_BACK)
            self.deeds.propose(Aim(self.picture.controls[disk[0]], disk[1]), request, "Call it back")

    def _end(self, command: str) -> None:
        disks = self.aimed_disks()
        if not disks:
            self.hint("Move to the job or the disk that is meant first.")
            return
        if self._tags_elsewhere(disks) or self._on_its_way():
            return
        plan = self.plan_of(disks[0])
        if plan is not None and plan.snapshot is not None and plan.step is None and command != "keep":
            self._end_snapshot(disks[0], plan.snapshot.name, ending_of(command))
            return
        targets = tuple(target for _, _, target in disks)
        if plan is not None and command == "cancel" and (plan.moves or plan.mirrored - set(targets)):
            # A mirror that is a part of a move is not all that it has made.
            self._recover(undo=True)
            return
        tidying = command == "cancel" and all(self.leftover_of(disk) for disk in disks)
        reason = why_not_together(self.aimed_jobs(), command) or why_not_in_plan(plan, command)
        if reason and not tidying:
            self.hint(reason)
            return
        ending = ending_of(command)
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
        if self._on_its_way():
            return
        entry = self.plan_of(disk)
        if entry is None:
            self.hint("No plan is open on this disk.")
            return
        if reason := why_not_recovered(self.barred(disk), "undo" if undo else "resume"):
            self.hint(reason)
            return
        self.deeds.propose(
            self._aim([disk]), RecoverRequest(disk[1], undo, entry.id), "Undo" if undo else "Resume"
        )

    def action_speed(self) -> None:
        """Change the limit of the job, or how a migration goes on."""
        if self.panel is Panel.QUEUE and self._item_for("speed") is None:
            return
        if self.focused_migration() is not None:
            self.show_migration()
            return
        if self._on_its_way():
            return
        disk, job = self.focused_disk(), self.focused_job()
        if disk is None or job is None or why_not(job, "speed"):
            self.hint(why_not(job, "speed") or "Move to a job first.")
            return
        self.deeds.speed(self._aim([disk]), job)

    def show_migration(self) -> None:
        """How far the domain is on its way to another host, and what can be changed of that."""
        disk = self.focused_disk()
        if disk is not None:
            number, uuid, _ = disk
            # As it is, though the display may be held still.
            control = self.picture.controls[number]
            self.deeds.tune(Aim(control, uuid), lambda: control.state.migrations.get(uuid))
