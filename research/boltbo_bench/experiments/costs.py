"""Where the seconds went: oracle, optimizer, model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boltbo_bench.experiments.measured import NotMeasured, Part

OPTIMIZER = ("fit", "acquire", "decode")


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of a campaign's training: wall time within this process, validation left out.

    Attributes:
        oracle: Of all training runs, those of self-augmentation included.
        optimizer: Theirs beside the oracle.
        pretrain: The base of the models, with its pretraining pairs; little where it came from the cache.
        fine_tuning: All rounds.
        sampling: The samples of the training runs.
        tasks: Training tasks.
    """

    oracle: float
    optimizer: float
    pretrain: float
    fine_tuning: float
    sampling: float
    tasks: int

    @property
    def model(self) -> float:
        return self.pretrain + self.fine_tuning + self.sampling

    @property
    def total(self) -> float:
        return self.oracle + self.optimizer + self.model


def costs(part: Part) -> Costs:
    """Of one campaign.

    Raises:
        NotMeasured: No run tells how long a sample takes, or the storage had no times.
    """
    train = part.told["train"]
    seconds = train["seconds"]
    if "oracle" not in seconds:
        raise NotMeasured("the training runs have no times")
    fits = sum(float(m.get("fit_seconds") or 0.0) for m in part.models)
    return Costs(
        oracle=float(seconds["oracle"]),
        optimizer=sum(float(seconds.get(k, 0.0)) for k in OPTIMIZER),
        pretrain=float(train["models"].get("base_seconds", 0.0)),
        fine_tuning=fits,
        sampling=seconds_a_sample(part) * int(train["samples"]) if train["samples"] else 0.0,
        tasks=int(part.models[-1]["tasks"]) if part.models else 0,
    )


def seconds_a_sample(part: Part) -> float:
    """What a sample of the model took, in all runs whose proposals were timed.

    Raises:
        NotMeasured: There is no such run.
    """
    asked = [m for m in (part.told["train"], *part.methods.values()) if m["samples"] and m["timed_runs"]]
    # storages of earlier versions timed no proposals: what is known of some runs stands for the others
    samples = sum(m["samples"] * m["timed_runs"] / m["sampled_runs"] for m in asked)
    if not samples:
        raise NotMeasured("no run says how long the model's samples took")
    return float(sum(m["sampling_seconds"] for m in asked) / samples)


def model_share(parts: Sequence[Part]) -> float:
    """Pretraining, fine-tunings and samples over all seconds of training; the mean over seeds.

    Raises:
        NotMeasured: See `costs`.
    """
    found = [costs(p) for p in parts]
    return math.fsum(c.model / c.total for c in found) / len(found)


def seconds_a_call(told: Mapping[str, float], calls: int) -> float:
    """Oracle and optimizer of a method's runs."""
    return sum(float(told.get(k, 0.0)) for k in ("oracle", *OPTIMIZER)) / max(calls, 1)
