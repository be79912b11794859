"""The command ``virt-mirror``: arguments, then the screen or one headless command."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tui.cli import arguments
from tui.cli import main as headless
from tui.cli.commands import DemoCommand, Invocation
from tui.cli.errors import FAILED, INTERRUPTED
from tui.engine.control import Control
from tui.engine.host import Host

_LAB_GOES = (
    "Quitting stops the guests and removes the lab with all that is in it; ./tui/demo --keep leaves it."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: the outermost boundary, where no traceback is seen."""
    invocation = arguments.parse(sys.argv[1:] if argv is None else argv)
    try:
        match invocation.command:
            case None:
                return _screen(invocation)
            case DemoCommand(keep=keep):
                return _demo(invocation, keep=keep)
            case _:
                return headless.run(invocation, _connect)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the outermost boundary of the program
        log = _write_down()
        sys.stderr.write(f"virt-mirror: Something unexpected happened: {error}. Details are in {log}.\n")
        return FAILED


def _connect(uri: str | None, read_only: bool) -> Control:  # noqa: FBT001  # called by position, as Connect says
    return Host(uri, read_only=read_only)


def _connect_quietly(uri: str | None, read_only: bool) -> Control:  # noqa: FBT001
    """For the screen: it has the terminal, so that nobody else may ask anything there."""
    return Host(uri, read_only=read_only, may_ask=False)


def _screen(invocation: Invocation) -> int:
    # Headless commands never pay for the screen.
    from tui.app.main import run  # noqa: PLC0415

    hosts = [_connect_quietly(uri, invocation.read_only) for uri in invocation.uris or (None,)]
    return run(
        hosts,
        ascii_only=invocation.ascii_only,
        connect=lambda uri: _connect_quietly(uri, invocation.read_only),
    )


def _demo(invocation: Invocation, *, keep: bool) -> int:
    """The lab, the screen on it, and the end of the lab, however the screen ends."""
    from tui.app.keys import JOBS_GO_ON  # noqa: PLC0415
    from tui.app.main import run  # noqa: PLC0415
    from tui.lab.errors import LabError  # noqa: PLC0415
    from tui.lab.lab import Lab  # noqa: PLC0415

    lab = Lab()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        lab.prepare(_say)
        try:
            host = Host(lab.uri, read_only=invocation.read_only, places=(str(lab.fast),))
            return run(
                [host],
                suggested_bandwidth=lab.suggested_bandwidth,
                farewell=JOBS_GO_ON if keep else _LAB_GOES,
                ascii_only=invocation.ascii_only,
                connect=lambda uri: _connect_quietly(uri, invocation.read_only),
            )
        finally:
            if keep:
                _say(
                    f"The lab stays in {lab.root}, its guests running. The next demo finds it, and so does:\n"
                    f"  {_own_name()} -c '{lab.uri}' list"
                )
                lab.close()
            else:
                lab.tear_down(_say)
    except LabError as error:
        sys.stderr.write(f"virt-mirror: {error}\n")
        return FAILED


def _own_name() -> str:
    """What has to be typed to start this program: it may lie in a virtual environment that is not on the path."""
    beside = Path(sys.executable).with_name("virt-mirror")
    return "virt-mirror" if shutil.which("virt-mirror") or not beside.exists() else str(beside)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


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
