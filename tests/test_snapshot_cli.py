"""The commands about snapshots in front of a scripted host: what they ask for, and what they do not take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fake_host import FakeControl, uuid_of
from tests.test_cli import invoke
from tui.model.finding import Acceptance
from tui.model.hierarchy_request import After, SnapshotDeleteRequest, SnapshotRevertRequest
from tui.model.mirrored_snapshot import Snapshot, file_disk
from tui.model.request import Ending, LiveSnapshotRequest, Request, SnapshotEndRequest, SnapshotRequest

DB01 = uuid_of("db01")
MIB = 1024 * 1024
VDA = file_disk("vda", path="/a", mirror="/m")
VDB = file_disk("vdb", mirror="/n,o")
WAYS = "--synchronous-writes --risk-full-destination"
SPECS = "--diskspec vda,file=/a,mirror=/m --diskspec vdb,mirror=/n,,o"


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (f"create db01 s1 {SPECS}", SnapshotRequest(DB01, Snapshot("s1", disks=(VDA, VDB)))),
        (
            f"create db01 s1 {SPECS} --description x --reuse-external --bandwidth 2 {WAYS}",
            SnapshotRequest(
                DB01,
                Snapshot("s1", "x", disks=(VDA, VDB)),
                reuse_external=True,
                bandwidth=2 * MIB,
                synchronous_writes=True,
                accepted=frozenset({Acceptance.RISK_FULL_DESTINATION}),
            ),
        ),
        (
            "create db01 s1 --reuse-external --overwrite-images",
            LiveSnapshotRequest(
                DB01, "s1", reuse_external=True, accepted=frozenset({Acceptance.OVERWRITE_IMAGES})
            ),
        ),
        ("create db01 s1 --memspec /m,,x=y", LiveSnapshotRequest(DB01, "s1", memory="/m,x=y")),
        (
            "create db01 s1 --memspec snapshot=external,file=/m --validate",
            LiveSnapshotRequest(DB01, "s1", memory="/m", validate=True),
        ),
        ("delete db01 s1 --pivot", SnapshotEndRequest(DB01, "s1", Ending.PIVOT)),
        ("delete db01 s1 --pivot --no-compare", SnapshotEndRequest(DB01, "s1", Ending.PIVOT, compare=False)),
        ("delete db01 s1 --abort", SnapshotEndRequest(DB01, "s1", Ending.CANCEL)),
        ("delete db01 s1", SnapshotDeleteRequest(DB01, "s1")),
        ("delete db01 s1 --metadata-only", SnapshotDeleteRequest(DB01, "s1", metadata_only=True)),
        ("delete db01 s1 --children", SnapshotDeleteRequest(DB01, "s1", children=True)),
        (
            "delete db01 s1 --children-only --metadata-only",
            SnapshotDeleteRequest(DB01, "s1", itself=False, children=True, metadata_only=True),
        ),
        ("revert db01 s1", SnapshotRevertRequest(DB01, "s1")),
        (
            "revert db01 s1 --paused --lose-present-state",
            SnapshotRevertRequest(DB01, "s1", After.PAUSED, frozenset({Acceptance.LOSE_PRESENT_STATE})),
        ),
    ],
)
def test_what_is_asked_for(line: str, request_: Request) -> None:
    control = FakeControl()
    invoke("snapshot", *line.split(), "--dry-run", hosts=(control,))
    assert control.requests == [request_]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "required: COMMAND"),
        ("create db01 s1 --xml f --diskspec vda,mirror=/m", "either with --diskspec or with --xml"),
        ("create db01 --xml f --description x", "stands in the file"),
        ("create db01 --diskspec vda,mirror=m", "not absolute"),
        ("create db01 --diskspec vda,foo=1", "name=, size=, mirror="),
        ("create db01 --diskspec vda,mirror=/m,size=1", "none of snapshot="),
        ("create db01 --diskspec vda,method=zfs", "none of qemu, internal, lvm, btrfs, manual, no"),
        ("create db01 --diskspec vda,method=qemu,size=1G", "does not go with method=qemu"),
        ("create db01 --diskspec vda,method=qemu,snapshot=no", "say the same"),
        ("create db01 --diskspec vda,file=relative", "not absolute"),
        ("create db01 --diskspec vda,size=much", "size= of vda"),
        ("create db01 --method zfs", "invalid choice"),
        ("create db01 --memspec m", "not absolute: m"),
        ("create db01 --memspec file=/m,snapshot=internal", "--method internal"),
        ("create db01 --memspec /m,size=1", "none of file=, snapshot="),
        ("create db01 --xml f --memspec /m", "the memory stands in the file"),
        ("create db01 --diskspec vda,mirror=/m --memspec /x", "without the memory"),
        ("create db01 --limit 0", "above 0"),
        ("create db01 --diskspec vda,mirror=/m --method btrfs", "taken by qemu alone"),
        ("delete db01 s1 --pivot --abort", "not allowed with"),
        ("delete db01 s1 --pivot --metadata-only", "go with nothing else"),
        ("delete db01 s1 --abort --children", "go with nothing else"),
        ("delete db01 s1 --no-compare", "which is missing"),
        ("delete db01 s1 --children --children-only", "not allowed with"),
        ("revert db01 s1 --running --paused", "not allowed with"),
        ("import db01 f --map /a=b", "two absolute paths"),
        ("export db01 - --json", "no place"),
        ("tree", "required: DOMAIN"),
    ],
)
def test_what_makes_no_sense(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        invoke("snapshot", *line.split())
    assert message in capsys.readouterr().err


def test_an_empty_name_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        invoke("snapshot", "create", "db01", "")
    assert "a snapshot has a name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        *((f"{SPECS} {one}", "and it needs no pause") for one in ("--no-metadata", "--pause")),
        ("--bandwidth 2", "no disk is given one"),
        ("--diskspec vda,file=/a --synchronous-writes", "no disk is given one"),
    ],
)
def test_what_would_have_no_effect_is_not_taken(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    control = FakeControl()
    status = invoke("snapshot", "create", "db01", "s1", *line.split(), "--dry-run", hosts=(control,))
    assert (status, control.requests) == (2, [])
    assert message in capsys.readouterr().err


def asked(path: Path, text: str, *words: str) -> tuple[int, FakeControl]:
    path.write_text(text)
    control = FakeControl()
    status = invoke("snapshot", "create", "db01", *words, "--xml", str(path), "--dry-run", hosts=(control,))
    return status, control


DISKS = "<disks><disk name='vda'><source file='/a'/><mirror file='/m'/></disk></disks>"


def test_a_file_says_what_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.xml"
    named = f"<domainsnapshot><name>s1</name>{DISKS}</domainsnapshot>"
    for words in ((), ("s1",)):
        _status, control = asked(file, named, *words)
        assert control.requests == [SnapshotRequest(DB01, Snapshot("s1", disks=(VDA,)))]
    _status, control = asked(file, f"<domainsnapshot>{DISKS}</domainsnapshot>")
    (request,) = control.requests
    assert isinstance(request, SnapshotRequest)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-\d{6}", request.snapshot.name or "")
    status, control = asked(file, named, "--method", "btrfs")
    assert (status, control.requests) == (2, [])
    assert "taken by qemu alone" in capsys.readouterr().err
    status, control = asked(file, named, "s2")
    assert (status, control.requests) == (2, [])
    assert "another name" in capsys.readouterr().err


def test_a_file_asks_for_the_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.xml"
    disks = "<disks><disk name='vda' snapshot='external'/></disks>"
    text = f"<domainsnapshot><name>s1</name><memory snapshot='external' file='/m'/>{disks}</domainsnapshot>"
    _status, control = asked(file, text)
    (request,) = control.requests
    assert isinstance(request, LiveSnapshotRequest)
    assert request.memory == "/m"
    status, control = asked(file, text.replace("external' file='/m'", "internal'"))
    assert (status, control.requests) == (2, [])
    assert "not in a file that it names" in capsys.readouterr().err


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.xml"
    for text, message in (
        ("<domainsnapshot>", "not well-formed"),
        ("<!DOCTYPE x><domainsnapshot/>", "document type"),
        (
            "<domainsnapshot>\n<disks>\n<disk name='vda'><miror/></disk></disks></domainsnapshot>",
            "line 3: <miror>",
        ),
    ):
        status, control = asked(file, text)
        assert (status, control.requests) == (2, [])
        assert message in capsys.readouterr().err
    assert invoke("snapshot", "create", "db01", "--xml", str(tmp_path), "--dry-run") == 2
    assert "cannot be read" in capsys.readouterr().err
