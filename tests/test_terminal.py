"""The program itself in a terminal, driven by keys, on real guests; what it did is read from outside."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import outside
from tests.engine import command
from tui.lab import embedded

PATIENCE = 100.0
"""Seconds; everything here starts processes, on whatever machine this is."""

_numbers = count(1)

PREPARE = """
import sys
from pathlib import Path
from tui.lab.lab import Lab
lab = Lab(Path(sys.argv[1]))
lab.prepare(print)
lab.close()
"""
TEAR_DOWN = """
import sys
from pathlib import Path
from tui.lab.lab import Lab
Lab(Path(sys.argv[1])).tear_down(print)
"""
DEMO = """
import sys
from pathlib import Path
from tui import __main__
from tui.lab import lab
lab.default_root = lambda: Path(sys.argv[1])
sys.exit(__main__.main(["demo", *sys.argv[2:]]))
"""


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, directory: Path, columns: int, lines: int) -> None:
        """Open a shell at that size."""
        self._socket = str(directory / f"tmux-{next(_numbers)}")
        self._run("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), "sh")

    def _run(self, *words: str) -> str:
        return command("tmux", "-u", "-S", self._socket, *words)

    def type(self, *keys: str) -> None:
        """Press keys, by tmux's names for them."""
        self._run("send-keys", *keys)

    def enter(self, line: str) -> None:
        """Type a command line."""
        self._run("send-keys", "-l", line)
        self._run("send-keys", "Enter")

    @property
    def screen(self) -> str:
        """What a person sees."""
        return self._run("capture-pane", "-p")

    def until(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        try:
            outside.wait_for(lambda: all(t in self.screen for t in texts), PATIENCE, str(texts))
        except AssertionError as error:
            message = f"{error}\n{self.screen}"
            raise AssertionError(message) from None

    def resize(self, columns: int, lines: int) -> None:
        """Make the window another size."""
        self._run("resize-window", "-x", str(columns), "-y", str(lines))

    def close(self) -> None:
        """End the server and what runs in it."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], check=False, capture_output=True)


@pytest.fixture(scope="module")
def lab() -> Iterator[Path]:
    """A lab whose guests run, and which nobody has open."""
    # Short, for the sockets in it, and on a disk.
    with TemporaryDirectory(prefix="vm", dir="/var/tmp") as directory:
        root = Path(directory) / "lab"
        command(sys.executable, "-c", PREPARE, str(root))
        try:
            yield root
        finally:
            command(sys.executable, "-c", TEAR_DOWN, str(root))


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Callable[[], Terminal]]:
    """Opens windows of 120 columns."""
    with ExitStack() as stack:

        def open_one() -> Terminal:
            terminal = Terminal(tmp_path, 120, 36)
            stack.callback(terminal.close)
            return terminal

        yield open_one


@pytest.fixture
def demo_root() -> Iterator[Path]:
    """Where a demo may have its lab; what a failed test left of it there is taken away."""
    with TemporaryDirectory(prefix="vm", dir="/var/tmp") as directory:
        root = Path(directory) / "lab"
        yield root
        for pid in _guests(root):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def start(terminal: Terminal, lab: Path) -> None:
    """Start the program on the lab."""
    _start(terminal, "-m", "tui", "-c", embedded.uri(lab))


def start_demo(terminal: Terminal, root: Path, *options: str) -> None:
    """Start the demo with its lab in this directory."""
    _start(terminal, "-c", DEMO, str(root), *options)


def _start(terminal: Terminal, *words: str) -> None:
    program = shlex.join([sys.executable, "-P", *words])
    terminal.enter(
        f"unset COLUMNS LINES; clear; PYTHONPATH={Path(__file__).parent.parent} {program}; echo EXIT=$?"
    )
    terminal.until("web01", "running", "live")


def go_to(terminal: Terminal, domain: str) -> None:
    """Put the cursor on a domain's first disk."""
    terminal.type("1", "/")
    # Keys typed before the box is there would be keys of the table.
    terminal.until("filter:")
    terminal.enter(domain)
    terminal.until(f"{domain} · vda")


def mirror(terminal: Terminal) -> None:
    """Mirror the disk under the cursor to where the form proposes: three key presses."""
    terminal.type("m")
    terminal.until("Destination", "may start")
    terminal.type("Enter")
    terminal.until("enter starts it")
    terminal.type("Enter")


def test_mirror_watch_pivot(terminals: Callable[[], Terminal], lab: Path) -> None:
    terminal = terminals()
    new = lab / "slow" / "web01-vda.raw"
    old = lab / "slow" / "web01.raw"
    start(terminal, lab)
    go_to(terminal, "web01")
    mirror(terminal)
    terminal.until("in sync since")
    terminal.type("p")
    terminal.until("Pivot vda of web01", "Not now")
    terminal.type("y")
    terminal.until("image open")
    terminal.type("q")
    terminal.until("EXIT=0")
    assert outside.is_writing(new)
    assert old.exists()
    assert not _is_open_anywhere(old)


def test_the_plug_is_pulled_and_the_job_is_found_again(terminals: Callable[[], Terminal], lab: Path) -> None:
    terminal = terminals()
    new = lab / "slow" / "files-vda.qcow2"
    start(terminal, lab)
    go_to(terminal, "files")
    mirror(terminal)
    terminal.until("in sync since")
    os.kill(_program(lab), signal.SIGKILL)
    terminal.until("EXIT=137")
    # Nobody put the terminal back in order: the next start has another one.
    terminal = terminals()
    start(terminal, lab)
    terminal.until("in sync")
    go_to(terminal, "files")
    terminal.type("p")
    terminal.until("Pivot vda of files", "Not now")
    terminal.type("y")
    terminal.until("image open")
    terminal.resize(80, 24)
    terminal.type("3")
    terminal.until("files vda", "done")
    terminal.type("q")
    terminal.until("EXIT=0")
    assert outside.is_writing(new)


def test_a_demo_whose_terminal_is_gone_leaves_nothing(
    terminals: Callable[[], Terminal], demo_root: Path
) -> None:
    terminal = terminals()
    start_demo(terminal, demo_root)
    guests = _guests(demo_root)
    assert len(guests) == 3
    terminal.close()
    outside.wait_for(lambda: not demo_root.exists(), PATIENCE, "the lab is removed")
    assert not [pid for pid in guests if _qemu(Path(f"/proc/{pid}"))]


def test_a_lab_that_was_kept_stays_until_it_is_removed(
    terminals: Callable[[], Terminal], demo_root: Path
) -> None:
    terminal = terminals()
    start_demo(terminal, demo_root, "--keep")
    guests = _guests(demo_root)
    assert len(guests) == 3
    terminal.type("q")
    terminal.until("The lab is kept", "EXIT=0")
    start_demo(terminal, demo_root)
    terminal.type("q")
    terminal.until("The lab is kept", "demo --remove", "EXIT=0")
    assert sorted(_guests(demo_root)) == sorted(guests)
    command(sys.executable, "-P", "-c", DEMO, str(demo_root), "--remove")
    assert not demo_root.exists()
    assert not _guests(demo_root)


def _guests(lab: Path) -> list[int]:
    """The processes of the guests in a lab."""
    own = os.fsencode(lab)
    return [int(one.name) for one in Path("/proc").iterdir() if own in _qemu(one)]


def _program(lab: Path) -> int:
    """The process that has the lab's hypervisor in it, by what it was started with."""
    wanted = embedded.uri(lab).encode()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in words and b"tui" in words:
                return int(process.name)
    message = "the program does not run"
    raise AssertionError(message)


def _is_open_anywhere(path: Path) -> bool:
    return any(outside.is_open(int(p.name), path) for p in Path("/proc").iterdir() if _qemu(p))


def _qemu(process: Path) -> bytes:
    """What a QEMU was started with; nothing for any other process, and for one that is gone."""
    try:
        words = (process / "cmdline").read_bytes() if process.name.isdigit() else b""
    except OSError:
        return b""
    return words if b"qemu-system" in words else b""
