"""Snapshots that are there, or that a file brings: defining them, deleting them, going back to one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

from tui.engine import journal
from tui.engine.chain_steps import reached_files
from tui.engine.connection import Reading
from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.hierarchy_facts import hierarchy_of
from tui.engine.look import with_chains
from tui.engine.needs import needed_by
from tui.engine.proof import prove_on
from tui.engine.steps import Left, happened, run, undo
from tui.model import xml
from tui.model.command import typed
from tui.model.domain import NAMESPACE, Domain
from tui.model.facts import same_name
from tui.model.finding import Finding, fine, warning
from tui.model.hierarchy import KnownSnapshot
from tui.model.hierarchy_file import digest_of, parse_saved, with_places
from tui.model.hierarchy_steps import DefineSnapshots, DeleteSnapshots, RemoveMemories, RevertSnapshot
from tui.model.text import counted, printable

if TYPE_CHECKING:
    from tui.engine.files import Files
    from tui.engine.host import Host

# Defining


@run.register(DefineSnapshots)
def _(step: DefineSnapshots, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    wanted = _read(step)
    connection = host.connection()
    known = hierarchy_of(connection, step.uuid)
    former = dict(zip(step.mended, step.former, strict=True))
    for name, identity in zip(step.snapshots, step.identities, strict=True):
        if left.is_set():
            raise Left
        old = known.get(name)
        shown = old.identity if old else None
        if shown == former.get(name):
            connection.redefine_snapshot(step.uuid, wanted[name].xml, current=False)
        elif shown != identity:
            raise StepFailed(f"The snapshot {printable(name)} is not as it was when the plan was made.")
    if step.current is not None:
        connection.redefine_snapshot(step.uuid, wanted[step.current].xml, current=True)
    if not _shows(step, host):
        raise StepFailed(f"{step.domain} does not show the snapshots as they were defined.")
    now = hierarchy_of(connection, step.uuid).current
    current = f"{now.name} is the current one" if now else "none is the current one"
    return (
        fine("snapshots-defined", f"libvirt knows {counted(len(step.new), 'more snapshot')}; {current}."),
    )


def _read(step: DefineSnapshots) -> dict[str, KnownSnapshot]:
    """The snapshots of the file by name, at their places."""
    again = "Import it again."
    try:
        text = Path(step.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StepFailed(f"{step.file} cannot be read any more.", remedy=again) from error
    if digest_of(text) != step.digest:
        raise StepFailed(f"{step.file} has changed since the plan was made.", remedy=again)
    places = dict(zip(step.befores, step.afters, strict=True))
    try:
        return {one.name: with_places(one, places) for one in parse_saved(text).snapshots}
    except xml.InvalidXML as error:
        raise StepFailed(f"{step.file} cannot be read: {error}.") from error


@happened.register(DefineSnapshots)
def _(step: DefineSnapshots, host: Host) -> bool:
    # What libvirt has left out of the chains of others does not show: to mend that once more does no harm.
    return not step.mended and _shows(step, host)


def _shows(step: DefineSnapshots, host: Host) -> bool:
    """Whether libvirt has all of them, and the mark where it belongs."""
    known = hierarchy_of(host.connection(), step.uuid)
    there = all(
        (one := known.get(name)) is not None and one.identity == identity
        for name, identity in zip(step.snapshots, step.identities, strict=True)
    )
    now = known.current
    return there and (step.current is None or (now is not None and now.name == step.current))


@undo.register(DefineSnapshots)
def _(step: DefineSnapshots, host: Host, since: float, *, failed: bool) -> list[str]:  # noqa: ARG001
    connection = host.connection()
    known = hierarchy_of(connection, step.uuid)
    ours = dict(zip(step.snapshots, step.identities, strict=True))
    # The youngest first: what is forgotten above others would give them another parent.
    gone = [
        name
        for name in reversed(step.new)
        if (one := known.get(name)) is not None and one.identity == ours[name]
    ]
    for name in gone:
        connection.forget_snapshot(step.uuid, name)
    count = counted(len(gone), "snapshot that was defined is", "snapshots that were defined are")
    remarks = [f"{count} forgotten again."] if gone else []
    return remarks + _restored(step, host)


def _restored(step: DefineSnapshots, host: Host) -> list[str]:
    """Mark as current what was so before."""
    connection = host.connection()
    known = hierarchy_of(connection, step.uuid, secure=True)
    now = known.current
    if step.current is None or (now.name if now else None) == step.previous:
        return []
    if step.previous is None:
        return (
            [f"{now.name} stays marked as the current snapshot: libvirt takes no mark away."] if now else []
        )
    previous = known.get(step.previous)
    if previous is None:
        return [f"{step.previous}, which was the current snapshot, is not there any more."]
    connection.redefine_snapshot(step.uuid, previous.xml, current=True)
    return [f"{step.previous} is the current snapshot again."]


# Deleting


@run.register(DeleteSnapshots)
def _(step: DeleteSnapshots, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    connection = host.connection()
    try:
        for name in reversed(step.snapshots):
            if left.is_set():
                raise Left
            if step.metadata_only:
                connection.forget_snapshot(step.uuid, name)
            elif connection.snapshot_xml(step.uuid, name) is not None:
                connection.delete_snapshot(step.uuid, name)
    finally:
        host.refresh(step.uuid)
    if not happened(step, host):
        raise StepFailed(f"libvirt still has some of the snapshots of {step.domain} that it was to delete.")
    count = counted(len(step.snapshots), "snapshot is", "snapshots are")
    what = "forgotten" if step.metadata_only else "deleted"
    gone = fine("snapshots-gone", f"{count} {what}.")
    return (gone, *_merged(step, host), *_left(step, host), *_emptied(step, host))


def _merged(step: DeleteSnapshots, host: Host) -> list[Finding]:
    """Prove that the guest does not stand on the overlays any more."""
    reading = host.connection().read(step.uuid) if step.targets else None
    if reading is None:
        return []
    domain = reading.domain
    findings = []
    for target, path in zip(step.targets, step.overlays, strict=True):
        disk = domain.disk(target)
        if disk is not None and any(same_name(one.path) == same_name(path) for one in disk.chain.layers):
            findings.append(
                warning("overlay-left", f"{printable(target)} still stands on {printable(path)}.", _LOOK)
            )
        else:
            findings.append(
                fine("overlay-merged", f"{printable(path)} is not in the chain of {printable(target)}.")
            )
    return findings


_LOOK = "Look at its chain: virt-mirror list"


def _left(step: DeleteSnapshots, host: Host) -> list[Finding]:
    """Name what nothing needs any more, and whether it still lies there."""
    try:
        there = host.files.existing(step.removed) if host.files is not None and step.removed else None
    except HostError:
        there = None
    if there is None:
        return []
    return [
        warning("file-left", f"libvirt has left {printable(path)}.", f"Remove it: {typed('rm', '--', path)}")
        for path in sorted(there)
    ] + [fine("file-gone", f"{printable(path)} is removed.") for path in step.removed if path not in there]


def _emptied(step: DeleteSnapshots, host: Host) -> list[Finding]:
    """Prove that no image has the state inside any more."""
    findings = []
    for path, form in zip(step.paths, step.formats, strict=True):
        try:
            inside = host.files.info(path, form).snapshots if host.files is not None and form else None
        except HostError:
            inside = None
        left = sorted(set(step.snapshots) & set(inside or ()))
        if left:
            names = ", ".join(map(printable, left))
            findings.append(
                warning(
                    "state-left",
                    f"{printable(path)} still has {names} inside.",
                    "While no guest uses it: qemu-img snapshot -d",
                )
            )
        elif inside is not None:
            findings.append(fine("state-gone", f"{printable(path)} has none of them inside any more."))
    return findings


@run.register(RemoveMemories)
def _(step: RemoveMemories, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    needed = needed_by(step.paths, step.uuid, host, whole_host=False)
    return tuple(_removed(path, needed.get(path, ""), reached_files(host)) for path in step.paths)


def _removed(path: str, needed: str, files: Files) -> Finding:
    why = f"{path} {needed}, and stays." if needed else files.remove(path, 0.0)
    if why:
        return warning("file-left", printable(why), f"Remove it: {typed('rm', '--', path)}")
    return fine("file-gone", f"{printable(path)} is removed.")


@happened.register(RemoveMemories)
def _(step: RemoveMemories, host: Host) -> bool:
    return not reached_files(host).existing(step.paths)


@happened.register(DeleteSnapshots)
def _(step: DeleteSnapshots, host: Host) -> bool:
    known = hierarchy_of(host.connection(), step.uuid)
    return not any(known.get(name) for name in step.snapshots)


# Going back


@run.register(RevertSnapshot)
def _(step: RevertSnapshot, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    connection = host.connection()
    now = connection.read(step.uuid)
    before = _notes(now)
    if step.overlaid and now is not None:
        left.wait(_until_named(now, host.clock()))
    if left.is_set():
        raise Left
    try:
        connection.revert_snapshot(step.uuid, step.snapshot, running=step.running, paused=step.paused)
    finally:
        host.refresh(step.uuid)
    reading = connection.read(step.uuid)
    current = hierarchy_of(connection, step.uuid).current
    if reading is None or current is None or current.name != step.snapshot:
        raise StepFailed(f"{step.domain} is not at the snapshot {step.snapshot}.")
    domain = reading.domain
    lost = tuple(_keep_notes(host, domain, before, _notes(reading)))
    findings = [fine("reverted", f"{step.domain} is back at {step.snapshot}, and {reading.state}.")]
    for target, path in zip(step.disks, step.paths, strict=True):
        active = domain.active_layer(target)
        findings.append(prove_on(active, target, path, check="disk-reverted", remedy=_LOOK))
    return (*findings, *_overlaid(step, host, domain), *lost)


def _until_named(now: Reading, clock: float) -> float:
    """Seconds until a new overlay gets another name: libvirt numbers them by the second, and stops guests first."""
    endings = [layer.path.rpartition(".")[2] for disk in now.domain.disks if (layer := disk.chain.active)]
    left = max((int(ending) for ending in endings if ending.isdecimal()), default=0) + 1 - clock
    return left if 0 < left <= 1 else 0


def _overlaid(step: RevertSnapshot, host: Host, domain: Domain) -> Iterator[Finding]:
    """Prove that disks stand on the images with their states."""
    # One that is off names its active layers alone.
    whole = with_chains(domain) if step.overlaid and host.local else domain
    for target, path in zip(step.overlaid, step.bases, strict=True):
        disk = whole.disk(target)
        layers = [layer.path for layer in disk.chain.layers] if disk else []
        below = layers[1] if len(layers) > 1 else None
        if below is not None and same_name(below) == same_name(path):
            reason = f"{printable(target)} is on {printable(layers[0])}, a new overlay on {printable(path)}."
            yield fine("disk-reverted", reason)
        elif below is not None:
            reason = f"{printable(target)} stands on {printable(below)}, and not on {printable(path)}."
            yield warning("disk-elsewhere", reason, _LOOK)


def _notes(reading: Reading | None) -> dict[str, str]:
    """What this program has written into a domain's metadata, by namespace."""
    return _notes_in(reading.xml) if reading is not None else {}


def _notes_in(text: str) -> dict[str, str]:
    metadata = xml.child(xml.parse(text), "metadata")
    if metadata is None:
        return {}
    spaces = ((etree.QName(one).namespace or "", _without_prefix(one)) for one in xml.elements(metadata))
    return {space: note for space, note in spaces if space.startswith(NAMESPACE)}


def _without_prefix(note: xml.Element) -> str:
    """As it was written: libvirt refuses an element that declares the very prefix which it gave it itself."""
    plain = etree.Element(note.tag)
    plain.attrib.update(note.attrib)
    plain.text = note.text
    plain.extend(deepcopy(list(note)))
    return xml.serialise(plain)


def _keep_notes(
    host: Host, domain: Domain, before: dict[str, str], after: dict[str, str]
) -> Iterator[Finding]:
    """Have the domain remember what it did: with the definition its notes of that time came back as well.

    A plan that was under way when the snapshot was taken has ended since, and images put away later still lie there.
    What cannot be written down again is said: the guest is back in any case.
    """
    connection = host.connection()
    sides = [after]
    if domain.state.active and domain.persistent:
        sides.append(_notes_in(connection.inactive_xml(domain.uuid)))
    for space in {space for side in sides for space in side} - before.keys():
        journal.remove_note(connection, domain, space)
    for space, note in before.items():
        try:
            if any(side.get(space) != note for side in sides):
                journal.write_note(connection, domain, space, note)
        except NoConnection:
            raise
        except HostError as error:
            yield warning(
                "note-lost",
                f"{domain.name} does not remember this any more ({printable(error.message)}): {printable(note)}.",
                "Keep it: it tells where a state, or what a plan has made, lies.",
            )


@happened.register(RevertSnapshot)
def _(step: RevertSnapshot, host: Host) -> bool:  # noqa: ARG001
    # Whoever goes back to the current snapshot finds it current in any case: once more does no harm.
    return False
