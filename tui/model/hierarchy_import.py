"""A file with snapshots and what is known of the host make a plan to have libvirt remember them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tui.model.command import own, typed
from tui.model.facts import same_name
from tui.model.finding import Acceptance, Finding, fine, in_order, refused, warning
from tui.model.hierarchy import KnownSnapshot, StateDisk, arranged
from tui.model.hierarchy_case import HierarchyFacts, deletion, inside, names_of, outside
from tui.model.hierarchy_file import changes, fitless, place_of, with_places
from tui.model.hierarchy_forgotten import changed_by_forgetting
from tui.model.hierarchy_request import SnapshotImportRequest
from tui.model.hierarchy_steps import DefineSnapshots
from tui.model.plan import Plan
from tui.model.text import counted, printable
from tui.model.xml import InvalidXML


@dataclass(frozen=True, slots=True)
class _Case:
    """The snapshots of the file at the places of this host."""

    request: SnapshotImportRequest
    facts: HierarchyFacts
    places: dict[str, str]
    snapshots: tuple[KnownSnapshot, ...]
    """All of the file, parents first."""
    mended: tuple[KnownSnapshot, ...]
    """Those that the domain has, but for what libvirt changed in them when others were forgotten."""

    @property
    def new(self) -> tuple[KnownSnapshot, ...]:
        """Those that the domain does not have yet."""
        return tuple(one for one in self.snapshots if self.facts.hierarchy.get(one.name) is None)

    @property
    def defined(self) -> tuple[KnownSnapshot, ...]:
        """All that libvirt is told of, parents first."""
        wanted = {one.name for one in (*self.new, *self.mended)}
        return tuple(one for one in self.snapshots if one.name in wanted)

    @property
    def current(self) -> KnownSnapshot | None:
        """The one that is to be marked as current, where another one is or none."""
        wanted = next((one for one in self.snapshots if one.current), None) if self.request.current else None
        now = self.facts.hierarchy.current
        return None if wanted is None or (now is not None and now.name == wanted.name) else wanted


def _case(request: SnapshotImportRequest, facts: HierarchyFacts) -> _Case:
    places, snapshots = placed(request)
    saved, known = arranged(snapshots), facts.hierarchy
    mended = tuple(
        one
        for one in snapshots
        if (there := known.get(one.name)) is not None and changed_by_forgetting(there, one, saved, known)
    )
    return _Case(request, facts, places, snapshots, mended)


def placed(request: SnapshotImportRequest) -> tuple[dict[str, str], tuple[KnownSnapshot, ...]]:
    """The paths that change, and the snapshots with the new ones.

    Raises:
        InvalidXML: when a path has a character that XML cannot carry.
    """
    places = changes(request.saved.snapshots, request.maps)
    if not places:
        return {}, request.saved.snapshots
    return places, tuple(with_places(one, places) for one in request.saved.snapshots)


def images_of(snapshots: Iterable[KnownSnapshot]) -> dict[str, str | None]:
    """The files that snapshots need, and the format of those that are images."""
    found: dict[str, str | None] = {}
    for snapshot in snapshots:
        for disk in (*snapshot.disks, *snapshot.reverted):
            if disk.local and disk.path is not None:
                found.setdefault(disk.path, disk.format)
            if disk.local and disk.base is not None:
                found.setdefault(disk.base, disk.base_format)
        if snapshot.memory_file is not None:
            found.setdefault(snapshot.memory_file, None)
    return found


def plan_import(request: SnapshotImportRequest, facts: HierarchyFacts, plan_id: str) -> Plan:
    """Make the plan."""
    domain = facts.domain
    title = f"Import snapshots of {printable(domain.name)}"
    try:
        case = _case(request, facts)
    except InvalidXML as error:
        finding = refused(
            "snapshot-xml", f"The snapshots cannot be written as XML: {error}.", "Map to other paths."
        )
        return Plan(plan_id, title, domain.uuid, domain.name, (finding,), ())
    steps = tuple(_steps(case))
    return Plan(
        plan_id,
        title,
        domain.uuid,
        domain.name,
        in_order(_check(case)),
        steps,
        journalled=bool(steps),
        facts=tuple(_facts(case)),
    )


def _steps(case: _Case) -> Iterator[DefineSnapshots]:
    defined, mended, known = case.defined, case.mended, case.facts.hierarchy
    if not defined and case.current is None:
        return
    yield DefineSnapshots(
        case.facts.domain.uuid,
        case.facts.domain.name,
        case.request.file,
        case.request.digest,
        tuple(one.name for one in defined),
        tuple(one.identity for one in defined),
        tuple(case.places),
        tuple(case.places.values()),
        case.current.name if case.current else None,
        known.current.name if known.current else None,
        tuple(one.name for one in mended),
        tuple(known.by_name[one.name].identity for one in mended),
    )


def _facts(case: _Case) -> Iterator[tuple[str, str]]:
    yield "domain", printable(case.facts.domain.name)
    yield "file", printable(case.request.file)
    yield "new", f"{len(case.new)}: {names_of(one.name for one in case.new)}"
    yield "there already", str(len(case.snapshots) - len(case.new))
    for old, new in case.request.maps:
        yield "map", f"{printable(old)} to {printable(new)}"
    now = case.facts.hierarchy.current
    then = case.current or now
    yield "current then", printable(then.name) if then else "none"
    yield "images", "are looked at, and stay as they are"
    if case.new or case.current:
        yield "by hand", f"each NAME.xml is the definition of NAME, out of {printable(case.request.file)}"
    undo = [deletion(case.facts, one, "--metadata-only") for one in reversed(case.new)]
    yield "undo", "; ".join(undo) or "none"


def _check(case: _Case) -> Iterator[Finding]:
    subject = list(_check_subject(case))
    yield from subject
    if subject:
        return
    for old, _new in fitless(case.request.saved.snapshots, case.request.maps):
        yield warning(
            "map-unused",
            f"No image of these snapshots lies in {printable(old)}: that map changes nothing.",
            "Look for a slip in it.",
        )
    yield from _check_names(case)
    yield from _check_there(case)
    yield from _check_images(case)
    yield from _check_current(case)


def _check_subject(case: _Case) -> Iterator[Finding]:
    domain, saved = case.facts.domain, case.request.saved
    for entry in case.facts.entries:
        if any(isinstance(step, DefineSnapshots) for step in entry.steps):
            name = printable(domain.name)
            yield refused(
                "plan-in-progress" if not entry.stale(case.facts.now) else "plan-left-over",
                f"Another import of {entry.who} is not at its end: {printable(entry.title)}.",
                f"Wait until it has ended; if it does not, {own('resume', name)} or {own('undo', name)}.",
            )
    uuids = {saved.uuid, *(one.uuid for one in case.snapshots if one.uuid)}
    if uuids != {domain.uuid}:
        other = printable(next(iter(sorted(uuids - {domain.uuid}))))
        yield refused(
            "other-domain",
            f"These are snapshots of {printable(saved.domain)} with the UUID {other}, and {printable(domain.name)} has "
            f"{domain.uuid}.",
            "libvirt takes snapshots of the same UUID only: define the domain with that.",
        )


def _check_names(case: _Case) -> Iterator[Finding]:
    """Whether libvirt takes them all, and has none of these names for something else."""
    known, domain, mended = case.facts.hierarchy, printable(case.facts.domain.name), _mended(case)
    for one in case.snapshots:
        name, old = printable(one.name), known.get(one.name)
        if old is not None and old.identity != one.identity and one.name not in mended:
            yield refused(
                "snapshot-differs",
                f"{domain} has a snapshot {name} already, which is another one.",
                f"Have that forgotten first: {deletion(case.facts, old, '--metadata-only')}",
            )
        elif old is None and ("/" in one.name or one.name.startswith(".")):
            yield refused("snapshot-name", f"libvirt takes no snapshot of the name {name}.", "Rename it.")
        elif old is None and (one.state is None or one.created is None):
            yield refused(
                "incomplete",
                f"The file does not say the state and the time of the snapshot {name}.",
                "Export it anew.",
            )
    then = {one.name: one for one in (*known.snapshots, *case.defined)}
    for problem in arranged(then.values()).problems:
        if problem not in known.problems:
            yield refused(
                "hierarchy-broken", problem, "Export the whole tree, or import what is missing first."
            )


def _mended(case: _Case) -> tuple[str, ...]:
    return tuple(one.name for one in case.mended)


def _check_there(case: _Case) -> Iterator[Finding]:
    """What the domain has of the file already."""
    known, mended = case.facts.hierarchy, _mended(case)
    same = ((one, known.get(one.name)) for one in case.snapshots if one.name not in mended)
    there = sum(old is not None and old.identity == one.identity for one, old in same)
    if there:
        count = counted(there, "snapshot is", "snapshots are")
        yield fine("already-there", f"{count} there already, and the same.")
    if mended:
        count, names = counted(len(mended), "snapshot is", "snapshots are"), names_of(mended)
        why = "libvirt changed what it knows of them when others were forgotten"
        yield fine("changed-by-forgetting", f"{count} there already, and mended: {why}: {names}.")
    if not case.defined and case.current is None:
        yield fine("nothing-to-do", "All that the file holds is there.")


# The images


def _check_images(case: _Case) -> Iterator[Finding]:
    facts, new = case.facts, case.new
    if not new:
        return
    if facts.existing is None:
        yield warning(
            "images-unchecked",
            "Nobody could see from here whether the images are there and are the right ones: libvirt does not look.",
            "Look on the host before going back to any of these: qemu-img info -U --backing-chain",
        )
        return
    troubles = [trouble for one in new for trouble in _troubles(case, one)]
    troubles += list(_sizes(case))
    for check, reason, remedy in troubles:
        found = refused(check, reason, remedy, Acceptance.LOSE_SNAPSHOTS)
        yield replace(found.unless(case.request.accepted), remedy=remedy)
    yield from _unread(case)
    if not troubles:
        yield fine(
            "images-agree",
            f"The images of {counted(len(new), 'snapshot')} are there, and are the right ones.",
        )


Trouble = tuple[str, str, str]
"""Check, reason, remedy."""
_MAP = "Say where it is now (--map OLD=NEW)."


def _troubles(case: _Case, snapshot: KnownSnapshot) -> Iterator[Trouble]:
    name, there = printable(snapshot.name), case.facts.existing or frozenset()
    spared = _spared(case, snapshot)
    for path in snapshot.files:
        if path not in there and path not in spared:
            yield "image-missing", f"The snapshot {name} needs {printable(path)}, which is not there.", _MAP
    for disk in outside(snapshot):
        yield from _overlay(case, name, disk)
    for disk in inside(snapshot):
        info = case.facts.images.get(disk.base or "")
        if info is not None and snapshot.name not in info.snapshots:
            yield (
                "state-missing",
                f"{printable(disk.base or '')} has no snapshot {name} in it.",
                "Bring the image with its internal snapshots: cp keeps them, qemu-img convert does not.",
            )


def _spared(case: _Case, snapshot: KnownSnapshot) -> set[str]:
    """The overlays that it does without: libvirt removes them when it goes back to another one."""
    if not case.facts.reverts_external:
        return set()
    lived = snapshot.overlays if snapshot.current else ()
    needed = {disk.path for disk in lived} | {disk.base for disk in snapshot.disks}
    return {path for disk in (*snapshot.disks, *snapshot.reverted) if (path := disk.path)} - needed


def _overlay(case: _Case, name: str, disk: StateDisk) -> Iterator[Trouble]:
    """Whether an overlay stands on what holds the state."""
    path, base = disk.path or "", disk.base
    info = case.facts.images.get(path)
    if info is None or base is None or not disk.local:
        return
    backing = info.full_backing_file or info.backing_file
    if backing is None or same_name(backing) != same_name(base):
        on = printable(backing) if backing else "nothing"
        named = ("-b", base, "-F", disk.base_format or "raw")
        rebase = typed("qemu-img", "rebase", "-u", "-f", disk.format or "qcow2", *named, "--", path)
        yield (
            "backing-differs",
            f"{printable(path)} stands on {on}, and for the snapshot {name} it has to stand on {printable(base)}.",
            f"Correct that while no guest uses it ({printable(rebase)}).",
        )


def _sizes(case: _Case) -> Iterator[Trouble]:
    """Whether images are as large as they were when the file was written."""
    needed = images_of(case.new)
    for record in case.request.saved.images:
        path = place_of(record.path, case.request.maps)
        info = case.facts.images.get(path)
        if path in needed and info is not None and info.virtual_size != record.virtual_size:
            sizes = f"{info.virtual_size} bytes for the guest, and had {record.virtual_size} at the export"
            yield (
                "size-differs",
                f"{printable(path)} has {sizes}: it is another image, or was resized.",
                "Bring the right one.",
            )


def _unread(case: _Case) -> Iterator[Finding]:
    there = case.facts.existing or frozenset()
    for path, form in images_of(case.new).items():
        if path in there and path not in case.facts.images and form is not None:
            yield warning(
                "image-unread",
                f"{printable(path)} could not be read as {printable(form)}, so that nobody knows whether it is the "
                "right one.",
                f"Look on the host: {printable(typed('qemu-img', 'info', '-U', '-f', form, path))}",
            )
    remote = [one.name for one in case.new if any(not disk.local for disk in one.disks)]
    if remote:
        yield warning(
            "image-elsewhere",
            f"Disks of {names_of(remote)} lie on no file and no device of the host, and are not looked at.",
        )


# The current one


def _check_current(case: _Case) -> Iterator[Finding]:
    wanted, now = case.current, case.facts.hierarchy.current
    if wanted is None:
        return
    name, domain = printable(wanted.name), case.facts.domain
    if now is not None:
        yield warning(
            "current-changes",
            f"{printable(now.name)} is the current snapshot now, and {name} will be.",
            "To leave that as it is: --no-current",
        )
    for disk in wanted.reverted or wanted.disks:
        path = disk.path or disk.base
        drive = domain.disk(disk.target)
        if path is None:
            continue
        if drive is not None and same_name(path) in {same_name(layer.path) for layer in drive.chain.layers}:
            continue
        target = printable(disk.target)
        if drive is not None and not drive.chain.complete:
            yield warning(
                "current-unchecked",
                f"Nobody could see whether what {target} writes now stands on {printable(path)}.",
                "Look on the host: qemu-img info -U --backing-chain",
            )
            continue
        yield refused(
            "current-elsewhere",
            f"{name} cannot be the current snapshot: {printable(path)} is not in the chain of {target}, so that what "
            "the guest writes now does not come after it.",
            "Map its images to where they are, or import without: --no-current",
        )
