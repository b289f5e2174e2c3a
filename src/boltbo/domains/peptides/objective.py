"""What a design is asked to be low in: the mean log10 MIC over a panel, or active against some and harmless to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boltbo.domains.peptides.oracle.predictor import MicPredictor
from boltbo.domains.peptides.oracle.species import SPECIES, column_of
from boltbo.errors import ConfigError
from boltbo.problem import FloatArray

PANELS = ("all", "gram-negative", "gram-positive")


@dataclass(frozen=True, slots=True)
class Objective:
    """A number for each peptide, lower is better, in log10 micromolar (selective: log10 of a ratio of concentrations).

    Attributes:
        low: Species to be killed: the mean of their log10 MIC counts.
        high: Species to be spared: the mean of theirs is subtracted. May be empty.
        pessimism: How many spreads are held against a peptide: added to what should be low, taken from what should be high.
            0: the predicted means alone.
    """

    low: tuple[str, ...]
    high: tuple[str, ...] = ()
    pessimism: float = 0.0

    def values(self, predictor: MicPredictor, sequences: Sequence[str]) -> FloatArray:
        """The objective of each sequence, shape (n,)."""
        return self.of(predictor.species, *predictor.predict(sequences))

    def of(self, species: tuple[str, ...], mean: FloatArray, spread: FloatArray) -> FloatArray:
        """The objective of predictions that are there already: `mean` and `spread` of shape (n, species), to (n,)."""
        low, high = ([species.index(name) for name in side] for side in (self.low, self.high))
        value: FloatArray = (mean + self.pessimism * spread)[:, low].mean(1)
        return value - (mean - self.pessimism * spread)[:, high].mean(1) if high else value

    def __str__(self) -> str:
        return " - ".join(" + ".join(side) for side in (self.low, self.high) if side)


def parse_objective(text: str, species: tuple[str, ...], pessimism: float = 0.0) -> Objective:
    """Read what to optimize against.

    `all`, `gram-negative`, `gram-positive` or a species (`E. coli`, `E_coli`, `Escherichia coli`); several joined by `+`; and
    after ` - ` those that should stay high: `gram-negative - S. aureus`.

    Args:
        text: Species to kill and to spare, as above; case does not matter.
        species: Names of the predictor's columns.
        pessimism: See `Objective`.

    Raises:
        ConfigError: A part that is no panel and no species of the predictor, a species on both sides, a bad pessimism.
    """
    if not 0 <= pessimism < float("inf"):
        raise ConfigError(f"pessimism is {pessimism}: expected 0 or more spreads")
    sides = [tuple(_side(side, text, species)) for side in text.split(" - ")]
    if len(sides) > 2:
        raise ConfigError(f"objective {text!r}: one ' - ' at most, between what should be low and what should be high")
    low, high = sides[0], sides[1] if len(sides) == 2 else ()
    both = [name for name in low if name in high]
    if both:
        raise ConfigError(f"objective {text!r}: {', '.join(both)} should be low and high at once")
    return Objective(low, high, pessimism)


def _side(side: str, text: str, species: tuple[str, ...]) -> list[str]:
    chosen: list[str] = []
    for part in side.split("+"):
        name = part.strip().lower()
        if name in PANELS:
            wall = name.removeprefix("gram-")
            named = [s for s in species if name == "all" or (s in SPECIES and SPECIES[s].wall == wall)]
        else:
            one = column_of(name, species)
            named = [] if one is None else [one]
        if not named:
            raise ConfigError(
                f"objective {text!r}: {part.strip()!r} is no panel ({', '.join(PANELS)}) and no species of the predictor "
                f"({', '.join(species)})"
            )
        chosen += [s for s in named if s not in chosen]
    return chosen
