"""A domain that comes from another host is that host's until it is here: no wish for it makes a plan that runs."""

from __future__ import annotations

from tui.model.domain import Domain
from tui.model.finding import refused
from tui.model.plan import Plan
from tui.model.text import printable


def plan_arriving(domain: Domain, plan_id: str) -> Plan | None:
    """The plan that says so; ``None`` for a domain that is here."""
    if domain.arriving_from is None:
        return None
    name, host = printable(domain.name), printable(domain.arriving_from)
    finding = refused(
        "arriving",
        f"{name} is arriving from {host}, and nothing can be done with it here before it has.",
        f"Wait for that, or call it back at {host}.",
    )
    return Plan(plan_id, f"Nothing to do for {name}", domain.uuid, domain.name, (finding,), ())
