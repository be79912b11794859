"""Why a guest did not get to the other host, in words, where libvirt only says on what its QEMU gave up."""

from __future__ import annotations

import re

from tui.engine.errors import HostError, StepFailed
from tui.model.migrate_steps import Migrate
from tui.model.migration import Migration
from tui.model.text import printable

_CERTIFICATES = (
    (
        r"Unable to access credentials (?P<what>.+?): ",
        "One of the two hosts lacks a certificate for TLS: {what} is not there.",
        "Put it there, or set migrate_tls_x509_cert_dir in its qemu.conf.",
    ),
    (
        r"Certificate does not match the hostname (?P<what>\S+?)\.?(\s|$)",
        "The certificate of {there} is not for {what}, to which the guest is sent.",
        "Name what it is for with --tls-destination.",
    ),
    (
        r"The certificate is not trusted|certificate hasn't got a known issuer",
        "The certificate of {there} is signed by nobody whom this host trusts.",
        "Have one authority sign those of both hosts, and put its ca-cert.pem on both.",
    ),
    (
        r"certificate (?P<what>\S+) (has expired|is not yet active)|The certificate has expired",
        "A certificate for TLS has expired, or is not valid yet.",
        "Look at those of both hosts, and at their clocks.",
    ),
)
_REFUSED = (
    (
        r"Cannot (read from|write to) TLS channel|TLS handshake failed",
        "{there} or this host broke TLS off: one does not accept the certificate of the other.",
        "Look at client-cert.pem and client-key.pem on this host, and at ca-cert.pem on both.",
    ),
)
_BROKEN = (
    (
        r"migration of disk (?P<what>\S+) failed: (?P<why>Input/output error)",
        "The copy of {what} to {there} broke off, as when the line between the hosts is cut: {why}.",
        "See that they reach each other, and that both images can be read and written, and migrate again.",
    ),
    # QEMU closes a line that has failed, and then complains that it is closed; the one that loads finds it too short.
    (
        (
            r"(?P<why>(Unable to|Cannot) (read from|write to) (socket|TLS channel): .+?|Channel error: .+?"
            r"|load of migration failed: Input/output error|Read section footer failed: -5)\.?(\n|$)"
        ),
        (
            "The memory of {name} broke off on its way to {there}, as when the line between the hosts is cut, "
            "a disk cannot be copied, or QEMU ends there: {why}."
        ),
        "See that they reach each other, look at the log of {name} at {there}, and migrate again.",
    ),
)
"""Each with part of libvirt's message, which is QEMU's, what it means, and what to do."""


def in_words(error: HostError, step: Migrate, seen: Migration) -> HostError | None:
    """The same failure in words, if it is one of TLS or of the line.

    Args:
        error: what libvirt said.
        step: the way.
        seen: how far it had come.
    """
    # Hosts of which one has sent the other something have accepted each other.
    tls = (*_CERTIFICATES, *(() if seen.begun else _REFUSED)) if step.transport.tls else ()
    for pattern, sentence, remedy in (*tls, *_BROKEN):
        found = re.search(pattern, error.message)
        if found:
            said = {key: printable(text or "") for key, text in found.groupdict().items()}
            words = {"name": printable(step.domain), "there": printable(step.host), "what": "", **said}
            return StepFailed(sentence.format(**words), code=error.code, remedy=remedy.format(**words))
    return None
