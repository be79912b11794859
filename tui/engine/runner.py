"""Carrying out a plan, step by step, with its journal in the domain ahead of every step."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tui.engine import (  # noqa: F401  all but two only register
    begin_steps,
    chain_steps,
    end_steps,
    hierarchy_steps,
    journal,
    layer_steps,
    live_steps,
    migrate_steps,
    serve_steps,
    snapshot_steps,
    steps,
    tidy_steps,
    tune_steps,
    volume_steps,
)
from tui.engine.control import End, Level, Outcome
from tui.engine.errors import AlreadyThere, HostError, JobCancelled, NoConnection, StepFailed
from tui.engine.history import result_of
from tui.model import on_the_way
from tui.model.begin_steps import Begin
from tui.model.figures import together
from tui.model.finding import Finding, fine, warning
from tui.model.history import Record, amounts_of, kind_of, left_by, undoes
from tui.model.journal import STALE_AFTER, Entry
from tui.model.migrate_steps import Migrate
from tui.model.migration import MigrationPhase
from tui.model.plan import Plan
from tui.model.steps import AwaitEnd, AwaitSync, Step
from tui.model.text import printable

if TYPE_CHECKING:
    from tui.engine.host import Host

ARRIVED = 30.0
"""Seconds within which a host shows a domain that has arrived."""
HEARTBEAT = STALE_AFTER / 3
"""Seconds between two signs of life in the journal."""


class PlanRun:
    """A plan in a thread of its own."""

    def __init__(self, host: Host, plan: Plan) -> None:
        """Prepare; ``start`` begins."""
        self.plan = plan
        self.outcome: Outcome | None = None
        self._host = host
        self._step = 0
        self._gone = False
        """Whether the domain has gone to another host, which is ``_host`` then."""
        self._left = threading.Event()
        self._ended = threading.Event()
        self._quiet = threading.Event()
        self._writing = threading.Lock()
        """Held for a sign of life, which would outlive an entry that is removed while it is under way, and say less
        than one that is written."""
        self._found: tuple[Finding, ...] = ()
        """What was proved so far."""
        self._began_at = host
        self._before = host.state.domain(plan.uuid)
        self._way = next((step for step in plan.steps if isinstance(step, Migrate)), None)
        """What takes the domain to another host, if anything does: shown as on its way from first step to last."""
        self._begun = now = host.clock()
        new = Entry(plan.id, plan.uuid, plan.title, plan.steps, 0, journal.owner(), now, now, here=True)
        self._entry = (
            replace(plan.resumed, owner=new.owner, heartbeat=now, here=True) if plan.resumed else new
        )

    @property
    def step(self) -> int:
        """Index of the step being done."""
        return self._step

    @property
    def ahead(self) -> bool:
        """Whether it is at what goes to another host before the guest does."""
        return self._way is not None and self._step < self.plan.steps.index(self._way)

    @property
    def entry(self) -> Entry:
        """The plan and how far it is, which its journal may not tell yet, if it has one."""
        return replace(self._entry, reached=self._step)

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._carry_out, name=f"plan-{self.plan.id}", daemon=True).start()
        if self.plan.journalled:
            threading.Thread(target=self._keep_alive, name=f"heartbeat-{self.plan.id}", daemon=True).start()

    def wait(self, timeout: float | None = None) -> Outcome | None:
        """Block until it ends and say how; ``None`` when ``timeout`` seconds pass first."""
        self._ended.wait(timeout)
        return self.outcome

    def leave(self) -> None:
        """Stop waiting. A job that was started goes on, and its journal stays."""
        self._left.set()
        self._host.nudge()

    def _carry_out(self) -> None:
        try:
            self.outcome = self._do_all()
        except steps.Left:
            self._sign_off()
            self.outcome = Outcome(End.LEFT, "What was started goes on in QEMU.")
        except HostError as error:
            self._found += error.found
            self.outcome = self._give_up(error)
        except Exception as error:  # noqa: BLE001  # the outermost boundary of this thread
            self.outcome = Outcome(
                End.FAILED, f"Something unexpected happened: {type(error).__name__}: {error}."
            )
            self._host.log(self.outcome.message, Level.ERROR, domain=self.plan.domain)
        finally:
            self._fall_silent()
            if self._way is not None:
                self._began_at.apply(partial(on_the_way.without_migration, uuid=self.plan.uuid))
            # Others may wait for what this plan was to bring.
            self._began_at.nudge()
            try:
                self._remember()
            finally:
                self._ended.set()

    def _remember(self) -> None:
        """Keep in the history how it ended."""
        host, plan, outcome = self._began_at, self.plan, self.outcome
        if host.history is None or outcome is None:
            return
        measured = [finding.figures for finding in self._found if finding.figures is not None]
        record = Record(
            plan=plan.closes[0] if undoes(plan.request) else plan.id,
            kind=kind_of(plan.request),
            title=plan.title,
            uri=host.state.uri,
            hostname=host.state.name,
            domain=plan.domain,
            uuid=plan.uuid,
            owner=journal.owner(),
            begun=self._begun,
            ended=host.clock(),
            steps=tuple(step.title for step in plan.steps),
            reached=len(plan.steps) if outcome.end is End.DONE else self._step,
            result=result_of(plan, outcome),
            message=outcome.message,
            figures=together([*measured, amounts_of(plan, self._step, host.state.jobs)]),
            left=() if outcome.end is End.LEFT else self._left_there(),
        )
        if trouble := host.history.append(record):
            host.log(trouble, Level.WARNING)

    def _left_there(self) -> tuple[str, ...]:
        host = self._began_at
        left = left_by(self.plan, self._before, host.state.domain(self.plan.uuid)) if host.local else ()
        return tuple(path for path in left if os.path.lexists(path))

    def _do_all(self) -> Outcome:
        first = self.plan.resumed.reached if self.plan.resumed else 0
        cut_off = self.plan.resumed is not None
        for index, step in enumerate(self.plan.steps[first:], start=first):
            self._step = index
            if (
                cut_off
                and (index == first or isinstance(step, AwaitEnd))
                and steps.happened(step, self._host)
            ):
                # Whoever ran the plan was cut off after the deed and before the next entry in the journal; a job that
                # has ended since would be waited for in vain.
                if isinstance(step, Migrate):
                    self._follow(step)
                continue
            cut_off = False
            self._host.log(step.title, commands=step.commands, domain=self.plan.domain)
            self._found += self._do(step)
            if isinstance(step, Migrate):
                self._follow(step)
        self._fall_silent()
        if self.plan.steps and isinstance(self.plan.steps[-1], AwaitSync):
            # The mirror is held; the journal keeps what is needed to end it later.
            self._step = len(self.plan.steps)
            self._sign_off()
            return Outcome(
                End.DONE, f"{self.plan.title}: in sync, and held so until you decide.", self._found
            )
        self._close()
        if self.plan.leaves:
            left = ", ".join(map(printable, self.plan.leaves))
            self._found += (
                fine("left-there", f"The guest has left these images, which stay where they are: {left}."),
            )
        return Outcome(End.DONE, f"{self.plan.title}: done.", self._found)

    def _do(self, step: Step) -> tuple[Finding, ...]:
        """Run a step, journal first; when the connection breaks, find out afterwards whether it happened."""
        while True:
            if self._way is not None:
                self._began_at.apply(partial(on_the_way.with_step, way=self._way, step=step))
            try:
                with self._writing:
                    self._write()
                return steps.run(step, self._host, self._left)
            except NoConnection as error:
                self._found += error.found
                self._host.log(
                    f"The connection broke during “{step.title}”; to be looked at when the host is back.",
                    Level.WARNING,
                    domain=self.plan.domain,
                )
                self._await_link()
                if steps.happened(step, self._host):
                    return ()

    def _follow(self, step: Migrate) -> None:
        """Go on at the host where the domain is now; its journal has gone there with it."""
        self._show(MigrationPhase.FINISHING, "it is looked for there")
        before = self._host
        there = before if before.connection().host_uuid() == step.host_uuid else before.peer(step.destination)
        self._gone = True
        if there is not before:
            # A definition that stays behind must not tell of a plan that goes on elsewhere.
            before.refresh(self.plan.uuid)
            self._forget_here(before)
            there.refresh(self.plan.uuid)
        seen = there.wait_for(lambda s: s.domain(self.plan.uuid), timeout=ARRIVED, stop=self._left)
        if seen is None:
            message = f"{there.state.name} does not show {step.name}."
            raise StepFailed(message)
        self._host = there

    def _forget_here(self, before: Host) -> None:
        try:
            self._remove(before, self.plan.id)
        except HostError as error:
            before.log(f"{self.plan.domain}: its journal stays here: {error}", Level.WARNING)

    def _await_link(self) -> None:
        back = self._host.wait_for(lambda s: s.complete or None, stop=self._left)
        if back is None:
            raise steps.Left

    def _give_up(self, error: HostError) -> Outcome:
        """Undo what this plan began, as far as the host says that it is there."""
        self._fall_silent()
        remarks = [str(error)]
        cancelled = isinstance(error, JobCancelled)
        if over := self._gone_over():
            self._sign_off()
            message = " ".join([*remarks, f"{over}: go on with it."])
            self._host.log(f"{self.plan.title}: interrupted. {message}", Level.ERROR, domain=self.plan.domain)
            return Outcome(End.FAILED, message)
        self._show(MigrationPhase.UNDOING, "it goes on here")
        # What somebody else has made is not taken back.
        begun = self._step if isinstance(error, AlreadyThere) else self._step + 1
        for step in reversed(self.plan.steps[:begun]):
            try:
                failed = step is self.plan.steps[self._step]
                remarks += steps.undo(step, self._host, self._entry.started, failed=failed)
            except HostError as again:
                remarks.append(f"It could not be undone: {again}")
                cancelled = False
                # Whoever comes next may try at once.
                self._sign_off()
                break
        else:
            try:
                if self.plan.journalled:
                    self._remove(self._host, self.plan.id)
            except HostError as again:
                remarks.append(f"The journal could not be removed: {again}")
        message = " ".join(remarks)
        word, level = ("cancelled", Level.INFO) if cancelled else ("failed", Level.ERROR)
        self._host.log(f"{self.plan.title}: {word}. {message}", level, domain=self.plan.domain)
        return Outcome(End.FAILED, message, cancelled=cancelled)

    def _show(self, phase: MigrationPhase, doing: str = "") -> None:
        """Where a domain is on its way to another host, if this takes it there."""
        if self._way is not None:
            self._began_at.apply(partial(on_the_way.with_phase, way=self._way, phase=phase, doing=doing))

    def _gone_over(self) -> str:
        """What cannot be taken back any more, if anything has gone so far."""
        if self._torn():
            # Taking the others back would leave a guest whose disks lie in two places for good.
            return "Some disks have gone over and the others can"
        # It runs at the other host then.
        return "The guest has gone over" if self._gone else ""

    def _torn(self) -> bool:
        """Whether a disk has gone over while another one still has the mirror to follow it."""
        steps_begun = self.plan.steps[: self._step + 1]
        begun = {s.target: s for s in steps_begun if isinstance(s, Begin) and s.job.mirrors}
        domain = self._host.state.domain(self.plan.uuid)
        if domain is None or not domain.state.active:
            return False
        gone = {target for target, step in begun.items() if domain.is_on(target, step.path)}
        jobs = [self._host.state.job(self.plan.uuid, target) for target in begun.keys() - gone]
        return bool(gone) and any(job is not None and not job.phase.ended for job in jobs)

    # The journal

    def _write(self) -> None:
        if not self.plan.journalled:
            return
        self._entry = replace(self._entry, reached=self._step, heartbeat=self._host.clock())
        domain = self._host.state.domain(self.plan.uuid)
        if domain is None:
            message = f"{self.plan.domain} does not exist any more."
            raise StepFailed(message)
        journal.write(self._host.connection(), domain, self._entry)

    def _sign_off(self) -> None:
        """Leave the journal without an owner, so that anybody may go on from here at once."""
        if not self.plan.journalled:
            return
        self._fall_silent()
        domain = self._host.state.domain(self.plan.uuid)
        self._entry = replace(self._entry, reached=self._step, heartbeat=0.0)
        try:
            if domain is not None:
                journal.write(self._host.connection(), domain, self._entry)
        except HostError:
            # The host is gone or the guest is; the heartbeat grows old by itself.
            return

    def _close(self) -> None:
        """Take out of the journal what this plan ends. That the host refuses undoes nothing of what is done."""
        ended = (*self.plan.closes, *((self.plan.id,) if self.plan.journalled else ()))
        while True:
            try:
                self._remove(self._host, *ended)
            except NoConnection:
                self._await_link()
            except HostError as error:
                self._host.done_plans.update(ended)
                self._sign_off()
                self._found += (
                    warning(
                        "journal-left",
                        f"All is done, but the journal could not be removed: {error}",
                        "Leave the program open: it tries again whenever it looks at the guest.",
                    ),
                )
                return
            else:
                # A sign of life that was under way when a connection broke may still land.
                self._host.done_plans.update(ended)
                return

    def _remove(self, host: Host, *plan_ids: str) -> None:
        # Not as the picture shows it: an entry would stay in a guest that was started a moment ago.
        reading = host.connection().read(self.plan.uuid) if plan_ids else None
        if reading is not None:
            for plan_id in plan_ids:
                journal.remove(host.connection(), reading, plan_id)

    def _keep_alive(self) -> None:
        """Sign the journal now and then, so that nobody takes the plan for abandoned."""
        while not self._quiet.wait(HEARTBEAT):
            # A host that is away cannot be written to; the next beat tries again.
            with self._writing, suppress(HostError):
                # libvirt changes nothing in a domain that is on its way.
                if not self._quiet.is_set() and not isinstance(self.plan.steps[self._step], Migrate):
                    self._write()

    def _fall_silent(self) -> None:
        """Give no sign of life any more, and wait for one that is under way."""
        with self._writing:
            self._quiet.set()
