"""Jobs that show in no definition, begun by somebody else with virsh: found, shown and steered all the same."""

from __future__ import annotations

from tests.engine import PATIENCE, carried_out, end_request, job_in, journal_is_empty, log_of, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import wait_for
from tui.engine.host import Host
from tui.model.forecast import Verdict, forecast
from tui.model.host import Link
from tui.model.job import Job, JobType, Phase
from tui.model.request import Ending, SpeedRequest

CHAIN = DiskSpec(size=128 * MIB, layers=3, data=32 * MIB)
SLOW = ("--bandwidth", "1")


def backup(guest: Guest) -> None:
    """A backup that lasts until somebody ends it: others fetch it, and nobody does."""
    document = guest.directory / "backup.xml"
    socket, scratch = guest.directory / "socket", guest.directory / "scratch"
    document.write_text(
        f"<domainbackup mode='pull'><server transport='unix' socket='{socket}'/>"
        f"<disks><disk name='vda' type='file'><scratch file='{scratch}'/></disk></disks></domainbackup>"
    )
    assert "Backup started" in guest.virsh("backup-begin", document)


def measured(host: Host, guest: Guest, times: int = 2) -> Job:
    """Wait until a job's progress was seen so many times."""

    def seen(job: Job | None) -> Job | None:
        return job if job is not None and len(job.samples) >= times else None

    job = host.wait_for(lambda s: seen(s.job(guest.uuid, "vda")), timeout=PATIENCE)
    assert job is not None
    return job


def test_a_pull_is_found_hurried_and_seen_to_its_end(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    made.virsh("blockpull", "vda", *SLOW)
    with watched(hypervisor) as host:
        job = job_in(host, made, Phase.COPYING)
        assert (job.type, job.plan, job.destination.layers) == (JobType.PULL, None, ())
        assert measured(host, made).progress is not None
        carried_out(host, SpeedRequest(made.uuid, "vda", 0))
        done = job_in(host, made, Phase.DONE)
        assert len(made.chain()) == 1
        assert made.chain()[0] in (done.remark or "")


def test_a_commit_of_lower_layers_ends_with_the_guest(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN])
    base, middle, _top = made.images()
    made.virsh("blockcommit", "vda", "--base", base, "--top", middle, *SLOW)
    with watched(hypervisor) as host:
        assert job_in(host, made, Phase.COPYING).type is JobType.COMMIT
        made.virsh("destroy")
        assert "stopped" in (job_in(host, made, Phase.FAILED).remark or "")


def test_a_backup_is_found_and_cancelled(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest()
    backup(made)
    with watched(hypervisor) as host:
        job = job_in(host, made, Phase.COPYING)
        assert job.type is JobType.BACKUP
        assert forecast(measured(host, made)).verdict is Verdict.UNKNOWN
        carried_out(host, end_request(made, Ending.CANCEL))
        job_in(host, made, Phase.CANCELLED)
        assert journal_is_empty(host)
    assert "no job" in made.virsh("domjobabort", check=False)


def test_what_begins_later_is_found_on_looking_again(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    with watched(hypervisor) as host:
        lines = log_of(host)
        made.virsh("blockpull", "vda", *SLOW)
        host.refresh(made.uuid)
        job_in(host, made, Phase.COPYING)
        made.virsh("blockjob", "vda", "--abort")
        job_in(host, made, Phase.CANCELLED)
        wait_for(lambda: any("cancelled" in line.text for line in lines), what="the end in the log")
    assert len(made.chain()) == CHAIN.layers


def test_a_job_is_there_again_after_the_daemon(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    made.virsh("blockpull", "vda", *SLOW)
    with watched(hypervisor) as host:
        before = job_in(host, made, Phase.COPYING)
        hypervisor.stop_daemon()
        assert host.wait_for(lambda s: True if s.link is Link.LOST else None, timeout=PATIENCE)
        hypervisor.start_daemon()
        assert host.wait_for(lambda s: s.complete or None, timeout=PATIENCE)
        assert measured(host, made, len(before.samples) + 2).number == before.number
