"""Ready-made spaces for a user's own domain: a fixed number of slots, or strings of any length.

`Slots` is a `SearchSpace` and a `Grammar` in one, for numbers on a grid, flags, categories and letters at fixed
positions. `Strings` is a `StringSpace` and a `Grammar` in one, for sequences of symbols, all of them or those near a
template. A domain whose solutions have more structure (trees) brings two classes of its own.
"""

from __future__ import annotations

from boltbo.spaces.slots import Slots
from boltbo.spaces.strings import Strings

__all__ = ["Slots", "Strings"]
