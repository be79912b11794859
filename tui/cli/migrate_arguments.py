"""The commands that take domains to another host."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from tui.cli import requests
from tui.cli.commands import EvacuateCommand, WriteCommand
from tui.cli.options import (
    MIGRATE_LOSSES,
    add_bandwidth,
    add_command,
    add_consent,
    add_losses,
    add_synchronous_writes,
    bandwidth,
    consent,
    count,
    path_map,
    port,
    seconds,
)
from tui.model.migrate_request import CopyStorage, TimeoutAction, Tune

_ABOUT = (
    "Take a running domain to another host, with its memory, its storage and its snapshots. Both hosts are looked at"
    " first. What the other host does not share is copied, into images that are made there; the snapshots, which one is"
    " current, and the checkpoints are known there as they were here. If it fails, all is here as it was."
)

_TUNES = {
    Tune.POSTCOPY: "switch over now, and fetch the rest of the memory afterwards; there is no way back",
    Tune.SUSPEND: "pause it until it has arrived",
}
_EVACUATION = (
    "Take all running domains of a host to another one, one after the other, or those that are named, in that order."
    " Each is planned first, and what cannot go is said with the reason; it does not stop the others. What goes wrong"
    " with one of them leaves it here as it was, and the next one begins."
)


def add_migrate(commands: Any) -> None:
    """The command for one domain."""
    parser = add_command(commands, "migrate", "take a running domain to another host", _ABOUT)
    parser.add_argument("domain", metavar="DOMAIN", help="the domain")
    _add_destination(parser)
    storage = parser.add_argument_group("storage")
    storage.add_argument(
        "--migrate-disks",
        metavar="DISK[,DISK]",
        default="",
        help="copy these disks alone (default: those that the other host does not share)",
    )
    _add_storage(storage)
    definition = parser.add_argument_group("definition")
    definition.add_argument("--dname", metavar="NAME", help="what it is called there (default: as here)")
    definition.add_argument(
        "--offline", action="store_true", help="only the definition, of a domain that is off"
    )
    _add_definition(definition)
    _add_way(parser)
    parser.set_defaults(make=lambda found: _migrate(parser, found))


def add_evacuate(commands: Any) -> None:
    """The command for all domains of a host."""
    parser = add_command(
        commands, "evacuate", "take all running domains of a host to another one", _EVACUATION
    )
    _add_destination(parser)
    parser.add_argument(
        "domains",
        metavar="DOMAIN",
        nargs="*",
        help="these alone, in this order (default: all that run, by their names)",
    )
    which = parser.add_argument_group("which, and how many at once")
    which.add_argument(
        "--except",
        metavar="DOMAIN",
        dest="spared",
        action="append",
        default=[],
        help="this one stays; may be given more than once",
    )
    which.add_argument(
        "--with-off", action="store_true", help="those that are off too: their definitions, without images"
    )
    which.add_argument(
        "--at-once",
        metavar="N",
        type=count,
        default=1,
        help="how many are on their way at once (default: 1)",
    )
    _add_storage(parser.add_argument_group("storage"))
    _add_definition(parser.add_argument_group("definition"))
    _add_way(parser)
    parser.set_defaults(
        make=lambda found: _evacuate(parser, found), migrate_disks="", dname=None, offline=False
    )


def add_tune(commands: Any) -> None:
    """The command that changes a migration under way, whoever leads it."""
    parser = add_command(
        commands,
        "tune",
        "change how a migration goes on that is under way",
        "Change how a domain goes on that is on its way to another host; its limit is changed with speed, and cancel"
        " calls it back.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the domain on its way")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument(
        "--max-downtime", metavar="MS", type=count, help="milliseconds at a standstill at the end"
    )
    for tune, what in _TUNES.items():
        how.add_argument(f"--{tune}", dest="tune", action="store_const", const=tune, help=what)
    add_consent(parser)
    parser.set_defaults(
        make=lambda found: WriteCommand(found.domain, partial(requests.tune, found), consent=consent(found))
    )


def _add_destination(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "destination", metavar="DEST_URI", help="the other host, as qemu+ssh://root@host-b/system"
    )


def _add_way(parser: argparse.ArgumentParser) -> None:
    """How it is sent, what is taken upon oneself, and consent."""
    _add_convergence(parser)
    _add_transport(parser)
    add_losses(parser, MIGRATE_LOSSES)
    add_consent(parser)


def _add_storage(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--copy-storage",
        choices=[kind.value for kind in CopyStorage],
        help="what goes along: nothing; all, each disk as one image; or the active layers, onto those below, which are"
        " brought there first unless they are there (default: what the other host does not share, with its layers"
        " where snapshots need them)",
    )
    group.add_argument(
        "--map",
        metavar="OLD=NEW",
        dest="maps",
        type=path_map,
        action="append",
        default=[],
        help="a path or a directory here, and what it is there; may be given more than once",
    )
    add_synchronous_writes(group)
    group.add_argument(
        "--unsafe", action="store_true", help="go on though the storage does not look as if both hosts had it"
    )


def _add_definition(group: argparse._ArgumentGroup) -> None:
    flag = argparse.BooleanOptionalAction
    group.add_argument(
        "--persistent", action=flag, help="the other host keeps a definition (default: as this one does)"
    )
    group.add_argument(
        "--undefine-source",
        action=flag,
        help="this host forgets it (default: yes, if the other one keeps a definition)",
    )
    group.add_argument(
        "--change-protection", action="store_true", help="let nobody change the domain on the way"
    )


def _add_convergence(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a guest that changes faster than it is sent")
    group.add_argument("--auto-converge", action="store_true", help="slow it down")
    group.add_argument(
        "--postcopy",
        action="store_true",
        help="let it be switched over before all of its memory is there; from then on there is no way back",
    )
    group.add_argument(
        "--max-downtime", metavar="MS", type=count, help="milliseconds at a standstill at the end"
    )
    group.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, help="do something about it after that time"
    )
    group.add_argument(
        "--timeout-action",
        choices=[action.value for action in TimeoutAction],
        default=TimeoutAction.SUSPEND.value,
        help="what: pause it until it is there, switch over and fetch the rest, or call it back (default: suspend)",
    )
    group.add_argument(
        "--abort-on-error", action="store_true", help="call it back when a disk has an I/O error"
    )


def _add_transport(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to send")
    add_bandwidth(group)
    way = group.add_mutually_exclusive_group()
    way.add_argument(
        "--p2p", action="store_true", help="the hosts talk to each other, and go on when this program is gone"
    )
    way.add_argument(
        "--direct",
        action="store_true",
        help="this program leads; if it ends on the way, the guest stays (this is the default)",
    )
    group.add_argument("--tls", action="store_true", help="encrypt memory and disks")
    group.add_argument(
        "--tls-destination",
        metavar="NAME",
        help="what the certificate of the other host is for (default: the name or address that is connected to)",
    )
    group.add_argument("--parallel", metavar="N", type=count, default=0, help="connections for the memory")
    group.add_argument("--compressed", action="store_true", help="compress the memory")
    group.add_argument("--migrate-uri", metavar="URI", help="where the memory goes, as tcp://host-b")
    disks = group.add_mutually_exclusive_group()
    disks.add_argument("--disks-uri", metavar="URI", help="where the disks go, as tcp://host-b:49153")
    disks.add_argument("--disks-port", metavar="PORT", type=port, help="the port that the disks go to")
    group.add_argument(
        "--listen-address", metavar="ADDRESS", help="the address at which the other host listens"
    )


def _migrate(parser: argparse.ArgumentParser, found: argparse.Namespace) -> WriteCommand:
    wish = partial(requests.migrate, found, bandwidth(parser, found))
    return WriteCommand(found.domain, wish, consent=consent(found))


def _evacuate(parser: argparse.ArgumentParser, found: argparse.Namespace) -> EvacuateCommand:
    wish = partial(requests.leave, found, bandwidth(parser, found))
    return EvacuateCommand(
        tuple(found.domains),
        tuple(found.spared),
        found.with_off,
        wish,
        found.at_once,
        consent(found),
    )
