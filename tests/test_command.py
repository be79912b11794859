"""The commands in what is said can be typed as they stand there, whatever a domain or an image is called."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from tests import copy_facts, snapshot_facts
from tests.fake_host import NOW, make_chain, make_disk, make_domain, make_job, make_mirror, make_state
from tests.moving import PLAN, UUID, move_steps
from tui.model.command import addressed
from tui.model.disk import MirrorReady
from tui.model.doctor import DoctorFacts, examine
from tui.model.domain import Domain
from tui.model.end_plan import plan_end
from tui.model.facts import EndFacts, Running, running_on
from tui.model.finding import Finding
from tui.model.job import JobType, Phase, Progress
from tui.model.journal import Entry
from tui.model.move_case import MoveFacts
from tui.model.move_plan import plan_move
from tui.model.plan import Plan
from tui.model.pull_checks import check_pulls
from tui.model.quiet_checks import check_jobs, check_plans
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import CopyRequest, Ending, EndRequest, MoveRequest, RecoverRequest
from tui.model.storage import Chain, Layer, VolumeSource

URI = "qemu+ssh://root@host-b/system?keyfile=/root/my key"
NAME = "NAME"
"""Stands for what somebody has called it."""
BELOW = ("-f", "qcow2", "-b", "/slow/vda.qcow2", "-F", "qcow2")


def own(*words: str) -> tuple[str, ...]:
    """A command of the program, which names its host."""
    return ("virt-mirror", "-c", URI, *words)


RESUME, UNDO, CANCEL = own("resume", NAME), own("undo", NAME), own("cancel", NAME, "vda")
END = own("snapshot", "delete", "db01", "s1", "--pivot")


def left(reached: int = 8) -> Entry:
    """A move of both disks that nobody carries on."""
    return Entry(PLAN, UUID, "Move", move_steps(), reached, "root@host-b:7", NOW - 100, 0.0)


def guest(name: str, *, mirrored: bool = False) -> Domain:
    mirror = make_mirror("/fast/vda.qcow2", MirrorReady.YES) if mirrored else None
    return make_domain(name, disks=[make_disk("vda", mirror=mirror), make_disk("vdb")], uuid=UUID)


def job(target: str, kind: JobType = JobType.COPY) -> Running:
    return Running(target, kind, Phase.IN_SYNC, None, make_chain(f"/fast/{target}"), Progress(1, 1, 0, kind))


def remedies(findings: Iterable[Finding]) -> str:
    return "\n".join(finding.addressed(URI).remedy for finding in findings)


def undoing(plan: Plan) -> str:
    return addressed(dict(plan.facts)["undo"], URI)


def under_way(name: str) -> str:
    domain = guest(name)
    pulled = check_pulls(CopyRequest(UUID, "vdb", Chain()), domain, (job("vda", JobType.PULL),))
    found = (check_plans(domain, (left(),), NOW), check_jobs(domain, (job("vda"),), "waits"), pulled)
    return "\n".join(map(remedies, found))


def on_a_disk(name: str) -> str:
    known = replace(copy_facts.facts(entries=(copy_facts.entry(heartbeat=0.0),)), domain=guest(name))
    return remedies(copy_facts.plan(known).findings)


def mirrored(name: str) -> str:
    domain = guest(name, mirrored=True)
    known = replace(
        copy_facts.facts(domain.disk("vda"), running=running_on(domain.disks[0], None)), domain=domain
    )
    return remedies(copy_facts.plan(known).findings)


def ended(name: str) -> str:
    mirrors = (job("vda"), job("vdb"))
    domain = make_domain(name, disks=[make_disk(t, mirror=make_mirror()) for t in ("vda", "vdb")], uuid=UUID)
    return "\n".join(
        remedies(
            plan_end(
                EndRequest(UUID, targets, ending), EndFacts(domain, mirrors, (entry,), now=NOW), "p9"
            ).findings
        )
        for targets, ending, entry in (
            (("vda",), Ending.CANCEL, left()),
            (("vda",), Ending.PIVOT, left()),
            (("vda", "vdb"), Ending.PIVOT, left(4)),
        )
    )


def gone_over(name: str) -> str:
    domain = make_domain(
        name, disks=[make_disk("vda", "/fast/over.qcow2"), make_disk("vdb", "/fast/vdb.qcow2")], uuid=UUID
    )
    known = RecoverFacts(domain, (left(),), now=NOW)
    return remedies(plan_recover(RecoverRequest(UUID, undo=True), known, "p9").findings)


def doctored(name: str) -> str:
    domain = guest(name)
    cut = replace(make_state(domain), entries=(left(),))
    alone = make_state(domain, jobs=[make_job(domain, phase=Phase.IN_SYNC, plan=None)])
    other = replace(domain.definition, disks=(make_disk("vda", "/slow/other"),))
    stale = DoctorFacts(make_state(domain), persistent={UUID: other})
    return "\n".join(remedies(examine(facts)) for facts in (DoctorFacts(cut), DoctorFacts(alone), stale))


def taken_back(name: str) -> str:
    domain = guest(name)
    copies = {disk.target: replace(copy_facts.facts(disk), domain=domain) for disk in domain.disks}
    moved = plan_move(MoveRequest(UUID, "/fast"), MoveFacts(domain, "/fast", copies=copies), "p1")
    mirrors = snapshot_facts.create("vda,mirror=/fast/vda.q", "vdb,snapshot=no", domain=domain)
    return f"{undoing(moved)}\n{undoing(mirrors)}"


def in_a_volume(name: str) -> str:
    place = Chain((Layer(VolumeSource(name, name), "raw"),))
    return remedies(copy_facts.plan(copy_facts.facts(), place).findings)


def on_an_overlay(name: str) -> str:
    assert snapshot_facts.OVERLAY.image is not None
    wrong = replace(
        snapshot_facts.OVERLAY, image=replace(snapshot_facts.OVERLAY.image, backing="/slow/other")
    )
    specs = (f"vda,file=/slow/{name},mirror=/fast/vda.q", "vdb,snapshot=no")
    plan = snapshot_facts.create(*specs, reuse_external=True, there=wrong, mirror=snapshot_facts.THERE)
    return remedies(plan.findings)


def typed_back(text: str) -> Iterator[list[str]]:
    """What a shell makes of each command in it, with the words that follow it there."""
    for line in text.splitlines():
        for begin in re.finditer(r"\b(?:virt-mirror|virsh|qemu-img create) ", line):
            yield [word.rstrip(".,:") for word in shlex.split(line[begin.start() :])]


@pytest.mark.parametrize("name", ["db01", "my db's", 'the "old" one', "a; b", "a\\b", "größe 1"])
@pytest.mark.parametrize(
    ("say", "commands"),
    [
        (under_way, [RESUME, UNDO, CANCEL, CANCEL]),
        (on_a_disk, [CANCEL]),
        (mirrored, [CANCEL]),
        (ended, [UNDO, own("pivot", NAME, "vda", "vdb"), RESUME]),
        (gone_over, [RESUME]),
        (doctored, [UNDO, own("pivot", NAME, "vda"), CANCEL, ("virsh", "edit", NAME)]),
        (taken_back, [UNDO, UNDO]),
        (in_a_volume, [("virsh", "vol-path", "--pool", NAME, NAME)]),
        (on_an_overlay, [("qemu-img", "create", *BELOW, f"/slow/{NAME}"), END]),
    ],
)
def test_commands_can_be_typed_as_they_stand_there(
    name: str, say: Callable[[str], str], commands: list[tuple[str, ...]]
) -> None:
    expected = [[word.replace(NAME, name) for word in command] for command in commands]
    found = list(typed_back(say(name)))
    assert [words[: len(wanted)] for words, wanted in zip(found, expected, strict=True)] == expected
