"""What may not meet the end of a pull."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fake_host import make_disk, make_domain
from tui.model.facts import Running, running_on
from tui.model.finding import Severity
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.job import JobType, Progress
from tui.model.pull_checks import check_pulls, survives
from tui.model.request import (
    CommitRequest,
    CopyRequest,
    Ending,
    EndRequest,
    PullRequest,
    Request,
    SpeedRequest,
)
from tui.model.storage import Chain

DOMAIN = make_domain(disks=[make_disk("vda", "/slow/a"), make_disk("vdb", "/slow/b")])
UUID = DOMAIN.uuid


def job(target: str, kind: JobType) -> Running:
    disk = DOMAIN.disk(target)
    assert disk is not None
    found = running_on(disk, Progress(1, 2, 0, kind))
    assert found is not None
    return found


def checks(request: Request, *jobs: Running) -> dict[str, Severity]:
    return {finding.check: finding.severity for finding in check_pulls(request, DOMAIN, jobs)}


@pytest.mark.parametrize(
    ("hypervisor", "expected"),
    [
        ("QEMU 7.2.22", False),
        ("QEMU 10.0.9", False),
        ("QEMU 10.0.10", True),
        ("QEMU 10.0.13", True),
        ("QEMU 10.1.0", False),
        ("QEMU 10.2.0", False),
        ("QEMU 11.0.0", True),
        ("Test 2.0.0", False),
        (None, False),
    ],
)
def test_the_versions_that_are_known_to_survive(hypervisor: str | None, *, expected: bool) -> None:
    assert survives(hypervisor) is expected


@pytest.mark.parametrize("request_", [CopyRequest(UUID, "vdb", Chain()), CommitRequest(UUID, "vdb")])
def test_nothing_begins_beside_a_pull(request_: Request) -> None:
    assert checks(request_, job("vda", JobType.PULL)) == {"pull-beside": Severity.REFUSED}
    assert checks(request_, job("vda", JobType.COMMIT)) == {}
    assert checks(request_) == {}


@pytest.mark.parametrize(
    "request_", [EndRequest(UUID, ("vda",), Ending.CANCEL), SpeedRequest(UUID, "vda", 0)]
)
def test_a_pull_itself_is_ended_and_steered(request_: Request) -> None:
    assert checks(request_, job("vda", JobType.PULL)) == {}


def test_a_pull_begins_alone_and_says_what_may_end_it_badly() -> None:
    wish = PullRequest(UUID, "vda")
    assert checks(wish) == {"pull-asked": Severity.WARNING}
    assert checks(wish, job("vdb", JobType.COPY)) == {
        "job-beside-pull": Severity.REFUSED,
        "pull-asked": Severity.WARNING,
    }
    # That of the disk itself is told by the checks of the disk.
    assert "job-beside-pull" not in checks(wish, job("vda", JobType.COPY))


def test_so_does_a_plan_that_pulls_several_disks_one_after_the_other() -> None:
    def told(*jobs: Running) -> dict[str, str]:
        wish = SnapshotDeleteRequest(UUID, "s")
        return {one.check: one.remedy for one in check_pulls(wish, DOMAIN, jobs, frozenset({"vda", "vdb"}))}

    assert told() == {"pull-asked": "Stop those until the pull has ended."}
    assert "job-beside-pull" in told(replace(job("vda", JobType.COPY), target="vdc"))


def test_what_stands_in_the_way_is_named() -> None:
    named = replace(DOMAIN, definition=replace(DOMAIN.definition, name="db01"))
    wish = CopyRequest(UUID, "vdb", Chain())
    (finding,) = check_pulls(wish, named, (job("vda", JobType.PULL),))
    assert finding.reason.startswith("vda of db01 is being pulled")
    assert finding.remedy.endswith("virt-mirror cancel db01 vda")
