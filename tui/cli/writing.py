"""Commands that change something: plan, consent, run, and how it ended."""

from __future__ import annotations

import sys
import threading

from tui.cli.commands import Consent, WriteCommand
from tui.cli.describing import cautions, finding_text, glyphs, plan_lines, refusals
from tui.cli.documents import outcome_document, plan_document
from tui.cli.errors import DONE, FAILED, INTERRUPTED, REFUSED, WRONG, CommandError, Interrupted
from tui.cli.hosts import Fleet, Follower, find_domain
from tui.cli.output import Output
from tui.cli.progress import Progress, progress
from tui.engine.control import Control, End, Outcome, Run
from tui.model.awaited import Awaited
from tui.model.begin_steps import Begin
from tui.model.command import own
from tui.model.finding import Severity
from tui.model.hierarchy_steps import DefineSnapshots
from tui.model.job import JobType
from tui.model.live_steps import mirrored_snapshot
from tui.model.migrate_steps import Migrate
from tui.model.plan import Plan
from tui.model.queue import goes_to
from tui.model.serve_steps import ServeThere
from tui.model.steps import AwaitEnd, AwaitSync, ChainStep, SetSpeed, Undo
from tui.model.text import printable

CALLED_BACK = 60.0
"""Seconds for which it is waited that a migration is called back."""
_ENDINGS = {JobType.COPY: ("pivot", "keep", "cancel"), JobType.ACTIVE_COMMIT: ("pivot", "cancel")}
"""The commands that end a job; the others are cancelled, or end by themselves."""
_ENDED_THERE = ("keep", "cancel")
"""Those that end a copy to another host."""


def write(command: WriteCommand, fleet: Fleet, output: Output) -> int:
    """Plan it, ask, run it, and tell how it ended.

    Raises:
        CommandError: when it cannot even be planned.
    """
    control, domain = find_domain(fleet, command.domain)
    plan = control.plan(command.wish(domain))
    consent = command.consent
    if consent.dry_run or plan.refused:
        return _show(control, plan, consent, output)
    if not consent.yes:
        insist_on_terminal()
        _say_plan(control, plan, output)
        if not agreed("Run this plan?", output):
            output.say("Nothing was changed.")
            return FAILED
    if consent.yes and not consent.json:
        for caution in cautions(plan.findings):
            output.complain(f"Note: {caution}")
    return _run(command, control, plan, output)


def _show(control: Control, plan: Plan, consent: Consent, output: Output) -> int:
    if consent.json:
        output.document({"plan": plan_document(control, plan)})
    elif consent.dry_run:
        _say_plan(control, plan, output)
    if not plan.refused:
        return DONE
    if consent.json or not consent.dry_run:
        # The plan that was shown says it already.
        for refusal in refusals(plan.findings):
            output.complain(refusal)
    return REFUSED


def _say_plan(control: Control, plan: Plan, output: Output) -> None:
    for line in plan_lines(control.state, plan, glyphs(ascii_only=output.ascii_only)):
        output.say(line)


def insist_on_terminal() -> None:
    """See that there is somebody to ask.

    Raises:
        CommandError: when there is not.
    """
    if not sys.stdin.isatty():
        raise CommandError(
            WRONG,
            "There is no terminal to ask on: give --yes to run this without asking, or --dry-run to see the plan.",
        )


def agreed(question: str, output: Output) -> bool:
    """Ask, and say whether the answer is yes."""
    output.prompt(f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _run(command: WriteCommand, control: Control, plan: Plan, output: Output) -> int:
    run = control.run(plan)
    try:
        outcome = _follow(control, run, output) if command.waits else _until_started(control, run)
    except Interrupted:
        run.leave()
        # Without this program a migration ends unless it is the hosts': what was done for it is taken back.
        ends = goes_to(plan) is not None and not _is_the_hosts(run)
        ended = run.wait(CALLED_BACK if ends else 1.0)
        if ends and ended is not None and ended.end is not End.LEFT:
            output.complain(printable(ended.message))
        else:
            _tell_how_to_go_on(plan, output, recoverable=ends)
        return INTERRUPTED
    if command.consent.json:
        output.document({"plan": plan_document(control, plan), "outcome": outcome_document(outcome)})
    if outcome.end is End.FAILED:
        output.complain(outcome.message)
        return FAILED
    if not command.consent.json:
        _tell_end(command, plan, outcome, output)
    return DONE


def _is_the_hosts(run: Run) -> bool:
    """Whether it has come to a migration in which these talk to each other."""
    step = goes_to(run.plan)
    return step is not None and step.transport.p2p and run.step >= run.plan.steps.index(step)


def _follow(control: Control, run: Run, output: Output) -> Outcome:
    """Show the jobs of the plan until it ends."""
    targets = {
        target
        for step in run.plan.steps
        if not isinstance(step, SetSpeed)
        for target in (getattr(step, "targets", None) or (getattr(step, "target", None),))
    }
    long = any(isinstance(step, ChainStep | Migrate) for step in run.plan.steps)
    said, asked = -1, False
    with Follower(control) as follower, progress(output) as shown:
        _wake_at_end(run, follower)
        while True:
            outcome = run.wait(0)
            if long and said < run.step < len(run.plan.steps):
                # Copying files shows in no job.
                said = run.step
                shown.note(f"{said + 1}/{len(run.plan.steps)}: {printable(run.plan.steps[said].title)}")
            awaited = control.state.awaited.get(run.plan.uuid)
            if awaited is not None and not asked:
                asked = True
                # What is painted in place would wipe out a prompt.
                shown.note(_your_turn(awaited))
                threading.Thread(target=_go_on_at_enter, args=(control, run.plan.uuid), daemon=True).start()
            _show_jobs(control, run.plan, targets, shown)
            if outcome is not None:
                return outcome
            follower.wait()


def _your_turn(awaited: Awaited) -> str:
    """What the user of a guest that stands still has to do, and how long he has for it."""
    how = f" ({awaited.how})" if awaited.how else ""
    return (
        f"{printable(awaited.domain)} stands still{how}, for {awaited.limit:g} s at most: do your part, and press "
        "enter."
    )


def _go_on_at_enter(control: Control, uuid: str) -> None:
    # The end of the input is no word that it is done.
    if sys.stdin.readline():
        control.go_on(uuid)


def _wake_at_end(run: Run, follower: Follower) -> None:
    def wait() -> None:
        run.wait()
        follower.wake()

    threading.Thread(target=wait, daemon=True).start()


def _show_jobs(control: Control, plan: Plan, targets: set[str | None], shown: Progress) -> None:
    state = control.state
    latest = {job.target: job for job in state.jobs if job.uuid == plan.uuid and job.target in targets}
    rows = ((state, job) for job in latest.values())
    shown.show(rows, [(state, found) for found in [state.migrations.get(plan.uuid)] if found])


def _until_started(control: Control, run: Run) -> Outcome:
    """Wait until the job has begun; from then on it goes on in QEMU without us."""
    first = next(n for n, step in enumerate(run.plan.steps) if isinstance(step, AwaitSync | AwaitEnd))
    with Follower(control) as follower:
        _wake_at_end(run, follower)
        while run.step < first:
            outcome = run.wait(0)
            if outcome is not None:
                return outcome
            follower.wait()
    run.leave()
    return run.wait() or Outcome(End.LEFT)


def _tell_how_to_go_on(plan: Plan, output: Output, *, recoverable: bool) -> None:
    begin, name = _begin(plan), printable(plan.domain)
    # The jobs of several disks are of use only together.
    together = len({step.target for step in plan.steps if isinstance(step, Begin)}) > 1
    whole = any(isinstance(step, ChainStep | DefineSnapshots | Undo) for step in plan.steps)
    if recoverable or together or whole:
        how = f"go on with {own('resume', name)}, or take it back with {own('undo', name)}."
        output.complain(f"Interrupted. The guest goes on; {how}")
    elif begin is None:
        output.complain("Interrupted. What was begun goes on: look with virt-mirror jobs.")
    else:
        verbs = _ENDED_THERE if _serves(plan) else _ENDINGS.get(begin.job, ("cancel",))
        endings = [own(verb, name, printable(begin.target)) for verb in verbs]
        ends = " or ".join(filter(None, (", ".join(endings[:-1]), endings[-1])))
        output.complain(
            f"Interrupted. The {begin.job} goes on in QEMU: follow it with virt-mirror jobs --watch, "
            f"end it with {ends}."
        )


def _tell_end(command: WriteCommand, plan: Plan, outcome: Outcome, output: Output) -> None:
    draw = glyphs(ascii_only=output.ascii_only)
    begin = _begin(plan)
    if begin is not None and not command.waits:
        where = printable(f"{plan.domain} {begin.target}")
        output.say(f"The {begin.job} of {where} has started and goes on in QEMU.")
        verb = "keep" if _serves(plan) else "pivot"
        then = f" In sync: {printable(own(verb, plan.domain, begin.target))}" if begin.job.mirrors else ""
        output.say(f"Follow it: virt-mirror jobs --watch.{then}")
        return
    for finding in outcome.findings:
        if finding.severity is Severity.WARNING:
            output.complain(finding_text(finding))
        else:
            output.say(f"{draw.of(finding.severity)} {finding_text(finding)}")
    output.say(printable(outcome.message))
    if (held := mirrored_snapshot(plan.steps)) is not None:
        output.say(f"End it: {printable(held.deletions)}")
    for disk in plan.held:
        _say_xml(f"{printable(disk.target)}, as the guest uses it now:", disk.disk, output)
        if disk.backup is not None:
            _say_xml(f"{printable(disk.target)}, to back up from:", disk.backup, output)


def _say_xml(what: str, text: str, output: Output) -> None:
    output.say(what)
    for line in text.splitlines():
        output.say(f"  {printable(line)}")


def _serves(plan: Plan) -> bool:
    """Whether the copy lies at another host, where the guest cannot go over to it."""
    return any(isinstance(step, ServeThere) for step in plan.steps)


def _begin(plan: Plan) -> Begin | None:
    return next((step for step in plan.steps if isinstance(step, Begin)), None)
