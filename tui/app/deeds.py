"""From a key press to a change on a host: capture, plan, ask, look again, run.

What a key does is bound to host, domain and disks at the moment of the press. The plan is made in a thread,
since hosts take their time. The question names what the plan names, whatever the table shows by then. And
between the answer and the deed the host's latest picture is looked at once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tui.app.background import Background, Turn
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.imports import ImportForm
from tui.app.dialogs.merge import MergeForm
from tui.app.dialogs.migrate import MigrateForm
from tui.app.dialogs.migration import VERBS, Change, MigrationDialog
from tui.app.dialogs.mirror import MirrorForm
from tui.app.dialogs.move import MoveForm
from tui.app.dialogs.peer_fields import Peer
from tui.app.dialogs.revert import RevertForm
from tui.app.dialogs.several import Candidate
from tui.app.dialogs.several_fields import Mover
from tui.app.dialogs.several_migrations import SeveralMigrations
from tui.app.dialogs.several_moves import SeveralMoves
from tui.app.dialogs.snapshot import SnapshotForm
from tui.app.dialogs.snapshot_end import SnapshotEndForm
from tui.app.dialogs.speed import SpeedDialog
from tui.app.dialogs.standstill import StandstillDialog
from tui.app.glyphs import Glyphs
from tui.engine.control import Control, End, Level, Outcome
from tui.engine.errors import HostError
from tui.engine.queue import QueueRunner
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.job import Job
from tui.model.live_steps import TakeTogether
from tui.model.migrate_request import MigrationTuneRequest
from tui.model.migrate_steps import Migrate
from tui.model.migration import Migration
from tui.model.plan import Plan
from tui.model.request import Ending, EndRequest, MoveRequest, Request, SnapshotEndRequest, SpeedRequest
from tui.model.text import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textual.screen import Screen

Tell = Callable[[Level, str, str], None]
"""Level, host, sentence."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a key press is bound to."""

    control: Control
    uuid: str
    running: Mapping[str, int | None] = field(default_factory=dict)
    """For each disk the number of the job that runs on it, ``None`` where none does."""

    @property
    def host(self) -> str:
        """What people call the host."""
        return self.control.state.name

    def moved(self) -> str | None:
        """Why this is no longer what the user meant, one sentence; ``None`` while it is."""
        state = self.control.state
        domain = state.domain(self.uuid)
        if domain is None:
            return "The domain is gone. Nothing was done."
        for target, number in self.running.items():
            if domain.disk(target) is None:
                return f"{domain.name} has no disk {target} any more. Nothing was done."
            if running_number(state.job(self.uuid, target)) != number:
                return f"The job on {domain.name} {target} has changed meanwhile. Nothing was done."
        return None


def running_number(job: Job | None) -> int | None:
    """The number of a job that has not ended."""
    return None if job is None or job.phase.ended else job.number


class Deeds:
    """Carries out what the user asks for, one question at a time."""

    def __init__(
        self,
        screen: Screen[None],
        background: Background,
        runner: QueueRunner,
        tell: Tell,
        *,
        on_wait: Callable[[], None],
        on_ending: Callable[[Aim], None],
        on_end: Callable[[Plan, Outcome | None], None] = lambda _plan, _outcome: None,
        on_migrated: Callable[[Aim, Plan, Outcome], None] = lambda _aim, _plan, _outcome: None,
        clock: Callable[[], float],
        glyphs: Glyphs,
        suggested_bandwidth: int = 0,
    ) -> None:
        """Ask on this screen, work in these threads, queue there, say what happens through ``tell``.

        ``on_wait`` is called when waiting for a host begins or ends, ``on_ending`` when jobs are
        being ended, or what was tagged is queued, ``on_end`` when a plan has been carried out,
        ``on_migrated`` when a migration has ended, however it did.
        """
        self._on_wait = on_wait
        self._on_ending = on_ending
        self._on_end = on_end
        self._on_migrated = on_migrated
        self._screen = screen
        self._background = background
        self._runner = runner
        self._tell = tell
        self._clock = clock
        self._glyphs = glyphs
        self._suggested_bandwidth = suggested_bandwidth
        self._turn = Turn()
        self.waiting_for: str | None = None
        """The host whose plan is being waited for."""

    def propose(
        self, aim: Aim, request: Request, verb: str, *, carry_out: Callable[[Plan], None] | None = None
    ) -> None:
        """Have the plan made, and show it. A later proposal takes the place of one that still waits.

        ``carry_out`` is called with the plan where it is somebody else's to run.
        """
        self._wait(aim.host)
        only = self._turn.begin()
        self._background.do(
            partial(aim.control.plan, request),
            only(lambda plan: self._ask(aim, plan, verb, carry_out or partial(self._run, aim))),
            only(partial(self._no_plan, aim)),
        )

    def forget(self) -> None:
        """Wait for no plan any more."""
        self._turn.forget()
        self._wait(None)

    def mirror(self, aims: Sequence[Aim], peers: Callable[[Control], Sequence[Peer]], turn: int = 1) -> None:
        """Have the form filled in for one disk after the other, and run each plan that comes of it.

        Each aim has one disk; ``peers`` are the other hosts of one. Leaving a form leaves those after it as well.
        """
        aim = aims[turn - 1]
        found = self._disk_of(aim)
        if found is None:
            return

        def go_on(plan: Plan | None) -> None:
            if plan is not None:
                self._run(aim, plan)
                if turn < len(aims):
                    self.mirror(aims, peers, turn + 1)

        form = MirrorForm(
            aim.control,
            *found,
            peers=peers(aim.control),
            turn=(turn, len(aims)),
            suggested_bandwidth=self._suggested_bandwidth,
            glyphs=self._glyphs,
        )
        self._screen.app.push_screen(form, go_on)

    def move(self, aim: Aim, targets: Sequence[str]) -> None:
        """Have the form filled in for some disks of a domain, all where none is named, and run the plan."""
        found = self._disk_of(aim)
        if found is None:
            return
        form = MoveForm(
            aim.control,
            found[0],
            targets,
            suggested_bandwidth=self._suggested_bandwidth,
            glyphs=self._glyphs,
        )
        self._fill_in(aim, form)

    def migrate(
        self, aim: Aim, domain: Domain, peers: Sequence[Peer], begun: Callable[[], None] = lambda: None
    ) -> None:
        """Have the form filled in for a domain and these hosts, and run the plan; ``begun`` is called before."""
        self._fill_in(aim, MigrateForm(aim.control, domain, peers, glyphs=self._glyphs), begun)

    def move_several(self, movers: Sequence[Mover]) -> None:
        """Have the form filled in for several domains, and queue the plans that come of it."""
        form = SeveralMoves(movers, suggested_bandwidth=self._suggested_bandwidth, glyphs=self._glyphs)
        self._screen.app.push_screen(form, partial(self._queue, "move"))

    def migrate_several(
        self,
        candidates: Sequence[Candidate],
        peers: Sequence[Peer],
        fleet: Sequence[Control],
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        """Have the form filled in for domains that go to one of these hosts, and queue the plans that come of it.

        While one of the ``fleet`` is out of reach, nothing begins that goes there. ``begun`` is called before they are
        queued.
        """
        form = SeveralMigrations(candidates, peers, glyphs=self._glyphs)

        def begin(plans: Sequence[tuple[Control, Plan]] | None) -> None:
            if plans:
                begun()
                self._queue("migration", plans, peers=fleet)

        self._screen.app.push_screen(form, begin)

    def _queue(
        self, what: str, plans: Sequence[tuple[Control, Plan]] | None, *, peers: Sequence[Control] = ()
    ) -> None:
        if not plans:
            return
        try:
            self._runner.add(plans, peers)
        except HostError as error:
            self._tell(Level.ERROR, "", str(error))
            return
        count = counted(len(plans), f"{what} is", f"{what}s are")
        self._tell(Level.INFO, "", f"{count} queued.")
        for control, plan in plans:
            # The tags were for this.
            domain = control.state.domain(plan.uuid)
            targets = plan.request.targets if isinstance(plan.request, MoveRequest) else ()
            disks = targets or [disk.target for disk in (domain.disks if domain else ())]
            self._on_ending(Aim(control, plan.uuid, dict.fromkeys(disks)))

    def merge(self, aim: Aim, what: str, place: int) -> None:
        """Have the form filled in for a layer of a disk, and run the plan that comes of it."""
        found = self._disk_of(aim)
        if found is None:
            return
        form = MergeForm(
            aim.control,
            *found,
            what,
            place,
            suggested_bandwidth=self._suggested_bandwidth,
            glyphs=self._glyphs,
        )
        self._fill_in(aim, form)

    def take(self, aim: Aim, domain: Domain) -> None:
        """Have the form of a snapshot of a domain filled in, and run the plan that comes of it."""
        self._fill_in(aim, SnapshotForm(aim.control, domain, glyphs=self._glyphs))

    def revert(self, aim: Aim, domain: Domain, name: str) -> None:
        """Ask how a domain is to go back to a snapshot, and run the plan that comes of it."""
        self._fill_in(aim, RevertForm(aim.control, domain, name, glyphs=self._glyphs))

    def end_mirrors(self, aim: Aim, domain: Domain, name: str, ending: Ending) -> None:
        """Ask how the mirrors of a snapshot are to end, this way or the other, and run the plan that comes of it."""
        self._fill_in(aim, SnapshotEndForm(aim.control, domain, name, ending, glyphs=self._glyphs))

    def import_from(self, aim: Aim, domain: Domain, file: Path | None) -> None:
        """Have the form of an import filled in, beginning with ``file``, and run the plan that comes of it."""
        self._fill_in(aim, ImportForm(aim.control, domain, file, glyphs=self._glyphs))

    def _fill_in(self, aim: Aim, form: Screen[Plan | None], begun: Callable[[], None] = lambda: None) -> None:
        """Have a form filled in, and run the plan that comes of it; ``begun`` is called before."""

        def begin(plan: Plan | None) -> None:
            if plan is not None:
                begun()
                self._run(aim, plan)

        self._screen.app.push_screen(form, begin)

    def _disk_of(self, aim: Aim) -> tuple[Domain, Disk] | None:
        """The one disk that is aimed at as it is now; says so where it is gone."""
        (target,) = aim.running
        domain = aim.control.state.domain(aim.uuid)
        disk = domain.disk(target) if domain else None
        if domain is None or disk is None:
            self._tell(Level.WARNING, aim.host, aim.moved() or "")
            return None
        return domain, disk

    def speed(self, aim: Aim, job: Job) -> None:
        """Have a limit given, and propose it."""

        def propose(bandwidth: int | None) -> None:
            if bandwidth is not None:
                self.propose(aim, SpeedRequest(aim.uuid, job.target, bandwidth), "Set the limit")

        def now() -> Job | None:
            jobs = reversed(aim.control.state.jobs)
            return next((one for one in jobs if one.key == job.key and one.number == job.number), None)

        self._screen.app.push_screen(SpeedDialog(job, now, glyphs=self._glyphs), propose)

    def tune(self, aim: Aim, now: Callable[[], Migration | None]) -> None:
        """Show how far a migration is, and propose what is chosen to be changed of it."""

        def propose(change: Change | None) -> None:
            if change is not None:
                request = MigrationTuneRequest(aim.uuid, change.tune, change.value)
                self.propose(aim, request, VERBS[change.tune])

        dialog = MigrationDialog(now, read_only=aim.control.read_only, glyphs=self._glyphs)
        self._screen.app.push_screen(dialog, propose)

    def _wait(self, host: str | None) -> None:
        self.waiting_for = host
        self._on_wait()

    def _ask(self, aim: Aim, plan: Plan, verb: str, carry_out: Callable[[Plan], None]) -> None:
        self._wait(None)
        if self._screen.app.screen is not self._screen:
            self._tell(Level.WARNING, aim.host, f"Not asked, since another window is open: {plan.title}.")
            return
        question = ConfirmPlan(plan, aim.host, verb=verb, glyphs=self._glyphs)
        self._screen.app.push_screen(question, lambda yes: carry_out(plan) if yes else None)

    def _no_plan(self, aim: Aim, why: str) -> None:
        self._wait(None)
        self._tell(Level.ERROR, aim.host, why)

    def _run(self, aim: Aim, plan: Plan) -> None:
        if reason := aim.moved():
            self._tell(Level.WARNING, aim.host, reason)
            return
        if plan.refused:
            self._tell(Level.WARNING, aim.host, f"Refused, so nothing was done: {plan.title}.")
            return

        def carry_out() -> Outcome | None:
            return aim.control.run(plan).wait()

        if isinstance(plan.request, EndRequest | SnapshotEndRequest):
            self._on_ending(aim)
        over = self._stand_by(aim, plan)

        def ended(outcome: Outcome | None) -> None:
            over(outcome)
            self._ended(aim, plan, outcome)

        def failed(why: str) -> None:
            over(None)
            self._tell(Level.ERROR, aim.host, why)

        self._background.do(carry_out, ended, failed)

    def _stand_by(self, aim: Aim, plan: Plan) -> Callable[[Outcome | None], None]:
        """Have the user there when a guest stands still for him; what this returns is told how the plan has ended."""
        if not any(isinstance(step, TakeTogether) and step.asks for step in plan.steps):
            return lambda _outcome: None
        dialog = StandstillDialog(aim.control, plan, self._clock, glyphs=self._glyphs)
        self._screen.app.push_screen(dialog)
        return dialog.end

    def _ended(self, aim: Aim, plan: Plan, outcome: Outcome | None) -> None:
        self._on_end(plan, outcome)
        migrates = any(isinstance(step, Migrate) for step in plan.steps)
        if migrates and outcome is not None and outcome.end is not End.LEFT:
            self._on_migrated(aim, plan, outcome)
        if outcome is None or outcome.end is End.LEFT or outcome.cancelled:
            # Whoever cancelled it is told so by that.
            return
        level = Level.INFO if outcome.end is End.DONE else Level.ERROR
        self._tell(level, aim.host, outcome.message or f"{plan.title}: {outcome.end.value}.")
