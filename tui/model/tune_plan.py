"""A wish to change a migration that runs, and what is known of it, make a plan."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model.disk_checks import check_bandwidth
from tui.model.domain import Domain
from tui.model.finding import Finding, in_order, refused, warning
from tui.model.migrate_request import MigrationTuneRequest, Tune
from tui.model.migrate_steps import TuneMigration
from tui.model.migration import BEFORE, Migration, MigrationPhase
from tui.model.plan import Plan
from tui.model.quantity import rate
from tui.model.text import printable

LONGEST_DOWNTIME = 2_000_000
"""Milliseconds; QEMU takes no more."""

_TITLES = {
    Tune.BANDWIDTH: "Change the limit of the migration of",
    Tune.DOWNTIME: "Change the downtime of the migration of",
    Tune.POSTCOPY: "Switch over now:",
    Tune.SUSPEND: "Pause on its way:",
    Tune.CALL_BACK: "Call back the migration of",
}


def plan_tune(
    request: MigrationTuneRequest, domain: Domain, migration: Migration | None, plan_id: str
) -> Plan:
    """Make the plan, of one step."""
    name = printable(domain.name)
    findings: list[Finding] = []
    if migration is None:
        reason = f"{name} is on its way to no other host, as far as virt-mirror leads it."
        findings.append(refused("not-migrating", reason, "Look at the jobs of this host."))
    elif obstacle := why_not(request.tune, migration):
        findings.append(obstacle)
    else:
        findings += _check(request, domain, migration)
    limits_both = request.tune is Tune.BANDWIDTH and migration is not None and migration.postcopy
    step = TuneMigration(domain.uuid, domain.name, request.tune, request.value, limits_both)
    return Plan(
        id=plan_id,
        title=f"{_TITLES[request.tune]} {name}",
        uuid=domain.uuid,
        domain=domain.name,
        findings=in_order(findings),
        steps=(step,),
        journalled=False,
        facts=tuple(_facts(request, name, migration)),
    )


def why_not(tune: Tune, migration: Migration) -> Finding | None:
    """What refuses a change while the migration is where it is; ``None`` where it can be had."""
    name, phase = printable(migration.domain), migration.phase
    match tune:
        case _ if migration.over and not _still_fetched(tune, migration):
            return refused("past-the-switch", migration.over, "Wait for its end.")
        case Tune.BANDWIDTH | Tune.DOWNTIME | Tune.POSTCOPY | Tune.SUSPEND if phase in BEFORE:
            reason = (
                f"{name} is not under way itself yet: {printable(migration.host)} is made ready for it first."
            )
            return refused("too-early", reason, "Wait for that.")
        case Tune.SUSPEND if migration.paused:
            return refused("paused", f"{name} is paused already.", "Wait until it has arrived.")
        case Tune.POSTCOPY if not migration.postcopy:
            reason = f"The migration of {name} was begun without post-copy."
            return refused("no-postcopy", reason, "Call it back, and begin it with post-copy.")
        case Tune.POSTCOPY if phase is not MigrationPhase.MEMORY:
            reason = f"Post-copy is possible once memory is sent; {name} is at {phase}."
            return refused("too-early", reason, "Wait for that.")
        case _:
            return None


def _still_fetched(tune: Tune, migration: Migration) -> bool:
    """Whether it is about memory that is fetched after the switch, which has a limit still."""
    return tune is Tune.BANDWIDTH and migration.phase is MigrationPhase.POSTCOPY


def _check(request: MigrationTuneRequest, domain: Domain, migration: Migration) -> Iterator[Finding]:
    name = printable(domain.name)
    match request.tune:
        case Tune.BANDWIDTH:
            yield from check_bandwidth(request.value)
            if migration.phase is MigrationPhase.DISKS:
                reason = (
                    "This is for the memory: disks that are being copied keep the limit that they began with."
                )
                yield warning("disks-keep-limit", reason)
        case Tune.DOWNTIME if not 0 < request.value <= LONGEST_DOWNTIME:
            reason = f"{request.value} ms is no time for which QEMU lets a guest stand still."
            yield refused("downtime", reason, f"Give a number from 1 to {LONGEST_DOWNTIME}.")
        case Tune.POSTCOPY:
            yield warning(
                "no-way-back",
                f"There is no way back from there: if a host or the network between them fails before all memory has "
                f"been fetched, {name} is lost and has to be started anew.",
            )
        case Tune.SUSPEND:
            reason = f"{name} stands still from now on, until it has arrived or is called back."
            yield warning("stands-still", reason)
        case _:
            return


def _facts(
    request: MigrationTuneRequest, name: str, migration: Migration | None
) -> Iterator[tuple[str, str]]:
    yield "domain", name
    if migration is not None:
        yield "to", printable(migration.host)
        yield "now", migration.words
    match request.tune:
        case Tune.BANDWIDTH:
            yield "limit then", rate(request.value) if request.value else "none"
        case Tune.DOWNTIME:
            yield "downtime", f"{request.value} ms at the most"
        case Tune.POSTCOPY:
            yield "undo", "none: the guest runs there from then on"
        case Tune.SUSPEND:
            yield "undo", "virsh resume, while it is here"
        case Tune.CALL_BACK:
            yield "then", "it goes on here, with its snapshots; what was made for it there is removed"
