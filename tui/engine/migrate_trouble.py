"""Why TLS between two hosts failed, in words, and what to do about it."""

from __future__ import annotations

import re

from tui.engine.errors import HostError, StepFailed
from tui.model.migrate_steps import Migrate
from tui.model.text import printable

_TROUBLES = (
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
    (
        r"Cannot (read from|write to) TLS channel|TLS handshake failed",
        "{there} or this host broke TLS off: one does not accept the certificate of the other.",
        "Look at client-cert.pem and client-key.pem on this host, and at ca-cert.pem on both.",
    ),
)
"""Part of libvirt's message, which is QEMU's, what it means, and what to do."""


def without_tls(error: HostError, step: Migrate) -> HostError | None:
    """The same failure in words, if it is one of TLS."""
    if not step.transport.tls:
        return None
    for pattern, sentence, remedy in _TROUBLES:
        found = re.search(pattern, error.message)
        if found:
            what = printable(found.groupdict().get("what") or "")
            message = sentence.format(there=printable(step.host), what=what)
            return StepFailed(message, code=error.code, remedy=remedy)
    return None
