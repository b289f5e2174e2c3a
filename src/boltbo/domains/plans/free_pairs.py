"""Pairs of a context and a plan that no execution was paid for: what the model is warmed up on.

New queries are made of the training tasks' own: the same joins with each relation's filters taken from another query of the
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

from boltbo.domains.plans.context import ContextWriter, server_tree_text
from boltbo.domains.plans.design import bao_sets
from boltbo.domains.plans.dialect import render
from boltbo.domains.plans.language import format_plan, parse_plan
from boltbo.domains.plans.plan import Join, Operator, Plan, Tree
from boltbo.domains.plans.query import Query, Relation
from boltbo.domains.plans.server import Server

PLANS_PER_QUERY = 4
SWITCHED = 0.05
"""Share of the solutions that are hint sets as such, so that the model knows that they may be written."""

SWITCHES_OF_SETS = [tuple(text.split()[1:]) for text in bao_sets()]

CHUNK = 8
"""Queries that one connection makes at a time."""

CONNECTIONS = 2

FAST_PLANNING = (("geqo", "on"), ("geqo_threshold", "12"), ("geqo_effort", "2"))
"""Exhaustive planning of 14 relations takes a second; the genetic search takes milliseconds and is good enough here."""


def free_pairs(server: Server, queries: Sequence[Query], n: int, seed: int) -> Iterator[tuple[str, str]]:
    """About `n` pairs (context, plan), the same for the same server, queries and seed.

    Raises:
        OracleUnavailable: The server does not answer.
    """
    templates: dict[object, list[Query]] = {}
    for query in queries:
        templates.setdefault(_template(query), []).append(query)
    groups = list(templates.values())
    own = threading.local()

    def chunk(number: int) -> list[tuple[str, str]]:
        """The pairs of some new queries: what they are does not depend on which connection makes them."""
        if not hasattr(own, "writer"):
            own.writer = ContextWriter(Server(server.url, patience=server.patience))
            writers.append(own.writer)
        rng = np.random.default_rng([seed, number])
        return [pair for _ in range(CHUNK) for pair in _pairs(own.writer, groups, rng)]

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
        for writer in writers:
            writer.server.close()


def _pairs(writer: ContextWriter, groups: Sequence[Sequence[Query]], rng: np.random.Generator) -> list[tuple[str, str]]:
    """One new query and its distinct plans; nothing where its filters do not go together."""
    query = mixed(groups[int(rng.integers(len(groups)))], rng)
    sets = [SWITCHES_OF_SETS[i] for i in rng.integers(len(SWITCHES_OF_SETS), size=PLANS_PER_QUERY)]
    try:
        context = writer.write(query)
        solutions = {_solution(writer.server, query, off, rng) for off in sets}
    except psycopg.OperationalError:
        raise
    except psycopg.errors.DatabaseError:
        return []
    return [(context, solution) for solution in sorted(solutions)]


def mixed(siblings: Sequence[Query], rng: np.random.Generator) -> Query:
    """A query of the siblings' template, each relation's filters from one of them."""
    base = siblings[int(rng.integers(len(siblings)))]
    donors = rng.integers(len(siblings), size=len(base.relations)).tolist()
    relations = tuple(
        replace(r, filters=_same_relation(siblings[d], r).filters) for r, d in zip(base.relations, donors, strict=True)
    )
    changed = replace(base, relations=relations)
    return replace(changed, sql=render_plain(changed))


def render_plain(query: Query) -> str:
    """A query's SQL from its parts, as its author would have written it."""
    conjuncts = [f"({f})" for r in query.relations for f in r.filters] + [f"({r.sql})" for r in query.residuals]
    for (first, column), *others in query.classes:
        conjuncts += [f'"{first}"."{column}" = "{alias}"."{other}"' for alias, other in others]
    tables = ", ".join(f'{r.table} AS "{r.alias}"' for r in query.relations)
    return f"SELECT {query.select} FROM {tables} WHERE {' AND '.join(conjuncts)} {query.tail}".strip()


def _template(query: Query) -> object:
    return tuple((r.alias, r.table, r.columns) for r in query.relations), query.classes


def _same_relation(query: Query, relation: Relation) -> Relation:
    return query.relations[query.index[relation.alias]]


def _solution(server: Server, query: Query, off: tuple[str, ...], rng: np.random.Generator) -> str:
    if rng.random() < SWITCHED:
        return format_plan(Plan(None, off), query)
    settings = (*render(query, Plan(None, off)).settings, *FAST_PLANNING)
    text = server_tree_text(server, query, settings)
    if rng.random() < 0.5:
        tree = parse_plan(text, query).tree
        assert tree is not None
        text = format_plan(Plan(order_only(tree)), query)
    return text


def order_only(tree: Tree) -> Tree:
    """The tree's join order, every operator left to the server."""
    if isinstance(tree, Join):
        return Join(Operator.JOIN, order_only(tree.left), order_only(tree.right))
    return tree
