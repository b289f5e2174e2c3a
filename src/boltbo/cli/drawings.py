"""How the built-in domains draw their solutions.

A storage comes from anywhere: what it says of its domain is looked up here and nowhere else, never imported. A domain of the
user's own is drawn where the user names its configuration (`config.Config.drawing`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from boltbo.drawing import Drawing

MODULES = {"plans": "boltbo.domains.plans.draw", "peptides": "boltbo.domains.peptides.draw"}
"""Name of a built-in domain -> the module whose `drawing` shows its solutions"""


def built_in_drawing(domain: str) -> Drawing | None:
    """The drawing of a built-in domain; None for any other name."""
    if domain not in MODULES:
        return None
    drawing: Drawing = import_module(MODULES[domain]).drawing
    return drawing
