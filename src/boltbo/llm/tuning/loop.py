"""The one training loop: AdamW, warm-up and cosine decay, and batches of like lengths under a token budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from boltbo.llm.backend import Example, FitReport, Progress
from boltbo.system.threads import torch_threads_by_load


class Sized(Protocol):
    """An item to learn from that knows its length in tokens."""

    @property
    def length(self) -> int: ...


LARGEST_NORM = 1.0
"""The largest norm of a gradient; a longer one is scaled down to it."""

REPORTS = 20
"""Number of losses that a report holds."""

Item = TypeVar("Item", bound=Sized)

Loss = Callable[[list[Item]], tuple[Tensor, float]]
"""A function from a batch to (the sum of the completion tokens' losses in nats, their number)."""


@dataclass(frozen=True)
class Schedule(Generic[Item]):
    """The length and the learning rate of a training.

    Attributes:
        epochs: Number of passes over the items, which may be a fraction.
        rate: The highest learning rate.
        tokens: The most tokens of a batch, padding included.
        warm_up: Share of the steps in which the rate rises.
        decay: Weight decay of matrices.
        threads_by_load: Whether to use one thread while other processes want the cores. The number of threads must change no
            bit of the gradients then.
    """

    epochs: float
    rate: float
    tokens: int = 4096
    warm_up: float = 0.05
    decay: float = 0.05
    threads_by_load: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.epochs < math.inf:
            raise ValueError(f"expected a finite number of epochs, not negative, got {self.epochs}")

    def pace(self, done: float) -> float:
        """The learning rate at a share of the way: linear up, then a cosine down to a twentieth."""
        if done < self.warm_up:
            return self.rate * done / self.warm_up
        return self.rate * (0.05 + 0.475 * (1 + math.cos(math.pi * (done - self.warm_up) / (1 - self.warm_up))))


def something_to_learn(examples: Sequence[Example]) -> None:
    """Raise ValueError if there is no example."""
    if not examples:
        raise ValueError("there is no example to learn from")


def train(
    model: nn.Module,
    items: Sequence[Item],
    loss: Loss[Item],
    schedule: Schedule[Item],
    *,
    seed: int,
    progress: Progress | None = None,
) -> FitReport:
    """Train the parameters of `model` that ask for gradients.

    Raises:
        FloatingPointError: The loss or its gradient is not finite: the learning rate is too high, or the model is damaged.
    """
    began = time.perf_counter()
    torch.manual_seed(seed)
    batches = list(_all_batches(items, schedule, np.random.default_rng(seed)))
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = _optimizer(parameters, schedule)
    losses: list[tuple[int, float]] = []
    recent: list[float] = []
    steps = tokens = 0
    every = max(1, len(batches) // REPORTS)
    model.train()
    with ExitStack() as at_the_end:
        at_the_end.callback(model.eval)
        done = at_the_end.enter_context(torch_threads_by_load()) if schedule.threads_by_load else None
        for batch in batches:
            rate = schedule.pace((steps + 0.5) / len(batches))
            recent.append(_step(*loss(batch), parameters, optimizer, rate, steps + 1))
            steps += 1
            size = sum(item.length for item in batch)
            tokens += size
            if done is not None:
                done(size)
            if progress is not None:
                progress(steps, len(batches))
            if steps % every == 0:
                losses.append((steps, sum(recent) / len(recent)))
                recent = []
    if recent:
        losses.append((steps, sum(recent) / len(recent)))
    return FitReport(steps, tokens, time.perf_counter() - began, losses)


def _optimizer(parameters: list[nn.Parameter], schedule: Schedule[Item]) -> torch.optim.AdamW:
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": schedule.decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98), fused=True)


def _step(
    total: Tensor,
    count: float,
    parameters: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    rate: float,
    step: int,
) -> float:
    """Make one update; returns the mean loss before it."""
    optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    mean = total.item() / max(count, 1e-9)
    for p in parameters:
        if p.grad is not None:
            p.grad /= max(count, 1e-9)
    norm = nn.utils.clip_grad_norm_(parameters, LARGEST_NORM)
    if not (math.isfinite(mean) and math.isfinite(norm.item())):
        raise FloatingPointError(
            f"step {step}: the loss is {mean} and its gradient's norm {norm.item()}, both must be finite. "
            "Lower the learning rate or, if this is the first step, start from a model that is not damaged."
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return mean


def _all_batches(items: Sequence[Item], schedule: Schedule[Item], rng: np.random.Generator) -> Iterator[list[Item]]:
    """The batches of whole epochs, then those of the rest of the last one; each epoch has a new order."""
    left = schedule.epochs
    while left > 1e-9:
        batches = list(_epoch(items, schedule.tokens, rng))
        yield from batches[: max(1, math.ceil(min(left, 1.0) * len(batches) - 1e-9))]
        left -= 1.0


def _epoch(items: Sequence[Item], tokens: int, rng: np.random.Generator) -> Iterable[list[Item]]:
    """Batches with every item once: items are sorted by length within random pools, so that the batches differ every time."""
    order = rng.permutation(len(items)).tolist()
    batches: list[list[Item]] = []
    for start in range(0, len(order), 512):
        pool = sorted((items[i] for i in order[start : start + 512]), key=lambda item: item.length)
        batches += _batches(pool, tokens)
    return [batches[i] for i in rng.permutation(len(batches)).tolist()]


def _batches(pool: Sequence[Item], tokens: int) -> Iterator[list[Item]]:
    """Items in order of length, cut where a batch would have more than `tokens` tokens, padding included."""
    batch: list[Item] = []
    for item in pool:
        if batch and item.length * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
