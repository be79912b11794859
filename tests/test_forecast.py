"""What is said of a job's future, and that it is no more than the samples allow."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_host import GIB, MIB, make_job, make_samples
from tui.model.forecast import Verdict, forecast
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
