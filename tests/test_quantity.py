"""Sizes, rates and times as people read and write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model.quantity import (
    UNKNOWN,
    duration,
    fine_duration,
    floor_percent,
    parse_size,
    progress_size,
    rate,
    size,
)

KIB, MIB, GIB = 1024, 1024**2, 1024**3


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (None, UNKNOWN),
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (KIB, "1 KiB"),
        (1536, "1.5 KiB"),
        (40 * GIB, "40 GiB"),
        (round(25.1 * GIB), "25.1 GiB"),
        (round(1.234 * GIB), "1.23 GiB"),
        (212 * MIB, "212 MiB"),
        (round(9.996 * MIB), "10 MiB"),
        (round(99.96 * MIB), "100 MiB"),
        (MIB - 1, "1 MiB"),
        (GIB - 1, "1 GiB"),
        (2**63, "8 EiB"),
        (2**80, "1048576 EiB"),
        (-1536, "-1.5 KiB"),
    ],
)
def test_size(n: int | None, text: str) -> None:
    assert size(n) == text


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (round(25.1 * GIB) + 1, 40 * GIB, "25.1/40 GiB"),
        (40 * GIB - 1, 40 * GIB, "39.9/40 GiB"),
        (40 * GIB, 40 * GIB, "40/40 GiB"),
        (41 * GIB, 40 * GIB, "41/40 GiB"),
        (0, 40 * GIB, "0/40 GiB"),
        (1, 40 * GIB, "0/40 GiB"),
        (512 * MIB, GIB, "0.5/1 GiB"),
        (3, 512, "3/512 B"),
        (GIB - 2, GIB - 1, "0.99/1 GiB"),
        (0, 0, UNKNOWN),
        (0, 1, UNKNOWN),
        (1, 1, UNKNOWN),
        (None, GIB, UNKNOWN),
        (1, None, UNKNOWN),
    ],
)
def test_progress_size(done: int | None, total: int | None, text: str) -> None:
    assert progress_size(done, total) == text


@pytest.mark.parametrize(
    ("speed", "text"),
    [
        (None, UNKNOWN),
        (math.nan, UNKNOWN),
        (math.inf, UNKNOWN),
        (0.0, "0 B/s"),
        (0.4, "0 B/s"),
        (212.0 * MIB, "212 MiB/s"),
    ],
)
def test_rate(speed: float | None, text: str) -> None:
    assert rate(speed) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, UNKNOWN),
        (-1, UNKNOWN),
        (math.inf, UNKNOWN),
        (math.nan, UNKNOWN),
        (0, "0s"),
        (12.9, "12s"),
        (60, "1m00s"),
        (130, "2m10s"),
        (3599.9, "59m59s"),
        (11100, "3h05m"),
        (86400, "1d00h"),
        (97200, "1d03h"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("done", "total", "percent"),
    [
        (0, 100, 0),
        (999, 1000, 99),
        (1000, 1000, 100),
        (2000, 1000, 100),
        (-1, 1000, 0),
        (0, 1, None),
        (1, 1, None),
        (0, 0, None),
        (None, 10, None),
        (1, None, None),
    ],
)
def test_floor_percent(done: int | None, total: int | None, percent: int | None) -> None:
    assert floor_percent(done, total) == percent


@given(st.integers(0, 2**70), st.integers(2, 2**70))
def test_a_hundred_per_cent_is_all_of_it(done: int, total: int) -> None:
    assert (floor_percent(done, total) == 100) == (done >= total)
    part, whole = progress_size(done, total).partition(" ")[0].split("/")
    assert done >= total or float(part) < float(whole)


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("7 bytes", 7),
        ("64k", 64 * KIB),
        ("64KiB", 64 * KIB),
        ("64kB", 64_000),
        (" 40G ", 40 * GIB),
        ("1GiB", GIB),
        ("1GB", 10**9),
        ("1gb", 10**9),
        ("2 T", 2 * 1024**4),
        ("1p", 1024**5),
        ("7E", 7 * 1024**6),
        ("00000000000000000000000000000012", 12),
    ],
)
def test_parse_size(text: str, n: int) -> None:
    assert parse_size(text) == n


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        "-1",
        "+1",
        "1.5G",
        "1,5G",
        "1X",
        "1KiBs",
        "1Kbit",
        "0x10",
        "1e3",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "1\n2",
    ],
)
def test_parse_size_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="a size is a whole number of bytes"):
        parse_size(text)


@pytest.mark.parametrize("text", ["8E", "9223372036854775808", "9" * 5000])
def test_parse_size_knows_libvirts_limit(text: str) -> None:
    with pytest.raises(ValueError, match="larger than libvirt can count"):
        parse_size(text)


@given(st.text())
def test_any_text_is_a_size_or_a_sentence(text: str) -> None:
    try:
        n = parse_size(text)
    except ValueError as error:
        n = 0
        sentence = str(error)
    else:
        sentence = "this size is fine"
    assert n >= 0
    assert "size is" in sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, UNKNOWN),
        (math.nan, UNKNOWN),
        (-0.1, UNKNOWN),
        (0, "0 ms"),
        (0.0419, "41 ms"),
        (0.9999, "999 ms"),
        (1, "1.0 s"),
        (2.39, "2.3 s"),
        (59.99, "59.9 s"),
        (60, "1m00s"),
        (3700, "1h01m"),
    ],
)
def test_a_short_time(seconds: float | None, text: str) -> None:
    assert fine_duration(seconds) == text
