"""What people read when a host does not let them in."""

from __future__ import annotations

import pytest

from tui.engine.access import explained
from tui.engine.errors import AccessDenied, HostError


@pytest.mark.parametrize(
    ("message", "said", "denied"),
    [
        (
            "Failed to acquire pid file '/l/driver.pid': Resource temporarily unavailable",
            "Another program has this embedded hypervisor open. Close that first.",
            False,
        ),
        ("unable to resolve 'far'", "unable to resolve 'far'. Check the name of the host.", False),
        (
            "Cannot recv data: me@far: Permission denied (publickey).: Connection reset by peer.",
            "me@far: Permission denied (publickey). Load a key that the host knows into ssh-agent",
            True,
        ),
    ],
)
def test_what_happened_and_what_to_do(message: str, said: str, denied: bool) -> None:  # noqa: FBT001
    found = explained(HostError(message))
    assert said in str(found)
    assert isinstance(found, AccessDenied) is denied
