"""What is gone between the call that lists it and the one that asks it: libvirt's own test driver shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tui.engine.connection import Connection
from tui.engine.errors import HostError

import libvirt  # isort: skip

VOLUME = "<volume><name>v</name><capacity>1048576</capacity></volume>"


@pytest.fixture
def connection() -> Iterator[Connection]:
    made = Connection("test:///default", read_only=False, on_event=lambda _event: None)
    yield made
    made.close()


def test_a_network_that_is_gone_is_refused_as_all_else(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_all = libvirt.virConnect.listAllNetworks

    def listed(conn: Any, flags: int) -> Any:
        gone = conn.networkDefineXML("<network><name>gone</name></network>")
        found = list_all(conn, flags)
        gone.undefine()
        return found

    assert connection.networks() == {"default": True}
    monkeypatch.setattr(libvirt.virConnect, "listAllNetworks", listed)
    with pytest.raises(HostError) as error:
        connection.networks()
    assert error.value.code == libvirt.VIR_ERR_NO_NETWORK


def test_a_volume_that_is_gone_is_refused_as_all_else(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_all = libvirt.virStoragePool.listAllVolumes

    def listed(pool: Any, flags: int) -> Any:
        gone = pool.createXML(VOLUME)
        found = list_all(pool, flags)
        gone.delete()
        return found

    assert connection.volumes("default-pool") == ()
    monkeypatch.setattr(libvirt.virStoragePool, "listAllVolumes", listed)
    with pytest.raises(HostError) as error:
        connection.volumes("default-pool")
    assert error.value.code == libvirt.VIR_ERR_NO_STORAGE_VOL
