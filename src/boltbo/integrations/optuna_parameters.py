"""Candidates as the parameters of Optuna's trials, and back.

A `Parameters` says how a candidate becomes parameters. `SlotParameters` is one for `boltbo.Slots`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from boltbo.errors import InvalidCandidate
from boltbo.spaces import Slots


class Parameters(Protocol):
    """Candidates as a trial's parameters, and back."""

    def parse(self, candidate: str) -> dict[str, Any]:
        """The parameters of a candidate."""
        ...

    def write(self, params: Mapping[str, Any]) -> str:
        """The candidate of a trial's parameters.

        Raises:
            InvalidCandidate: A parameter is missing or says nothing that a candidate could.
        """
        ...


class SlotParameters:
    """Slot i of a `Slots` as one parameter: an integer where its symbols are evenly spaced integers, else a category.

    Args:
        slots: The space.
        names: Names of the parameters; default `x0`, `x1`, …

    Raises:
        ValueError: There are more or fewer names than slots, or two alike.
    """

    def __init__(self, slots: Slots, names: Sequence[str] | None = None) -> None:
        self.slots = slots
        self.names = tuple(f"x{i}" for i in range(slots.dim)) if names is None else tuple(names)
        if len(self.names) != slots.dim or len(set(self.names)) < len(self.names):
            raise ValueError(f"{slots.dim} slots need as many distinct names, got {list(self.names)}")
        self.distributions: dict[str, BaseDistribution] = {
            name: _distribution(choices) for name, choices in zip(self.names, slots.choices, strict=True)
        }

    def parse(self, candidate: str) -> dict[str, Any]:
        text = self.slots.canonical(candidate)
        symbols = text.split(self.slots.separator) if self.slots.separator else list(text)
        return {
            name: int(s) if isinstance(d, IntDistribution) else s
            for (name, d), s in zip(self.distributions.items(), symbols, strict=True)
        }

    def write(self, params: Mapping[str, Any]) -> str:
        missing = [name for name in self.names if name not in params]
        if missing:
            raise InvalidCandidate(f"the trial has no parameter {missing[0]!r}; it has {', '.join(params) or 'none'}")
        return self.slots.canonical(self.slots.separator.join(str(params[name]) for name in self.names))

    def suggest(self, trial: optuna.Trial) -> str:
        """A trial's candidate: what an objective calls instead of `trial.suggest_…`."""
        values: dict[str, Any] = {}
        for name, d in self.distributions.items():
            if isinstance(d, IntDistribution):
                values[name] = trial.suggest_int(name, d.low, d.high, step=d.step)
            elif isinstance(d, CategoricalDistribution):
                values[name] = trial.suggest_categorical(name, d.choices)
        return self.write(values)


def _distribution(choices: Sequence[str]) -> BaseDistribution:
    try:
        numbers = [int(c) for c in choices]
    except ValueError:
        return CategoricalDistribution(choices)
    steps = {b - a for a, b in pairwise(numbers)}
    if [str(i) for i in numbers] != list(choices) or len(steps) != 1 or min(steps) < 1:
        return CategoricalDistribution(choices)
    return IntDistribution(numbers[0], numbers[-1], step=steps.pop())
