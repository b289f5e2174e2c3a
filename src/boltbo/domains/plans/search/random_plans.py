"""Random plans of a query: bushy trees without cross products, whose edges merge in a random order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boltbo.domains.plans.language.canonical import canonical_plan
from boltbo.domains.plans.language.grammar import format_plan
from boltbo.domains.plans.language.plan import EXCLUSIVE, PLAIN_SQL, Abilities, Join, Operator, Plan, Scan, Tree
from boltbo.domains.plans.language.query import Block, Query


def random_plans(query: Query, n: int, rng: np.random.Generator, abilities: Abilities = PLAIN_SQL) -> list[str]:
    """The texts of `n` random plans; the same may come twice."""
    return [format_plan(random_plan(query, rng, abilities), query, abilities) for _ in range(n)]


def random_plan(query: Query, rng: np.random.Generator, abilities: Abilities = PLAIN_SQL) -> Plan:
    """A random plan in canonical form.

    Args:
        abilities: What may be written; at least one operator.
    """
    operators = list(abilities.operators)
    if abilities.exclusive and set(EXCLUSIVE) <= set(operators):
        operators.remove(EXCLUSIVE[0] if rng.random() < 0.5 else EXCLUSIVE[1])
    trees = tuple(_random_tree(block, operators, rng) for block in query.blocks)
    return canonical_plan(Plan(trees), query, abilities)


def _random_tree(block: Block, operators: Sequence[Operator], rng: np.random.Generator) -> Tree:
    graph = Query("", (block,))
    trees: list[Tree] = [Scan(alias) for alias in graph.aliases]
    n = len(trees)
    root = list(range(n))
    edges = [(i, j) for i in range(n) for j in range(n) if graph.neighbours[i] >> j & 1]
    for e in rng.permutation(len(edges)):
        a, b = root[edges[e][0]], root[edges[e][1]]
        if a != b:
            trees[a] = Join(operators[int(rng.integers(len(operators)))], trees[a], trees[b])
            root = [a if r == b else r for r in root]
    return trees[root[0]]
