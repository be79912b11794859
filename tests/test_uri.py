"""What a URI tells of a host."""

from __future__ import annotations

import pytest

from tui.engine.uri import is_local, unattended


@pytest.mark.parametrize(
    ("uri", "local"),
    [
        ("qemu:///system", True),
        ("qemu:///session", True),
        ("qemu:///embed?root=/tmp/x", True),
        ("qemu+unix:///system?socket=/run/x", True),
        ("qemu+ssh://host/system", False),
        ("qemu+ssh:///system", False),
        ("qemu://host/system", False),
        ("qemu+tls://host/system", False),
        ("qemu+tcp:///system", False),
        ("test:///default", False),
        ("qemu://[half/system", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(uri: str, local: bool) -> None:  # noqa: FBT001
    assert is_local(uri) is local


@pytest.mark.parametrize(
    ("uri", "quiet"),
    [
        ("qemu+ssh://root@host-a/system", "qemu+ssh://root@host-a/system?no_tty=1"),
        ("qemu+ssh://host-a/system?keyfile=/k", "qemu+ssh://host-a/system?keyfile=/k&no_tty=1"),
        ("qemu+ssh://host-a/system?no_tty=0", "qemu+ssh://host-a/system?no_tty=0"),
        ("qemu:///system", "qemu:///system"),
        ("qemu+tls://host-a/system", "qemu+tls://host-a/system"),
        ("", ""),
        ("qemu+ssh://[", "qemu+ssh://["),
    ],
)
def test_only_ssh_is_told_to_ask_nothing(uri: str, quiet: str) -> None:
    assert unattended(uri) == quiet
