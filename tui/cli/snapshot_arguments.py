"""The commands about snapshots, and what they ask of the engine."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tui.cli.commands import WriteCommand
from tui.cli.errors import WRONG, CommandError
from tui.cli.hierarchy_arguments import add_hierarchy
from tui.cli.options import add_bandwidth, add_command, add_consent, add_losses, bandwidth, consent, losses
from tui.model.diskspec import InvalidDiskspec, parse_diskspec
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.mirrored_snapshot import Snapshot, SnapshotDisk, parse_snapshot
from tui.model.request import SnapshotRequest
from tui.model.snapshot_schema import check_schema
from tui.model.xml import InvalidXML

_LOSSES = (Acceptance.LOSE_CHECKPOINTS, Acceptance.RISK_FULL_DESTINATION)
_CREATE = (
    "Take a snapshot of the disks of a running guest: what is new goes to an overlay, and to the mirror that is named"
    " as well, until snapshot delete ends that. Meanwhile what stands still can be brought to the second place."
)


def add_snapshot(commands: Any) -> None:
    """The command with its own commands."""
    about = "Take snapshots whose disks have a second place, see all snapshots, delete them, and bring them elsewhere."
    parser = add_command(commands, "snapshot", "take, see, delete, export and import snapshots", about)
    deeds = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_create(deeds)
    add_hierarchy(deeds)


def _add_create(commands: Any) -> None:
    parser = add_command(commands, "create", "take a snapshot with mirrors of what is new", _CREATE)
    parser.add_argument("domain", metavar="DOMAIN", help="the running guest")
    parser.add_argument("name", metavar="NAME", nargs="?", help="of the snapshot (default: the time)")
    group = parser.add_argument_group("what")
    group.add_argument("--xml", metavar="FILE", help="a <domainsnapshot> whose disks have a <mirror file=…/>")
    group.add_argument(
        "--diskspec",
        metavar="DISK[,snapshot=no|external][,driver=qcow2][,file=PATH][,mirror=PATH]",
        type=_disk,
        action="append",
        help="a disk with its overlay and the mirror of that; a comma in a path is written ,,",
    )
    group.add_argument("--description", metavar="TEXT", help="a remark that is kept with the snapshot")
    group.add_argument(
        "--reuse-external",
        action="store_true",
        help="overlays and mirrors are there already, and their headers name what they stand on",
    )
    tuning = parser.add_argument_group("how to mirror")
    add_bandwidth(tuning)
    tuning.add_argument(
        "--synchronous-writes", action="store_true", help="slower for the guest, but converges"
    )
    add_losses(parser, _LOSSES)
    add_consent(parser)
    parser.set_defaults(make=lambda found: _create(parser, found))


def _disk(text: str) -> SnapshotDisk:
    try:
        return parse_diskspec(text)
    except InvalidDiskspec as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _create(parser: argparse.ArgumentParser, found: argparse.Namespace) -> WriteCommand:
    if (found.xml is None) == (found.diskspec is None):
        parser.error("say what is wanted either with --diskspec or with --xml FILE")
    if found.xml is not None and found.description is not None:
        parser.error("with --xml the description stands in the file")
    wish = partial(_request, found, bandwidth(parser, found))
    return WriteCommand(found.domain, wish, consent=consent(found))


def _request(found: argparse.Namespace, limit: int, domain: Domain) -> SnapshotRequest:
    return SnapshotRequest(
        uuid=domain.uuid,
        snapshot=_snapshot(found),
        reuse_external=found.reuse_external,
        bandwidth=limit,
        synchronous_writes=found.synchronous_writes,
        accepted=losses(found),
    )


def _snapshot(found: argparse.Namespace) -> Snapshot:
    if found.xml is None:
        snapshot = Snapshot(found.name, found.description, disks=tuple(found.diskspec))
    else:
        snapshot = _read(found.xml)
        if None not in (found.name, snapshot.name) and found.name != snapshot.name:
            raise CommandError(WRONG, f"{found.xml} gives the snapshot another name than the command line.")
    # As libvirt does it, but before the plan, in which names of files are made of it.
    return replace(snapshot, name=snapshot.name or found.name or str(int(time.time())))


def _read(path: str) -> Snapshot:
    try:
        text = Path(path).read_text(encoding="utf-8")
        snapshot = parse_snapshot(text, mirrors=True)
        check_schema(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CommandError(WRONG, f"{path} cannot be read: {reason}.") from error
    except InvalidXML as error:
        raise CommandError(WRONG, f"{path} is no snapshot that can be taken: {error}.") from error
    return snapshot
