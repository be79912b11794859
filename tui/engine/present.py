"""Plans of one host as it is at present: made for it, and made once more before one is carried out that has waited."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tui.engine.errors import HostError
from tui.engine.planning import make_plan
from tui.model.command import addressed
from tui.model.plan import Plan
from tui.model.request import Request

if TYPE_CHECKING:
    from tui.engine.host import Host

PRESENT = 5.0
"""Seconds for which a plan is taken to describe the host as it is."""


def planned(request: Request, host: Host, plan_id: str, made: float | None = None) -> Plan:
    """Look at a host and make a plan, whose commands name it; ``made`` is when it was made first, unless that is now.

    Raises:
        HostError: when the host cannot be asked.
    """
    now = host.clock()
    plan = make_plan(
        request,
        host.connection(),
        host.state,
        plan_id,
        now,
        made=made,
        under_way=host.under_way,
        files=host.files,
        host=host,
    )
    facts = tuple((label, addressed(value, *host.named)) for label, value in plan.facts)
    findings = tuple(finding.addressed(*host.named) for finding in plan.findings)
    return replace(plan, request=request, made=now, facts=facts, findings=findings)


def insist_on_present(plan: Plan, host: Host) -> None:
    """A question may have stood on the screen for an hour: what was true for the plan may be so no more.

    Raises:
        HostError: when it is not.
    """
    if plan.request is None or host.clock() - plan.made < PRESENT:
        return
    # Under the same id and time, which are a part of names that a move gives and of what a snapshot notes.
    again = planned(plan.request, host, plan.id, plan.made)
    reasons = [f.reason for f in again.refusals]
    if again.steps != plan.steps:
        reasons.append("other steps are needed now.")
    if reasons:
        message = f"{plan.title} was not begun, since things have changed meanwhile: {reasons[0]}"
        raise HostError(message, remedy="Look at the plan again.")
