"""What is said of a job's future, and that it is no more than the samples allow."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_host import GIB, MIB, make_job, make_samples
from tui.model.forecast import NOTHING, Verdict, forecast, forecast_of_disk
from tui.model.job import Job, Phase, Sample


def copying(**options: int | None) -> Job:
    samples = make_samples(**options)  # type: ignore[arg-type]
    return make_job(samples=samples, cur=samples[-1].cur, end=samples[-1].end)


def test_a_steady_copy_converges_when_the_rest_is_divided_by_the_rate() -> None:
    future = forecast(copying(rate=100 * MIB, end=4 * GIB))
    assert future.verdict is Verdict.CONVERGES
    assert future.rate == pytest.approx(100 * MIB)
    assert future.seconds == pytest.approx((4 * GIB - 1000 * MIB) / (100 * MIB), rel=0.01)


def test_a_guest_that_writes_faster_than_is_copied_never_converges() -> None:
    future = forecast(copying(rate=30 * MIB, guest=80 * MIB))
    assert future.verdict is Verdict.DIVERGES
    assert future.seconds is None
    assert "synchronous writes" in future.sentence


def test_a_copy_that_stands_still_is_stalled() -> None:
    assert forecast(copying(rate=0)).verdict is Verdict.STALLED


LIMIT = 2 * MIB


def in_strokes(
    *, seconds: int, guest: int = 0, refilled: bool = False, size: int = GIB
) -> tuple[Sample, ...]:
    """What two looks a second see of a copy at 2 MiB/s: 16 MiB at once, and then nothing for 8 s.

    What the guest writes counts when the next stroke looks for it. ``refilled`` leaves nothing but that.
    """
    found = []
    for tick in range(seconds * 2):
        stroke = tick // 16 + 1
        cur, written = stroke * 16 * MIB, (stroke - 1) * 8 * guest
        end = cur + NOTHING if refilled else size + written
        found.append(Sample(tick / 2, cur, end, guest_written=int(tick / 2 * guest)))
    return tuple(found)


@pytest.mark.parametrize("seconds", range(1, 60))
def test_a_copy_that_goes_in_strokes_is_not_taken_for_one_that_stands_still(seconds: int) -> None:
    future = forecast_of_disk(in_strokes(seconds=seconds), LIMIT, in_sync=False)
    assert future.verdict in (Verdict.UNKNOWN, Verdict.CONVERGES)
    assert future.rate != 0, "not known is not nothing"
    assert future.verdict is Verdict.CONVERGES or seconds < 20
    if seconds > 30:
        remaining = GIB - in_strokes(seconds=seconds)[-1].cur
        assert future.seconds == pytest.approx(remaining / LIMIT, rel=0.4)


def test_a_guest_as_fast_as_the_strokes_is_found_out() -> None:
    found = [
        forecast_of_disk(in_strokes(seconds=seconds, guest=LIMIT), LIMIT, in_sync=False).verdict
        for seconds in range(1, 60)
    ]
    assert set(found) == {Verdict.UNKNOWN, Verdict.DIVERGES}
    assert found[-1] is Verdict.DIVERGES


def test_what_is_copied_again_and_again_never_gets_in_sync() -> None:
    """Of what the guest has written since, libvirt tells only when it is copied: at each look all is there."""
    chased = in_strokes(seconds=40, guest=3 * MIB, refilled=True)
    assert forecast_of_disk(chased[:8], LIMIT, in_sync=False).verdict is Verdict.UNKNOWN
    assert forecast_of_disk(chased, LIMIT, in_sync=False).verdict is Verdict.DIVERGES
    assert forecast_of_disk(chased, LIMIT, in_sync=True).verdict is Verdict.IN_SYNC


@pytest.mark.parametrize("limit", [0, LIMIT])
def test_where_nothing_is_left_only_libvirt_knows_when(limit: int) -> None:
    rest = tuple(Sample(float(at), GIB - 1, GIB) for at in range(60))
    future = forecast_of_disk(rest, limit, in_sync=False)
    assert (future.verdict, future.seconds) == (Verdict.UNKNOWN, None)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_samples_say_nothing(count: int) -> None:
    job = make_job(samples=make_samples(count=count))
    future = forecast(job)
    assert (future.verdict, future.rate, future.seconds) == (Verdict.UNKNOWN, None, None)


def test_in_sync_is_the_phase_and_not_the_numbers() -> None:
    level = make_job(cur=GIB, end=GIB, samples=make_samples(rate=0, cur=GIB, end=GIB))
    assert forecast(level).verdict is not Verdict.IN_SYNC
    future = forecast(replace(level, phase=Phase.IN_SYNC))
    assert (future.verdict, future.lag) == (Verdict.IN_SYNC, 0)


numbers = st.integers(min_value=0, max_value=1 << 62)
samples = st.lists(
    st.builds(
        Sample,
        at=st.floats(min_value=0, max_value=1e6),
        cur=numbers,
        end=numbers,
        guest_written=st.none() | numbers,
    ),
    max_size=20,
).map(lambda found: tuple(sorted(found, key=lambda s: s.at)))


@given(samples, st.sampled_from(list(Phase)))
def test_whatever_was_seen_no_nonsense_is_said(found: tuple[Sample, ...], phase: Phase) -> None:
    future = forecast(make_job(samples=found, phase=phase))
    for number in (future.rate, future.guest_rate, future.lag, future.seconds):
        assert number is None or (math.isfinite(number) and number >= 0)
    assert future.sentence
    if future.verdict is Verdict.CONVERGES:
        assert found[-1].end - found[-1].cur < max(s.end - s.cur for s in found)
