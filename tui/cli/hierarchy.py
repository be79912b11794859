"""``snapshot tree`` and ``snapshot export``: what libvirt knows of the snapshots of a domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tui.cli.commands import ExportCommand, TreeCommand
from tui.cli.documents import Document, layer_document
from tui.cli.errors import DONE, FAILED, WRONG, CommandError
from tui.cli.hosts import Fleet, find_domain
from tui.cli.output import Output
from tui.engine.control import Control
from tui.engine.own_files import FileThere, FileTrouble, write_private
from tui.engine.snapshot_file import READ_ONLY, export_of, holds, left_out
from tui.model.checkpoint import ABOUT, KnownCheckpoint, unseen
from tui.model.command import own
from tui.model.hierarchy import KnownSnapshot, SnapshotView
from tui.model.hierarchy_file import file_name
from tui.model.hierarchy_losses import MEMORY, losses
from tui.model.hierarchy_roles import LayerRole, layer_roles, problems_of
from tui.model.hierarchy_rows import (
    ASCII_BRANCHES,
    UNICODE_BRANCHES,
    Branches,
    TreeRow,
    checkpoint_rows,
    layer_lines,
    summary,
    tree_rows,
)
from tui.model.mirrored_snapshot import Kind
from tui.model.quantity import moment
from tui.model.text import printable


def show_tree(command: TreeCommand, fleet: Fleet, output: Output) -> int:
    """Show the snapshots of a domain."""
    control, domain = find_domain(fleet, command.domain)
    view = control.snapshots(domain.uuid)
    if command.json:
        output.document(tree_document(control, view))
        return DONE
    for line in tree_lines(view, ascii_only=output.ascii_only, width=output.width):
        # What is cut short is marked with a sign that ASCII lacks.
        output.say(line.replace("…", "~") if output.ascii_only else line)
    for problem in problems_of(view):
        output.complain(problem)
    return DONE


def tree_lines(view: SnapshotView, *, ascii_only: bool = False, width: int | None = None) -> Iterator[str]:
    """The tree in columns, as wide as the terminal if there is one, the checkpoints, and the chains below."""
    signs = ASCII_BRANCHES if ascii_only else UNICODE_BRANCHES
    yield f"{printable(view.domain.name)}  {view.domain.state}  {summary(view)}"
    yield ""
    yield from _columns(tree_rows(view, moment, signs, longest=None), width)
    yield from _checkpoints(view, signs, width)
    yield ""
    yield from layer_lines(view)


def _checkpoints(view: SnapshotView, signs: Branches, width: int | None) -> Iterator[str]:
    if view.checkpoints is None:
        yield ""
        yield unseen(view.domain.name)
    elif view.checkpoints:
        yield ""
        yield ABOUT
        yield from _columns(tuple(checkpoint_rows(view, moment, signs, longest=None)), width)


_LEAST_NAME = 16
"""Cells that are left to a name where the terminal is narrow."""


def _columns(rows: Sequence[TreeRow], most: int | None) -> Iterator[str]:
    """Into a file as long as they are; on a terminal names give way first, and then the ends of lines."""
    widths = [max(map(len, column)) for column in zip(*(row.cells for row in rows), strict=True)]
    if most is not None:
        others = sum(width + 2 for width in widths[1:-1] if width)
        widths[0] = min(widths[0], max(_LEAST_NAME, most - others))
    for row in rows:
        cells = (printable(row.cells[0], widths[0]), *row.cells[1:])
        padded = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True) if width)
        line = "  ".join(padded).rstrip()
        yield line if most is None or len(line) <= most else f"{line[: most - 1]}…"


def tree_document(control: Control, view: SnapshotView) -> Document:
    """The same for scripts."""
    hierarchy, domain = view.hierarchy, view.domain
    current, roles = hierarchy.current, layer_roles(view)
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
        "checkpoints": None if view.checkpoints is None else [_checkpoint(one) for one in view.checkpoints],
        "problems": list(problems_of(view)),
    }


def _snapshot(one: KnownSnapshot, view: SnapshotView) -> Document:
    hierarchy = view.hierarchy
    lost = {loss.part: loss.why for loss in losses(one, view)}
    mirrors = {mirror.target: mirror for mirror in view.mirrors.get(one.name, ())}
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
            "state_lost": MEMORY in lost,
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
                "state_lost": disk.target in lost,
                "why_lost": lost.get(disk.target),
                "filled": view.filled.get(disk.base or ""),
                "mirror": None
                if disk.target not in mirrors
                else {"path": mirrors[disk.target].path, "state": mirrors[disk.target].state.value},
            }
            for disk in one.disks
        ],
    }


def _checkpoint(one: KnownCheckpoint) -> Document:
    return {
        "name": one.name,
        "parent": one.parent,
        "created": one.created,
        "description": one.description,
        "disks": [{"target": disk.target, "bitmap": disk.bitmap} for disk in one.disks],
    }


def _role(view: SnapshotView, role: LayerRole) -> Document:
    return {
        "target": role.target,
        **layer_document(role.layer),
        "size": view.sizes.get(role.layer.path),
        "active": role.active,
        "new_since": list(role.since),
        "state_of": list(role.holds),
        "state_lost": list(role.lost),
        "inside": list(role.inside),
        "inside_unknown": list(role.unknown),
    }


# Export


def export_snapshots(command: ExportCommand, fleet: Fleet, output: Output) -> int:
    """Write the snapshots of a domain to a file.

    Raises:
        CommandError: when that cannot be.
    """
    control, domain = find_domain(fleet, command.domain)
    if control.read_only:
        raise CommandError(WRONG, f"{READ_ONLY}: leave that out.")
    saved, text = export_of(control, domain.uuid)
    if command.file == "-":
        output.text(text)
        if without := left_out(saved):
            output.complain(without)
        return DONE
    path = Path(command.file or file_name(domain.name))
    try:
        write_private(path, text, replace=command.force)
    except FileThere as error:
        message = f"{printable(str(path))} is there already: name another file, or replace it with --force."
        raise CommandError(FAILED, message) from error
    except FileTrouble as error:
        raise CommandError(FAILED, str(error)) from error
    current = next((one.name for one in saved.snapshots if one.current), None)
    if command.json:
        output.document(
            {
                "file": str(path),
                "domain": saved.domain,
                "uuid": saved.uuid,
                "snapshots": [one.name for one in saved.snapshots],
                "current": current,
                "noted": list(saved.noted),
            }
        )
        return DONE
    output.say(holds(path, saved))
    again = own("snapshot", "import", saved.domain, str(path.absolute()))
    output.say(f"Bring it back: {printable(again)}")
    return DONE
