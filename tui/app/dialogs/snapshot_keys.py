"""The keys of the view of snapshots that change something: what they ask for."""

from __future__ import annotations

from abc import abstractmethod

from tui.app.deeds import Aim, Deeds, running_number
from tui.app.dialogs.exports import Exports
from tui.app.dialogs.list_with_details import ListWithDetails
from tui.app.dialogs.open_plans import OpenPlans, open_plans
from tui.engine.control import Control, Level
from tui.model.domain import Domain
from tui.model.hierarchy import MirrorState, SnapshotView, worst
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.hierarchy_rows import TreeRow
from tui.model.journal import Entry
from tui.model.request import Ending, RecoverRequest


class SnapshotKeys(ListWithDetails):
    """What is bound to the snapshot under the cursor at the moment of the key press."""

    control: Control
    domain: Domain
    """As it was when the view was opened."""
    view: SnapshotView | None
    deeds: Deeds
    exports: Exports

    @property
    @abstractmethod
    def current(self) -> TreeRow | None:
        """What is under the cursor."""

    @abstractmethod
    def why_not(self, command: str) -> str | None:
        """Why a command does nothing now, one sentence."""

    def hint(self, text: str) -> None:
        """Say why a key did nothing."""
        self.news.say(Level.WARNING, text)

    @property
    def open_plans(self) -> OpenPlans:
        """Those of the domain, as they are now."""
        return open_plans(self.control, self.domain.uuid)

    @property
    def _aim(self) -> Aim:
        return Aim(self.control, self.domain.uuid)

    def _meant(self, command: str) -> str | None:
        """The name of the snapshot that a key is for; says why where there is none."""
        reason = self.why_not(command)
        if reason:
            self.hint(reason)
            return None
        snapshot = self.current.snapshot if self.current else None
        return snapshot.name if snapshot else None

    def _there(self) -> Domain | None:
        """The domain as it is now; says so where it is gone."""
        domain = self.control.state.domain(self.domain.uuid)
        if domain is None:
            self.hint("The domain is gone.")
        return domain

    def action_take(self) -> None:
        """Take one."""
        if domain := self._there():
            self.deeds.take(self._aim, domain)

    def action_import(self) -> None:
        """Bring those of a file back."""
        if domain := self._there():
            self.deeds.import_from(self._aim, domain, self.exports.latest)

    def action_delete(self) -> None:
        """Delete it; mirrors that it has end in one of two ways, which is all that there is to it then."""
        name = self.current.known_name if self.current and self.current.snapshot else None
        mirrors = self.view.mirrors.get(name, ()) if self.view and name else ()
        if name is None or not mirrors:
            self._delete("delete", "Delete")
        elif domain := self._there():
            jobs = {one.target: self.control.state.job(domain.uuid, one.target) for one in mirrors}
            running = {target: running_number(job) for target, job in jobs.items()}
            ending = Ending.CANCEL if worst(mirrors) is MirrorState.GONE else Ending.PIVOT
            self.deeds.end_mirrors(Aim(self.control, domain.uuid, running), domain, name, ending)

    def action_delete_all(self) -> None:
        """Delete it and all that descend from it."""
        self._delete("delete-all", "Delete them", children=True)

    def action_forget(self) -> None:
        """Have libvirt forget it."""
        self._delete("forget", "Forget", metadata_only=True)

    def _delete(
        self, command: str, verb: str, *, children: bool = False, metadata_only: bool = False
    ) -> None:
        name = self._meant(command)
        if name is not None:
            request = SnapshotDeleteRequest(
                self.domain.uuid, name, children=children, metadata_only=metadata_only
            )
            self.deeds.propose(self._aim, request, verb)

    @property
    def plan_meant(self) -> Entry | None:
        """What is gone on with, or taken back."""
        return self.open_plans.meant(self.current.known_name if self.current else None)

    def action_resume(self) -> None:
        """Go on with an interrupted plan."""
        self._recover("resume", "Resume", undo=False)

    def action_undo(self) -> None:
        """Take an interrupted plan back."""
        self._recover("undo", "Undo", undo=True)

    def _recover(self, command: str, verb: str, *, undo: bool) -> None:
        reason, entry = self.why_not(command), self.plan_meant
        if reason or entry is None:
            self.hint(reason or "")
        else:
            self.deeds.propose(self._aim, RecoverRequest(self.domain.uuid, undo, entry.id), verb)

    def action_revert(self) -> None:
        """Go back to it."""
        name = self._meant("revert")
        if name is not None and (domain := self._there()):
            self.deeds.revert(self._aim, domain, name)
