"""The colours of all pages and pictures, each by its name, in light and dark; and which line has which."""

from __future__ import annotations

LIGHT = {
    "page": "#fbfbf9", "card": "#ffffff", "ink": "#1c1d1f", "soft": "#5c6066", "line": "#dcdcd6", "accent": "#1f5fa8",
    "judge": "#a3581b",
    "s1": "#649fdb", "s2": "#3b7fc9", "s3": "#1f5fa8", "s4": "#113a6b", "s5": "#5b3a9e",
    "sub-ink": "#7a3d00", "sub": "#fdebd2", "ins-ink": "#0b5d37", "ins": "#d8f2e2", "del-ink": "#a1212d", "del": "#fbe3e4",
}  # fmt: skip
DARK = {
    "page": "#16181b", "card": "#1f2226", "ink": "#e8e9ea", "soft": "#a3a8ae", "line": "#383d43", "accent": "#7db4f0",
    "judge": "#e6a468",
    "s1": "#4f7fb5", "s2": "#6a9fda", "s3": "#93c3f6", "s4": "#d5e7fc", "s5": "#c3a9f5",
    "sub-ink": "#ffd09a", "sub": "#4a3312", "ins-ink": "#98e6ba", "ins": "#14402a", "del-ink": "#ffabb0", "del": "#4d1f23",
}  # fmt: skip

SHADES = ("s1", "s2", "s3", "s4", "s5")
"""Lines that belong together, light to dark"""

DASHED, DOTTED = "7 4", "2 4"
LINES = {
    "oracle": ("accent", ""), "judge": ("judge", DASHED), "level": ("soft", DOTTED),
    "stbo": ("judge", ""), "design": ("soft", DASHED), "default": ("soft", DOTTED),
    **{shade: (shade, "") for shade in SHADES},
}  # fmt: skip
"""Class of a line -> (its colour, its dashes; nothing: it is drawn through)"""
