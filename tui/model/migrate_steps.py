"""The steps by which a domain goes to another host: images there, snapshots aside, the guest, snapshots again."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.model.chain_steps import ImageCopy, MakeImage
from tui.model.command import typed, virsh
from tui.model.hierarchy_steps import the_snapshots
from tui.model.migrate_request import Convergence, CopyStorage, Transport, Tune
from tui.model.quantity import rate
from tui.model.text import counted


@dataclass(frozen=True, slots=True)
class MakeThere:
    """Make an image at the other host, for a disk to be copied into."""

    destination: str
    """The URI of the other host."""
    host: str
    """What people call it."""
    image: MakeImage

    @property
    def uuid(self) -> str:
        """The domain."""
        return self.image.uuid

    @property
    def targets(self) -> tuple[str, ...]:
        """The disk."""
        return (self.image.target,)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.image.title} at {self.host}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, at the other host."""
        return self.image.commands

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"{self.image.undo_title}, at {self.host}"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back, at the other host."""
        return self.image.undo_commands


@dataclass(frozen=True, slots=True)
class CompareThere:
    """See that what lies at the other host already is what lies here, byte for byte but for the names of layers."""

    uuid: str
    domain: str
    destination: str
    """The URI of the other host."""
    host: str
    """What people call it."""
    targets: tuple[str, ...]
    images: tuple[ImageCopy, ...]
    headers: tuple[int, ...]
    """For each of them: bytes at its start in which those names stand."""

    @property
    def title(self) -> str:
        """For people."""
        return f"Compare {_counted_files(self.images)} at {self.host} with what is here"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, the second at the other host."""
        return tuple(
            typed("b2sum", "--", path) for image in self.images for path in (image.source, image.path)
        )


@dataclass(frozen=True, slots=True)
class CopyLayersThere:
    """Fill files that were made at the other host with those that stand still here: byte by byte, holes left out.

    So all that lies inside of them goes along: states, bitmaps, the layout. Only the names of layers change.
    """

    uuid: str
    domain: str
    destination: str
    """The URI of the other host."""
    host: str
    """What people call it."""
    targets: tuple[str, ...]
    images: tuple[ImageCopy, ...]
    sizes: tuple[int, ...]
    """Bytes that each of them takes here."""
    bandwidth: int = 0
    """Limit in bytes per second; 0 is none."""

    @property
    def title(self) -> str:
        """For people."""
        return f"Copy {_counted_files(self.images)} to {self.host}, and compare"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, the second of an image at the other host."""
        commands = []
        for image in self.images:
            commands.append(
                typed("rsync", "--sparse", "--perms", "--", image.source, f"{self.host}:{image.path}")
            )
            commands += image.commands[1:]
        return tuple(commands)


@dataclass(frozen=True, slots=True)
class SetAside:
    """Have libvirt forget the snapshots, with which it lets no domain go, until they are known at the other host.

    The journal has them whole, but for secrets.
    """

    uuid: str
    domain: str
    names: tuple[str, ...]
    """Parents first."""
    packed: str
    """Their definitions in the same order, as ``tui.model.packed`` writes them."""
    current: str | None = None

    @property
    def title(self) -> str:
        """For people."""
        return f"Have libvirt forget {the_snapshots(self.names)} of {self.domain} for the way; no image is touched"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, with all ``virsh snapshot-dumpxml`` kept."""
        gone = reversed(self.names)
        return tuple(virsh("snapshot-delete", self.domain, name, "--metadata") for name in gone)

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"Have libvirt know {the_snapshots(self.names)} of {self.domain} again"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type to take it back."""
        return redefined(self.domain, self.names, self.current)


def redefined(domain: str, names: tuple[str, ...], current: str | None) -> tuple[str, ...]:
    """The commands by which libvirt knows snapshots again, each definition in a file of its own."""
    marked = {name: ("--current",) if name == current else () for name in names}
    return tuple(
        virsh("snapshot-create", domain, f"{name}.xml", "--redefine", *marked[name]) for name in names
    )


@dataclass(frozen=True, slots=True)
class Migrate:
    """Take the running guest over, or the definition of one that is off."""

    uuid: str
    domain: str
    destination: str
    """The URI of the other host."""
    host: str
    """What people call it."""
    host_uuid: str
    """By which the other host knows itself."""
    name: str
    """What the domain is called there."""
    targets: tuple[str, ...] = ()
    """The disks that are copied."""
    storage: CopyStorage = CopyStorage.NONE
    befores: tuple[str, ...] = ()
    """Paths here."""
    afters: tuple[str, ...] = ()
    """What these are there."""
    flattened: tuple[str, ...] = ()
    """The disks that have one image there, whatever their chain is here."""
    pooled: tuple[tuple[str, int], ...] = ()
    """The images that libvirt makes there in its storage pools, and the bytes that each can take."""
    persistent: bool = True
    undefine_source: bool = True
    transport: Transport = field(default_factory=Transport)
    convergence: Convergence = field(default_factory=Convergence)
    offline: bool = False
    unsafe: bool = False
    change_protection: bool = False
    abort_on_error: bool = False

    @property
    def title(self) -> str:
        """For people."""
        disks = f", copying {' and '.join(self.targets)}" if self.targets else ""
        what = "Take the definition of" if self.offline else "Migrate"
        return f"{what} {self.domain} to {self.host}{disks}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        transport, convergence = self.transport, self.convergence
        words = ["--offline"] if self.offline else ["--live"]
        flags = {
            "--persistent": self.persistent,
            "--undefinesource": self.undefine_source,
            "--p2p": transport.p2p,
            "--copy-storage-all": self.storage is CopyStorage.ALL,
            "--copy-storage-inc": self.storage is CopyStorage.INC,
            "--copy-storage-synchronous-writes": convergence.synchronous_writes,
            "--tls": transport.tls,
            "--compressed": transport.compressed,
            "--auto-converge": convergence.auto_converge,
            "--postcopy": convergence.postcopy,
            "--parallel": bool(transport.parallel),
            "--unsafe": self.unsafe,
            "--change-protection": self.change_protection,
            "--abort-on-error": self.abort_on_error,
        }
        words += [flag for flag, given in flags.items() if given]
        values = {
            "--migrate-disks": ",".join(self.targets),
            "--migrateuri": transport.migrate_uri,
            "--disks-uri": transport.disks_uri,
            "--disks-port": transport.disks_port,
            "--listen-address": transport.listen_address,
            "--tls-destination": transport.tls_destination,
            "--parallel-connections": transport.parallel,
            "--bandwidth": -(-transport.bandwidth // (1024 * 1024)),
            "--dname": self.name if self.name != self.domain else None,
            "--timeout": int(convergence.timeout) if convergence.timeout else None,
        }
        words += [word for key, value in values.items() if value for word in (key, str(value))]
        if convergence.timeout:
            words.append(f"--timeout-{convergence.timeout_action}")
        if self.befores or self.flattened:
            words += ["--xml", "there.xml", *(["--persistent-xml", "there.xml"] if self.persistent else [])]
        downtime: tuple[str, ...] = ()
        if convergence.max_downtime is not None:
            downtime = (virsh("migrate-setmaxdowntime", self.domain, str(convergence.max_downtime)),)
        return (*downtime, virsh("migrate", self.domain, self.destination, *words))

    @property
    def undo_title(self) -> str:
        """For people."""
        return f"See that {self.domain} goes on here"

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """What a person would type, if it was left paused here and does not run there."""
        return (virsh("resume", self.domain),)


@dataclass(frozen=True, slots=True)
class BringBack:
    """Have libvirt know the snapshots at the other host, with their images where they are there."""

    uuid: str
    domain: str
    """What it is called there."""
    names: tuple[str, ...]
    """Parents first."""
    packed: str
    current: str | None
    befores: tuple[str, ...]
    afters: tuple[str, ...]
    checkpoints: tuple[str, ...] = ()
    packed_checkpoints: str = ""

    @property
    def title(self) -> str:
        """For people."""
        kinds = [the_snapshots(self.names)] if self.names else []
        if self.checkpoints:
            kinds.append(counted(len(self.checkpoints), "checkpoint"))
        current = f"; {self.current} is the current one" if self.current else ""
        return f"Have libvirt there know {' and '.join(kinds)} of {self.domain}{current}"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type, at the other host."""
        made = tuple(
            virsh("checkpoint-create", self.domain, f"{name}.xml", "--redefine") for name in self.checkpoints
        )
        return (*redefined(self.domain, self.names, self.current), *made)


@dataclass(frozen=True, slots=True)
class ProveArrival:
    """See on both hosts that the guest runs where it should, once, and on the images that it should be on."""

    uuid: str
    domain: str
    """What it is called there."""
    source: str
    """The URI of the host that it has left."""
    source_host: str
    """What people call that."""
    targets: tuple[str, ...]
    paths: tuple[str, ...]
    """The image of each of these disks there."""
    persistent: bool
    undefined: bool
    """Whether the host that it has left has forgotten it."""
    running: bool = True
    autostart: bool = False

    @property
    def title(self) -> str:
        """For people."""
        return f"Prove that {self.domain} is where it should be, once, and on its images"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        return (
            virsh("domstate", self.domain),
            virsh("domblklist", self.domain),
            virsh("-c", self.source, "domstate", self.domain),
        )


@dataclass(frozen=True, slots=True)
class TuneMigration:
    """Change how a domain goes on that is on its way."""

    uuid: str
    domain: str
    tune: Tune
    value: int = 0
    postcopy: bool = False
    """A limit is that of what is fetched afterwards, too."""

    @property
    def title(self) -> str:
        """For people."""
        match self.tune:
            case Tune.BANDWIDTH:
                limit = f"to {rate(self.value)}" if self.value else "away"
                return f"Set the limit of the memory of {self.domain} {limit}"
            case Tune.DOWNTIME:
                return f"Let {self.domain} stand still for {self.value} ms at the end"
            case Tune.POSTCOPY:
                return f"Switch {self.domain} over now, and fetch the rest of its memory afterwards"
            case Tune.SUSPEND:
                return f"Pause {self.domain} until it has arrived"
            case Tune.CALL_BACK:
                return f"Call {self.domain} back"

    @property
    def commands(self) -> tuple[str, ...]:
        """What a person would type."""
        match self.tune:
            case Tune.BANDWIDTH:
                speed = str(-(-self.value // (1024 * 1024)))
                flags = ((), ("--postcopy",)) if self.postcopy else ((),)
                return tuple(virsh("migrate-setspeed", self.domain, speed, *words) for words in flags)
            case Tune.DOWNTIME:
                return (virsh("migrate-setmaxdowntime", self.domain, str(self.value)),)
            case Tune.POSTCOPY:
                return (virsh("migrate-postcopy", self.domain),)
            case Tune.SUSPEND:
                return (virsh("suspend", self.domain),)
            case Tune.CALL_BACK:
                return (virsh("domjobabort", self.domain),)


MigrateStep = (
    MakeThere | CompareThere | CopyLayersThere | SetAside | Migrate | BringBack | ProveArrival | TuneMigration
)


def _counted_files(images: tuple[ImageCopy, ...]) -> str:
    if len(images) == 1:
        return images[0].path
    return f"{len(images)} files that stand still"
