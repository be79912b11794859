"""Where a long text is broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from tui.app.wrap import wrapped

PATH = "/var/lib/libvirt/images/customers/long-name-of-one.qcow2"


def lines(text: str, width: int, hang: int = 0) -> list[str]:
    return [line.plain for line in wrapped(Content(text), width, hang)]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("", 10, [""]),
        ("one two", 7, ["one two"]),
        ("one two", 6, ["one", "two"]),
        ("one   two  ", 3, ["one", "two"]),
        ("one\ntwo", 9, ["one", "two"]),
        # A path that fits into a line is whole.
        ("It is /a/b/c.qcow2.", 14, ["It is", "/a/b/c.qcow2."]),
        # One that does not is broken between its parts, and as far to the right as can be.
        (
            f"No disk uses {PATH}.",
            30,
            ["No disk uses", "/var/lib/libvirt/images/", "customers/", "long-name-of-one.qcow2."],
        ),
        ("--diskspec vda,mirror=/m/n", 14, ["--diskspec", "vda,mirror=/m/", "n"]),
        ("file=a,mirror=b,kind=c", 16, ["file=a,mirror=b,", "kind=c"]),
        ("long-name-of-one.qcow2", 14, ["long-name-of-", "one.qcow2"]),
        # A joint at the very start is none.
        ("/" + "x" * 12, 10, ["/" + "x" * 9, "xxx"]),
        # A sign, a number and an option stay with what comes after them, if that is possible.
        ("a.qcow2  11.5 MiB", 12, ["a.qcow2", "11.5 MiB"]),
        ("a.qcow2  ◀ active", 12, ["a.qcow2", "◀ active"]),
        ("cp --to /m --sparse --all", 12, ["cp --to /m", "--sparse", "--all"]),
        ("cp --to /m --sparse --all", 9, ["cp", "--to /m", "--sparse", "--all"]),
        ("rm -- /var/a", 8, ["rm --", "/var/a"]),
        ("漢字漢字", 5, ["漢字", "漢字"]),
        ("漢字", 1, ["漢", "字"]),
    ],
)
def test_it_is_broken_there(text: str, width: int, expected: list[str]) -> None:
    assert lines(text, width) == expected


def test_what_goes_on_has_less_room_where_it_hangs() -> None:
    assert lines("aaaa bbbb cccc", 9, 4) == ["aaaa bbbb", "cccc"]
    assert lines("aaaa bbbb cc dd", 9, 4) == ["aaaa bbbb", "cc dd"]
    assert lines("aaaa bbbb cc ddd", 9, 4) == ["aaaa bbbb", "cc", "ddd"]


def test_styles_go_along() -> None:
    first, second = wrapped(Content("one ").append(Content.styled("two", "bold")), 4)
    assert (first.spans, [str(span.style) for span in second.spans]) == ([], ["bold"])


@given(st.text(alphabet="ab /-.=漢", max_size=60), st.integers(8, 30), st.integers(0, 6))
def test_nothing_is_lost_and_nothing_is_too_wide(text: str, width: int, hang: int) -> None:
    found = wrapped(Content(text), width, hang)
    assert "".join("".join(line.plain.split()) for line in found) == "".join(text.split())
    assert [line for line in found[1:] if not line.plain] == []
    assert found[0].cell_length <= width
    assert all(line.cell_length <= width - hang for line in found[1:])
