"""Fixtures that every test can ask for: real hosts, guests, pools and network disks, removed after use."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import settings

from tests.engine import PATIENCE
from tests.guests import Guests
from tests.hypervisor import MIB, Hypervisor, UnavailableError
from tests.linux_guest import Kernel, LinuxGuests, install_kernel
from tests.linux_kernel import UnobtainableError
from tests.preflight import Bench
from tests.storage import NbdServer, Pool, cloning_file_system
from tui.engine import host
from tui.engine.connection import Connection, Event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# How long an example takes says how busy the machine is.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


class Hosts(Protocol):
    """Gives hosts by name, each started once."""

    def __call__(self, name: str) -> Hypervisor:
        """The host of that name."""


class MakePool(Protocol):
    """Makes a storage pool."""

    def __call__(self, name: str, path: Path | None = None) -> Pool:
        """A pool on a directory: one of its own, or one that exists."""


class MakeNbd(Protocol):
    """Serves a new network disk."""

    def __call__(self, size: int = 64 * MIB, *, tcp: bool = False) -> NbdServer:
        """A disk of so many bytes, on a UNIX socket or on a port of the loopback address."""


@pytest.fixture(scope="session", autouse=True)
def _time_to_part() -> Iterator[None]:
    """However busy the machine is: what a plan has still to write down when its host is closed, the next one reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, "FAREWELL", PATIENCE)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What programs of tests remember is none of the user's business."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def hosts() -> Iterator[Hosts]:
    """Hosts by name, side by side, for the whole test run."""
    started: dict[str, Hypervisor] = {}
    with ExitStack() as stack:

        def host(name: str) -> Hypervisor:
            if name not in started:
                try:
                    started[name] = Hypervisor(name)
                except UnavailableError as error:
                    pytest.skip(f"no private hypervisor on this machine: {error}")
                stack.callback(started[name].stop)
            return started[name]

        yield host


@pytest.fixture(scope="session")
def hypervisor(hosts: Hosts) -> Hypervisor:
    """The host that most tests use."""
    return hosts("host-a")


@pytest.fixture
def other(hosts: Hosts) -> Hypervisor:
    """Another host, to which guests go."""
    return hosts("host-b")


@pytest.fixture
def small(hypervisor: Hypervisor) -> Iterator[Path]:
    """A directory on a file system of 48 MiB, empty."""
    if hypervisor.small is None:
        pytest.skip("only root can mount a file system that the host sees as well")
    yield hypervisor.small
    for path in hypervisor.small.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.fixture
def guest(hypervisor: Hypervisor) -> Iterator[Guests]:
    """Makes guests; see ``Guests.__call__``."""
    guests = Guests(hypervisor)
    yield guests
    hypervisor.start_daemon()  # A test may have stopped it, and failed.
    guests.remove()


@pytest.fixture(scope="session")
def kernel(hypervisor: Hypervisor) -> Kernel:
    """What Linux guests boot from."""
    try:
        return install_kernel(hypervisor.root)
    except UnobtainableError as error:
        pytest.skip(f"no Linux guest on this machine: {error}")


@pytest.fixture
def linux_guest(hypervisor: Hypervisor, kernel: Kernel) -> Iterator[LinuxGuests]:
    """Makes Linux guests; see ``LinuxGuests.__call__``."""
    guests = LinuxGuests(hypervisor, kernel)
    yield guests
    hypervisor.start_daemon()  # A test may have stopped it, and failed.
    guests.remove()


@pytest.fixture
def cloning(request: pytest.FixtureRequest, hypervisor: Hypervisor) -> Iterator[Path]:
    """A directory on a file system whose files can share their blocks; name it before the guests on it."""
    kind = getattr(request, "param", "btrfs")
    with ExitStack() as stack:
        try:
            place = stack.enter_context(cloning_file_system(hypervisor, kind=kind))
        except UnavailableError as error:
            pytest.skip(f"no file system that can share blocks: {error}")
        yield place


@pytest.fixture
def pool(hypervisor: Hypervisor) -> Iterator[MakePool]:
    """Makes storage pools."""
    with ExitStack() as stack:

        def make(name: str, path: Path | None = None) -> Pool:
            if path is None:
                path = hypervisor.root / f"pool-{name}"
                path.mkdir()
                stack.callback(shutil.rmtree, path)
            made = Pool(hypervisor, name, path)
            stack.callback(made.remove)
            return made

        yield make
        hypervisor.start_daemon()  # A test may have stopped it, and failed.


@pytest.fixture
def nbd_server(hypervisor: Hypervisor) -> Iterator[MakeNbd]:
    """Serves network disks."""
    with ExitStack() as stack:

        def make(size: int = 64 * MIB, *, tcp: bool = False) -> NbdServer:
            made = NbdServer(hypervisor.root, size, tcp=tcp)
            stack.callback(made.stop)
            return made

        yield make


@pytest.fixture
def bench(hypervisor: Hypervisor) -> Iterator[Bench]:
    """A connection to try on what a plan would do."""
    events: list[Event] = []
    connection = Connection(hypervisor.uri, read_only=False, on_event=events.append)
    yield Bench(connection, hypervisor.uri, events)
    connection.close()
