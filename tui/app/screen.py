"""The main screen: routes news to the panels and keys to deeds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from tui.app.background import Background
from tui.app.command import Command, Panel, Where, writing
from tui.app.commands import BY_ACTION, COMMANDS, bindings
from tui.app.deeds import Aim, Deeds
from tui.app.dialogs.dialog import Dialog
from tui.app.footer import Focus, named, possible, worded
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.keys import JOBS_GO_ON, Keys
from tui.app.picture import Picture
from tui.app.rows import DiskKey
from tui.app.widgets.bars import HeaderBar, HostsBar, KeysBar, Situation, TabsBar
from tui.app.widgets.chain import ChainPanel
from tui.app.widgets.domains import DomainsPanel
from tui.app.widgets.items import Items
from tui.app.widgets.jobs import JobsView
from tui.app.widgets.log import LogPanel
from tui.app.widgets.migrations import Ended, MigrationRow
from tui.app.widgets.news import NewsBar, say
from tui.app.widgets.queue import QueueRow, QueueView
from tui.engine.control import Control, Level, LogLine, Outcome
from tui.engine.history import History
from tui.engine.queue import QueueRunner
from tui.model.host import HostState
from tui.model.migrate_steps import Migrate
from tui.model.migration import Migration
from tui.model.plan import Plan
from tui.model.queue import State

_MIN_WIDTH, _MIN_HEIGHT = 60, 15
_WIDE = 120
_HUGE = 160
_JOBS_SHARE = 0.42
"""The most of the height that the jobs take beside the table."""
_BOTH_SHARE = 0.55
"""The same for jobs and queue together."""
_KEYS_AHEAD = 32
"""The most keys that can be on their way at once."""
_QUEUE_LINES = 6
"""The most items of the queue that are in view beside the table."""


class MainScreen(Keys, Screen[None]):
    """Domains, the chain of one disk, jobs, log."""

    AUTO_FOCUS = "#domain-table"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.SCREEN)]
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  as Textual declares it
        (0, "-tiny"),
        (_MIN_WIDTH, "-narrow"),
        (_WIDE, "-wide"),
        (_HUGE, "-huge"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (_MIN_HEIGHT, "-tall")]  # noqa: RUF012

    @dataclass
    class HostWanted(Message):
        """The user gave the URI of another host."""

        uri: str

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        runner: QueueRunner,
        glyphs: Glyphs = UNICODE,
        suggested_bandwidth: int = 0,
        farewell: str = JOBS_GO_ON,
        history: History | None = None,
    ) -> None:
        """Begin without hosts."""
        super().__init__()
        self.farewell = farewell
        self.history = history
        self._hint = ("", 0.0)
        """What was said last why a key does nothing, and when: it need not stand there twice."""
        self.clock = clock
        self.glyphs = glyphs
        self.runner = runner
        self.picture = Picture()
        self.header = HeaderBar(glyphs=glyphs, id="header")
        self.hosts_bar = HostsBar(glyphs=glyphs, id="hosts")
        self.tabs = TabsBar(glyphs=glyphs, id="tabs")
        self.domains = DomainsPanel(glyphs=glyphs, id="domains")
        self.chain = ChainPanel(glyphs=glyphs, id="chain")
        self.jobs = JobsView(glyphs=glyphs, id="jobs")
        self.queue_view = QueueView(glyphs=glyphs, id="queue")
        self.log_panel = LogPanel(glyphs=glyphs, id="log")
        self.news = NewsBar(glyphs=glyphs, id="news")
        self.keys = KeysBar(glyphs=glyphs, id="keys")
        self.background = Background()
        self.deeds = Deeds(
            self,
            self.background,
            runner,
            self.tell,
            on_wait=self.show_situation,
            on_ending=self.untag,
            on_migrated=self.take_migrated,
            clock=clock,
            glyphs=glyphs,
            suggested_bandwidth=suggested_bandwidth,
        )
        self.panel = Panel.DOMAINS
        self.passing: deque[events.Key] = deque(maxlen=_KEYS_AHEAD)
        """The keys that went through here last."""
        self.set_class(glyphs.ascii, "-ascii")
        self.add_class(f"-{self.panel.value}")

    def compose(self) -> ComposeResult:
        """Lines above and below, panels between."""
        yield self.header
        yield self.hosts_bar
        yield self.tabs
        with Vertical(id="panels"):
            with Horizontal(id="upper"):
                yield self.domains
                yield self.chain
            yield self.jobs
            yield self.queue_view
            yield self.log_panel
        yield Static("virt-mirror needs 60 columns and 15 lines.", id="too-small", markup=False)
        yield self.news
        yield self.keys
        yield self.background

    def on_mount(self) -> None:
        """Show at once what there is, and let ages count."""
        self.show_picture()
        self.set_interval(1.0, self.show_situation)

    # News

    def add_host(self, control: Control) -> int:
        """Another host; its number is what its news comes under."""
        self.picture.controls.append(control)
        number = len(self.picture.controls) - 1
        self.take({number: control.state})
        return number

    def take(self, states: dict[int, HostState]) -> None:
        """Here are the latest pictures of some hosts."""
        if self.picture.take(states) and self.is_mounted:
            self.show_picture()
        for screen in self.app.screen_stack:
            if isinstance(screen, Dialog) and screen.is_mounted:
                screen.follow()

    def take_queue(self, *, nearest: bool = False) -> None:
        """The queue has changed: show it, and say what has ended."""
        known = {item.id for item in self.picture.queue.items if item.state.ended}
        self.picture.queue, self.picture.away = self.runner.queue, self.runner.away
        for item in self.picture.queue.items:
            fresh = item.state.ended and item.id not in known
            # What never began was let go here, and a plan that fails says so itself.
            if fresh and item.started and (item.plan is None or item.state is not State.FAILED):
                bad = item.state in (State.FAILED, State.REFUSED)
                word = f"{item.state}. " if bad else ""
                name = next((s.name for s in self.picture.hosts if s.uri == item.host), item.host)
                self.tell(Level.ERROR if bad else Level.INFO, name, f"{item.title}: {word}{item.message}")
        if self.is_mounted:
            self.show_picture(nearest=Panel.QUEUE if nearest else None)

    def take_log(self, line: LogLine) -> None:
        """A host says what happened."""
        self.log_panel.add(line)
        if line.level is Level.ERROR:
            say(self.app, line.level, line.text)

    def tell(self, level: Level, host: str, text: str) -> None:
        """Say what happened, in the log and for a moment in the line above the keys."""
        self.log_panel.add(LogLine(self.clock(), host, level, text))
        say(self.app, level, text)

    def hint(self, text: str) -> None:
        """Say for a moment why a key does nothing; nothing has happened that the log should know."""
        before, said = self._hint
        if text != before or self.clock() - said > self.app.NOTIFICATION_TIMEOUT:
            self._hint = (text, self.clock())
            say(self.app, Level.WARNING, text)

    # The picture

    def show_picture(self, *, nearest: Panel | None = None) -> None:
        """Give every panel what it shows; each of them touches only what has changed.

        In the panel ``nearest`` the cursor goes on to the next best item where the user has taken its own away.
        """
        picture = self.picture
        queue_rows, empty = picture.queue_rows, picture.emptiness
        several = len(picture.controls) > 1
        self.jobs.several_hosts = self.log_panel.several_hosts = several
        self.jobs.read_only = frozenset(n for n, control in enumerate(picture.controls) if control.read_only)
        self.domains.table.explain_emptiness(empty or "Nothing here matches the filter.")
        self.jobs.explain_emptiness(empty or "No jobs. Press m on a disk to mirror it.")
        self.domains.show(picture.rows(queue_rows), several_hosts=several, waiting=picture.unread)
        self.jobs.show_jobs(picture.jobs, nearest=nearest is Panel.JOBS)
        self._show_queue(queue_rows, nearest=nearest is Panel.QUEUE)
        self.chain.show(self.domains.table.current)
        self.show_situation()
        self.show_keys()

    def _show_queue(self, rows: Sequence[QueueRow], *, nearest: bool) -> None:
        """Give the queue's panel what it shows; an empty one is left for the domains."""
        self.queue_view.several_hosts = len(self.picture.controls) > 1
        self.queue_view.show_queue(self.picture.queue, rows, nearest=nearest)
        if self.panel is Panel.QUEUE and not self.queue_view.items:
            self.go_to(Panel.DOMAINS)
        self._size_jobs()

    def show_situation(self) -> None:
        """The lines at the top: state, rate, ages."""
        picture, now = self.picture, self.clock()
        self.header.show(
            Situation(
                hosts=picture.hosts,
                now=now,
                read_only=picture.read_only(),
                paused_since=picture.paused_since,
                paused_data=picture.data_at,
                asking=self.deeds.waiting_for is not None,
            )
        )
        self.hosts_bar.show(picture.hosts, now)
        tabs = [
            (Panel.DOMAINS, self._title(self.domains, "Domains")),
            (Panel.CHAIN, "Chain"),
            (Panel.JOBS, self._title(self.jobs, "Jobs")),
            (Panel.LOG, "Log"),
        ]
        if self.queue_view.items:
            tabs.append((Panel.QUEUE, self._title(self.queue_view, "Queue")))
        self.tabs.show(self.panel, tabs)

    @staticmethod
    def _title(widget: DomainsPanel | JobsView | QueueView, word: str) -> str:
        number = len({r.uuid for r in widget.rows}) if isinstance(widget, DomainsPanel) else len(widget.items)
        return f"{word} {number}" if number else word

    def show_keys(self) -> None:
        """The keys that matter in this panel; those that would do nothing are dim."""
        focus = self._focus()
        self.keys.show([(command, self._possible(command, focus)) for command in named(focus)])

    def worded(self, command: Command) -> Command:
        """A command as it is called now."""
        return worded(command, self._focus())

    def _focus(self) -> Focus:
        disk, disks = self.focused_disk(), self.aimed_disks()
        return Focus(
            self.panel,
            tuple(self.aimed_jobs()),
            self.plan_of(disk) if disk else None,
            interrupted=disk is not None and self.interrupted(disk),
            barred=self.barred(disk) if disk else {},
            leftover=bool(disks) and all(self.leftover_of(one) for one in disks),
            migration=self.focused_migration(),
            arrived=self.focused_arrival() is not None,
            item=self.focused_item(),
            paused=self.runner.queue.paused,
        )

    def _possible(self, command: Command, focus: Focus) -> bool:
        return self.check_action(command.action, ()) is not None and possible(command.id, focus)

    def _size_jobs(self) -> None:
        """As tall as the jobs are, as long as the table keeps more than half of the screen."""
        queued = len(self.queue_view.items)
        if self.has_class("-stacked"):
            self.jobs.styles.height = self.queue_view.styles.height = None
            return
        queue = min(queued, _QUEUE_LINES) + 2 if queued else 0
        most = int(self.size.height * (_BOTH_SHARE if queued else _JOBS_SHARE)) - 2 - queue
        lines = max(1, len(self.jobs.items) * self.jobs.lines_per_item)
        for widget, height in ((self.jobs, min(lines, max(2, most)) + 2), (self.queue_view, queue)):
            if widget.styles.height is None or widget.styles.height.value != height:
                widget.styles.height = height

    # What the user does

    def untag(self, aim: Aim) -> None:
        """What the tags were for last is being done: mirrors that were begun together end together."""
        number = self.picture.controls.index(aim.control)
        self.domains.untag({(number, aim.uuid, target) for target in aim.running})

    def take_migrated(self, aim: Aim, plan: Plan, outcome: Outcome) -> None:
        """A migration that was begun here has ended: keep how, until it is dismissed."""
        step = next(step for step in plan.steps if isinstance(step, Migrate))
        number = self.picture.controls.index(aim.control)
        migration = Migration(plan.uuid, plan.domain, step.host)
        row = MigrationRow(number, aim.host, migration, Ended(plan.id, self.clock(), outcome))
        self.picture.arrived.insert(0, row)
        self.show_picture()

    def connect(self, uri: str) -> None:
        """Open another host: that is for whoever knows how hosts are opened."""
        self.post_message(self.HostWanted(uri))

    @on(Items.Highlighted, "#domain-table")
    def show_chain_of_disk(self) -> None:
        """Another disk is under the cursor."""
        self.chain.show(self.domains.table.current)
        self.show_keys()

    @on(Items.Highlighted, "#jobs")
    @on(Items.Highlighted, "#queue")
    def show_keys_of_job(self) -> None:
        """Another job or item is under the cursor."""
        self.show_keys()

    @on(Items.Pressed)
    def press_button(self, event: Items.Pressed) -> None:
        """A button of a job does what its key does."""
        self.call_later(self.run_action, event.command.replace("-", "_"))

    @on(Items.Chosen, "#domain-table")
    @on(Items.Chosen, "#jobs")
    @on(Items.Chosen, "#queue")
    def open_chosen(self) -> None:
        """A second click opens what the first one chose."""
        self.action_details()

    @on(TabsBar.Chosen)
    def go_to_tab(self, event: TabsBar.Chosen) -> None:
        """A tab was clicked."""
        self.go_to(event.panel)

    @on(KeysBar.Pressed)
    async def press_key(self, event: KeysBar.Pressed) -> None:
        """A key's name was clicked."""
        self.app.simulate_key(event.command.keys[0])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The focus has gone to another panel: other keys matter."""
        for panel in Panel:
            if self.query_one(f"#{panel.value}") in event.widget.ancestors_with_self:
                self.panel = panel
        for panel in Panel:
            self.set_class(panel is self.panel, f"-{panel.value}")
        self.show_keys()
        self.show_situation()

    def on_resize(self, event: events.Resize) -> None:
        """Side by side where there is room."""
        self.set_class(event.size.width < _WIDE, "-stacked")
        self.call_after_refresh(self._size_jobs)
        self.call_after_refresh(self.show_keys)

    def on_key(self, event: events.Key) -> None:
        """A key that a read-only session does not have says so; the binding itself stays quiet."""
        self.passing.append(event)
        command = writing(COMMANDS, event.key)
        if command and self.check_action(command.action, ()) is None:
            self.hint(command.read_only_words)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Grey what a read-only host does not allow, and leave the keys of what is typed to where it is typed."""
        command = BY_ACTION.get(action)
        if command is not None and command.priority:
            return not isinstance(self.focused, Input)
        if command is None or not command.writes:
            return True
        # The queue is for all hosts, whichever the cursor is on.
        disk = None if command.of_queue else self.focused_disk()
        numbers = None if disk is None else [disk[0]]
        return None if self.picture.read_only(numbers) else True

    def go_to_disk(self, disk: DiskKey) -> None:
        """Put the cursor on a disk, and take a filter away that hides it."""
        self.domains.go_to(disk)
        self.go_to(Panel.DOMAINS)
