"""All that is known of one snapshot, of what the guest writes now, or of a checkpoint: its disks, and their images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from textual.content import Content

from tui.app.chains import name_of, place_of
from tui.app.dialogs.flow import EMPTY, Line, heading, table
from tui.app.glyphs import DIM, MIRROR_STYLES, Glyphs
from tui.app.text import join, shown, styled
from tui.model.checkpoint import ABOUT, KnownCheckpoint
from tui.model.command import virsh
from tui.model.hierarchy import KnownSnapshot, SnapshotMirror, SnapshotView, StateDisk
from tui.model.hierarchy_losses import Loss, losses
from tui.model.hierarchy_noted import note_of
from tui.model.hierarchy_roles import LayerRole
from tui.model.hierarchy_rows import MOST_STEPS, TreeRow, bitmap_words, role_words
from tui.model.methods import Method
from tui.model.mirrored_snapshot import Kind
from tui.model.quantity import moment, size
from tui.model.snapshot_fill import NEARLY, fill_words
from tui.model.snapshot_note import Held
from tui.model.text import listed

_FEW = 6
_TWO_ENDS = "It has mirrors: d lets the guest go over to them, or gives them up."


def detail_lines(
    line: TreeRow | None,
    view: SnapshotView,
    roles: Sequence[LayerRole],
    glyphs: Glyphs,
    *,
    mirrors_end: bool,
) -> Iterator[Line]:
    """What stands beside the tree, for the line under its cursor; ``mirrors_end`` is whether keys can end mirrors."""
    if line is not None and line.snapshot is not None:
        if mirrors_end and line.snapshot.name in view.mirrors:
            yield Line(Content(""), styled(_TWO_ENDS, "$text-accent"))
        yield from _snapshot(line.snapshot, view, losses(line.snapshot, view), glyphs)
        targets = [disk.target for disk in line.snapshot.disks]
    elif line is not None and line.checkpoint is not None:
        yield from _checkpoint(line.checkpoint, view, glyphs)
        targets = [disk.target for disk in line.checkpoint.disks]
    else:
        yield from _live(view)
        targets = [role.target for role in roles]
    for target in dict.fromkeys(targets):
        yield from _chain([role for role in roles if role.target == target], view, glyphs)


def _live(view: SnapshotView) -> Iterator[Line]:
    current, active = view.hierarchy.current, view.domain.state.active
    yield Line(
        Content(""), styled("What the guest writes now" if active else "What the guest starts from", "bold")
    )
    yield from table(
        [
            ("state", shown(view.domain.state.value)),
            ("parent", shown(current.name) if current else styled("none", DIM)),
        ]
    )


def _snapshot(one: KnownSnapshot, view: SnapshotView, lost: Sequence[Loss], glyphs: Glyphs) -> Iterator[Line]:
    hierarchy = view.hierarchy
    yield Line(Content(""), shown(one.name, "bold"))
    if one.description:
        yield Line(Content(""), shown(one.description))
    children = hierarchy.children.get(one.name, ())
    rows = [
        ("kind", Content(one.kind.value)),
        ("state", shown(one.state or glyphs.empty)),
        ("taken", Content(glyphs.empty if one.created is None else moment(one.created))),
        (
            "parent",
            shown(one.parent) if one.parent and one.name not in hierarchy.roots else styled("none", DIM),
        ),
        ("children", _names(children)),
    ]
    if one.current:
        rows.append(("current", styled("what the guest writes now comes after it", "$text-success")))
    if one.memory is not None:
        where = "inside the image" if one.memory is Kind.INTERNAL else one.memory_file or one.memory.value
        rows.append(("memory", _sized(shown(where), view.sizes.get(one.memory_file or ""))))
    rows += [("state lost", shown(f"{glyphs.bad} {loss}", "$text-error")) for loss in lost]
    yield from table(rows)
    parts = {loss.part for loss in lost}
    mirrors = {mirror.target: mirror for mirror in view.mirrors.get(one.name, ())}
    note = note_of(view.domain, one.name)
    notes = {held.target: held for held in note.disks} if note else {}
    for disk in one.disks:
        if disk.target in notes:
            yield from _held(notes[disk.target], view, glyphs)
            continue
        yield EMPTY
        yield heading(f"{shown(disk.target).plain}, {disk.kind.value}")
        yield from table(
            [
                *_disk(disk, view, lost=disk.target in parts),
                *_mirror(mirrors.get(disk.target), glyphs),
            ]
        )


def _checkpoint(one: KnownCheckpoint, view: SnapshotView, glyphs: Glyphs) -> Iterator[Line]:
    yield Line(Content(""), shown(one.name, "bold"))
    if one.description:
        yield Line(Content(""), shown(one.description))
    yield from table(
        [
            ("kind", Content("checkpoint")),
            ("taken", Content(glyphs.empty if one.created is None else moment(one.created))),
            ("parent", shown(one.parent) if one.parent else styled("none", DIM)),
            *(("disk", shown(bitmap_words(disk))) for disk in one.disks),
            ("delete", shown(virsh("checkpoint-delete", view.domain.name, one.name))),
        ]
    )
    yield EMPTY
    yield Line(Content(""), styled(ABOUT, DIM))


def _disk(disk: StateDisk, view: SnapshotView, *, lost: bool) -> Iterator[tuple[str, Content]]:
    inside = disk.kind is Kind.INTERNAL
    if disk.base is not None:
        known = _sized(shown(disk.base), view.sizes.get(disk.base), disk.base_format)
        yield "lost from" if lost else "state inside" if inside else "state in", known
    if disk.path is not None:
        yield "new since", _sized(shown(disk.path), view.sizes.get(disk.path), disk.format)


def _mirror(mirror: SnapshotMirror | None, glyphs: Glyphs) -> Iterator[tuple[str, Content]]:
    """Where what is new since the snapshot goes as well."""
    if mirror is not None:
        how = styled(f"  {glyphs.mirror(mirror.state)} {mirror.state}", MIRROR_STYLES[mirror.state])
        yield "mirror to", join(shown(mirror.path), how)


def _held(disk: Held, view: SnapshotView, glyphs: Glyphs) -> Iterator[Line]:
    yield EMPTY
    yield heading(f"{shown(disk.target).plain}, by {disk.method.value}")
    rows = [("state in", shown(disk.path) if disk.path else styled("where you put it", DIM))]
    if disk.pool is not None:
        rows.append(("volume", shown(f"{disk.volume} of the pool {disk.pool}")))
    if disk.method is Method.LVM:
        rows.append(("filled", _filled(view.filled.get(disk.path or ""), glyphs)))
    rows += [("on", shown(path)) for path in disk.needs]
    yield from table(rows)


def _filled(part: float | None, glyphs: Glyphs) -> Content:
    if part is None:
        return styled(glyphs.empty, DIM)
    return styled(fill_words(part), "$text-error" if part >= 1 else "$text-warning" if part >= NEARLY else "")


def _chain(roles: Sequence[LayerRole], view: SnapshotView, glyphs: Glyphs) -> Iterator[Line]:
    """The images of a disk, the base on top, and what each of them belongs to."""
    if not roles:
        return
    yield EMPTY
    yield heading(f"Chain of {shown(roles[0].target).plain} now")
    place = ""
    for depth, role in enumerate(reversed(roles)):
        branch = "  " * min(depth - 1, MOST_STEPS) + f"{glyphs.corner} " if depth else ""
        style = "$text-primary" if role.active else ""
        known = [role.layer.format or "format not known", *_amount(view.sizes.get(role.layer.path))]
        name = join(shown(name_of(role.layer), style), shown("  " + "  ".join(known), DIM))
        yield Line(styled(branch, DIM), name)
        lead = styled(" " * (len(branch) + 2), "")
        place, above = place_of(role.layer) or role.layer.path, place
        if place != above:
            yield Line(lead, shown(place, DIM))
        words = role_words(role)
        if role.active:
            words[0] = f"{glyphs.active} {words[0]}"
        if words:
            yield Line(lead, shown(f" {glyphs.dot} ".join(words)))


def _sized(text: Content, amount: int | None, form: str | None = None) -> Content:
    known = [*([form] if form else []), *_amount(amount)]
    return join(text, shown("  " + "  ".join(known), DIM)) if known else text


def _amount(amount: int | None) -> Iterable[str]:
    return () if amount is None else (size(amount),)


def _names(names: Sequence[str]) -> Content:
    return shown(listed(names, _FEW)) if names else styled("none", DIM)
