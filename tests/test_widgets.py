"""What lines are made of: text, bars, chains, orders, and the reasons why not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.fake_host import make_chain, make_disk, make_domain, make_job, make_mirror, make_state
from tui.app.chains import Kind, Role, tree
from tui.app.glyphs import ASCII, UNICODE, Glyphs
from tui.app.rows import Column, Order, arranged, matching, rows_of
from tui.app.text import pad, shown, shown_middle
from tui.app.verbs import why_not
from tui.app.widgets.gauges import bar, percentage, sparkline
from tui.model.disk import Device, Disk, Mirror, MirrorJob, MirrorReady
from tui.model.job import Phase
from tui.model.storage import Chain


@given(st.text(max_size=400), st.integers(0, 60))
def test_host_text_is_one_line_of_at_most_the_width(text: str, width: int) -> None:
    for content in (shown(text, "bold", width=width), shown_middle(text, "bold", width=width)):
        assert content.cell_length <= width
        assert "\n" not in content.plain
        assert "\x1b" not in content.plain
    assert pad(shown(text), width).cell_length == width


def test_the_ends_of_a_long_path_are_kept() -> None:
    cut = shown_middle("/very/long/" + "x" * 100 + "/disk.qcow2", width=30).plain
    assert cut.startswith("/very")
    assert cut.endswith("/disk.qcow2")


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [1, 8, 33])
def test_a_bar_is_full_only_at_100(glyphs: Glyphs, width: int) -> None:
    for percent in [*range(101), None]:
        content = bar(percent, width, glyphs, "green")
        assert content.cell_length == width
        done = len(content.plain) if percent is None else sum(s.end - s.start for s in content.spans[:1])
        if glyphs.ascii and percent is not None:
            assert (content.plain == "#" * width) is (percent == 100)
            assert done <= width
    assert percentage(None, glyphs).plain.strip() == glyphs.empty
    assert percentage(7, glyphs).plain == "  7 %"


def test_a_steady_rate_looks_steady_and_nothing_looks_like_nothing() -> None:
    assert sparkline([100.0, 100.0, 101.0], 3, UNICODE) == "▇▇▇"
    assert sparkline([0.0, 0.0], 4, UNICODE) == "  ▁▁"
    assert sparkline([0.0, 50.0, 100.0], 3, UNICODE) == "▁▄▇"
    assert sparkline([], 3, UNICODE) == "   "


def test_all_signs_are_one_cell_and_ascii_is_ascii() -> None:
    for glyphs in (UNICODE, ASCII):
        signs = [getattr(glyphs, name) for name in Glyphs.__slots__ if name not in {"ascii", "sparks"}]
        assert all(cell_len(sign) == 1 for sign in signs)
    assert all(str(getattr(ASCII, name)).isascii() for name in Glyphs.__slots__)


def names(disk: Disk) -> list[str]:
    return [line.branch + line.name for line in tree(disk, UNICODE)]


def test_a_chain_grows_from_its_base() -> None:
    lines = tree(make_disk("vda", "/top", "/mid", "/base"), UNICODE)
    assert [line.branch + line.name for line in lines] == ["base", "└ mid", "  └ top"]
    assert [line.role for line in lines] == [Role.NONE, Role.NONE, Role.ACTIVE]


def test_a_mirror_of_its_own_is_a_tree_of_its_own() -> None:
    lines = tree(make_disk("vda", "/top", "/base", mirror=make_mirror("/fast/new")), UNICODE)
    assert [line.name for line in lines] == ["base", "top", "", "new"]
    assert lines[-1].role is Role.MIRROR


def test_a_shallow_mirror_is_a_branch_on_the_common_base() -> None:
    mirror = Mirror(MirrorJob.COPY, MirrorReady.NO, make_chain("/fast/new", "/mid", "/base"))
    disk = make_disk("vda", "/top", "/mid", "/base", mirror=mirror)
    assert names(disk) == ["base", "└ mid", "  ├ top", "  └ new"]


def test_an_active_commit_marks_the_layer_it_writes_to() -> None:
    mirror = Mirror(MirrorJob.ACTIVE_COMMIT, MirrorReady.YES, make_chain("/base"))
    lines = tree(make_disk("vda", "/top", "/mid", "/base", mirror=mirror), UNICODE)
    assert [(line.name, line.role) for line in lines] == [
        ("base", Role.MIRROR),
        ("mid", Role.NONE),
        ("top", Role.ACTIVE),
    ]


def test_what_is_not_known_is_said_and_an_empty_drive_is_empty() -> None:
    unknown = Disk("vda", "virtio", Device.DISK, make_chain("/top", complete=False))
    assert [line.kind for line in tree(unknown, UNICODE)] == [Kind.UNKNOWN, Kind.LAYER]
    assert names(Disk("sda", "sata", Device.CDROM, Chain())) == ["This drive is empty."]


def test_what_waits_for_a_decision_is_sorted_first() -> None:
    jobs = [make_job("b", phase=Phase.DONE), make_job("c"), make_job("d", phase=Phase.IN_SYNC)]
    rows = rows_of(0, make_state(*map(make_domain, "abcd"), jobs=jobs))
    assert [row.name for row in arranged(rows, Order(Column.JOB))] == ["d", "c", "b", "a"]


def test_a_domain_shows_its_name_once_for_disks_that_follow_one_another() -> None:
    state = make_state(make_domain("a", disks=[make_disk("vda"), make_disk("vdb")]), make_domain("b"))
    rows = arranged(rows_of(0, state), Order())
    assert [row.first for row in rows] == [True, False, True]
    rows = arranged(rows_of(0, state), Order(Column.DISK))
    assert [(row.name, row.first) for row in rows] == [("a", True), ("b", True), ("a", True)]


def test_a_filter_looks_everywhere() -> None:
    rows = rows_of(
        0, make_state(make_domain("a", disks=[make_disk("vda", "/pool/[x].qcow2")]), make_domain("b"))
    )
    assert [row.name for row in matching(rows, "[X]")] == ["a"]
    assert [row.name for row in matching(rows, "![x]")] == ["b"]
    assert len(matching(rows, "!")) == 2


@pytest.mark.parametrize("phase", Phase)
def test_reasons(phase: Phase) -> None:
    job = make_job(phase=phase)
    assert (why_not(job, "pivot") is None) is (phase is Phase.IN_SYNC)
    assert (why_not(job, "keep") is None) is (phase is Phase.IN_SYNC)
    assert (why_not(job, "cancel") is None) is (not phase.ended and phase is not Phase.CANCELLING)
    assert (why_not(job, "dismiss-job") is None) is phase.ended
    assert why_not(None, "pivot") is not None
