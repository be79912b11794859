"""What a pull forbids: nobody may have QEMU list the images of a guest at the instant at which one ends.

Until libvirt has dismissed the job, the filter that the pull worked through has nothing beneath it any more, and QEMU
follows it all the same, and dies of that: gitlab.com/qemu-project/qemu, issue 3149. libvirt has QEMU list all images
when a job or a snapshot begins and when a commit or a mirror ends, and for the sizes and statistics of disks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tui.model.command import own
from tui.model.domain import Domain
from tui.model.facts import Running
from tui.model.finding import Finding, refused, warning
from tui.model.hierarchy_request import SnapshotDeleteRequest, SnapshotRevertRequest
from tui.model.job import JobType
from tui.model.request import (
    CommitRequest,
    CopyRequest,
    LiveSnapshotRequest,
    MoveRequest,
    PullRequest,
    RemoteCopyRequest,
    Request,
    SnapshotRequest,
)
from tui.model.text import printable

LISTS_IMAGES = (
    CommitRequest
    | CopyRequest
    | LiveSnapshotRequest
    | MoveRequest
    | RemoteCopyRequest
    | SnapshotDeleteRequest
    | SnapshotRequest
    | SnapshotRevertRequest
)
"""The wishes for which libvirt has QEMU list all images of a running guest."""
_MENDED_IN_10_0 = (10, 0, 10)
_MENDED_SINCE = (11,)


def survives(hypervisor: str | None) -> bool:
    """Whether a hypervisor, as ``QEMU 7.2.22``, is known to be without the defect."""
    found = re.fullmatch(r"QEMU (\d+)\.(\d+)\.(\d+)", hypervisor or "")
    if found is None:
        return False
    version = tuple(map(int, found.groups()))
    return version >= _MENDED_SINCE or _MENDED_IN_10_0 <= version < (10, 1)


def check_pulls(
    request: Request, domain: Domain, jobs: tuple[Running, ...], pulled: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Whether the end of a pull and something that lists images could meet.

    Args:
        request: the wish.
        domain: the guest.
        jobs: all of the guest's.
        pulled: the disks that the plan itself pulls, one after the other.
    """
    name = printable(domain.name)
    pulls = [printable(job.target) for job in jobs if job.type is JobType.PULL]
    if isinstance(request, LISTS_IMAGES) and pulls:
        yield refused(
            "pull-beside",
            f"{', '.join(pulls)} of {name} is being pulled, and when that ends while libvirt begins something else, "
            "this QEMU can crash.",
            f"Wait for the pull, or end it: {own('cancel', name, *pulls)}",
        )
    if isinstance(request, PullRequest):
        pulled |= {request.target}
    if not pulled:
        return
    others = [printable(job.target) for job in jobs if job.target not in pulled]
    if others:
        yield refused(
            "job-beside-pull",
            f"{', '.join(others)} of {name} has a block job, and when that ends together with a pull, "
            "this QEMU can crash.",
            "Wait until it has ended.",
        )
    instead = ", or merge the layers downwards by a commit, which does not have this"
    yield warning(
        "pull-asked",
        f"This QEMU can crash, and {name} with it, if another program asks for the statistics of its disks at the "
        "instant at which the pull ends, as virt-manager and monitoring do.",
        f"Stop those until the pull has ended{instead if isinstance(request, PullRequest) else ''}.",
    )
