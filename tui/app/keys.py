"""One method for each command of the registry."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path

from textual.screen import Screen
from textual.widget import Widget

from tui.app.background import Background
from tui.app.commands import BY_ID, COMMANDS, Panel
from tui.app.deeds import Aim, Deeds, running_number
from tui.app.dialogs.ask import Question
from tui.app.dialogs.connect import ConnectDialog
from tui.app.dialogs.details import JobDetails
from tui.app.dialogs.help import HelpScreen
from tui.app.dialogs.merge_fields import COMMIT, PULL
from tui.app.dialogs.save import SaveDialog
from tui.app.glyphs import Glyphs
from tui.app.mishaps import state_directory
from tui.app.picture import Picture
from tui.app.rows import DiskKey
from tui.app.text import shown
from tui.app.verbs import ending_of, why_not, why_not_together
from tui.app.widgets.chain import ChainPanel
from tui.app.widgets.domains import DomainsPanel
from tui.app.widgets.jobs import JobsView
from tui.app.widgets.log import LogPanel
from tui.engine.control import Level
from tui.model.job import Job
from tui.model.request import Ending, EndRequest

JOBS_GO_ON = (
    "Nothing is lost by quitting: jobs go on, and the next start finds them again. "
    "A plan that was to pivot or keep by itself stops at its mirror."
)


class Keys(Screen[None]):
    """What keys, buttons and palette do on the main screen."""

    farewell: str
    """What becomes of running jobs when the user quits."""
    clock: Callable[[], float]
    glyphs: Glyphs
    picture: Picture
    domains: DomainsPanel
    chain: ChainPanel
    jobs: JobsView
    log_panel: LogPanel
    background: Background
    deeds: Deeds
    panel: Panel

    @abstractmethod
    def tell(self, level: Level, host: str, text: str) -> None:
        """Say what happened."""

    @abstractmethod
    def hint(self, text: str) -> None:
        """Say why a key does nothing."""

    @abstractmethod
    def show_picture(self) -> None:
        """Show what is known."""

    @abstractmethod
    def show_details(self, details: JobDetails) -> None:
        """Open the details of a job."""

    @abstractmethod
    def connect(self, uri: str) -> None:
        """Open another host."""

    # What a key is about

    def focused_disk(self) -> DiskKey | None:
        """The disk that a key means: that of the job under the cursor, else that of the table's row."""
        if self.panel is Panel.JOBS:
            item = self.jobs.current
            return item.disk if item else None
        row = self.domains.table.current
        return row.key if row else None

    def focused_job(self) -> Job | None:
        """The job that a key means."""
        if self.panel is Panel.JOBS:
            item = self.jobs.current
            return item.job if item else None
        row = self.domains.table.current
        return row.job if row else None

    def aimed_disks(self) -> list[DiskKey]:
        """The disks that a key is for: the tagged ones of the cursor's domain, else the cursor's."""
        disk = self.focused_disk()
        if disk is None or self.panel is Panel.JOBS:
            return [disk] if disk else []
        number, uuid, _ = disk
        tagged = [row.key for row in self.domains.tagged if (row.number, row.uuid) == (number, uuid)]
        return sorted(tagged) or [disk]

    def aimed_jobs(self) -> list[Job | None]:
        """The jobs of those disks."""
        if self.panel is Panel.JOBS:
            return [self.focused_job()]
        return [self._job_of(disk) for disk in self.aimed_disks()]

    def _job_of(self, disk: DiskKey) -> Job | None:
        number, uuid, target = disk
        return self.picture.states[number].job(uuid, target)

    def _leftover_of(self, disk: DiskKey) -> str | None:
        number, uuid, target = disk
        return self.picture.states[number].leftover(uuid, target)

    def _tags_elsewhere(self, disks: list[DiskKey]) -> bool:
        """Whether other disks are tagged than these, which whoever pressed the key may have meant; says so."""
        tagged = self.domains.tagged
        if self.panel is Panel.JOBS or not tagged or not set(disks).isdisjoint(row.key for row in tagged):
            return False
        names = ", ".join(sorted({row.name for row in tagged}))
        self.hint(f"The tagged disks belong to {names}: go there, or untag them with U.")
        return True

    def _aim(self, disks: list[DiskKey]) -> Aim:
        """Bind to what these disks are now."""
        number, uuid, _ = disks[0]
        running = {target: running_number(self._job_of((number, uuid, target))) for _, _, target in disks}
        return Aim(self.picture.controls[number], uuid, running)

    # Writes

    def action_mirror(self) -> None:
        """Fill in the form for the disk under the cursor, or one after the other for the tagged ones."""
        disks = self.aimed_disks()
        if not disks:
            self.hint("Move to the disk that is to be mirrored first.")
            return
        number, uuid, target = disks[0]
        domain = self.picture.states[number].domain(uuid)
        if domain is None or domain.disk(target) is None:
            self.hint("This domain has no disk that could be mirrored.")
            return
        if not self._tags_elsewhere(disks):
            self.deeds.mirror([self._aim([disk]) for disk in disks])

    def action_commit(self) -> None:
        """Merge layers down."""
        self._merge(COMMIT)

    def action_pull(self) -> None:
        """Bring layers up."""
        self._merge(PULL)

    def _merge(self, what: str) -> None:
        """Fill in the form for the layer under the cursor; from elsewhere than the chain for the active one."""
        disk = self.focused_disk()
        if disk is None or not disk[2]:
            self.hint("Move to the disk whose layers are to be merged first.")
            return
        number, uuid, target = disk
        domain = self.picture.states[number].domain(uuid)
        found = domain.disk(target) if domain else None
        if found is None or len(found.chain.layers) < 2:  # noqa: PLR2004
            self.hint("Merging takes a disk whose chain has several layers; this one has not.")
            return
        place = self.chain.place if self.panel is Panel.CHAIN else 0
        self.deeds.merge(self._aim([disk]), what, place)

    def action_pivot(self) -> None:
        """Let the guest go over to the destination."""
        self._end("pivot")

    def action_pivot_paused(self) -> None:
        """The same, with the guest paused until it has happened."""
        self._end("pivot-paused")

    def action_keep(self) -> None:
        """End the mirror and keep the copy."""
        self._end("keep")

    def action_cancel(self) -> None:
        """Cancel the job."""
        self._end("cancel")

    def _end(self, command: str) -> None:
        disks = self.aimed_disks()
        if not disks:
            self.hint("Move to the job or the disk that is meant first.")
            return
        if self._tags_elsewhere(disks):
            return
        tidying = command == "cancel" and all(self._leftover_of(disk) for disk in disks)
        if not tidying and (reason := why_not_together(self.aimed_jobs(), command)):
            self.hint(reason)
            return
        ending = ending_of(command)
        targets = tuple(target for _, _, target in disks)
        paused = command == "pivot-paused"
        request = EndRequest(
            uuid=disks[0][1],
            targets=targets,
            ending=ending,
            pause=paused or (ending is Ending.PIVOT and len(targets) > 1),
            wait=paused,
        )
        verb = {
            "pivot": "Pivot",
            "pivot-paused": "Pause and pivot",
            "keep": "Keep the copy",
            "cancel": "Tidy up" if tidying else "Cancel the job",
        }
        self.deeds.propose(self._aim(disks), request, verb[command])

    def action_speed(self) -> None:
        """Change the limit of the job."""
        disk, job = self.focused_disk(), self.focused_job()
        if disk is None or job is None or why_not(job, "speed"):
            self.hint(why_not(job, "speed") or "Move to a job first.")
            return
        self.deeds.speed(self._aim([disk]), job)

    # Jobs

    def action_details(self) -> None:
        """Everything about the job; the chain where there is none."""
        disk, job = self.focused_disk(), self.focused_job()
        if disk is None:
            return
        if job is None:
            self.go_to(Panel.CHAIN)
            return
        number, key, this = disk[0], job.key, job.number

        def job_now() -> Job | None:
            jobs = self.picture.states[number].jobs
            return next((j for j in reversed(jobs) if j.key == key and j.number == this), None)

        self.show_details(JobDetails(job_now, self.clock, glyphs=self.glyphs))

    def action_dismiss_job(self) -> None:
        """Take the ended job under the cursor out of the list; in the table all that ended on that disk."""
        job, disk = self.focused_job(), self.focused_disk()
        if job is None or disk is None or not job.phase.ended:
            self.hint(why_not(job, "dismiss-job") or "Move to an ended job first.")
            return
        others = () if self.panel is Panel.JOBS else self.picture.states[disk[0]].jobs
        self.picture.dismissed |= {(disk[0], j.number) for j in (job, *others) if j.key == job.key}
        self.jobs.show_jobs(self.picture.jobs, nearest=True)
        self.show_picture()

    # The table

    def action_tag(self) -> None:
        """Tag or untag the disk under the cursor."""
        if self.panel is Panel.DOMAINS:
            self.domains.toggle_tag()
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

    def action_next_panel(self) -> None:
        """To the next panel."""
        self._step(1)

    def action_previous_panel(self) -> None:
        """To the panel before."""
        self._step(-1)

    def _step(self, step: int) -> None:
        log = self.log_panel.has_class("-open") or self.has_class("-stacked")
        panels = [panel for panel in Panel if panel is not Panel.LOG or log]
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
                partial(_write, Path(path).expanduser(), text),
                lambda _: self.tell(Level.INFO, "", f"The log was written to {path}."),
                lambda error: self.tell(Level.ERROR, "", f"The log could not be written: {error}."),
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
            case Panel.JOBS:
                item = self.jobs.current
                place = item.job.destination.active if item else None
                return (place.path if place else None), "path"
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
        """Leave; with jobs running only after saying that they go on."""
        running = sum(len(control.state.active_jobs) for control in self.picture.controls)
        if not running:
            self.app.exit()
            return
        text = f"{'1 job runs' if running == 1 else f'{running} jobs run'} in QEMU. {self.farewell}"
        question = Question(f"{BY_ID['quit'].title}?", text, "Quit", "Stay", glyphs=self.glyphs)
        self.app.push_screen(question, lambda yes: self.app.exit() if yes else None)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
