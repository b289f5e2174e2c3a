"""A user's own domain on the command line: `boltbo run examples/dials.toml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from boltbo import Bars, Built, ConfigError, Slots, Task


class Dials:
    """Three dials from 0 to 15; the context says where they should stand."""

    name = "dials"
    instruction = "Set three dials to 0..15."

    def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
        wanted = [int(w) for w in task.data["wanted"]]
        return float(sum((int(c) - w) ** 2 for c, w in zip(candidate.split(), wanted, strict=True)))

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        return ["0 0 0", *self.space(task).decode(rng.random((n - 1, 3)))]

    def space(self, task: Task) -> Slots:
        return Slots([[str(i) for i in range(16)]] * 3)

    grammar = space


@contextmanager
def build(options: Mapping[str, Any], seed: int, caches: Path, bars: Bars) -> Iterator[Built]:
    """Build the domain and its tasks: `[domain] use = "dials"` calls this with the rest of the table."""
    if unknown := set(options) - {"train", "validation"}:
        raise ConfigError(f"[domain] has no key {', '.join(sorted(unknown))}")
    train, validation = int(options.get("train", 12)), int(options.get("validation", 4))
    wanted = np.random.default_rng(seed).integers(16, size=(train + validation, 3)).tolist()
    tasks = [Task(f"t{i}", "want " + " ".join(map(str, w)), {"wanted": w}) for i, w in enumerate(wanted)]
    yield Built(Dials(), tasks[validation:], tasks[:validation])
