"""The left half of the migration forms: to which host, what goes along, and how it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from tui.app.dialogs.choices import Mistakes, Part, parsed, told_maps
from tui.app.dialogs.common_fields import limit_field, maps_field, synchronous_field
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.folded import FoldingFields
from tui.app.dialogs.limit import parse_limit
from tui.app.dialogs.migrate_options import MigrateOptions
from tui.app.dialogs.peer_fields import Peer, PeerFields
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.widgets.entry import Entry
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.hierarchy_file import parse_maps
from tui.model.migrate_request import Convergence, CopyStorage, MigrateRequest, Transport

_AS_NEEDED = "as-needed"
_STORAGE = (
    (_AS_NEEDED, "as needed"),
    (CopyStorage.ALL.value, "all"),
    (CopyStorage.INC.value, "active layers"),
    (CopyStorage.NONE.value, "nothing"),
)
_STORAGE_NOTES = {
    _AS_NEEDED: "What the other host does not share is copied.",
    CopyStorage.ALL: "These disks, each into one image.",
    CopyStorage.INC: "Onto the layers below, which are brought there first.",
    CopyStorage.NONE: "The other host must have all images.",
}
_OFF = "It is off: its definition goes, and its images are yours to bring."
_MAPS = "What lies elsewhere there: /old=/new /old2=/new2"
_LIMIT = "For the memory, and for each disk."
_UNSAFE = "If the hosts do not see the same storage, or cache it, the guest's data are ruined."
_P2P = {
    True: "They go on when this program ends, and must reach each other by that URI.",
    False: "If this program ends meanwhile, the guest stays.",
}


class MigrateWay(FoldingFields):
    """Where to and how; what goes is asked for by whoever has it.

    Hosts that are open are offered; a URI that is typed is asked only once it is whole.
    """

    STORAGE: ClassVar[tuple[tuple[str, str], ...]] = _STORAGE

    PARTS: ClassVar[tuple[Part, ...]] = (
        Part.URI,
        Part.STORAGE,
        Part.MAPS,
        Part.BANDWIDTH,
        Part.DOWNTIME,
        Part.TIMEOUT,
        Part.CONNECTIONS,
        Part.DISKS_TO,
    )

    def __init__(
        self, peers: Sequence[Peer], *, persistent: bool, offline: bool, glyphs: Glyphs = UNICODE
    ) -> None:
        """Offer these hosts.

        Args:
            peers: with the URI of each what people call it.
            persistent: whether what goes has a definition here that lasts.
            offline: whether nothing of what goes runs.
            glyphs: the signs to draw with.
        """
        options = MigrateOptions(persistent=persistent, offline=offline, glyphs=glyphs)
        super().__init__(options, glyphs=glyphs)
        self._peer = PeerFields("To", peers, glyphs=glyphs)
        self._glyphs = glyphs
        self._offline = offline
        self._options = options

    def what(self) -> ComposeResult:
        """The fields that ask which domains go."""
        yield from ()

    def disks(self) -> ComposeResult:
        """Those that ask which disks are copied."""
        yield from ()

    def named(self) -> ComposeResult:
        """That which asks for another name."""
        yield from ()

    def compose(self) -> ComposeResult:
        """One field a line."""
        glyphs = self._glyphs
        yield from self.what()
        yield self._peer
        yield Field("Storage", Choice(self.STORAGE, glyphs=glyphs, id="storage"))
        yield from self.disks()
        yield maps_field()
        yield from self.named()
        yield limit_field()
        yield Field("", Check("auto-converge: slow a busy guest down", id="auto-converge"), classes="live")
        yield synchronous_field()
        yield Field("", Check("p2p: the hosts lead, not this program", id="p2p"))
        yield Field("", Check("encrypted by TLS", id="tls"), classes="live")
        yield Field("", Check("unsafe: do not insist on shared storage", id="unsafe"))
        yield from self.folded()

    def on_mount(self) -> None:
        """Say what the fields mean."""
        for field in self.query(".live"):
            field.display = not self._offline
        for name in ("storage", "bandwidth", "p2p"):
            self.field(name).display = not self._offline
        self.field("bandwidth").note(_LIMIT)
        self._explain()

    def way(self, accepted: frozenset[Acceptance], mistakes: dict[Part, str]) -> MigrateRequest | Mistakes:
        """What is filled in, for no domain yet, unless there are mistakes."""
        destination = self._peer.destination(mistakes)
        bandwidth = parsed(parse_limit, self.text("bandwidth"), Part.BANDWIDTH, mistakes) or 0
        maps = parsed(parse_maps, self.text("maps"), Part.MAPS, mistakes) or ()
        storage = CopyStorage.NONE if self._offline else self._storage
        copies = storage is not CopyStorage.NONE
        transport = Transport(p2p=self.checked("p2p"), tls=self.checked("tls"), bandwidth=bandwidth)
        transport = self._options.transport(mistakes, transport)
        convergence = Convergence(
            auto_converge=self.checked("auto-converge"),
            synchronous_writes=copies and self.checked("synchronous"),
        )
        convergence = self._options.convergence(mistakes, convergence)
        if mistakes:
            return Mistakes(mistakes)
        return MigrateRequest(
            "",
            destination,
            storage=storage,
            maps=maps,
            persistent=self._options.persistent,
            undefine_source=self._options.undefine_source,
            transport=transport,
            convergence=convergence,
            offline=self._offline,
            unsafe=self.checked("unsafe"),
            change_protection=self._options.change_protection,
            abort_on_error=self._options.abort_on_error,
            accepted=accepted,
        )

    @property
    def where(self) -> tuple[str, str]:
        """The other host, and where images lie there."""
        return (self._peer.destination({}), self.text("maps"))

    @property
    def _storage(self) -> CopyStorage | None:
        value = self.chosen("storage")
        return None if value == _AS_NEEDED else CopyStorage(value)

    def enter_first(self) -> None:
        """Go to the host."""
        self._peer.enter()

    @on(Choice.Changed)
    @on(Check.Changed)
    @on(Input.Changed)
    def explain(self) -> None:
        """Say what is chosen."""
        self._explain()

    def _explain(self) -> None:
        storage = self.chosen("storage")
        self.field("storage").note(_STORAGE_NOTES[storage])
        self.field("maps").note(told_maps(self.text("maps"), self._glyphs) or _MAPS)
        copies = storage != CopyStorage.NONE and not self._offline
        self.field("synchronous").display = copies
        self.field("unsafe").display = not self._offline
        self.field("unsafe").note(_UNSAFE if self.checked("unsafe") else "")
        self.field("p2p").note(_P2P[self.checked("p2p")])
        self._options.explain(copies=copies, tls=self.checked("tls"))
        self.tell_options()


class MigrateFields(MigrateWay):
    """For one domain, whose disks can be chosen, and which may have another name there."""

    def __init__(self, domain: Domain, peers: Sequence[Peer], *, glyphs: Glyphs = UNICODE) -> None:
        """Offer these hosts."""
        super().__init__(peers, persistent=domain.persistent, offline=not domain.state.active, glyphs=glyphs)
        self._domain = domain
        self._disks = [d for d in domain.disks if not (d.empty or d.readonly) and d.chain.layers]

    def disks(self) -> ComposeResult:
        """All of them are ticked."""
        for number, disk in enumerate(self._disks):
            yield Field("", Check(disk.target, value=True, id=f"disk-{number}"), classes="disk")

    def named(self) -> ComposeResult:
        """By default it is called as here."""
        yield Field("Name there", Entry(placeholder="as here", id="name"))

    def on_mount(self) -> None:
        """Say what becomes of one that is off."""
        if self._offline:
            self.field("name").note(_OFF)

    def wish(self, accepted: frozenset[Acceptance]) -> MigrateRequest | Mistakes:
        """What is filled in."""
        mistakes: dict[Part, str] = {}
        targets = self._targets if self._storage is CopyStorage.ALL and not self._offline else ()
        if self._storage is CopyStorage.ALL and not targets and not self._offline:
            mistakes[Part.STORAGE] = "Tick a disk that is to be copied."
        way = self.way(accepted, mistakes)
        if isinstance(way, Mistakes):
            return way
        return replace(way, uuid=self._domain.uuid, targets=targets, name=self.text("name") or None)

    @property
    def _targets(self) -> tuple[str, ...]:
        return tuple(disk.target for n, disk in enumerate(self._disks) if self.checked(f"disk-{n}"))

    def _explain(self) -> None:
        super()._explain()
        for field in self.query(".disk"):
            field.display = self._storage is CopyStorage.ALL and not self._offline
