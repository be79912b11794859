"""Keys that come faster than they are looked at, and are still for what had the focus when they were pressed."""

from __future__ import annotations

from textual import events
from textual.widget import Widget


async def act_at_once(widget: Widget, event: events.Key) -> None:
    """Do what a key is bound to there; Textual does that for what has the focus once the keys after it were read."""
    binding = next(iter(widget._bindings.key_to_bindings.get(event.key, ())), None)  # noqa: SLF001  known to no one else
    if binding is not None and await widget.app.run_action(binding.action, widget):
        event.stop()
        event.prevent_default()
