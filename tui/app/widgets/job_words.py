"""What a job's row says in words: what is to come, or how it ended."""

from __future__ import annotations

import posixpath
import time

from textual.content import Content

from tui.app.glyphs import DIM, SEVERITY_STYLES, Glyphs
from tui.app.text import shown, styled
from tui.model.chain_steps import CompareImages, CopyImages, MakeImage
from tui.model.forecast import Verdict, forecast
from tui.model.headway import Below
from tui.model.job import Job, JobType, Phase
from tui.model.quantity import rate
from tui.model.request import Ending
from tui.model.steps import AwaitSync, Step
from tui.model.volume_steps import MakeVolume

_CHECKS = {
    "live-xml": "live XML",
    "persistent-xml": "persistent XML",
    "image-open": "image open",
    "chain": "chain",
}
"""What the proof of a pivot looks at, for short."""


def running_words(job: Job, below: Below | None) -> list[Content]:
    """What is to come of a job, the most important first; ``below`` is what its move has still to do."""
    outlook = forecast(job)
    style = {
        Verdict.DIVERGES: "$text-warning",
        Verdict.STALLED: "$text-warning",
        Verdict.UNKNOWN: DIM,
    }.get(outlook.verdict, "")
    sentence = outlook.sentence
    if job.phase is Phase.IN_SYNC and job.in_sync_since is not None:
        since = time.strftime("%H:%M", time.localtime(job.in_sync_since))
        if below is not None:
            # How far it lags behind matters once the rest is there, and then there is room to say it.
            sentence = "in sync"
        sentence = sentence.replace("in sync", f"in sync since {since}", 1)
    if below is not None:
        sentence = f"{below.mirror} {sentence}"
    words = [shown(sentence, style)]
    if below is not None and below.outlook:
        words.insert(0, Content(below.outlook))
    if job.type is not JobType.COPY:
        words.insert(0, styled(job.type.value, ""))
    limit = job.progress.bandwidth if job.progress else 0
    if limit:
        words.append(styled(f"limit {rate(limit)}", DIM))
    if job.phase is Phase.COPYING and outlook.guest_rate:
        words.append(styled(f"guest writes {rate(round(outlook.guest_rate))}", DIM))
    if job.plan is None:
        words.append(styled("not started here", DIM))
    if job.remark:
        words.append(shown(job.remark, "$text-warning"))
    return words


def ended_words(job: Job, glyphs: Glyphs) -> list[Content]:
    """When and how a job ended, and what was proved of that."""
    words = []
    if job.ended is not None:
        words.append(styled(time.strftime("%H:%M", time.localtime(job.ended)), DIM))
    if job.proof and job.type.mirrors:
        words.append(Content("pivoted"))
    elif job.phase is Phase.DONE and job.ending is Ending.KEEP:
        words.append(Content("kept"))
    if job.remark and not job.proof:
        # What was proved says more than that it is done.
        words.append(shown(job.remark, "$text-error" if job.phase is Phase.FAILED else ""))
    if job.proof:
        signs = [
            styled(
                f"{glyphs.severity(f.severity)} {_CHECKS.get(f.check, f.check)}",
                SEVERITY_STYLES[f.severity],
            )
            for f in job.proof
        ]
        words.append(Content("  ").join(signs))
    return words


def short(step: Step) -> str:
    """What a move is at, in a few words."""
    match step:
        case CopyImages(images=(image,)):
            return f"copy {posixpath.basename(image.source)}"
        case CopyImages(images=images):
            return f"copy {len(images)} layers"
        case CompareImages(path=path):
            return f"compare {posixpath.basename(path)}"
        case MakeImage(path=path) | MakeVolume(path=path):
            return f"make {posixpath.basename(path)}"
        case AwaitSync():
            return "wait for sync"
        case _:
            return step.title
