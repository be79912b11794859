"""The certificates by which two hosts encrypt a migration, as QEMU looks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_OWN = "/etc/pki/libvirt-migrate"
_USUAL = "/etc/pki/qemu"


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
