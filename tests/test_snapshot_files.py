"""Snapshots into a file and out of it, on the screen."""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Button, Input

from tests.app_pilot import Screen, opened, played
from tests.dialogs import HOSTILE
from tests.fake_host import FakeControl, default_plan
from tests.snapshot_view import DOMAIN, SNAPSHOTS, UUID, host, title, view_of
from tui.app.dialogs import imports
from tui.app.dialogs.fields import Check, Field
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.imports import ImportForm
from tui.app.dialogs.plan_view import PlanView
from tui.app.dialogs.save import SaveDialog
from tui.engine.errors import NoConnection
from tui.engine.snapshot_file import read_saved
from tui.model.finding import Acceptance, refused
from tui.model.hierarchy import SnapshotView, arranged
from tui.model.hierarchy_file import InvalidMap, Saved, digest_of, parse_maps, parse_saved, saved_xml
from tui.model.hierarchy_request import SnapshotImportRequest
from tui.model.plan import Plan
from tui.model.request import Request


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program is started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names_in(file: Path) -> set[str]:
    return {one.name for one in parse_saved(file.read_text()).snapshots}


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def files_in(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


async def save_dialog(screen: Screen) -> SaveDialog:
    await view_of(screen)
    await screen.press("E")
    dialog = screen.app.screen
    assert isinstance(dialog, SaveDialog)
    return dialog


# Export


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_all_snapshots_go_into_a_private_file(size: tuple[int, int]) -> None:
    control = host()
    async with opened(control, size=size) as screen:
        dialog = await save_dialog(screen)
        file = Path(dialog.query_one("#file", Input).value)
        assert file == Path.cwd() / "db01-snapshots.xml"
        await screen.press("enter")
        await screen.until(lambda: any("holds" in note for note in screen.notes))
        assert f"{file} holds 4 snapshots of db01; the images are not in it." in screen.notes
        assert "the images are not in it" in screen.log
        assert names_in(file) == {one.name for one in SNAPSHOTS}
        assert mode_of(file) == 0o600
        assert control.calls == [("snapshots", UUID)] * 2


@played
async def test_no_file_is_replaced(here: Path) -> None:
    async with opened(host()) as screen:
        (here / "db01-snapshots.xml").write_text("precious")
        dialog = await save_dialog(screen)
        assert dialog.query_one("#file", Input).value == str(here / "db01-snapshots-2.xml")
        dialog.query_one("#file", Input).value = str(here / "db01-snapshots.xml")
        await screen.press("enter")
        assert "exists already" in dialog.query_one("#file-field", Field).remark
        dialog.query_one("#file", Input).value = str(here / "other.xml")
        # Somebody is quicker.
        dialog.dismiss(str(here / "db01-snapshots.xml"))
        await screen.until(lambda: any("is there already" in note for note in screen.notes))
        assert (here / "db01-snapshots.xml").read_text() == "precious"
        assert files_in(here) == ["db01-snapshots.xml"]


@played
async def test_a_slow_host_holds_nothing_up_while_it_is_exported(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control, gate, threads = host(), threading.Event(), list[threading.Thread]()

    def save_snapshots(uuid: str) -> Saved:  # noqa: ARG001
        threads.append(threading.current_thread())
        assert gate.wait(30)
        raise NoConnection("It is [/away].")

    monkeypatch.setattr(control, "save_snapshots", save_snapshots)
    async with opened(control) as screen:
        await save_dialog(screen)
        await screen.press("enter")
        view = screen.app.screen
        await screen.until(lambda: threads)
        assert "exporting" in str(view.query_one("#title").render())
        await screen.press("escape")
        assert screen.app.screen is screen.main
        gate.set()
        await screen.until(lambda: "It is [/away]." in screen.log)
        assert threading.main_thread() not in threads
        assert files_in(here) == []


@played
async def test_an_error_that_nobody_expected_ends_the_export_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    control = host()

    def save_snapshots(uuid: str) -> Saved:  # noqa: ARG001
        raise ZeroDivisionError

    monkeypatch.setattr(control, "save_snapshots", save_snapshots)
    async with opened(control, mishaps=True) as screen:
        await save_dialog(screen)
        await screen.press("enter")
        await screen.until(lambda: screen.app.mishaps.errors)
        assert "exporting" not in str(screen.app.screen.query_one("#title").render())


@played
async def test_where_nothing_can_be_exported_it_is_said() -> None:
    async with opened(host(read_only=True)) as screen:
        view = await view_of(screen)
        await screen.press("E")
        assert screen.app.screen is view
        assert "Export is not possible: libvirt tells secrets" in screen.notes[-1]
    control = host(())
    async with opened(control) as screen:
        view = await view_of(screen)
        await screen.press("E")
        assert screen.app.screen is view
        assert screen.notes[-1] == "There are no snapshots to export."
        assert control.calls == [("snapshots", UUID)]
        assert "no snapshots" in title(view)


@played
async def test_what_has_gone_meanwhile_cannot_be_exported(here: Path) -> None:
    control = host()
    async with opened(control) as screen:
        await save_dialog(screen)
        control.view = host(()).view
        await screen.press("enter")
        await screen.until(lambda: any("db01 has no snapshots to export" in note for note in screen.notes))
        assert files_in(here) == []


# Import

TEXT = saved_xml(Saved("db01", UUID, arranged(SNAPSHOTS).snapshots))


def request(file: Path, **changes: object) -> SnapshotImportRequest:
    plain = SnapshotImportRequest(UUID, str(file), digest_of(TEXT), parse_saved(TEXT))
    return replace(plain, **changes)  # type: ignore[arg-type]  # the names are those of its fields


async def import_form(screen: Screen) -> ImportForm:
    """Open the form, and wait until it has looked around and asked for what there is."""
    await view_of(screen)
    await screen.press("I")
    form = screen.app.screen
    assert isinstance(form, ImportForm)
    await screen.until(lambda: not form.checking)
    return form


def remark(form: ImportForm, name: str) -> str:
    return form.query_one(f"#{name}-field", Field).remark


def put(form: ImportForm, name: str, text: object) -> None:
    form.query_one(f"#{name}", Input).value = str(text)


def start(form: ImportForm) -> Button:
    return form.query_one("#start", Button)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_the_file_of_the_domain_is_proposed_and_brings_them_back(
    size: tuple[int, int], here: Path
) -> None:
    file = here / "db01-snapshots.xml"
    file.write_text(TEXT)
    for other in ("a-snapshots.xml", "nobody could type\n-snapshots.xml", "notes.xml"):
        (here / other).touch()
    control = host(())
    control.on_run = lambda _run: setattr(control, "view", SnapshotView(DOMAIN, arranged(SNAPSHOTS)))
    async with opened(control, size=size) as screen:
        form = await import_form(screen)
        await screen.until(lambda: form.plan is not None)
        assert form.query_one("#place", Input).value == str(file)
        assert "2 files" in remark(form, "place")
        assert "--redefine --current" in form.query_one(PlanView).plain
        await screen.press("enter")
        assert start(form).has_focus
        assert start(form).region.right <= size[0]
        await screen.press("enter")
        view = screen.app.screen
        await screen.until(lambda: "4 snapshots" in title(view))  # type: ignore[arg-type]
        assert view.current.name == "upgrade"  # type: ignore[attr-defined]
        assert control.requests == [request(file)]
        assert [call[0] for call in control.calls] == ["snapshots", "plan", "run", "snapshots"]


@played
async def test_after_an_error_that_nobody_expected_the_next_edit_asks_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("db01-snapshots.xml", "other.xml"):
        (here / name).write_text(TEXT)

    def broken(_file: Path) -> tuple[str, Saved]:
        raise ZeroDivisionError

    async with opened(host(()), mishaps=True) as screen:
        with monkeypatch.context() as patch:
            patch.setattr(imports, "read_saved", broken)
            form = await import_form(screen)
            await screen.until(lambda: screen.app.mishaps.errors)
        assert form.query_one("#verdict", Flow).plain.endswith("could not be checked")
        assert start(form).disabled
        put(form, "place", here / "other.xml")
        await screen.until(lambda: form.plan is not None)
        assert [type(error) for error in screen.app.mishaps.errors] == [ZeroDivisionError]


@played
async def test_what_was_exported_here_is_proposed_first(here: Path) -> None:
    async with opened(host()) as screen:
        dialog = await save_dialog(screen)
        dialog.query_one("#file", Input).value = str(here / "mine.xml")
        await screen.press("enter")
        await screen.until(lambda: any("holds" in note for note in screen.notes))
        await screen.press("I")
        form = screen.app.screen
        assert isinstance(form, ImportForm)
        assert form.query_one("#place", Input).value == str(here / "mine.xml")
        await screen.until(lambda: form.plan is not None)


@played
async def test_all_that_is_filled_in_is_asked_for_and_the_file_is_read_once(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = here / "f"
    file.write_text(TEXT)
    reads = list[threading.Thread]()

    def watched(path: Path) -> tuple[str, Saved]:
        reads.append(threading.current_thread())
        return read_saved(path)

    monkeypatch.setattr(imports, "read_saved", watched)
    control = host()
    async with opened(control) as screen:
        form = await import_form(screen)
        assert remark(form, "place") == "Name the file to import."
        put(form, "place", "f")
        await screen.until(lambda: form.plan is not None)
        assert control.requests[-1] == request(file)
        put(form, "maps", "/i=/j '/a b=/c'")
        form.query_one("#current", Check).value = False
        await screen.until(lambda: form.plan is not None)
        maps = (("/i", "/j"), ("/a b", "/c"))
        assert control.requests[-1] == request(file, maps=maps, current=False)
        assert len(reads) == 1
        assert threading.main_thread() not in reads
        # Another file of the same name is another file.
        file.write_text(TEXT + " ")
        os.utime(file, ns=(1, 1))
        put(form, "maps", "")
        await screen.until(lambda: form.plan is not None)
        assert control.requests[-1] == request(file, digest=digest_of(TEXT + " "), current=False)
        assert len(reads) == 2


@played
async def test_what_is_wrong_is_said_under_its_field(here: Path) -> None:
    control = host()
    (here / "other.xml").write_text("<domain/>")
    (here / "broken.xml").write_text("<a")
    (here / "bytes.xml").write_bytes(b"\xff")
    os.mkfifo(here / "pipe")
    wrong = {
        "": "Name the file",
        "other.xml": "other.xml is no file of snapshots to import: these are no snapshots",
        "broken.xml": "not well-formed",
        "bytes.xml": "it is not UTF-8 text",
        "pipe": "it is no file",
        "gone": "cannot be read: No such file",
        "a\0b": "null byte",
        "~nobody-of-this-name/f": "There can be no file",
    }
    async with opened(control) as screen:
        form = await import_form(screen)
        for name, sentence in wrong.items():
            put(form, "place", name)
            await screen.until(lambda sentence=sentence: sentence in remark(form, "place"))  # type: ignore[misc]
            assert start(form).disabled
            form.set_focus(form.query_one("#current"))
            await screen.press("enter")
            assert form.query_one("#place", Input).has_focus
        put(form, "maps", "/a=/b nonsense")
        await screen.until(lambda: "as /old=/new; this is none: nonsense." in remark(form, "maps"))
        (here / "good.xml").write_text(TEXT)
        put(form, "place", "good.xml")
        put(form, "maps", "")
        await screen.until(lambda: form.plan is not None)
        assert "On the machine" in remark(form, "place")
        assert control.requests == [request(here / "good.xml")]


@played
async def test_images_that_do_not_agree_are_taken_upon_oneself(here: Path) -> None:
    file = here / "db01-snapshots.xml"
    file.write_text(TEXT)
    control, lost = host(), Acceptance.LOSE_SNAPSHOTS

    def planner(asked: Request) -> Plan:
        assert isinstance(asked, SnapshotImportRequest)
        found = () if lost in asked.accepted else (refused("image-missing", "It is gone.", "", lost),)
        return replace(default_plan(asked, control.state), request=asked, findings=found)

    control.planner = planner
    async with opened(control) as screen:
        form = await import_form(screen)
        await screen.until(lambda: bool(form.query_one("#lose-snapshots").display))
        await screen.press("enter")
        await screen.until(lambda: form.query_one("#lose-snapshots").has_focus)
        await screen.press("space")
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: control.calls[-1] == ("snapshots", UUID))
        assert control.requests[-1] == request(file, accepted=frozenset({lost}))
        assert [call[0] for call in control.calls].count("run") == 1


@pytest.mark.parametrize("text", HOSTILE)
@played
async def test_a_file_that_means_harm(text: str, here: Path) -> None:
    name = text.replace("\x1b", "?")
    (here / "f").write_text(saved_xml(Saved(name, "u", (replace(SNAPSHOTS[0], name=text),))))
    control = FakeControl()
    async with opened(control, size=(80, 24), ascii_only=True) as screen:
        control.view = SnapshotView(control.state.domains[0], arranged(()))
        form = await import_form(screen)
        put(form, "place", "f")
        await screen.until(lambda: not form.checking)
        assert "\x1b" not in form.query_one(PlanView).plain
        put(form, "place", text)
        put(form, "maps", text)
        await screen.until(lambda: bool(remark(form, "maps")))


@pytest.mark.parametrize(
    ("text", "maps"),
    [
        ("", ()),
        ("  /a=/b   /c=/d ", (("/a", "/b"), ("/c", "/d"))),
        ('"/a b=/c d" /e\\ f=/g', (("/a b", "/c d"), ("/e f", "/g"))),
    ],
)
def test_maps_stand_in_one_line(text: str, maps: tuple[tuple[str, str], ...]) -> None:
    assert parse_maps(text) == maps


@pytest.mark.parametrize(
    ("text", "said"),
    [("/a", "this is none: /a"), ("/a=/b '/c", "quotation mark"), ("/a=/b=/c", "nowhere else")],
)
def test_what_is_no_map(text: str, said: str) -> None:
    with pytest.raises(InvalidMap, match=said):
        parse_maps(text)


@played
async def test_no_plan_stands_beside_a_file_that_is_none(here: Path) -> None:
    (here / "f").write_text(TEXT)
    (here / "g").write_text("nothing")
    async with opened(host()) as screen:
        form = await import_form(screen)
        put(form, "place", "f")
        await screen.until(lambda: form.plan is not None)
        assert "Steps" in form.query_one(PlanView).plain
        put(form, "place", "g")
        await screen.until(lambda: "is no file of snapshots" in remark(form, "place"))
        assert "Steps" not in form.query_one(PlanView).plain
        assert remark(form, "place") in form.query_one(PlanView).plain
