"""The training loop: when it ends, what it refuses, what it leaves behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from boltbo.llm.backend import Example
from boltbo.llm.compact import model as compact
from boltbo.llm.compact.loss import threads_change_no_bit
from boltbo.llm.compact.model import CompactModel
from boltbo.llm.contract import EXAMPLES
from boltbo.llm.tuning import loop as training
from boltbo.llm.tuning.loop import Schedule, _epoch, train


@dataclass(frozen=True)
class Point:
    """Pulls the one parameter of `Bowl` towards itself."""

    at: float
    length: int = 1


class Bowl(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.zeros(()))

    def loss(self, points: list[Point]) -> tuple[Tensor, float]:
        total = sum((self.x - p.at) ** 2 for p in points)
        assert isinstance(total, Tensor)
        return total, float(len(points))


def schedule(epochs: float, **changes: float) -> Schedule[Point]:
    return Schedule(epochs, **{"rate": 0.1, "tokens": 1, **changes})  # type: ignore[arg-type]


def test_epochs_may_be_a_fraction() -> None:
    points = [Point(1.0)] * 10
    for epochs, steps in ((0.0, 0), (0.25, 3), (1.0, 10), (2.5, 25)):
        bowl = Bowl()
        report = train(bowl, points, bowl.loss, schedule(epochs), seed=0)
        assert (report.steps, report.tokens) == (steps, steps)


def test_the_rate_rises_and_falls() -> None:
    rates = [schedule(1.0, warm_up=0.1).pace(done) for done in np.linspace(0, 1, 101)]
    assert rates[10] == max(rates) == pytest.approx(0.1)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.005)


@pytest.mark.parametrize("epochs", [-1.0, math.nan, math.inf])
def test_epochs_out_of_range_are_refused(epochs: float) -> None:
    with pytest.raises(ValueError, match="finite number of epochs"):
        schedule(epochs)


def test_a_loss_that_is_not_finite_is_one_clear_error_and_changes_nothing() -> None:
    bowl = Bowl()
    with pytest.raises(FloatingPointError, match="step 1: the loss is inf"):
        train(bowl, [Point(math.inf)], bowl.loss, schedule(1.0), seed=0)
    assert bowl.x.item() == 0.0
    assert not bowl.training

    def steep(points: list[Point]) -> tuple[Tensor, float]:
        return bowl.x.abs().sqrt(), 1.0  # finite at 0, its slope is not

    with pytest.raises(FloatingPointError, match="gradient's norm nan"):
        train(bowl, [Point(1.0)], steep, schedule(1.0), seed=0)
    assert bowl.x.item() == 0.0


def test_the_same_seed_gives_the_same_model_and_leaves_the_global_generator_alone() -> None:
    weights = []
    state = torch.random.get_rng_state()
    for seed in (0, 0, 1):
        model = CompactModel.create(EXAMPLES, width=32, layers=1, heads=2)
        model.fit([*EXAMPLES, Example("third", "t")] * 20, epochs=2.5, seed=seed)
        weights.append(torch.cat([p.flatten() for p in model.decoder.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.slow
def test_where_threads_are_chosen_by_load_their_number_changes_no_bit() -> None:
    words = [f"w{i}" for i in range(300)]
    rng = np.random.default_rng(0)
    examples = [
        Example(" ".join(rng.choice(words, n)), " ".join(rng.choice(words, m)))
        for n, m in ((150, 16), (100, 48), (12, 3))
        for _ in range(12)
    ]
    before, weights = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            torch.manual_seed(0)
            model = CompactModel.create(examples)
            model.fit(examples, epochs=1, seed=0)
            weights.append(torch.cat([p.detach().flatten() for p in model.decoder.parameters()]))
    finally:
        torch.set_num_threads(before)
    for same, threads in zip(weights[1:], (2, 4), strict=True):
        assert torch.equal(weights[0], same) or not threads_change_no_bit(threads)


@pytest.mark.parametrize("chosen", [False, True])
def test_threads_are_chosen_by_load_only_there(chosen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    entered = []

    @contextmanager
    def watched() -> Iterator[Callable[[int], None]]:
        entered.append(True)
        yield lambda _: None

    monkeypatch.setattr(training, "torch_threads_by_load", watched)
    monkeypatch.setattr(compact, "threads_change_no_bit", lambda _: chosen)
    CompactModel.create(EXAMPLES, width=32, layers=1, heads=2).fit(EXAMPLES, epochs=1, seed=0)
    assert entered == [True] * chosen


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 120), st.integers(0, 9))
def test_an_epoch_is_every_item_once_in_batches_within_the_budget(lengths: list[int], tokens: int, seed: int) -> None:
    items = [Point(float(i), length) for i, length in enumerate(lengths)]
    batches = list(_epoch(items, tokens, np.random.default_rng(seed)))
    assert sorted(p.at for batch in batches for p in batch) == [p.at for p in items]
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(p.length for p in batch) <= tokens
