"""A list that draws only what is seen and whose cursor holds on to an object, not to a line number.

Lists on this screen change several times a second under a user who is about to press a key that matters. So
the cursor belongs to the key of an item: sorting, filtering and removal move it along, and when the object
itself is gone there is no cursor, rather than another object under it. Lines are drawn when they come into
view and drawn again only when they would look different, which makes a thousand rows as cheap as thirty.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.app.command import Where
from tui.app.commands import bindings
from tui.app.glyphs import DIM
from tui.app.mishaps import report
from tui.app.text import cut, styled
from tui.app.widgets.paint import paint

Item = TypeVar("Item")


class Items(ScrollView, Generic[Item], can_focus=True):
    """Items of equal height under an optional heading."""

    BINDINGS: ClassVar = bindings(Where.LIST)  # type: ignore[assignment]
    ALLOW_SELECT = False
    ALLOW_MAXIMIZE = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"items--cursor", "items--heading"}
    DEFAULT_CSS = """
    Items {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        & > .items--cursor { background: $cursor-line-blurred; }
        &:focus > .items--cursor { background: $cursor-line; }
        & > .items--heading { color: $text-muted; text-style: none; }
    }
    """

    HEADING = 0
    """Lines at the top that do not scroll."""

    @dataclass
    class News(Message):
        """What a list has to say."""

        list: Items  # type: ignore[type-arg]

        @property
        def control(self) -> Items:  # type: ignore[type-arg]
            """The list that says so."""
            return self.list

    class Highlighted(News):
        """Another object, or none, is under the cursor."""

    class Refitted(News):
        """The lines have been painted with another width than before."""

    class Chosen(News):
        """An item was clicked while the cursor was on it, or clicked twice."""

    @dataclass
    class Pressed(News):
        """Something that is drawn as a button was clicked; the cursor is on its item already."""

        command: str
        """The id of the command."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        """Begin empty."""
        super().__init__(id=id)
        self.items: Sequence[Item] = ()
        self._emptiness = ""
        self._index: int | None = None
        self._key: Hashable = None
        self._drawn: dict[tuple[int, int], Content] = {}
        """What stands in the lines that have been drawn, by item index and line."""
        self._drawn_width = 0

    @property
    def lines_per_item(self) -> int:
        """How many lines one item takes now."""
        return 1

    @abstractmethod
    def key_of(self, item: Item) -> Hashable:
        """What makes an item the same object in the next picture."""

    def replaces(self, item: Item, key: Hashable) -> bool:  # noqa: ARG002
        """Whether an item is what became of the object with a key that is gone."""
        return False

    @abstractmethod
    def draw(self, item: Item, line: int, width: int) -> Content:
        """One line of an item."""

    def draw_heading(self, line: int, width: int) -> Content:  # noqa: ARG002
        """One line of the heading."""
        return Content("")

    def explain_emptiness(self, words: str) -> None:
        """Say these words of ours while there are no items."""
        if words != self._emptiness:
            self._emptiness = words
            if not self.items:
                self.refresh()

    @property
    def width(self) -> int:
        """The cells that a line has."""
        return self.scrollable_content_region.width

    @property
    def index(self) -> int | None:
        """Where the cursor is."""
        return self._index

    @property
    def current(self) -> Item | None:
        """The item under the cursor; ``None`` also when the object that was there is gone."""
        return None if self._index is None else self.items[self._index]

    def show(self, items: Sequence[Item], *, nearest: bool = False) -> None:
        """Show these items from now on, in this order.

        When the cursor's object is not among them, ``nearest`` puts the cursor on the next best item. That is
        right where the user takes the object away, as a filter does, and wrong where the host does.
        """
        same = len(items) == len(self.items) and all(
            a is b or self.key_of(a) == self.key_of(b) for a, b in zip(items, self.items, strict=True)
        )
        first = not self.items
        self.items = items
        if same:
            self._redraw_changed()
            return
        self._drawn.clear()
        before = self._index
        self._follow(first=first, nearest=nearest)
        self._resize_virtual()
        if before is not None and self._index is not None:
            shift = (self._index - before) * self.lines_per_item
            if shift:
                self.scroll_to(y=self.scroll_offset.y + shift, animate=False, immediate=True)
            self._reveal()
        self.refresh()

    def move_to(self, index: int) -> None:
        """Put the cursor on a line, as near as there is one."""
        if not self.items:
            return
        index = max(0, min(index, len(self.items) - 1))
        old, self._index = self._index, index
        changed = self._key != (key := self.key_of(self.items[index]))
        self._key = key
        for one in {old, index} - {None}:
            self._refresh_item(one or 0)
        self._reveal()
        if changed or old is None:
            self._tell(self.Highlighted(self))

    def redraw(self) -> None:
        """Draw everything anew, as when a setting has changed."""
        self._drawn.clear()
        self._resize_virtual()
        self.refresh()

    def _tell(self, message: Message) -> None:
        """Post in the list's own name: what a parent causes would otherwise end at that parent."""
        self.post_message(message.set_sender(self))

    def _follow(self, *, first: bool, nearest: bool) -> None:
        """Find the cursor's object among the new items."""
        if not self.items:
            lost = self._index is not None
            self._index = None
            if lost:
                self._tell(self.Highlighted(self))
            return
        nowhere = self._index is None
        if first and self._key is None:
            self._index = 0
        else:
            found = next((n for n, item in enumerate(self.items) if self.key_of(item) == self._key), None)
            if found is None:
                found = next((n for n, item in enumerate(self.items) if self.replaces(item, self._key)), None)
            if found is None and nearest:
                found = min(self._index or 0, len(self.items) - 1)
            if found is None and self._index is None:
                return
            self._index = found
        key = None if self._index is None else self.key_of(self.items[self._index])
        if key != self._key or key is None or nowhere:
            self._key = key
            self._tell(self.Highlighted(self))

    def _redraw_changed(self) -> None:
        """Touch the lines in view that would look different now, and no others."""
        width = self.width
        for (index, line), before in list(self._drawn.items()):
            if index >= len(self.items):
                continue
            if not self._in_view(index):
                del self._drawn[index, line]
                continue
            now = self._draw_safely(self.items[index], line, width)
            if not now.is_same(before):
                self._drawn[index, line] = now
                self.refresh_item_line(index, line)

    def refresh_item_line(self, index: int, line: int) -> None:
        """Have one line painted again."""
        y = self.HEADING + index * self.lines_per_item + line - self.scroll_offset.y
        self.refresh(Region(0, y, self.size.width, 1))

    def _refresh_item(self, index: int) -> None:
        for line in range(self.lines_per_item):
            self.refresh_item_line(index, line)

    def _in_view(self, index: int) -> bool:
        top = index * self.lines_per_item - self.scroll_offset.y
        return -self.lines_per_item < top < self.size.height

    def _resize_virtual(self) -> None:
        self.virtual_size = Size(self.width, self.HEADING + len(self.items) * self.lines_per_item)

    def _reveal(self) -> None:
        """Scroll just far enough to have the cursor in view."""
        if self._index is None:
            return
        tall = self.lines_per_item
        room = max(tall, self.scrollable_content_region.height - self.HEADING)
        top = self._index * tall
        y = self.scroll_offset.y
        if top < y:
            self.scroll_to(y=top, animate=False, immediate=True)
        elif top + tall > y + room:
            self.scroll_to(y=top + tall - room, animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is in view."""
        width = self.width
        if width != self._drawn_width:
            # Resize does not tell: Textual sends none to what becomes visible right after anything scrolled.
            self._drawn_width = width
            self._drawn.clear()
            self._tell(self.Refitted(self))
        if y < self.HEADING:
            base = self.get_visual_style("items--heading")
            return paint(self, self.draw_heading(y, width), base, width)
        index, line = divmod(y - self.HEADING + self.scroll_offset.y, self.lines_per_item)
        if index >= len(self.items):
            first = not self.items and y == self.HEADING
            empty = styled(f" {self._emptiness}", DIM) if first else Content("")
            return paint(self, empty, self.visual_style, width)
        content = self._drawn.get((index, line))
        if content is None:
            content = self._drawn[index, line] = self._draw_safely(self.items[index], line, width)
        base = self.get_visual_style("items--cursor") if index == self._index else self.visual_style
        return paint(self, content, base, width)

    def _draw_safely(self, item: Item, line: int, width: int) -> Content:
        """Draw a line; one that cannot be drawn says so, and the rest of the screen is painted all the same."""
        try:
            return cut(self.draw(item, line, width), width)
        except Exception as error:  # noqa: BLE001  while painting nobody above could go on
            report(self.app, error)
            return styled(" This line could not be drawn.", "$text-error")

    def notify_style_update(self) -> None:
        """A theme was chosen: styles are resolved when painting, so only paint."""
        super().notify_style_update()
        self.refresh()

    def on_resize(self) -> None:
        """Another width: lay all lines out again, and keep the cursor in view."""
        self.redraw()
        self.call_after_refresh(self._reveal)

    def action_cursor_up(self) -> None:
        """One line up."""
        self.move_to((self._index if self._index is not None else self._last_known()) - 1)

    def action_cursor_down(self) -> None:
        """One line down."""
        self.move_to(self._last_known() if self._index is None else self._index + 1)

    def action_page_up(self) -> None:
        """One page up."""
        self.move_to(self._last_known() - self._page())

    def action_page_down(self) -> None:
        """One page down."""
        self.move_to(self._last_known() + self._page())

    def action_first(self) -> None:
        """To the first item."""
        self.move_to(0)

    def action_last(self) -> None:
        """To the last item."""
        self.move_to(len(self.items) - 1)

    def _page(self) -> int:
        return max(1, (self.scrollable_content_region.height - self.HEADING) // self.lines_per_item - 1)

    def _last_known(self) -> int:
        return self.scroll_offset.y // self.lines_per_item if self._index is None else self._index

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to what was clicked, and press the button that was hit."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.HEADING:
            return
        index = (offset.y - self.HEADING + self.scroll_offset.y) // self.lines_per_item
        if index >= len(self.items):
            return
        again = index == self._index
        self.move_to(index)
        if command := event.style.meta.get("command"):
            self._tell(self.Pressed(self, str(command)))
        elif again or event.chain > 1:
            self._tell(self.Chosen(self))
