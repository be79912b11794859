"""Why a host was not reached, in words, and what to do about it."""

from __future__ import annotations

import re

from tui.engine.errors import AccessDenied, HostError, NoConnection

_GROUP = "Join the group libvirt, or use qemu:///session."
_DENIED = (
    (
        "Host key verification failed",
        "Connect once with ssh from a shell, and compare the key that it shows.",
    ),
    (
        "Permission denied (",
        "Load a key that the host knows into ssh-agent, or name one with keyfile= in the URI.",
    ),
    ("authentication unavailable", _GROUP),
    ("authentication failed", "Check the name and the password that this host is to be reached with."),
    ("libvirt-sock': Permission denied", _GROUP),
)
"""Of whom the host wants to know nothing: part of libvirt's message, and what to do."""
_AWAY = (
    ("There is no hypervisor in", "Make a new lab with ./tui/demo --keep, or check the path."),
    ("Failed to connect socket", "Start libvirtd or virtqemud there, and check the path of its socket."),
    ("Connection refused", "Check the port, and that the server listens there."),
    ("Could not resolve hostname", "Check the name of the host."),
    ("unable to resolve", "Check the name of the host."),
    ("No route to host", "Check the network, and the name of the host."),
)
_TAKEN = "Failed to acquire pid file"
"""What libvirt says of a hypervisor that is inside of another process."""
_REMEDY = "Check the URI, that libvirt runs there, and that you may use it."


def explained(error: HostError) -> NoConnection:
    """The same failure to connect, without libvirt's wrapping, and with what to do."""
    wrapped = re.fullmatch(r"Cannot recv data: (.*): Connection reset by peer\.", error.message, re.DOTALL)
    # What ssh prints may be several lines; the last says why.
    message = (wrapped[1].strip().splitlines() or [error.message])[-1] if wrapped else error.message
    message = message.strip().rstrip(".") + "."
    if _TAKEN in message:
        taken = "Another program has this embedded hypervisor open."
        return NoConnection(taken, code=error.code, remedy="Close that first.")
    for part, remedy in _DENIED:
        if part in message:
            return AccessDenied(message, code=error.code, remedy=remedy)
    remedy = next((remedy for part, remedy in _AWAY if part in message), _REMEDY)
    return NoConnection(message, code=error.code, remedy=remedy)
