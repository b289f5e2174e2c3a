"""Warp, censored observations, and both in the surrogate."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from boltbo.optimizers.surrogates import gp, hyperparameters
from boltbo.optimizers.surrogates.censored import sites
from boltbo.optimizers.surrogates.surrogate import Surrogate
from boltbo.optimizers.surrogates.warp import Warp

# --- the warp ---------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(arrays(float, st.integers(1, 40), elements=st.floats(-1e6, 1e6)))
@example(np.array([0.0, 0.0, 1.0, 3.1e-133, -1.0]))
def test_warp_is_monotone_and_finite(values):
    warped = Warp.fit(values)(np.sort(values))
    assert np.isfinite(warped).all()
    assert (np.diff(warped) >= -1e-9).all()


def test_warp_standardises_and_straightens_heavy_tails():
    values = np.random.default_rng(0).lognormal(0, 2, 500)
    warped = Warp.fit(values)(values)
    assert abs(warped.mean()) < 1e-9
    assert warped.std() == pytest.approx(1.0)
    assert abs(stats.skew(warped)) < 0.5 < stats.skew(values)


def test_warp_exponent_agrees_with_scipy():
    values = np.random.default_rng(1).gamma(3.0, size=400)
    warp = Warp.fit(values)
    expected = stats.yeojohnson_normmax((values - warp.centre) / warp.scale)
    assert warp.exponent == pytest.approx(expected, abs=0.05)


def test_warp_never_squashes_the_good_end():
    left_skewed = -np.random.default_rng(2).lognormal(0, 1, 200)
    assert Warp.fit(left_skewed).exponent <= 1.0


# --- sites ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [-4.0, 0.0, 1.5, 3.0])
def test_one_site_gives_the_exact_moments(bound):
    m, v, noise = 0.3, 0.8, 0.05

    def density(f):
        return stats.norm.pdf(f, m, np.sqrt(v)) * stats.norm.cdf((f - bound) / np.sqrt(noise))

    mass, mean, square = (integrate.quad(lambda f, p=p: f**p * density(f), -8, 12)[0] for p in (0, 1, 2))
    target, variance = sites(np.array([m]), np.array([[v]]), np.array([bound]), noise)
    precision = 1 / v + 1 / variance[0]
    assert (m / v + target[0] / variance[0]) / precision == pytest.approx(mean / mass, abs=1e-3)
    assert 1 / precision == pytest.approx(square / mass - (mean / mass) ** 2, abs=1e-3)


def test_sites_give_the_moments_of_importance_sampling():
    rng = np.random.default_rng(3)
    X = rng.random((6, 2))
    S = gp.kernel(X, X, hyperparameters.initial_theta(2))
    m, bounds, noise = rng.normal(size=6), rng.normal(0.5, 0.5, size=6), 0.02
    target, variance = sites(m, S, bounds, noise)
    f = rng.multivariate_normal(m, S, 400_000)
    weights = stats.norm.cdf((f - bounds) / np.sqrt(noise)).prod(axis=1)
    exact = weights @ f / weights.sum()
    P = np.linalg.inv(np.linalg.inv(S + 1e-9 * np.eye(6)) + np.diag(1 / variance))
    assert np.allclose(m + P @ ((target - m) / variance), exact, atol=0.1)


# --- all together -----------------------------------------------------------------------------------------------------


def bowl(X):
    return ((X[:, :6] - 0.4) ** 2 * np.arange(1, 7)).sum(axis=1) + np.exp(3 * X[:, 0] * X[:, 1])


def test_bounds_as_bounds_predict_better_than_as_values_or_not_at_all():
    """The worse half of the observations of a smooth function is cut, as by a statement timeout."""
    errors = np.zeros(3)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, Xs = rng.random((80, 10)), rng.random((300, 10))
        truth = bowl(X)
        cut = truth > np.median(truth)
        values = np.where(cut, np.median(truth), truth)
        none = np.zeros_like(cut)
        cases = (X, values, cut), (X, values, none), (X[~cut], values[~cut], none[~cut])
        for i, (points, seen, censored) in enumerate(cases):
            model = Surrogate(hyperparameters.initial_theta(10), points, seen, censored)
            model.fit(20)  # the three warps differ and all are monotone, so ranks are what can be compared
            errors[i] += 1 - stats.spearmanr(model.posterior.mean(Xs), bowl(Xs)).statistic
    as_bounds, as_values, dropped = errors
    assert as_bounds < 0.5 * as_values
    assert as_bounds < 0.5 * dropped


def test_a_bound_far_below_changes_nothing():
    rng = np.random.default_rng(5)
    X = rng.random((30, 2))
    y = X.sum(axis=1)
    theta = hyperparameters.initial_theta(2)
    bounded = gp.Posterior(theta, X, y)
    targets, variances = sites(*bounded.joint(X[:3] + 0.01), np.full(3, -50.0), 0.01)
    both = gp.Posterior(
        theta, np.vstack([X, X[:3] + 0.01]), np.append(y, targets), np.append(np.full(30, np.nan), variances)
    )
    Xs = rng.random((20, 2))
    assert np.allclose(both.mean(Xs), bounded.mean(Xs), atol=1e-4)
