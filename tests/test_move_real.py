"""Moving disks with their chains on a real host: where the guest is, what its images hold, and what is left."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine import PATIENCE, accepted, carried_out, job_in, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.layouts import lay_out, layout_of
from tests.outside import check, images_equal, is_writing
from tui.engine import journal, steps
from tui.engine.control import End
from tui.engine.errors import StepFailed
from tui.model.chain_steps import CopyImages, ImageCopy
from tui.model.finding import Severity
from tui.model.host import Link
from tui.model.job import Phase
from tui.model.journal import STALE_AFTER
from tui.model.request import Ending, EndRequest, How, MoveRequest, RecoverRequest, Then

CHAIN = DiskSpec(layers=3, data=8 * MIB)
SLOW = 6 * MIB
SLOWER = MIB
"""For what does not come to its end: it leaves time to do something meanwhile, on whatever machine."""


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory."""
    return tmp_path_factory.mktemp("there")


def move(guest: Guest, directory: Path, *targets: str, **wish: object) -> MoveRequest:
    return MoveRequest(guest.uuid, str(directory), targets, **wish)  # type: ignore[arg-type]


def names(paths: list[str]) -> list[str]:
    return [Path(path).name for path in paths]


def images_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.suffix in (".qcow2", ".raw")}


def moved(path: Path, directory: Path) -> Path:
    return directory / path.name


# With the chain


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("base", ["raw", "qcow2"])
def test_a_chain_goes_along(
    hypervisor: Hypervisor, guest: Guests, there: Path, base: str, *, relative: bool
) -> None:
    made = guest(disks=[DiskSpec(layers=3, data=8 * MIB, relative_backing=relative, format=base)])
    old = made.images()
    with watched(hypervisor) as host:
        outcome = carried_out(host, move(made, there))
        assert all(f.severity is Severity.FINE for f in outcome.findings), outcome.findings
        (left,) = (f.reason for f in outcome.findings if f.check == "left-there")
        assert all(str(path) in left for path in old), "whoever looks for what is left finds it there"
        assert journal_is_empty(host)
    chain = made.chain()
    assert chain[1:] == [str(moved(path, there)) for path in reversed(old)]
    assert made.source(inactive=True) == chain[0]
    assert made.has_open(Path(chain[0]))
    assert is_writing(Path(chain[0]))
    assert images_equal(old[-1], moved(old[-1], there))
    assert made.mirror() is None
    made.virsh("destroy")
    for path in chain[:-1]:
        assert check(Path(path)) == 0
    assert {Path(path).parent for path in chain} == {there}


@pytest.mark.parametrize("merged", [False, True])
def test_a_chain_is_laid_out_there_as_it_was(
    hypervisor: Hypervisor, guest: Guests, there: Path, *, merged: bool
) -> None:
    made = guest(disks=[CHAIN], running=False)
    lay_out(made)
    made.virsh("start")
    old = made.images()
    with watched(hypervisor) as host:
        carried_out(host, move(made, there, merge_overlay=merged))
    assert len(made.chain()) == len(old) + (not merged)
    assert layout_of(Path(made.chain()[0])) == layout_of(old[-1])
    assert layout_of(old[-1])["cluster-size"] == MIB
    for path in old:
        assert layout_of(moved(path, there)) == layout_of(path)
    assert is_writing(Path(made.chain()[0]))
    made.virsh("destroy")
    assert check(Path(made.chain()[0])) == 0


def test_the_chain_is_as_deep_as_it_was(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN])
    old = made.images()
    with watched(hypervisor) as host:
        carried_out(host, move(made, there, merge_overlay=True))
    assert made.chain() == [str(moved(path, there)) for path in reversed(old)]
    assert made.source(inactive=True) == str(moved(old[-1], there))
    assert is_writing(moved(old[-1], there))
    assert {path.name for path in there.iterdir()} == {path.name for path in old}


def test_the_old_chain_holds_the_state_before_the_swap(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[CHAIN])
    with watched(hypervisor) as host:
        held = accepted(host, move(made, there, then=Then.HOLD))
        outcome = host.run(held).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        overlay = made.chain()[0]
        made.virsh("suspend")
        carried_out(host, EndRequest(made.uuid, ("vda",), Ending.PIVOT))
        assert journal_is_empty(host)
    assert Path(made.chain()[0]).parent == there
    assert images_equal(Path(overlay), Path(made.chain()[0]))
    made.virsh("resume")
    assert is_writing(Path(made.chain()[0]))


def test_two_disks_change_at_one_instant(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN, DiskSpec(layers=2), DiskSpec(readonly=True)])
    with watched(hypervisor) as host:
        plan = accepted(host, move(made, there))
        assert any(f.check == "stays" and "vdc" in f.reason for f in plan.findings)
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert journal_is_empty(host)
    for target in ("vda", "vdb"):
        assert {Path(path).parent for path in made.chain(target)} == {there}
        assert made.source(target, inactive=True) == made.chain(target)[0]
    assert Path(made.chain("vdc")[0]).parent == made.directory
    assert made.state() == "running"


# As one image


def test_flattened(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN, DiskSpec()])
    with watched(hypervisor) as host:
        carried_out(host, move(made, there, how=How.FLATTEN))
        assert journal_is_empty(host)
    assert made.chain("vda") == [str(moved(made.images("vda")[-1], there))]
    assert made.chain("vdb") == [str(moved(made.images("vdb")[-1], there))]


def test_flattening_saves_a_guest_whose_lower_layer_was_deleted(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[CHAIN])
    made.images()[1].unlink()
    with watched(hypervisor) as host:
        assert refusals(host.plan(move(made, there))) == {"layer-missing"}
        carried_out(host, move(made, there, how=How.FLATTEN))
    (whole,) = made.chain()
    assert Path(whole).parent == there
    assert is_writing(Path(whole))
    made.virsh("destroy")
    assert check(Path(whole)) == 0


def test_only_the_active_layer(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN])
    base, mid, top = made.images()
    with watched(hypervisor) as host:
        carried_out(host, move(made, there, how=How.SHALLOW))
    assert made.chain() == [str(moved(top, there)), str(mid), str(base)]


# What is left where it does not come to an end


def test_a_move_that_fails_takes_everything_back(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN])
    before = made.chain()
    with watched(hypervisor) as host:
        run = host.run(accepted(host, move(made, there, bandwidth=SLOWER)))
        job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
        made.virsh("blockjob", "vda", "--abort")
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert journal_is_empty(host)
    assert made.chain() == before
    assert made.source(inactive=True) == before[0]
    assert list(there.iterdir()) == []
    assert images_in(made.directory) == set(names(before))
    assert is_writing(Path(before[0]))


def test_what_somebody_left_is_taken_back_or_gone_on_with(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[CHAIN])
    before = made.chain()
    with watched(hypervisor) as host:
        for _again in range(2):
            run = host.run(accepted(host, move(made, there, bandwidth=SLOW)))
            job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
            run.leave()
            assert run.wait(PATIENCE)
            if _again:
                break
            outcome = carried_out(host, RecoverRequest(made.uuid, undo=True))
            assert any("is back on" in f.reason for f in outcome.findings)
            assert journal_is_empty(host)
            assert made.chain() == before
            assert list(there.iterdir()) == []
            assert images_in(made.directory) == set(names(before))
    with watched(hypervisor) as later:
        carried_out(later, RecoverRequest(made.uuid, undo=False))
        assert journal_is_empty(later)
    assert {Path(path).parent for path in made.chain()} == {there}
    assert is_writing(Path(made.chain()[0]))


def test_the_daemon_goes_in_the_middle(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN])
    with watched(hypervisor) as host:
        run = host.run(accepted(host, move(made, there, bandwidth=SLOW)))
        job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
        hypervisor.stop_daemon()
        assert host.wait_for(lambda s: True if s.link is Link.LOST else None, timeout=PATIENCE)
        hypervisor.start_daemon()
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert journal_is_empty(host)
    assert {Path(path).parent for path in made.chain()} == {there}
    assert is_writing(Path(made.chain()[0]))


def test_the_guest_is_powered_off_in_the_middle(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN])
    before = made.chain()
    with watched(hypervisor) as host:
        run = host.run(accepted(host, move(made, there, bandwidth=SLOWER)))
        job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
        made.virsh("destroy")
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        # What the guest wrote meanwhile is in the overlay, and only a running guest can have it merged back.
        assert refusals(host.plan(RecoverRequest(made.uuid, undo=True))) == {"domain-not-running"}
        made.virsh("start")
        assert host.wait_for(
            lambda s: True if (d := s.domain(made.uuid)) and d.state.active else None, timeout=PATIENCE
        )
        assert "job-gone" in refusals(host.plan(RecoverRequest(made.uuid, undo=False)))
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        assert journal_is_empty(host)
    assert made.chain() == before
    assert list(there.iterdir()) == []
    assert images_in(made.directory) == set(names(before))


def test_the_destination_is_full(hypervisor: Hypervisor, guest: Guests, small: Path) -> None:
    made = guest(disks=[DiskSpec(size=128 * MIB, layers=2, data=40 * MIB)], delay=None)
    before = made.chain()
    with watched(hypervisor) as host:
        assert "space-together" in refusals(host.plan(move(made, small)))
        (small / "ballast").write_bytes(b"x" * MIB)
        plan = host.plan(move(made, small))
        outcome = host.run(replace(plan, findings=(), request=None)).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert "No space left" in outcome.message
        assert journal_is_empty(host)
    assert made.chain() == before
    assert images_in(made.directory) == set(names(before))
    assert [path.name for path in small.iterdir()] == ["ballast"]


def test_a_move_under_way_is_taken_back(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN])
    before = made.chain()
    with watched(hypervisor) as host:
        run = host.run(accepted(host, move(made, there, bandwidth=SLOWER)))
        job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
        resumed = host.plan(RecoverRequest(made.uuid, undo=False))
        assert refusals(resumed) == {"plan-in-progress"}
        assert "This program is at work on it." in {f.reason for f in resumed.findings}
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        assert run.outcome is not None
        assert run.outcome.end is End.LEFT
        assert journal_is_empty(host)
        (job,) = host.state.jobs
        assert (job.phase, job.remark) == (
            Phase.CANCELLED,
            f"Taken back; the guest is back on {Path(before[0]).name}.",
        )
    assert made.chain() == before
    assert list(there.iterdir()) == []


def test_somebody_else_sees_it_leaves_it_alone_and_takes_it_over_when_its_owner_is_gone(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[CHAIN])
    with watched(hypervisor) as host, watched(hypervisor) as other:
        run = host.run(accepted(host, move(made, there, bandwidth=SLOW)))
        job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
        seen = other.wait_for(lambda s: s.plan_of(made.uuid, "vda"), timeout=PATIENCE)
        assert seen is not None
        assert seen.owner == journal.owner()
        assert not seen.stale(time.time())
        for undo in (True, False):
            assert refusals(other.plan(RecoverRequest(made.uuid, undo=undo))) == {"plan-in-progress"}
        run.leave()
        assert run.wait(PATIENCE)
        # As on another machine, where nobody can see that its process is gone, when it signs no more.
        elsewhere = replace(run.entry, owner="root@host-z:7", heartbeat=time.time())
        domain = other.state.domain(made.uuid)
        assert domain is not None
        journal.write(other.connection(), domain, elsewhere)
        assert refusals(other.plan(RecoverRequest(made.uuid, undo=False))) == {"plan-in-progress"}
        journal.write(other.connection(), domain, replace(elsewhere, heartbeat=time.time() - STALE_AFTER - 1))
        carried_out(other, RecoverRequest(made.uuid, undo=False))
        assert journal_is_empty(other)
    assert {Path(path).parent for path in made.chain()} == {there}
    assert is_writing(Path(made.chain()[0]))


def test_a_chain_that_the_definition_lists_is_renewed_in_it(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[DiskSpec(layers=2)], running=False)
    base, top = made.images()
    listed = f"<backingStore type='file'><format type='qcow2'/><source file='{base}'/><backingStore/></backingStore>"
    text = made.xml(inactive=True).replace(f"<source file='{top}'/>", f"<source file='{top}'/>{listed}")
    document = made.directory / "listed.xml"
    document.write_text(text)
    hypervisor.virsh("define", document)
    made.virsh("start")
    with watched(hypervisor) as host:
        outcome = carried_out(host, move(made, there, merge_overlay=True))
        assert all(f.severity is Severity.FINE for f in outcome.findings), outcome.findings
    assert str(base) not in made.xml(inactive=True)
    made.virsh("destroy")
    made.virsh("start")
    assert made.chain() == [str(moved(top, there)), str(moved(base, there))]


def test_an_incomplete_chain_is_not_pivoted_to(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    # It writes less than the mirror may carry, which is in sync long before the layers are there.
    made = guest(disks=[CHAIN], delay=6)
    with watched(hypervisor) as host:
        run = host.run(accepted(host, move(made, there, bandwidth=SLOWER)))
        job_in(host, made, Phase.IN_SYNC)
        assert "chain-incomplete" in refusals(host.plan(EndRequest(made.uuid, ("vda",), Ending.PIVOT)))
        run.leave()
        assert run.wait(PATIENCE)
        assert "chain-incomplete" in refusals(host.plan(EndRequest(made.uuid, ("vda",), Ending.PIVOT)))


def test_a_plan_that_was_looked_at_for_long_is_still_the_same(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[CHAIN])
    with watched(hypervisor) as host:
        plan = accepted(host, move(made, there))
        outcome = host.run(replace(plan, made=plan.made - 600)).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
    assert {Path(path).parent for path in made.chain()} == {there}


def test_disks_that_belong_together_are_not_torn_apart(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[DiskSpec(data=8 * MIB), DiskSpec(data=8 * MIB)])
    with watched(hypervisor) as host:
        run = host.run(accepted(host, move(made, there, bandwidth=SLOW)))
        job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
        run.leave()
        assert run.wait(PATIENCE)
        for target in ("vda", "vdb"):
            job_in(host, made, Phase.IN_SYNC, target=target)
        assert host.state.interrupted(made.uuid, "vda") is not None
        assert refusals(host.plan(EndRequest(made.uuid, ("vda",), Ending.PIVOT))) == {"together"}
        carried_out(host, RecoverRequest(made.uuid, undo=False))
        assert journal_is_empty(host)
    for target in ("vda", "vdb"):
        assert {Path(path).parent for path in made.chain(target)} == {there}


@pytest.mark.parametrize("interrupted", [True, False])
def test_mirrors_that_belong_together_are_cancelled_together(
    hypervisor: Hypervisor, guest: Guests, there: Path, *, interrupted: bool
) -> None:
    made = guest(disks=[DiskSpec(data=8 * MIB), DiskSpec(data=8 * MIB)])
    before = {target: made.chain(target) for target in ("vda", "vdb")}
    with watched(hypervisor) as mover, watched(hypervisor) as host:
        run = mover.run(accepted(mover, move(made, there, how=How.FLATTEN, bandwidth=SLOWER)))
        for target in ("vda", "vdb"):
            job_in(mover, made, Phase.COPYING, Phase.IN_SYNC, target=target)
        if interrupted:
            run.leave()
            assert run.wait(PATIENCE)
        shown = host.wait_for(lambda s: s.job(made.uuid, "vda") and s.job(made.uuid, "vdb"), timeout=PATIENCE)
        assert shown
        for ending in (Ending.CANCEL, Ending.KEEP):
            assert "together" in refusals(host.plan(EndRequest(made.uuid, ("vda",), ending)))
        assert made.mirror("vda") is not None
        carried_out(host, EndRequest(made.uuid, ("vda", "vdb"), Ending.CANCEL))
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is (End.LEFT if interrupted else End.FAILED), outcome.message
        assert journal_is_empty(host)
    for target in ("vda", "vdb"):
        assert made.mirror(target) is None
        assert made.chain(target) == before[target]
        assert made.source(target, inactive=True) == before[target][0]
        assert made.has_open(Path(before[target][0]))
    assert is_writing(Path(before["vda"][0]))
    assert list(there.iterdir()) == []


def test_what_stayed_behind_of_a_pivot_is_cancelled_alone(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[DiskSpec(data=8 * MIB), DiskSpec(data=8 * MIB)])
    before = made.chain("vdb")
    with watched(hypervisor) as host:
        carried_out(host, move(made, there, how=How.FLATTEN, then=Then.HOLD))
        carried_out(host, EndRequest(made.uuid, ("vda",), Ending.PIVOT))
        carried_out(host, EndRequest(made.uuid, ("vdb",), Ending.CANCEL))
        assert journal_is_empty(host)
    (kept,) = there.iterdir()
    assert made.chain("vda") == [str(kept)]
    assert is_writing(kept)
    assert made.chain("vdb") == before
    assert made.has_open(Path(before[0]))


def test_what_a_guest_runs_on_is_never_written_over(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[CHAIN], delay=None)
    base, mid, _top = map(str, made.images())
    before = Path(base).stat()
    with watched(hypervisor) as host:
        step = CopyImages(made.uuid, made.name, ("vda",), (ImageCopy(mid, base, "qcow2"),))
        with pytest.raises(StepFailed, match="in use"):
            steps.run(step, host, threading.Event())
    assert Path(base).stat().st_mtime_ns == before.st_mtime_ns


# What is refused


def test_what_speaks_against_a_move(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN])
    with watched(hypervisor) as host:
        assert "no-directory" in refusals(host.plan(MoveRequest(made.uuid, "pool:nowhere")))
        assert "no-directory" in refusals(host.plan(MoveRequest(made.uuid, "here")))
        assert refusals(host.plan(move(made, there, "vdz"))) == {"no-such-disk"}
        taken = moved(made.images()[0], there)
        taken.touch()
        assert refusals(host.plan(move(made, there))) == {"image-exists"}
        taken.unlink()
        assert refusals(host.plan(RecoverRequest(made.uuid, undo=True))) == {"no-plan"}
        made.virsh("destroy")
        host.refresh(made.uuid)
        assert refusals(host.plan(move(made, there))) == {"domain-not-running"}


def test_owner_and_mode_are_those_of_the_source(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[CHAIN])
    for path in made.images():
        os.chmod(path, 0o640)  # noqa: PTH101
    with watched(hypervisor) as host:
        carried_out(host, move(made, there))
    for path in made.images():
        assert moved(path, there).stat().st_mode == path.stat().st_mode
        assert moved(path, there).stat().st_uid == path.stat().st_uid
