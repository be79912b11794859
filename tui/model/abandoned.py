"""Plans that were begun and that nobody carries on, as far as no running job tells of them."""

from __future__ import annotations

from tui.model.command import own
from tui.model.host import HostState
from tui.model.journal import Entry


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
