"""Hostile text before a person's eyes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model.text import printable


@pytest.mark.parametrize(
    "text",
    [
        "",
        "db01",
        "vm[prod]",
        "[/x]",
        "[bold]x[/]",
        "/a b/c.qcow2",
        "Größe",
        "数据库",
        "a\\x1b",
        "😀",
        "e\u0301",
    ],
)
def test_what_can_be_shown_is_kept(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x00\x07\x7f\x9b", r"\x00\x07\x7f\x9b"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("\u2066\u2069\u200e", r"\u2066\u2069\u200e"),
        ("a\u200bb\ufeff\u2060", r"a\u200bb\ufeff\u2060"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\ud800x\udcff", r"\ud800x\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("\u3164\u115f\ufe0f", r"\u3164\u115f\ufe0f"),
        ("\ue000", r"\ue000"),
    ],
)
def test_what_cannot_be_shown_becomes_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("limit", "shown"),
    [(10, "abcdefghij"), (9, "abcd…ghij"), (8, "abcd…hij"), (4, "ab…j"), (2, "a…"), (1, "…"), (0, "")],
)
def test_what_is_too_long_loses_its_middle(limit: int, shown: str) -> None:
    assert printable("abcdefghij", limit) == shown


def test_a_megabyte_is_cut_without_being_looked_at() -> None:
    assert printable("\x1b" * 50_000_000, 9) == "\\x1b…\\x1b"


@given(st.text(st.characters()), st.none() | st.integers(0, 40))
def test_one_line_of_visible_characters(text: str, limit: int | None) -> None:
    shown = printable(text, limit)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert limit is None or len(shown) <= limit
    shown.encode()


@given(st.text(st.characters()), st.integers(0, 40))
def test_the_shortcut_for_long_text_changes_nothing(text: str, limit: int) -> None:
    assert printable(text * 5, limit) == printable(printable(text * 5), limit)


@given(st.text())
def test_twice_is_once(text: str) -> None:
    assert printable(printable(text)) == printable(text)
