"""Taking a domain to another host: images there, snapshots aside, the guest itself, snapshots again, the proof."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

from tui.engine import journal
from tui.engine.aside import aside
from tui.engine.control import Level
from tui.engine.errors import AlreadyThere, HostError, NoConnection, StepFailed
from tui.engine.guardian import guarded
from tui.engine.hierarchy_facts import hierarchy_of
from tui.engine.migrating import called_back, followed
from tui.engine.peers import peer_of
from tui.engine.proof import prove_on, prove_open
from tui.engine.standing import listed_on, unlisted_on
from tui.engine.steps import SEEN, happened, run, undo
from tui.model import xml
from tui.model.coming import coming_to, counted_on
from tui.model.domain import RunState
from tui.model.finding import Finding, Severity, fine, warning
from tui.model.hierarchy import KnownSnapshot, parse_known
from tui.model.hierarchy_file import with_places
from tui.model.migrate_steps import BringBack, MakeThere, Migrate, ProveArrival, SetAside
from tui.model.migrate_xml import there_xml
from tui.model.packed import unpacked
from tui.model.text import counted, listed, printable

if TYPE_CHECKING:
    from tui.engine.host import Host

_FEW, _LONGEST = 6, 200


# Images


@run.register(MakeThere)
def _(step: MakeThere, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    with peer_of(host, step.destination) as there:
        files = there.files
        if files is None:
            raise StepFailed(f"No files can be made at {step.host} from here.")
        try:
            files.make(step.image)
        except AlreadyThere as error:
            message = f"{step.image.path} is at {step.host} by now, and is not overwritten."
            raise AlreadyThere(message) from error
    return ()


@happened.register(MakeThere)
def _(step: MakeThere, host: Host) -> bool:
    with peer_of(host, step.destination) as there:
        return there.files is not None and there.files.made(step.image)


@undo.register(MakeThere)
def _(step: MakeThere, host: Host, since: float, *, failed: bool) -> list[str]:
    path = step.image.path
    with peer_of(host, step.destination) as there:
        if there.files is None or not there.files.existing([path]):
            return []
        if failed and not there.files.made(step.image):
            return [f"{path} stays at {step.host}: this plan has not made it."]
        # A guest that was called back is on it for a moment longer.
        there.wait_for(lambda s: True if step.uuid not in listed_on(s, path) else None, timeout=SEEN)
        if users := listed_on(there.state, path):
            return [f"{path} stays at {step.host}: {', '.join(users.values())} is on it."]
        other = _counted_on(step, host)
        if other is not None:
            return [f"{path} stays at {step.host}: {other} is to use it."]
        # What a disk is copied into nobody else can stand on: it was never whole.
        reasons = () if step.image.target else unlisted_on(there.state, path, there.files, there.connection())
        if reasons:
            return [f"{path} stays at {step.host}: {listed(reasons, _FEW, _LONGEST)}."]
        stays = there.files.remove(path, since)
    return [stays] if stays else [f"{path} was removed at {step.host}."]


def _counted_on(step: MakeThere, host: Host) -> str | None:
    """The domain whose plan counts on what was brought, once all of it is there."""
    path, entries = step.image.path, host.plans
    if path in coming_to(step.host, (entry for entry in entries if entry.uuid == step.uuid)):
        return None
    found = counted_on(step.host, (e for e in entries if e.uuid != step.uuid)).get(path)
    domain = host.state.domain(found.uuid) if found else None
    return domain.name if domain else None


# Snapshots


@run.register(SetAside)
def _(step: SetAside, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    connection = host.connection()
    found = hierarchy_of(connection, step.uuid, secure=True)
    # Some are gone where this was cut off in the middle; others than these nobody has looked at.
    if {one.name for one in found.snapshots} - set(step.names):
        raise StepFailed(f"{step.domain} has other snapshots than when the plan was made.")
    host.peers.secrets[step.uuid] = found.snapshots
    for name in reversed(step.names):
        if left.is_set():
            raise called_back(step.domain)
        connection.forget_snapshot(step.uuid, name)
    count = counted(len(step.names), "snapshot is", "snapshots are")
    return (fine("snapshots-aside", f"{count} set aside for the way."),)


@happened.register(SetAside)
def _(step: SetAside, host: Host) -> bool:
    known = {one.name for one in hierarchy_of(host.connection(), step.uuid).snapshots}
    return not known & set(step.names)


@undo.register(SetAside)
def _(step: SetAside, host: Host, since: float, *, failed: bool) -> list[str]:  # noqa: ARG001
    made = _defined(host, step.uuid, _definitions(host, step.uuid, step.packed, {}), step.current)
    if not made:
        return []
    count = counted(made, "snapshot is", "snapshots are")
    current = f", and {printable(step.current)} is the current one" if step.current else ""
    return [f"{count} known again{current}."]


def _definitions(host: Host, uuid: str, packed: str, places: dict[str, str]) -> list[KnownSnapshot]:
    """The snapshots of a journal, with their secrets if this program has seen them, at their places."""
    kept = {one.name: one for one in host.peers.secrets.get(uuid, ())}
    try:
        plain = [parse_known(text) for text in unpacked(packed)]
        return [with_places(kept.get(one.name, one), places) for one in plain]
    except (ValueError, xml.InvalidXML) as error:
        raise StepFailed(f"The journal's snapshots cannot be read: {error}.") from error


def _defined(host: Host, uuid: str, wanted: list[KnownSnapshot], current: str | None) -> int:
    """Have libvirt know those that it does not, parents first; how many these were.

    Raises:
        StepFailed: when it shows another tree then.
    """
    connection = host.connection()
    known = hierarchy_of(connection, uuid)
    made = 0
    for one in wanted:
        if known.get(one.name) is None:
            connection.redefine_snapshot(uuid, one.xml, current=False)
            made += 1
    marked = next((one for one in wanted if one.name == current), None)
    now = hierarchy_of(connection, uuid)
    if marked is not None and (now.current is None or now.current.name != current):
        connection.redefine_snapshot(uuid, marked.xml, current=True)
        now = hierarchy_of(connection, uuid)
    shown = now.current.name if now.current else None
    wrong = [
        one.name for one in wanted if (other := now.get(one.name)) is None or other.identity != one.identity
    ]
    if wrong or (current is not None and shown != current):
        raise StepFailed(
            f"{host.state.name} does not show the snapshots as they were: {', '.join(wrong) or current}."
        )
    return made


# The guest


@run.register(Migrate)
def _(step: Migrate, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    connection = host.connection()
    found: list[Finding] = []
    places = dict(zip(step.befores, step.afters, strict=True))
    if step.convergence.max_downtime is not None and not step.offline:
        connection.set_max_downtime(step.uuid, step.convergence.max_downtime)
    definition = there_xml(connection.migratable_xml(step.uuid), places, step.flattened)
    lasting = None
    if step.persistent:
        known = host.state.domain(step.uuid)
        own = connection.inactive_xml(step.uuid) if known is not None and known.persistent else definition
        lasting = there_xml(own, places, step.flattened)
    _let_go_on(step, host)
    led = not step.transport.p2p and not step.offline
    try:
        with (
            peer_of(host, step.destination) as there,
            guarded(host.reached_by, step.uuid, "abortJob", journal.owner()) if led else nullcontext(),
            aside(host) as apart,
            followed(step, host, there, left, found),
        ):
            apart.migrate(step, there.connection(), definition, lasting)
    finally:
        host.refresh(step.uuid)
    return tuple(found)


@undo.register(Migrate)
def _(step: Migrate, host: Host, since: float, *, failed: bool) -> list[str]:  # noqa: ARG001
    return _let_go_on(step, host)


def _let_go_on(step: Migrate, host: Host) -> list[str]:
    """Let a guest go on that a migration which nobody led to its end has left paused here.

    Raises:
        StepFailed: when the other host cannot be asked whether the guest runs there.
    """
    connection = host.connection()
    if step.offline or connection.host_uuid() == step.host_uuid:
        return []
    reading = connection.read(step.uuid)
    if reading is None or not reading.on_the_way or connection.migrates(step.uuid):
        return []
    with peer_of(host, step.destination) as there:
        other = there.connection().read(step.uuid)
    if other is not None and other.state.active:
        raise StepFailed(f"{step.domain} is {other.state} at {step.host}, and paused here: look at both.")
    connection.resume(step.uuid)
    host.refresh(step.uuid)
    return [f"{step.domain} was left paused on its way, and goes on here."]


def release(step: Migrate, host: Host) -> None:
    """As soon as it is found, let such a guest go on; where that cannot be known to be right, say so.

    Raises:
        NoConnection: when this host is gone.
    """
    try:
        for remark in _let_go_on(step, host):
            host.log(remark, Level.WARNING, domain=step.domain)
    except NoConnection:
        raise
    except HostError as error:
        host.log(f"{step.domain}: {error}", Level.ERROR, domain=step.domain)


@happened.register(Migrate)
def _(step: Migrate, host: Host) -> bool:
    if host.connection().host_uuid() == step.host_uuid:
        # Its journal has come along.
        return True
    with peer_of(host, step.destination) as there:
        reading = there.connection().read(step.uuid)
        here = host.connection().read(step.uuid)
    gone = here is None or not here.state.active
    return reading is not None and (reading.state.active or step.offline) and (gone or step.offline)


# At the other host


@run.register(BringBack)
def _(step: BringBack, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    places = dict(zip(step.befores, step.afters, strict=True))
    _defined(host, step.uuid, _definitions(host, step.uuid, step.packed, places), step.current)
    connection = host.connection()
    known = {one.name for one in connection.known_checkpoints(step.uuid)} if step.checkpoints else set()
    for name, text in zip(step.checkpoints, _unpacked(step.packed_checkpoints), strict=True):
        if name not in known:
            connection.redefine_checkpoint(step.uuid, text)
    findings = []
    if step.names:
        current = f"; {printable(step.current)} is the current one" if step.current else ""
        count = counted(len(step.names), "snapshot is", "snapshots are")
        findings.append(fine("snapshots-there", f"{count} known at {host.state.name}, as before{current}."))
    if step.checkpoints:
        count = counted(len(step.checkpoints), "checkpoint is", "checkpoints are")
        findings.append(fine("checkpoints-there", f"{count} known at {host.state.name}."))
    return tuple(findings)


def _unpacked(text: str) -> tuple[str, ...]:
    return unpacked(text) if text else ()


@happened.register(BringBack)
@happened.register(ProveArrival)
def _(step: BringBack | ProveArrival, host: Host) -> bool:  # noqa: ARG001
    # Once more does no harm.
    return False


@run.register(ProveArrival)
def _(step: ProveArrival, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    connection = host.connection()
    reading = connection.read(step.uuid)
    if reading is None:
        raise StepFailed(f"{step.domain} is not at {host.state.name}.")
    if step.autostart and step.persistent:
        connection.set_autostart(step.uuid)
    findings = [_running(step, host, reading.state)]
    findings += _on_images(step, host)
    findings += _left_behind(step, host)
    return tuple(findings)


def _running(step: ProveArrival, host: Host, state: RunState) -> Finding:
    name, there = printable(step.domain), printable(host.state.name)
    if state.active == step.running:
        return fine("arrived", f"{name} is at {there}, and {state}.")
    return warning("arrived", f"{name} is at {there}, and {state}.", "Look at its log there.")


def _on_images(step: ProveArrival, host: Host) -> Iterator[Finding]:
    domain = host.state.domain(step.uuid)
    for target, path in zip(step.targets, step.paths, strict=True):
        active = domain.active_layer(target) if domain else None
        found = prove_on(active, target, path, check="disk-there", remedy="Look there.")
        yield found
        if active is not None and found.severity is Severity.FINE and step.running:
            yield prove_open(host, step.uuid, active)


def _left_behind(step: ProveArrival, host: Host) -> Iterator[Finding]:
    name, source = printable(step.domain), printable(step.source_host)
    try:
        with peer_of(host, step.source) as before:
            reading = before.connection().read(step.uuid)
    except HostError as error:
        yield warning("source-unseen", f"Nobody could look at {source} again: {error}", "Look there.")
        return
    if reading is None:
        yield fine("source-gone", f"{source} has forgotten {name}.")
    elif reading.state.active:
        yield warning("source-active", f"{name} is {reading.state} at {source} too!", "Look there at once.")
    elif step.undefined:
        yield warning(
            "source-defined", f"{source} still has a definition of {name}.", "virsh undefine it there."
        )
    else:
        yield fine("source-off", f"{name} is {reading.state} at {source}, which keeps its definition.")
