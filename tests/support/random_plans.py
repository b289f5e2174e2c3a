"""Random queries and random plans of them, for tests that need no server."""

from __future__ import annotations

from hypothesis import strategies as st

from boltbo.domain import END
from boltbo.domains.plans.language.plan import PLAIN_SQL, Abilities, Method, Operator, Scan
from boltbo.domains.plans.language.query import Block, Query, Relation


def query_of(n, classes):
    relations = tuple(Relation(f"r{i}", f"table_{i}") for i in range(n))
    return Query("", (Block(relations, tuple(tuple((f"r{i}", f"c{k}") for i in c) for k, c in enumerate(classes))),))


@st.composite
def queries(draw, most=10):
    """Queries of one block or two."""
    n = draw(st.integers(1, most))
    classes = [{i, draw(st.integers(0, i - 1))} for i in range(1, n)]
    for c in classes:
        c |= draw(st.sets(st.integers(0, n - 1), max_size=draw(st.sampled_from([0, 2, 8]))))
    query = query_of(n, [sorted(c) for c in classes])
    second = Block((Relation("x", "tx"), Relation("y", "ty")), ((("x", "c"), ("y", "c")),))
    return Query("", (*query.blocks, second)) if draw(st.booleans()) else query


OPERATORS = tuple(Operator)
abilities_of = st.sampled_from(
    [
        PLAIN_SQL,
        Abilities((Operator.JOIN,)),
        Abilities(OPERATORS, methods=tuple(Method)),
        Abilities(OPERATORS, sided=True),
    ]
)


def random_tree_text(grammar, rng):
    state, symbols = grammar.start(), []
    symbols = [s for s in grammar.allowed(state) if s != "default"]
    symbols = [symbols[rng.integers(len(symbols))]]
    state = grammar.advance(state, symbols[0])
    while True:
        allowed = grammar.allowed(state)
        symbol = allowed[rng.integers(len(allowed))]
        if symbol == END:
            return " ".join(symbols)
        symbols.append(symbol)
        state = grammar.advance(state, symbol)


def subtrees(tree):
    """The sets of relations that the joins of a tree put together."""
    sets = set()

    def visit(tree):
        if isinstance(tree, Scan):
            return frozenset({tree.alias})
        whole = visit(tree.left) | visit(tree.right)
        sets.add(whole)
        return whole

    visit(tree)
    return sets
