"""Where the milliseconds of an optimizer's steps went, from the storage: fit, acquire, decode, oracle.

A step tells what came last, asks for a batch and has it scored; initial candidates are no steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from boltbo.storage import Stage, Storage


@dataclass(frozen=True, slots=True)
class StepTimes:
    """One activity over all steps of one stage's runs."""

    steps: int
    median_ms: float
    p90_ms: float
    total_seconds: float


def step_times(store: Storage) -> dict[str, dict[str, StepTimes]]:
    """Stage -> activity -> its times; only stages whose runs have logged steps.

    A step whose candidates have not been scored yet counts for the optimizer's activities and not for the oracle.
    """
    by_stage: dict[str, dict[str, StepTimes]] = {}
    for stage in Stage:
        seconds: dict[str, list[float]] = {}
        for step in store.steps(stage):
            for activity, value in step.seconds.items():
                seconds.setdefault(activity, []).append(value)
        if seconds:
            by_stage[stage.value] = {activity: _times(values) for activity, values in seconds.items()}
    return by_stage


def _times(values: list[float]) -> StepTimes:
    median, p90 = 1000.0 * np.quantile(values, [0.5, 0.9])
    return StepTimes(len(values), float(median), float(p90), float(sum(values)))
