"""The checkpoints of a domain on the screen: below the tree of snapshots, with details, and without its keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.app_pilot import opened, played
from tests.checkpoints import checkpoint
from tests.dialogs import HOSTILE
from tests.fake_host import FakeControl
from tests.snapshot_view import SNAPSHOTS, UUID, details, drawn, host, names_drawn, title, view_of
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.model.checkpoint import CheckpointDisk, KnownCheckpoint
from tui.model.hierarchy import KnownSnapshot
from tui.model.hierarchy_request import SnapshotDeleteRequest

CHECKPOINTS = (
    checkpoint("install", created=1_700_000_000, description="Before it all"),
    checkpoint("full backup", "install", created=1_700_200_000),
)


def with_checkpoints(
    checkpoints: tuple[KnownCheckpoint, ...] | None = CHECKPOINTS,
    snapshots: tuple[KnownSnapshot, ...] = SNAPSHOTS,
    *,
    read_only: bool = False,
) -> FakeControl:
    control = host(snapshots, read_only=read_only)
    assert control.view is not None
    control.view = replace(control.view, checkpoints=checkpoints)
    return control


def put_on(view: SnapshotsDialog, name: str) -> None:
    """A snapshot and a checkpoint may have the same name."""
    lines = view.tree_view.items
    view.tree_view.move_to(next(n for n, one in enumerate(lines) if one.checkpoint and one.name == name))


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@pytest.mark.parametrize("ascii_only", [False, True])
@played
async def test_they_stand_below_the_live_end(size: tuple[int, int], ascii_only: bool) -> None:  # noqa: FBT001
    control = with_checkpoints()
    async with opened(control, size=size, ascii_only=ascii_only) as screen:
        view = await view_of(screen)
        assert "4 snapshots, 2 checkpoints" in title(view)
        lines = drawn(view, screen)
        live, first, second = lines[5:8]
        assert live.strip().startswith("` < now" if ascii_only else "└ ◀ now")
        assert first.strip().startswith("# install " if ascii_only else "▪ install ")
        assert second.split()[1:4] == ["full", "backup", "checkpoint"]
        if ascii_only:
            assert "\n".join(lines).isascii()
        assert [item.live for item in view.tree_view.items] == [False] * 4 + [True] + [False] * 2
        assert view.current is not None
        assert view.current.name == "upgrade"
        await screen.press("G")
        text = details(view)
        assert text.startswith("full backup\n")
        assert "parent  install" in text
        assert "disk    vda bitmap full backup" in text
        assert "delete  virsh checkpoint-delete db01 'full backup'" in text
        assert "hold no data" in text
        assert "Chain of vda now" in text
        await screen.press("up")
        assert "Before it all" in details(view)
        await screen.press("up")
        assert details(view).startswith("What the guest writes now")


@pytest.mark.parametrize("key", ["delete", "d", "D", "F", "shift+delete", "v"])
@played
async def test_a_key_for_snapshots_says_why_it_does_nothing(key: str) -> None:
    control = with_checkpoints()
    async with opened(control) as screen:
        view = await view_of(screen)
        put_on(view, "full backup")
        await screen.press(key)
        assert screen.app.screen is view
        assert screen.notes[-1].startswith("full backup is a checkpoint, which holds no data")
        assert screen.notes[-1].endswith("virsh checkpoint-delete db01 'full backup'")
        assert control.calls == [("snapshots", UUID)]


@played
async def test_one_of_the_same_name_is_not_taken_for_the_other() -> None:
    control = with_checkpoints()
    async with opened(control) as screen:
        view = await view_of(screen)
        put_on(view, "install")
        await screen.press("r")
        await screen.until(lambda: len(control.calls) == 2)
        assert view.current is not None
        assert view.current.checkpoint is not None
        await screen.press("y")
        assert screen.app.clipboard == "install"
        await screen.press("g", "d")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        assert control.requests == [SnapshotDeleteRequest(UUID, "install")]


@played
async def test_without_snapshots_they_are_shown_all_the_same() -> None:
    async with opened(with_checkpoints(snapshots=())) as screen:
        view = await view_of(screen)
        assert "no snapshots, 2 checkpoints" in title(view)
        assert [item.live for item in view.tree_view.items] == [True, False, False]
        assert "n takes one" in view.problems.plain
        assert "▪ install" in "\n".join(drawn(view, screen))


@pytest.mark.parametrize(("checkpoints", "said"), [((), False), (None, True)])
@played
async def test_none_and_unknown_are_not_the_same(checkpoints: tuple[()] | None, said: bool) -> None:  # noqa: FBT001
    async with opened(with_checkpoints(checkpoints)) as screen:
        view = await view_of(screen)
        assert "checkpoint" not in title(view)
        assert ("Nobody could see whether db01 has checkpoints." in view.problems.plain) is said


@played
async def test_a_read_only_session_says_that_first() -> None:
    async with opened(with_checkpoints(read_only=True)) as screen:
        await view_of(screen)
        await screen.press("G", "d")
        assert "this session is read-only" in screen.notes[-1]


@played
async def test_hundreds_are_only_drawn_where_they_are_seen() -> None:
    many = tuple(checkpoint(f"c{n}", f"c{n - 1}", created=n) for n in range(1, 500))
    async with opened(with_checkpoints(many), size=(80, 24)) as screen:
        view = await view_of(screen)
        names = names_drawn(view)
        await screen.press("end")
        assert view.current is not None
        assert view.current.name == "c499"
        assert 0 < len(names) < 100


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("ascii_only", [False, True])
@played
async def test_hostile_text(text: str, ascii_only: bool) -> None:  # noqa: FBT001
    disks = (CheckpointDisk(text, text), CheckpointDisk("vda"), CheckpointDisk("vdb", text))
    one = KnownCheckpoint(text, text, -1, text, disks)
    async with opened(with_checkpoints((one,)), size=(80, 24), ascii_only=ascii_only) as screen:
        view = await view_of(screen)
        for key in ("G", "enter", "escape", "y", "d", "v"):
            await screen.press(key)
        assert "virsh checkpoint-delete db01" in screen.notes[-1]
        seen = "\n".join([*drawn(view, screen), *screen.notes])
        assert "\x1b" not in seen + details(view) + screen.app.clipboard
