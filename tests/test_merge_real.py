"""Commits and pulls on a real host: what the guest stands on afterwards, and what its images hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    command,
    end_request,
    job_in,
    journal_is_empty,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import images_equal
from tui.engine.control import End
from tui.model.finding import Acceptance, Severity
from tui.model.hierarchy_roles import layer_roles, problems_of
from tui.model.host import Link
from tui.model.job import JobType, Phase
from tui.model.plan import Plan
from tui.model.request import CommitRequest, Ending, PullRequest, SpeedRequest, Then

CHAIN = DiskSpec(layers=4, data=8 * MIB)
SLOW = 1 * MIB


def paths(guest: Guest) -> list[str]:
    """The images made for the disk, active first, as libvirt lists a chain."""
    return [str(path) for path in reversed(guest.images())]


def content(guest: Guest) -> Path:
    """What an idle guest sees of its disk, as a raw image."""
    seen = guest.directory / "seen.raw"
    command("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", guest.chain()[0], str(seen))
    return seen


def same_content(guest: Guest, seen: Path) -> bool:
    """Whether the guest sees still the same; QEMU writes down what it knows when the guest is paused."""
    guest.virsh("suspend")
    return images_equal(seen, Path(guest.chain()[0]), one_format="raw")


def warnings(plan: Plan) -> set[str]:
    return {f.check for f in plan.findings if f.severity is Severity.WARNING}


# Commit


def test_a_commit_of_middle_layers(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    seen, (top, upper, lower, base) = content(made), paths(made)
    with watched(hypervisor) as host:
        request = CommitRequest(made.uuid, "vda", top="vda[2]", base="vda[4]")
        plan = accepted(host, request)
        assert [layer.path for layer in plan.chains[0].then.layers] == [top, base]
        outcome = carried_out(host, request)
        assert {f.check: f.severity for f in outcome.findings} == dict.fromkeys(
            ("chain", "persistent-xml", "image-open"), Severity.FINE
        )
        assert journal_is_empty(host)
        job = job_in(host, made, Phase.DONE)
        assert job.type is JobType.COMMIT
        assert job.plan is not None
    assert made.chain() == [top, base]
    assert Path(upper).exists()
    assert Path(lower).exists()
    assert same_content(made, seen)


def test_a_shallow_commit_that_removes_what_it_merges(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    seen, (top, upper, lower, base) = content(made), paths(made)
    with watched(hypervisor) as host:
        carried_out(host, CommitRequest(made.uuid, "vda", top=upper, shallow=True, delete=True))
    assert made.chain() == [top, lower, base]
    assert not Path(upper).exists()
    assert same_content(made, seen)


def test_an_active_commit_waits_in_sync_and_pivots(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN])
    base = paths(made)[-1]
    with watched(hypervisor) as host:
        held = carried_out(host, CommitRequest(made.uuid, "vda"))
        assert "in sync" in held.message
        mirror = made.mirror()
        assert mirror is not None
        assert (mirror.job, mirror.ready, mirror.source) == ("active-commit", "yes", base)
        outcome = carried_out(host, end_request(made, Ending.PIVOT))
        assert all(f.severity is Severity.FINE for f in outcome.findings)
        assert journal_is_empty(host)
    assert made.chain() == [base]
    assert made.source(inactive=True) == base
    assert made.has_open(Path(base))


def test_an_active_commit_that_pivots_by_itself(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    seen, (_top, _upper, lower, base) = content(made), paths(made)
    with watched(hypervisor) as host:
        outcome = carried_out(host, CommitRequest(made.uuid, "vda", base=lower, then=Then.PIVOT, delete=True))
        assert {f.check for f in outcome.findings} == {"live-xml", "persistent-xml", "image-open", "chain"}
        assert all(f.severity is Severity.FINE for f in outcome.findings), outcome.findings
    assert made.chain() == [lower, base]
    assert made.source(inactive=True) == lower
    assert same_content(made, seen)
    assert [path.exists() for path in made.images()] == [True, True, False, False]


def test_a_cancelled_active_commit_leaves_the_chain(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    seen, before = content(made), made.chain()
    with watched(hypervisor) as host:
        run = host.run(accepted(host, CommitRequest(made.uuid, "vda", bandwidth=SLOW)))
        job_in(host, made, Phase.COPYING)
        plan = host.plan(end_request(made, Ending.CANCEL))
        assert "base-modified" in warnings(plan)
        assert "foreign-job" not in warnings(plan)
        host.run(plan)
        ended = run.wait(PATIENCE)
        assert ended is not None
        assert ended.end is End.FAILED
        assert journal_is_empty(host)
    assert made.chain() == before
    assert made.mirror() is None
    assert same_content(made, seen)


# Pull


def test_a_pull_down_to_a_base(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    seen, (top, _upper, _lower, base) = content(made), paths(made)
    with watched(hypervisor) as host:
        outcome = carried_out(host, PullRequest(made.uuid, "vda", base="vda[4]"))
        assert all(f.severity is Severity.FINE for f in outcome.findings)
        assert journal_is_empty(host)
    assert made.chain() == [top, base]
    assert same_content(made, seen)


def test_a_pull_of_everything(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN])
    top = paths(made)[0]
    with watched(hypervisor) as host:
        carried_out(host, PullRequest(made.uuid, "vda"))
    assert made.chain() == [top]
    made.virsh("destroy")
    assert subprocess.run(["qemu-img", "check", "-q", top], check=False).returncode == 0


@pytest.mark.parametrize("relative", [True, False])
def test_names_stay_relative_where_they_are(hypervisor: Hypervisor, guest: Guests, *, relative: bool) -> None:
    made = guest(disks=[DiskSpec(layers=3, relative_backing=relative)], delay=None)
    with watched(hypervisor) as host:
        request = PullRequest(made.uuid, "vda", base=str(made.images()[0]), keep_relative=True)
        if not relative:
            assert refusals(host.plan(request)) == {"names-absolute"}
            assert "relative" in made.virsh(
                "blockpull", "vda", "--base", made.images()[0], "--keep-relative", check=False
            )
            return
        carried_out(host, request)
    info = command("qemu-img", "info", "-U", made.chain()[0])
    assert f"backing file: {made.images()[0].name} " in info


# Both


def test_a_job_of_ours_is_known_again_and_steered(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    with watched(hypervisor) as host:
        plan = accepted(host, PullRequest(made.uuid, "vda", bandwidth=SLOW))
        run = host.run(plan)
        job_in(host, made, Phase.COPYING)
        run.leave()
        assert run.wait(PATIENCE)
    with watched(hypervisor) as later:
        job = job_in(later, made, Phase.COPYING)
        assert (job.type, job.plan) == (JobType.PULL, plan.id)
        carried_out(later, SpeedRequest(made.uuid, "vda", 0))
        job_in(later, made, Phase.DONE)
        later.refresh(made.uuid)
        assert journal_is_empty(later)
    assert len(made.chain()) == 1


def test_the_daemon_goes_in_the_middle(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    seen, (top, *_between, base) = content(made), paths(made)
    with watched(hypervisor) as host:
        run = host.run(accepted(host, CommitRequest(made.uuid, "vda", top="vda[2]", bandwidth=4 * MIB)))
        job_in(host, made, Phase.COPYING)
        hypervisor.stop_daemon()
        assert host.wait_for(lambda s: True if s.link is Link.LOST else None, timeout=PATIENCE)
        hypervisor.start_daemon()
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert journal_is_empty(host)
    assert made.chain() == [top, base]
    assert same_content(made, seen)


def test_the_guest_is_powered_off_in_the_middle(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    seen = content(made)
    with watched(hypervisor) as host:
        run = host.run(accepted(host, CommitRequest(made.uuid, "vda", bandwidth=SLOW)))
        job_in(host, made, Phase.COPYING)
        # It is waited for, and nothing more is written into the journal of a guest that runs no more.
        assert host.wait_for(lambda s: True if any(e.reached for e in s.entries) else None, timeout=PATIENCE)
        made.virsh("destroy")
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert "stopped" in outcome.message
        assert journal_is_empty(host)
    assert images_equal(seen, made.images()[-1], one_format="raw")


# What is refused, and why


def test_a_base_that_another_domain_stands_on(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=2)], delay=None)
    base, _top = made.images()
    other = made.directory / "other.qcow2"
    command("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(other))
    disk = (
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{other}'/><target dev='vda' bus='virtio'/></disk>"
    )
    neighbour = guest(disks=[disk], running=False)
    with watched(hypervisor) as host:
        plan = host.plan(CommitRequest(made.uuid, "vda"))
        assert refusals(plan) == {"layer-shared"}
        assert neighbour.name in next(f.reason for f in plan.findings if f.check == "layer-shared")
        assert refusals(host.plan(PullRequest(made.uuid, "vda"))) == set()
    # libvirt does not notice, since the other guest is off, and destroys what it has.
    seen = other.with_suffix(".raw")
    command("qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(other), str(seen))
    made.virsh("blockcommit", "vda", "--active", "--wait", "--pivot")
    assert not images_equal(seen, other, one_format="raw")


def test_snapshots_that_stand_on_the_images(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(delay=None)
    made.virsh("snapshot-create-as", "first", "--disk-only")
    made.virsh("snapshot-create-as", "second", "--disk-only")
    with watched(hypervisor) as host:
        request = CommitRequest(made.uuid, "vda", then=Then.PIVOT)
        plan = host.plan(request)
        assert refusals(plan) == {"snapshots"}
        accepting = frozenset({Acceptance.LOSE_SNAPSHOTS})
        carried_out(host, CommitRequest(made.uuid, "vda", then=Then.PIVOT, accepted=accepting))
        view = host.snapshots(made.uuid)
    assert made.chain() == [str(made.images()[0])]
    assert [role.lost for role in layer_roles(view)] == [("first",)]
    (problem,) = problems_of(view)
    assert "second is the current snapshot, but nothing of it is in the chain of vda" in problem
    # libvirt did not mind, and what it kept of the snapshots is worth nothing now.
    assert "first" in made.virsh("snapshot-list")


def test_layers_that_make_no_sense(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=3)], delay=None)
    single = guest(disks=[DiskSpec(layers=1)])
    with watched(hypervisor) as host:

        def refused(**wish: object) -> set[str]:
            return refusals(host.plan(CommitRequest(made.uuid, "vda", **wish)))  # type: ignore[arg-type]

        assert refused(top="vda[3]", base="vda[2]") == {"layer-order"}
        assert "could not find" in made.virsh(
            "blockcommit", "vda", "--top", "vda[3]", "--base", "vda[2]", check=False
        )
        assert refused(base="vda[9]") == {"no-such-layer"}
        assert "could not find" in made.virsh("blockcommit", "vda", "--base", "vda[9]", check=False)
        assert refused(base="vda[3]", shallow=True) == {"not-shallow"}
        assert refused(keep_relative=True) == {"relative-meaningless"}
        assert refusals(host.plan(PullRequest(made.uuid, "vda", base="vda[2]"))) == {"nothing-between"}
        assert refusals(host.plan(CommitRequest(single.uuid, "vda"))) == {"one-layer"}
        assert "could not find base" in single.virsh("blockcommit", "vda", "--active", check=False)
        assert refusals(host.plan(CommitRequest(made.uuid, "vdz"))) == {"no-such-disk"}
        made.virsh("blockpull", "vda", "--bandwidth", "1")
        assert "job-running" in refusals(host.plan(PullRequest(made.uuid, "vda")))
        made.virsh("blockjob", "vda", "--abort")
        made.virsh("destroy")
        host.refresh(made.uuid)
        assert "domain-not-running" in refusals(host.plan(CommitRequest(made.uuid, "vda")))
