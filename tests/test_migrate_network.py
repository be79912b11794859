"""The way to another host: names, addresses and ports, as far as they can be known beforehand."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.copy_facts import refusals, warnings
from tests.engine import watched
from tests.test_migrate_plan import facts, plan
from tests.two_hosts import LOOPBACK, directory_at, migration
from tui.engine.network_facts import settings_of
from tui.model.migrate_network import (
    NetworkFacts,
    host_of_memory,
    parse_addresses,
    parse_listening,
    ports_of,
)
from tui.model.migrate_request import MigrateRequest, Transport
from tui.model.plan import Plan
from tui.model.settings import parse_settings

if TYPE_CHECKING:
    from tests.conftest import Hosts
    from tests.guests import Guests
    from tests.hypervisor import Hypervisor

KNOWN = NetworkFacts("host-b", ("10.0.0.2",), frozenset({("::", 22), ("127.0.0.1", 25)}))
LOOPBACK_NAME = "tcp://localhost"
FULL = frozenset(("::", port) for port in range(49152, 49216))
SOCKETS = """\
      1
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:C000 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:C001 0100007F:0016 01 00000000:00000000 00:00000000 00000000     0        0 1 1
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 000000FD000000000000000001000000:0017 00000000000000000000000000000000:0000 0A 00000000:00000000
"""


SOCKETS_OF_BIG = """\
    256
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 7F000001:C000 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   0: FD000000000000000000000000000001:0017 00000000000000000000000000000000:0000 0A 00000000:00000000
"""


def through(network: NetworkFacts, **transport: object) -> Plan:
    return plan(facts(network=network), transport=Transport(**transport))  # type: ignore[arg-type]


def sent(made: Plan) -> str | None:
    return dict(made.facts).get("memory to")


def test_what_the_kernel_shows_of_sockets() -> None:
    assert parse_listening(SOCKETS.splitlines()) == {("127.0.0.1", 49152), ("::", 22), ("fd00::1", 23)}
    assert parse_listening(SOCKETS_OF_BIG.splitlines()) == {("127.0.0.1", 49152), ("fd00::1", 23)}


@pytest.mark.parametrize(
    ("answer", "addresses"),
    [
        ("10.0.0.2 STREAM host-b\n10.0.0.2 DGRAM\nfd00::2 STREAM\n", ("10.0.0.2", "fd00::2")),
        ("", ()),
        ("?\n", None),
    ],
)
def test_what_a_name_is_taken_for(answer: str, addresses: tuple[str, ...] | None) -> None:
    assert parse_addresses(answer) == addresses


def test_what_a_configuration_says() -> None:
    text = "# user = 'x'\nuser = \"root\" # why\n  migration_port_min = 1000\nlist = [ \"a\" ]\nmigration_host='b'\n"
    settings = parse_settings(text)
    assert settings == {"user": "root", "migration_port_min": "1000", "migration_host": "b"}
    assert ports_of(settings) == (range(1000, 49216), True)
    assert ports_of({}) == (range(49152, 49216), True)
    assert ports_of(None) == (range(49152, 49216), False)
    assert ports_of({"migration_port_min": "60000"}) == (range(49152, 49216), False), "not what it goes by"


def test_to_whom_the_source_connects() -> None:
    def host(uri: str | None, *, offline: bool = False, **settings: str) -> str | None:
        wish = MigrateRequest("u", "d", transport=Transport(migrate_uri=uri), offline=offline)
        return host_of_memory(wish, "own", settings)

    assert host(None) == "own"
    assert host(None, migration_host="10.0.0.9") == "10.0.0.9"
    assert host("tcp://[fd00::2]:49152") == "fd00::2"
    assert host("unix:///run/x") is None
    assert host("tcp://b:none") is None
    assert host(None, offline=True) is None


def test_the_source_must_know_the_name() -> None:
    made = through(KNOWN)
    assert (refusals(made), sent(made)) == (set(), "host-b, 10.0.0.2")
    unknown = NetworkFacts("host-b", ())
    assert refusals(through(unknown)) == {"host-name"}
    (finding,) = (one for one in through(unknown).findings if one.check == "host-name")
    assert finding.reason == "host-b calls itself host-b, and host-a does not know that name."
    assert "--migrate-uri" in finding.remedy
    unsure = through(replace(unknown, sure=False))
    assert (refusals(unsure), "host-name" in warnings(unsure)) == (set(), True)
    named = through(unknown, migrate_uri="tcp://host-b")
    assert "host-a is to connect to host-b" in next(
        f.reason for f in named.findings if f.check == "host-name"
    )


def test_what_nobody_can_ask_is_told_and_is_no_finding() -> None:
    made = through(NetworkFacts("host-b"))
    assert "host-name" not in refusals(made) | warnings(made)
    assert sent(made) == "host-b; host-a could not be asked whether it knows that name"
    assert sent(through(NetworkFacts("10.0.0.2"), migrate_uri="tcp://10.0.0.2")) == "10.0.0.2"


def test_a_name_that_leads_back() -> None:
    assert refusals(through(NetworkFacts("localhost.localdomain", ("127.0.0.1",)))) == {"host-name"}
    looped = NetworkFacts("host-b", ("127.0.1.1", "::1"))
    assert "host-name" in warnings(through(looped))
    assert "host-name" not in warnings(through(looped, migrate_uri="tcp://host-b"))


@pytest.mark.parametrize(
    ("transport", "checks"),
    [
        ({"disks_port": 22}, {"port-taken"}),
        ({"disks_uri": "tcp://host-b:22"}, {"port-taken"}),
        ({"migrate_uri": "tcp://host-b:22"}, {"port-taken"}),
        ({"migrate_uri": "tcp://host-b:2222", "disks_port": 2222}, {"options"}),
        ({"migrate_uri": "host-b"}, {"options"}),
        ({"migrate_uri": "tcp://host-b:x"}, {"options"}),
        ({"disks_uri": "rdma://host-b:2222"}, {"options"}),
        ({"disks_port": 2222}, set()),
        ({"disks_port": 25}, {"port-taken"}),
        ({"disks_port": 25, "listen_address": "::"}, {"port-taken"}),
        ({"disks_port": 25, "listen_address": "127.0.0.1"}, {"port-taken"}),
        ({"disks_port": 25, "listen_address": "10.0.0.2"}, set()),
        ({"disks_port": 22, "listen_address": "10.0.0.2"}, {"port-taken"}),
        ({"migrate_uri": "unix:///run/x", "disks_uri": "unix:///run/y"}, set()),
    ],
)
def test_ports_and_uris_that_are_named(transport: dict[str, object], checks: set[str]) -> None:
    assert refusals(through(KNOWN, **transport)) == checks


def test_ports_that_libvirt_chooses() -> None:
    def none_of(listening: frozenset[tuple[str, int]], **transport: object) -> bool:
        network = NetworkFacts("host-b", ("10.0.0.2",), listening)
        return "no-port" in refusals(through(network, **transport))

    assert not none_of(FULL - {("::", 49152), ("::", 49153)})
    assert none_of(FULL - {("::", 49152)})
    assert not none_of(FULL - {("::", 49152)}, disks_port=2222)
    assert none_of(FULL, disks_port=2222)
    assert not none_of(FULL, disks_port=2222, migrate_uri="tcp://host-b:2223")


def test_a_guest_that_is_frozen_stays() -> None:
    frozen, unknown = plan(facts(frozen=True)), plan(facts(frozen=None))
    assert refusals(frozen) == {"frozen"}
    assert (refusals(unknown), "maybe-frozen" in warnings(unknown)) == (set(), True)
    assert not {"frozen", "maybe-frozen"} & warnings(plan())
    assert any("virsh domfsthaw db01" in finding.remedy for finding in frozen.findings)


def test_real_hosts_are_asked(hypervisor: Hypervisor, hosts: Hosts, guest: Guests) -> None:
    other, made = hosts("host-b"), guest()
    _place, maps = directory_at(other, made)
    with watched(hypervisor) as host, socket.create_server(("127.0.0.1", 0)) as server:
        assert settings_of(host) is None, "a daemon at another socket is another daemon"
        by_name = MigrateRequest(made.uuid, other.uri, maps=maps)
        plan = host.plan(by_name)
        assert (refusals(plan), "host-name" in warnings(plan)) == (set(), True), "nobody here knows host-b"
        assert refusals(host.plan(migration(made, other, maps=maps))) == set()
        named = MigrateRequest(
            made.uuid, other.uri, maps=maps, transport=Transport(migrate_uri=LOOPBACK_NAME)
        )
        assert "127.0.0.1" in (sent(host.plan(named)) or "")
        port = server.getsockname()[1]
        taken = MigrateRequest(
            made.uuid, other.uri, maps=maps, transport=Transport(migrate_uri=f"{LOOPBACK}:{port}")
        )
        assert refusals(host.plan(taken)) == {"port-taken"}
