"""Which host to open."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.types import CSSPathType
from textual.widgets import Button, Input, OptionList
from textual.widgets.input import Selection
from textual.widgets.option_list import Option

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Field
from tui.app.dialogs.flow import Flow, heading
from tui.app.glyphs import DIM
from tui.app.text import join, styled
from tui.app.widgets.entry import Entry

EXAMPLES = (
    ("qemu:///system", "this machine"),
    ("qemu:///session", "this machine, your own guests"),
    ("qemu+ssh://root@host/system", "another machine, by SSH"),
    ("qemu+tls://host/system", "another machine, by TLS"),
)


def uri_problem(uri: str) -> str:
    """Why this cannot be the URI of a host; empty when it can."""
    if not uri.isprintable() or " " in uri:
        return "A URI has no spaces and no control characters."
    scheme, separator, rest = uri.partition("://")
    if not scheme or not separator or not rest:
        return "A URI looks like the examples below: a scheme, then ://, then a place."
    return ""


class ConnectDialog(Dialog[str | None]):
    """Asks for the URI of a host."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "connect.tcss"]

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "examples", "To the examples", show=False, id="connect-examples"),
    ]

    def compose(self) -> ComposeResult:
        """The URI, and examples that can be taken."""
        width = max(len(uri) for uri, _ in EXAMPLES) + 3
        yield from self.boxed(
            styled("Open another host", ""),
            Field("URI", Entry(placeholder="qemu:///system", select_on_focus=False, id="uri")),
            Flow([heading("Examples")], classes="examples"),
            OptionList(
                *(Option(join(uri.ljust(width), styled(what, DIM)), id=uri) for uri, what in EXAMPLES),
                id="examples",
            ),
            Buttons(
                self.glyphs.words("enter open  ↓ examples  esc not now"),
                button("Not now", "leave"),
                button("Open", "open"),
            ),
        )

    def on_mount(self) -> None:
        """Typing is harmless."""
        self.query_one("#uri", Input).focus()

    @on(Input.Changed, "#uri")
    def forget_problem(self) -> None:
        """Do not scold while somebody types."""
        self.query_one("#uri-field", Field).problem("")

    @on(OptionList.OptionSelected, "#examples")
    def take_example(self, event: OptionList.OptionSelected) -> None:
        """Put an example into the field, with the cursor on what has to be changed."""
        field = self.query_one("#uri", Input)
        field.value = event.option.id or ""
        field.focus()
        start = max(field.value.find("@host"), field.value.find("/host")) + 1
        if start:
            field.selection = Selection(start, start + len("host"))

    @on(Input.Submitted, "#uri")
    @on(Button.Pressed, "#open")
    def open_host(self) -> None:
        """Answer, if this can be a URI."""
        uri = self.query_one("#uri", Input).value.strip()
        problem = uri_problem(uri)
        if problem:
            self.query_one("#uri-field", Field).problem(problem)
            self.query_one("#uri", Input).focus()
            return
        self.answer(uri)

    def action_examples(self) -> None:
        """From the field to the examples."""
        examples = self.query_one("#examples", OptionList)
        examples.highlighted = 0
        examples.focus()
