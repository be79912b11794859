"""Changing a migration while it runs."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.steps import happened, run
from tui.model import on_the_way
from tui.model.finding import Finding
from tui.model.host import HostState
from tui.model.migrate_request import Tune
from tui.model.migrate_steps import TuneMigration
from tui.model.migration import MigrationPhase

if TYPE_CHECKING:
    from tui.engine.host import Host

ENDED = 30.0
"""Seconds within which a migration ends that was called back."""
AGAIN = 0.5
"""Seconds from one attempt to the next: nothing can be aborted before libvirt has begun."""


@run.register(TuneMigration)
def _(step: TuneMigration, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    connection = host.connection()
    match step.tune:
        case Tune.BANDWIDTH:
            connection.set_migration_speed(step.uuid, step.value)
            if step.postcopy:
                connection.set_migration_speed(step.uuid, step.value, postcopy=True)
        case Tune.DOWNTIME:
            connection.set_max_downtime(step.uuid, step.value)
        case Tune.POSTCOPY:
            connection.start_postcopy(step.uuid)
        case Tune.SUSPEND:
            connection.suspend(step.uuid)
            host.apply(partial(on_the_way.with_pause, uuid=step.uuid))
        case Tune.CALL_BACK:
            _call_back(step, host)
    return ()


@happened.register(TuneMigration)
def _(step: TuneMigration, host: Host) -> bool:
    return step.tune is Tune.CALL_BACK and _decided(host.state, step.uuid)


def _call_back(step: TuneMigration, host: Host) -> None:
    """Abort it, and see that the guest is here.

    Raises:
        StepFailed: when it had gone over by then, or goes on.
    """
    until = time.monotonic() + ENDED
    trouble = ""
    while not _decided(host.state, step.uuid):
        if time.monotonic() > until:
            raise StepFailed(f"{step.domain} does not come back. {trouble}".rstrip())
        try:
            if not host.call_back(step.uuid):
                host.connection().abort_job(step.uuid)
        except NoConnection:
            raise
        except HostError as error:
            trouble = str(error)
        host.wait_for(lambda s: _decided(s, step.uuid) or None, timeout=AGAIN)
    reading = host.connection().read(step.uuid)
    if reading is None or not reading.state.active:
        raise StepFailed(f"It was too late: {step.domain} had gone over already.")


def _decided(state: HostState, uuid: str) -> bool:
    """Whether it is known by now where a domain will be."""
    migration = state.migrations.get(uuid)
    return migration is None or migration.phase in (MigrationPhase.FINISHING, MigrationPhase.UNDOING)
