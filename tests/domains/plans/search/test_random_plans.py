"""Random plans are plans of their query."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domains.plans.language.grammar import PlanGrammar
from boltbo.domains.plans.search.random_plans import random_plans
from support.random_plans import abilities_of, queries


@settings(max_examples=100, deadline=None)
@given(queries(), abilities_of, st.integers(0, 2**32))
def test_random_plans_are_canonical(query, abilities, seed):
    grammar = PlanGrammar(query, abilities)
    texts = random_plans(query, 12, np.random.default_rng(seed), abilities)
    assert [grammar.canonical(text) for text in texts] == texts
    assert random_plans(query, 12, np.random.default_rng(seed), abilities) == texts
