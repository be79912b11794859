"""One method for each command of the registry."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path

from textual.widget import Widget

from tui.app.background import Background
from tui.app.command import Panel
from tui.app.commands import BY_ID, COMMANDS
from tui.app.dialogs.arrival import ArrivalDialog
from tui.app.dialogs.ask import Question
from tui.app.dialogs.connect import ConnectDialog
from tui.app.dialogs.details import JobDetails
from tui.app.dialogs.doctor import DoctorDialog
from tui.app.dialogs.help import HelpScreen
from tui.app.dialogs.history import HistoryDialog
from tui.app.dialogs.save import SaveDialog
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.app.glyphs import Glyphs
from tui.app.text import shown
from tui.app.verbs import why_not
from tui.app.widgets import migrations
from tui.app.widgets.jobs import JobRow
from tui.app.widgets.log import LogPanel
from tui.app.writing_keys import WritingKeys
from tui.engine.control import Level
from tui.engine.history import History
from tui.engine.own_files import write_private
from tui.engine.state_directory import state_directory
from tui.model.headway import Below, below
from tui.model.job import Job
from tui.model.text import counted

JOBS_GO_ON = (
    "Jobs go on, and the next start finds them again. "
    "A plan that was to pivot or keep by itself stops at its mirror."
)

LAYERS_STOP = (
    "The layers are copied by this program, and that stops: the guest goes on with its overlay, which "
    "grows until the move is taken up again (R) or taken back (X)."
)


class Keys(WritingKeys):
    """What keys, buttons and palette do on the main screen."""

    farewell: str
    """What becomes of running jobs when the user quits."""
    history: History | None
    """Where it is kept what has ended."""
    clock: Callable[[], float]
    glyphs: Glyphs
    log_panel: LogPanel
    background: Background

    @abstractmethod
    def tell(self, level: Level, host: str, text: str) -> None:
        """Say what happened."""

    @abstractmethod
    def show_picture(self, *, nearest: Panel | None = None) -> None:
        """Show what is known, in one panel with the cursor on the next best item where its own is gone."""

    @abstractmethod
    def connect(self, uri: str) -> None:
        """Open another host."""

    # Jobs

    def action_details(self) -> None:
        """Everything about the job; the chain where there is none."""
        disk, job = self.focused_disk(), self.focused_job()
        if disk is None:
            return
        if self.focused_migration() is not None:
            self.show_migration()
            return
        arrival = self.focused_arrival()
        if arrival is not None:
            self.app.push_screen(ArrivalDialog(arrival, glyphs=self.glyphs))
            return
        interruption = self.focused_interruption()
        if interruption is not None:
            self.hint(interruption.sentence)
            return
        if job is None:
            self.go_to(Panel.CHAIN)
            return
        number, key, this = disk[0], job.key, job.number

        def job_now() -> Job | None:
            jobs = self.picture.states[number].jobs
            return next((j for j in reversed(jobs) if j.key == key and j.number == this), None)

        def below_now() -> Below | None:
            return below(self.picture.states[number], *key)

        self.app.push_screen(JobDetails(job_now, self.clock, below_now=below_now, glyphs=self.glyphs))

    def action_dismiss_job(self) -> None:
        """Take the ended job under the cursor out of the list; in the table all that ended on that disk."""
        if self.panel is Panel.QUEUE:
            self.dismiss_item()
            return
        job, disk = self.focused_job(), self.focused_disk()
        arrival = self.focused_arrival()
        if arrival is not None:
            self.picture.arrived.remove(arrival)
            self.show_picture(nearest=Panel.JOBS)
            return
        if self._on_its_way():
            return
        if job is None or disk is None or not job.phase.ended:
            self.hint(why_not(job, "dismiss-job") or "Move to an ended job first.")
            return
        others = () if self.panel is Panel.JOBS else self.picture.states[disk[0]].jobs
        self.picture.dismissed |= {(disk[0], j.number) for j in (job, *others) if j.key == job.key}
        self.show_picture(nearest=Panel.JOBS)

    # The table

    def action_tag(self) -> None:
        """Tag or untag the disk under the cursor."""
        if self.panel is Panel.DOMAINS:
            self.domains.toggle_tag()
            self.show_picture()

    def action_tag_domain(self) -> None:
        """Tag or untag the disks of the domain under the cursor."""
        if self.panel is Panel.DOMAINS:
            self.domains.tag_domain()
            self.show_picture()

    def action_untag_all(self) -> None:
        """Forget all tags."""
        self.domains.untag()
        self.show_picture()

    def action_filter(self) -> None:
        """Type what the list is to contain."""
        if self.panel is Panel.LOG:
            self.log_panel.box.display = True
            self.set_focus(self.log_panel.box)
            return
        self.domains.box.display = True
        self.go_to(Panel.DOMAINS, self.domains.box)

    def action_clear(self) -> None:
        """Stop waiting for a plan, show everything again, or go back to the domains."""
        if self.deeds.waiting_for is not None:
            self.deeds.forget()
            return
        box = self.log_panel.box if self.panel is Panel.LOG else self.domains.box
        if box.display:
            box.action_clear()
        else:
            self.go_to(Panel.DOMAINS)

    def action_sort_left(self) -> None:
        """Sort by the column to the left."""
        self.domains.sort_beside(-1)

    def action_sort_right(self) -> None:
        """Sort by the column to the right."""
        self.domains.sort_beside(1)

    def action_sort_invert(self) -> None:
        """Sort the other way round."""
        self.domains.invert()

    # The view

    def go_to(self, panel: Panel, widget: Widget | None = None) -> None:
        """Give a panel, or a widget in it, the focus, and bring it into view where there is room for one."""
        if panel is Panel.LOG:
            self.log_panel.add_class("-open")
        self.panel = panel
        for one in Panel:
            self.set_class(one is panel, f"-{one.value}")
        panels: dict[Panel, Widget] = {
            Panel.DOMAINS: self.domains.table,
            Panel.CHAIN: self.chain.view,
            Panel.JOBS: self.jobs,
            Panel.LOG: self.log_panel.view,
            Panel.QUEUE: self.queue_view,
        }
        # At once, not by the widget's own message: the keys that were typed meanwhile are for this widget.
        self.set_focus(widget or panels[panel])

    def action_show_domains(self) -> None:
        """To the domains."""
        self.go_to(Panel.DOMAINS)

    def action_show_chain(self) -> None:
        """To the chain."""
        self.go_to(Panel.CHAIN)

    def action_show_jobs(self) -> None:
        """To the jobs."""
        self.go_to(Panel.JOBS)

    def action_show_log(self) -> None:
        """To the log."""
        self.go_to(Panel.LOG)

    def action_show_queue(self) -> None:
        """To the queue."""
        if self.queue_view.items:
            self.go_to(Panel.QUEUE)
        else:
            self.hint("Nothing is queued: tag disks of several domains, and press M.")

    def action_next_panel(self) -> None:
        """To the next panel."""
        self._step(1)

    def action_previous_panel(self) -> None:
        """To the panel before."""
        self._step(-1)

    def _step(self, step: int) -> None:
        log = self.log_panel.has_class("-open") or self.has_class("-stacked")
        there = {Panel.LOG: log, Panel.QUEUE: bool(self.queue_view.items)}
        panels = [panel for panel in Panel if there.get(panel, True)]
        self.go_to(panels[(panels.index(self.panel) + step) % len(panels)])

    def action_log(self) -> None:
        """Show or hide the log."""
        if self.has_class("-stacked"):
            self.go_to(Panel.DOMAINS if self.panel is Panel.LOG else Panel.LOG)
            return
        self.log_panel.toggle_class("-open")
        if self.panel is Panel.LOG:
            self.go_to(Panel.DOMAINS)

    def action_save_log(self) -> None:
        """Write the log to a file."""
        name = time.strftime("log-%Y%m%d-%H%M%S.txt", time.localtime(self.clock()))
        text = self.log_panel.whole

        def save(path: str | None) -> None:
            if not path:
                return
            self.background.do(
                partial(write_private, Path(path), text),
                lambda _: self.tell(Level.INFO, "", f"The log was written to {path}."),
                partial(self.tell, Level.ERROR, ""),
            )

        self.app.push_screen(SaveDialog(str(state_directory() / name), glyphs=self.glyphs), save)

    def action_copy(self) -> None:
        """Send what the cursor is on to the terminal's clipboard."""
        text, what = self._copyable()
        if text is None:
            self.hint(f"There is no {what} here to copy.")
            return
        self.app.copy_to_clipboard(text)
        note = shown(text, width=60).plain
        self.tell(Level.INFO, "", f"Sent to the terminal's clipboard, if it has one: {note}")

    def _copyable(self) -> tuple[str | None, str]:
        match self.panel:
            case Panel.LOG:
                return self.log_panel.command, "command"
            case Panel.CHAIN:
                return (self.chain.current.path if self.chain.current else None), "path"
            case Panel.QUEUE:
                queued = self.queue_view.current
                return (queued.item.to or None if queued else None), "path"
            case Panel.JOBS:
                item = self.jobs.current
                return (item.job.place if isinstance(item, JobRow) else None), "path"
            case Panel.DOMAINS:
                row = self.domains.table.current
                return (row.path or None if row else None), "path"

    def action_pause(self) -> None:
        """Hold the picture still, or let it go on."""
        if self.picture.paused_since is None:
            self.picture.pause(self.clock())
        else:
            self.picture.go_on()
        self.show_picture()

    def action_refresh(self) -> None:
        """Read all definitions again."""
        for control in self.picture.controls:
            control.refresh()
        self.hint("Reading all definitions again.")

    def action_doctor(self) -> None:
        """What is wrong or left over on the host under the cursor; on the first where the cursor is on none."""
        disk, controls = self.focused_disk(), self.picture.controls
        if not controls:
            self.hint("No host is open: + opens one.")
            return
        control = controls[disk[0] if disk else 0]
        examine = partial(self.background.do, control.examine)
        self.app.push_screen(DoctorDialog(control.state.name, examine, self.clock, glyphs=self.glyphs))

    def action_history(self) -> None:
        """What has ended, from the latest of the domain under the cursor on."""
        if self.history is None:
            self.hint("What ends is not kept here.")
            return
        disk = self.focused_disk()
        self.app.push_screen(
            HistoryDialog(self.history, self.background, domain=disk[1] if disk else None, glyphs=self.glyphs)
        )

    def action_snapshots(self) -> None:
        """The snapshots of the domain that the cursor is on."""
        disk = self.focused_disk()
        domain = self.picture.states[disk[0]].domain(disk[1]) if disk else None
        if disk is None or domain is None:
            self.hint("Move to the domain whose snapshots are meant first.")
            return
        view = SnapshotsDialog(
            self.picture.controls[disk[0]],
            domain,
            self.background,
            runner=self.runner,
            tell=self.tell,
            clock=self.clock,
            glyphs=self.glyphs,
        )
        self.app.push_screen(view)

    # The program

    def action_connect(self) -> None:
        """Open another host."""
        self.app.push_screen(
            ConnectDialog(glyphs=self.glyphs), lambda uri: self.connect(uri) if uri else None
        )

    def action_help(self) -> None:
        """All keys."""
        self.app.push_screen(HelpScreen(COMMANDS, glyphs=self.glyphs))

    def action_quit(self) -> None:
        """Leave; with anything going on only after saying what becomes of it."""
        running = sum(len(control.state.active_jobs) for control in self.picture.controls)
        # What another program leads does not end with this one.
        moving = [m for control in self.picture.controls for m in control.state.migrations.values() if m.led]
        queue = self.runner.queue
        # Of each of these that is on its way it is told below what becomes of it.
        told = {migration.uuid for migration in moving}
        begun = [item for item in queue.running if item.uuid not in told]
        # As a snapshot is that waits for its user, or a move between two of its jobs.
        at_jobs = {job.uuid for control in self.picture.controls for job in control.state.active_jobs}
        others = told | at_jobs | {item.uuid for item in begun}
        plans = (plan for control in self.picture.controls for plan in control.under_way)
        cut = [plan for plan in plans if plan.unfinished and plan.uuid not in others]
        if not (running or moving or queue.running or queue.waiting or cut):
            self.app.exit()
            return
        sentences = []
        if running or begun:
            words = [f"{counted(running, 'job runs', 'jobs run')} in QEMU"] if running else []
            words += (
                [f"{counted(len(begun), 'of the queue is', 'of the queue are')} under way"] if begun else []
            )
            sentences += [f"{', and '.join(words)}.", self.farewell]
        if cut:
            sentences.append(
                f"{counted(len(cut), 'plan is', 'plans are')} at work, and cut off by this: the next start finds what "
                "is left to do."
            )
        filled = [found for control in self.picture.controls for found in control.state.files.values()]
        if self.farewell == JOBS_GO_ON and any(done < total for done, total in filled):
            sentences.append(LAYERS_STOP)
        sentences += map(migrations.farewell, moving)
        if waiting := len(queue.waiting):
            sentences.append(
                f"{counted(waiting, 'plan waits', 'plans wait')} in the queue and will be forgotten: "
                f"nothing has been done for {'it' if waiting == 1 else 'them'} yet."
            )
        text = " ".join(sentences)
        question = Question(f"{BY_ID['quit'].title}?", text, "Quit", "Stay", glyphs=self.glyphs)
        self.app.push_screen(question, lambda yes: self.app.exit() if yes else None)
