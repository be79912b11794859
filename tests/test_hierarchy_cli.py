"""``snapshot tree``, ``export`` and ``import`` in front of a scripted host."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_host import FakeControl, make_chain, make_disk, make_domain, make_state, uuid_of
from tests.hierarchy_facts import known
from tests.test_cli import invoke
from tui.cli.hierarchy import tree_lines
from tui.model.disk import Mirror, MirrorJob, MirrorReady
from tui.model.finding import Acceptance
from tui.model.hierarchy import SnapshotView, arranged
from tui.model.hierarchy_file import digest_of, parse_saved, saved_xml
from tui.model.hierarchy_request import SnapshotImportRequest
from tui.model.methods import Method
from tui.model.snapshot_note import Held, NotedSnapshot, note_xml

DB01 = uuid_of("db01")
LINE = (
    known("s1", overlay="/i/1", base="/i/base", description="before"),
    known("s2", "s1", overlay="/i/2", base="/i/1", created=2, current=True),
)


def host(*, read_only: bool = False) -> FakeControl:
    domain = make_domain("db01", disks=[make_disk("vda", "/i/2", "/i/1", "/i/base")])
    control = FakeControl(states=make_state(domain), read_only=read_only)
    control.view = SnapshotView(domain, arranged(LINE), {"/i/2": 4096})
    return control


def test_the_tree_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("snapshot", "tree", "db01", "--ascii", hosts=(host(),)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "db01  running  2 snapshots"
    assert [line.split()[0:2] for line in lines[2:5]] == [["s1", "external"], ["`", "s2"], ["`", "<"]]
    assert lines[3].endswith("current")
    assert lines[-1] == "  /i/base  qcow2  state of s1"


def test_names_that_are_cut_short_in_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    control = host()
    assert control.view is not None
    control.view = SnapshotView(control.view.domain, arranged([known("s" * 500)]))
    assert invoke("snapshot", "tree", "db01", "--ascii", hosts=(control,)) == 0
    said = capsys.readouterr().out
    assert said.isascii()
    assert said.splitlines()[2].startswith("s" * 500), "who reads it elsewhere has all of it"
    assert f"state of {'s' * 30}~" in said


@pytest.mark.parametrize("width", [40, 80, 120])
def test_on_a_terminal_names_give_way_first(width: int) -> None:
    view = SnapshotView(make_domain(), arranged([known("s" * 500, description="d" * 500, current=True)]))
    row, live = list(tree_lines(view, width=width))[2:4]
    assert len(row) == width
    assert row.endswith("…")
    assert row.startswith("s" * 8)
    assert row.index("…") < width / 3
    assert "  external  disk" in row
    assert ("  current" in row) == (width > 40)
    assert live.endswith("what the guest writes now") == (width > 80)


def test_without_snapshots_there_is_still_what_the_guest_writes_now(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mirror = Mirror(MirrorJob.COPY, MirrorReady.YES, make_chain("/i/mirror", "/i/base"))
    domain = make_domain("db01", disks=[make_disk("vda", "/i/2", "/i/base", mirror=mirror)])
    control = FakeControl(states=make_state(domain))
    control.view = SnapshotView(domain, arranged([]))
    assert invoke("snapshot", "tree", "db01", hosts=(control,)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "db01  running  no snapshots",
        "",
        "◀ now  running  vda  what the guest writes now",
        "",
        "vda, active layer first:",
        "  /i/2  qcow2  active",
        "  /i/base  qcow2",
        "  /i/mirror  qcow2  mirror of what is written now",
    ]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../../etc/x", "_.._etc_x"),
        (".hidden", "hidden"),
        ("a\n\u202e", "a__"),
        ("--", "domain"),
        ("d" * 300, "d" * 100),
        ("宽" * 100, "宽" * 66),
    ],
)
def test_a_file_is_named_for_its_domain_and_lies_here(
    name: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    control = host()
    domain = make_domain(name)
    control.publish(make_state(domain))
    control.view = SnapshotView(domain, arranged(LINE))
    assert invoke("snapshot", "export", domain.uuid, hosts=(control,)) == 0
    assert [one.name for one in tmp_path.iterdir()] == [f"{file}-snapshots.xml"]


def test_the_tree_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("snapshot", "tree", "db01", "--json", hosts=(host(),)) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        "host",
        "domain",
        "uuid",
        "state",
        "current",
        "snapshots",
        "live",
        "checkpoints",
        "problems",
    ]
    assert (found["current"], found["live"]["parent"]) == ("s2", "s2")
    assert found["snapshots"][1] == {
        "name": "s2",
        "parent": "s1",
        "children": [],
        "current": True,
        "kind": "external",
        "state": "disk-snapshot",
        "created": 2,
        "description": None,
        "memory": None,
        "disks": [
            {
                "target": "vda",
                "kind": "external",
                "overlay": {"path": "/i/2", "format": "qcow2", "size": 4096},
                "holds_state": {"path": "/i/1", "format": "raw", "size": None, "inside": False},
                "state_lost": False,
                "why_lost": None,
                "filled": None,
                "mirror": None,
            }
        ],
    }
    assert found["live"]["layers"][0] == {
        "target": "vda",
        "type": "file",
        "path": "/i/2",
        "format": "qcow2",
        "index": 1,
        "size": 4096,
        "active": True,
        "new_since": ["s2"],
        "state_of": [],
        "state_lost": [],
        "inside": [],
        "inside_unknown": [],
    }


def test_what_does_not_fit_together_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    control = host()
    assert control.view is not None
    control.view = SnapshotView(control.view.domain, arranged(LINE[1:]))
    assert invoke("snapshot", "tree", "db01", hosts=(control,)) == 0
    assert "s1, the parent of the snapshot s2, is not there" in capsys.readouterr().err


def test_an_export_is_complete_and_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("snapshot", "export", "db01", hosts=(host(),)) == 0
    path = tmp_path / "db01-snapshots.xml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in parse_saved(path.read_text()).snapshots] == ["s1", "s2"]
    said = capsys.readouterr().out
    assert f"virt-mirror snapshot import db01 {path}\n" in said
    path.write_text("precious")
    assert invoke("snapshot", "export", "db01", hosts=(host(),)) == 1
    assert path.read_text() == "precious"
    assert "there already" in capsys.readouterr().err
    assert invoke("snapshot", "export", "db01", "--force", "--json", hosts=(host(),)) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": "db01-snapshots.xml",
        "domain": "db01",
        "uuid": DB01,
        "snapshots": ["s1", "s2"],
        "current": "s2",
        "noted": [],
    }
    assert [one.name for one in tmp_path.iterdir()] == ["db01-snapshots.xml"]


def test_what_no_export_can_hold_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What libvirt does not know it cannot be told again."""
    held = (Held("vda", Method.BTRFS, "/slow/a.nightly", "raw"),)
    noted = note_xml(NotedSnapshot("p1", "nightly", 1.0, "", held))
    control = host()
    assert control.view is not None
    domain = control.view.domain
    domain = replace(domain, definition=replace(domain.definition, noted_snapshots=(noted,)))
    control.view = SnapshotView(domain, control.view.hierarchy)
    path = str(tmp_path / "f.xml")
    assert invoke("snapshot", "export", "db01", path, hosts=(control,)) == 0
    left_out = (
        "An export leaves out what clones, volumes or your own command hold of nightly, because only the definition "
        "of db01 tells of that: save that as well, with virsh dumpxml --inactive db01\n"
    )
    assert f"the images are not in it. {left_out}" in capsys.readouterr().out
    assert invoke("snapshot", "export", "db01", "-", hosts=(control,)) == 0
    said = capsys.readouterr()
    assert said.err.endswith(left_out)
    assert len(parse_saved(said.out).snapshots) == 2
    control.view = SnapshotView(domain, arranged([]))
    assert invoke("snapshot", "export", "db01", path, "--force", hosts=(control,)) == 1
    assert f"no snapshots to export that libvirt knows. {left_out}" in capsys.readouterr().err


def test_an_export_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("snapshot", "export", "db01", "-", hosts=(host(),)) == 0
    assert len(parse_saved(capsys.readouterr().out).snapshots) == 2


def test_exports_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "none" / "f")
    assert invoke("snapshot", "export", "db01", path, hosts=(host(),)) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert invoke("snapshot", "export", "db01", str(tmp_path), hosts=(host(),)) == 1
    assert f"{tmp_path} is a directory: name a file in it." in capsys.readouterr().err
    assert invoke("--read-only", "snapshot", "export", "db01", path, hosts=(host(read_only=True),)) == 2
    assert "secrets" in capsys.readouterr().err
    assert invoke("snapshot", "export", "db01", path, hosts=(FakeControl(),)) == 1
    assert "no snapshots" in capsys.readouterr().err


def test_what_an_import_asks_for(tmp_path: Path) -> None:
    file = tmp_path / "f.xml"
    invoke("snapshot", "export", "db01", str(file), hosts=(host(),))
    saved = parse_saved(file.read_text())
    control = host()
    options = ["--map", "/i=/j", "--map", "/a=/b", "--no-current", "--lose-snapshots"]
    invoke("snapshot", "import", "db01", str(file), *options, "--dry-run", hosts=(control,))
    assert control.requests == [
        SnapshotImportRequest(
            DB01,
            str(file),
            digest_of(saved_xml(saved)),
            saved,
            (("/i", "/j"), ("/a", "/b")),
            current=False,
            accepted=frozenset({Acceptance.LOSE_SNAPSHOTS}),
        )
    ]


def test_files_that_are_no_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f.xml"
    for text, said in (("<domain/>", "virt-mirror has exported"), ("<a", "not well-formed")):
        file.write_text(text)
        control = host()
        assert invoke("snapshot", "import", "db01", str(file), "--dry-run", hosts=(control,)) == 2
        assert said in capsys.readouterr().err
        assert control.requests == []
    assert invoke("snapshot", "import", "db01", str(tmp_path), "--dry-run", hosts=(host(),)) == 2
    assert "cannot be read" in capsys.readouterr().err
