"""Sampling without replacement in one pass: against the definition, on a model whose every probability is known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from boltbo import Slots
from boltbo.llm.backend import Prompt
from boltbo.llm.compact import decoder
from boltbo.llm.compact.model import CompactModel
from boltbo.llm.contract import EXAMPLES, Brackets
from boltbo.llm.sampling.distinct import below, draw, gumbel, mixed
from boltbo.llm.sampling.masking import Machine
from boltbo.llm.sampling.reader import Draws
from boltbo.llm.sampling.sample import MOST_TOKENS

SYMBOLS = ["a", "b", "c"]
STOP = 3
LOGITS = torch.tensor([[1.0, 0.0, -1.5, 0.3], [0.2, 2.0, -0.4, 9.0], [0.0, 0.0, 0.0, 1.0]])
"""After each symbol a, b, c (and, to begin with, after c) those of a, b, c and of the end"""


class Chain:
    """The next symbol depends on the last `back` ones: a row that is moved wrongly shows.

    Args:
        back: 1 or 2.
    """

    def __init__(self, back: int) -> None:
        self.back = back

    def read(self, contexts: Sequence[str], n: int) -> tuple[Tensor, Any]:
        start = [2] * len(contexts) * n
        return LOGITS[start], [torch.tensor(start)]

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        before, memory[0] = memory[0], tokens.clamp(max=2)
        return LOGITS[memory[0]] + (0.5 * LOGITS[before] if self.back == 2 else 0.0)

    def keep(self, rows: Tensor, memory: Any) -> None:
        memory[0] = memory[0][rows.flatten()]


GRAMMAR = Slots([SYMBOLS] * 3)


def machine() -> Machine:
    return Machine(GRAMMAR, lambda symbol, first: (SYMBOLS.index(symbol),), STOP)


def drawn(rows: Chain, n: int, seeds: Sequence[int], temperature: float = 1.0) -> list[Draws]:
    one = machine()
    draws = [Draws("", one, n, seed) for seed in seeds]
    draw(rows, draws, MOST_TOKENS, temperature)
    return draws


def chances(back: int, temperature: float = 1.0) -> dict[tuple[int, ...], float]:
    """Of each of the 27 texts."""
    found = {}
    for ids in product(range(3), repeat=3):
        total, before, last = 0.0, 2, 2
        for at, token in enumerate(ids):
            logits = LOGITS[last] + (0.5 * LOGITS[before] if back == 2 and at else 0.0)
            total += float((logits[:3] / temperature).log_softmax(0)[token])
            before, last = last, token
        found[ids] = math.exp(total)
    return found


@pytest.mark.parametrize("back", [1, 2])
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_pairs_are_as_likely_as_when_drawn_one_by_one(back: int, temperature: float) -> None:
    times, p = 6000, chances(back, temperature)
    draws = drawn(Chain(back), 2, range(times), temperature)
    found = Counter(tuple(q.ids for q in d.prefixes) for d in draws)
    for a, b in permutations(sorted(p, key=lambda ids: -p[ids])[:5], 2):
        exact = p[a] * p[b] / (1 - p[a])
        assert found[a, b] / times == pytest.approx(exact, abs=4.5 * math.sqrt(exact / times))
    first = Counter(d.prefixes[0].ids for d in draws)
    assert all(first[ids] / times == pytest.approx(p[ids], abs=4.5 * math.sqrt(p[ids] / times)) for ids in p)


@pytest.mark.parametrize("back", [1, 2])
def test_all_texts_come_once_with_their_probability(back: int) -> None:
    [found] = drawn(Chain(back), 40, [5], temperature=0.6)
    exact = chances(back)
    assert {q.ids for q in found.prefixes} == set(exact)
    assert len(found.prefixes) == 27
    assert found.exhausted
    assert all(q.logprob == pytest.approx(math.log(exact[q.ids]), abs=1e-5) for q in found.prefixes)
    assert sorted(found.prefixes, key=lambda q: -q.noisy) == found.prefixes


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31))
def test_fewer_are_the_first_of_more(few: int, more: int, seed: int) -> None:
    few, more = sorted((few, more))
    (short,), (long, _) = drawn(Chain(2), few, [seed]), drawn(Chain(2), more, [seed, seed + 1])
    assert [q.ids for q in short.prefixes] == [q.ids for q in long.prefixes[:few]]


def test_texts_that_are_cut_off_are_left_out_and_there_may_be_others() -> None:
    cut = Draws("", machine(), 5, 1)
    draw(Chain(1), [cut], 2, 1.0)
    assert cut.prefixes == []
    assert not cut.exhausted


@pytest.mark.parametrize(("products", "within"), [(torch.float32, 1e-3), (decoder.PRODUCTS, 0.2)])
def test_rows_that_move_take_their_memory_along(
    products: torch.dtype, within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log-probabilities told are those of the texts told, read anew."""
    monkeypatch.setattr(decoder, "PRODUCTS", products)
    model = CompactModel.create(EXAMPLES, width=64, layers=2, heads=2)
    model.fit(EXAMPLES, epochs=10, seed=0)
    prompts = [
        Prompt("first", Brackets()),
        Prompt("a longer one", Slots([["mi", "t"]] * 3)),
        Prompt("second", Brackets()),
    ]
    for prompt, samples in zip(prompts, model.sample(prompts, 20, temperature=1.5), strict=True):
        assert len({s.text for s in samples}) == len(samples) == (8 if isinstance(prompt.grammar, Slots) else 20)
        for s in samples:
            assert s.logprob == pytest.approx(log_probability(model, prompt, s.text), abs=within)


def four_prompts() -> list[Prompt]:
    """Contexts of several lengths, and one grammar that has but two candidates."""
    sure = Prompt("context 0", Slots([["mi"], ["t"], ["mi", "t"]]))
    return [sure, *(Prompt(text, Brackets()) for text in ("context 1", "second", "one of many more words than others"))]


def test_the_same_call_gives_the_same_samples_to_the_last_bit() -> None:
    model = CompactModel.create(EXAMPLES, width=64, layers=2, heads=2)
    model.fit(EXAMPLES, epochs=10, seed=0)
    for n, unique in product((1, 2, 3, 6, 20), (True, False)):
        first, again = (model.sample(four_prompts(), n, unique=unique) for _ in range(2))
        assert first == again


def test_a_prompt_s_samples_are_the_same_whoever_is_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the others decide how many rows there are, and with them the last bits of likelihoods."""
    monkeypatch.setattr(decoder, "PRODUCTS", torch.float32)
    model = CompactModel.create(EXAMPLES, width=64, layers=2, heads=2)
    model.fit(EXAMPLES, epochs=10, seed=0)
    prompts = four_prompts()
    for n, unique in product((1, 2, 3, 6, 20), (True, False)):
        together = model.sample(prompts, n, unique=unique)
        for prompt, beside_others in zip(prompts, together, strict=True):
            [alone] = model.sample([prompt], n, unique=unique)
            assert [s.text for s in alone] == [s.text for s in beside_others]
            assert [s.logprob for s in alone] == pytest.approx([s.logprob for s in beside_others], abs=1e-4)


class Shaken(Chain):
    """A chain whose logits are off by about `by`, as those of another kernel are, though by much more.

    Args:
        by: Standard deviation of what is added.
        seed: Of what is added.
    """

    def __init__(self, by: float, seed: int) -> None:
        super().__init__(back=2)
        self.by, self.rng = by, np.random.default_rng(seed)

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        logits = super().step(tokens, memory)
        return logits + torch.from_numpy(self.rng.normal(scale=self.by, size=logits.shape)).float()


def test_two_that_change_places_change_nothing_else() -> None:
    """Rounding may turn the order of two prefixes that are nearly alike: their noise does not know of it."""
    lists = [
        [tuple(q.ids for q in d.prefixes) for d in drawn(chain, 8, range(500))]
        for chain in (Chain(2), Shaken(1e-2, seed=0))
    ]
    turned = [(set(a), set(b)) for a, b in zip(*lists, strict=True) if a != b]
    assert len(turned) > 5, "nothing was shaken enough to show anything"
    assert len(turned) < 100
    assert all(len(a & b) >= 7 for a, b in turned)


def log_probability(model: CompactModel, prompt: Prompt, text: str) -> float:
    """Of a text under the mask, one token after the other in a row of its own."""
    reader = model.reader()
    walk = Machine(prompt.grammar, reader.spell, reader.stop)
    total, state = 0.0, walk.start
    with torch.inference_mode():
        logits, memory = reader.read([prompt.context], 1)
        for token in model.tokenizer.solution(text):
            allowed = walk.allowed[state].tolist()
            total += float(logits[0].float()[allowed].log_softmax(0)[allowed.index(token)])
            state = walk.advance(state, token)
            logits = reader.step(torch.tensor([token]), memory) if state >= 0 else logits
    assert state == -1
    return total


@given(
    arrays(np.float64, (3, 5), elements=st.floats(-50, 50) | st.just(-np.inf)),
    arrays(np.float64, (3, 1), elements=st.floats(-50, 50)),
)
def test_the_largest_noise_is_what_it_must_be(noisy: Any, above: Any) -> None:
    found = below(torch.from_numpy(above), torch.from_numpy(noisy)).numpy()
    some = np.isfinite(noisy).any(1)
    assert np.allclose(found.max(1)[some], above[some, 0])
    assert np.isneginf(found[np.isneginf(noisy)]).all()
    for row, moved in zip(noisy, found, strict=True):
        order = np.argsort(row, kind="stable")
        assert (np.diff(moved[order][np.isfinite(row[order])]) >= -1e-9).all()


def test_noise_is_gumbel_noise() -> None:
    keys = mixed(np.arange(2000, dtype=np.uint64))
    noise = gumbel(mixed(keys[:, None] + np.arange(50, dtype=np.uint64)))
    assert noise.mean() == pytest.approx(0.5772, abs=0.02)
    assert noise.var() == pytest.approx(math.pi**2 / 6, abs=0.05)
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.1
    assert abs(np.corrcoef(noise[:-1, 0], noise[1:, 0])[0, 1]) < 0.1
