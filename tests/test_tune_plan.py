"""The plans that change a migration while it runs; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine import refusals
from tests.fake_host import MIB, make_domain
from tui.model.migrate_request import MigrationTuneRequest, Tune
from tui.model.migrate_steps import TuneMigration
from tui.model.migration import MemoryOnTheWay, Migration, MigrationPhase
from tui.model.plan import Plan
from tui.model.tune_plan import LONGEST_DOWNTIME, plan_tune

DOMAIN = make_domain()
SENT = Migration(
    DOMAIN.uuid,
    "db01",
    "host-b",
    MigrationPhase.MEMORY,
    memory=MemoryOnTheWay(1000, 500),
    postcopy=True,
)


def made(tune: Tune, value: int = 0, migration: Migration | None = SENT) -> Plan:
    return plan_tune(MigrationTuneRequest(DOMAIN.uuid, tune, value), DOMAIN, migration, "p1")


@pytest.mark.parametrize(
    ("tune", "value", "command", "warnings"),
    [
        (Tune.DOWNTIME, 900, "migrate-setmaxdowntime db01 900", set()),
        (Tune.POSTCOPY, 0, "migrate-postcopy db01", {"no-way-back"}),
        (Tune.SUSPEND, 0, "suspend db01", {"stands-still"}),
        (Tune.CALL_BACK, 0, "domjobabort db01", set()),
    ],
)
def test_one_step_that_no_journal_has(tune: Tune, value: int, command: str, warnings: set[str]) -> None:
    plan = made(tune, value)
    assert not plan.refused
    assert not plan.journalled
    assert plan.steps == (TuneMigration(DOMAIN.uuid, "db01", tune, value),)
    assert plan.commands == (f"virsh {command}",)
    assert {finding.check for finding in plan.findings} == warnings


def test_a_limit_is_for_what_is_fetched_afterwards_too() -> None:
    alone = made(Tune.BANDWIDTH, 1, replace(SENT, postcopy=False))
    assert alone.commands == ("virsh migrate-setspeed db01 1",)
    for phase in (MigrationPhase.MEMORY, MigrationPhase.POSTCOPY):
        both = made(Tune.BANDWIDTH, 20 * MIB, replace(SENT, phase=phase))
        assert not both.findings
        assert both.commands == (
            "virsh migrate-setspeed db01 20",
            "virsh migrate-setspeed db01 20 --postcopy",
        )


@pytest.mark.parametrize("tune", Tune)
def test_what_is_over_is_not_changed(tune: Tune) -> None:
    assert refusals(made(tune, 1, None)) == {"not-migrating"}
    assert refusals(made(tune, 1, replace(SENT, phase=MigrationPhase.SWITCHING))) == {"past-the-switch"}
    for phase in (MigrationPhase.FINISHING, MigrationPhase.UNDOING):
        assert refusals(made(tune, 1, replace(SENT, phase=phase))) == {"past-the-switch"}
    ahead = refusals(made(tune, 1, replace(SENT, phase=MigrationPhase.PREPARING)))
    assert ahead == (set() if tune is Tune.CALL_BACK else {"too-early"})
    late = refusals(made(tune, 1, replace(SENT, phase=MigrationPhase.POSTCOPY)))
    assert late == (set() if tune is Tune.BANDWIDTH else {"past-the-switch"})


def test_what_cannot_be_had() -> None:
    assert refusals(made(Tune.BANDWIDTH, -1)) == {"bandwidth"}
    assert refusals(made(Tune.DOWNTIME, 0)) == {"downtime"}
    assert refusals(made(Tune.DOWNTIME, LONGEST_DOWNTIME + 1)) == {"downtime"}
    assert refusals(made(Tune.POSTCOPY, migration=replace(SENT, postcopy=False))) == {"no-postcopy"}
    assert refusals(made(Tune.POSTCOPY, migration=replace(SENT, phase=MigrationPhase.DISKS))) == {"too-early"}
    assert refusals(made(Tune.SUSPEND, migration=replace(SENT, paused=True))) == {"paused"}


def test_disks_keep_their_limit() -> None:
    plan = made(Tune.BANDWIDTH, MIB, replace(SENT, phase=MigrationPhase.DISKS))
    assert {finding.check for finding in plan.findings} == {"disks-keep-limit"}
