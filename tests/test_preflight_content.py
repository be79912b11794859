"""What a copy stands on, what it takes and what it loses: the real host shows what the checks foretell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.guests import DiskSpec
from tests.hypervisor import MIB
from tests.outside import backing_file, image_info, images_equal, wait_for
from tui.model.finding import Acceptance
from tui.model.job import JobEvent
from tui.model.request import Then

if TYPE_CHECKING:
    from tests.guests import Guests
from tests.preflight import (
    INVALID_ARG,
    OPERATION_INVALID,
    SYSTEM_ERROR,
    Bench,
    create,
    file,
    idle,
    overlay,
    refusals,
    warnings,
)

# What it stands on


def test_shallow_copies_that_cannot_be(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=3)])
    for kind, check in (("raw", "shallow-raw"), ("vdi", "shallow-format"), ("vmdk", "shallow-format")):
        copy = bench.plan(made, file(made.directory / kind, kind), shallow=True)
        assert refusals(copy) == {check}
        assert bench.start(copy) not in (0, None)


def test_a_shallow_copy_stands_on_the_same(bench: Bench, guest: Guests) -> None:
    made = idle(guest, DiskSpec(layers=3))
    path = made.directory / "copy"
    copy = bench.plan(made, path, shallow=True)
    assert refusals(copy) == set()
    assert bench.start(copy) == 0
    bench.finish(made)
    assert backing_file(path) == str(made.images()[1])
    assert dict(copy.facts)["stands on"] == str(made.images()[1])
    assert images_equal(made.images()[-1], path)


def test_reused_image_that_stands_on_nothing(bench: Bench, guest: Guests) -> None:
    """libvirt says ready, and most of the disk is missing."""
    made = idle(guest, DiskSpec(layers=3))
    image = create(made.directory / "image")
    copy = bench.plan(made, file(image, "qcow2"), shallow=True, reuse_external=True)
    assert refusals(copy) == {"shallow-no-backing"}
    assert bench.start(copy) == 0
    bench.finish(made)
    assert not images_equal(made.images()[-1], image)


def test_reused_image_that_stands_on_other_content(bench: Bench, guest: Guests) -> None:
    made = idle(guest, DiskSpec(layers=3))
    base, middle, top = made.images()
    wrong, right = overlay(made.directory / "wrong", base), overlay(made.directory / "right", middle)
    copy = bench.plan(made, file(wrong, "qcow2"), shallow=True, reuse_external=True)
    assert refusals(copy) == set()
    assert "content-unchecked" in warnings(copy)
    assert bench.start(copy) == 0
    bench.finish(made)
    assert not images_equal(top, wrong)
    copy = bench.plan(made, file(right, "qcow2"), shallow=True, reuse_external=True)
    assert warnings(copy) == {"persistent-domain", "forbidden-meanwhile"}
    assert bench.start(copy) == 0
    bench.finish(made)
    assert images_equal(top, right)


def test_backing_files_that_are_not_there(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=3)])
    gone = made.directory / "gone"
    image = overlay(made.directory / "image", gone)
    copy = bench.plan(made, file(image, "qcow2"), shallow=True, reuse_external=True)
    assert refusals(copy) == {"backing-missing"}
    assert bench.start(copy) == SYSTEM_ERROR
    copy = bench.plan(made, file(made.directory / "copy", "qcow2", gone), shallow=True)
    assert refusals(copy) == {"backing-missing"}
    assert bench.start(copy) == SYSTEM_ERROR


def test_full_copy_into_an_overlay_of_nothing(bench: Bench, guest: Guests) -> None:
    """It works for libvirt, which remembers that nothing stands below, and for nobody else."""
    made = guest()
    image = overlay(made.directory / "image", made.directory / "gone")
    copy = bench.plan(made, file(image, "qcow2"), reuse_external=True)
    assert refusals(copy) == set()
    assert "backing-unneeded" in warnings(copy)
    assert bench.start(copy) == 0
    bench.finish(made, pivot=True)
    made.virsh("destroy")
    made.virsh("start")
    with pytest.raises(AssertionError, match="Could not open backing file"):
        images_equal(image, made.images()[0])


def test_backing_file_without_a_format(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=3)])
    image = overlay(made.directory / "image", made.images()[1])
    content = bytearray(image.read_bytes())
    # The header extension that holds the format becomes one that nobody knows.
    at = content.find(bytes.fromhex("E2792ACA"))
    content[at : at + 4] = bytes.fromhex("12345678")
    image.write_bytes(content)
    copy = bench.plan(made, file(image, "qcow2"), shallow=True, reuse_external=True)
    assert refusals(copy) == {"backing-format-missing"}
    assert bench.start(copy) == OPERATION_INVALID


def test_backing_file_of_a_full_copy(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=2)])
    copy = bench.plan(made, file(made.directory / "copy", "qcow2", made.images()[0]))
    assert refusals(copy) == {"backing-without-shallow"}
    assert bench.start(copy) == INVALID_ARG


def test_backing_file_of_a_shallow_copy_of_one_layer(bench: Bench, guest: Guests) -> None:
    made = guest()
    below = create(made.directory / "below")
    copy = bench.plan(made, file(made.directory / "copy", "qcow2", below), shallow=True)
    assert refusals(copy) == {"backing-without-shallow"}
    assert bench.start(copy) == INVALID_ARG


# What it takes, and what it loses


def test_destination_that_is_too_small(bench: Bench, guest: Guests, small: Path) -> None:
    made = guest(disks=[DiskSpec(data=60 * MIB)])
    copy = bench.plan(made, small / "copy")
    assert refusals(copy) == {"space"}
    assert bench.start(copy) == 0
    bench.heard(JobEvent.FAILED)
    (small / "copy").unlink()
    accepted = bench.plan(made, small / "copy", accepted=frozenset({Acceptance.RISK_FULL_DESTINATION}))
    assert not accepted.refused


def test_destination_that_becomes_too_small(bench: Bench, guest: Guests, small: Path) -> None:
    copy = bench.plan(guest(), small / "copy")
    assert refusals(copy) == set()
    assert "space-tight" in warnings(copy)


def test_internal_snapshots(bench: Bench, guest: Guests) -> None:
    made = idle(guest)
    made.virsh("snapshot-create-as", "before")
    assert image_info(made.images()[0], "qcow2")["snapshots"][0]["name"] == "before"
    path = made.directory / "copy"
    copy = bench.plan(made, path)
    assert refusals(copy) == {"internal-snapshots"}
    assert bench.start(copy) == 0
    bench.finish(made, pivot=True)
    assert "before" in made.virsh("snapshot-list", "--name")
    assert "snapshots" not in image_info(path, "qcow2")


def test_checkpoints(bench: Bench, guest: Guests) -> None:
    """A raw image cannot hold the bitmaps, and then there is no incremental backup."""
    made = idle(guest)
    made.virsh("checkpoint-create-as", "monday")
    backup = made.directory / "backup.xml"
    target = f"<target file='{made.directory}/backup'/>"
    disk = f"<disks><disk name='vda' type='file'>{target}</disk></disks>"
    backup.write_text(f"<domainbackup><incremental>monday</incremental>{disk}</domainbackup>")
    kept = bench.plan(made, made.directory / "copy")
    assert refusals(kept) == set()
    assert bench.start(kept) == 0
    bench.finish(made, pivot=True)
    assert "Backup started" in made.virsh("backup-begin", backup, check=False)
    wait_for(lambda: "Completed" in made.virsh("domjobinfo", "--completed", check=False), what="the backup")
    lost = bench.plan(made, file(made.directory / "copy.raw", "raw"))
    assert refusals(lost) == {"checkpoints"}
    assert bench.start(lost) == 0
    bench.finish(made, pivot=True)
    assert "missing or broken bitmap" in made.virsh("backup-begin", backup, check=False)


def test_what_is_forbidden_while_a_copy_runs(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, made.directory / "copy")
    assert "forbidden-meanwhile" in warnings(copy)
    assert bench.start(copy) == 0
    assert "active block job" in made.virsh("save", made.directory / "save", check=False)
    assert "active block job" in made.virsh("managedsave", check=False)
    assert "error" in made.virsh("detach-disk", "vda", check=False)
    assert "error" in made.virsh("blockresize", "vda", "128M", check=False)


def test_power_off_ends_the_copy_of_a_persistent_domain(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, made.directory / "copy", then=Then.PIVOT)
    assert "persistent-domain" in warnings(copy)
    assert bench.start(copy) == 0
    made.wait_ready()
    made.virsh("destroy")
    made.virsh("start")
    assert made.mirror() is None
    assert made.source() == str(made.images()[0])
