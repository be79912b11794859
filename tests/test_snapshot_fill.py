"""How full snapshot volumes are: what LVM's answer means, what is told of it, and hosts that tell nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.app_pilot import opened, played
from tests.fake_host import NOW, FakeControl, make_state
from tests.snapshot_view import DOMAIN, details, drawn, host, put_on, view_of
from tests.test_cli import invoke
from tui.engine import logical, ssh_files
from tui.engine.files import Files, FilesHere
from tui.engine.ssh_files import FilesThere
from tui.model.hierarchy import SnapshotView
from tui.model.methods import Method
from tui.model.snapshot_fill import FULL, fill_words, parse_filled
from tui.model.snapshot_note import Held, NotedSnapshot, note_xml

VOLUME = "/dev/vg/s"


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (f"  {VOLUME} swi-a-s--- 37.12  ", 0.3712),
        (f"  {VOLUME} swi-aos--- 0.00", 0.0),
        (f"  {VOLUME} Swi-a-s--- 80.00", 0.8),
        (f"  {VOLUME} swi-a-s--- 100.00", 1.0),
        (f"  {VOLUME} swi-I-s--- ", 1.0),
        (f"  {VOLUME} swi-I-s--- 12.00", 1.0),
        (f"  {VOLUME} swi---s--- ", None),
        (f"  {VOLUME} -wi-a----- ", None),
        (f"  {VOLUME} Vwi-a-tz-- 12.00", None),
        (f"  {VOLUME} swi-a-s--- 37,12", None),
        (f"  {VOLUME} swi-a-s--- nan", None),
        (f"  {VOLUME} swi-a-s--- 1e9", None),
        (f"  {VOLUME} swi-a-s--- -3", None),
        (f"  {VOLUME}", None),
        ("  /dev/vg/other swi-a-s--- 37.12", None),
        ("\x1b[2J", None),
        ("", None),
    ],
)
def test_what_lvm_answers(line: str, part: float | None) -> None:
    assert parse_filled(f"{line}\n\n", [VOLUME]) == ({} if part is None else {VOLUME: part})


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (0.0, "0 %"),
        (0.29, "29 %"),
        (0.3799, "37 %"),
        (0.7999, "79 %"),
        (0.8, "80 %, nearly full"),
        (0.9999, "99 %, nearly full"),
        (1.0, FULL),
    ],
)
def test_what_is_said_of_it(part: float, words: str) -> None:
    assert fill_words(part) == words


# What is asked


def here(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return FilesHere()


def there(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """As behind ssh, which hands its last words to a shell."""
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return FilesThere(("sh", "-c"))


def lvs(directory: Path, script: str) -> None:
    tool = directory / "lvs"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


Place = Callable[[Path, pytest.MonkeyPatch], Files]
PLACES = pytest.mark.parametrize("place", [here, there])


@PLACES
def test_lvm_is_asked_once_for_all(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lvs(tmp_path, f'echo "$LC_ALL" "$@" >> {tmp_path}/asked; echo " /dev/vg/a swi-a-s--- 12.50"; exit 5')
    files = place(tmp_path, monkeypatch)
    volumes = ["/dev/vg/a", "/dev/vg/$(id) 'b", "--config", "vg", "/dev/vg/a"]
    assert files.filled(volumes) == {"/dev/vg/a": 0.125}
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked == "C --noheadings -o lv_path,lv_attr,data_percent /dev/vg/a /dev/vg/$(id) 'b"
    assert files.filled(["--config", "vg"]) == {}
    assert len((tmp_path / "asked").read_text().splitlines()) == 1


@PLACES
@pytest.mark.parametrize(
    "script", ["echo 'no permission' >&2; exit 5", "printf '\\377 \\000 x'", "kill -9 $$"]
)
def test_who_is_told_nothing_knows_nothing(
    place: Place, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lvs(tmp_path, script)
    assert place(tmp_path, monkeypatch).filled([VOLUME]) == {}


@PLACES
def test_without_lvm_nothing_is_known(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (logical, ssh_files):
        monkeypatch.setattr(module, "QUESTION", ("lvs-of-nobody",))
    assert place(tmp_path, monkeypatch).filled([VOLUME]) == {}


@pytest.mark.parametrize(("place", "found"), [(here, {}), (there, {VOLUME: 0.125})])
def test_lvm_that_hangs_is_left(
    place: Place, found: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lvs(tmp_path, f"echo ' {VOLUME} swi-a-s--- 12.50'; exec tail -f /dev/null")
    monkeypatch.setattr(logical, "TIMEOUT", 0.2)
    monkeypatch.setattr(ssh_files, "TIMEOUT_OF_LVM", 0.2)
    assert place(tmp_path, monkeypatch).filled([VOLUME]) == found


# What is shown


def held_by_lvm(part: float | None) -> FakeControl:
    held = (Held("vdb", Method.LVM, VOLUME, "raw", pool="vg", volume="s"), Held("vda", Method.MANUAL))
    noted = note_xml(NotedSnapshot("p1", "by-lvm", NOW, "kept", held))
    domain = replace(DOMAIN, definition=replace(DOMAIN.definition, noted_snapshots=(noted,)))
    control = host(domain=domain)
    assert isinstance(control.view, SnapshotView)
    control.view = replace(control.view, filled={} if part is None else {VOLUME: part})
    control.publish(make_state(domain))
    return control


@pytest.mark.parametrize(
    ("part", "words", "style"),
    [
        (0.37, "37 %", ""),
        (0.85, "85 %, nearly full", "$text-warning"),
        (1.0, FULL, "$text-error"),
        (None, "–", "$text-muted"),
    ],
)
@played
async def test_the_details_say_how_full_it_is(part: float | None, words: str, style: str) -> None:
    async with opened(held_by_lvm(part), size=(160, 40)) as screen:
        view = await view_of(screen)
        put_on(view, "by-lvm")
        await screen.pilot.pause()
        assert f"filled    {words}\n" in details(view)
        assert details(view).count("filled") == 1
        (line,) = (line for line in view.details.lines if line.lead.plain.startswith("filled"))
        assert [str(span.style) for span in line.body.spans] == [style][: bool(style)]
        row = next(line for line in drawn(view, screen) if "by-lvm" in line)
        assert ("filled 37 %" in row) is (part == 0.37)


@pytest.mark.parametrize(
    ("part", "words"),
    [(0.37, "vdb filled 37 %, vda"), (1.0, f"vdb {FULL}, vda"), (None, "vdb, vda")],
)
def test_the_tree_says_how_full_it_is(
    part: float | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("snapshot", "tree", "db01", hosts=(held_by_lvm(part),)) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "by-lvm" in line)
    assert f"  {words}  " in line
    assert invoke("snapshot", "tree", "db01", "--json", hosts=(held_by_lvm(part),)) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["snapshots"]}
    assert [disk["filled"] for disk in found["by-lvm"]["disks"]] == [part, None]
    assert [disk["filled"] for disk in found["install"]["disks"]] == [None]
