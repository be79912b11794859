"""How far a plan is: what is still to be done below a mirror, and how much of all there is to copy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fake_host import GIB, NOW
from tests.moving import COMPARING, COPYING, ENDING, LAYERS, SYNCING, UUID, move_domain, moving
from tui.cli.describing import ASCII, bar, job_words
from tui.model import tracking
from tui.model.headway import Below, below, percent_now, percent_of, rate_of
from tui.model.host import HostState
from tui.model.job import Progress

HALF = Progress(1 * GIB, 2 * GIB, 0)


@pytest.mark.parametrize(
    ("state", "target", "expected"),
    [
        (moving(COPYING, 1, 3), "vda", Below("layers", (4 * GIB, 8 * GIB), "overlay")),
        (moving(COPYING, 1, 3), "vdb", Below("layers", (4 * GIB, 8 * GIB), "mirror")),
        (moving(COPYING), "vda", Below("layers", None, "overlay")),
        (moving(COMPARING, 4, 4), "vda", Below("comparing", None, "overlay")),
        (moving(COPYING, stale=True), "vda", Below("interrupted", None, "overlay")),
        (moving(COPYING, 1, 1, flat=HALF), "vdb", None),
        (moving(SYNCING, 4, 4), "vda", None),
    ],
)
def test_what_is_still_to_be_done_below_a_mirror(
    state: HostState, target: str, expected: Below | None
) -> None:
    assert below(state, UUID, target) == expected


def test_how_fast_layers_are_copied_and_when_they_are_there() -> None:
    """Of all of them together, since the first was begun; too soon, and at the end, nothing is claimed."""
    state = moving(COPYING)
    first, second = LAYERS
    state = tracking.with_copied(state, first, 0, 4 * GIB, 100.0)
    state = tracking.with_copied(state, second, GIB, 4 * GIB, 100.5)
    soon = below(state, UUID, "vda")
    assert soon is not None
    assert (soon.rate, soon.outlook) == (None, "")
    state = tracking.with_copied(state, first, GIB, 4 * GIB, 104.0)
    found = below(state, UUID, "vda")
    assert found is not None
    assert found.rate == GIB / 2
    assert found.seconds == 12.0
    assert found.outlook == "there in about 12s"
    assert rate_of(state) == GIB / 2
    for path in LAYERS:
        state = tracking.with_copied(state, path, 4 * GIB, 4 * GIB, 110.0)
    assert rate_of(state) == 0.0
    assert tracking.without_copied(state, LAYERS).told == {}


def test_what_is_below_is_never_told_as_done() -> None:
    assert below(moving(COPYING, 4, 4), UUID, "vda") == Below("layers", (8 * GIB, 8 * GIB), "overlay")
    found = below(moving(COPYING, 4, 4), UUID, "vda")
    assert found is not None
    assert found.words == "layers 99 %"


@pytest.mark.parametrize(
    ("state", "percent"),
    [
        # 1 of the overlay, 1 of 2 of the other disk, 4 of 8 of the layers.
        (moving(COPYING, 1, 3, flat=HALF), 54),
        (moving(COPYING, 1, 3), 63),
        # Nobody here knows of the layers yet.
        (moving(COPYING, flat=HALF), None),
        # What was told last of a layer may have been short of its end.
        (moving(COMPARING, 3, 4, flat=HALF), 90),
        # Another program has copied them.
        (moving(SYNCING, flat=HALF), 66),
        (moving(ENDING, 4, 4), 99),
    ],
)
def test_how_much_there_is_of_all_disks_and_layers(state: HostState, percent: int | None) -> None:
    assert percent_of(state, state.entries[0]) == percent


def test_the_present_step_is_told_by_itself() -> None:
    state = moving(COPYING, 1, 3, flat=HALF)
    assert percent_now(state, state.entries[0]) == 50
    assert percent_now(state, None) is None
    assert percent_of(state, None) is None


def test_what_was_copied_counts_until_the_plan_is_over() -> None:
    state = replace(moving(COMPARING, 4, 4), files={**moving(COMPARING, 4, 4).files, "/else": (1, 2)})
    open_still = tracking.with_domain(state, move_domain(), state.entries, NOW)
    assert set(open_still.files) == set(LAYERS)
    assert tracking.with_domain(state, move_domain(), (), NOW).files == {}
    assert tracking.without_domain(state, UUID, NOW).files == {}


def test_the_command_line_says_it_too() -> None:
    state = moving(COPYING, 1, 1)
    words = job_words(state, state.jobs[0], ASCII)
    assert words.startswith("layers 25 %  overlay in sync, lag 0 B")
    assert bar(state, state.jobs[0], ASCII, 8) == "##......"
    ready = moving(SYNCING, 4, 4)
    assert job_words(ready, ready.jobs[0], ASCII).startswith("in sync")
    assert bar(ready, ready.jobs[0], ASCII, 8) == "########"
