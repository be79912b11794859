"""The screen: a Textual application over ``tui.engine.control``. Nothing here imports libvirt."""
