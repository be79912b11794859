"""What follows when a guest has gone over: snapshots that name the new place, and old images put away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tui.engine import journal
from tui.engine.chain_steps import reached_files
from tui.engine.control import Level
from tui.engine.errors import HostError, NoConnection
from tui.engine.hierarchy_facts import hierarchy_of
from tui.engine.needs import needed_by
from tui.engine.steps import happened, run
from tui.model.chain_steps import MapSnapshots, Quarantine
from tui.model.finding import Finding, Severity, fine, warning
from tui.model.quarantine import Quarantined, namespace, note_xml
from tui.model.snapshot import mapped
from tui.model.text import counted, printable
from tui.model.xml import InvalidXML

if TYPE_CHECKING:
    from tui.engine.host import Host


@run.register(MapSnapshots)
def _(step: MapSnapshots, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    """The guest has gone over: what goes wrong here is said, and stops nothing."""
    connection = host.connection()
    places = dict(zip(step.befores, step.afters, strict=True))
    findings: list[Finding] = []
    for snapshot in hierarchy_of(connection, step.uuid, secure=True).snapshots:
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
    files = reached_files(host)
    there = files.existing((*step.paths, *map(step.place, step.paths)))
    # Looked at anew, since hours may have passed since the plan was made.
    needed = needed_by(step.paths, step.uuid, host, whole_host=True)
    findings: list[Finding] = []
    count = 0
    for path in step.paths:
        if path not in there:
            # Put away before, by this plan that was cut short then, or removed by somebody.
            count += step.place(path) in there
            continue
        why = needed.get(path) or files.put_away(path, step.place(path))
        count += not why
        if why:
            remedy = "Remove it by hand when you are sure that nothing needs it."
            findings.append(
                warning("source-left", f"{printable(path)} {why}, and stays where it is.", remedy)
            )
    if count:
        _note(step, host)
        images = counted(count, "old image lies", "old images lie")
        findings.append(fine("source-quarantined", f"{images} in {' and '.join(step.places)} now."))
    return _told(step, host, findings)


def _note(step: Quarantine, host: Host) -> None:
    """Have the domain remember the places: no chain, and perhaps no pool, leads there any more."""
    note = Quarantined(step.mark, host.clock(), step.places)
    domain = host.state.domain(step.uuid)
    if domain is not None:
        journal.write_note(host.connection(), domain, namespace(step.mark), note_xml(note))


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
