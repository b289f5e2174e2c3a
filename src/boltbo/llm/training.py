"""The one training loop: AdamW, warm-up and cosine decay, batches of like lengths under a token budget."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from boltbo.llm.backend import FitReport, Progress


class Sized(Protocol):
    """Something to learn from that knows its length in tokens."""

    @property
    def length(self) -> int: ...


Item = TypeVar("Item", bound=Sized)

Loss = Callable[[list[Item]], tuple[Tensor, float]]
"""A batch -> (weighted sum of the completion tokens' losses in nats, sum of their weights)"""


@dataclass(frozen=True)
class Schedule(Generic[Item]):
    """How long and how fast to learn.

    Attributes:
        epochs: Passes over the items; may be a fraction.
        rate: The highest learning rate.
        tokens: Of a batch, padding included.
        warm_up: Share of the steps in which the rate rises.
        decay: Weight decay of matrices.
        clip: The largest norm of a gradient.
    """

    epochs: float
    rate: float
    tokens: int = 4096
    warm_up: float = 0.05
    decay: float = 0.05
    clip: float = 1.0


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
        FloatingPointError: The loss is not finite: the learning rate is too high, or the model is damaged.
    """
    began = time.perf_counter()
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    batches = list(_all_batches(items, schedule, rng))
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": schedule.decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98), fused=True)
    losses: list[tuple[int, float]] = []
    tokens = 0
    recent: list[float] = []
    every = max(1, len(batches) // 20)
    model.train()
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate * _shape(step, len(batches), schedule.warm_up)
        total, weight = loss(batch)
        mean = total / max(weight, 1e-9)
        if not math.isfinite(mean.item()):
            raise FloatingPointError(f"the loss became {mean.item()} at step {step + 1}: lower the learning rate")
        optimizer.zero_grad(set_to_none=True)
        mean.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, schedule.clip)
        optimizer.step()
        tokens += sum(item.length for item in batch)
        recent.append(mean.item())
        if (step + 1) % every == 0 or step + 1 == len(batches):
            losses.append((step + 1, sum(recent) / len(recent)))
            recent = []
        if progress is not None:
            progress(step + 1, len(batches))
    model.eval()
    return FitReport(len(batches), tokens, time.perf_counter() - began, losses)


def _shape(step: int, steps: int, warm_up: float) -> float:
    """Linear up, then a cosine down to a twentieth."""
    rise = max(1, round(warm_up * steps))
    if step < rise:
        return (step + 1) / rise
    done = (step - rise) / max(1, steps - rise)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


def _all_batches(items: Sequence[Item], schedule: Schedule[Item], rng: np.random.Generator) -> Iterator[list[Item]]:
    """Whole epochs, then the rest of the last one, each in a new order."""
    left = schedule.epochs
    while left > 1e-9:
        batches = list(_epoch(items, schedule.tokens, rng))
        yield from batches[: max(1, math.ceil(min(left, 1.0) * len(batches) - 1e-9))]
        left -= 1.0


def _epoch(items: Sequence[Item], tokens: int, rng: np.random.Generator) -> Iterable[list[Item]]:
    """Every item once: sorted by length within random pools, so that a batch is of like lengths but ever another one."""
    order = rng.permutation(len(items)).tolist()
    batches: list[list[Item]] = []
    for start in range(0, len(order), 512):
        pool = sorted((items[i] for i in order[start : start + 512]), key=lambda item: item.length)
        batch: list[Item] = []
        for item in pool:
            if batch and item.length * (len(batch) + 1) > tokens:
                batches.append(batch)
                batch = []
            batch.append(item)
        batches.append(batch)
    return [batches[i] for i in rng.permutation(len(batches)).tolist()]
