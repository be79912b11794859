"""Taking all domains of a host to another one: a plan for each, one question, and a queue that carries them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tui.cli.commands import EvacuateCommand
from tui.cli.describing import Glyphs, cautions, glyphs, plan_lines, refusals
from tui.cli.documents import plan_document
from tui.cli.errors import DONE, FAILED, INTERRUPTED, REFUSED, WRONG, CommandError, Interrupted
from tui.cli.hosts import Fleet, Follower, find_domain
from tui.cli.output import Output
from tui.cli.progress import Progress, progress
from tui.cli.writing import CALLED_BACK, agreed, insist_on_terminal
from tui.engine.control import Control
from tui.engine.errors import HostError, NoConnection
from tui.engine.queue import QueueRunner
from tui.model.domain import Domain
from tui.model.finding import refused
from tui.model.plan import Plan
from tui.model.queue import Item, Limits, State
from tui.model.text import counted, printable
from tui.model.together import judged, load_of

_STATUS = {State.DONE: DONE, State.REFUSED: REFUSED}
"""By how an item ended; anything else has failed."""


def evacuate(command: EvacuateCommand, fleet: Fleet, output: Output) -> int:
    """Plan for each, ask once, carry them out one after the other, and tell how each ended.

    Raises:
        CommandError: when it is not clear which domains are meant.
        NoConnection: when the host is gone.
    """
    control = _only(fleet)
    chosen = _chosen(command, fleet, control)
    plans = judged([(control.state.uri, _planned(command, domain, control)) for domain in chosen])
    consent = command.consent
    ready = [plan for plan in plans if not plan.refused]
    if not consent.json:
        for line in _overview(plans, glyphs(ascii_only=output.ascii_only)):
            output.say(line)
    if consent.dry_run or not ready:
        return _show(control, plans, output, json=consent.json, whole=consent.dry_run)
    if not consent.yes:
        insist_on_terminal()
        if not agreed(f"Migrate {_counted(ready, plans)}?", output):
            output.say("Nothing was changed.")
            return FAILED
    return _carry_out(command, control, plans, output)


def _only(fleet: Fleet) -> Control:
    if len(fleet.live) + len(fleet.dead) != 1:
        raise CommandError(WRONG, "One host is evacuated at a time: name it with one -c.")
    return fleet.live[0]


def _chosen(command: EvacuateCommand, fleet: Fleet, control: Control) -> list[Domain]:
    spared = {find_domain(fleet, name)[1].uuid for name in command.spared}
    if command.domains:
        named = (find_domain(fleet, name)[1] for name in command.domains)
        found = list({domain.uuid: domain for domain in named}.values())
    else:
        there = sorted(control.state.domains, key=lambda d: (not d.state.active, d.name))
        found = [domain for domain in there if domain.state.active or command.off]
    left = [domain for domain in found if domain.uuid not in spared]
    if not left:
        raise CommandError(WRONG, f"No domain is to leave {printable(control.state.name)}.")
    return left


def _planned(command: EvacuateCommand, domain: Domain, control: Control) -> Plan:
    """Its plan, one that is refused where none can be made: that keeps nobody else here."""
    request = command.wish(domain)
    try:
        return control.plan(request)
    except NoConnection:
        raise
    except HostError as error:
        finding = refused("unplanned", printable(str(error)))
        title = f"Migrate {printable(domain.name)}"
        return Plan("", title, domain.uuid, domain.name, (finding,), (), request=request)


def _overview(plans: Sequence[Plan], draw: Glyphs) -> list[str]:
    """A line for each domain: what goes along, or why it stays."""
    width = max(len(printable(plan.domain)) for plan in plans)
    lines = []
    for plan in plans:
        told = f"stays: {' '.join(refusals(plan.findings))}" if plan.refused else load_of(plan)
        lines.append(f"{draw.of(plan.worst)} {printable(plan.domain):{width}}  {told}")
        if not plan.refused:
            lines += [f"  {'':{width}}  {caution}" for caution in cautions(plan.findings)]
    return lines


def _counted(ready: Sequence[Plan], plans: Sequence[Plan]) -> str:
    if len(ready) < len(plans):
        return f"{len(ready)} of {len(plans)} domains"
    return counted(len(plans), "domain")


def _show(control: Control, plans: Sequence[Plan], output: Output, *, json: bool, whole: bool) -> int:
    if json:
        documents = {"plans": [plan_document(control, plan) for plan in plans]}
        output.document(documents if whole else {**documents, "items": []})
    for plan in plans if whole and not json else ():
        output.say()
        for line in plan_lines(control.state, plan, glyphs(ascii_only=output.ascii_only)):
            output.say(line)
    return REFUSED if any(plan.refused for plan in plans) else DONE


def _carry_out(command: EvacuateCommand, control: Control, plans: Sequence[Plan], output: Output) -> int:
    runner = QueueRunner()
    runner.limit(Limits(per_host=command.at_once, per_destination=command.at_once))
    ready = [(control, plan) for plan in plans if not plan.refused]
    status = REFUSED if len(ready) < len(plans) else DONE
    try:
        with Follower(control) as follower, progress(output) as shown:
            runner.subscribe(lambda _queue: follower.wake())
            runner.add(ready)
            told: set[int] = set()
            try:
                _follow(runner, follower, shown, told)
            except Interrupted:
                status = INTERRUPTED
                for item in (*runner.queue.waiting, *runner.queue.running):
                    runner.cancel(item.id)
                _follow(runner, follower, shown, told, CALLED_BACK)
    finally:
        runner.close()
    items = runner.queue.items
    if command.consent.json:
        plan_documents = [plan_document(control, plan) for plan in plans]
        output.document({"plans": plan_documents, "items": [_document(item) for item in items]})
    else:
        gone = sum(item.state is State.DONE for item in items)
        output.say(f"{gone} of {len(plans)} have gone from {printable(control.state.name)}.")
    if status is INTERRUPTED:
        return INTERRUPTED
    return (
        FAILED if FAILED in (found := {_STATUS.get(i.state, FAILED) for i in items}) else max(status, *found)
    )


def _follow(
    runner: QueueRunner, follower: Follower, shown: Progress, told: set[int], timeout: float | None = None
) -> None:
    """Show what is on its way, and tell of each that ends, until all have."""
    while True:
        items = runner.queue.items
        for item in items:
            if item.state.ended and item.id not in told:
                told.add(item.id)
                shown.note(f"{printable(item.domain)}: {item.state}. {printable(item.message)}".rstrip())
        ways = ((state, one) for state in follower.states for one in state.migrations.values() if one.led)
        shown.show((), ways)
        if all(item.state.ended for item in items) or not follower.wait(timeout):
            return


def _document(item: Item) -> dict[str, Any]:
    return {
        "domain": item.domain,
        "uuid": item.uuid,
        "destination": item.peer,
        "state": item.state.value,
        "message": item.message,
        "started": item.started,
        "ended": item.ended,
    }
