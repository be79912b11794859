"""Run one headless command, from its values to its exit status."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from tui.cli.commands import (
    DoctorCommand,
    EvacuateCommand,
    ExportCommand,
    HistoryCommand,
    Invocation,
    JobsCommand,
    ListCommand,
    LookCommand,
    TreeCommand,
    WriteCommand,
    WritingCommand,
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
from tui.cli.evacuate import evacuate
from tui.cli.hierarchy import export_snapshots, show_tree
from tui.cli.history import show_history
from tui.cli.hosts import Connect, Fleet, fleet
from tui.cli.listing import show_domains, show_jobs
from tui.cli.output import Output
from tui.cli.writing import write
from tui.engine.errors import HostError, NoConnection, ReadOnlyError
from tui.engine.history import History

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(  # noqa: PLR0911  # each kind of error has its status
    invocation: Invocation, connect: Connect, history_of: Callable[[str | None], History]
) -> int:
    """Carry out a headless command; the exit status. ``history_of`` is where that of a host is kept, by its URI."""
    command = invocation.command
    output = Output(ascii_only=invocation.ascii_only, json_only=_is_json(invocation), uris=invocation.uris)
    if invocation.read_only and not isinstance(command, LookCommand) and not _is_dry(invocation):
        output.complain("This writes, and --read-only was given: leave one of them out.")
        return WRONG
    try:
        if isinstance(command, HistoryCommand):
            return show_history(command, invocation.uris, history_of, output)
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
    carry_out = _DEEDS.get(type(invocation.command))
    if carry_out is None:
        raise CommandError(WRONG, "This command has a screen, not lines.")
    return carry_out(invocation.command, hosts, output)


_DEEDS: dict[type, Callable[[Any, Fleet, Output], int]] = {
    ListCommand: show_domains,
    JobsCommand: show_jobs,
    DoctorCommand: show_findings,
    TreeCommand: show_tree,
    ExportCommand: export_snapshots,
    WriteCommand: write,
    EvacuateCommand: evacuate,
}
"""By kind of command what carries it out; it answers the exit status."""


def _is_json(invocation: Invocation) -> bool:
    command = invocation.command
    if isinstance(command, WritingCommand):
        return command.consent.json
    return isinstance(command, LookCommand) and command.json


def _is_dry(invocation: Invocation) -> bool:
    return isinstance(invocation.command, WritingCommand) and invocation.command.consent.dry_run


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
