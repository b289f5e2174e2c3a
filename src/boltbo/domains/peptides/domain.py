"""The peptides domain: a close relative of a template with a low predicted MIC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.domain import SearchSpace, StringSpace
from boltbo.domains.peptides.design import initial_design
from boltbo.domains.peptides.latent import latent_space
from boltbo.domains.peptides.objective import Objective, parse_objective
from boltbo.domains.peptides.oracle import MicPredictor, load_predictor
from boltbo.domains.peptides.pretraining import pretraining_pairs
from boltbo.domains.peptides.similarity import similarity
from boltbo.domains.peptides.space import Relatives
from boltbo.domains.peptides.templates import Template
from boltbo.errors import InvalidCandidate
from boltbo.problem import FloatArray, Task

INSTRUCTION = """\
You design antimicrobial peptides. You are given a template peptide in one-letter codes{against}. Answer with one peptide of
natural residues that is at least {least:.0%} similar to it (so much of it is kept when insertions, deletions and
substitutions are counted) and has a low minimal inhibitory concentration."""

DEFAULT_OBJECTIVE = "all"

REMEMBERED = 100_000
"""Greatest number of predictions that are kept, by sequence."""


class PeptidesDomain:
    """Relatives of template peptides, scored by a predictor of MIC.

    The value of a candidate is in micromolar: the geometric mean of its predicted MICs (with species to be spared, their
    ratio to those). In silico: an estimate, never a measurement.

    Args:
        predictor: What `oracle.load_predictor` opens.
        objective: What `objective.parse_objective` reads.
        pessimism: How many spreads of the prediction are held against a candidate.
        least: The similarity to the template that a candidate must have, in (0, 1).
        vae: A folder that `latent.ensure_vae` filled: the search is in its latent space, not among strings.
    """

    name = "peptides"

    def __init__(
        self,
        predictor: str = "shipped",
        *,
        objective: str = DEFAULT_OBJECTIVE,
        pessimism: float = 0.0,
        least: float = 0.75,
        vae: Path | None = None,
    ) -> None:
        self.predictor_name = predictor
        self.objective_text = objective
        self.pessimism = pessimism
        self.least = least
        self.vae = vae
        self._opened: tuple[MicPredictor, Objective] | None = None
        self._values: dict[str, float] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None, "_values": {}}

    @property
    def instruction(self) -> str:
        against = "" if self.objective_text == DEFAULT_OBJECTIVE else " and what it shall act against"
        return INSTRUCTION.format(against=against, least=self.least)

    @property
    def predictor(self) -> MicPredictor:
        """The predictor, opened at its first use.

        Raises:
            ConfigError: There is no such predictor, or it does not know a species of the objective.
        """
        return self._open()[0]

    @property
    def objective(self) -> Objective:
        return self._open()[1]

    def _open(self) -> tuple[MicPredictor, Objective]:
        if self._opened is None:
            predictor = load_predictor(self.predictor_name)
            self._opened = predictor, parse_objective(self.objective_text, predictor.species, self.pessimism)
        return self._opened

    def task_of(self, template: Template) -> Task:
        return Task(template.name, self.context(template.sequence), {"template": template.sequence})

    def context(self, template: str) -> str:
        """The text that a model reads: the letters apart, so that each is one token; and any objective but the default."""
        letters = " ".join(template)
        return letters if self.objective_text == DEFAULT_OBJECTIVE else f"{letters}\nagainst {self.objective_text}"

    def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
        template = str(task.data["template"])
        alike = similarity(template, candidate)
        if alike < self.least - 1e-9:
            raise InvalidCandidate(f"{alike:.1%} similar to the template, {self.least:.1%} are required: {candidate}")
        return float(self.values([candidate])[0])

    def values(self, candidates: Sequence[str]) -> FloatArray:
        """The objective of candidates, shape (n,), in micromolar; each is predicted once.

        Raises:
            InvalidCandidate: One that the predictor cannot read.
        """
        new = list(dict.fromkeys(c for c in candidates if c not in self._values))
        if new:
            if len(self._values) + len(new) > REMEMBERED:
                self._values = {c: self._values[c] for c in candidates if c in self._values}
            self._values |= zip(new, (10.0 ** self.objective.values(self.predictor, new)).tolist(), strict=True)
        return np.array([self._values[c] for c in candidates])

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        return initial_design(self.grammar(task), n, rng)

    def grammar(self, task: Task) -> Relatives:
        return relatives(str(task.data["template"]), self.least)

    def space(self, task: Task) -> SearchSpace | StringSpace:
        relatives = self.grammar(task)
        return relatives if self.vae is None else latent_space(self.vae, relatives)

    def pretraining_pairs(self, tasks: Sequence[Task], n: int, seed: int) -> Iterable[tuple[str, str]]:
        return pretraining_pairs([str(t.data["template"]) for t in tasks], self.least, self.context, n, seed)


@lru_cache(maxsize=4096)
def relatives(template: str, least: float) -> Relatives:
    return Relatives(template, least)
