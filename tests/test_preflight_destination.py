"""What the checks of a destination refuse, a real host refuses as well, or fails at, or does harm with."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.guests import DiskSpec
from tests.hypervisor import MIB
from tests.outside import images_equal
from tui.model.job import JobEvent
from tui.model.storage import (
    Chain,
    DirSource,
    Layer,
    NetworkHost,
    NetworkSource,
    Slice,
    VolumeSource,
)

if TYPE_CHECKING:
    from tests.conftest import MakeNbd
    from tests.guests import Guests
    from tests.hypervisor import Hypervisor
from tests.preflight import (
    CONFIG_UNSUPPORTED,
    INVALID_ARG,
    OPERATION_UNSUPPORTED,
    SYSTEM_ERROR,
    Bench,
    create,
    device,
    file,
    idle,
    loop_device,
    qemu_img,
    refusals,
    warnings,
)


def test_places_that_are_none(bench: Bench, guest: Guests) -> None:
    made = guest()
    volume = Chain((Layer(VolumeSource("fast", "v"), "raw"),), complete=False)
    copy = bench.plan(made, volume)
    assert refusals(copy) == {"destination-type"}
    assert bench.start(copy) not in (0, None)
    directory = Chain((Layer(DirSource(str(made.directory)), "raw"),), complete=False)
    copy = bench.plan(made, directory)
    assert refusals(copy) == {"destination-type"}
    assert copy.steps == ()
    xml = f"<disk type='dir'><driver type='raw'/><source dir='{made.directory}'/></disk>"
    assert bench.copy(made, xml) == SYSTEM_ERROR


def test_relative_path(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, file("copy"))
    assert refusals(copy) == {"destination-relative"}
    assert bench.start(copy) == INVALID_ARG


def test_path_that_xml_cannot_carry(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, file(f"{made.directory}/a\x01b"))
    assert refusals(copy) == {"destination-xml"}
    assert bench.copy(made, f"<disk type='file'><source file='{made.directory}/a\x01b'/></disk>") not in (
        0,
        None,
    )


def test_format_of_a_reused_image_is_not_given(bench: Bench, guest: Guests) -> None:
    """libvirt takes a raw image for qcow2 because of what is in it, which a guest could have written."""
    made = guest()
    image = create(made.directory / "image.raw")
    copy = bench.plan(made, file(image), reuse_external=True)
    assert refusals(copy) == {"format-needed"}
    assert bench.start(copy) == 0
    made.wait_ready()
    mirror = made.mirror()
    assert mirror is not None
    assert mirror.format == "qcow2"


@pytest.mark.parametrize("kind", ["dmg", "vhdx", "qcwo2", "luks", "iso", "cow"])
def test_formats_that_libvirt_does_not_make(bench: Bench, guest: Guests, kind: str) -> None:
    made = guest()
    copy = bench.plan(made, file(made.directory / "copy", kind))
    assert refusals(copy) == {"format-unsupported"}
    assert bench.start(copy) not in (0, None)


@pytest.mark.parametrize("kind", ["qed", "vdi", "vmdk"])
def test_formats_that_libvirt_makes(bench: Bench, guest: Guests, kind: str) -> None:
    made = guest()
    copy = bench.plan(made, file(made.directory / "copy", kind))
    assert refusals(copy) == set()
    assert bench.start(copy) == 0
    made.wait_ready()


def test_a_layer_of_the_disk_itself_or_of_another(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(layers=2), DiskSpec()])
    link = made.directory / "link"
    link.symlink_to(made.images()[0])
    for path in (*made.images(), *made.images("vdb"), link):
        copy = bench.plan(made, file(path, "qcow2"), reuse_external=True)
        assert refusals(copy) == {"destination-in-use"}
        assert bench.start(copy) not in (0, None)


def test_the_base_of_a_guest_that_is_off(bench: Bench, guest: Guests) -> None:
    """Nothing locks it, so libvirt writes over what another guest stands on."""
    off = guest(disks=[DiskSpec(layers=2)], running=False)
    base, top = off.images()
    before = off.directory / "before.raw"
    qemu_img("convert", "-f", "qcow2", "-O", "raw", top, before)
    made = idle(guest, DiskSpec(data=16 * MIB))
    copy = bench.plan(made, file(base, "qcow2"), reuse_external=True)
    assert refusals(copy) == {"destination-in-use"}
    assert off.name in copy.findings[0].reason
    assert bench.start(copy) == 0
    bench.finish(made)
    assert not images_equal(top, before, other_format="raw")


def test_the_destination_of_another_job(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(), DiskSpec()])
    path = made.directory / "copy"
    assert bench.start(bench.plan(made, path)) == 0
    copy = bench.plan(made, file(path, "qcow2"), target="vdb", reuse_external=True)
    assert refusals(copy) == {"destination-in-use"}
    assert bench.start(copy) not in (0, None)


def test_what_is_there_and_should_not_be(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, made.directory)
    assert refusals(copy) == {"destination-directory"}
    assert bench.start(copy) == CONFIG_UNSUPPORTED
    image = create(made.directory / "image")
    copy = bench.plan(made, image)
    assert refusals(copy) == {"destination-exists"}
    assert bench.start(copy) == CONFIG_UNSUPPORTED
    image.write_bytes(b"")
    copy = bench.plan(made, image)
    assert refusals(copy) == set()
    assert bench.start(copy) == 0


def test_special_files(bench: Bench, guest: Guests) -> None:
    """A socket is refused late; on a pipe the call of libvirt would hang until somebody reads from it."""
    made = guest()
    path = made.directory / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        copy = bench.plan(made, path)
        assert refusals(copy) == {"destination-special"}
        assert bench.start(copy) not in (0, None)
    pipe = made.directory / "pipe"
    os.mkfifo(pipe)
    assert refusals(bench.plan(made, pipe)) == {"destination-special"}


def test_what_is_not_there_and_should_be(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, file(made.directory / "none", "qcow2"), reuse_external=True)
    assert refusals(copy) == {"destination-missing"}
    assert bench.start(copy) == SYSTEM_ERROR
    copy = bench.plan(made, device("/dev/none"))
    assert refusals(copy) == {"destination-missing"}
    assert bench.start(copy) == SYSTEM_ERROR
    copy = bench.plan(made, file(made.directory / "none" / "copy"))
    assert refusals(copy) == {"directory-missing"}
    assert bench.start(copy) == SYSTEM_ERROR


def test_a_file_that_is_said_to_be_a_device(bench: Bench, guest: Guests) -> None:
    made = guest()
    image = create(made.directory / "image")
    copy = bench.plan(made, device(str(image)))
    assert refusals(copy) == {"destination-not-block"}
    assert bench.start(copy) not in (0, None)


def test_block_devices(bench: Bench, guest: Guests) -> None:
    made = guest()
    with loop_device(made.directory / "exact", 64 * MIB) as path:
        copy = bench.plan(made, file(path, "raw"))
        assert refusals(copy) == {"destination-block"}
        assert bench.start(copy) not in (0, None)
        copy = bench.plan(made, device(path, "raw"))
        assert refusals(copy) == set()
        assert bench.start(copy) == 0
        bench.finish(made)
    with loop_device(made.directory / "larger", 80 * MIB) as path:
        copy = bench.plan(made, device(path, "raw"))
        assert refusals(copy) == {"destination-size"}
        assert bench.start(copy) == 0
        bench.heard(JobEvent.FAILED)
        copy = bench.plan(made, device(path, "qcow2"))
        assert refusals(copy) == set()
        assert bench.start(copy) == 0
        bench.finish(made)


def test_a_device_that_is_too_small(bench: Bench, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(data=24 * MIB)])
    with loop_device(made.directory / "small", 16 * MIB) as path:
        copy = bench.plan(made, device(path, "qcow2"))
        assert refusals(copy) == {"space"}
        assert bench.start(copy) == 0
        bench.heard(JobEvent.FAILED)


def test_directory_that_qemu_cannot_reach(bench: Bench, guest: Guests, hypervisor: Hypervisor) -> None:
    """libvirt makes the file as root and gives it away; QEMU needs the way there alone."""
    made = idle(guest, running=False)
    label = "<seclabel type='static' model='dac' relabel='yes'><label>+65534:+65534</label></seclabel>"
    document = made.directory / "domain.xml"
    document.write_text(made.xml(inactive=True).replace("</domain>", f"{label}</domain>"))
    mode = hypervisor.root.stat().st_mode
    hypervisor.root.chmod(0o755)
    try:
        hypervisor.virsh("define", document)
        made.virsh("start")
        closed, foreign = made.directory / "closed", made.directory / "foreign"
        closed.mkdir(mode=0o700)
        foreign.mkdir(mode=0o755)
        copy = bench.plan(made, closed / "copy")
        assert refusals(copy) == {"directory-closed"}
        assert bench.start(copy) == SYSTEM_ERROR
        copy = bench.plan(made, foreign / "copy")
        assert refusals(copy) == set()
        assert bench.start(copy) == 0
        made.virsh("destroy")
    finally:
        hypervisor.root.chmod(mode)


def test_directory_that_nobody_can_write_to(bench: Bench, guest: Guests) -> None:
    made = guest()
    fixed = made.directory / "fixed"
    fixed.mkdir()
    if subprocess.run(["chattr", "+i", str(fixed)], check=False).returncode:
        pytest.skip("only root can make a directory immutable, and not on every file system")
    try:
        copy = bench.plan(made, fixed / "copy")
        assert refusals(copy) == {"directory-not-writable"}
        assert bench.start(copy) == SYSTEM_ERROR
    finally:
        subprocess.run(["chattr", "-i", str(fixed)], check=True)


@pytest.mark.parametrize("size", [32 * MIB, 64 * MIB - 65536, 128 * MIB])
def test_reused_image_of_another_size(bench: Bench, guest: Guests, size: int) -> None:
    made = guest()
    copy = bench.plan(made, file(create(made.directory / "image", size), "qcow2"), reuse_external=True)
    assert refusals(copy) == {"destination-size"}
    assert bench.start(copy) == 0
    bench.heard(JobEvent.FAILED)


def test_reused_image_of_another_format(bench: Bench, guest: Guests) -> None:
    made = guest()
    image = create(made.directory / "image", kind="raw")
    copy = bench.plan(made, file(image, "qcow2"), reuse_external=True)
    assert refusals(copy) == {"image-unreadable"}
    assert bench.start(copy) not in (0, None)


def test_slices_of_what_is_not_there(bench: Bench, guest: Guests) -> None:
    made = guest()
    copy = bench.plan(made, file(made.directory / "copy", "raw", slices=(Slice(0, 64 * MIB),)))
    assert refusals(copy) == {"slices"}
    assert bench.start(copy) == OPERATION_UNSUPPORTED


def test_network_destination_is_not_seen(bench: Bench, guest: Guests, nbd_server: MakeNbd) -> None:
    made = guest()
    server = nbd_server(32 * MIB)
    host = NetworkHost(transport="unix", socket=str(server.socket))
    place = Chain((Layer(NetworkSource("nbd", server.export, (host,)), "raw"),), complete=False)
    copy = bench.plan(made, place, reuse_external=True)
    assert refusals(copy) == set()
    assert "destination-unchecked" in warnings(copy)
    assert bench.start(copy) == 0
    bench.heard(JobEvent.FAILED)
