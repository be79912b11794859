"""What speaks against carrying out several plans one after the other that each may be carried out by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tui.model.chain_steps import MakeImage
from tui.model.finding import Finding, refused, warning
from tui.model.plan import Plan
from tui.model.quantity import size
from tui.model.queue import writes_to
from tui.model.request import MoveRequest, Shared
from tui.model.steps import StartCopy
from tui.model.text import printable


def together(plans: Sequence[tuple[str, Plan]]) -> tuple[tuple[Finding, ...], ...]:
    """For each plan, with the host that it is for, what those before it change about it."""
    made: dict[tuple[str, str], tuple[str, str | None]] = {}
    taken: dict[tuple[str, str], int] = {}
    found: list[tuple[Finding, ...]] = []
    for host, plan in plans:
        if plan.refused:
            found.append(())
            continue
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
    return tuple(found)


def _clashes(host: str, plan: Plan, made: dict[tuple[str, str], tuple[str, str | None]]) -> Iterator[Finding]:
    reuses = isinstance(plan.request, MoveRequest) and plan.request.shared is Shared.REUSE
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
            f"{printable(path)} will have been made by the move of {printable(domain)}.",
            "Choose reuse for the shared base." if shared else "Move it to a directory of its own.",
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
    return {**layers, **{step.path: None for step in plan.steps if isinstance(step, StartCopy)}}
