"""Taking what stands still to another host ahead of the domain that needs it there, and looking at what is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from tui.engine.batches import batches
from tui.engine.carrying import Carrier, patiently
from tui.engine.chain_steps import reached_files
from tui.engine.control import Level
from tui.engine.errors import StepFailed
from tui.engine.files import Files
from tui.engine.filling import TOLD
from tui.engine.look import written_in
from tui.engine.migrating import called_back
from tui.engine.peers import REACHED, peer_of
from tui.engine.room import crawling
from tui.engine.standing import users_at
from tui.engine.steps import happened, run
from tui.model import on_the_way
from tui.model.chain_steps import ImageCopy
from tui.model.coming import coming_to
from tui.model.facts import same_name
from tui.model.figures import Figures
from tui.model.finding import Finding, fine
from tui.model.host import Link
from tui.model.image import led_to
from tui.model.job import Sample
from tui.model.migrate_steps import CompareThere, CopyLayersThere
from tui.model.migration import LayersOnTheWay, MigrationPhase
from tui.model.quantity import size
from tui.model.text import counted, printable

if TYPE_CHECKING:
    from tui.engine.host import Host

_AGES = "LC_ALL=C exec stat -L -c '%y %s' -- \"$@\""


@run.register(CompareThere)
def _(step: CompareThere, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    with peer_of(host, step.destination) as there:
        _await_others(step, host, left)
        here, other, broke = reached_files(host), reached_files(there), partial(_warn, step, host)
        for image, header in zip(step.images, step.headers, strict=True):
            trouble = patiently(partial(_astray, image, here, other), broke, left) if header else ""
            if not trouble and not patiently(partial(_equal, image, header, here, other, left), broke, left):
                trouble = f"does not hold, byte for byte, what {image.source} holds"
            if trouble:
                raise StepFailed(
                    f"{image.path} of {step.host} {trouble}.",
                    remedy="Remove it, and it is brought; or name another place: --map OLD=NEW",
                )
    _insist(step, left)
    count = counted(len(step.images), "file")
    return (fine("layers-equal", f"{count} at {step.host} hold the same as here."),)


@run.register(CopyLayersThere)
def _(step: CopyLayersThere, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    began = time.monotonic()
    with peer_of(host, step.destination) as there:
        here, other = reached_files(host), reached_files(there)
        _insist_on_still(step, host, there)
        before = _ages(step, here)
        carrier = _carrier(step, host, there, left)
        broke = partial(_warn, step, host)
        for image in step.images:
            anew = partial(broke, then=f"{printable(image.path)} is begun anew.")
            patiently(partial(carrier.carry, image), anew, left, partial(carrier.furthest, image))
            _insist(step, left)
        took = time.monotonic() - began
        host.apply(
            partial(on_the_way.with_layers, uuid=step.uuid, phase=MigrationPhase.COMPARING, layers=None)
        )
        for image in step.images:
            if not patiently(partial(_equal, image, 0, here, other, left), broke, left):
                raise StepFailed(f"{image.path} of {step.host} is not what {image.source} is.")
            patiently(partial(other.rename_backing, image), broke, left)
            patiently(partial(carrier.settle, image), broke, left)
        if patiently(partial(_ages, step, here), broke, left) != before:
            raise StepFailed(f"What {step.domain} stands on has changed meanwhile, and does not stand still.")
        # Where a line has broken, that of libvirt has too, and the guest is to go next.
        there.wait_for(
            lambda s: True if s.link is Link.LIVE and s.listed else None, timeout=REACHED, stop=left
        )
    _insist(step, left)
    count = counted(len(step.images), "file")
    amount = sum(step.sizes)
    words = f"{count}, {size(amount)}, came to {step.host} in {took:.1f} s, and hold the same."
    return (fine("layers-copied", words, Figures(disks=amount)),)


@happened.register(CompareThere)
@happened.register(CopyLayersThere)
def _(step: CompareThere | CopyLayersThere, host: Host) -> bool:  # noqa: ARG001
    # Once more does no harm, and half of it would.
    return False


def _insist(step: CompareThere | CopyLayersThere, left: threading.Event) -> None:
    """Nothing has happened to the guest yet, so that all can be taken back at once."""
    if left.is_set():
        raise called_back(step.domain)


def _await_others(step: CompareThere, host: Host, left: threading.Event) -> None:
    """Wait for what the plans of other domains bring at this moment."""

    def coming() -> list[str]:
        others = (e for e in host.plans if e.uuid != step.uuid and not e.stale(host.clock()))
        found = coming_to(step.host, others)
        return [image.path for image in step.images if image.path in found]

    if waits := coming():
        words = f"{waits[0]} is being brought to {step.host} for another domain, and is waited for."
        host.log(words, domain=step.domain)
    # Nothing happens when another plan grows old; the signs of life of this one have it looked at again.
    host.wait_for(lambda _: None if coming() else True, stop=left)
    _insist(step, left)


def _insist_on_still(step: CopyLayersThere, host: Host, there: Host) -> None:
    """Guests may have gone elsewhere since the plan was made."""
    written, users = written_in(host.state), users_at(there.state)
    for image in step.images:
        if image.source in written:
            raise StepFailed(f"A guest writes to {image.source} by now, so that it does not stand still.")
        if same_name(image.path) in users:
            raise StepFailed(f"{image.path} of {step.host} is in use by now, and is not written to.")


def _ages(step: CopyLayersThere, here: Files) -> str:
    """What is another answer once one of them was written to."""
    return "".join(here.ask(_AGES, *some) for some in batches(image.source for image in step.images))


def _carrier(step: CopyLayersThere, host: Host, there: Host, left: threading.Event) -> Carrier:
    files = reached_files(there)
    # What came of each; of what a file system packs more goes over the line than it takes here.
    amounts = {image.path: 0 for image in step.images}
    takes = dict(zip(amounts, step.sizes, strict=True))
    told, total = [0.0], sum(step.sizes)

    def show() -> None:
        done = sum(amounts.values())
        layers = LayersOnTheWay(done, total, (Sample(time.monotonic(), done, total),)) if total else None
        host.apply(
            partial(on_the_way.with_layers, uuid=step.uuid, phase=MigrationPhase.LAYERS, layers=layers)
        )

    def tell(path: str, done: int) -> None:
        amounts[path] = min(done, takes[path])
        now = time.monotonic()
        if now - told[0] >= TOLD:
            told[0] = now
            show()

    show()
    return Carrier(
        reached_files(host),
        files,
        bandwidth=step.bandwidth,
        tell=tell,
        crawls=crawling(files, host, step.domain, at=step.host),
        left=left,
    )


def _warn(
    step: CompareThere | CopyLayersThere, host: Host, reason: str, *, then: str = "It is tried again."
) -> None:
    host.log(f"{reason} {then}", Level.WARNING, domain=step.domain)


def _astray(image: ImageCopy, here: Files, there: Files) -> str:
    """How a layer there stands on another one than it should, or nothing: that name is not compared with the rest."""
    found = there.info(image.path, image.format)
    if image.backing is None:
        own = here.info(image.source, image.format)
        name, form = own.backing_file, own.backing_format
    else:
        name, form = image.backing, image.backing_format or "raw"
    if led_to(image.path, found.backing_file) == led_to(image.path, name) and found.backing_format == form:
        return ""
    has, wants = (
        f"{printable(one or 'nothing')} ({printable(kind or 'of no recorded format')})"
        for one, kind in ((found.backing_file, found.backing_format), (name, form))
    )
    return f"stands on {has}, and would have to on {wants}"


def _equal(image: ImageCopy, header: int, here: Files, there: Files, left: threading.Event) -> bool:
    """Whether both hold the same but for so many bytes at their start; yes as well when nobody waits any more."""
    asked: Sequence[tuple[Files, str]] = ((here, image.source), (there, image.path))
    with ThreadPoolExecutor(len(asked), "compare") as pool:
        one, other = [pool.submit(files.digest, path, header, left) for files, path in asked]
        return one.result() == other.result() or left.is_set()
