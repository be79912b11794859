"""Files of the user: written whole or not at all, for nobody else, and read without waiting."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tui.engine.own_files import FileThere, FileTrouble, read_text, write_private


def test_what_is_written_is_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_private(path, "a\nä")
    assert path.read_bytes() == b"a\n\xc3\xa4"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_what_is_there_stays_unless_it_is_to_go(
    links: bool,  # noqa: FBT001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "f"
    write_private(path, "first")
    with pytest.raises(FileThere, match="there already: name another file"):
        write_private(path, "second")
    assert path.read_text() == "first"
    write_private(path, "third", replace=True)
    assert path.read_text() == "third"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [("no/f", "x", "No such file or directory"), ("a\0b", "x", "null byte"), ("f", "\ud800", "UTF-8")],
)
def test_what_cannot_be_written_leaves_nothing(name: str, text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(FileTrouble, match=f"cannot be written: .*{reason}"):
        write_private(tmp_path / name, text)
    assert list(tmp_path.iterdir()) == []


def test_reading_waits_for_nobody_and_comes_to_an_end(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("äbcdef")
    assert read_text(path, 6) == "äbcdef"
    assert read_text(path, 2) == "äbc"
    path.write_bytes(b"\xff")
    os.mkfifo(tmp_path / "pipe")
    troubles = {
        path: "it is not UTF-8 text",
        tmp_path / "pipe": "it is no file",
        Path("/dev/zero"): "it is no file",
        tmp_path: "it is no file",
        tmp_path / "gone": "No such file or directory",
        Path("a\0b"): "null byte",
    }
    for wrong, reason in troubles.items():
        with pytest.raises(FileTrouble, match=rf"cannot be read: .*{reason}") as caught:
            read_text(wrong, 10)
        assert "\0" not in str(caught.value)
