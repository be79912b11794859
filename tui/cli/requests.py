"""What a command line asks for, as a request to the engine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from tui.cli.commands import (
    CommitCommand,
    CopyCommand,
    EndCommand,
    MoveCommand,
    PullCommand,
    RecoverCommand,
    SpeedCommand,
    WriteCommand,
)
from tui.cli.errors import WRONG, CommandError
from tui.cli.hosts import find_target
from tui.model.destination import parse_destination
from tui.model.domain import Domain
from tui.model.request import (
    CommitRequest,
    CopyRequest,
    EndRequest,
    MoveRequest,
    PullRequest,
    RecoverRequest,
    Request,
    SpeedRequest,
    Then,
)
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkHost, NetworkSource, Source
from tui.model.xml import InvalidXML


def request_of(command: WriteCommand, domain: Domain) -> Request:  # noqa: PLR0911  one for each command
    """Make the request.

    Raises:
        CommandError: when the destination's XML cannot be read.
    """
    match command:
        case CopyCommand():
            return CopyRequest(
                uuid=domain.uuid,
                target=find_target(domain, command.disk),
                destination=_destination(command),
                shallow=command.shallow,
                reuse_external=command.reuse_external,
                bandwidth=command.bandwidth,
                granularity=command.granularity,
                buf_size=command.buf_size,
                synchronous_writes=command.synchronous_writes,
                transient_job=command.transient_job,
                then=command.then,
                timeout=command.timeout,
                accepted=command.accepted,
            )
        case CommitCommand():
            return CommitRequest(
                uuid=domain.uuid,
                target=find_target(domain, command.disk),
                top=command.top,
                base=command.base,
                shallow=command.shallow,
                delete=command.delete,
                keep_relative=command.keep_relative,
                bandwidth=command.bandwidth,
                then=Then.PIVOT if command.pivot else Then.HOLD,
                accepted=command.accepted,
            )
        case PullCommand():
            return PullRequest(
                uuid=domain.uuid,
                target=find_target(domain, command.disk),
                base=command.base,
                keep_relative=command.keep_relative,
                bandwidth=command.bandwidth,
                accepted=command.accepted,
            )
        case MoveCommand():
            return MoveRequest(
                uuid=domain.uuid,
                directory=command.directory,
                targets=tuple(dict.fromkeys(find_target(domain, disk) for disk in command.disks)),
                how=command.how,
                format=command.format,
                bandwidth=command.bandwidth,
                synchronous_writes=command.synchronous_writes,
                then=Then.HOLD if command.hold else Then.PIVOT,
                merge_overlay=command.merge_overlay,
                accepted=command.accepted,
            )
        case RecoverCommand():
            return RecoverRequest(domain.uuid, command.undo, command.plan)
        case EndCommand():
            targets = tuple(find_target(domain, disk) for disk in command.disks)
            return EndRequest(domain.uuid, targets, command.ending, command.pause, command.wait)
        case SpeedCommand():
            return SpeedRequest(domain.uuid, find_target(domain, command.disk), command.bandwidth)


def _destination(command: CopyCommand) -> Chain:
    if command.xml is not None:
        try:
            return parse_destination(Path(command.xml).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            message = f"{command.xml} cannot be read: {reason}."
            raise CommandError(WRONG, message) from error
        except InvalidXML as error:
            message = f"{command.xml} is no destination: {error}."
            raise CommandError(WRONG, message) from error
    place = command.destination or ""
    layer = Layer(_source(place, blockdev=command.blockdev), command.format)
    return Chain((layer,), complete=False)


def _source(place: str, *, blockdev: bool) -> Source:
    if blockdev:
        return BlockSource(place)
    if place.startswith("nbd://"):
        parts = urlsplit(place)
        port = str(parts.port) if parts.port else None
        return NetworkSource("nbd", unquote(parts.path.lstrip("/")), (NetworkHost(parts.hostname, port),))
    return FileSource(place)
