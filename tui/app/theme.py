"""The program's own two themes: calm, one accent, dim chrome. Textual's stand beside them in the palette."""

from __future__ import annotations

from textual.color import Color
from textual.theme import Theme

DARK = Theme(
    name="mirror-dark",
    primary="#5fb3c8",
    secondary="#7d93a8",
    accent="#5fb3c8",
    warning="#d9a962",
    error="#dd7a7a",
    success="#84b886",
    foreground="#cdd5dc",
    background="#0f1419",
    surface="#141a21",
    panel="#1c242d",
    dark=True,
    variables={
        "text-muted": "#75838f",
        "text-primary": "#6cc0d4",
        "text-accent": "#6cc0d4",
        "text-success": "#8cc28e",
        "text-warning": "#e0b36c",
        "text-error": "#e58a8a",
        "border": "#5fb3c8",
        "border-blurred": "#2c3741",
        "cursor-line": "#1f3640",
        "cursor-line-blurred": "#1a2128",
        "bar-rest": "#27313a",
        "block-cursor-background": "#2a5563",
        "block-cursor-foreground": "#eef3f6",
        "block-cursor-text-style": "none",
        "footer-background": "#141a21",
        "footer-key-foreground": "#6cc0d4",
        "footer-description-foreground": "#93a1ad",
        "scrollbar": "#2c3741",
        "scrollbar-hover": "#3b4955",
        "scrollbar-active": "#5fb3c8",
        "scrollbar-background": "#0f1419",
        "scrollbar-background-hover": "#0f1419",
        "scrollbar-background-active": "#0f1419",
        "scrollbar-corner-color": "#0f1419",
        "button-color-foreground": "#0f1419",
    },
)

LIGHT = Theme(
    name="mirror-light",
    primary="#1f6f85",
    secondary="#5a6b7a",
    accent="#1f6f85",
    warning="#946200",
    error="#b23b3b",
    success="#2f7a3a",
    foreground="#24303a",
    background="#f6f7f8",
    surface="#eceff1",
    panel="#e1e6ea",
    dark=False,
    variables={
        "text-muted": "#687682",
        "text-primary": "#17647a",
        "text-accent": "#17647a",
        "text-success": "#2a6f35",
        "text-warning": "#855700",
        "text-error": "#a83232",
        "border": "#1f6f85",
        "border-blurred": "#c3ccd3",
        "cursor-line": "#cfe3e9",
        "cursor-line-blurred": "#e6eaed",
        "bar-rest": "#d3dade",
        "block-cursor-background": "#bcdbe3",
        "block-cursor-foreground": "#10222b",
        "block-cursor-text-style": "none",
        "footer-background": "#eceff1",
        "footer-key-foreground": "#17647a",
        "footer-description-foreground": "#566570",
        "scrollbar": "#c3ccd3",
        "scrollbar-hover": "#aab6bf",
        "scrollbar-active": "#1f6f85",
        "scrollbar-background": "#f6f7f8",
        "scrollbar-background-hover": "#f6f7f8",
        "scrollbar-background-active": "#f6f7f8",
        "scrollbar-corner-color": "#f6f7f8",
    },
)


def variable_defaults(theme: Theme) -> dict[str, str]:
    """The variables above that Textual's own themes do not have, in the colours of one of them."""
    colours = theme.to_color_system().generate()
    ground, ink, accent = (Color.parse(colours[name]) for name in ("background", "foreground", "primary"))
    if any(colour.ansi is not None for colour in (ground, ink, accent)):
        # The terminal's own colours: nobody knows them, so that they cannot be mixed.
        return dict.fromkeys(("cursor-line", "cursor-line-blurred", "bar-rest"), "ansi_bright_black")
    return {
        "cursor-line": ground.blend(accent, 0.25).hex,
        "cursor-line-blurred": ground.blend(ink, 0.07).hex,
        "bar-rest": ground.blend(ink, 0.15).hex,
    }
