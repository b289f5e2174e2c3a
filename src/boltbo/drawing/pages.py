"""What all pages share: one file that needs nothing else, in light and dark, from a phone to a desk, and on paper.

Pictures are SVG of our own (`chart.py`) and not a library's: the JavaScript of plotly would be 4.8 MB in every page, that of
vega with vega-lite and vega-embed 0.8 MB (minified, as of 2026), to draw a few lines that a browser draws by itself, that
follow the colours of the page, and print well. Pages are Jinja2 templates that extend `page.html.j2`: all that comes from
data is escaped, and the page's own policy forbids whatever else might get in: no address is loaded, and no script runs but
the one given to `page`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from boltbo.drawing import palette
from boltbo.drawing.numbers import number


@cache
def templates_of(package: str) -> Environment:
    """The templates in the folder `html` of a package, and the shared ones, which they may extend and import."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "html"), PackageLoader("boltbo.drawing", "html")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = number
    environment.globals["palette"] = palette
    return environment


def page(package: str, template: str, /, *, styles: Sequence[str] = (), script: str = "", **values: Any) -> str:
    """A whole page.

    Args:
        package: The package whose folder `html` holds the template.
        template: The name of a template that extends `page.html.j2`.
        styles: Style sheets after the common one.
        script: JavaScript at the end of the page; what the page says must not depend on it.
        values: What the template needs.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        templates_of(package)
        .get_template(template)
        .render(
            **values,
            styles=[_no_markup(sheet) for sheet in styles],
            script=Markup(script),  # written by us and let through by its digest
            script_policy=f"; script-src 'sha256-{digest}'" if script else "",
        )
    )


def _no_markup(sheet: str) -> Markup:
    """A style sheet as it is: within an element `style`, only its closing tag could end it, and CSS needs none."""
    return Markup(sheet.replace("</", "<\\/"))


def fragment(package: str, template: str, /, **values: Any) -> Markup:
    """A part of a page; every value that is no `Markup` is escaped."""
    return Markup(templates_of(package).get_template(template).render(**values))


def text_of(package: str, name: str) -> str:
    """A file in the folder `html` of a package as it is, such as a style sheet."""
    return files(package).joinpath("html", name).read_text(encoding="utf-8")
