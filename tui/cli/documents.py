"""The JSON that scripts read: stable, sizes in bytes, limits in bytes per second, unknown is null."""

from __future__ import annotations

from typing import Any

from tui.engine.control import Control, Outcome
from tui.model.abandoned import heartbeat_age, ways_out
from tui.model.command import addressed
from tui.model.disk import Disk, Mirror
from tui.model.domain import Domain
from tui.model.finding import Finding
from tui.model.forecast import forecast
from tui.model.host import HostState
from tui.model.job import Job
from tui.model.journal import Entry
from tui.model.migration import DiskOnTheWay, Migration
from tui.model.plan import Plan
from tui.model.storage import Chain, Layer
from tui.model.write_storage import type_of

Document = dict[str, Any]


def host_document(state: HostState, domains: list[Domain]) -> Document:
    """A host with some of its domains."""
    return {
        "uri": state.uri,
        "hostname": state.hostname,
        "domains": [_domain(state, domain) for domain in domains],
    }


def _domain(state: HostState, domain: Domain) -> Document:
    return {
        "name": domain.name,
        "uuid": domain.uuid,
        "state": domain.state.value,
        "persistent": domain.persistent,
        "disks": [_disk(state, domain, disk) for disk in domain.disks],
    }


def _disk(state: HostState, domain: Domain, disk: Disk) -> Document:
    job = state.job(domain.uuid, disk.target)
    return {
        "target": disk.target,
        "device": disk.device.value,
        "bus": disk.bus,
        "capacity": state.capacity(domain.uuid, disk.target),
        "chain": _chain(disk.chain),
        "mirror": _mirror(disk.mirror) if disk.mirror else None,
        "job": _running(job) if job and not job.phase.ended else None,
    }


def _mirror(mirror: Mirror) -> Document:
    return {"job": mirror.job.value, "ready": mirror.ready.value, "chain": _chain(mirror.chain)}


def _running(job: Job) -> Document:
    return {"type": job.type.value, "phase": job.phase.value, **_numbers(job)}


def _numbers(job: Job) -> Document:
    progress = job.progress
    known = progress is not None and progress.known
    return {
        "cur": progress.cur if progress and known else None,
        "end": progress.end if progress and known else None,
        "bandwidth": progress.bandwidth if progress else None,
    }


def _chain(chain: Chain) -> list[Document]:
    return [layer_document(layer) for layer in chain.layers]


def layer_document(layer: Layer) -> Document:
    """One image of a chain."""
    return {"type": type_of(layer.source), "path": layer.path, "format": layer.format, "index": layer.index}


def job_document(state: HostState, job: Job) -> Document:
    """A job with what can be said of its future."""
    future = forecast(job)
    return {
        "host": state.uri,
        "domain": job.domain,
        "uuid": job.uuid,
        "target": job.target,
        "type": job.type.value,
        "phase": job.phase.value,
        **_numbers(job),
        "percent": job.percent,
        "rate": _whole(future.rate),
        "guest_write_rate": _whole(future.guest_rate),
        "lag": future.lag,
        "remaining_seconds": _whole(future.seconds),
        "forecast": future.verdict.value,
        "source": layer_document(job.source) if job.source else None,
        "destination": layer_document(job.destination.active) if job.destination.active else None,
        "plan": job.plan,
        "remark": job.remark,
    }


def migration_document(state: HostState, migration: Migration) -> Document:
    """A domain on its way to another host."""
    memory, layers = migration.memory, migration.layers
    return {
        "host": state.uri,
        "domain": migration.domain,
        "uuid": migration.uuid,
        "to": migration.host,
        "phase": migration.phase.value,
        "paused": migration.paused,
        "percent": migration.percent,
        "rate": _whole(migration.rate),
        "remaining_seconds": _whole(migration.seconds),
        "expected_downtime_ms": migration.downtime,
        "p2p": migration.p2p,
        "postcopy": migration.postcopy,
        "auto_converge": migration.auto_converge,
        "troubles": list(migration.troubles),
        "layers": {"cur": layers.cur, "end": layers.end} if layers is not None else None,
        "disks": [_on_the_way(migration, disk) for disk in migration.disks],
        "memory": None
        if memory is None
        else {
            "total": memory.total,
            "remaining": memory.remaining,
            "rate": memory.rate,
            "dirty_rate": memory.dirty_rate,
            "iteration": memory.iteration,
        },
    }


def _on_the_way(migration: Migration, disk: DiskOnTheWay) -> Document:
    future = disk.outlook
    return {
        "target": disk.target,
        # Whoever came later may have missed that libvirt said so.
        "in_sync": disk.in_sync or (False if migration.led else None),
        "cur": disk.cur,
        "end": disk.end,
        "percent": None if disk.in_sync else disk.percent,
        "bandwidth": disk.limit,
        "rate": _whole(future.rate),
        "guest_write_rate": _whole(future.guest_rate),
        "lag": future.lag,
        "remaining_seconds": _whole(future.seconds),
        "forecast": future.verdict.value,
    }


def interrupted_document(control: Control, entry: Entry) -> Document:
    """A plan that nobody carries on, and what can be done about it."""
    state, named = control.state, [control.uri] if control.uri else []
    domain = state.domain(entry.uuid)
    ways = {verb: addressed(command, *named) for verb, command in ways_out(state, entry).items()}
    return {
        "host": state.uri,
        "domain": domain.name if domain else None,
        "uuid": entry.uuid,
        "plan": entry.id,
        "title": entry.title,
        "step": entry.reached + 1,
        "steps": len(entry.steps),
        "owner": entry.owner,
        "heartbeat_age_seconds": _whole(heartbeat_age(state, entry)),
        **ways,
    }


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def plan_document(control: Control, plan: Plan) -> Document:
    """A plan as the preview shows it."""
    return {
        "id": plan.id,
        "title": plan.title,
        "host": control.state.uri,
        "domain": plan.domain,
        "uuid": plan.uuid,
        "refused": plan.refused,
        "facts": [{"label": label, "value": value} for label, value in plan.facts],
        "findings": [finding_document(finding) for finding in plan.findings],
        "chains": [
            {"target": chain.target, "now": _chain(chain.now), "then": _chain(chain.then)}
            for chain in plan.chains
        ],
        "held": [
            {"target": held.target, "method": held.method, "disk": held.disk, "backup": held.backup}
            for held in plan.held
        ],
        "steps": [
            {"kind": type(step).__name__, "title": step.title, "commands": list(step.commands)}
            for step in plan.steps
        ],
    }


def outcome_document(outcome: Outcome) -> Document:
    """How a plan ended."""
    return {
        "end": outcome.end.value,
        "message": outcome.message,
        "findings": [finding_document(finding) for finding in outcome.findings],
    }


def finding_document(finding: Finding) -> Document:
    """A reason and what to do about it."""
    return {
        "severity": finding.severity.value,
        "check": finding.check,
        "reason": finding.reason,
        "remedy": finding.remedy,
        "acceptance": finding.acceptance.value if finding.acceptance else None,
    }
