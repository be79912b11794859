"""Hosts side by side: pick domains of one, and point at another that they are to go to."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import HorizontalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Button, Static

from tui.app.background import Background
from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.glyphs import DIM, STATE_STYLES, UNICODE, Glyphs
from tui.app.text import join, pad, shown, styled
from tui.app.widgets.items import Items
from tui.app.widgets.news import say
from tui.engine.control import Control, Level
from tui.model.domain import Domain
from tui.model.host import HostState, Link, Memory
from tui.model.migration import Migration
from tui.model.quantity import size

_SIZE = 10
_SIGNS = 5
_NAME = 24
_LEAST_NAME = 10
_NAMES = 3
"""The most names that are told one by one."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Domains of one host, and the host that was pointed at for them."""

    source: int
    uuids: tuple[str, ...]
    """In the order in which they were picked."""
    destination: int


@dataclass(frozen=True, slots=True)
class Place:
    """A domain in the column of a host."""

    domain: Domain
    picked: bool = False
    coming: bool = False
    """Whether it is another host's, which would come here."""
    way: Migration | None = None
    """Where it is on its way to, and how far it is."""


class HostColumn(Items[Place]):
    """A host with its domains."""

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE) -> None:
        """Begin empty."""
        super().__init__(id=f"host-{number}")
        self.number = number
        self.glyphs = glyphs

    def key_of(self, item: Place) -> Hashable:
        """The domain, apart from itself on its way."""
        return (item.domain.uuid, item.coming)

    def draw(self, item: Place, line: int, width: int) -> Content:  # noqa: ARG002
        """One domain: its state, its name, and the memory that it takes or how far it is."""
        domain, glyphs = item.domain, self.glyphs
        mark = glyphs.to if item.coming else glyphs.tag if item.picked else " "
        sign = styled(glyphs.state(domain.state), STATE_STYLES[domain.state])
        memory = size(domain.definition.memory) if domain.definition.memory else ""
        plain = "arriving" if domain.arriving_from else memory
        right = self._way(item.way, width) if item.way else styled(plain, DIM)
        room = max(_SIZE, right.cell_length)
        name = max(1, width - _SIGNS - room)
        look = (
            "$text-primary" if item.coming else "bold" if item.picked else "" if domain.state.active else DIM
        )
        return join(
            styled(mark, "$text-primary"),
            " ",
            sign,
            " ",
            pad(shown(domain.name, look, width=name), name),
            pad(right, room, right=True),
        )

    def _way(self, way: Migration, width: int) -> Content:
        """Where a domain is on its way to, in what its name leaves of the line."""
        room = max(1, min(_NAME, width - _SIGNS - _LEAST_NAME - len(way.far) - 2))
        return join(f"{self.glyphs.to} ", shown(way.host, width=room), way.far).stylize("$text-primary")


class HostsDialog(Dialog[None]):
    """Says what was picked and pointed at, and stays open beneath what is asked about it; changes nothing by itself."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "hosts.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left,shift+tab", "point(-1)", "Host to the left", show=False, id="hosts-left", priority=True
        ),
        Binding("right,tab", "point(1)", "Host to the right", show=False, id="hosts-right", priority=True),
        Binding("space", "pick", "Pick", show=False, id="hosts-pick"),
        Binding("a", "pick_all", "Pick all that run", show=False, id="hosts-pick-all"),
        Binding("U", "drop", "Pick none", show=False, id="hosts-drop"),
        Binding("enter,H", "go_on", "Go on", show=False, id="hosts-go-on"),
        Binding("q", "leave", "Close", show=False, id="hosts-close"),
    ]

    def __init__(
        self,
        controls: Sequence[Control],
        background: Background,
        depart: Callable[[Departure], None],
        *,
        first: int = 0,
        uuid: str | None = None,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Show these hosts, beginning at a domain of one of them; ``depart`` is told who shall go where."""
        super().__init__(glyphs)
        self._controls = tuple(controls)
        self._background = background
        self._depart = depart
        self._last, self._uuid = first, uuid
        self._memory: dict[int, Memory] = {}
        self._active: dict[int, frozenset[str]] = {}
        """The domains that ran on each host when its memory was asked for."""
        self._source: int | None = None
        self._picked: list[str] = []
        self._columns = [HostColumn(number, glyphs=glyphs) for number in range(len(controls))]

    def compose(self) -> ComposeResult:
        """A column for each host."""
        columns = HorizontalScroll(*self._columns, id="columns")
        columns.can_focus = False
        hint = self.glyphs.words("space pick  a all  U none  ← → host  esc close")
        yield from self.boxed(
            self._title(),
            columns,
            Static(id="outlook", markup=False),
            Buttons(hint, button("Close", "leave"), button("Go on", "go-on")),
        )

    def on_mount(self) -> None:
        """Begin at the domain that the cursor was on."""
        self.follow()
        column = self._focused
        place = next((n for n, one in enumerate(column.items) if one.domain.uuid == self._uuid), 0)
        column.move_to(place)
        column.focus()

    def _ask_memory(self, number: int, state: HostState) -> None:
        """Whenever other domains run there than when it was asked for last."""
        active = frozenset(domain.uuid for domain in state.domains if domain.state.active)
        if self._active.get(number) != active:
            self._active[number] = active
            take = partial(self._take_memory, number)
            # Without an answer it stays unknown how much there is.
            self._background.do(self._controls[number].memory, take, lambda _why: None)

    def _take_memory(self, number: int, memory: Memory) -> None:
        self._memory[number] = memory
        if self.is_attached:
            self.follow()

    # What is shown

    def follow(self) -> None:
        """Show the hosts as they are now; a domain that has gone is not picked any more."""
        if self._source is not None:
            there = {domain.uuid for domain in self._controls[self._source].state.domains}
            self._picked = [uuid for uuid in self._picked if uuid in there]
        for column in self._columns:
            state = self._controls[column.number].state
            self._ask_memory(column.number, state)
            self._show_host(column, state)
        self.query_one("#title", Static).update(self._title())
        self.query_one("#outlook", Static).update(self._outlook())

    def _show_host(self, column: HostColumn, state: HostState) -> None:
        number = column.number
        pointed = self._pointed == number
        coming = [Place(domain, coming=True) for domain in self._domains] if pointed else []
        own = [
            Place(
                domain,
                picked=number == self._source and domain.uuid in self._picked,
                way=state.migrations.get(domain.uuid),
            )
            for domain in sorted(state.domains, key=lambda one: (not one.state.active, one.name))
        ]
        # Below, so that pointing at the host moves nothing from under the mouse.
        column.show([*own, *coming])
        unknown = self.glyphs.words("reading…") if state.link is not Link.LOST else "not reached"
        column.explain_emptiness("no domains" if state.listed else unknown)
        live = state.link is Link.LIVE
        link = styled(state.link.value, "$text-success" if live else "$text-error")
        column.border_title = join(shown(state.name, "bold", width=_NAME), "  ", link)
        column.border_subtitle = Content(self._free(number))

    def _free(self, number: int) -> str:
        memory = self._memory.get(number)
        return f"memory: {size(memory.free)} of {size(memory.total)} free" if memory else ""

    def _title(self) -> Content:
        words = "pick domains, and point at another host" if len(self._columns) > 1 else "only one is open"
        return join("Hosts side by side", styled(f"  {words}", f"not bold {DIM}"))

    def _outlook(self) -> Content:
        """What enter would ask for."""
        if len(self._columns) == 1:
            return styled("Close this and press + to open the host that domains are to go to.", DIM)
        names = [shown(domain.name, "bold", width=_NAME) for domain in self._domains]
        if not names:
            return styled("Nothing is picked.", DIM)
        pointed = self._pointed
        to = styled("point at a host", DIM)
        if pointed is not None:
            to = shown(self._controls[pointed].state.name, "bold", width=_NAME)
        what = Content(", ").join(names[:_NAMES])
        if len(names) > _NAMES:
            what = join(what, f" and {len(names) - _NAMES} more")
        sizes = [domain.definition.memory for domain in self._domains if domain.state.active]
        known = [one for one in sizes if one is not None]
        needs = f"  {size(sum(known))} of memory" if known and len(known) == len(sizes) else ""
        # The host first: what is cut in a narrow window must not be where they go.
        return join(f"{self.glyphs.to} ", to, "  ", what, styled(needs, DIM))

    # What is meant

    @property
    def _domains(self) -> list[Domain]:
        """What is picked."""
        if self._source is None:
            return []
        state = self._controls[self._source].state
        return [domain for uuid in self._picked if (domain := state.domain(uuid))]

    @property
    def _focused(self) -> HostColumn:
        """The column that has the focus, or had it before a button got it."""
        return self._columns[self._last]

    @property
    def _pointed(self) -> int | None:
        """The host that what is picked would go to."""
        number = self._focused.number
        return number if self._picked and number != self._source else None

    @on(events.DescendantFocus)
    def show_pointed(self, event: events.DescendantFocus) -> None:
        """Another host is pointed at."""
        if isinstance(event.widget, HostColumn):
            self._last = event.widget.number
            self.follow()

    def action_point(self, step: int) -> None:
        """To the next host."""
        order = [column.number for column in self._columns]
        self._columns[(order.index(self._focused.number) + step) % len(order)].focus()

    def action_pick(self) -> None:
        """Pick the domain under the cursor, or leave it where it is."""
        place = self._focused.current
        if place is None or place.coming:
            self._hint("Picked is what stands under the cursor, on its own host.")
        elif place.domain.uuid in self._picked and self._source == self._focused.number:
            self._picked.remove(place.domain.uuid)
            self.follow()
        elif self._may_go(place.domain):
            self._pick([place.domain.uuid])
            self._focused.action_cursor_down()

    def action_pick_all(self) -> None:
        """Pick all domains of this host that run."""
        running = [p for p in self._focused.items if not p.coming and p.domain.state.active]
        places = [place for place in running if place.way is None]
        if not places:
            self._hint("All are on their way already." if running else "Nothing runs on this host.")
        elif self._may_go(places[0].domain):
            self._pick([place.domain.uuid for place in places])

    def action_drop(self) -> None:
        """Pick nothing."""
        self._picked = []
        self.follow()

    def _pick(self, uuids: Sequence[str]) -> None:
        self._source = self._focused.number
        self._picked += [uuid for uuid in uuids if uuid not in self._picked]
        self.follow()

    def _may_go(self, domain: Domain) -> bool:
        number = self._focused.number
        state = self._controls[number].state
        if self._controls[number].read_only:
            self._hint(f"{state.name} was opened read-only.")
        elif state.under_way(domain.uuid):
            self._hint(f"{domain.name} is on its way already.")
        elif self._picked and self._source != number:
            self._hint("Domains leave one host at a time: U forgets what is picked.")
        else:
            return True
        return False

    def action_go_on(self) -> None:
        """Without anything picked: pick, and go to the next host. Then: have it go to the host that is pointed at."""
        if not self._picked:
            place = self._focused.current
            if place is None:
                self._hint("There is no domain here.")
            elif self._may_go(place.domain):
                self._pick([place.domain.uuid])
                self.action_point(1)
            return
        pointed = self._pointed
        if pointed is None or self._source is None:
            self._hint("Point at another host with the arrows.")
            return
        control = self._controls[pointed]
        state = control.state
        if state.link is not Link.LIVE:
            self._hint(f"{state.name} is out of reach.")
        elif control.read_only:
            self._hint(f"{state.name} was opened read-only.")
        else:
            self._depart(Departure(self._source, tuple(self._picked), pointed))

    @on(Button.Pressed, "#go-on")
    def go_on_by_button(self, event: Button.Pressed) -> None:
        """The button does what enter does; a click on a domain only moves the cursor."""
        event.stop()
        self.action_go_on()

    def _hint(self, text: str) -> None:
        say(self.app, Level.WARNING, text)
