"""What several commands of the command line share: hosts, consent, losses to accept, numbers with units."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, NoReturn

from tui.cli.commands import Consent
from tui.model.finding import Acceptance
from tui.model.hierarchy_file import InvalidMap, parse_map
from tui.model.quantity import parse_size

USAGE = 2
"""Exit status of a command line that makes no sense."""

_MIB = 1024 * 1024
_LARGEST = 2**63 - 1
_PORTS = 2**16

_ACCEPTANCES = {
    Acceptance.LOSE_INTERNAL_SNAPSHOTS: "go on though the copy has none of the internal snapshots of the images",
    Acceptance.LOSE_CHECKPOINTS: "go on though the checkpoints of the disk are lost, and incremental backup with them",
    Acceptance.LOSE_SNAPSHOTS: "go on though libvirt's snapshots of the disk can be gone back to no more",
    Acceptance.LOSE_PRESENT_STATE: "go back though what the guest has now is lost",
    Acceptance.OVERWRITE_IMAGES: "go on though images that are there already are written over, for good, or hide what"
    " the guest has",
    Acceptance.RISK_FULL_DESTINATION: "go on though the destination may run full, which loses the copy",
}
"""The help of each option by which a user takes a loss upon himself."""

COPY_LOSSES = (
    Acceptance.LOSE_INTERNAL_SNAPSHOTS,
    Acceptance.LOSE_CHECKPOINTS,
    Acceptance.RISK_FULL_DESTINATION,
)
"""Those that a copy can come with."""
MIGRATE_LOSSES = (
    Acceptance.LOSE_SNAPSHOTS,
    Acceptance.OVERWRITE_IMAGES,
    Acceptance.RISK_FULL_DESTINATION,
)
"""Those that a migration can come with."""


class Parser(argparse.ArgumentParser):
    """Answers wrong usage with one sentence instead of a page."""

    def error(self, message: str) -> NoReturn:
        """Say what makes no sense, and leave with ``USAGE``."""
        self.exit(USAGE, f"{self.prog}: {message}. See {self.prog} --help.\n")


def add_hosts(parser: argparse.ArgumentParser, *, uris: str, default: object) -> None:
    """The options that may stand before the command as well as after it."""
    group = parser.add_argument_group("hosts and display")
    group.add_argument(
        "-c",
        "--connect",
        metavar="URI",
        action="append",
        dest=uris,
        help="a libvirt host; may be given more than once (default: LIBVIRT_DEFAULT_URI, then libvirt's choice)",
    )
    group.add_argument(
        "-r",
        "--read-only",
        action="store_true",
        default=default,
        help="connect read-only and refuse to write",
    )
    group.add_argument(
        "--ascii",
        dest="ascii_only",
        action="store_true",
        default=default,
        help="draw with plain ASCII characters",
    )


# argparse has no public name for what add_subparsers returns.
def add_command(commands: Any, name: str, summary: str, about: str) -> argparse.ArgumentParser:
    """A command with its help, which takes the options of hosts as well."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=about, allow_abbrev=False
    )
    add_hosts(parser, uris="late_uris", default=argparse.SUPPRESS)
    return parser


def add_consent(parser: argparse.ArgumentParser) -> None:
    """How a command that writes is let through."""
    parser.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
    parser.add_argument("--yes", action="store_true", help="run without asking")
    parser.add_argument("--json", action="store_true", help="print the plan and its outcome as JSON")


def consent(found: argparse.Namespace) -> Consent:
    """How the user lets it through."""
    return Consent(found.dry_run, found.yes, found.json)


def add_losses(parser: argparse.ArgumentParser, acceptances: Iterable[Acceptance]) -> None:
    """The options by which a user takes losses upon himself."""
    group = parser.add_argument_group("losses to accept")
    for acceptance in acceptances:
        group.add_argument(f"--{acceptance}", action="store_true", help=_ACCEPTANCES[acceptance])


def losses(found: argparse.Namespace) -> frozenset[Acceptance]:
    """What the user takes upon himself."""
    return frozenset(a for a in Acceptance if getattr(found, a.replace("-", "_"), False))


def add_bandwidth(group: argparse._ArgumentGroup) -> None:
    """The limit, and its unit."""
    group.add_argument("--bandwidth", metavar="MIB", help="limit in MiB/s (default: none)")
    group.add_argument("--bytes", action="store_true", help="the limit is in bytes/s")


def add_synchronous_writes(group: argparse._ArgumentGroup) -> None:
    """How a mirror is written."""
    group.add_argument(
        "--synchronous-writes",
        action="store_true",
        help="write to both places at once: slower for the guest, but converges",
    )


def bandwidth(parser: argparse.ArgumentParser, found: argparse.Namespace) -> int:
    """The limit in bytes per second."""
    if found.bytes and found.bandwidth is None:
        parser.error("--bytes says how --bandwidth is meant, which is missing")
    return limit(parser, "--bandwidth", found.bandwidth or "0", in_bytes=found.bytes)


def size(text: str) -> int:
    """A number of bytes, for argparse."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def port(text: str) -> int:
    """The number of a port, for argparse."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < _PORTS:
        message = "a port is a number from 1 to 65535"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def count(text: str) -> int:
    """How many, for argparse; libvirt takes some of them for 32 bits with a sign."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 1 << 31:
        message = "this is a whole number above 0"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def path_map(text: str) -> tuple[str, str]:
    """Two paths, for argparse."""
    try:
        return parse_map(text)
    except InvalidMap as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def seconds(text: str) -> float:
    """A time, for argparse."""
    message = "a time is a number of seconds above 0"
    try:
        found = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(message) from error
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(message)
    return found


def limit(parser: argparse.ArgumentParser, name: str, text: str, *, in_bytes: bool) -> int:
    """Bytes per second, from a plain number in the unit asked for, or from one with a unit of its own."""
    try:
        value = parse_size(text)
    except ValueError as error:
        unit = "bytes/s" if in_bytes else "MiB/s"
        parser.error(f"argument {name}: a limit is a whole number of {unit}, or one with a unit ({error})")
    if text.strip().isdigit() and not in_bytes:
        value *= _MIB
    if value > _LARGEST:
        parser.error(f"argument {name}: this limit is larger than libvirt can count")
    return value
