from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boltbo import InvalidCandidate, Slots
from boltbo.problem import END

choices = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True), min_size=1, max_size=6)


@given(choices, st.sampled_from([" ", ""]), st.integers(0, 2**31))
def test_every_point_decodes_and_every_candidate_encodes(slots: list[list[str]], separator: str, seed: int) -> None:
    space = Slots(slots, separator)
    candidates = space.decode(np.random.default_rng(seed).random((20, space.dim)))
    for candidate in candidates:
        assert space.canonical(candidate) == candidate
        assert space.decode(space.encode(candidate)[None]) == [candidate]


@given(choices, st.integers(0, 2**31))
def test_every_walk_through_the_grammar_is_a_candidate(slots: list[list[str]], seed: int) -> None:
    grammar, rng = Slots(slots), np.random.default_rng(seed)
    state, symbols = grammar.start(), []
    while END not in (allowed := grammar.allowed(state)):
        symbols.append(allowed[rng.integers(len(allowed))])
        state = grammar.advance(state, symbols[-1])
    assert grammar.canonical(" ".join(symbols)) == " ".join(symbols)


@pytest.mark.parametrize("text", ["", "a", "a z", "a c d", "a; c", "c a"])
def test_what_is_no_candidate_is_refused(text: str) -> None:
    with pytest.raises(InvalidCandidate):
        Slots([["a", "b"], ["c", "d"]]).canonical(text)


@pytest.mark.parametrize("slots", [[[]], [["a", "a"]], [["a b"]], [[""]]])
def test_unusable_slots_are_refused(slots: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="slot 0"):
        Slots(slots)
