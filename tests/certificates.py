"""Certificates for hosts that speak TLS with each other, of an authority that is made for a test."""

from __future__ import annotations

import datetime as dt
import ipaddress
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.hypervisor import Hypervisor

_VALID = dt.timedelta(days=1)


class Authority:
    """Signs certificates that nobody else trusts."""

    def __init__(self) -> None:
        """Make its own."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = _named("tests")
        signing = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = self._begun(name, self._key.public_key()).add_extension(signing, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._own = builder.sign(self._key, hashes.SHA256())

    def issue(self, directory: Path, *names: str) -> None:
        """Write what QEMU looks for into a directory: for a server of these names, and for a client."""
        directory.mkdir(exist_ok=True)
        (directory / "ca-cert.pem").write_bytes(_pem(self._own))
        for role, purpose in (
            ("server", ExtendedKeyUsageOID.SERVER_AUTH),
            ("client", ExtendedKeyUsageOID.CLIENT_AUTH),
        ):
            key = ec.generate_private_key(ec.SECP256R1())
            builder = self._begun(_named(names[0]), key.public_key())
            builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
            )
            (directory / f"{role}-cert.pem").write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
            (directory / f"{role}-key.pem").write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_named("tests"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _VALID)
            .not_valid_after(now + _VALID)
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@contextmanager
def certified(hypervisor: Hypervisor, directory: Path) -> Iterator[None]:
    """Have a host use the certificates of a directory for migrations; its daemon is started anew for that."""
    configuration = hypervisor.root / "etc" / "qemu.conf"
    before = configuration.read_text()
    configuration.write_text(f'{before}migrate_tls_x509_cert_dir = "{directory}"\n')
    hypervisor.restart()
    try:
        yield
    finally:
        configuration.write_text(before)
        hypervisor.restart()
