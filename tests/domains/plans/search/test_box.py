"""Plans as points: every point is a plan, and every tree survives the way to a point and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domains.plans.language.grammar import PlanGrammar, parse_plan
from boltbo.domains.plans.language.plan import Abilities, Join, Operator, Plan, Scan
from boltbo.domains.plans.search.box import PlanSpace
from boltbo.domains.plans.search.switches import SwitchSpace
from boltbo.errors import InvalidCandidate
from support.random_plans import abilities_of, queries, query_of, random_tree_text, subtrees


@settings(max_examples=200, deadline=None)
@given(queries(), abilities_of, st.integers(0, 2**32))
def test_every_tree_survives_the_box(query, abilities, seed):
    grammar, rng = PlanGrammar(query, abilities), np.random.default_rng(seed)
    space = PlanSpace(query, abilities=abilities)
    for _ in range(5):
        text = grammar.canonical(random_tree_text(grammar, rng))
        point = space.encode(text)
        assert point.shape == (space.dim,)
        assert ((point > 0) & (point < 1)).all()
        assert space.decode(point[None]) == [text]


@settings(max_examples=100, deadline=None)
@given(queries(), abilities_of, st.integers(0, 2**32))
def test_every_point_is_a_canonical_plan(query, abilities, seed):
    grammar, space = PlanGrammar(query, abilities), PlanSpace(query, abilities=abilities)
    rng = np.random.default_rng(seed)
    points = np.vstack([rng.random((8, space.dim)), rng.integers(0, 2, (4, space.dim)).astype(float)])
    for text in space.decode(points):
        assert grammar.canonical(text) == text
        assert space.decode(space.encode(text)[None]) == [text]


def test_large_classes_need_few_coordinates():
    clique = PlanSpace(query_of(16, [range(16)]))
    assert clique.dim == 1 + 3 * 16 - 2
    star = PlanSpace(query_of(16, [(0, i) for i in range(1, 16)]))
    assert star.dim == 1 + 2 * 15


@pytest.mark.parametrize("classes", [[range(12)], [(i, i + 1) for i in range(11)]])
def test_points_nearby_are_plans_nearby(classes):
    """A step of 0.01 keeps most joins of a random plan; another random plan shares few."""
    query, rng = query_of(12, classes), np.random.default_rng(1)
    space = PlanSpace(query)
    x = rng.random((60, space.dim))
    here = [subtrees(parse_plan(t, query).trees[0]) for t in space.decode(x)]
    near = [
        subtrees(parse_plan(t, query).trees[0]) for t in space.decode(np.clip(x + rng.normal(0, 0.01, x.shape), 0, 1))
    ]
    far = here[1:] + here[:1]
    assert np.mean([len(a & b) / len(a) for a, b in zip(here, near, strict=True)]) > 0.7
    assert np.mean([len(a & b) / len(a) for a, b in zip(here, far, strict=True)]) < 0.5


def test_server_plans_are_encoded_as_their_trees():
    query = query_of(3, [(0, 1, 2)])
    a, b, c = (Scan(f"r{i}") for i in range(3))
    plan = Plan((Join(Operator.HASH, Join(Operator.NEST, b, a), c),))
    for trees in ({"default -hash": plan}, {"default -hash": plan}.get):
        space = PlanSpace(query, server_trees=trees)
        assert space.decode(space.encode("default  -hash")) == ["r1 nest r0 hash r2"]
        with pytest.raises(InvalidCandidate, match="not known"):
            space.encode("default -merge")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_switches_as_a_box(seed):
    space, rng = SwitchSpace(Abilities(())), np.random.default_rng(seed)
    for text in space.decode(np.vstack([rng.random((8, space.dim)), np.ones((1, space.dim))])):
        assert PlanGrammar(query_of(2, [(0, 1)]), Abilities(())).canonical(text) == text
        assert space.decode(space.encode(text)[None]) == [text]


def test_a_point_is_decoded_without_reading_a_text(monkeypatch):
    query = query_of(10, [range(5), range(4, 7), (6, 7), (7, 8), (8, 9)])
    space = PlanSpace(query)
    monkeypatch.setattr(PlanGrammar, "parse", lambda self, text: pytest.fail(f"{text} was read"))
    assert len(set(space.decode(np.random.default_rng(0).random((200, space.dim))))) > 100
