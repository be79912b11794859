"""Definitions and destinations on a real host: what libvirt writes is read, what we write is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tui.engine.images import image_info, read_chain
from tui.model.definition import parse_domain
from tui.model.destination import destination_xml, domain_with_disk_source
from tui.model.disk import MirrorJob, MirrorReady
from tui.model.storage import Chain, FileSource, Layer, NetworkHost, NetworkSource
from tests.guests import DiskSpec

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
    guest.virsh("blockcopy", guest.name, "vda", "--xml", path, "--transient-job", *flags)
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
    """Flattened, and standing on the chain of the source; names need escaping."""
    vm = guest(disks=[DiskSpec(layers=3)])
    source = disk(vm).chain
    new = Layer(FileSource(str(vm.directory / "n <e&w> 'x'.qcow2")), "qcow2")
    for flags, chain in ((), [new]), (("--shallow",), [new, *source.layers[1:]]):
        blockcopy(vm, destination_xml(new), *flags)
        mirror = disk(vm).mirror
        assert mirror is not None
        assert (mirror.job, mirror.ready) == (MirrorJob.COPY, MirrorReady.YES)
        assert paths(mirror.chain) == [(layer.path, layer.format) for layer in chain]
        assert mirror.chain.complete
        vm.virsh("blockjob", vm.name, "vda", "--abort")
        (vm.directory / "n <e&w> 'x'.qcow2").unlink()
    assert disk(vm).chain == source


@pytest.mark.parametrize("tcp", [False, True])
def test_mirror_to_the_network(guest: Guests, nbd_server: MakeNbd, tcp: bool) -> None:  # noqa: FBT001
    vm = guest(disks=[DiskSpec()])
    server = nbd_server(tcp=tcp)
    where = server.source()
    host = NetworkHost("127.0.0.1", str(server.port)) if tcp else NetworkHost(None, None, "unix", str(server.socket))
    new = Layer(NetworkSource("nbd", server.export, (host,)), "raw")
    blockcopy(vm, destination_xml(new, backing=Chain()), "--reuse-external")
    mirror = disk(vm).mirror
    assert mirror is not None
    assert mirror.destination is not None
    assert mirror.destination.source == new.source, where


def test_active_commit_is_a_mirror_too(guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(layers=3)])
    before = disk(vm).chain
    vm.virsh("blockcommit", vm.name, "vda", "--active", "--wait", "--keep-overlay")
    after = disk(vm)
    assert after.chain == before
    vm.virsh("blockcommit", vm.name, "vda", "--active")
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
    vm.virsh("define", path)
    new = disk(vm, inactive=True)
    assert new.chain.active is not None
    assert (new.chain.active.path, new.chain.active.format) == (base.path, base.format)
    path.write_text(old)
    vm.virsh("define", path)
    assert vm.xml(inactive=True) == old
