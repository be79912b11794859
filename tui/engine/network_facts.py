"""What must be known of the way from one host to another: what each of them says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tui.engine.errors import HostError
from tui.model.migrate_network import (
    NetworkFacts,
    host_of_memory,
    is_number,
    parse_addresses,
    parse_listening,
    ports_of,
)
from tui.model.migrate_request import MigrateRequest
from tui.model.migrate_tls import Certificates, TlsFacts, directories, verifies
from tui.model.settings import parse_settings

if TYPE_CHECKING:
    from tui.engine.host import Host

CONFIGURATION = "/etc/libvirt/qemu.conf"
_SETTINGS = 'if [ -e "$1" ]; then exec cat -- "$1"; fi'
"""One that is there and cannot be read is a failure."""
_LISTED = """for place; do if [ -d "$place" ]; then break; fi; done
echo "$place"
if [ -d "$place" ]; then exec ls -- "$place"; fi"""
"""The first of these directories that is there, or the last one, and what is in it."""
_SOCKETS = """[ -r /proc/net/tcp ] || exit 0
printf '\\1\\0' | od -An -td2
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || :"""
"""What the machine takes two bytes for, which tells the order in which it has them; then the kernel's tables."""
_LOOK_UP = 'LC_ALL=C timeout 5 getent ahosts "$1" || [ $? = 2 ] || echo "?"'
"""Names that nobody answers for take a while; of those that nobody has getent says so by a 2."""


def network_facts(request: MigrateRequest, host: Host, there: Host) -> NetworkFacts:
    """Ask both hosts; ``host`` is the one that has the domain."""
    known = settings_of(there)
    settings = known or {}
    name = host_of_memory(request, there.state.hostname, settings)
    sockets = _asked(there, _SOCKETS)
    addresses = None
    if name is not None and not is_number(name):
        answer = _asked(host, _LOOK_UP, name)
        addresses = parse_addresses(answer) if answer is not None else None
    ports, sure = ports_of(known)
    listening = parse_listening(sockets.splitlines()) if sockets else None
    return NetworkFacts(name, addresses, listening, ports, sure=sure)


def tls_facts(host: Host, there: Host) -> TlsFacts:
    """Look which certificates both hosts have; ``host`` is the one that has the domain."""
    here_settings, there_settings = settings_of(host), settings_of(there)
    return TlsFacts(
        _certificates(host, here_settings),
        _certificates(there, there_settings),
        verifies(there_settings or {}),
    )


def _certificates(host: Host, settings: dict[str, str] | None) -> Certificates | None:
    if settings is None:
        return None
    answer = _asked(host, _LISTED, *directories(settings))
    directory, *files = answer.splitlines() if answer else ("",)
    return Certificates(directory, frozenset(files)) if directory else None


def settings_of(host: Host) -> dict[str, str] | None:
    """What the configuration of its hypervisor says; ``None`` where nobody can read that, or knows which it is."""
    uri = urlsplit(host.reached_by)
    if uri.path != "/system" or "socket" in parse_qs(uri.query):
        # A daemon that is not where all look for it may have another configuration.
        return None
    text = _asked(host, _SETTINGS, CONFIGURATION)
    return parse_settings(text) if text is not None else None


def _asked(host: Host, script: str, *arguments: str) -> str | None:
    """What its own tools say; ``None`` where they cannot be asked."""
    if host.files is None:
        return None
    try:
        return host.files.ask(script, *arguments)
    except HostError:
        return None
