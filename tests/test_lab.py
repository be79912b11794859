"""The lab, with real guests. One process can hold one embedded hypervisor, so each lab runs in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
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

lab = Lab(Path(sys.argv[1]))
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory with a name short enough for sockets; a lab that a failed test left in it is torn down."""
    parent = Path(tempfile.mkdtemp(prefix="vm", dir="/var/tmp"))  # noqa: S108  # a temporary directory's own name
    root = parent / "lab"
    yield root
    if root.exists():
        run_in_lab(root, "lab.tear_down(say)")
    parent.rmdir()


def start_in_lab(root: Path, body: str) -> subprocess.Popen[str]:
    """Run a script in a process of its own, with `lab` and `say` at hand."""
    script = PRELUDE + textwrap.dedent(body)
    command = [sys.executable, "-c", script, str(root)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run_in_lab(root: Path, body: str) -> list[str]:
    """Run such a script to its end, and return the lines that it said."""
    process = start_in_lab(root, body)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    return output.splitlines()


def qemus(root: Path) -> list[int]:
    """The QEMU processes whose command line names the lab, by id."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we were looking
            if words.startswith(b"/usr/bin/qemu-system") and os.fsencode(root) in words:
                found.append(int(entry.name))
    return found


def wait_for_write(image: Path, *, after: int = -1) -> int:
    """Wait until a guest's count of writes in a raw image is beyond `after`; return it. The test's timeout ends this."""
    while True:
        count = max(counts(image), default=-1)
        if count > after:
            return count


def counts(image: Path) -> list[int]:
    """The counts found in the first MiB of a raw image, where every lap of a guest passes."""
    with image.open("rb") as file:
        chunks = [file.read(CHUNK) for _ in range(32)][1:]
    return [struct.unpack("<I", chunk[:4])[0] for chunk in chunks if chunk[4:] == b"VM" * ((CHUNK - 4) // 2)]


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
    process = start_in_lab(
        root,
        """
        lab.prepare(say)
        for domain in libvirt.open(lab.uri).listAllDomains():
            say(f"{domain.name()} {'running' if domain.isActive() else 'off'}")
        say("ready")
        sys.stdin.readline()
        lab.tear_down(say)
        """,
    )
    assert process.stdout is not None
    said: list[str] = []
    while not said or said[-1] != "ready":
        said.append(process.stdout.readline().strip())
    assert {"web01 running", "db01 running", "files running", "old off"} <= set(said)
    assert len(qemus(root)) == 3

    for image in ("web01.raw", "files-data.raw"):
        first = wait_for_write(root / "slow" / image)
        assert wait_for_write(root / "slow" / image, after=first) > first
    chain = subprocess.run(
        ["qemu-img", "info", "-U", "--backing-chain", root / "slow" / "db01-top.qcow2"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert [line for line in chain.splitlines() if line.startswith("image:")] == [
        f"image: {root}/slow/db01-{layer}.qcow2" for layer in ("top", "mid", "base")
    ]
    assert list((root / "fast").iterdir()) == []
    used = sum(image.stat().st_blocks * 512 for image in (root / "slow").iterdir())
    assert used < 2 * 1024**3

    process.communicate("go on\n", timeout=60)
    assert process.returncode == 0
    assert qemus(root) == []
    assert not root.exists()


def test_a_guest_of_the_lab_can_be_mirrored_and_pivoted(root: Path) -> None:
    said = run_in_lab(
        root,
        """
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
        """,
    )
    assert said[-3:] == ["event 3", "event 0", "now fast"]
    # The guest, which outlived that process, writes to the destination now, and to nothing else.
    first = wait_for_write(root / "fast" / "web01.raw")
    assert wait_for_write(root / "fast" / "web01.raw", after=first) > first
    assert max(counts(root / "slow" / "web01.raw")) < first


def test_a_killed_lab_is_found_again_and_completed(root: Path) -> None:
    process = start_in_lab(root, "lab.prepare(say)")
    assert process.stdout is not None
    while not process.stdout.readline().startswith("Starting web01"):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = qemus(root)

    said = run_in_lab(root, "lab.prepare(say)")
    assert not [line for line in said if line.startswith("Making")]
    assert len(qemus(root)) == 3
    assert set(before) <= set(qemus(root))

    kept = qemus(root)
    assert run_in_lab(root, "lab.prepare(say)") == []
    assert qemus(root) == kept

    run_in_lab(root, "lab.tear_down(say)")
    assert qemus(root) == []
    assert not root.exists()
    assert run_in_lab(root, "lab.tear_down(say)") == []


def test_a_lab_killed_while_images_are_made_starts_over_with_them(root: Path) -> None:
    process = start_in_lab(root, "lab.prepare(say)")
    assert process.stdout is not None
    while not process.stdout.readline().startswith("Making db01"):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    said = run_in_lab(root, "lab.prepare(say)")
    assert [line for line in said if line.startswith("Making db01")]
    assert len(qemus(root)) == 3


def test_a_lab_in_use_is_refused_in_a_sentence(root: Path) -> None:
    holder = start_in_lab(root, "lab.prepare(say); say('ready'); sys.stdin.readline(); lab.tear_down(say)")
    assert holder.stdout is not None
    while holder.stdout.readline() != "ready\n":
        pass
    refused = """
        for act in (lab.prepare, lab.tear_down):
            try:
                act(say)
            except LabError as error:
                say(error)
    """
    assert (
        run_in_lab(root, refused)
        == [f"Another virt-mirror has the lab in {root} open: quit that one first."] * 2
    )
    assert len(qemus(root)) == 3
    holder.communicate("go on\n", timeout=60)
    assert holder.returncode == 0


@pytest.mark.parametrize("kind", ["link", "file", "too long"])
def test_a_directory_that_is_no_good_is_refused_in_a_sentence(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "lab"
    expected = "not a directory of your own"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        root.symlink_to(tmp_path / "elsewhere")
    elif kind == "file":
        root.write_text("mine")
    else:
        root = tmp_path / ("x" * 100)
        expected = "too long"
    body = "try:\n    lab.prepare(say)\nexcept LabError as error:\n    say(error)\n"
    (line,) = run_in_lab(root, body)
    assert expected in line
    assert list(tmp_path.rglob("web01*")) == []


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
def test_an_ordinary_user_can_have_a_lab() -> None:
    parent = Path(tempfile.mkdtemp(prefix="vm", dir="/var/tmp"))  # noqa: S108  # a temporary directory's own name
    os.chown(parent, NOBODY, NOBODY)
    root = parent / "lab"
    script = PRELUDE + "lab.prepare(say)\nsay('ready')\nsys.stdin.readline()\nlab.tear_down(say)\n"
    # The interpreter's own directory may be closed to others, as /root is; what this process can read it may see,
    # so it becomes somebody else after its imports.
    become = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PRELUDE.replace("lab = Lab", become + "lab = Lab") + script[len(PRELUDE) :],
            str(root),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(parent), "LIBVIRT_LOG_OUTPUTS": f"3:file:{parent}/log"},
    )
    try:
        assert process.stdout is not None
        while (line := process.stdout.readline()) != "ready\n":
            assert line
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in qemus(root)}
        assert owners == {NOBODY}
        wait_for_write(root / "slow" / "web01.raw")
        process.communicate("go on\n", timeout=60)
        assert process.returncode == 0
        assert qemus(root) == []
        assert not root.exists()
    finally:
        process.kill()
        process.communicate()
        for pid in qemus(root):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(parent)
