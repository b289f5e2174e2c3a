"""The paper's space for plans: one sequence VAE a schema, trained on random plans, and its box for each query.

BayesQO trains on plans of random queries along the schema's foreign keys. Here the queries are connected parts of the
workload's own join graphs (and these as a whole), the trees are random bushy ones without cross products, the operators are
random: nothing is executed, no server is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from boltbo.domains.plans.language.canonical import canonical_plan
from boltbo.domains.plans.language.grammar import PlanGrammar, format_plan
from boltbo.domains.plans.language.plan import PLAIN_SQL, Abilities, Plan
from boltbo.domains.plans.language.query import Block, Query, mark
from boltbo.domains.plans.search.random_plans import random_plan
from boltbo.domains.plans.search.strings import from_string, longest, to_string, vocabulary, well_formed
from boltbo.latent.kept import keep, kept

if TYPE_CHECKING:  # torch is imported when it is needed
    from boltbo.latent.space import LatentSpace
    from boltbo.latent.vae import SequenceVAE

WHOLE = 0.5
"""Share of the corpus that is about whole queries, not parts of them."""

HELD_OUT = 500

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """How the VAE of a schema is made.

    Attributes:
        plans: Random plans to learn from.
        epochs: Passes over them.
        latent: Dimensions of the latent space.
        seed: Seed of plans, first weights and training.
    """

    plans: int = 30_000
    epochs: float = 4.0
    latent: int = 64
    seed: int = 0


class PlanCodec:
    """Candidates of one query as strings, and any string as a candidate (see `latent.space.Codec`).

    Args:
        query: The query.
        server_trees: The plan with trees that the server makes of the text of a `default …` candidate.
        abilities: What may be written; at least one operator.
    """

    def __init__(self, query: Query, server_trees: Callable[[str], Plan], abilities: Abilities = PLAIN_SQL) -> None:
        self.query, self.abilities = query, abilities
        self._grammar = PlanGrammar(query, abilities)
        self._server_trees = server_trees

    def symbols(self, candidate: str) -> list[str]:
        plan = self._grammar.parse(candidate)
        if not plan.trees:
            plan = canonical_plan(self._server_trees(self._grammar.canonical(candidate)), self.query, self.abilities)
        return to_string(plan.trees, self.query)

    def candidate(self, symbols: Sequence[str]) -> str:
        return format_plan(Plan(from_string(symbols, self.query, self.abilities)), self.query, self.abilities)


def random_strings(
    queries: Sequence[Query], n: int, rng: np.random.Generator, abilities: Abilities = PLAIN_SQL
) -> Iterator[list[str]]:
    """`n` strings of random canonical plans of connected parts of the queries' blocks; see this module's text."""
    blocks = [b for q in queries for b in q.blocks if len(b.relations) > 1]
    if not blocks:
        raise ValueError("no query has a join")
    whole = [Query("", (b,)) for b in blocks]
    for _ in range(n):
        query = whole[int(rng.integers(len(whole)))]
        if rng.random() >= WHOLE:
            query = part_of(query, rng)
        yield to_string(random_plan(query, rng, abilities).trees, query)


def part_of(query: Query, rng: np.random.Generator) -> Query:
    """A connected part of a query of one block with at least two relations: 2 of them up to all."""
    n = len(query.relations)
    chosen = 1 << int(rng.integers(n))
    for _ in range(int(rng.integers(1, n))):
        border = [i for i in range(n) if not chosen >> i & 1 and query.neighbours[i] & chosen]
        if border:
            chosen |= 1 << border[int(rng.integers(len(border)))]
    relations = tuple(r for i, r in enumerate(query.relations) if chosen >> i & 1)
    kept = {r.alias for r in relations}
    classes = (tuple(c for c in members if c[0] in kept) for members in query.classes)
    joined = tuple(members for members in classes if len({alias for alias, _ in members}) > 1)
    block: Block = replace(query.blocks[0], relations=relations, classes=joined)
    return Query("", (block,), mark(0))


def ensure_vae(
    queries: Sequence[Query],
    folder: Path,
    recipe: Recipe | None = None,
    abilities: Abilities = PLAIN_SQL,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Train the VAE of the queries' schema unless the folder holds it; what `boltbo.latent.vae.SequenceVAE.load` reads.

    Returns:
        How well it does on held-out random plans: `exact` and `per_symbol` reconstruction, `well_formed` (the share of
        random points of the latent space whose string writes a tree and nothing else), training `seconds`, `sequences`.
    """
    recipe = recipe or Recipe()
    symbols, most = vocabulary(queries), longest(queries)

    def make() -> tuple[SequenceVAE, dict[str, float]]:
        from boltbo.latent.vae import SequenceVAE

        rng = np.random.default_rng(recipe.seed)
        corpus = list(random_strings(queries, recipe.plans + HELD_OUT, rng, abilities))
        vae = SequenceVAE.create(symbols, most, latent=recipe.latent, seed=recipe.seed)
        fitted = vae.fit(corpus[HELD_OUT:], seed=recipe.seed, epochs=recipe.epochs, progress=progress)
        qualities = quality(vae, corpus[:HELD_OUT], recipe.seed)
        return vae, {**qualities, "seconds": fitted.seconds, "sequences": float(recipe.plans)}

    key = {**asdict(recipe), "symbols": symbols, "longest": most, "operators": list(abilities.operators)}
    return keep(folder, "plans", key, make)


def quality(vae: SequenceVAE, held_out: Sequence[Sequence[str]], seed: int) -> dict[str, float]:
    """Reconstruction of held-out strings, and how many random points are strings that need no repair."""
    reconstruction = vae.reconstruction(held_out)
    strings = vae.decode(vae.random_points(len(held_out), seed))
    valid = sum(map(well_formed, strings)) / max(1, len(strings))
    return {"exact": reconstruction.exact, "per_symbol": reconstruction.per_symbol, "well_formed": valid}


def latent_space(
    folder: Path, query: Query, server_trees: Callable[[str], Plan], abilities: Abilities = PLAIN_SQL
) -> LatentSpace:
    """The box of a query in the latent space of the VAE that `ensure_vae` put into a folder.

    Raises:
        CorruptModel: The folder holds none.
    """
    from boltbo.latent.space import LatentSpace

    return LatentSpace(kept(folder), PlanCodec(query, server_trees, abilities))
