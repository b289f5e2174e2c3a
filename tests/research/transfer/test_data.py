"""Features, standardisation and the choice of observations."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boltbo import Observation, Task, Trajectory
from boltbo.problem import Status
from boltbo_bench.transfer.features import BoxFeatures, HashedNgrams, StringFeatures, with_context
from boltbo_bench.transfer.sources import STANDARDISATIONS, Scaler, chosen, padded, read, standardised
from support.transfer_bowls import SPACE, Numbers, sources

TASK = Task("t", "select a from b")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.sampled_from(STANDARDISATIONS))
@example([0.0, 0.0, 0.0, 5e-324], "anchored")
@example([0.0, 1e-304, 2e-304, 3e-304, 1e6], "anchored")
@example([0.0, 0.0, 1.0, 3.1e-133, -1.0], "warp")
def test_standardising_is_finite_and_keeps_the_order(values, how):
    values = np.array(values)
    y = standardised(values, np.zeros(len(values), dtype=bool), how)
    assert np.isfinite(y).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(y[order]) >= -1e-9).all()


@pytest.mark.parametrize("how", STANDARDISATIONS)
def test_equal_values_become_zeros(how):
    assert standardised(np.full(4, 3.0), np.zeros(4, dtype=bool), how).tolist() == [0.0] * 4


def test_anchored_scale_comes_from_the_first_observations_alone():
    first = np.random.default_rng(0).random(10)
    short = standardised(first, np.zeros(10, dtype=bool), "anchored")
    longer = standardised(np.append(first, [-5.0] * 20), np.zeros(30, dtype=bool), "anchored")
    assert (longer[:10] == short).all()
    assert longer[10] < short.min()


def test_a_huge_bound_is_cut():
    values, censored = np.array([1.0, 2.0, 3.0, 1e9]), np.array([False, False, False, True])
    expected = standardised(np.array([1.0, 2.0, 3.0, 5.0]), np.zeros(4, dtype=bool), "warp")
    assert standardised(values, censored, "warp") == pytest.approx(expected)


def test_the_best_half_is_chosen_and_the_others_at_random():
    y = np.random.default_rng(1).permutation(40).astype(float)
    rows = chosen(y, 10, np.random.default_rng(0))
    assert len(set(rows.tolist())) == 10
    assert set(np.argsort(y)[:5]) <= set(rows.tolist())
    assert not np.array_equal(rows, chosen(y, 10, np.random.default_rng(1)))


def test_what_has_no_value_and_repeats_are_left_out():
    told = [
        Observation("0 0 0 0 0 0", 1.0, Status.COMPLETE, 0.0, "bo"),
        Observation("1 0 0 0 0 0", math.nan, Status.INFEASIBLE, 0.0, "bo"),
        Observation("0 1 0 0 0 0", math.nan, Status.FAILED, 0.0, "bo"),
        Observation("0 0 0 0 0 0", 1.0, Status.COMPLETE, 0.0, "bo"),
        Observation("0 0 1 0 0 0", 2.0, Status.CENSORED, 0.0, "bo"),
    ]
    runs = [Trajectory(TASK, tuple(told)), Trajectory(TASK, tuple(told[:4])), Trajectory(TASK, ())]
    (source,) = read(runs, BoxFeatures(lambda _: SPACE), 50, "anchored", np.random.default_rng(0))
    assert source.X.shape == (2, 6)
    assert source.y[0] < source.y[1]


def test_scaler_moves_into_the_box_and_leaves_constant_columns():
    X = np.array([[1.0, 5.0], [3.0, 5.0]])
    assert Scaler.over(X)(X).tolist() == [[0.0, 0.0], [1.0, 0.0]]


def test_padding():
    runs = sources(2)
    runs[1] = Trajectory(runs[1].task, runs[1].observations[:7])
    found = read(runs, BoxFeatures(lambda _: SPACE), 10, "anchored", np.random.default_rng(0))
    X, y, mask = padded(found)
    assert X.shape == (2, 10, 6)
    assert mask.sum(axis=1).tolist() == [10, 7]
    assert (X[1, 7:] == 0).all()
    assert (y[1, :7] == found[1].y).all()


@pytest.mark.parametrize("features", [HashedNgrams(16), StringFeatures(16), with_context(HashedNgrams(12), 4)])
def test_features_have_one_length_and_tell_candidates_apart(features):
    texts = ["hash a b", "hash b a", "nest a b", "a", "hash a b hash c d"]
    X = features(TASK, texts)
    assert X.shape == (5, 16)
    assert (features(TASK, texts) == X).all()
    assert len(np.unique(np.round(X, 9), axis=0)) == 5
    assert features(TASK, []).shape == (0, 16)


def test_context_columns_tell_tasks_apart_and_not_candidates():
    features = with_context(HashedNgrams(8), 8)
    one, other = features(TASK, ["a b", "b a"]), features(Task("u", "select c from d"), ["a b", "b a"])
    assert (one[:, :8] == other[:, :8]).all()
    assert (one[0, 8:] == one[1, 8:]).all()
    assert not np.allclose(one[:, 8:], other[:, 8:])
    assert np.linalg.norm(one[0, 8:]) == pytest.approx(1.0)


def test_boxes_of_different_dimensions_are_refused():
    features = BoxFeatures(lambda t: Numbers(2 if t.id == "t" else 3))
    features(TASK, ["0.1 0.2"])
    with pytest.raises(ValueError, match="3 dimensions"):
        features(Task("u", ""), ["0.1 0.2 0.3"])


def test_unusable_feature_options_are_named():
    with pytest.raises(ValueError, match="lengths"):
        HashedNgrams(8, ())
    with pytest.raises(ValueError, match="dim"):
        StringFeatures(0)
