"""What is seldom asked for in a form: folded away until somebody wants it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from tui.app.dialogs.choices import Part
from tui.app.dialogs.fields import Check, Choice, Field, Filled, More
from tui.app.dialogs.form_fields import FormFields
from tui.app.glyphs import UNICODE, Glyphs

AS_USUAL = ""
"""What stands for it in a choice."""


class Options(Vertical, Filled):
    """Fields that can all be left as they are."""

    def __init__(self) -> None:
        """Stand at the end of a form."""
        super().__init__(id="options")

    @property
    def count(self) -> int:
        """How many are not as usual."""
        fields = (field for field in self.query(Field) if field.display and not field.disabled)
        return sum(
            self.changed(widget)
            for field in fields
            for widget in field.query("Input, Check, Choice").results(Widget)
        )

    def changed(self, widget: Widget) -> bool:
        """Whether something is asked for there."""
        match widget:
            case Input():
                return bool(widget.value.strip())
            case Check():
                return widget.value
            case Choice():
                return widget.value != AS_USUAL
            case _:
                return False


class FoldingFields(FormFields):
    """Fields with such options at their end."""

    def __init__(self, options: Options, *, glyphs: Glyphs = UNICODE) -> None:
        """Fold ``options`` away."""
        super().__init__()
        self._seldom = options
        self._more = More("more options", glyphs=glyphs, id="more")
        self._unfolding = False

    def folded(self) -> ComposeResult:
        """The line that unfolds them, and they."""
        yield self._more
        yield self._seldom

    def on_mount(self) -> None:
        """Fold them."""
        self._seldom.display = False
        # Before that there is nothing below to scroll to.
        self.watch(self, "virtual_size", self._bring_into_view, init=False)

    def tell_options(self, *, some: bool = True) -> None:
        """Say how many are in use; ``some`` is whether any of them means something at present."""
        count = self._seldom.count
        self._more.tell(f"{count} in use" if count else "")
        self._more.display = some
        self._seldom.display = some and self._more.value

    def enter_part(self, part: Part) -> None:
        """What is folded away is unfolded first."""
        self.enter_field(self.query_one(f"#{part}"))

    def enter_field(self, field: Widget) -> None:
        """Go to a field, wherever it is."""
        if self._seldom in field.ancestors and not self._seldom.display:
            self._more.value = True
            self.call_after_refresh(field.focus)
        else:
            field.focus()

    @on(Check.Changed, "#more")
    def unfold(self, event: Check.Changed) -> None:
        """Show what is seldom wanted, or no longer."""
        self._seldom.display = self._unfolding = event.value

    def _bring_into_view(self) -> None:
        if self._unfolding:
            self._unfolding = False
            self._more.scroll_visible(top=True, animate=False)
