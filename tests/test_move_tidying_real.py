"""What a move leaves behind: bases that others stand on, snapshots that name images, old images put away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import PATIENCE, accepted, carried_out, command, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import backing_file, check, images_equal, is_writing, wait_for
from tui.engine.control import End
from tui.model.finding import Severity
from tui.model.quarantine import PREFIX
from tui.model.request import How, MoveRequest, Shared

LAYERS = DiskSpec(layers=2, data=8 * MIB)


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory."""
    return tmp_path_factory.mktemp("there")


def move(guest: Guest, directory: Path, **wish: object) -> MoveRequest:
    return MoveRequest(guest.uuid, str(directory), merge_overlay=True, **wish)  # type: ignore[arg-type]


def standing_on(base: Path, guest: Guests) -> Guest:
    """A second domain on the same base, which is off, so that no definition says so."""
    other = base.parent / "other.qcow2"
    command("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(other))
    disk = (
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{other}'/><target dev='vda' bus='virtio'/></disk>"
    )
    return guest(disks=[disk], running=False)


# A base that others stand on


def test_it_stays_where_it_is(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[DiskSpec(layers=3, data=8 * MIB)])
    base, mid, top = made.images()
    standing_on(base, guest)
    with watched(hypervisor) as host:
        plan = host.plan(move(made, there, shared=Shared.LEAVE, delete_source=True))
        assert "base-stays" in {finding.check for finding in plan.findings}
        carried_out(host, move(made, there, shared=Shared.LEAVE, delete_source=True))
    assert made.chain() == [str(there / top.name), str(there / mid.name), str(base)]
    assert backing_file(there / mid.name) == str(base)
    assert is_writing(there / top.name)
    assert base.exists()
    assert not mid.exists()
    made.virsh("destroy")
    made.virsh("start")
    assert made.chain()[-1] == str(base)


def test_an_equal_one_that_lies_there_is_taken(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[LAYERS])
    base, top = made.images()
    standing_on(base, guest)
    command("cp", "--sparse=always", str(base), str(there / base.name))
    before = (there / base.name).stat()
    with watched(hypervisor) as host:
        assert refusals(host.plan(move(made, there))) == {"image-exists"}
        carried_out(host, move(made, there, shared=Shared.REUSE))
    assert made.chain() == [str(there / top.name), str(there / base.name)]
    assert (there / base.name).stat().st_mtime_ns == before.st_mtime_ns
    assert is_writing(there / top.name)


def test_the_second_of_two_domains_finds_the_base_of_the_first(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    first = guest(disks=[LAYERS])
    base, top = first.images()
    second = standing_on(base, guest)
    second.virsh("start")
    with watched(hypervisor) as host:
        carried_out(host, move(first, there, shared=Shared.REUSE))
        carried_out(host, move(second, there, shared=Shared.REUSE))
    assert first.chain() == [str(there / top.name), str(there / base.name)]
    assert second.chain() == [str(there / "other.qcow2"), str(there / base.name)]


def test_one_that_differs_stops_it_before_it_begins(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[LAYERS])
    base, top = made.images()
    standing_on(base, guest)
    command("cp", str(base), str(there / base.name))
    command("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 64k", str(there / base.name))
    with watched(hypervisor) as host:
        outcome = carried_out(host, move(made, there, shared=Shared.REUSE), End.FAILED)
        assert "differ" in outcome.message or "mismatch" in outcome.message, outcome.message
        assert journal_is_empty(host)
    assert made.chain() == [str(top), str(base)]
    assert [path.name for path in there.iterdir()] == [base.name]


# Snapshots


def test_snapshots_name_the_new_place(hypervisor: Hypervisor, guest: Guests, there: Path) -> None:
    made = guest(disks=[DiskSpec(data=4 * MIB)])
    for name in ("first", "second", "third"):
        made.virsh("snapshot-create-as", name, "--disk-only")
    made.virsh("snapshot-current", "second")
    tree = made.virsh("snapshot-list", "--tree")
    old = made.chain()
    with watched(hypervisor) as host:
        outcome = carried_out(host, move(made, there))
        assert all(f.severity is Severity.FINE for f in outcome.findings), outcome.findings
    assert made.chain() == [str(there / Path(path).name) for path in old]
    assert made.virsh("snapshot-list", "--tree") == tree
    assert made.virsh("snapshot-current", "--name").strip() == "second"
    for name in ("first", "second", "third"):
        text = made.virsh("snapshot-dumpxml", name)
        assert f"'{there}/" in text
        assert f"'{made.directory}/" not in text
    assert is_writing(Path(made.chain()[0]))


# The old images


@pytest.mark.parametrize("how", list(How))
def test_old_images_are_put_away_whole(hypervisor: Hypervisor, guest: Guests, there: Path, how: How) -> None:
    made = guest(disks=[LAYERS])
    base, top = made.images()
    others = {path for path in made.directory.iterdir() if path not in (base, top)}
    with watched(hypervisor) as host:
        carried_out(host, move(made, there, how=how, delete_source=True))
        assert journal_is_empty(host)
    with watched(hypervisor) as later:
        (told,) = later.examine(made.uuid)
    assert told.check == "source-quarantined"
    (place,) = {path for path in made.directory.iterdir() if path.name.startswith(PREFIX)}
    stays = {base} if how is How.SHALLOW else set()
    assert set(made.directory.iterdir()) == others | {place} | stays
    assert place.stat().st_mode & 0o777 == 0o700
    assert str(place) in told.reason
    count = len(list(place.iterdir()))
    assert (f"{count} old images" if count > 1 else "1 old image,") in told.reason
    went = {path.name for path in place.iterdir()}
    assert {top.name} | ({base.name} - {path.name for path in stays}) <= went
    assert is_writing(Path(made.chain()[0]))
    # What is there can be had back as it was.
    for path in place.iterdir():
        path.rename(made.directory / path.name)
    place.rmdir()
    with watched(hypervisor) as later:
        assert {finding.check for finding in later.examine(made.uuid)} == {"healthy"}
        wait_for(lambda: "urn:virt-mirror" not in made.xml() + made.xml(inactive=True), what="forgetting")
    assert check(top) == 0
    if how is How.KEEP_CHAIN:
        assert images_equal(base, there / base.name)


def test_an_image_that_came_into_use_meanwhile_stays(
    hypervisor: Hypervisor, guest: Guests, there: Path
) -> None:
    made = guest(disks=[LAYERS])
    base, top = made.images()
    with watched(hypervisor) as host:
        plan = accepted(host, move(made, there, delete_source=True))
        neighbour = standing_on(base, guest)
        assert host.wait_for(lambda s: s.domain(neighbour.uuid), timeout=PATIENCE)
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        left = [f.reason for f in outcome.findings if f.check == "source-left"]
    assert len(left) == 1
    assert neighbour.name in left[0]
    assert base.exists()
    assert not top.exists()
