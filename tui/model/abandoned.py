"""Plans that were begun and that nobody carries on, as far as no running job tells of them."""

from __future__ import annotations

from collections.abc import Mapping

from tui.model.command import own
from tui.model.facts import Running
from tui.model.host import HostState
from tui.model.journal import Entry
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import RecoverRequest


def abandoned(state: HostState) -> tuple[Entry, ...]:
    """The interrupted plans of a host: moves in any case, others where no job of theirs is left to be ended."""
    return tuple(entry for entry in state.entries if _is_abandoned(state, entry))


def _is_abandoned(state: HostState, entry: Entry) -> bool:
    if entry.step is None or not state.abandons(entry):
        return False
    if any(state.interrupted(entry.uuid, target) is entry for target in entry.targets):
        return True
    return not any(job.uuid == entry.uuid and job.plan == entry.id for job in state.active_jobs)


def heartbeat_age(state: HostState, entry: Entry) -> float | None:
    """Seconds since the last sign of life; ``None`` where the owner is known to be gone, or has let go of it."""
    return max(0.0, state.refreshed - entry.heartbeat) if entry.heartbeat else None


def ways_out(state: HostState, entry: Entry) -> dict[str, str]:
    """The commands that go on with it and that take it back, by what they are called."""
    domain = state.domain(entry.uuid)
    name = domain.name if domain else entry.uuid
    which = ("--plan", entry.id) if len(state.entries_of(entry.uuid)) > 1 else ()
    return {verb: own(verb, name, *which) for verb in ("resume", "undo")}


def barred(state: HostState, entry: Entry) -> Mapping[str, str]:
    """What cannot be done with it, to resume it or to undo it, each with a sentence why.

    By the checks of the plans themselves, as far as the picture of the host goes: what takes a question to the host
    is left to the plan.
    """
    domain = state.domain(entry.uuid)
    if domain is None:
        return {}
    jobs = (job for job in state.active_jobs if job.uuid == entry.uuid)
    running = tuple(Running(j.target, j.type, j.phase, j.source, j.destination, j.progress) for j in jobs)
    facts = RecoverFacts(domain, (entry,), running, now=state.refreshed)
    requests = {
        verb: RecoverRequest(entry.uuid, undo=verb == "undo", plan=entry.id) for verb in ("resume", "undo")
    }
    refusals = {verb: plan_recover(one, facts, entry.id).refusals for verb, one in requests.items()}
    return {verb: found[0].reason for verb, found in refusals.items() if found}


def advice(state: HostState, entry: Entry) -> str:
    """What can be done about it, a sentence; where that is nothing, why."""
    ways, shut = ways_out(state, entry), barred(state, entry)
    verbs = {"resume": "go on with", "undo": "take it back with"}
    found = [f"{words} {ways[verb]}" for verb, words in verbs.items() if verb not in shut]
    if not found:
        return next(iter(shut.values()))
    sentence = ", or ".join(found)
    return f"{sentence[0].upper()}{sentence[1:]}."
