"""Figures beside each other as one file: an SVG that carries its colours, or a PNG drawn from it.

The picture is light, on a card of its own, so that it can be read on a dark page as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from boltbo.drawing.chart import HEIGHT, WIDTH, Figure
from boltbo.drawing.pages import fragment
from boltbo.errors import ConfigError
from boltbo.system.files import write_whole

EDGE, GAP, HEAD, ROW = 24, 32, 76, 20
"""Space around and between panels, height of title and headings, height of a row of keys"""
LETTER, KEY, BETWEEN = 6.4, 32, 16
"""Widths of a letter of a key, the line before it and the space behind it: they decide where a row of keys ends."""
ZOOM = 1.5
"""Pixels of a PNG for each unit of the SVG"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure of the picture under its heading."""

    heading: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class _Placed:
    heading: str
    x: float
    figure: Figure
    keys: Sequence[tuple[float, float, str, str]]
    """(x, y, class, name) of each key"""


def check_picture(path: Path) -> None:
    """Say at once what would keep a picture from being written.

    Raises:
        ConfigError: The suffix is neither .svg nor .png, or what draws a PNG is not installed.
    """
    if path.suffix.lower() not in (".svg", ".png"):
        raise ConfigError(f"{path} cannot be drawn: a picture is an .svg or a .png")
    if path.suffix.lower() == ".png" and (find_spec("resvg_py") is None or find_spec("font_lato") is None):
        raise ConfigError(
            f"{path} cannot be drawn: pip install 'boltbo[report]', or name a file that ends in .svg, which needs nothing"
        )


def write_picture(svg: str, path: Path) -> None:
    """Write the picture; the suffix says the format.

    Raises:
        ConfigError: The format is unknown, what draws it is not installed, or the file cannot be written.
    """
    check_picture(path)
    content = svg.encode("utf-8", "replace") if path.suffix.lower() == ".svg" else png_of(svg)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}; name another file with --picture") from error


def png_of(svg: str) -> bytes:
    """The SVG as PNG, with a font that comes along: machines without fonts draw the same picture."""
    import resvg_py

    fonts = files("font_lato").joinpath("files")
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=ZOOM,
            font_files=[str(fonts / "Lato-Regular.ttf"), str(fonts / "Lato-Bold.ttf")],
            font_family="Lato",
            sans_serif_family="Lato",
        )
    )


def picture(title: str, panels: Sequence[Panel]) -> str:
    """The panels from left to right as one SVG."""
    placed = [_placed(panel, EDGE + i * (WIDTH + GAP)) for i, panel in enumerate(panels)]
    rows = max((y for panel in placed for _, y, *_ in panel.keys), default=0.0)
    return fragment(
        "boltbo.drawing",
        "picture.svg.j2",
        title=title,
        panels=placed,
        width=2 * EDGE + len(panels) * (WIDTH + GAP) - GAP,
        height=round(HEAD + rows + ROW + HEIGHT + EDGE),
        edge=EDGE,
        head=HEAD,
        charts=round(HEAD + rows + ROW),
    )


def _placed(panel: Panel, x: float) -> _Placed:
    keys: list[tuple[float, float, str, str]] = []
    at, y = 0.0, 0.0
    for style, name in panel.figure.keys:
        width = KEY + LETTER * len(name)
        if at and at + width > WIDTH:
            at, y = 0.0, y + ROW
        keys.append((round(at, 1), y, style, name))
        at += width + BETWEEN
    return _Placed(panel.heading, x, panel.figure, keys)
