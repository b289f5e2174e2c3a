"""Bootstrap intervals over tasks."""

import math

import numpy as np

from boltbo.campaign.intervals import interval


def test_an_interval_is_that_of_the_percentile_bootstrap_and_the_same_at_every_call() -> None:
    values = np.random.default_rng(1).lognormal(size=40)
    low, high = interval(lambda i: values[i].mean(axis=-1), 40)
    assert (low, high) == interval(lambda i: values[i].mean(axis=-1), 40)
    error = values.std() / math.sqrt(40)
    assert low < values.mean() < high
    assert 3.4 * error < high - low < 4.4 * error


def test_one_task_has_no_interval_and_equal_ones_have_an_empty_one() -> None:
    same = np.ones(3)
    assert all(math.isnan(end) for end in interval(lambda i: same[i].mean(axis=-1), 1))
    assert interval(lambda i: same[i].mean(axis=-1), 3) == (1.0, 1.0)
