from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo import InvalidCandidate, Slots
from boltbo.domain import END
from boltbo.spaces import Strings

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


@st.composite
def strings(draw: st.DrawFn, *, template: bool | None = None) -> Strings:
    """A space over two to four letters, small enough to list."""
    alphabet, separator = "abcd"[: draw(st.integers(1, 4))], draw(st.sampled_from(["", " ", "-"]))
    least = draw(st.integers(1, 3))
    lengths = (least, draw(st.integers(least, 4)))
    if not (draw(st.booleans()) if template is None else template):
        return Strings(alphabet, lengths, separator=separator)
    letters = draw(st.lists(st.sampled_from(alphabet), min_size=lengths[0], max_size=lengths[1]))
    return Strings(
        alphabet, lengths, separator=separator, template=separator.join(letters), edits=draw(st.integers(0, 5))
    )


def members(space: Strings) -> set[str]:
    """All candidates, by trying every string."""
    lengths = range(space.lengths[0], space.lengths[1] + 1)
    texts = (space.separator.join(s) for length in lengths for s in product(space.alphabet, repeat=length))
    return {text for text in texts if is_candidate(space, text)}


def is_candidate(space: Strings, text: str) -> bool:
    """By the definition, with a Levenshtein distance of its own."""
    letters = text.split(space.separator) if space.separator else list(text)
    if not space.lengths[0] <= len(letters) <= space.lengths[1] or not set(letters) <= set(space.alphabet):
        return False
    return space.template is None or levenshtein(letters, space.template) <= space.edits


def levenshtein(a: Sequence[str], b: Sequence[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y)))
        row = new
    return row[-1]


def walk(grammar: Strings, rng: np.random.Generator) -> str:
    state, symbols = grammar.start(), []
    while True:
        allowed = grammar.allowed(state)
        assert allowed, f"a dead end after {symbols}"
        symbol = allowed[rng.integers(len(allowed))]
        if symbol == END:
            return grammar.separator.join(symbols)
        symbols.append(symbol)
        state = grammar.advance(state, symbol)


@settings(max_examples=40, deadline=None)
@given(strings())
def test_the_grammar_of_strings_writes_all_candidates_and_nothing_else(space: Strings) -> None:
    def written(state: Any, symbols: tuple[str, ...]) -> Iterator[str]:
        allowed = space.allowed(state)
        assert allowed, f"a dead end after {symbols}"
        assert hash(state) is not None
        for symbol in allowed:
            if symbol == END:
                yield space.separator.join(symbols)
            else:
                yield from written(space.advance(state, symbol), (*symbols, symbol))

    texts = list(written(space.start(), ()))
    assert len(set(texts)) == len(texts)
    assert set(texts) == members(space)


@given(strings(), st.integers(0, 2**31))
def test_every_walk_through_the_grammar_of_strings_is_a_candidate(space: Strings, seed: int) -> None:
    text = walk(space, np.random.default_rng(seed))
    assert space.canonical(text) == text
    assert space.separator.join(space.symbols(text)) == text


@given(strings(), st.text("abcd -", max_size=9))
def test_strings_accept_what_the_definition_does(space: Strings, text: str) -> None:
    try:
        canonical = space.canonical(text)
    except InvalidCandidate:
        assert not is_candidate(space, text)
    else:
        assert is_candidate(space, canonical)
        assert space.canonical(canonical) == canonical


@given(strings(), st.integers(0, 2**31), st.integers(1, 6))
def test_mutants_are_candidates_some_edits_away(space: Strings, seed: int, edits: int) -> None:
    rng = np.random.default_rng(seed)
    origin = walk(space, rng)
    symbols = space.symbols(origin)
    mutants = space.mutants(origin, edits, 20, rng)
    assert len(mutants) <= 20
    for text in mutants:
        assert is_candidate(space, text)
        assert 1 <= levenshtein(symbols, space.symbols(text)) <= edits


@settings(max_examples=25, deadline=None)
@given(strings(), st.integers(0, 2**31), st.integers(1, 3))
def test_mutants_reach_every_neighbour(space: Strings, seed: int, edits: int) -> None:
    rng = np.random.default_rng(seed)
    origin = walk(space, rng)
    symbols = space.symbols(origin)
    near = [t for t in members(space) if 1 <= levenshtein(symbols, space.symbols(t)) <= min(edits, 2)]
    if len(near) <= 20:
        assert set(near) <= {m for _ in range(10) for m in space.mutants(origin, edits, 300, rng)}


@given(strings(), st.integers(0, 2**31))
def test_children_are_candidates_between_their_parents(space: Strings, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = walk(space, rng), walk(space, rng)
    a, b = space.symbols(one), space.symbols(other)
    children = space.crossed(one, other, 12, rng)
    assert len(children) <= 12
    for text in children:
        assert is_candidate(space, text)
        assert text not in (one, other)
        c = space.symbols(text)
        assert levenshtein(a, c) + levenshtein(c, b) == levenshtein(a, b)


LETTERS = "ACDEFGHIKLMNPQRSTVWY"
TEMPLATE = "GIGKFLHSAKKFGKAFVGEIMNS"


@pytest.mark.parametrize("changed", [0, 3, 5])
@pytest.mark.parametrize("edits", [1, 2, 5])
def test_mutants_are_plenty_at_the_edge_of_the_budget_too(changed: int, edits: int) -> None:
    space, rng = Strings(LETTERS, (5, 30), template=TEMPLATE, edits=5), np.random.default_rng(0)
    origin = "W" * changed + TEMPLATE[changed:]
    assert space.distance(origin) == changed
    mutants = space.mutants(origin, edits, 500, rng)
    assert len(mutants) == 500
    distances = {space.distance(m) for m in mutants}
    assert max(distances) == min(5, changed + edits)
    assert min(distances) < changed or changed == 0


def test_crossing_unites_what_two_parents_have() -> None:
    space = Strings(LETTERS, (5, 30), template=TEMPLATE, edits=5)
    one, other = "WW" + TEMPLATE[2:], TEMPLATE[:-2] + "WW"
    assert "WW" + TEMPLATE[2:-2] + "WW" in space.crossed(one, other, 50, np.random.default_rng(0))
    assert space.crossed(one, one, 50, np.random.default_rng(0)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alphabet": ""}, "alphabet"),
        ({"alphabet": "aa"}, "alphabet"),
        ({"alphabet": ["ab", "c"]}, "told apart"),
        ({"lengths": (0, 3)}, "lengths"),
        ({"lengths": (4, 3)}, "lengths"),
        ({"template": "aa"}, "edits"),
        ({"edits": 2}, "edits"),
        ({"template": "aa", "edits": -1}, "edits"),
        ({"template": "az", "edits": 1}, "template"),
        ({"template": "aaaaaa", "edits": 1}, "template"),
    ],
)
def test_unusable_strings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Strings(**{"alphabet": "abc", "lengths": (1, 5), **arguments})
