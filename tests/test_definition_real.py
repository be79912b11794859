"""Definitions and destinations on a real host: what libvirt writes is read, what we write is taken."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.guests import DiskSpec
from tui.engine.images import image_info, read_chain
from tui.model.definition import parse_domain
from tui.model.destination import destination_xml, domain_with_disk_source
from tui.model.disk import MirrorJob, MirrorReady
from tui.model.storage import Chain, FileSource, Layer, NetworkHost, NetworkSource

if TYPE_CHECKING:
    from tests.conftest import MakeNbd
    from tests.guests import Guest, Guests
    from tui.model.disk import Disk


def disk(guest: Guest, *, inactive: bool = False) -> Disk:
    found = parse_domain(guest.xml(inactive=inactive)).disk("vda")
    assert found is not None
    return found


def blockcopy(guest: Guest, destination: str, *flags: str) -> None:
    path = guest.directory / "destination.xml"
    path.write_text(destination)
    guest.virsh("blockcopy", "vda", "--xml", path, "--transient-job", *flags)
    guest.wait_ready()


def paths(chain: Chain) -> list[tuple[str, str | None]]:
    return [(layer.path, layer.format) for layer in chain.layers]


def test_live_and_inactive(guest: Guests) -> None:
    """A running guest shows its whole chain; shut off it shows one layer, and the images tell the rest."""
    vm = guest(disks=[DiskSpec(layers=3)])
    live = disk(vm)
    expected = [(str(path), "raw" if path == vm.images()[0] else "qcow2") for path in reversed(vm.images())]
    formats = [image_info(path, image_format or "").format for path, image_format in paths(live.chain)]
    assert [path for path, _ in paths(live.chain)] == [path for path, _ in expected]
    assert [image_format for _, image_format in paths(live.chain)] == formats
    assert live.chain.complete
    assert all(layer.index for layer in live.chain.layers)
    assert live.mirror is None
    inactive = disk(vm, inactive=True)
    assert not inactive.chain.complete
    assert inactive.chain.active is not None
    followed = read_chain(inactive.chain.active)
    assert paths(followed) == paths(live.chain)
    assert followed.complete


def test_mirrors_to_files(guest: Guests) -> None:
    """Flattened; shallow, where libvirt does not say what the mirror stands on; shallow with a chain we named."""
    vm = guest(disks=[DiskSpec(layers=3)])
    source = disk(vm).chain
    path = vm.directory / "n <e&w> 'x'.qcow2"
    new = Layer(FileSource(str(path)), "qcow2")
    below = source.below.layers
    middle = below[0]
    cases: list[tuple[tuple[str, ...], Chain | None, Chain]] = [
        ((), None, Chain((new,), complete=True)),
        (("--shallow",), None, Chain((new,), complete=False)),
        (("--shallow", "--reuse-external"), source.below, Chain((new, *below), complete=True)),
    ]
    for flags, backing, expected in cases:
        if backing:
            words = ["-b", middle.path, "-F", middle.format or "", f"file:{path}"]
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words], check=True)
        blockcopy(vm, destination_xml(new, backing=backing), *flags)
        mirror = disk(vm).mirror
        assert mirror is not None
        assert (mirror.job, mirror.ready) == (MirrorJob.COPY, MirrorReady.YES)
        assert paths(mirror.chain) == paths(expected)
        assert mirror.chain.complete == expected.complete
        vm.virsh("blockjob", "vda", "--abort")
        path.unlink()
    assert disk(vm).chain == source


@pytest.mark.parametrize("tcp", [False, True])
def test_mirror_to_the_network(guest: Guests, nbd_server: MakeNbd, tcp: bool) -> None:  # noqa: FBT001
    vm = guest(disks=[DiskSpec()])
    server = nbd_server(tcp=tcp)
    host = (
        NetworkHost("127.0.0.1", str(server.port))
        if tcp
        else NetworkHost(None, None, "unix", str(server.socket))
    )
    new = Layer(NetworkSource("nbd", server.export, (host,)), "raw")
    blockcopy(vm, destination_xml(new, backing=Chain()), "--reuse-external")
    mirror = disk(vm).mirror
    assert mirror is not None
    assert mirror.destination is not None
    found = mirror.destination.source
    assert isinstance(found, NetworkSource)
    # libvirt fills in that there is no TLS.
    assert (found.location, found.hosts, found.tls) == (new.source.location, (host,), "no")


def test_active_commit_is_a_mirror_too(guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(layers=3)])
    before = disk(vm).chain
    vm.virsh("blockcommit", "vda", "--active", "--wait", "--keep-overlay")
    after = disk(vm)
    assert after.chain == before
    vm.virsh("blockcommit", "vda", "--active")
    vm.wait_ready()
    mirror = disk(vm).mirror
    assert mirror is not None
    assert (mirror.job, mirror.ready) == (MirrorJob.ACTIVE_COMMIT, MirrorReady.YES)
    assert mirror.destination is not None
    assert before.base is not None
    assert mirror.destination.path == before.base.path


def test_a_changed_definition_is_taken(guest: Guests) -> None:
    """libvirt defines the domain with the new place, and nothing else of it has changed."""
    vm = guest(disks=[DiskSpec(layers=2)])
    old = vm.xml(inactive=True)
    base = disk(vm).chain.base
    assert base is not None
    path = vm.directory / "changed.xml"
    path.write_text(domain_with_disk_source(old, "vda", base))
    vm.hypervisor.virsh("define", path)
    new = disk(vm, inactive=True)
    assert new.chain.active is not None
    assert (new.chain.active.path, new.chain.active.format) == (base.path, base.format)
    path.write_text(old)
    vm.hypervisor.virsh("define", path)
    assert vm.xml(inactive=True) == old
