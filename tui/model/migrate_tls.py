"""The certificates by which two hosts encrypt a migration, as QEMU looks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.model.finding import Finding, fine, refused
from tui.model.text import listed, printable

if TYPE_CHECKING:
    from tui.model.migrate_case import MigrateCase

_OWN = "/etc/pki/libvirt-migrate"
_USUAL = "/etc/pki/qemu"
_SERVER = ("ca-cert.pem", "server-cert.pem", "server-key.pem")
_CLIENT = ("ca-cert.pem",)
_PROOF = ("client-cert.pem", "client-key.pem")
"""What a client needs more where a server wants to know who it is."""
_FEW, _LONGEST = 6, 60


@dataclass(frozen=True, slots=True)
class Certificates:
    """What a host has."""

    directory: str
    """Where its QEMU looks for them."""
    files: frozenset[str]
    """The names of those that are there."""


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What could be seen; ``None`` is nothing."""

    here: Certificates | None = None
    there: Certificates | None = None
    verifies: bool = True
    """Whether the other host wants to know who comes, as it does unless it is told otherwise."""


def directories(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Where the QEMU of a host looks for certificates: the first that is there, or the last."""
    chosen = settings.get("migrate_tls_x509_cert_dir")
    return (chosen,) if chosen else (_OWN, settings.get("default_tls_x509_cert_dir") or _USUAL)


def verifies(settings: Mapping[str, str]) -> bool:
    """Whether a host wants to know who comes."""
    usual = settings.get("default_tls_x509_verify", "1")
    return settings.get("migrate_tls_x509_verify", usual) != "0"


def check_tls(case: MigrateCase) -> Iterator[Finding]:
    """Whether both hosts have what they need for it."""
    facts = case.facts
    if not case.request.transport.tls or case.request.offline:
        return
    client = (*_CLIENT, *_PROOF) if facts.tls.verifies else _CLIENT
    sides = ((facts.there, facts.tls.there, _SERVER), (facts.host, facts.tls.here, client))
    lacking = [finding for side in sides for finding in _check_side(*side)]
    yield from lacking
    if not lacking and facts.tls.here and facts.tls.there:
        yield fine("tls-certificates", "Both hosts have certificates for TLS.")


def _check_side(host: str, known: Certificates | None, needed: tuple[str, ...]) -> Iterator[Finding]:
    missing = [name for name in needed if known is not None and name not in known.files]
    if known is not None and missing:
        yield refused(
            "tls-certificates",
            f"{printable(host)} lacks in {printable(known.directory)} what TLS needs: "
            f"{listed(missing, _FEW, _LONGEST)}.",
            "Put it there, or set migrate_tls_x509_cert_dir in its qemu.conf.",
        )
