"""A program of its own that begins a copy and is killed by the test.

It prints a line when the copy has begun, and waits to be killed.
"""

from __future__ import annotations

import sys
import threading

from tui.engine.host import Host
from tui.model.request import CopyRequest, Then
from tui.model.storage import Chain, FileSource, Layer


def main(uri: str, uuid: str, path: str, then: str, bandwidth: str) -> None:
    """Copy vda of a domain, and say how far it is."""
    host = Host(uri)
    host.wait_for(lambda s: True if s.listed and s.unread == 0 else None, timeout=60)
    chain = Chain((Layer(FileSource(path)),), complete=False)
    run = host.run(host.plan(CopyRequest(uuid, "vda", chain, then=Then(then), bandwidth=int(bandwidth))))
    host.wait_for(lambda s: True if (job := s.job(uuid, "vda")) and not job.starting else None, timeout=60)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    run.wait()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
