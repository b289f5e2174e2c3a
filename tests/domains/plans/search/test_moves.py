"""Plans as neighbours: every move leads to another plan of the query, and moves lead everywhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domain import StringSpace
from boltbo.domains.plans.language.grammar import PlanGrammar, parse_plan
from boltbo.domains.plans.language.plan import PLAIN_SQL, Abilities, Join, Operator, Plan, Scan
from boltbo.domains.plans.search.moves import PlanMoves
from boltbo.errors import InvalidCandidate
from boltbo.optimizers import make_optimizer
from boltbo.problem import Observation, Status
from support.random_plans import abilities_of, queries, query_of, random_tree_text, subtrees


@settings(max_examples=200, deadline=None)
@given(queries(), abilities_of, st.integers(0, 2**32), st.integers(1, 4))
def test_every_mutant_and_crossing_is_another_canonical_plan(query, abilities, seed, edits):
    grammar, rng = PlanGrammar(query, abilities), np.random.default_rng(seed)
    space = PlanMoves(query, abilities=abilities)
    assert isinstance(space, StringSpace)
    one, other = (grammar.canonical(random_tree_text(grammar, rng)) for _ in range(2))
    assert " ".join(space.symbols(one)) == one
    for text in space.mutants(one, edits, 12, rng):
        assert grammar.canonical(text) == text != one
    for text in space.crossed(one, other, 12, rng):
        assert grammar.canonical(text) == text
        assert text not in (one, other)


@pytest.mark.parametrize(
    ("abilities", "plans"),
    [
        (Abilities((Operator.JOIN,)), 6),
        (Abilities((Operator.NEST,), sided=True), 6 * 2**3),
        (Abilities((Operator.HASH, Operator.NEST, Operator.JOIN), exclusive=True), 6 * (2**3 + 2**3 - 1)),
    ],
)
def test_moves_lead_to_every_plan(abilities, plans):
    """The three joins of a star can be made in six orders."""
    query = query_of(4, [(0, 1), (1, 2), (1, 3)])
    space, rng = PlanMoves(query, abilities=abilities), np.random.default_rng(0)
    start = PlanGrammar(query, abilities).canonical("r0 {0} r1 {0} r2 {0} r3".format(abilities.operators[0]))
    reached, new = {start}, [start]
    while new:
        found = {text for plan in new for text in space.mutants(plan, 1, 300, rng)}
        new = sorted(found - reached)
        reached |= found
    grammar = PlanGrammar(query, abilities)
    drawn = {grammar.canonical(random_tree_text(grammar, rng)) for _ in range(20 * plans)}
    assert drawn <= reached
    assert len(reached) == plans


def test_a_move_keeps_most_of_a_plan():
    query, rng = query_of(12, [(i, i + 1) for i in range(11)]), np.random.default_rng(1)
    grammar, space = PlanGrammar(query), PlanMoves(query)
    kept, far = [], []
    for _ in range(30):
        one, other = (grammar.canonical(random_tree_text(grammar, rng)) for _ in range(2))
        here = subtrees(parse_plan(one, query).trees[0])
        near = [subtrees(parse_plan(text, query).trees[0]) for text in space.mutants(one, 1, 20, rng)]
        kept += [len(here & there) / len(here) for there in near]
        far.append(len(here & subtrees(parse_plan(other, query).trees[0])) / len(here))
    assert np.mean(kept) > 0.7
    assert np.mean(far) < 0.5


def test_the_servers_plan_changes_from_its_tree():
    query = query_of(3, [(0, 1, 2)])
    a, b, c = (Scan(f"r{i}") for i in range(3))
    plan = Plan((Join(Operator.HASH, Join(Operator.NEST, b, a), c),))
    space, rng = PlanMoves(query, {"default -hash": plan}.get), np.random.default_rng(0)
    assert space.symbols("default  -hash") == ["r1", "nest", "r0", "hash", "r2"]
    assert "r0 nest r1 hash r2" in space.mutants("default -hash", 1, 100, rng)
    with pytest.raises(InvalidCandidate, match="not known"):
        space.symbols("default -merge")


def test_what_one_query_cannot_change_has_no_mutants():
    space, rng = PlanMoves(query_of(1, []), abilities=PLAIN_SQL), np.random.default_rng(0)
    assert space.mutants("r0", 3, 10, rng) == []
    assert space.crossed("r0", "r0", 10, rng) == []


def test_a_search_by_moves_finds_what_random_plans_do_not():
    """Each join of the wanted plan that is missing costs 1."""
    query = query_of(9, [(0, i) for i in range(1, 9)])
    grammar, rng = PlanGrammar(query), np.random.default_rng(3)

    def joins(text):
        return {(op, *sides) for op, *sides in parts(parse_plan(text, query).trees[0])}

    def parts(tree):
        if isinstance(tree, Scan):
            return
        yield from parts(tree.left)
        yield from parts(tree.right)
        yield tree.operator, spelled(tree.left), spelled(tree.right)

    def spelled(tree):
        return tree.alias if isinstance(tree, Scan) else f"({spelled(tree.left)} {spelled(tree.right)})"

    wanted = joins(grammar.canonical(random_tree_text(grammar, rng)))

    def observed(text):
        return Observation(text, 1.0 + len(wanted - joins(text)), Status.COMPLETE, 0.0, "design")

    start = [observed(grammar.canonical(random_tree_text(grammar, rng))) for _ in range(10)]
    at_random = min(observed(grammar.canonical(random_tree_text(grammar, rng))).value for _ in range(110))
    for name in ("auto", "edits", "evolution"):
        optimizer = make_optimizer(name, PlanMoves(query), seed=0)
        optimizer.tell(start)
        best = min(o.value for o in start)
        for _ in range(20):
            found = [observed(text) for text in optimizer.ask(5)]
            optimizer.tell(found)
            best = min(best, *(o.value for o in found))
        assert best < at_random, name
