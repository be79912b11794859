"""The commands about snapshots."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

from tui.cli import requests
from tui.cli.commands import WriteCommand
from tui.cli.hierarchy_arguments import add_hierarchy
from tui.cli.options import (
    add_bandwidth,
    add_command,
    add_consent,
    add_losses,
    add_synchronous_writes,
    bandwidth,
    consent,
    seconds,
)
from tui.model.diskspec import InvalidDiskspec, parse_diskspec, parse_memspec, parse_wish
from tui.model.finding import Acceptance
from tui.model.methods import Method, Quiesce

_LOSSES = (
    Acceptance.LOSE_CHECKPOINTS,
    Acceptance.OVERWRITE_IMAGES,
    Acceptance.RISK_FULL_DESTINATION,
)
_CREATE = (
    "Hold the state of the disks of a running guest at one instant, each by the method that suits its storage, or by"
    " the one that you name. A disk that is given a mirror gets an overlay and writes what is new to both places, until"
    " snapshot delete ends that."
)


def add_snapshot(commands: Any) -> None:
    """The command with its own commands."""
    about = "Hold the state of disks, each by the method that suits its storage; see, delete and carry such states."
    parser = add_command(commands, "snapshot", "take, see, delete, export and import snapshots", about)
    deeds = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_create(deeds)
    add_hierarchy(deeds)


def _add_create(commands: Any) -> None:
    parser = add_command(commands, "create", "hold the state of disks at one instant", _CREATE)
    parser.add_argument("domain", metavar="DOMAIN", help="the running guest")
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="of the snapshot (default: the time, 2026-05-01-140211)"
    )
    group = parser.add_argument_group("what")
    group.add_argument(
        "--xml", metavar="FILE", help="a <domainsnapshot>; its disks may have a <mirror file=…/>"
    )
    group.add_argument(
        "--diskspec",
        metavar="DISK[,method=METHOD][,file=PATH][,driver=FORMAT][,name=VOLUME][,size=SIZE][,snapshot=no]"
        "[,mirror=PATH]",
        action="append",
        help="what is wanted of a disk: where its overlay or clone goes, the format of the overlay, or the name and"
        " size of its snapshot volume;"
        " a comma in a path is written ,,",
    )
    group.add_argument(
        "--memspec",
        metavar="[file=]PATH",
        help="hold the memory of the guest as well, in a new file on the host; the guest goes on while it is written,"
        " unless --pause lets it stand still",
    )
    group.add_argument("--description", metavar="TEXT", help="a remark that is kept with the snapshot")
    group.add_argument(
        "--reuse-external",
        action="store_true",
        help="overlays and mirrors are there already, and their headers name what they stand on",
    )
    group.add_argument("--no-metadata", action="store_true", help="libvirt keeps no record of the overlays")
    group.add_argument(
        "--validate",
        action="store_true",
        help="have libvirt check the XML against its schema too (--xml FILE is always checked here)",
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--method",
        choices=[method.value for method in Method if method is not Method.NO],
        help="for all disks of which none is said (default: the best for each, which the plan names)",
    )
    how.add_argument(
        "--quiesce",
        choices=[quiesce.value for quiesce in Quiesce],
        default=Quiesce.AUTO.value,
        help="have the guest's agent freeze its file systems for the instant (default: auto, when it answers)",
    )
    how.add_argument(
        "--pause", action="store_true", help="the guest may be paused for the instant, if need be"
    )
    how.add_argument(
        "--limit",
        metavar="SECONDS",
        type=seconds,
        default=30.0,
        help="the guest stands still for so long at most (default: 30)",
    )
    how.add_argument(
        "--command",
        metavar="COMMAND",
        default="",
        help="for method=manual: run in a shell here while the guest stands still; VIRT_MIRROR_DOMAIN,"
        " VIRT_MIRROR_DISKS and VIRT_MIRROR_SNAPSHOT say what for",
    )
    how.add_argument(
        "--wait",
        action="store_true",
        help="for method=manual: there is no command, and you press enter when you have done your part",
    )
    tuning = parser.add_argument_group("how to mirror")
    add_bandwidth(tuning)
    add_synchronous_writes(tuning)
    add_losses(parser, _LOSSES)
    add_consent(parser)
    parser.set_defaults(make=lambda found: _create(parser, found))


def _create(parser: argparse.ArgumentParser, found: argparse.Namespace) -> WriteCommand:
    if found.name == "":
        parser.error("a snapshot has a name; left out, it is the time")
    if found.xml is not None and found.diskspec is not None:
        parser.error("say what is wanted either with --diskspec or with --xml FILE")
    if found.xml is not None and found.description is not None:
        parser.error("with --xml the description stands in the file")
    try:
        specs = [parse_diskspec(spec) for spec in found.diskspec or () if ",mirror=" in spec]
        found.mirrored = tuple(map(parse_diskspec, found.diskspec)) if specs else ()
        found.wishes = () if specs else tuple(map(parse_wish, found.diskspec or ()))
    except InvalidDiskspec as error:
        parser.error(f"argument --diskspec: {error}")
    try:
        found.memory = parse_memspec(found.memspec) if found.memspec is not None else None
    except InvalidDiskspec as error:
        parser.error(f"argument --memspec: {error}")
    if found.xml is not None and found.memspec is not None:
        parser.error("with --xml the memory stands in the file")
    if specs and (found.method not in (None, Method.QEMU) or found.command or found.memspec):
        parser.error("a snapshot with mirrors is taken by qemu alone, and without the memory")
    if found.wait and (found.command or not sys.stdin.isatty()):
        parser.error("--wait needs a terminal to press enter at, and no --command")
    wish = partial(requests.snapshot, found, bandwidth(parser, found))
    return WriteCommand(found.domain, wish, consent=consent(found))
