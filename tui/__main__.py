"""The command ``virt-mirror``: arguments, then the screen or one headless command."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from tui.cli import arguments
from tui.cli import main as headless
from tui.cli.commands import DemoCommand, Invocation
from tui.cli.errors import FAILED, INTERRUPTED
from tui.engine.control import Control
from tui.engine.history import history_of
from tui.engine.host import Host

if TYPE_CHECKING:
    from tui.lab.lab import Lab

_LAB_GOES = (
    "Quitting stops the guests and removes the lab with all that is in it; ./tui/demo --keep leaves it."
)
_ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end the demo as quitting does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: the outermost boundary, where no traceback is seen."""
    invocation = arguments.parse(sys.argv[1:] if argv is None else argv)
    try:
        match invocation.command:
            case None:
                return _screen(invocation)
            case DemoCommand(remove=True):
                return _remove_lab()
            case DemoCommand(keep=keep):
                return _demo(invocation, keep=keep)
            case _:
                return headless.run(invocation, _connect, history_of)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the outermost boundary of the program
        log = _write_down()
        _say(f"virt-mirror: Something unexpected happened: {error}. Details are in {log}.")
        return FAILED


def _connect(uri: str | None, read_only: bool) -> Control:  # noqa: FBT001  # called by position, as Connect says
    return Host(uri, read_only=read_only, history=history_of(uri))


def _connect_quietly(read_only: bool, uri: str | None) -> Control:  # noqa: FBT001
    """For the screen: it has the terminal, so that nobody else may ask anything there."""
    return Host(uri, read_only=read_only, may_ask=False, history=history_of(uri))


def _screen(invocation: Invocation) -> int:
    # Headless commands never pay for the screen.
    from tui.app.main import run  # noqa: PLC0415

    connect = partial(_connect_quietly, invocation.read_only)
    uris = invocation.uris or (None,)
    return run(
        [connect(uri) for uri in uris],
        ascii_only=invocation.ascii_only,
        connect=connect,
        history=history_of(uris[0]),
    )


def _demo(invocation: Invocation, *, keep: bool) -> int:
    """The lab, the screen on it, and the end of the lab, however the screen ends."""
    from tui.app.keys import JOBS_GO_ON  # noqa: PLC0415
    from tui.app.main import run  # noqa: PLC0415
    from tui.lab.errors import LabError  # noqa: PLC0415
    from tui.lab.lab import Lab  # noqa: PLC0415

    lab = Lab()
    for number in _ENDING:
        signal.signal(number, _stop)
    try:
        with _prepared(lab, keep=keep):
            history = history_of(lab.uri)
            host = Host(lab.uri, read_only=invocation.read_only, places=(str(lab.fast),), history=history)
            return run(
                [host],
                suggested_bandwidth=lab.suggested_bandwidth,
                farewell=JOBS_GO_ON if lab.kept else _LAB_GOES,
                ascii_only=invocation.ascii_only,
                connect=partial(_connect_quietly, invocation.read_only),
                history=history,
            )
    except LabError as error:
        _say(f"virt-mirror: {error}")
        return FAILED


@contextlib.contextmanager
def _prepared(lab: Lab, *, keep: bool) -> Iterator[None]:
    """The lab with its guests, and its end, however that comes."""
    try:
        lab.prepare(_say)
    except KeyboardInterrupt:
        _leave(lab)
        raise
    try:
        if keep:
            lab.keep()
        yield
    finally:
        _leave(lab)


def _leave(lab: Lab) -> None:
    """Remove the lab, unless it is kept."""
    _let_end()
    if not lab.kept:
        lab.tear_down(_say)
        return
    _say(
        f"The lab is kept: it stays in {lab.root}, its guests running. The next demo finds it, and so does:\n"
        f"  {_own_name()} -c '{lab.uri}' list\n"
        "This removes it:\n"
        f"  {_own_name()} demo --remove"
    )
    lab.close()


def _remove_lab() -> int:
    """The end of a lab that was kept."""
    from tui.lab.errors import LabError  # noqa: PLC0415
    from tui.lab.lab import Lab  # noqa: PLC0415

    lab = Lab()
    if not lab.root.exists():
        _say(f"There is no lab in {lab.root}.")
        return 0
    _let_end()
    try:
        lab.tear_down(_say)
    except LabError as error:
        _say(f"virt-mirror: {error}")
        return FAILED
    return 0


def _own_name() -> str:
    """What has to be typed to start this program: it may lie in a virtual environment that is not on the path."""
    beside = Path(sys.executable).with_name("virt-mirror")
    return "virt-mirror" if shutil.which("virt-mirror") or not beside.exists() else str(beside)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    _let_end()
    raise KeyboardInterrupt


def _let_end() -> None:
    """Mind no signal from here on: a terminal that hangs up sends several, and the end is not to be cut short."""
    # Textual's handler of SIGCONT, which comes along with SIGHUP, fails where its event loop does not run.
    for number in (*_ENDING, signal.SIGINT, signal.SIGCONT):
        signal.signal(number, _mind_nothing)


def _mind_nothing(_number: int, _frame: FrameType | None) -> None:
    pass


def _say(sentence: str) -> None:
    # The terminal may be gone, and that nobody reads it is no reason to leave anything undone.
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()


def _write_down() -> Path:
    """Keep the details of what went wrong; without the values of variables, which may be secrets."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    log = Path(base) / "virt-mirror" / "errors.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(traceback.format_exc())
    return log


if __name__ == "__main__":
    sys.exit(main())
