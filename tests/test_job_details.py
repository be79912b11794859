"""The page that follows a job."""

from __future__ import annotations

import time
from dataclasses import replace

from textual.pilot import Pilot

from tests.dialogs import (
    in_dialog,
)
from tests.fake_host import GIB, MIB, NOW, make_job, make_samples
from tui.app.dialogs.details import JobDetails
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.rate_plot import RatePlot, levels, moments
from tui.app.dialogs.rates import rates
from tui.model.finding import fine
from tui.model.job import Job, Phase, Sample


def test_details_follow_the_job() -> None:
    jobs = [make_job(samples=make_samples(guest=10 * MIB), bandwidth=64 * MIB)]

    async def act(pilot: Pilot[None], dialog: JobDetails) -> None:
        facts = dialog.query_one("#facts", Flow)
        assert "copying" in dialog.query_one("#state", Flow).plain
        for word in (
            "/slow/vda.qcow2",
            "/fast/vda.qcow2",
            "1/4 GiB",
            "100 MiB/s",
            "10 MiB/s",
            "64 MiB/s",
            "p1",
        ):
            assert word in facts.plain
        assert len(dialog.query_one(RatePlot).points) == 10
        jobs[0] = replace(jobs[0], phase=Phase.DONE, ended=NOW + 90, proof=(fine("a", "It is on /fast."),))
        dialog.follow()
        await pilot.pause()
        assert "done" in dialog.query_one("#state", Flow).plain
        assert "It is on /fast." in facts.plain

    in_dialog(lambda: JobDetails(lambda: jobs[0], lambda: NOW + 100), act)


def test_details_keep_the_last_that_was_seen_of_a_job_that_is_gone() -> None:
    jobs: list[Job | None] = [make_job()]

    async def act(_: Pilot[None], dialog: JobDetails) -> None:
        jobs[0] = None
        dialog.follow()
        assert "does not list this job any more" in dialog.query_one("#state", Flow).plain
        assert "/fast/vda.qcow2" in dialog.query_one("#facts", Flow).plain

    in_dialog(lambda: JobDetails(lambda: jobs[0], lambda: NOW), act)


def test_details_of_nothing_say_so_and_can_be_refreshed_before_they_are_open() -> None:
    JobDetails(lambda: None, lambda: NOW).follow()

    async def act(_: Pilot[None], dialog: JobDetails) -> None:
        assert "does not list" in dialog.query_one("#state", Flow).plain

    in_dialog(lambda: JobDetails(lambda: None, lambda: NOW), act)


def test_a_copy_to_another_host_names_that_and_its_image() -> None:
    address = "nbd://10.0.0.2:61000/0000000a"

    async def act(_: Pilot[None], dialog: JobDetails) -> None:
        lines = [line.split() for line in dialog.query_one("#facts", Flow).plain.splitlines()]
        assert ["to", "host-b:/fast/copy"] in lines
        assert ["through", address, "qcow2"] in lines

    job = replace(make_job(destination=address), named="host-b:/fast/copy")
    in_dialog(lambda: JobDetails(lambda: job, lambda: NOW), act)


def test_unknown_numbers_are_dashes() -> None:
    async def act(_: Pilot[None], dialog: JobDetails) -> None:
        lines = [line.split() for line in dialog.query_one("#facts", Flow).plain.splitlines()]
        assert ["copied", "–"] in lines
        assert ["rate", "–"] in lines
        assert ["lag", "–"] in lines

    in_dialog(lambda: JobDetails(lambda: make_job(cur=0, end=0), lambda: NOW), act)


def test_the_plot_of_an_ended_job_ends_with_it() -> None:
    jobs = [make_job(samples=make_samples())]

    async def act(pilot: Pilot[None], dialog: JobDetails) -> None:
        plot = dialog.query_one(RatePlot)
        assert "now" in str(plot.render())
        jobs[0] = replace(jobs[0], phase=Phase.DONE, ended=NOW + 90)
        dialog.follow()
        await pilot.pause()
        drawn = str(plot.render())
        assert "now" not in drawn
        assert time.strftime("%H:%M:%S", time.localtime(NOW + 90)) in drawn

    in_dialog(lambda: JobDetails(lambda: jobs[0], lambda: NOW + 100), act)


def test_rates_leave_out_what_says_nothing() -> None:
    samples = (
        Sample(0, 0, 1),
        Sample(1, 0, 4 * GIB, 0),
        Sample(2, 100, 4 * GIB, 50),
        Sample(2, 200, 4 * GIB, 60),
        Sample(3, 10, 4 * GIB, 60),
        Sample(5, 30, 4 * GIB, 20),
    )
    points = rates(samples)
    assert [(p.ago, p.copied, p.guest) for p in points] == [(-3, 100, 50), (0, 10, None)]
    assert rates(()) == ()


def test_the_plot_begins_at_zero_and_has_round_numbers() -> None:
    assert levels(0) == [0, 1]
    assert levels(276) == [0, 100, 200, 300]
    assert levels(100) == [0, 20, 40, 60, 80, 100]
    assert moments(119) == [-90, -60, -30, 0]
    assert moments(0.5) == [0]
