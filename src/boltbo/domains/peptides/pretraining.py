"""Pairs of a context and a relative that no prediction was asked for: what the model is pretrained on.

New templates are made of the training tasks' own: the beginning of one and the end of another, some residues replaced by
ones as frequent as among them. What is learnt is to copy a template with changes, within the budget of edits. Copying is the
hard part: it takes many templates, each read once, and solutions that hardly differ from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from boltbo.domains.peptides.design import mutants
from boltbo.domains.peptides.space import Relatives
from boltbo.domains.peptides.templates import LONGEST, SHORTEST

LIGHT = 0.5
"""Share of the solutions with a single edit; the others have random ones up to the budget"""

REPLACED = 0.3
"""Greatest share of a mixed template's residues that is replaced."""


def pretraining_pairs(
    templates: Sequence[str], least: float, context: Callable[[str], str], n: int, seed: int
) -> Iterator[tuple[str, str]]:
    """`n` pairs (context, relative), fewer where hardly an edit is allowed; the same for the same templates and seed.

    Args:
        templates: Templates of the training tasks.
        least: The similarity that relatives must have.
        context: A template -> what a model reads of it.
        n: How many pairs.
        seed: Seed of every random choice.
    """
    rng = np.random.default_rng(seed)
    letters = np.array(list("".join(templates)))
    for _ in range(n):
        template = mixed(templates, letters, rng)
        space = Relatives(template, least)
        light = rng.random() < LIGHT
        if not space.edits:
            continue
        for solution in space.mutants(template, 1, 1, rng) if light else mutants(space, 1, rng):
            yield context(template), solution


def mixed(templates: Sequence[str], letters: np.ndarray, rng: np.random.Generator) -> str:
    """A new template, of a length between those of the two that it is made of."""
    first, second = (templates[int(i)] for i in rng.integers(len(templates), size=2))
    length = int(rng.integers(min(len(first), len(second)), max(len(first), len(second)) + 1))
    cut = int(rng.integers(0, min(len(first), length) + 1))
    tail = second[max(0, len(second) - (length - cut)) :]
    residues = list(first[:cut] + tail)
    while len(residues) < SHORTEST:
        residues.append(str(rng.choice(letters)))
    for place in np.flatnonzero(rng.random(len(residues)) < rng.random() * REPLACED):
        residues[int(place)] = str(rng.choice(letters))
    return "".join(residues)[:LONGEST]
