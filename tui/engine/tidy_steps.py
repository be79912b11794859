"""What follows when a guest has gone over: snapshots that name the new place, and old images put away."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from tui.engine.control import Level
from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.look import look_at, unfollowed, uses_of
from tui.engine.steps import happened, run
from tui.model.chain_steps import MapSnapshots, Quarantine
from tui.model.definition import parse_domain
from tui.model.facts import UseKind, same_name
from tui.model.finding import Finding, Severity, fine, warning
from tui.model.quarantine import Quarantined, namespace, note_xml
from tui.model.snapshot import mapped
from tui.model.text import printable
from tui.model.xml import InvalidXML

if TYPE_CHECKING:
    from tui.engine.host import Host


@run.register(MapSnapshots)
def _(step: MapSnapshots, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    """The guest has gone over: what goes wrong here is said, and stops nothing."""
    connection = host.connection()
    places = dict(zip(step.befores, step.afters, strict=True))
    findings: list[Finding] = []
    for snapshot in connection.snapshot_definitions(step.uuid):
        if snapshot.name not in step.snapshots:
            continue
        try:
            text = mapped(snapshot.xml, places)
            if text is not None:
                connection.redefine_snapshot(step.uuid, text, current=snapshot.current)
            findings.append(fine("snapshot-mapped", f"The snapshot {snapshot.name} names the new place."))
        except NoConnection:
            raise
        except (HostError, InvalidXML) as error:
            findings.append(
                warning(
                    "snapshot-unmapped",
                    f"The snapshot {printable(snapshot.name)} still names the old place: {error}",
                    "Redefine it by hand before it is reverted to: virsh snapshot-create --redefine",
                )
            )
    return _told(step, host, findings)


@run.register(Quarantine)
def _(step: Quarantine, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    if not host.local:
        message = "Images can be handled on this machine only."
        raise StepFailed(message)
    needed = _needed(step, host)
    findings: list[Finding] = []
    count = 0
    for path in step.paths:
        if not os.path.lexists(path):
            # Put away before, by this plan that was cut short then, or removed by somebody.
            count += os.path.lexists(step.place(path))
            continue
        why = needed.get(same_name(path)) or put_away(path, step.place(path))
        count += not why
        if why:
            remedy = "Remove it by hand when you are sure that nothing needs it."
            findings.append(warning("source-left", f"{printable(path)} stays where it is: {why}.", remedy))
    if count:
        _note(step, host)
        images = "1 old image lies" if count == 1 else f"{count} old images lie"
        findings.append(fine("source-quarantined", f"{images} in {' and '.join(step.places)} now."))
    return _told(step, host, findings)


def _note(step: Quarantine, host: Host) -> None:
    """Have the domain remember the places: no chain, and perhaps no pool, leads there any more."""
    note = Quarantined(step.mark, host.clock(), step.places)
    domain = host.state.domain(step.uuid)
    if domain is not None:
        space = namespace(step.mark)
        active, persistent = domain.state.active, domain.persistent
        host.connection().set_metadata(step.uuid, space, note_xml(note), config=persistent, live=active)


def _needed(step: Quarantine, host: Host) -> dict[str, str]:
    """By path: why it cannot go. Looked at anew, since hours may have passed since the plan was made."""
    look = look_at(step.uuid, host.connection(), host.state, host.clock())
    if look is None:
        return dict.fromkeys(map(same_name, step.paths), "the domain does not exist any more")
    whole = look.followed()
    unseen = unfollowed(whole)
    if unseen:
        return dict.fromkeys(map(same_name, step.paths), f"nobody can see on what {unseen[0]} stands")
    needed = {
        path: f"{use.who} uses it"
        for path, uses in uses_of(whole).items()
        for use in uses
        if use.kind is not UseKind.PLAN or use.uuid != step.uuid
    }
    if look.domain.persistent:
        # The next start must find what it is told to start from.
        definition = parse_domain(host.connection().inactive_xml(step.uuid))
        named = {path for disk in definition.disks for path in disk.local_paths}
        needed |= {same_name(path): "the persistent definition names it" for path in named}
    return needed


def put_away(path: str, place: str) -> str:
    """Move an image aside; why it could not be, in a few words, or nothing."""
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120  names stay as they are
        if os.path.lexists(place):
            return "another image of this name is there already"
        os.rename(path, place)  # noqa: PTH104
    except OSError as error:
        return (error.strerror or "it cannot be moved").lower()
    return ""


def _told(step: MapSnapshots | Quarantine, host: Host, findings: list[Finding]) -> tuple[Finding, ...]:
    for finding in findings:
        level = Level.INFO if finding.severity is Severity.FINE else Level.WARNING
        host.log(f"{finding.reason} {finding.remedy}".rstrip(), level, domain=step.domain)
    return tuple(findings)


@happened.register(MapSnapshots)
@happened.register(Quarantine)
def _(step: MapSnapshots | Quarantine, host: Host) -> bool:  # noqa: ARG001
    # Once more does no harm: what is done already is seen.
    return False
