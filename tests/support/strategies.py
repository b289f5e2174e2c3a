"""Strategies of a user's own, in a module of its own so that settings can name them and worker processes import them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.domain import END, SearchSpace
from boltbo.errors import CorruptModel, InvalidCandidate
from boltbo.llm.backend import Example, FitReport, Prompt, Sample
from boltbo.problem import Observation, Task, Trajectory


class Downhill:
    """An optimizer: random changes of the best candidate that it was told."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space = space
        self.rng = np.random.default_rng(seed)
        self.least = math.inf
        self.center: Any = 0.5
        self.seen: set[str] = set()
        self.timings: dict[str, float] = {}

    def tell(self, observations: Sequence[Observation]) -> None:
        for o in observations:
            self.seen.add(o.candidate)
            if o.complete and o.value < self.least:
                with suppress(InvalidCandidate):
                    self.center = self.space.encode(o.candidate)
                    self.least = o.value

    def ask(self, n: int) -> list[str]:
        asked: list[str] = []
        for width in np.linspace(0.05, 1.0, 200):
            [text] = self.space.decode(np.clip(self.center + self.rng.normal(0, width, (1, self.space.dim)), 0, 1))
            if text not in self.seen:
                self.seen.add(text)
                asked.append(text)
            if len(asked) == n:
                break
        return asked

    def state(self) -> dict[str, Any]:
        return {"rng": self.rng.bit_generator.state, "seen": sorted(self.seen)}

    def restore(self, state: dict[str, Any], observations: Sequence[Observation]) -> None:
        self.tell(observations)
        self.rng.bit_generator.state = state["rng"]
        self.seen |= set(state["seen"])


class BestOfOthers:
    """A proposer that learns: the best solution of each task solved so far, then "9 9 9"."""

    def __init__(self, domain: Any = None) -> None:
        self.best: list[str] = []
        self.lessons: list[int] = []

    def learn(self, solved: Sequence[Trajectory]) -> None:
        self.lessons.append(len(solved))
        self.best = [x.best.candidate for x in solved if x.best is not None]

    def propose(self, tasks: Sequence[Task], n: int, seed: int, progress: Any = None) -> list[list[tuple[str, str]]]:
        return [[(c, "others") for c in dict.fromkeys([*self.best, "9 9 9"])][:n] for _ in tasks]


class Backwards:
    """An engine: the last item first, here."""

    in_process = True
    made_with: list[int] = []  # noqa: RUF012

    def __init__(self, workers: int = 1) -> None:
        self.made_with.append(workers)
        self.items: list[Any] = []

    def map(self, function: Callable[[Any], Any], items: Iterable[Any], tick: Callable[[], None]) -> Iterator[Any]:
        for item in reversed(list(items)):
            self.items.append(item)
            yield function(item)
            tick()


class Parrot:
    """A language model: says the solutions that it was tuned on, the last first; the first symbols before that."""

    def __init__(self, instruction: str, separator: str, seed: int) -> None:
        self.separator = separator
        self.learnt: list[str] = []

    def fit(self, examples: Sequence[Example], *, epochs: float, seed: int, progress: Any = None) -> FitReport:
        self.learnt = [e.solution for e in examples][::-1]
        return FitReport(losses=[], steps=0, tokens=0, seconds=0.0)

    def sample(self, prompts: Sequence[Prompt], n: int, **_: Any) -> list[list[Sample]]:
        return [[Sample(text, 0.0, 1.0) for text in dict.fromkeys([*self.learnt, self._first(p)])][:n] for p in prompts]

    def _first(self, prompt: Prompt) -> str:
        state, symbols = prompt.grammar.start(), []
        while (symbol := prompt.grammar.allowed(state)[0]) != END:
            symbols.append(symbol)
            state = prompt.grammar.advance(state, symbol)
        return self.separator.join(symbols)

    def save(self, directory: Path) -> None:
        (directory / "parrot.json").write_text(json.dumps([self.separator, self.learnt]))

    @classmethod
    def load(cls, directory: Path) -> Parrot:
        try:
            separator, learnt = json.loads((directory / "parrot.json").read_text())
        except (OSError, ValueError) as error:
            raise CorruptModel(f"{directory}: {error}") from error
        model = cls("", separator, 0)
        model.learnt = learnt
        return model
