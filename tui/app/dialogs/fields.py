"""Form fields of one line: signs and words carry their state, so that they are readable without colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.app.widgets.at_once import act_at_once

_GAP = "  "


@dataclass
class Taken(Message):
    """What was typed is whole now, and counts."""

    entered: bool
    """Whether enter was pressed there."""


class Choice(Widget, can_focus=True):
    """One of a few, side by side or below one another: the arrows or a click choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "choose(-1)", "The one before", show=False),
        Binding("right,down,space", "choose(1)", "The next one", show=False),
    ]

    value = reactive("", init=False)

    @dataclass
    class Changed(Message):
        """Another one is chosen."""

        choice: Choice
        value: str

        @property
        def control(self) -> Choice:
            """Where it was chosen."""
            return self.choice

    def __init__(
        self,
        options: Sequence[tuple[str, str]],
        value: str = "",
        *,
        glyphs: Glyphs = UNICODE,
        upright: bool = False,
        id: str | None = None,  # noqa: A002
    ) -> None:
        """Offer ``options``, value and word each; the words may come from a host. ``upright`` is one a line."""
        super().__init__(id=id)
        self._upright = upright
        self.styles.height = len(options) if upright else 1
        self._options = tuple((name, shown(word)) for name, word in options)
        self._glyphs = glyphs
        self.set_reactive(Choice.value, value or options[0][0])

    def offer(self, options: Sequence[tuple[str, str]], value: str) -> None:
        """Offer others; nobody has chosen anything by that."""
        if self._upright:
            self.styles.height = len(options)
        self._options = tuple((name, shown(word)) for name, word in options)
        self.set_reactive(Choice.value, value)
        self.refresh(layout=True)

    def watch_value(self, value: str) -> None:
        """Say so."""
        self.post_message(self.Changed(self, value))

    async def on_key(self, event: events.Key) -> None:
        """It is for this one, even if the next key leaves it."""
        await act_at_once(self, event)

    def action_choose(self, step: int) -> None:
        """Go to another one; ends are ends. From none of them it goes to the first."""
        names = [name for name, _ in self._options]
        index = names.index(self.value) + step if self.value in names else 0
        self.value = names[max(0, min(len(names) - 1, index))]

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked."""
        event.stop()
        offset = event.get_content_offset(self)
        if self._upright:
            if offset is not None and offset.y < len(self._options):
                self.value = self._options[offset.y][0]
            return
        end = 0
        for name, word in self._options:
            end += 2 + word.cell_length
            if offset is not None and offset.x < end:
                self.value = name
                return
            end += len(_GAP)

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        """All options side by side, or the longest."""
        if self._upright:
            return max(2 + word.cell_length for _, word in self._options)
        return sum(2 + word.cell_length for _, word in self._options) + len(_GAP) * (len(self._options) - 1)

    def render(self) -> Content:
        """The signs and words, the chosen one full."""
        parts: list[Content | str] = []
        for name, word in self._options:
            if parts:
                parts.append("\n" if self._upright else _GAP)
            if name == self.value:
                parts += [styled(f"{self._glyphs.running} ", "$text-primary"), word.stylize("bold")]
            else:
                parts += [styled(f"{self._glyphs.off} ", DIM), word.stylize(DIM)]
        return join(*parts)


class Check(Widget, can_focus=True):
    """Yes or no."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "turn", "Yes or no", show=False)]

    value = reactive(False, init=False)  # noqa: FBT003  the way reactives are declared

    @dataclass
    class Changed(Message):
        """It was ticked or unticked."""

        check: Check
        value: bool

        @property
        def control(self) -> Check:
            """Where it was ticked."""
            return self.check

    def __init__(
        self,
        label: str,
        *,
        value: bool = False,
        id: str | None = None,  # noqa: A002
        disabled: bool = False,
    ) -> None:
        """Ask ``label``, which may name things of a host."""
        super().__init__(id=id, disabled=disabled)
        self._label = shown(label)
        self.set_reactive(Check.value, value)

    def watch_value(self, value: bool) -> None:  # noqa: FBT001  the way reactives are watched
        """Say so."""
        self.post_message(self.Changed(self, value))

    async def on_key(self, event: events.Key) -> None:
        """It is for this one, even if the next key leaves it."""
        await act_at_once(self, event)

    def action_turn(self) -> None:
        """Turn it round."""
        self.value = not self.value

    def on_click(self, event: events.Click) -> None:
        """A click turns it round."""
        event.stop()
        self.action_turn()

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        """The box and its label."""
        return 4 + self._label.cell_length

    def render(self) -> Content:
        """The box and its label."""
        box = (
            styled("[x] ", "$text-primary")
            if self.value and not self.disabled
            else Content("[x] " if self.value else "[ ] ")
        )
        return join(box, self._label)


class More(Check):
    """What is seldom wanted: out of view until it is asked for, with a word on how much of it is in use."""

    def __init__(self, label: str, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Fold away what ``label`` says."""
        super().__init__(label, id=id)
        self._glyphs = glyphs
        self._words = ""

    def tell(self, words: str) -> None:
        """Say how much of it is in use."""
        self._words = f"  {words}" if words else ""
        self.refresh(layout=True)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """The sign, the label, and what is told."""
        return super().get_content_width(container, viewport) + len(self._words)

    def render(self) -> Content:
        """A sign for each state."""
        sign = self._glyphs.less if self.value else self._glyphs.more
        return join(styled(f"{sign} ", "$text-primary"), self._label, styled(self._words, DIM))


class Field(Vertical):
    """A label, what is filled in, and beneath it a remark, or what is wrong with it."""

    def __init__(
        self,
        label: str,
        *parts: Widget,
        unit: str = "",
        room: int = 0,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        """Label the parts, which stand side by side; all words are ours.

        ``room`` is how many lines the remark has in any case, so that nothing below moves when there is another.
        Where nothing else is given, the id is that of the first part with ``-field`` behind it.
        """
        own = f"{parts[0].id}-field" if parts and parts[0].id else None
        super().__init__(id=id or own, classes=classes)
        self._label = label
        self._parts = parts
        self._unit = unit
        self._room = room
        self._note = ""
        self._problem = ""

    def compose(self) -> ComposeResult:
        """The line, and room for the remark."""
        with Horizontal():
            yield Static(Content(self._label), classes="label")
            yield from self._parts
            if self._unit:
                yield Static(Content(self._unit), classes="unit")
        remark = Static(classes="remark", markup=False)
        remark.styles.min_height = self._room
        remark.set_class(bool(self._room), "-some")
        yield remark

    @property
    def remark(self) -> str:
        """What stands beneath."""
        return self._problem or self._note

    def note(self, text: str) -> None:
        """Remark something; a problem comes first."""
        self._note = text
        self._show()

    def problem(self, text: str) -> None:
        """Say what is wrong, or with an empty text that nothing is."""
        self._problem = text
        self._show()

    def _show(self) -> None:
        remark = self.query_one(".remark", Static)
        remark.update(shown(self.remark))
        remark.set_class(bool(self.remark or self._room), "-some")
        remark.set_class(bool(self._problem), "-problem")


class Filled(Widget):
    """What holds fields, and says by their names what is filled in."""

    def field(self, name: str) -> Field:
        """The line of that name."""
        return self.query_one(f"#{name}-field", Field)

    def text(self, name: str) -> str:
        """What is written there."""
        return self.query_one(f"#{name}", Input).value.strip()

    def checked(self, name: str) -> bool:
        """Whether that is wanted."""
        return self.query_one(f"#{name}", Check).value

    def chosen(self, name: str) -> str:
        """Which of them."""
        return self.query_one(f"#{name}", Choice).value
