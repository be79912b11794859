"""Guests that go to another host by TLS, listened to on the way."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.certificates import Authority, certified
from tests.copy_facts import refusals
from tests.engine import carried_out, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.relay import HERE, Relay, by_way_of
from tests.test_migrate_plan import facts, plan, step
from tests.two_hosts import LOOPBACK, directory_at, removed_from, state_at
from tui.engine import network_facts
from tui.engine.control import End
from tui.engine.files import FilesHere
from tui.engine.network_facts import tls_facts
from tui.model.migrate_request import MigrateRequest, Transport
from tui.model.migrate_steps import Migrate
from tui.model.migrate_tls import Certificates, TlsFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


WRITTEN = b"\x01" * 4096
"""What the disks of guests are filled with."""


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Whom both hosts trust."""
    return Authority()


@pytest.fixture
def trusted(
    hypervisor: Hypervisor, other: Hypervisor, authority: Authority, tmp_path: Path
) -> Iterator[None]:
    """Certificates for both hosts."""
    authority.issue(tmp_path / "a", "host-a")
    authority.issue(tmp_path / "b", "host-b", HERE)
    with certified(hypervisor, tmp_path / "a"), certified(other, tmp_path / "b"):
        yield


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("tls", [True, False], ids=["encrypted", "as it is"])
@pytest.mark.parametrize("p2p", [False, True], ids=["direct", "p2p"])
def test_nothing_is_read_on_the_way(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, *, tls: bool, p2p: bool
) -> None:
    made = guest(disks=[DiskSpec(data=2 * MIB)])
    _there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made), Relay() as memory, Relay() as disks:
        transport = by_way_of(memory, disks, tls=tls, p2p=p2p)
        carried_out(host, MigrateRequest(made.uuid, other.uri, maps=maps, transport=transport))
        assert state_at(other, made) == "running"
        assert [bytes(line[:2]) for line in memory.sent] == [b"\x16\x03" if tls else b"QE"]
        copied = b"".join(disks.sent)
        assert len(copied) > 2 * MIB
        assert (WRITTEN in copied) is not tls


@pytest.mark.usefixtures("trusted")
def test_a_certificate_is_for_the_name_that_is_given(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, authority: Authority, tmp_path: Path
) -> None:
    authority.issue(tmp_path / "b", "host-b")
    made = guest()
    _there, maps = directory_at(other, made)
    by_number = Transport(tls=True, migrate_uri=LOOPBACK)
    with watched(hypervisor) as host, removed_from(other, made):
        wish = MigrateRequest(made.uuid, other.uri, maps=maps, transport=by_number)
        outcome = carried_out(host, wish, End.FAILED)
        assert outcome.message.startswith("The certificate of host-b is not for 127.0.0.1, to which")
        assert "--tls-destination" in outcome.message
        assert state_at(hypervisor, made) == "running"
        carried_out(host, replace(wish, transport=replace(by_number, tls_destination="host-b")))


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("a/ca-cert.pem", "One of the two hosts lacks a certificate for TLS: "),
        ("b/server-key.pem", "One of the two hosts lacks a certificate for TLS: "),
        ("a/client-cert.pem", "host-b or this host broke TLS off"),
    ],
)
def test_what_is_missing_is_said_in_words(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, *, tmp_path: Path, gone: str, words: str
) -> None:
    (tmp_path / gone).unlink()
    assert failure(hypervisor, other, guest()).startswith(words)


@pytest.mark.usefixtures("trusted")
def test_an_authority_that_nobody_knows(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, tmp_path: Path
) -> None:
    Authority().issue(tmp_path / "b", HERE)
    said = failure(hypervisor, other, guest())
    assert said.startswith("The certificate of host-b is signed by nobody whom")


def failure(hypervisor: Hypervisor, other: Hypervisor, made: Guest) -> str:
    """Why a guest does not go by TLS; it goes on where it is."""
    _there, maps = directory_at(other, made)
    transport = Transport(tls=True, migrate_uri=LOOPBACK)
    with watched(hypervisor) as host, removed_from(other, made):
        wish = MigrateRequest(made.uuid, other.uri, maps=maps, transport=transport)
        outcome = carried_out(host, wish, End.FAILED)
        assert state_at(hypervisor, made) == "running"
        assert state_at(other, made) is None
    return outcome.message


# Beforehand

SERVER = Certificates("/pki", frozenset({"ca-cert.pem", "server-cert.pem", "server-key.pem"}))
CLIENT = Certificates("/pki", frozenset({"ca-cert.pem", "client-cert.pem", "client-key.pem"}))
ALONE = Certificates("/pki", frozenset({"ca-cert.pem"}))


def encrypted(tls: TlsFacts, **more: Any) -> Any:
    return plan(facts(tls=tls), transport=Transport(tls=True, **more))


def test_certificates_are_seen_before_it_starts() -> None:
    good = encrypted(TlsFacts(CLIENT, SERVER))
    assert refusals(good) == set()
    assert any(finding.check == "tls-certificates" for finding in good.findings)
    assert refusals(encrypted(TlsFacts())) == set(), "what nobody could see is no finding"
    assert refusals(encrypted(TlsFacts(ALONE, SERVER))) == {"tls-certificates"}
    assert refusals(encrypted(TlsFacts(ALONE, SERVER, verifies=False))) == set()
    bad = encrypted(TlsFacts(CLIENT, ALONE))
    (finding,) = (one for one in bad.findings if one.check == "tls-certificates")
    assert finding.reason == "host-b lacks in /pki what TLS needs: server-cert.pem, server-key.pem."
    assert refusals(plan(facts(tls=TlsFacts(ALONE, ALONE)))) == set(), "without TLS nobody needs any"


def test_the_name_of_a_certificate_goes_with_tls() -> None:
    made = encrypted(TlsFacts(), tls_destination="host-b")
    assert "--tls-destination host-b" in step(made, Migrate).commands[0]
    assert refusals(plan(facts(), transport=Transport(tls_destination="host-b"))) == {"options"}


def at(files: FilesHere | None, uri: str = "qemu:///system") -> Any:
    return SimpleNamespace(files=files, reached_by=uri)


def test_where_certificates_are_is_what_the_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    configuration, place = tmp_path / "qemu.conf", tmp_path / "pki"
    monkeypatch.setattr(network_facts, "CONFIGURATION", str(configuration))
    configuration.write_text(f'migrate_tls_x509_cert_dir = "{place}"\nmigrate_tls_x509_verify = 0\n')
    here = at(FilesHere())
    assert tls_facts(here, here).there == Certificates(str(place), frozenset())
    authority.issue(place, "host-b")
    found = tls_facts(here, at(None))
    assert found.here is not None
    assert found.here.files == SERVER.files | CLIENT.files
    assert (found.there, found.verifies) == (None, True), "nobody could ask"
    assert not tls_facts(at(None), here).verifies
    assert tls_facts(here, at(FilesHere(), "qemu+unix:///system?socket=/s")).there is None
    configuration.unlink()
    assert tls_facts(here, here).verifies
