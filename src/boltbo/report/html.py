"""What all pages share: one file that needs nothing else, in light and dark, from a phone to a desk, and on paper.

Pictures are SVG of our own (`chart.py`) and not a library's: the JavaScript of plotly would be 4.8 MB in every page, that of
vega with vega-lite and vega-embed 0.8 MB (minified, as of 2026), to draw a few lines that a browser draws by itself, that
follow the colours of the page, and print well. All that comes from data is escaped, and the page's own policy forbids
whatever else might get in: no address is loaded, and no script runs but the one given to `document`.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files


def document(title: str, body: str, *, styles: Sequence[str] = (), script: str = "") -> str:
    """A whole page.

    Args:
        title: As plain text.
        body: As HTML.
        styles: Style sheets after the common one.
        script: JavaScript at the end of the page; what the page says must not depend on it.
    """
    common = files(__package__).joinpath("style.css").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"; script-src 'sha256-{digest}'" if script else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'{allowed}">
<title>{escape(title)}</title>
<style>
{common}{"".join(styles)}</style>
</head>
<body><main>
{body}</main>{f"<script>{script}</script>" if script else ""}</body>
</html>
"""


def wide(label: str, table: str, style: str = "") -> str:
    """A table that scrolls sideways where it is wider than the screen, by the keyboard too."""
    opened = f'<table class="{escape(style)}">' if style else "<table>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">{opened}{table}</table></div>'


def numbers(told: Iterable[tuple[str, str]]) -> str:
    """A few (what, value) side by side."""
    items = "".join(f"<li><span>{escape(what)}</span><b>{escape(value)}</b></li>" for what, value in told)
    return f'<ul class="numbers">{items}</ul>'


def legend(keys: Iterable[tuple[str, str]]) -> str:
    """What the lines of a picture are, each a (class of its style, name)."""
    items = "".join(f'<span><span class="key {escape(style)}"></span>{escape(name)}</span>' for style, name in keys)
    return f'<p class="legend">{items}</p>'


def number(value: float) -> str:
    """Three digits, as people write them."""
    if not math.isfinite(value):
        return "–"
    size = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, 2 - size) if value else 0}f}" if -5 <= size < 7 else f"{value:.3g}"
