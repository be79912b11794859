"""The lab, with real guests.

One process can hold one embedded hypervisor, so each lab runs in a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tui.lab.guest import CHUNK_SECTORS, SECTOR, GuestDisk, boot_sector, domain_xml

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
CHUNK = CHUNK_SECTORS * SECTOR
PRELUDE = """
import sys
from pathlib import Path
from tui.lab.errors import LabError
from tui.lab.lab import Lab
import libvirt

def say(line):
    print(line, flush=True)
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A name short enough for sockets; what a failed test left of a lab there is taken away."""
    parent = Path(tempfile.mkdtemp(prefix="vm", dir="/var/tmp"))
    yield parent / "lab"
    for pid in qemus(parent / "lab"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(parent)


@contextlib.contextmanager
def in_lab(root: Path, body: str, *, prepare: str = "", **environment: str) -> Iterator[Session]:
    """Run a script in a process of its own, with `lab` and `say` at hand; it does not outlive the block."""
    script = PRELUDE + textwrap.dedent(prepare) + "lab = Lab(Path(sys.argv[1]))\n" + textwrap.dedent(body)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            yield Session(process)
        finally:
            process.kill()


@dataclass
class Session:
    process: subprocess.Popen[str]

    def until(self, line: str) -> list[str]:
        """The lines said until one that starts so, which must come."""
        assert self.process.stdout is not None
        said = []
        for said_line in self.process.stdout:
            said.append(said_line.rstrip("\n"))
            if said_line.startswith(line):
                return said
        pytest.fail(f"{line!r} was never said, but {said}")

    def finish(self) -> list[str]:
        """Let the script go on to its end, and return what it said meanwhile."""
        output, _ = self.process.communicate("go on\n", timeout=100)
        assert self.process.returncode == 0
        return output.splitlines()


def run_in_lab(root: Path, body: str) -> list[str]:
    """Run such a script to its end, and return the lines that it said."""
    with in_lab(root, body) as lab:
        return lab.finish()


def kill_in_lab(root: Path, at: str) -> None:
    """Kill the preparation of a lab when it says a line."""
    with in_lab(root, "lab.prepare(say)") as lab:
        lab.until(at)
        lab.process.kill()


def qemus(root: Path, more: str = "") -> list[int]:
    """The QEMU processes whose command line names the lab, and ``more``, by id."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we were looking
            if (
                words.startswith(b"/usr/bin/qemu-system")
                and os.fsencode(root) in words
                and more.encode() in words
            ):
                found.append(int(entry.name))
    return sorted(found)


def assert_writes_on(image: Path) -> int:
    """See a guest write to a raw image, and go on writing; return its last count of writes."""
    count = -1
    for _ in range(2):
        deadline = time.monotonic() + 30
        before = count
        while (count := last_count(image)) <= before:
            assert time.monotonic() < deadline, f"nothing new in {image}"
            time.sleep(0.05)  # nothing tells when a guest has written
    return count


def last_count(image: Path) -> int:
    """The highest count of writes that a guest left in a raw image, -1 if it left none."""
    last = -1
    with image.open("rb") as file:
        for offset in range(CHUNK, 32 * 1024 * 1024, CHUNK):
            file.seek(offset)
            head = file.read(8)
            if head[4:] == b"VMVM":
                last = max(last, int.from_bytes(head[:4], "little"))
    return last


def test_a_boot_sector_is_a_sector_that_boots() -> None:
    for drives in (1, 2):
        for delay in (0, 1):
            sector = boot_sector(drives=drives, delay=delay)
            assert len(sector) == SECTOR
            assert sector[-2:] == b"\x55\xaa"


@pytest.mark.parametrize(
    "wrong",
    [{"mib": 0}, {"mib": 3}, {"mib": 2**21}, {"delay": -1}, {"burst": 3}, {"burst": 256}, {"drives": 3}],
)
def test_a_boot_sector_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        boot_sector(**wrong)


def test_domain_xml_escapes_what_it_is_given() -> None:
    xml = domain_xml("a<b>&", [GuestDisk(Path("/x/'\"<>&.raw"), "raw"), GuestDisk(Path("/y"), "qcow2")])
    assert "<name>a&lt;b&gt;&amp;</name>" in xml
    assert "&lt;&gt;&amp;.raw" in xml
    assert xml.index('dev="vda"') < xml.index('dev="vdb"')


def test_guests_run_and_write_and_nothing_is_left_after_tear_down(root: Path) -> None:
    script = """
        lab.prepare(say)
        for domain in libvirt.open(lab.uri).listAllDomains():
            say(f"{domain.name()} {'running' if domain.isActive() else 'off'}")
        say("ready")
        sys.stdin.readline()
        lab.tear_down(say)
    """
    with in_lab(root, script) as lab:
        said = lab.until("ready")
        assert {"web01 running", "db01 running", "files running", "old off"} <= set(said)
        assert len(qemus(root)) == 3

        assert_writes_on(root / "slow" / "web01.raw")
        assert_writes_on(root / "slow" / "files-data.raw")
        overlay = f"{root}/slow/db01-top.qcow2"
        info = ["qemu-img", "info", "-U", "--backing-chain", overlay]
        chain = subprocess.run(info, capture_output=True, check=True, text=True).stdout
        assert [line for line in chain.splitlines() if line.startswith("image:")] == [
            f"image: {root}/slow/db01-{layer}.qcow2" for layer in ("top", "mid", "base")
        ]
        assert list((root / "fast").iterdir()) == []
        used = sum(image.stat().st_blocks * 512 for image in (root / "slow").iterdir())
        assert used < 2 * 1024**3

        lab.finish()
        assert qemus(root) == []
        assert not root.exists()


def test_a_guest_of_the_lab_can_be_mirrored_and_pivoted(root: Path) -> None:
    script = """
        import threading
        lab.prepare(say)
        connection = libvirt.open(lab.uri)
        domain = connection.lookupByName("web01")
        ended, ready = threading.Event(), threading.Event()

        def changed(connection, domain, disk, kind, status, opaque):
            say(f"event {status}")
            (ready if status == libvirt.VIR_DOMAIN_BLOCK_JOB_READY else ended).set()

        event = libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2
        callback = connection.domainEventRegisterAny(domain, event, changed, None)
        destination = f"<disk type='file'><driver type='raw'/><source file='{lab.fast}/web01.raw'/></disk>"
        domain.blockCopy("vda", destination, {}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
        assert ready.wait(60)
        domain.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
        assert ended.wait(60)
        connection.domainEventDeregisterAny(callback)
        say("now " + ("fast" if f"{lab.fast}/web01.raw" in domain.XMLDesc() else "slow"))
        lab.close()
    """
    said = run_in_lab(root, script)
    assert said[-3:] == ["event 3", "event 0", "now fast"]
    # The guest outlived that process, and writes to the destination now, and nowhere else.
    left_at = last_count(root / "slow" / "web01.raw")
    assert assert_writes_on(root / "fast" / "web01.raw") > left_at
    assert last_count(root / "slow" / "web01.raw") == left_at


def test_a_lab_killed_while_guests_start_is_completed(root: Path) -> None:
    kill_in_lab(root, "Starting db01")
    # db01 may be there as well, half started; libvirt ends it and starts it anew.
    (before,) = qemus(root, "guest=web01")
    said = run_in_lab(root, "lab.prepare(say)")
    assert not [line for line in said if line.startswith("Making")]
    running = qemus(root)
    assert len(running) == 3
    assert before in running


def test_a_lab_killed_while_images_are_made_makes_them_anew(root: Path) -> None:
    kill_in_lab(root, "Making db01")
    said = run_in_lab(root, "lab.prepare(say)")
    assert [line for line in said if line.startswith("Making db01")]
    assert len(qemus(root)) == 3


def test_a_probe_of_qemu_that_a_killed_lab_left_is_ended(root: Path) -> None:
    abandoned = root / "lib" / "qemu" / "qmp-left"
    abandoned.mkdir(parents=True)
    command = ["qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-machine", "none"]
    with subprocess.Popen([*command, "-pidfile", str(abandoned / "qmp.pid")]) as probe:
        try:
            run_in_lab(root, "lab.prepare(say); lab.tear_down(say)")
            assert probe.wait(10) == -signal.SIGKILL
        finally:
            probe.kill()


def test_a_lab_that_was_kept_is_found_again_and_can_be_removed_later(root: Path) -> None:
    run_in_lab(root, "lab.prepare(say); lab.close()")
    kept = qemus(root)
    assert len(kept) == 3
    assert run_in_lab(root, "lab.prepare(say)") == []
    assert qemus(root) == kept

    run_in_lab(root, "lab.tear_down(say)")
    assert qemus(root) == []
    assert not root.exists()
    assert run_in_lab(root, "lab.tear_down(say)") == []


def test_a_lab_in_use_is_refused_in_a_sentence(root: Path) -> None:
    with in_lab(root, "lab.prepare(say); say('ready'); sys.stdin.readline()") as holder:
        holder.until("ready")
        sentence = f"Another virt-mirror has the lab in {root} open: quit that one first."
        for attempt in ("prepare", "tear_down"):
            script = f"try: lab.{attempt}(say)\nexcept LabError as error: say(error)"
            assert run_in_lab(root, script) == [sentence]
        assert len(qemus(root)) == 3
        holder.finish()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("link", "not a directory of your own"), ("file", "not a directory of your own"), ("long", "too long")],
)
def test_a_directory_that_is_no_good_is_refused_in_a_sentence(
    tmp_path: Path, kind: str, expected: str
) -> None:
    root = tmp_path / "lab"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        root.symlink_to(tmp_path / "elsewhere")
    elif kind == "file":
        root.write_text("mine")
    else:
        root = tmp_path / ("x" * 100)
    (line,) = run_in_lab(root, "try: lab.prepare(say)\nexcept LabError as error: say(error)")
    assert expected in line
    assert list(tmp_path.rglob("web01*")) == []


def test_a_missing_tool_is_named_with_its_package(root: Path, tmp_path: Path) -> None:
    script = "try: lab.prepare(say)\nexcept LabError as error: say(error)"
    with in_lab(root, script, prepare=f"import os; os.environ['PATH'] = '{tmp_path}'\n") as lab:
        assert "qemu-utils" in lab.finish()[-1]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
def test_an_ordinary_user_can_have_a_lab(root: Path) -> None:
    parent = root.parent
    os.chown(parent, NOBODY, NOBODY)
    # After the imports, because the interpreter may lie where others cannot look, as in /root.
    become_nobody = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
    script = "lab.prepare(say); say('ready'); sys.stdin.readline(); lab.tear_down(say)"
    environment = {"HOME": str(parent), "LIBVIRT_LOG_OUTPUTS": "3:file:/dev/null"}
    with in_lab(root, script, prepare=become_nobody, **environment) as lab:
        lab.until("ready")
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in qemus(root)} == {NOBODY}
        assert_writes_on(root / "slow" / "web01.raw")
        lab.finish()
    assert qemus(root) == []
    assert not root.exists()
