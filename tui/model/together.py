"""What speaks against carrying out several plans one after the other that each may be carried out by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import MakeImage
from tui.model.finding import Finding, refused, warning
from tui.model.migrate_steps import CopyLayersThere, MakeThere
from tui.model.plan import Plan
from tui.model.quantity import size
from tui.model.queue import goes_to, pooled_by, writes_to
from tui.model.request import MoveRequest, Shared
from tui.model.text import printable


def together(plans: Sequence[tuple[str, Plan]]) -> tuple[tuple[Finding, ...], ...]:
    """For each plan, with the host that it is for, what those before it change about it."""
    made: dict[tuple[str, str], tuple[str, str | None]] = {}
    taken: dict[tuple[str, str], int] = {}
    memory: dict[str, int] = {}
    found: list[tuple[Finding, ...]] = []
    for source, plan in plans:
        if plan.refused:
            found.append(())
            continue
        step = goes_to(plan)
        host = step.destination if step else source
        clashes = tuple(_clashes(host, plan, made))
        found.append(clashes)
        if clashes:
            continue
        for path, like in _made(plan).items():
            made[host, path] = (plan.domain, like)
        place = (host, writes_to(plan))
        before = taken.get(place, 0)
        if plan.needs is not None:
            taken[place] = before + plan.needs
            if before and plan.free is not None and plan.free < before + plan.needs:
                found[-1] = (_too_little(plan, plan.free, before),)
        if plan.memory is not None:
            beside = memory.get(host, 0)
            memory[host] = beside + plan.memory
            if beside and plan.free_memory is not None and plan.free_memory < beside + plan.memory:
                found[-1] += (_too_full(plan, plan.free_memory, beside),)
    return tuple(found)


def judged(plans: Sequence[tuple[str, Plan]]) -> tuple[Plan, ...]:
    """These plans, each with what those before it change about it."""
    found = zip(plans, together(plans), strict=True)
    return tuple(replace(plan, findings=(*plan.findings, *more)) for (_host, plan), more in found)


def load_of(plan: Plan) -> str:
    """What a domain takes at the host that it goes to, for people."""
    words = [f"{size(plan.memory)} of memory" if plan.memory is not None else "its definition"]
    if plan.needs:
        words.append(f"{size(plan.needs)} of disks")
    return ", ".join(words)


def _clashes(host: str, plan: Plan, made: dict[tuple[str, str], tuple[str, str | None]]) -> Iterator[Finding]:
    moves = plan.request if isinstance(plan.request, MoveRequest) else None
    reuses = moves.shared is Shared.REUSE if moves else bool(goes_to(plan))
    for path, like in _made(plan).items():
        if (host, path) not in made:
            continue
        domain, other = made[host, path]
        shared = like is not None and like == other
        if shared and reuses:
            # By then it lies there, and is used once it was found equal.
            continue
        yield refused(
            "image-comes",
            f"{printable(path)} will have been made for {printable(domain)}.",
            _elsewhere(plan, shared=shared),
        )


def _elsewhere(plan: Plan, *, shared: bool) -> str:
    if goes_to(plan):
        return "Map its directory to one of its own, or migrate it by itself."
    return "Choose reuse for the shared base." if shared else "Move it to a directory of its own."


def _too_full(plan: Plan, free: int, before: int) -> Finding:
    return warning(
        "memory-in-turn",
        f"Those before it take {size(before)} of the {size(free)} of memory that are free there, and it has "
        f"{size(plan.memory)}.",
        "Make room there first, or the host may swap or end guests.",
    )


def _too_little(plan: Plan, free: int, before: int) -> Finding:
    return warning(
        "space-in-turn",
        f"Those before it take about {size(before)} of the {size(free)} that are free there, and it needs "
        f"{size(plan.needs)}.",
        "It is looked at again when its turn comes, and refused if there is no room then.",
    )


def _made(plan: Plan) -> dict[str, str | None]:
    """The images that it makes, and the layer that each takes the place of; ``None`` for the active one."""
    layers: dict[str, str | None] = {s.path: s.like for s in plan.steps if isinstance(s, MakeImage)}
    brought = {
        image.path: image.source
        for step in plan.steps
        if isinstance(step, CopyLayersThere)
        for image in step.images
    }
    there = {
        step.image.path: brought.get(step.image.path) for step in plan.steps if isinstance(step, MakeThere)
    }
    copied = [step.path for step in plan.steps if isinstance(step, StartCopy)]
    return {**layers, **there, **dict.fromkeys((*pooled_by(plan), *copied))}
