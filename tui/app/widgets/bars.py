"""The lines around the panels: how things are, which panels there are, which keys matter now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from tui.app.command import Command, Panel
from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, pad, shown, styled
from tui.app.widgets.paint import paint
from tui.model.forecast import forecast
from tui.model.headway import rate_of
from tui.model.host import HostState, Link
from tui.model.quantity import duration, rate
from tui.model.text import counted


class Bar(Widget):
    """Lines that are painted again only when they would look different."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Bar { height: 1; }"

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self._lines: list[Content] = []

    def put(self, *lines: Content) -> None:
        """Show these lines from now on."""
        same = len(lines) == len(self._lines) and all(
            a.is_same(b) for a, b in zip(lines, self._lines, strict=True)
        )
        if not same:
            self._lines = list(lines)
            self.refresh()

    @property
    def plain(self) -> str:
        """What stands there."""
        return "\n".join(line.plain for line in self._lines)

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        content = self._lines[y] if y < len(self._lines) else Content("")
        return paint(self, content, self.visual_style, self.size.width)

    def notify_style_update(self) -> None:
        """A theme was chosen: paint again."""
        super().notify_style_update()
        self.refresh()


@dataclass(frozen=True, slots=True)
class Situation:
    """What the header speaks of."""

    hosts: Sequence[HostState]
    now: float
    read_only: bool = False
    paused_since: float | None = None
    paused_data: float | None = None
    """Wall clock of the picture that is being held."""
    asking: bool = False
    """Whether a host is being asked for a plan."""


_SHORTEST_URI = 12
_LONGEST_URI = 44


class HeaderBar(Bar):
    """Program, hosts, how much there is and how fast it goes; state at the right edge."""

    def show(self, situation: Situation) -> None:
        """Say how things are."""
        self._situation = situation
        right = self._right(situation)
        room = max(0, self.size.width - right.cell_length - 2)
        self.put(join(pad(self._left(situation, room), room), " ", right, " "))

    def on_resize(self) -> None:
        """The right edge has moved."""
        if situation := getattr(self, "_situation", None):
            self.show(situation)

    def _left(self, situation: Situation, room: int) -> Content:
        """The counts come first: the URI takes what they leave."""
        hosts = situation.hosts
        name, counts = styled("virt-mirror", "bold $text-accent"), self._counts(hosts)
        if len(hosts) != 1:
            return join(" ", name, "  ", f"{len(hosts)} hosts", counts)
        host = hosts[0]
        known = host.hostname is not None and host.hostname not in host.uri
        hostname = join("  ", shown(host.hostname or "", DIM, width=30)) if known else Content("")
        taken = 3 + name.cell_length + hostname.cell_length + counts.cell_length
        uri = shown(host.uri, width=max(_SHORTEST_URI, min(_LONGEST_URI, room - taken)))
        return join(" ", name, "  ", uri, hostname, counts)

    def _counts(self, hosts: Sequence[HostState]) -> Content:
        parts: list[Content | str] = []
        listed = [host for host in hosts if host.link is not Link.CONNECTING or host.domains]
        if listed:
            domains = sum(len(host.domains) for host in listed)
            jobs = [job for host in listed for job in host.active_jobs]
            moving = [migration for host in listed for migration in host.migrations.values()]
            count = len(jobs) + len(moving)
            parts.append(styled(f"  {counted(domains, 'domain')}  {counted(count, 'job')}", DIM))
            speeds = [speed for job in jobs if (speed := forecast(job).rate) is not None]
            # Layers are copied by this program, and show in no job.
            speeds += [speed for host in listed if (speed := rate_of(host))]
            speeds += [speed for migration in moving if (speed := migration.rate)]
            if speeds:
                parts += ["  ", rate(round(sum(speeds)))]
        return join(*parts)

    def _right(self, situation: Situation) -> Content:
        hosts, badges = situation.hosts, list[Content]()
        if situation.paused_since is not None:
            age = duration(max(0.0, situation.now - (situation.paused_data or situation.paused_since)))
            badges.append(styled(f" PAUSED {age} old ", "reverse $text-warning"))
        if situation.asking:
            badges.append(styled("asking the host…", "$text-warning"))
        if situation.read_only:
            badges.append(styled(" READ-ONLY ", "reverse $text-primary"))
        lost = [host for host in hosts if host.link is Link.LOST]
        connecting = [host for host in hosts if host.link is Link.CONNECTING]
        if lost:
            words = (
                f"{len(lost)} of {len(hosts)} lost" if len(hosts) > 1 else lost_words(lost[0], situation.now)
            )
            badges.append(styled(f"{self.glyphs.bad} {words}", "$text-error"))
        elif connecting:
            badges.append(styled("connecting…", "$text-warning"))
        elif any(host.unread for host in hosts):
            badges.append(styled("reading…", "$text-warning"))
        elif hosts:
            badges.append(styled(f"{self.glyphs.running} live", "$text-success"))
        return Content(" ").join(badges)


class HostsBar(Bar):
    """A line for each host that is not as it should be, and for all of them where there are several."""

    DEFAULT_CSS = "HostsBar { height: auto; max-height: 4; background: $surface; }"

    def show(self, hosts: Sequence[HostState], now: float) -> None:
        """Say of each host how it is; nothing at all while a single host is live."""
        lines = []
        if len(hosts) > 1:
            lines = [self._line(host, now) for host in hosts]
        elif hosts and (hosts[0].error or hosts[0].link is Link.LOST):
            lines = [self._line(hosts[0], now)]
        if len(lines) > 4:  # noqa: PLR2004
            worst = sorted(range(len(hosts)), key=lambda n: (hosts[n].link is Link.LIVE, n))
            rest = len(lines) - 3
            lines = [*(lines[n] for n in worst[:3]), styled(f" and {counted(rest, 'other host')}", DIM)]
        self.display = bool(lines)
        if len(lines) != len(self._lines):
            self.styles.height = len(lines)
        self.put(*lines)

    def _line(self, host: HostState, now: float) -> Content:
        glyphs = self.glyphs
        sign, style, words = {
            Link.LIVE: (glyphs.running, "$text-success", "live"),
            Link.CONNECTING: (glyphs.unknown, "$text-warning", "connecting…"),
            Link.LOST: (glyphs.bad, "$text-error", lost_words(host, now)),
        }[host.link]
        error = shown(host.error, "$text-error") if host.error and host.link is not Link.LIVE else Content("")
        uri = shown(host.uri, DIM, width=50) if host.hostname else Content("")
        parts = [styled(f" {sign} {words}", style), shown(host.name, width=30), error, uri]
        return join(*(p for part in parts if part for p in (part, "  ")))


class TabsBar(Bar):
    """Where there is room for one panel only: which panels there are."""

    @dataclass
    class Chosen(Message):
        """A tab was clicked."""

        panel: Panel

    def show(self, current: Panel, tabs: Sequence[tuple[Panel, str]]) -> None:
        """Name the panels; the one in view stands out."""
        parts: list[Content | str] = [" "]
        for number, (panel, title) in enumerate(tabs, start=1):
            look = "bold $text-accent reverse" if panel is current else ""
            tab = join(styled(f" {number} ", DIM if panel is not current else ""), f"{title} ")
            parts += [
                (tab.stylize(look) if look else tab).stylize(Style.from_meta({"panel": panel.value})),
                " ",
            ]
        self.put(join(*parts))

    def on_click(self, event: events.Click) -> None:
        """Go to the panel."""
        if panel := event.style.meta.get("panel"):
            self.post_message(self.Chosen(Panel(panel)))


MORE = "More"
"""What the help is called where keys are left out."""


class KeysBar(Bar):
    """The keys that matter where the user is; nothing is ever cut off, what does not fit is left out."""

    @dataclass
    class Pressed(Message):
        """A key's name was clicked."""

        command: Command

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(glyphs=glyphs, id=id)
        self._named: dict[str, Command] = {}

    def show(self, commands: Sequence[tuple[Command, bool]]) -> None:
        """Name the commands; those that are not enabled are dim."""
        self._named = {command.id: command for command, _ in commands}
        chosen: list[tuple[Command, bool]] = []
        used = 0
        for command, enabled in commands:
            cells = self._entry(command, enabled=enabled).cell_length
            # The last blank may be missing.
            if used + cells - 1 <= self.size.width:
                used += cells
                chosen.append((command, enabled))
        some = len(chosen) < len(commands)
        named = (replace(c, title=MORE) if some and c.id == "help" else c for c, _ in chosen)
        entries = (self._entry(c, enabled=e) for c, (_, e) in zip(named, chosen, strict=True))
        self.put(join(*entries).rstrip())

    def _entry(self, command: Command, *, enabled: bool) -> Content:
        return key_entry(command, self.glyphs, enabled=enabled)

    def on_click(self, event: events.Click) -> None:
        """Do as if the key had been pressed."""
        if command := event.style.meta.get("key_of"):
            self.post_message(self.Pressed(self._named[str(command)]))


def key_entry(command: Command, glyphs: Glyphs = UNICODE, *, enabled: bool = True) -> Content:
    """A key and what it does, as it stands in the footer."""
    key = styled(f" {glyphs.words(command.key_display)} ", "bold $footer-key-foreground" if enabled else DIM)
    title = styled(f"{command.title} ", "$footer-description-foreground" if enabled else DIM)
    return join(key, title).stylize(Style.from_meta({"key_of": command.id}))


def lost_words(host: HostState, now: float) -> str:
    """Since when a host is gone, and how often it was tried since."""
    age = duration(max(0.0, now - host.link_since))
    return f"lost {age} ago" + (f", {counted(host.retries, 'retry', 'retries')}" if host.retries else "")
