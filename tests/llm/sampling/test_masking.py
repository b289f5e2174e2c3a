"""The machine over token ids allows exactly what the grammar allows, however symbols are spelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boltbo.domain import END
from boltbo.llm.contract import Brackets
from boltbo.llm.sampling.masking import Machine

STOP = 0


class AnyOf:
    """Up to four of some symbols, joined by nothing but their spelling."""

    separator = " "

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = list(symbols)

    def start(self) -> int:
        return 0

    def allowed(self, state: int) -> Sequence[str]:
        return [*(self.symbols if state < 4 else []), *([END] if state else [])]

    def advance(self, state: int, symbol: str) -> int:
        return state + 1

    def canonical(self, text: str) -> str:
        return text


def by_letter(symbol: str, first: bool) -> tuple[int, ...]:
    """A blank is 1, letters follow: symbols share prefixes and begin one another."""
    return (() if first else (1,)) + tuple(ord(c) for c in symbol)


symbols = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=6, unique=True)


@given(symbols, st.integers(0, 2**31))
def test_every_walk_spells_a_text_of_the_grammar(words: list[str], seed: int) -> None:
    grammar, rng = AnyOf(words), np.random.default_rng(seed)
    machine = Machine(grammar, by_letter, STOP)
    state, ids = machine.start, []
    while True:
        allowed = machine.allowed[state]
        assert len(allowed)
        token = int(rng.choice(allowed))
        state = machine.advance(state, token)
        if state < 0:
            break
        ids.append(token)
    written = "".join(" " if i == 1 else chr(i) for i in ids).split(" ")
    assert 1 <= len(written) <= 4
    assert set(written) <= set(words)


@given(symbols, st.lists(st.integers(0, 5), min_size=1, max_size=4))
def test_every_text_of_the_grammar_can_be_spelled(words: list[str], chosen: list[int]) -> None:
    text = [words[i % len(words)] for i in chosen]
    machine = Machine(AnyOf(words), by_letter, STOP)
    state = machine.start
    for token in [t for at, word in enumerate(text) for t in by_letter(word, at == 0)] + [STOP]:
        assert token in machine.allowed[state]
        state = machine.advance(state, token)
    assert state == -1


def test_a_symbol_that_begins_another_may_end_or_go_on() -> None:
    machine = Machine(AnyOf(["a", "ab"]), by_letter, STOP)
    after_a = machine.advance(machine.start, ord("a"))
    assert set(machine.allowed[after_a].tolist()) == {ord("b"), 1, STOP}


class Again(AnyOf):
    """Any number of symbols: every state is the first one."""

    def allowed(self, state: int) -> Sequence[str]:
        return [*self.symbols, END]

    def advance(self, state: int, symbol: str) -> int:
        return 0


def test_a_symbol_is_the_first_only_once_though_its_state_returns() -> None:
    machine = Machine(Again(["a", "b"]), by_letter, STOP)
    after_a = machine.advance(machine.start, ord("a"))
    assert set(machine.allowed[machine.start].tolist()) == {ord("a"), ord("b"), STOP}
    assert set(machine.allowed[after_a].tolist()) == {1, STOP}


class Dead(AnyOf):
    def allowed(self, state: int) -> Sequence[str]:
        return []


def test_a_grammar_that_allows_nothing_is_named() -> None:
    with pytest.raises(ValueError, match="allows nothing after state 0"):
        Machine(Dead([]), by_letter, STOP)


def test_symbols_of_one_token_need_no_more_states_than_the_grammar_has() -> None:
    grammar = AnyOf(["a", "b", "c"])
    machine = Machine(grammar, lambda symbol, first: (ord(symbol),), STOP)
    rng = np.random.default_rng(0)
    for _ in range(50):
        state = machine.start
        while state >= 0:
            state = machine.advance(state, int(rng.choice(machine.allowed[state])))
    assert len(machine.allowed) == 5


def test_states_are_shared_so_that_a_table_stays_small() -> None:
    machine = Machine(Brackets(), by_letter, STOP)
    rng = np.random.default_rng(0)
    for _ in range(300):
        state = machine.start
        while state >= 0:
            state = machine.advance(state, int(rng.choice(machine.allowed[state])))
    assert len(machine.allowed) < 1200  # of some 5,000 steps
