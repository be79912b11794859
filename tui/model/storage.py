"""Where the bytes of a disk lie: sources, the layers made of them, and backing chains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileSource:
    """An image file on the host."""

    path: str

    @property
    def location(self) -> str:
        """What a person would call this place."""
        return self.path


@dataclass(frozen=True, slots=True)
class BlockSource:
    """A block device on the host."""

    dev: str

    @property
    def location(self) -> str:
        """What a person would call this place."""
        return self.dev


@dataclass(frozen=True, slots=True)
class VolumeSource:
    """A volume of a storage pool; libvirt resolves it when the guest starts, and not for a copy."""

    pool: str
    volume: str
    mode: str | None = None
    """``host`` or ``direct`` for iSCSI pools."""

    @property
    def location(self) -> str:
        """What a person would call this place."""
        return f"{self.pool}/{self.volume}"


@dataclass(frozen=True, slots=True)
class NetworkHost:
    """One server of a network source; a unix socket has no name and no port."""

    name: str | None = None
    port: str | None = None
    transport: str | None = None
    socket: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """An image that QEMU reaches over a network protocol."""

    protocol: str
    name: str | None = None
    hosts: tuple[NetworkHost, ...] = ()
    query: str | None = None
    tls: str | None = None
    snapshot: str | None = None
    """The internal snapshot of an RBD or Sheepdog image."""
    tls_hostname: str | None = None
    """The name that the server's certificate must carry, where it is not the name of the host."""
    config: str | None = None
    """The configuration file of an RBD cluster."""

    @property
    def location(self) -> str:
        """What a person would call this place: a URI with the first host."""
        where = ""
        if self.hosts:
            host = self.hosts[0]
            where = host.socket or (host.name or "") + (f":{host.port}" if host.port else "")
        return f"{self.protocol}://{where}/{self.name or ''}" + (f"?{self.query}" if self.query else "")


@dataclass(frozen=True, slots=True)
class NvmeSource:
    """A namespace of an NVMe controller given to QEMU."""

    namespace: str
    address: str
    """PCI address as ``0000:01:00.0``."""
    managed: bool = False

    @property
    def location(self) -> str:
        """What a person would call this place."""
        return f"nvme {self.address} namespace {self.namespace}"


@dataclass(frozen=True, slots=True)
class VhostUserSource:
    """A disk that another process serves over a vhost-user socket: QEMU never sees its blocks."""

    path: str

    @property
    def location(self) -> str:
        """What a person would call this place."""
        return self.path


@dataclass(frozen=True, slots=True)
class VhostVdpaSource:
    """A vhost-vdpa device: as with vhost-user, QEMU never sees its blocks."""

    dev: str

    @property
    def location(self) -> str:
        """What a person would call this place."""
        return self.dev


@dataclass(frozen=True, slots=True)
class DirSource:
    """A directory that QEMU presents as a FAT file system."""

    path: str

    @property
    def location(self) -> str:
        """What a person would call this place."""
        return self.path


@dataclass(frozen=True, slots=True)
class UnknownSource:
    """A source of a type this program has never heard of, kept so that it can be named."""

    type: str

    @property
    def location(self) -> str:
        """What a person would call this place."""
        return f"source of type {self.type}"


Source = (
    FileSource
    | BlockSource
    | VolumeSource
    | NetworkSource
    | NvmeSource
    | VhostUserSource
    | VhostVdpaSource
    | DirSource
    | UnknownSource
)


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a container that holds the image; both in bytes."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a layer is encrypted; the secret itself is never read."""

    format: str
    secret: str | None = None
    """UUID or usage name of libvirt's secret."""
    by_usage: bool = False
    """Whether ``secret`` is a usage name."""
    engine: str | None = None
    """``qemu`` or ``librbd``."""
    extra: tuple[str, ...] = ()
    """Further children (cipher, a second secret), as XML, to be passed on as they were given."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One image of a chain."""

    source: Source
    format: str | None = None
    """``raw``, ``qcow2``…; ``None`` when the definition does not say."""
    index: int | None = None
    """libvirt's number for the layer in the running guest: ``vda[3]`` is index 3."""
    encryption: Encryption | None = None
    slices: tuple[Slice, ...] = ()
    data_store: Layer | None = None
    """The external data file of a qcow2 image."""
    metadata_cache: int | None = None
    """Bytes of qcow2 metadata that QEMU keeps in memory at most."""
    extra: tuple[str, ...] = ()
    """Children of the source that mean nothing to this program (auth, seclabel, reservations…), as XML, to be
    passed on as they were given."""

    @property
    def path(self) -> str:
        """What a person would call the place of this layer."""
        return self.source.location

    @property
    def local_path(self) -> str | None:
        """The path on the host when the layer is a file or a block device, else ``None``."""
        match self.source:
            case FileSource(path=path) | BlockSource(dev=path):
                return path
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Chain:
    """A backing chain, the active layer first, the base last. No layers at all is an empty drive."""

    layers: tuple[Layer, ...] = ()
    complete: bool = True
    """Whether the last layer is known to be the end; ``False`` where nobody says what comes below it."""

    @property
    def active(self) -> Layer | None:
        """The layer that the guest writes to."""
        return self.layers[0] if self.layers else None

    @property
    def base(self) -> Layer | None:
        """The last layer known."""
        return self.layers[-1] if self.layers else None

    @property
    def below(self) -> Chain:
        """What the active layer stands on."""
        return Chain(self.layers[1:], self.complete)

    @property
    def local_paths(self) -> frozenset[str]:
        """Every file and device of the chain, data stores included."""
        paths = set[str]()
        for layer in self.layers:
            paths.update(p for p in (layer.local_path, layer.data_store and layer.data_store.local_path) if p)
        return frozenset(paths)


def same_place(one: Layer, other: Layer) -> bool:
    """Whether two layers are the same image; formats and indexes do not matter."""
    return one.source == other.source or one.path == other.path
