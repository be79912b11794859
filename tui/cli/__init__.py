"""Headless commands, for scripts and screen readers. Never imports Textual."""
