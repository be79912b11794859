"""What the doctor finds on a real host, and that a healthy one is told so."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.conftest import MakePool
from tests.engine import PATIENCE, accepted, carried_out, copy_request, job_in, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.test_cli_real import program
from tui.engine.history import History
from tui.engine.host import Host
from tui.model.finding import Severity
from tui.model.host import HostState
from tui.model.job import Phase
from tui.model.request import MoveRequest, Then

SLOW = 2 * MIB


def checks(host: Host, guest: Guest | None = None) -> set[str]:
    found = host.examine(guest.uuid if guest else None)
    return {finding.check for finding in found}


def test_a_healthy_guest(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=3)])
    with watched(hypervisor) as host:
        assert checks(host, made) == {"healthy"}


def test_a_mirror_that_nobody_follows(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest()
    made.virsh("blockcopy", "vda", made.directory / "copy", "--transient-job")
    made.wait_ready()
    with watched(hypervisor) as host:
        (finding,) = host.examine(made.uuid)
        assert finding.check == "mirror-unfollowed"
        assert "in sync and waits" in finding.reason


def test_a_plan_that_was_cut_off(
    hypervisor: Hypervisor, guest: Guests, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = guest(disks=[DiskSpec(layers=2, data=8 * MIB)])
    with watched(hypervisor) as host:
        run = host.run(
            accepted(host, MoveRequest(made.uuid, str(tmp_path_factory.mktemp("d")), bandwidth=SLOW))
        )
        job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
        assert "plan-interrupted" not in checks(host, made)
        run.leave()
        assert run.wait(PATIENCE)
    with watched(hypervisor) as later:
        assert checks(later, made) == {"plan-interrupted"}


def test_a_definition_that_was_left_behind(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=2)])
    base, top = made.images()
    text = made.xml(inactive=True).replace(str(top), str(base))
    document = made.directory / "stale.xml"
    document.write_text(text)
    hypervisor.virsh("define", document)
    with watched(hypervisor) as host:
        (finding,) = host.examine(made.uuid)
        assert finding.check == "definition-stale"
        assert str(top) in finding.reason
        assert str(base) in finding.reason


def test_an_image_that_nothing_refers_to(hypervisor: Hypervisor, guest: Guests, pool: MakePool) -> None:
    attic = pool("attic")
    lonely, used = attic.volume("lonely"), attic.volume("used")
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{used}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    guest(disks=[disk], running=False)
    with watched(hypervisor) as host:
        reasons = [f.reason for f in host.examine() if f.check == "image-unused"]
    assert any(str(lonely) in reason for reason in reasons)
    assert not any(str(used) in reason for reason in reasons)


def left(host: Host, guest: Guest | None = None) -> list[str]:
    """What is said of images that plans have left, one line each."""
    uuid = guest.uuid if guest else None
    return [f"{f.reason} {f.remedy}" for f in host.examine(uuid) if f.check == "image-left"]


def at_rest(host: Host, guest: Guest) -> None:
    """Wait until the host shows that a plan has ended: what it names is in use until then."""

    def ended(state: HostState) -> bool | None:
        domain = state.domain(guest.uuid)
        mirrored = domain is None or any(disk.mirror for disk in domain.disks)
        return None if mirrored or state.entries_of(guest.uuid) else True

    assert host.wait_for(ended, timeout=PATIENCE)


def test_what_plans_have_left_until_it_is_used_or_something_else(
    hypervisor: Hypervisor, guest: Guests, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made, other = guest(disks=[DiskSpec(layers=2)]), guest(running=False)
    place, directory = made.directory / "kept copy.qcow2", tmp_path_factory.mktemp("d")
    history = History(directory / "history.jsonl")
    with watched(hypervisor, history=history) as host:
        carried_out(host, copy_request(made, place, then=Then.KEEP))
        at_rest(host, made)
        (said,) = left(host)
        plan = history.read().records[-1].plan
        assert said.startswith(f"{made.name}: “Mirror vda of {made.name}” ({plan}) left {place}, ")
        assert said.endswith(f"rm -- '{place}'")
        assert left(host, made) == [said]
        assert left(host, other) == []
        carried_out(host, MoveRequest(made.uuid, str(directory)))
        at_rest(host, made)
        moved, kept = left(host, made)
        assert f" left {place}, " in kept
        assert all(str(image) in moved for image in made.images())
        # What any domain is defined on is used, and so is what that stands on.
        source = f"<source file='{made.images()[-1]}'/>"
        xml = re.sub("<source file='[^']*'(/>| index='[0-9]*'/>)", source, other.xml(inactive=True))
        document = other.directory / "on-old.xml"
        document.write_text(xml)
        hypervisor.virsh("define", document)
        host.refresh(other.uuid)
        host.wait_for(
            lambda s: (
                True if (d := s.domain(other.uuid)) and d.is_on("vda", str(made.images()[-1])) else None
            ),
            timeout=PATIENCE,
        )
        assert not any(str(image) in line for line in left(host) for image in made.images())
        # Who writes to it makes something of it that no plan has left.
        os.utime(place, (host.clock() + 60, host.clock() + 60))
        assert not any(str(place) in line for line in left(host))


def test_from_the_command_line(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest()
    assert "Nothing is left over" in program(hypervisor, "doctor", made.name).stdout
    (host,) = json.loads(program(hypervisor, "doctor", made.name, "--json").stdout)["hosts"]
    assert [finding["severity"] for finding in host["findings"]] == [Severity.FINE]
