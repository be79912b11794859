"""The snapshots of a domain as a tree with its live end, and what can be done about them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Static

from tui.app.background import Background, Turn
from tui.app.command import bindings_of, writing
from tui.app.deeds import Deeds, Tell
from tui.app.dialogs.clipboard import copy_text
from tui.app.dialogs.exports import Exports
from tui.app.dialogs.flow import Flow, Line
from tui.app.dialogs.held import HeldDialog
from tui.app.dialogs.help import HelpScreen
from tui.app.dialogs.save import SaveDialog
from tui.app.dialogs.snapshot_commands import (
    ABOUT_ONE,
    ABOUT_PLANS,
    BY_ACTION,
    BY_ID,
    IN_FOOTER,
    SNAPSHOT_COMMANDS,
)
from tui.app.dialogs.snapshot_details import detail_lines
from tui.app.dialogs.snapshot_keys import SnapshotKeys
from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.app.widgets.bars import KeysBar
from tui.app.widgets.items import Items
from tui.app.widgets.snapshots import SnapshotTree, snapshot_lines
from tui.engine.control import Control, End, Outcome
from tui.engine.queue import QueueRunner
from tui.engine.snapshot_file import READ_ONLY
from tui.model.checkpoint import no_snapshot, unseen
from tui.model.domain import Domain
from tui.model.hierarchy import SnapshotView
from tui.model.hierarchy_request import SnapshotDeleteRequest, SnapshotImportRequest
from tui.model.hierarchy_roles import LayerRole, layer_roles, problems_of
from tui.model.hierarchy_rows import TreeRow, summary
from tui.model.plan import Plan
from tui.model.request import LiveSnapshotRequest, SnapshotRequest

_NAME = 30
_WIDE = 110
_REFRESH = 1.0
"""Seconds between two looks at what the program has been told of the host; the host itself is not asked for that."""


class SnapshotsDialog(SnapshotKeys):
    """Shows what the host says, which is read again after everything that is done here."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "snapshots.tcss"]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_WIDE, "-wide")]  # noqa: RUF012  as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(SNAPSHOT_COMMANDS, "snapshots-")]

    def __init__(
        self,
        control: Control,
        domain: Domain,
        background: Background,
        *,
        runner: QueueRunner,
        tell: Tell,
        clock: Callable[[], float],
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Show the snapshots of that domain; what takes time is done in ``background``."""
        super().__init__(glyphs)
        self.control = control
        self.domain = domain
        self._background = background
        self._tell = tell
        self._clock = clock
        self._turn = Turn()
        self._reading = False
        self._seen: object = None
        """What was known of the domain when it was read last."""
        self._nearest = False
        """Whether the cursor goes on to the next best line: the user has taken one away."""
        self._fresh: str | None = None
        """What the cursor goes to: what the user has just taken or brought back, or the parent of what was deleted."""
        self._results: list[tuple[Plan, Outcome]] = []
        """What was taken here and nobody has seen yet."""
        self._result: tuple[Plan, Outcome] | None = None
        self._summary = Content("")
        self.view: SnapshotView | None = None
        self._roles: tuple[LayerRole, ...] = ()
        self.deeds = Deeds(
            self,
            background,
            runner,
            tell,
            on_wait=self._sum_up,
            on_ending=lambda _aim: None,
            on_end=self._take_end,
            clock=clock,
            glyphs=glyphs,
        )
        self.exports = Exports(control, domain, background, tell, on_wait=self._sum_up)
        self.tree_view = SnapshotTree(glyphs=glyphs, id="snapshot-tree")
        self.details = Flow()
        self.plans = Flow(id="plans")
        self.problems = Flow(id="problems")
        self.keys = KeysBar(glyphs=glyphs, id="snapshot-keys")

    def compose(self) -> ComposeResult:
        """The tree, the details of what is under its cursor, and the keys."""
        yield from self.boxed(
            self._titled(),
            self.plans,
            Horizontal(self.tree_view, VerticalScroll(self.details, id="details"), id="halves"),
            self.problems,
            self.keys,
        )

    def on_mount(self) -> None:
        """Arrows go from one snapshot to the next."""
        self.tree_view.focus()
        self.action_read()
        self.set_interval(_REFRESH, self.look)

    def on_resize(self) -> None:
        """Another width has room for other keys."""
        self.call_after_refresh(self._show_keys)

    def on_unmount(self) -> None:
        """An answer that comes now is for nobody."""
        self._turn.forget()
        self.deeds.forget()

    # Reading

    def action_read(self) -> None:
        """Ask the host; what is known stays until the answer is there."""
        self._reading, self._seen = True, self._known()
        self._summary = styled(self.glyphs.words("reading…"), "$text-warning")
        self._sum_up()
        only = self._turn.begin()
        look = partial(self.control.snapshots, self.domain.uuid)
        self._background.do(look, only(self._take), only(self._fail))

    def look(self) -> None:
        """Show what is under way; where the host has told of something new since it was read, read it again."""
        if not self._reading and self._known() != self._seen:
            self.action_read()
        self._show_plans()
        self._show_keys()

    def _known(self) -> object:
        """What the tree depends on of all that hosts tell by themselves."""
        domain = self.control.state.domain(self.domain.uuid)
        plans = [(entry.id, entry.reached) for entry in self.open_plans.entries]
        return plans, (domain.state, domain.disks, domain.definition.noted_snapshots) if domain else None

    def _show_plans(self) -> None:
        tree = self.view.hierarchy.by_name if self.view else {}
        mirrored = frozenset(name for name in (self.view.mirrors if self.view else ()) if name in tree)
        self.plans.show(self.open_plans.lines(mirrored, self.glyphs, read_only=self.control.read_only))

    def _take(self, view: SnapshotView) -> None:
        self._reading = False
        first, self.view = self.view is None, view
        self._roles = layer_roles(view)
        rows = snapshot_lines(view, self.glyphs)
        at = time.strftime("%H:%M:%S", time.localtime(self._clock()))
        self._summary = join(summary(view), styled(f"  as of {at}", DIM))
        self._sum_up()
        self.tree_view.show(rows, nearest=self._nearest)
        self._nearest = False
        current = view.hierarchy.current
        goal, self._fresh = self._fresh or (current.name if first and current else None), None
        place = next((n for n, one in enumerate(rows) if one.snapshot and one.known_name == goal), None)
        if goal is not None and place is not None:
            self.tree_view.move_to(place)
        sign = styled(f"{self.glyphs.warning} ", "$text-warning")
        unknown = (unseen(view.domain.name),) if view.checkpoints is None else ()
        lines = [Line(sign, shown(problem)) for problem in (*problems_of(view), *unknown)]
        if not view.hierarchy.snapshots:
            how = "" if self.control.read_only else " n takes one. I imports them."
            lines.append(Line(styled(f"{self.glyphs.dot} ", DIM), styled(f"No snapshots.{how}", DIM)))
        self.problems.show(lines)
        self._show_plans()
        self._describe()

    def _fail(self, why: str) -> None:
        self._reading = False
        bad = styled(f"{self.glyphs.bad} ", "$text-error")
        self._summary = join(bad, styled("could not be read", "$text-error"))
        self._sum_up()
        self.problems.show([Line(bad, shown(why))])

    def _titled(self) -> Content:
        host = styled(f"  {shown(self.control.state.name, width=_NAME).plain}  ", f"not bold {DIM}")
        name = shown(self.domain.name, width=_NAME)
        words = Content("")
        if self.deeds.waiting_for is not None:
            words = styled("asking the host for a plan", "$text-warning")
        elif self.exports.waiting:
            words = styled("exporting", "$text-warning")
        elif self.control.read_only:
            words = styled("read-only", "$text-warning")
        parts = [self._summary.stylize("not bold"), "  " if words else "", words.stylize("not bold")]
        return join("Snapshots of ", name, host, *parts)

    def _sum_up(self) -> None:
        if self.is_attached and self.query("#title"):
            self.query_one("#title", Static).update(self._titled())
            self._show_keys()

    @on(Items.Highlighted, "#snapshot-tree")
    def describe(self, event: Items.Highlighted) -> None:
        """The cursor is on another snapshot."""
        event.stop()
        self._describe()

    def _describe(self) -> None:
        if self.view is not None:
            ends = not (self.control.read_only or self.open_plans.interrupted)
            lines = detail_lines(self.current, self.view, self._roles, self.glyphs, mirrors_end=ends)
            self.details.show(lines)
            self.query_one("#details").scroll_home(animate=False)
        self._show_keys()

    @property
    def list_view(self) -> SnapshotTree:
        """The tree."""
        return self.tree_view

    @property
    def current(self) -> TreeRow | None:
        """What is under the cursor."""
        return self.tree_view.current

    # Keys

    def _show_keys(self) -> None:
        hidden = frozenset() if self.open_plans.interrupted else ABOUT_PLANS
        self.keys.show([(BY_ID[one], self.why_not(one) is None) for one in IN_FOOTER if one not in hidden])

    def why_not(self, command: str) -> str | None:
        """Why a command does nothing now, one sentence."""
        known = BY_ID[command]
        if known.writes and self.control.read_only:
            return known.read_only_words
        if command == "export":
            return self._why_no_export()
        if command in ABOUT_PLANS:
            entry, name = self.plan_meant, shown(self.domain.name, width=_NAME).plain
            return self.open_plans.why_not(entry, command) if entry else f"No plan is open on {name}."
        return self._why_not_this() if command in ABOUT_ONE else None

    def _why_not_this(self) -> str | None:
        line = self.current
        if line is None:
            return "Move to the snapshot that is meant first."
        if line.live:
            return "This is what the guest has now, and no snapshot."
        return no_snapshot(line.checkpoint, self.domain.name) if line.checkpoint else None

    def _why_no_export(self) -> str | None:
        if self.control.read_only:
            return f"Export is not possible: {READ_ONLY}."
        if self.view is not None and not self.view.hierarchy.snapshots:
            return "There are no snapshots to export."
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Grey what a read-only host does not allow."""
        command = BY_ACTION.get(action)
        return None if command and command.writes and self.control.read_only else True

    def on_key(self, event: events.Key) -> None:
        """A key that a read-only session does not have says so; the binding itself stays quiet."""
        command = writing(SNAPSHOT_COMMANDS, event.key)
        if command and self.check_action(command.action, ()) is None:
            self.hint(command.read_only_words)

    @on(KeysBar.Pressed)
    def press_key(self, event: KeysBar.Pressed) -> None:
        """A key's name was clicked."""
        event.stop()
        if reason := self.why_not(event.command.id):
            self.hint(reason)
        else:
            self.call_later(self.run_action, event.command.action)

    def action_help(self) -> None:
        """All keys."""
        self.app.push_screen(HelpScreen(SNAPSHOT_COMMANDS, glyphs=self.glyphs))

    def action_copy(self) -> None:
        """Give the name to the clipboard."""
        line = self.current
        if line is None or line.known_name is None:
            self.hint("There is no name here to copy.")
        else:
            copy_text(self.app, line.known_name, "The name was")

    # A file

    def action_export(self) -> None:
        """Write all of them to a file."""
        if reason := self.why_not("export"):
            self.hint(reason)
            return
        title = f"Export the snapshots of {shown(self.domain.name, width=_NAME).plain}"
        dialog = SaveDialog(self.exports.proposal(), title=title, glyphs=self.glyphs)
        self.app.push_screen(dialog, lambda path: self.exports.write(Path(path)) if path else None)

    # What was done

    def _take_end(self, plan: Plan, outcome: Outcome | None) -> None:
        """Something was done: look again, and show what was taken."""
        if not self.is_attached:
            return
        if outcome is not None and outcome.end is End.DONE:
            if isinstance(plan.request, LiveSnapshotRequest):
                self._fresh = plan.request.name
            elif isinstance(plan.request, SnapshotRequest):
                self._fresh = plan.request.snapshot.name
            elif isinstance(plan.request, SnapshotImportRequest):
                held = plan.request.saved.snapshots
                self._fresh = next((one.name for one in held if one.current), held[0].name if held else None)
            elif isinstance(plan.request, SnapshotDeleteRequest):
                gone = self.view.hierarchy.get(plan.request.name) if self.view else None
                self._nearest, self._fresh = True, gone.parent if gone else None
            if plan.held:
                self._results.append((plan, outcome))
        self.action_read()
        self._show_results()

    @on(events.ScreenResume)
    def _show_results(self) -> None:
        """Show what was taken, unless a question is being asked; then after that."""
        if self._results and self.app.screen is self:
            self._result = self._results.pop(0)
            self.app.push_screen(HeldDialog(*self._result, glyphs=self.glyphs))

    def action_result(self) -> None:
        """Show it again."""
        if self._result is None:
            self.hint("No snapshot has been taken here since this was opened.")
        else:
            self.app.push_screen(HeldDialog(*self._result, glyphs=self.glyphs))
