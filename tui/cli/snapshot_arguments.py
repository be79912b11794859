"""The commands about snapshots."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from tui.cli import requests
from tui.cli.commands import WriteCommand
from tui.cli.options import (
    add_bandwidth,
    add_command,
    add_consent,
    add_losses,
    add_synchronous_writes,
    bandwidth,
    consent,
)
from tui.model.diskspec import InvalidDiskspec, parse_diskspec
from tui.model.finding import Acceptance
from tui.model.mirrored_snapshot import SnapshotDisk
from tui.model.request import Ending

_LOSSES = (Acceptance.LOSE_CHECKPOINTS, Acceptance.RISK_FULL_DESTINATION)
_CREATE = (
    "Take a snapshot of the disks of a running guest: what is new goes to an overlay, and to the mirror that is named"
    " as well, until snapshot delete ends that. Meanwhile what stands still can be brought to the second place."
)


def add_snapshot(commands: Any) -> None:
    """The command with its own commands."""
    about = "Take snapshots whose disks have a second place, and let the guest go over to that or give it up."
    parser = add_command(commands, "snapshot", "take and end snapshots with mirrors", about)
    deeds = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_create(deeds)
    _add_delete(deeds)


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
    add_synchronous_writes(tuning)
    add_losses(parser, _LOSSES)
    add_consent(parser)
    parser.set_defaults(make=lambda found: _create(parser, found))


def _add_delete(commands: Any) -> None:
    parser = add_command(
        commands,
        "delete",
        "end the mirrors of a snapshot",
        "Let the guest go over to all mirrors of a snapshot at one instant, and prove that it did, or give them up."
        " Then libvirt forgets the snapshot. The images that the guest leaves stay.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the guest")
    parser.add_argument("name", metavar="NAME", help="the snapshot")
    end = parser.add_argument_group("how it ends").add_mutually_exclusive_group(required=True)
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
    parser.add_argument(
        "--no-compare",
        action="store_true",
        help="pivot without comparing what reused mirrors stand on with what the overlays do",
    )
    add_consent(parser)
    parser.set_defaults(
        make=lambda found: WriteCommand(
            found.domain, partial(requests.snapshot_end, found), consent=consent(found)
        )
    )


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
    wish = partial(requests.snapshot, found, bandwidth(parser, found))
    return WriteCommand(found.domain, wish, consent=consent(found))
