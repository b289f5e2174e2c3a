"""The box of the switches: every point is a hint set, and every hint set a point."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domains.plans.language.grammar import PlanGrammar
from boltbo.domains.plans.language.plan import Abilities
from boltbo.domains.plans.search.switches import SwitchSpace
from support.random_plans import query_of


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_switches_as_a_box(seed):
    space, rng = SwitchSpace(Abilities(())), np.random.default_rng(seed)
    for text in space.decode(np.vstack([rng.random((8, space.dim)), np.ones((1, space.dim))])):
        assert PlanGrammar(query_of(2, [(0, 1)]), Abilities(())).canonical(text) == text
        assert space.decode(space.encode(text)[None]) == [text]
