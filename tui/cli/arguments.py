"""The command line: its options, their help, and what they mean as values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tui import __version__
from tui.cli import requests
from tui.cli.chain_arguments import add_commit, add_move, add_pull, add_recover
from tui.cli.commands import (
    Command,
    DemoCommand,
    DoctorCommand,
    HistoryCommand,
    Invocation,
    JobsCommand,
    ListCommand,
    WriteCommand,
)
from tui.cli.migrate_arguments import add_evacuate, add_migrate, add_tune
from tui.cli.options import (
    COPY_LOSSES,
    Parser,
    add_bandwidth,
    add_command,
    add_consent,
    add_hosts,
    add_losses,
    add_synchronous_writes,
    bandwidth,
    consent,
    count,
    limit,
    port,
    seconds,
    size,
)
from tui.cli.snapshot_arguments import add_snapshot
from tui.model.request import Ending, Then

_INTRODUCTION = """\
Live storage migration for libvirt and QEMU: see domains and backing chains, mirror a disk of a running guest,
watch it, and pivot to the new image, keep it as a copy, or cancel; move whole chains, and merge layers. Without a
COMMAND the screen opens."""

_EXPLANATION = """\
DOMAIN is a name or a UUID; DISK is a target such as vda, or the path of the image that the guest writes to.
A command that writes shows its plan and asks first: --yes answers, --dry-run stops after the plan.

examples:
  virt-mirror                                          open the screen on the default host
  virt-mirror -c qemu+ssh://root@host-a/system list    what runs on host-a, and where its disks lie
  virt-mirror copy db01 vda /fast/db01.qcow2 --pivot   move a disk while the guest runs
  virt-mirror move db01 --to /fast                     move all its disks, with all their layers
  virt-mirror migrate db01 qemu+ssh://root@host-b/system
                                                       take it to another host, with storage and snapshots
  virt-mirror evacuate qemu+ssh://root@host-b/system   take all running domains there, one after the other
  virt-mirror jobs --watch                             follow what is being copied
  virt-mirror history db01                             how its last plans ended, and what was measured
  virt-mirror doctor                                   what is left over, and what to do about it

exit status: 0 done, 1 the operation failed, 2 wrong usage, 3 refused by preflight, 4 no connection,
130 interrupted (what was started goes on)"""

_ENDINGS = {
    Ending.PIVOT: (
        "let the guest go over to the new image",
        "Let the guest go over to the new image of each DISK, and prove that it did. The source image stays.",
    ),
    Ending.KEEP: (
        "end the mirror; the destination stays as a copy",
        "End the mirror of each DISK, which must be in sync. The guest stays, and DEST is a copy of this moment.",
    ),
    Ending.CANCEL: (
        "give the job up, or call a migration back; the guest stays where it is",
        "Give up the job of each DISK, and remove a destination that was made for it; call a migrating domain back.",
    ),
}


def parse(argv: Sequence[str]) -> Invocation:
    """Read a command line.

    Raises:
        SystemExit: after ``--help`` and ``--version``, and with ``USAGE`` when the line makes no sense.
    """
    parser = build_parser()
    found = parser.parse_args(argv)
    make: Callable[[argparse.Namespace], Command] | None = found.make
    return Invocation(
        uris=tuple(dict.fromkeys([*(found.uris or ()), *(getattr(found, "late_uris", None) or ())])),
        read_only=found.read_only,
        ascii_only=found.ascii_only,
        command=make(found) if make else None,
    )


def build_parser() -> argparse.ArgumentParser:
    """All commands and options with their help."""
    parser = Parser(
        prog="virt-mirror",
        description=_INTRODUCTION,
        epilog=_EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(make=None)
    parser.add_argument("--version", action="version", version=f"virt-mirror {__version__}")
    add_hosts(parser, uris="uris", default=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_list(commands)
    _add_jobs(commands)
    _add_copy(commands)
    for ending in Ending:
        _add_ending(commands, ending)
    _add_speed(commands)
    add_commit(commands)
    add_pull(commands)
    add_move(commands)
    add_snapshot(commands)
    add_migrate(commands)
    add_evacuate(commands)
    add_tune(commands)
    add_recover(commands, "resume", "go on with an interrupted plan", undo=False)
    add_recover(commands, "undo", "take back what an interrupted plan did", undo=True)
    _add_history(commands)
    _add_doctor(commands)
    _add_demo(commands)
    return parser


def _add_list(commands: Any) -> None:
    parser = add_command(
        commands,
        "list",
        "show domains, their disks, backing chains and jobs",
        "Show all domains, or one, with disks, backing chains (active layer first), mirrors and jobs.",
    )
    parser.add_argument("domain", metavar="DOMAIN", nargs="?", help="only this domain")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(make=lambda found: ListCommand(found.domain, found.json))


def _add_jobs(commands: Any) -> None:
    parser = add_command(
        commands,
        "jobs",
        "show block jobs, once or as they change",
        "Show the block jobs of all domains: how far, how fast, and when they will be in sync.",
    )
    parser.add_argument("--watch", action="store_true", help="stay and show every change until interrupted")
    parser.add_argument(
        "--json", action="store_true", help="print JSON; with --watch one job a line, as it changes"
    )
    parser.set_defaults(make=lambda found: JobsCommand(found.watch, found.json))


def _add_copy(commands: Any) -> None:
    parser = add_command(
        commands,
        "copy",
        "mirror a disk of a running guest to another place",
        "Mirror a disk of a running guest to DEST. Returns when the mirror has started; --wait, --pivot and --keep"
        " stay and show the progress. Interrupting leaves the mirror running.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the running guest")
    parser.add_argument("disk", metavar="DISK", help="the disk to copy, as vda")
    parser.add_argument(
        "destination", metavar="DEST", nargs="?", help="absolute path of the new image or device"
    )
    _add_destination(parser.add_argument_group("destination"))
    _add_tuning(parser.add_argument_group("how to copy"))
    _add_end(parser.add_argument_group("when it is in sync"))
    add_losses(parser, COPY_LOSSES)
    add_consent(parser)
    parser.set_defaults(make=lambda found: _copy(parser, found))


def _add_destination(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--format", metavar="FORMAT", help="raw, qcow2… (default: the format of the source)")
    group.add_argument("--raw", action="store_true", help="the same as --format raw")
    group.add_argument(
        "--shallow", action="store_true", help="copy the active layer only, upon the same backing file"
    )
    group.add_argument(
        "--reuse-external", action="store_true", help="write into an image that exists already"
    )
    group.add_argument("--blockdev", action="store_true", help="DEST is a block device")
    group.add_argument(
        "--xml", metavar="FILE", help="take the destination from a file with a <disk>; omit DEST"
    )
    group.add_argument(
        "--on",
        metavar="URI",
        help="DEST is a path at this other host, where an image is made and served for the copy",
    )
    group.add_argument(
        "--nbd-address",
        metavar="ADDRESS",
        help="by which the other host is reached, and where the server listens (default: as ssh reaches it)",
    )
    group.add_argument(
        "--nbd-port", metavar="PORT", type=port, help="where the server listens (default: one that is free)"
    )


def _add_tuning(group: argparse._ArgumentGroup) -> None:
    add_bandwidth(group)
    group.add_argument(
        "--granularity", metavar="BYTES", type=size, default=0, help="smallest piece that is copied"
    )
    group.add_argument(
        "--buf-size", metavar="BYTES", type=size, default=0, help="how much is in flight at most"
    )
    add_synchronous_writes(group)
    group.add_argument(
        "--transient-job", action="store_true", help="accept that the job ends when the guest stops"
    )


def _add_end(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--wait", action="store_true", help="wait until it is in sync, and leave it so")
    then = group.add_mutually_exclusive_group()
    then.add_argument("--pivot", action="store_true", help="let the guest go over to the new image")
    then.add_argument("--keep", action="store_true", help="end the mirror and keep the copy")
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        help="cancel the copy if it is not in sync after so long",
    )


def _copy(parser: argparse.ArgumentParser, found: argparse.Namespace) -> WriteCommand:
    _check_copy(parser, found)
    then = Then.PIVOT if found.pivot else Then.KEEP if found.keep else Then.HOLD
    wish = partial(requests.copy, found, then, bandwidth(parser, found))
    return WriteCommand(found.domain, wish, found.wait or then is not Then.HOLD, consent(found))


def _check_copy(parser: argparse.ArgumentParser, found: argparse.Namespace) -> None:
    """Refuse options that contradict each other, in virsh's sense of them."""
    if (found.destination is None) == (found.xml is None):
        parser.error("name the destination either as DEST or with --xml FILE")
    if found.xml is not None and (found.format or found.raw or found.blockdev):
        parser.error("with --xml the format and the type of the destination stand in the file")
    if found.on is not None and (found.xml is not None or "://" in found.destination):
        parser.error("with --on the destination is a path at that host")
    if found.on is None and (found.nbd_address or found.nbd_port):
        parser.error("--nbd-address and --nbd-port are about the server that --on has started")
    if found.raw and found.format not in (None, "raw"):
        parser.error("--raw contradicts --format")
    if found.timeout is not None and not (found.wait or found.pivot or found.keep):
        parser.error("--timeout needs --wait, --pivot or --keep, as nobody would be there to cancel")


def _add_ending(commands: Any, ending: Ending) -> None:
    summary, about = _ENDINGS[ending]
    parser = add_command(commands, ending.value, summary, about)
    parser.add_argument("domain", metavar="DOMAIN", help="the guest")
    parser.add_argument("disks", metavar="DISK", nargs="*", help="the disks (default: all that have a job)")
    parser.add_argument(
        "--pause",
        action="store_true",
        help="pause the guest meanwhile, if it writes faster than can be copied",
    )
    if ending is not Ending.CANCEL:
        parser.add_argument("--wait", action="store_true", help="wait first until all of them are in sync")
    add_consent(parser)
    parser.set_defaults(
        make=lambda found: WriteCommand(
            found.domain, partial(requests.end, found, ending), consent=consent(found)
        )
    )


def _add_speed(commands: Any) -> None:
    parser = add_command(
        commands,
        "speed",
        "change the limit of a running job, or of a migration",
        "Change the limit of a running job, or without DISK that of the memory of a domain on its way to another host."
        " It takes effect at once.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the guest")
    parser.add_argument("disk", metavar="DISK", nargs="?", help="the disk with the job, as vda")
    parser.add_argument("limit", metavar="MIB", help="limit in MiB/s; 0 takes it away")
    parser.add_argument("--bytes", action="store_true", help="the limit is in bytes/s")
    add_consent(parser)
    parser.set_defaults(
        make=lambda found: WriteCommand(
            found.domain,
            partial(requests.speed, found, limit(parser, "MIB", found.limit, in_bytes=found.bytes)),
            consent=consent(found),
        )
    )


def _add_history(commands: Any) -> None:
    parser = add_command(
        commands,
        "history",
        "show what has ended: when, how, and what was measured",
        "Show the plans that your programs have carried out from this machine, the latest last: when each began, how"
        " it ended, how long it took, and what was measured. No host is asked; with -c only its plans are shown.",
    )
    parser.add_argument("domain", metavar="DOMAIN", nargs="?", help="only those of this domain")
    parser.add_argument("--limit", metavar="N", type=count, help="only the latest N (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(make=lambda found: HistoryCommand(found.domain, found.limit, found.json))


def _add_doctor(commands: Any) -> None:
    parser = add_command(
        commands,
        "doctor",
        "say what is wrong here, and what to do about it",
        "Look for mirrors that nobody follows, interrupted plans, definitions that name other images than the guest"
        " runs on, and images in pools that nothing refers to. Nothing is changed.",
    )
    parser.add_argument("domain", metavar="DOMAIN", nargs="?", help="only this domain")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(make=lambda found: DoctorCommand(found.domain, found.json))


def _add_demo(commands: Any) -> None:
    parser = add_command(
        commands,
        "demo",
        "try it: real guests on a hypervisor of their own, then the screen",
        "Start real guests that write all the time on a hypervisor embedded in this program, and open the screen on"
        " them. Nothing else on this machine is touched.",
    )
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--keep", action="store_true", help="leave the guests running; every later demo finds and leaves them"
    )
    end.add_argument(
        "--remove", action="store_true", help="stop the guests that were left running, remove them, and end"
    )
    parser.set_defaults(make=lambda found: DemoCommand(found.keep, found.remove))
