"""The commands about snapshots that are there: see them, delete them, go back, bring them elsewhere."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from tui.cli import requests
from tui.cli.commands import ExportCommand, TreeCommand, WriteCommand
from tui.cli.options import add_command, add_consent, add_losses, consent, path_map
from tui.model.finding import Acceptance
from tui.model.hierarchy_request import After
from tui.model.request import Ending


def add_hierarchy(commands: Any) -> None:
    """All of them."""
    _add_tree(commands)
    _add_delete(commands)
    _add_revert(commands)
    _add_export(commands)
    _add_import(commands)


def _add_tree(commands: Any) -> None:
    parser = add_command(
        commands,
        "tree",
        "show the snapshots of a domain",
        "Show the snapshots of a domain as a tree, with what the guest writes now as its live end, and what each image"
        " of its chains belongs to.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the guest")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(make=lambda found: TreeCommand(found.domain, found.json))


# Deleting


def _add_delete(commands: Any) -> None:
    parser = add_command(
        commands,
        "delete",
        "delete a snapshot, or end its mirrors",
        "Delete a snapshot: an internal one goes out of its images, the overlays of an external one are merged into"
        " what they stand on, by libvirt or, where it cannot, by commits; what others need is pulled into them instead,"
        " and stays. With --metadata-only libvirt forgets it, and the images stay. A snapshot with mirrors"
        " ends with --pivot, by which the guest goes over to all of them at one instant, or with --abort.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the guest")
    parser.add_argument("name", metavar="NAME", help="the snapshot")
    _add_which(parser)
    _add_end(parser)
    add_consent(parser)
    parser.set_defaults(make=lambda found: _delete(parser, found))


def _add_which(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("without mirrors")
    group.add_argument(
        "--metadata-only", action="store_true", help="have libvirt forget it; no image is touched"
    )
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--children",
        action="store_true",
        help="all that descend from it as well (internal ones, or forgotten)",
    )
    which.add_argument(
        "--children-only", action="store_true", help="all that descend from it, and not the snapshot itself"
    )


def _add_end(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with mirrors")
    end = group.add_mutually_exclusive_group()
    end.add_argument(
        "--pivot",
        dest="ending",
        action="store_const",
        const=Ending.PIVOT,
        help="the guest goes over to the mirrors",
    )
    end.add_argument(
        "--abort",
        dest="ending",
        action="store_const",
        const=Ending.CANCEL,
        help="the guest stays on its overlays; mirrors that were made for it are removed",
    )
    group.add_argument(
        "--no-compare",
        action="store_true",
        help="pivot without comparing what reused mirrors stand on with what the overlays do",
    )


def _delete(parser: argparse.ArgumentParser, found: argparse.Namespace) -> WriteCommand:
    plain = found.metadata_only or found.children or found.children_only
    if found.ending is not None and plain:
        parser.error("--pivot and --abort end the mirrors of one snapshot, and go with nothing else")
    if found.no_compare and found.ending is not Ending.PIVOT:
        parser.error("--no-compare is about --pivot, which is missing")
    wish = partial(requests.snapshot_delete if found.ending is None else requests.snapshot_end, found)
    return WriteCommand(found.domain, wish, consent=consent(found))


# Going back


def _add_revert(commands: Any) -> None:
    parser = add_command(
        commands,
        "revert",
        "take a guest back to a snapshot",
        "Take a guest back to a snapshot, where libvirt can. What it has now is lost, unless a snapshot of that is"
        " taken first.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the guest")
    parser.add_argument("name", metavar="NAME", help="the snapshot")
    then = parser.add_argument_group("the guest then").add_mutually_exclusive_group()
    for after, what in ((After.RUNNING, "let it run"), (After.PAUSED, "leave it paused")):
        then.add_argument(
            f"--{after}",
            dest="after",
            action="store_const",
            const=after,
            default=After.AS_THEN,
            help=f"{what}, whatever it did at that time",
        )
    add_losses(parser, (Acceptance.LOSE_PRESENT_STATE,))
    add_consent(parser)
    parser.set_defaults(
        make=lambda found: WriteCommand(
            found.domain, partial(requests.snapshot_revert, found), consent=consent(found)
        )
    )


# Elsewhere


def _add_export(commands: Any) -> None:
    parser = add_command(
        commands,
        "export",
        "write the snapshots of a domain to a file",
        "Write all that libvirt knows of the snapshots of a domain to a file, for snapshot import. Definitions can have"
        " secrets in them, so that nobody but you can read the file.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the guest")
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="where to (default: DOMAIN-snapshots.xml here; - prints it)"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--json", action="store_true", help="print JSON about the file")
    parser.set_defaults(make=lambda found: _export(parser, found))


def _export(parser: argparse.ArgumentParser, found: argparse.Namespace) -> ExportCommand:
    if found.file == "-" and found.json:
        parser.error("the file goes to standard output, where --json has no place")
    return ExportCommand(found.domain, found.file, found.force, found.json)


def _add_import(commands: Any) -> None:
    parser = add_command(
        commands,
        "import",
        "have libvirt remember the snapshots of a file",
        "Define the snapshots that snapshot export wrote, parents first, and mark the current one. The images are"
        " looked at first: they must be there, stand on each other as the snapshots say, have the internal ones in"
        " them, and be of the same size. No image is changed.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the guest, of the same UUID")
    parser.add_argument("file", metavar="FILE", help="what snapshot export wrote")
    parser.add_argument(
        "--map",
        metavar="OLD=NEW",
        dest="maps",
        type=path_map,
        action="append",
        default=[],
        help="images lie elsewhere now: a file, or a directory with all in it; may be given several times",
    )
    parser.add_argument("--no-current", action="store_true", help="leave the current snapshot as it is")
    add_losses(parser, (Acceptance.LOSE_SNAPSHOTS,))
    add_consent(parser)
    parser.set_defaults(
        make=lambda found: WriteCommand(
            found.domain, partial(requests.snapshot_import, found), consent=consent(found)
        )
    )
