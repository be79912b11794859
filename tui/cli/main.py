"""Run one headless command, from its values to its exit status."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tui.cli.commands import (
    DoctorCommand,
    ExportCommand,
    Invocation,
    JobsCommand,
    ListCommand,
    LookCommand,
    TreeCommand,
    WriteCommand,
)
from tui.cli.doctor import show_findings
from tui.cli.errors import (
    FAILED,
    INTERRUPTED,
    REFUSED,
    UNREACHED,
    WRONG,
    CommandError,
    Interrupted,
)
from tui.cli.hierarchy import export_snapshots, show_tree
from tui.cli.hosts import Connect, Fleet, fleet
from tui.cli.listing import show_domains, show_jobs
from tui.cli.output import Output
from tui.cli.writing import write
from tui.engine.errors import HostError, NoConnection, ReadOnlyError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(invocation: Invocation, connect: Connect) -> int:  # noqa: PLR0911  # each kind of error has its status
    """Carry out a headless command; the exit status."""
    command = invocation.command
    output = Output(ascii_only=invocation.ascii_only, json_only=_is_json(invocation), uris=invocation.uris)
    if invocation.read_only and not isinstance(command, LookCommand) and not _is_dry(invocation):
        output.complain("This writes, and --read-only was given: leave one of them out.")
        return WRONG
    try:
        with _interruptible(), fleet(invocation.uris, connect, read_only=invocation.read_only) as hosts:
            return _dispatch(invocation, hosts, output)
    except Interrupted:
        return INTERRUPTED
    except CommandError as error:
        for sentence in error.sentences:
            output.complain(sentence)
        return error.status
    except NoConnection as error:
        output.complain(str(error))
        return UNREACHED
    except ReadOnlyError as error:
        output.complain(str(error))
        return REFUSED
    except HostError as error:
        output.complain(str(error))
        return FAILED


def _dispatch(invocation: Invocation, hosts: Fleet, output: Output) -> int:
    command = invocation.command
    if isinstance(command, WriteCommand):
        return write(command, hosts, output)
    match command:
        case ListCommand():
            return show_domains(command, hosts, output)
        case JobsCommand():
            return show_jobs(command, hosts, output)
        case DoctorCommand():
            return show_findings(command, hosts, output)
        case TreeCommand():
            return show_tree(command, hosts, output)
        case ExportCommand():
            return export_snapshots(command, hosts, output)
        case _:
            raise CommandError(WRONG, "This command has a screen, not lines.")


def _is_json(invocation: Invocation) -> bool:
    command = invocation.command
    if isinstance(command, WriteCommand):
        return command.consent.json
    return isinstance(command, LookCommand) and command.json


def _is_dry(invocation: Invocation) -> bool:
    return isinstance(invocation.command, WriteCommand) and invocation.command.consent.dry_run


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn the signals that end a program into one exception, so that every wait is left the same way."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise Interrupted

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
