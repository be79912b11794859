"""What is seldom asked for in the migration form: folded away until somebody wants it."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.widget import Widget

from tui.app.dialogs.choices import Part, parsed
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.folded import AS_USUAL, Options
from tui.app.dialogs.numbers import parse_connections, parse_downtime, parse_port, parse_timeout
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.widgets.entry import Entry
from tui.model.migrate_request import Convergence, TimeoutAction, Transport

_YES, _NO = "yes", "no"
_KEPT = ((AS_USUAL, "as here"), (_YES, "yes"), (_NO, "no"))
_KEPT_NOTES = {
    AS_USUAL: {
        True: "It keeps the definition, as this host does.",
        False: "This domain is transient: none is kept.",
    },
    _YES: {True: "The other host keeps the definition.", False: "The other host makes it a persistent one."},
    _NO: {True: "It is forgotten there when the guest stops.", False: "This domain is transient."},
}
_FORGOTTEN = ((AS_USUAL, "if kept there"), (_YES, "yes"), (_NO, "no"))
_FORGOTTEN_NOTES = {
    AS_USUAL: "So that one host alone has it.",
    _YES: "Even if the other host keeps none.",
    _NO: "Starting it here too would ruin shared disks.",
}
_ACTIONS = (
    (TimeoutAction.SUSPEND.value, "pause it"),
    (TimeoutAction.POSTCOPY.value, "switch over"),
    (TimeoutAction.ABORT.value, "call it back"),
)
_ACTION_NOTES = {
    TimeoutAction.SUSPEND: "It stands still until it is there.",
    TimeoutAction.POSTCOPY: "Its memory is fetched afterwards; post-copy must be ticked.",
    TimeoutAction.ABORT: "It stays here.",
}
_POSTCOPY = "No way back from then on: if a host or the network fails, the guest is lost."
_RUNNING = (
    "downtime",
    "postcopy",
    "timeout",
    "action",
    "connections",
    "compressed",
    "migrate-uri",
    "disks-to",
)
_RUNNING_TOO = ("listen", "protection", "abort")


class MigrateOptions(Options):
    """What is left as it is stands for libvirt's or QEMU's own choice."""

    def __init__(self, *, persistent: bool, offline: bool, glyphs: Glyphs = UNICODE) -> None:
        """Ask only for what means something for a domain in that state."""
        super().__init__()
        self._persistent = persistent
        self._offline = offline
        self._glyphs = glyphs
        self._copies = True

    def compose(self) -> ComposeResult:
        """One field a line."""
        glyphs = self._glyphs
        downtime = Entry(placeholder="as QEMU has it", id="downtime")
        yield Field("Downtime", downtime, unit="ms at the most")
        yield Field("", Check("post-copy: may go over before its memory", id="postcopy"))
        timeout = Entry(placeholder="as long as it takes", id="timeout")
        yield Field("Time-out", timeout, unit="seconds")
        yield Field("  and then", Choice(_ACTIONS, glyphs=glyphs, id="action"))
        connections = Entry(placeholder="one", id="connections")
        yield Field("Connections", connections, unit="for the memory")
        yield Field("", Check("compress the memory", id="compressed"))
        yield Field("Kept there", Choice(_KEPT, glyphs=glyphs, id="kept"))
        yield Field("Forget here", Choice(_FORGOTTEN, glyphs=glyphs, id="forgotten"))
        memory = Entry(placeholder="tcp://host-b, where its name is not known", id="migrate-uri")
        yield Field("Memory to", memory)
        disks = Entry(placeholder="tcp://host-b:49153, or a port alone", id="disks-to")
        yield Field("Disks to", disks)
        name = Entry(placeholder="as it is connected to", id="tls-name")
        yield Field("TLS name", name)
        yield Field("Listen at", Entry(placeholder="all addresses of it", id="listen"))
        yield Field("", Check("nobody changes the domain meanwhile", id="protection"))
        yield Field("", Check("call it back at a disk's I/O error", id="abort"))

    def on_mount(self) -> None:
        """Say what the fields mean."""
        self.field("listen").note("The address of the other host that takes memory and disks.")
        self.field("tls-name").note("What the certificate of the other host is for.")
        self.explain(copies=True)

    def explain(self, *, copies: bool, tls: bool = False) -> None:
        """Say what is chosen, and ask for what belongs to it."""
        self._copies = copies and not self._offline
        asked = dict.fromkeys((*_RUNNING, *_RUNNING_TOO), not self._offline)
        asked["action"] = asked["action"] and bool(self.text("timeout"))
        asked["disks-to"] = self._copies
        asked["tls-name"] = tls and not self._offline
        asked["forgotten"] = self._persistent
        for name, shown in asked.items():
            self.field(name).display = shown
        self.field("postcopy").note(_POSTCOPY if self.checked("postcopy") else "")
        self.field("kept").note(_KEPT_NOTES[self.chosen("kept")][self._persistent])
        self.field("forgotten").note(_FORGOTTEN_NOTES[self.chosen("forgotten")])
        self.field("action").note(_ACTION_NOTES[TimeoutAction(self.chosen("action"))])

    def transport(self, mistakes: dict[Part, str], known: Transport) -> Transport:
        """How it is sent, as far as it is asked here; what is wrong goes to the mistakes."""
        if self._offline:
            return known
        text = self.text("disks-to") if self._copies else ""
        by_port = text.isdecimal()
        port = parsed(parse_port, text if by_port else "", Part.DISKS_TO, mistakes)
        connections = parsed(parse_connections, self.text("connections"), Part.CONNECTIONS, mistakes)
        return replace(
            known,
            migrate_uri=self.text("migrate-uri") or None,
            disks_uri=None if by_port else text or None,
            disks_port=port,
            listen_address=self.text("listen") or None,
            tls_destination=(self.text("tls-name") or None) if known.tls else None,
            parallel=connections or 0,
            compressed=self.checked("compressed"),
        )

    def convergence(self, mistakes: dict[Part, str], known: Convergence) -> Convergence:
        """What is done about a busy guest, likewise."""
        if self._offline:
            return known
        timeout = parsed(parse_timeout, self.text("timeout"), Part.TIMEOUT, mistakes)
        action = TimeoutAction(self.chosen("action")) if timeout else TimeoutAction.SUSPEND
        return replace(
            known,
            postcopy=self.checked("postcopy"),
            max_downtime=parsed(parse_downtime, self.text("downtime"), Part.DOWNTIME, mistakes),
            timeout=timeout,
            timeout_action=action,
        )

    @property
    def persistent(self) -> bool | None:
        """Whether the other host keeps a definition."""
        return _answer(self.chosen("kept"))

    @property
    def undefine_source(self) -> bool | None:
        """Whether this host forgets it."""
        return _answer(self.chosen("forgotten")) if self._persistent else None

    @property
    def change_protection(self) -> bool:
        """Whether nobody may change it meanwhile."""
        return not self._offline and self.checked("protection")

    @property
    def abort_on_error(self) -> bool:
        """Whether it is called back when a disk fails."""
        return not self._offline and self.checked("abort")

    def changed(self, widget: Widget) -> bool:
        """What follows a time-out is no option of its own."""
        return widget.id != "action" and super().changed(widget)


def _answer(value: str) -> bool | None:
    return None if value == AS_USUAL else value == _YES
