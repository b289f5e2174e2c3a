"""Pairs of a context and a plan that no execution was paid for: what the model is pretrained on.

New queries are made of those of the training tasks: the same joins with each relation's filters taken from another query of the
same template. The server plans them under several settings (EXPLAIN takes milliseconds), so that the model learns the
language, the schema, and what sensible plans look like at which row estimates, before any plan was measured.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import psycopg

from boltbo.domains.plans.context import ContextWriter, server_plan_text
from boltbo.domains.plans.design import bao_sets
from boltbo.domains.plans.dialects.sql import Switches, written_out
from boltbo.domains.plans.language.grammar import format_plan, parse_plan
from boltbo.domains.plans.language.plan import Abilities, Join, Operator, Plan, Tree
from boltbo.domains.plans.language.query import Query, Relation
from boltbo.domains.plans.server.connection import Server

PLANS_PER_QUERY = 4
SWITCHED = 0.05
"""Share of the solutions that are hint sets as such, so that the model knows that they may be written."""

SWITCHES_OF_SETS = [tuple(text.split()[1:]) for text in bao_sets()]

CHUNK = 8
"""Queries that one connection makes at a time."""

CONNECTIONS = 2

FAST_PLANNING = (("geqo", "on"), ("geqo_threshold", "12"), ("geqo_effort", "2"))
"""Exhaustive planning of 14 relations takes a second; the genetic search takes milliseconds and is good enough here."""


def pretraining_pairs(writer: ContextWriter, queries: Sequence[Query], n: int, seed: int) -> Iterator[tuple[str, str]]:
    """About `n` pairs (context, plan), the same for the same server, policy of contexts, queries and seed.

    Raises:
        OracleUnavailable: The server does not answer.
    """
    templates: dict[object, list[Query]] = {}
    for query in queries:
        templates.setdefault(_template(query), []).append(query)
    groups = list(templates.values())
    local = threading.local()

    def chunk(number: int) -> list[tuple[str, str]]:
        """The pairs of some new queries: what they are does not depend on which connection makes them."""
        if not hasattr(local, "writer"):
            local.writer = writer.another()
            writers.append(local.writer)
        rng = np.random.default_rng([seed, number])
        return [pair for _ in range(CHUNK) for pair in _pairs(local.writer, groups, rng)]

    writers: list[ContextWriter] = []
    made = 0
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        waiting = deque(pool.submit(chunk, number) for number in range(2 * CONNECTIONS))
        for number in itertools.count(len(waiting)):
            pairs = waiting.popleft().result()
            waiting.append(pool.submit(chunk, number))
            yield from pairs
            made += len(pairs)
            if made >= n or (number > 100 and not made):
                return
    finally:
        pool.shutdown(cancel_futures=True)
        for used in writers:
            used.server.close()


def _pairs(writer: ContextWriter, groups: Sequence[Sequence[Query]], rng: np.random.Generator) -> list[tuple[str, str]]:
    """One new query and its distinct plans; nothing where its filters do not go together."""
    query = mixed(groups[int(rng.integers(len(groups)))], rng)
    sets = [SWITCHES_OF_SETS[i] for i in rng.integers(len(SWITCHES_OF_SETS), size=PLANS_PER_QUERY)]
    try:
        context = writer.write(query)
        solutions = {_solution(writer.server, query, off, writer.abilities, rng) for off in sets}
    except psycopg.OperationalError:
        raise
    except psycopg.errors.DatabaseError:
        return []
    return [(context, solution) for solution in sorted(solutions)]


def mixed(siblings: Sequence[Query], rng: np.random.Generator) -> Query:
    """A query of the siblings' template, each relation's filters from one of them."""
    base = siblings[int(rng.integers(len(siblings)))]

    def filtered(relation: Relation) -> Relation:
        donor = siblings[int(rng.integers(len(siblings)))]
        return replace(relation, filters=donor.relations[donor.index[relation.alias]].filters)

    blocks = tuple(replace(b, relations=tuple(filtered(r) for r in b.relations)) for b in base.blocks)
    changed = replace(base, blocks=blocks)
    return replace(changed, sql=written_out(changed))


def _template(query: Query) -> object:
    relations = tuple((r.alias, r.table, r.columns) for r in query.relations)
    return relations, query.classes, query.frame, tuple(b.outer for b in query.blocks)


def _solution(
    server: Server, query: Query, off: tuple[str, ...], abilities: Abilities, rng: np.random.Generator
) -> str:
    if not abilities.operators or rng.random() < SWITCHED:
        return format_plan(Plan((), off), query, abilities)
    plan = Plan((), off)
    text = server_plan_text(server, query, (*Switches().render(query, plan).settings, *FAST_PLANNING), abilities)
    if Operator.JOIN in abilities.operators and rng.random() < 0.5:
        trees = parse_plan(text, query, abilities).trees
        text = format_plan(Plan(tuple(order_only(tree) for tree in trees)), query, abilities)
    return text


def order_only(tree: Tree) -> Tree:
    """The tree's join order, every operator left to the server."""
    if isinstance(tree, Join):
        return Join(Operator.JOIN, order_only(tree.left), order_only(tree.right))
    return tree
