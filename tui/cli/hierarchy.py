"""``snapshot tree`` and ``snapshot export``: what libvirt knows of the snapshots of a domain."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tui.cli.commands import ExportCommand, TreeCommand
from tui.cli.documents import Document, layer_document
from tui.cli.errors import DONE, FAILED, WRONG, CommandError
from tui.cli.hosts import Fleet, find_domain
from tui.cli.output import Output
from tui.engine.control import Control
from tui.model.hierarchy import KnownSnapshot, SnapshotView
from tui.model.hierarchy_file import saved_xml
from tui.model.hierarchy_roles import LayerRole, layer_roles
from tui.model.hierarchy_rows import (
    ASCII_BRANCHES,
    UNICODE_BRANCHES,
    TreeRow,
    layer_lines,
    tree_rows,
)
from tui.model.mirrored_snapshot import Kind
from tui.model.quantity import moment
from tui.model.text import printable
from tui.model.xml import InvalidXML

_LONGEST_NAME = 100


def show_tree(command: TreeCommand, fleet: Fleet, output: Output) -> int:
    """Show the snapshots of a domain."""
    control, domain = find_domain(fleet, command.domain)
    view = control.snapshots(domain.uuid)
    if command.json:
        output.document(tree_document(control, view))
        return DONE
    for line in tree_lines(view, ascii_only=output.ascii_only):
        # What is cut short is marked with a sign that ASCII lacks.
        output.say(line.replace("…", "~") if output.ascii_only else line)
    for problem in view.hierarchy.problems:
        output.complain(problem)
    return DONE


def tree_lines(view: SnapshotView, *, ascii_only: bool = False) -> Iterator[str]:
    """The tree in columns, and the chains below."""
    count = len(view.hierarchy.snapshots)
    counted = "no snapshots" if not count else "1 snapshot" if count == 1 else f"{count} snapshots"
    yield f"{printable(view.domain.name)}  {view.domain.state}  {counted}"
    if not count:
        return
    yield ""
    yield from _columns(tree_rows(view, moment, ASCII_BRANCHES if ascii_only else UNICODE_BRANCHES))
    yield ""
    yield from layer_lines(view)


def _columns(rows: Sequence[TreeRow]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*(row.cells for row in rows), strict=True)]
    for row in rows:
        padded = (f"{cell:{width}}" for cell, width in zip(row.cells, widths, strict=True) if width)
        yield "  ".join(padded).rstrip()


def tree_document(control: Control, view: SnapshotView) -> Document:
    """The same for scripts."""
    hierarchy, domain = view.hierarchy, view.domain
    current, roles = hierarchy.current, layer_roles(hierarchy, domain)
    return {
        "host": control.state.uri,
        "domain": domain.name,
        "uuid": domain.uuid,
        "state": domain.state.value,
        "current": current.name if current else None,
        "snapshots": [_snapshot(one, view) for one in hierarchy.snapshots],
        "live": {
            "parent": current.name if current else None,
            "layers": [_role(view, role) for role in roles],
        },
        "problems": list(hierarchy.problems),
    }


def _snapshot(one: KnownSnapshot, view: SnapshotView) -> Document:
    hierarchy = view.hierarchy
    return {
        "name": one.name,
        "parent": None if one.name in hierarchy.roots else one.parent,
        "children": list(hierarchy.children.get(one.name, ())),
        "current": one.current,
        "kind": one.kind.value,
        "state": one.state,
        "created": one.created,
        "description": one.description,
        "memory": None
        if one.memory is None
        else {
            "kind": one.memory.value,
            "path": one.memory_file,
            "size": view.sizes.get(one.memory_file or ""),
        },
        "disks": [
            {
                "target": disk.target,
                "kind": disk.kind.value,
                "overlay": {"path": disk.path, "format": disk.format, "size": view.sizes.get(disk.path)}
                if disk.path is not None
                else None,
                "holds_state": {
                    "path": disk.base,
                    "format": disk.base_format,
                    "size": view.sizes.get(disk.base),
                    "inside": disk.kind is Kind.INTERNAL,
                }
                if disk.base is not None
                else None,
            }
            for disk in one.disks
        ],
    }


def _role(view: SnapshotView, role: LayerRole) -> Document:
    return {
        "target": role.target,
        **layer_document(role.layer),
        "size": view.sizes.get(role.layer.path),
        "active": role.active,
        "new_since": list(role.since),
        "state_of": list(role.holds),
        "inside": list(role.inside),
    }


# Export


def export_snapshots(command: ExportCommand, fleet: Fleet, output: Output) -> int:
    """Write the snapshots of a domain to a file.

    Raises:
        CommandError: when that cannot be.
    """
    control, domain = find_domain(fleet, command.domain)
    if control.read_only:
        message = (
            "libvirt tells secrets, which definitions can have, on no read-only connection: leave that out."
        )
        raise CommandError(WRONG, message)
    saved = control.save_snapshots(domain.uuid)
    if not saved.snapshots:
        raise CommandError(FAILED, f"{printable(domain.name)} has no snapshots to export.")
    try:
        text = saved_xml(saved)
    except InvalidXML as error:
        raise CommandError(FAILED, f"The snapshots cannot be written: {error}.") from error
    if command.file == "-":
        output.text(text)
        return DONE
    path = Path(command.file or f"{_file_name(domain.name)}-snapshots.xml")
    _write(path, text, replace=command.force)
    current = next((one.name for one in saved.snapshots if one.current), None)
    if command.json:
        output.document(
            {
                "file": str(path),
                "domain": saved.domain,
                "uuid": saved.uuid,
                "snapshots": [one.name for one in saved.snapshots],
                "current": current,
            }
        )
        return DONE
    count = "1 snapshot" if len(saved.snapshots) == 1 else f"{len(saved.snapshots)} snapshots"
    output.say(
        f"{printable(str(path))} holds {count} of {printable(saved.domain)}; the images are not in it."
    )
    output.say(f"Bring it back: virt-mirror snapshot import {printable(saved.domain)} {printable(str(path))}")
    return DONE


def _file_name(domain: str) -> str:
    """The name of a domain as a part of the name of a file that lies here and is not hidden."""
    name = "".join(one if one.isprintable() and one not in "/\\" else "_" for one in domain)
    return name[:_LONGEST_NAME].lstrip(".-") or "domain"


def _write(path: Path, text: str, *, replace: bool) -> None:
    """All or nothing, and for nobody else's eyes."""
    try:
        # mkstemp lets nobody but its user in.
        number, name = tempfile.mkstemp(prefix=".virt-mirror-", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                temporary.replace(path)
            else:
                path.hardlink_to(temporary)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    except FileExistsError as error:
        message = f"{printable(str(path))} is there already: name another file, or replace it with --force."
        raise CommandError(FAILED, message) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandError(FAILED, f"{printable(str(path))} cannot be written: {reason}.") from error
