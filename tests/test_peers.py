"""The other hosts that a host knows, as far as no libvirt is needed for that."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.fake_host import make_state
from tui.engine.errors import StepFailed
from tui.engine.host import Host
from tui.engine.peers import Peers
from tui.model.host import HostState, Link


class Away:
    """A host that is not reached, or not any more."""

    def __init__(self, state: HostState) -> None:
        """Be in this state."""
        self.state = state
        self.peers = Peers(lambda _uri: cast("Host", self))
        self.closed = False

    def wait_for(self, found: Any, *, timeout: float) -> Any:  # noqa: ARG002
        """As ``Host.wait_for``, without waiting."""
        return found(self.state)

    def close(self) -> None:
        """As ``Host.close``."""
        self.closed = True


@pytest.mark.parametrize("hostname", [None, "host-b"])
def test_what_has_never_answered_is_not_tried_for_ever(hostname: str | None) -> None:
    opened: list[Away] = []

    def open_host(_uri: str) -> Host:
        opened.append(Away(make_state(link=Link.LOST, hostname=hostname, error="Nobody there.")))
        return cast("Host", opened[-1])

    peers = Peers(open_host)
    for _ in range(2):
        with pytest.raises(StepFailed, match="is not reached"):
            peers.get("qemu://slip-of-the-pen/system")
    never = hostname is None
    assert [host.closed for host in opened] == ([True, True] if never else [False])
