"""A result file as tables and targets read it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.errors import ConfigError
from boltbo.problem import FloatArray
from boltbo_bench.experiments import calls
from boltbo_bench.experiments.calls import Calls
from boltbo_bench.experiments.ratios import Ratio, ratio

LONGER = "stbo"
"""What the arms begin with in which STBO's own runs go on to more calls"""

AGAIN = "again"
"""The arm that measures the last model's samples once more, where values are measured and drift"""


class NotMeasured(Exception):
    """What a table or a target needs is not in the result file. The message says what."""


@dataclass(frozen=True, slots=True)
class Best:
    """A method after its first `k` calls (all, where None): a column of values, one for each task."""

    method: str
    k: int | None = None

    def __str__(self) -> str:
        return self.method if self.k is None else f"{self.method} @{self.k}"


class Part:
    """One campaign of an experiment (a variant, a seed) with its arms.

    Attributes:
        winners: Task id -> method -> what the best candidate of the method was worth when all methods' were measured again side
            by side; empty where they were not. Of noisy values the least of many is a luckier one than of few.
    """

    def __init__(self, told: Mapping[str, Any], winners: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self.told = told
        self.winners = winners or {}
        self.variant: str = told["variant"]
        self.seed: int = told["seed"]
        self.default: Mapping[str, float] = told["default"]
        self.models: Sequence[Mapping[str, Any]] = told["models"]
        self.methods: Mapping[str, Mapping[str, Any]] = told["methods"]
        self._read: dict[str, dict[str, Calls]] = {}

    @property
    def last(self) -> str:
        """BOLT-T of all tasks, before any self-augmentation."""
        plain = [str(m["label"]) for m in self.models if not str(m["label"]).endswith("+")]
        if not plain:
            raise NotMeasured("no model was trained")
        return plain[-1]

    @property
    def final(self) -> str:
        """The last model, after any self-augmentation: the one that arms ask."""
        if not self.models:
            raise NotMeasured("no model was trained")
        return str(self.models[-1]["label"])

    @property
    def full(self) -> str:
        """The longest search from scratch: STBO, or the arm in which it went on furthest."""
        return max(("STBO", *(m for m in self.methods if m.split(",")[0] == LONGER)), key=self.longest)

    def base_of(self, method: str) -> str:
        """What a model otherwise trained or asked is compared with: the last model's samples, measured beside it.

        Those of `again`, where it was run, for other arms; those of the campaign for `again`; those of the model before
        self-augmentation for the one after it.
        """
        if any(m["label"] == method for m in self.models):
            return self.last
        return self.final if method == AGAIN or AGAIN not in self.methods else AGAIN

    def calls(self, method: str) -> dict[str, Calls]:
        """Task id -> calls; `default` and `initial design` are the beginning of STBO's."""
        if method not in self._read:
            if method in ("default", "initial design"):
                stbo = self.calls("STBO")
                sizes = self.told["design"] if method == "initial design" else dict.fromkeys(stbo, 1)
                cut = {t: int(sizes.get(t, 0)) for t in stbo}
                self._read[method] = {
                    t: Calls(c.best[: cut[t]], c.exact[: cut[t]], c.marks[: cut[t]]) for t, c in stbo.items()
                }
            elif method in self.methods:
                self._read[method] = {t: calls.read(line) for t, line in self.methods[method]["values"].items()}
            else:
                raise NotMeasured(f"{method!r} was not run")
        return self._read[method]

    def longest(self, method: str) -> int:
        """Calls of the longest run."""
        return max((len(c) for c in self.calls(method).values()), default=0)

    def value(self, best: Best, task: str) -> tuple[float, bool]:
        """The value of a task, and whether it is exact; the default's where the method found none at all."""
        value, exact = self.calls(best.method)[task].at(best.k)
        return (value, exact) if math.isfinite(value) else (self.default[task], False)

    def tasks(self, *methods: str) -> list[str]:
        """Those that all these methods have run on, and that have a default."""
        return [t for t in self.default if all(t in self.calls(m) for m in methods)]


class Measured:
    """A result file."""

    def __init__(self, told: Mapping[str, Any], path: Path) -> None:
        self.name: str = told["experiment"]
        self.title: str = told["title"]
        self.question: str = told.get("question", "")
        self.version: int = told["version"]
        self.path = path
        plain = [p for p in told["parts"] if not p["variant"]]
        again = _winners(path, self.name, self.version) if len(plain) == 1 else {}
        self.everything = [Part(p, None if p["variant"] else again) for p in told["parts"]]

    @classmethod
    def read(cls, path: Path) -> Measured:
        """Raises:
        ConfigError: The file cannot be read or is no result file.
        """
        try:
            return cls(json.loads(path.read_text()), path)
        except ConfigError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path} is no result file of boltbo-bench run: {type(error).__name__}: {error}"
            ) from error

    @cached_property
    def parts(self) -> list[Part]:
        """Those without a variant, one a seed."""
        return self.variant("")

    def variant(self, name: str) -> list[Part]:
        return [p for p in self.everything if p.variant == name]

    @property
    def variants(self) -> list[str]:
        return list(dict.fromkeys(p.variant for p in self.everything if p.variant))

    @property
    def domain(self) -> str:
        return str(self.everything[0].told["domain"])

    @property
    def commands(self) -> list[str]:
        return list(dict.fromkeys(str(p.told["command"]) for p in self.everything))


def values(parts: Sequence[Part], best: Best, tasks: Sequence[str]) -> FloatArray:
    """Shape (parts, tasks)."""
    return np.array([[p.value(best, t)[0] for t in tasks] for p in parts], dtype=float)


def bounds(parts: Sequence[Part], best: Best, tasks: Sequence[str]) -> int:
    """In how many cells a bound, or the default for want of any value, stands in."""
    return sum(not p.value(best, t)[1] for p in parts for t in tasks)


def common(parts: Sequence[Part], *methods: str) -> tuple[list[Part], list[str]]:
    """The parts that have all of these methods, and the tasks that they share.

    Raises:
        NotMeasured: There is no such part, or no such task.
    """
    having, missing = [], "there is no part"
    for p in parts:
        try:
            p.tasks(*methods)
        except NotMeasured as error:
            missing = str(error)
        else:
            having.append(p)
    if not having:
        raise NotMeasured(missing)
    shared = [t for t in having[0].tasks(*methods) if all(t in p.tasks(*methods) for p in having[1:])]
    if not shared:
        raise NotMeasured(f"no validation task has all of {', '.join(methods)}")
    return having, shared


def compare(parts: Sequence[Part], one: Best, other: Best) -> Ratio:
    """One method over another on the tasks and seeds that both have.

    Raises:
        NotMeasured: There are none, or a method has fewer calls than are asked for.
    """
    having, tasks = common(parts, one.method, other.method)
    for best in (one, other):
        if best.k is not None and max(p.longest(best.method) for p in having) < best.k:
            raise NotMeasured(f"{best.method} has no {best.k} calls")
    return ratio(values(having, one, tasks), values(having, other, tasks))


def compare_winners(parts: Sequence[Part], one: Best, other: Best) -> Ratio:
    """As `compare`, of the winners that were measured again side by side where both methods' were."""
    names = (str(one), str(other))
    again = [w for w in parts[0].winners.values() if all(name in w for name in names)]
    if not again:
        return compare(parts, one, other)
    found = ratio(*(np.array([[w[name] for w in again]]) for name in names))
    return replace(found, again=True)


def arms_of(m: Measured, chosen: Callable[[str], bool]) -> list[str]:
    """The chosen arms of the plain campaigns, in the order of the file."""
    own = {str(model["label"]) for p in m.parts for model in p.models} | {"STBO"}
    return [a for a in dict.fromkeys(a for p in m.parts for a in p.methods) if a not in own and chosen(a)]


def has(m: Measured, method: str) -> bool:
    """Whether every plain campaign has run the method."""
    return all(method in p.methods for p in m.parts)


def longest_run(m: Measured, method: str) -> int:
    """Calls of the method's longest run in any plain campaign."""
    return max(p.longest(method) for p in common(m.parts, method)[0])


def _winners(path: Path, experiment: str, version: int) -> dict[str, dict[str, float]]:
    """The values that `winners.py` measured again for one campaign of this version of an experiment."""
    beside = path.with_name(f"{experiment}-winners.json")
    try:
        told: dict[str, Any] = json.loads(beside.read_text()) if beside.exists() else {"version": 0}
        return dict(told["tasks"]) if told["version"] == version else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{beside} has no winners measured again: {type(error).__name__}: {error}") from error
