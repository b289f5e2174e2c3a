"""The Gaussian process against finite differences and textbook formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.optimizers.surrogates import gp, hyperparameters


def data(n=30, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    return X, np.sin(3 * X.sum(axis=1)) + 0.1 * rng.standard_normal(n), rng


def dense_kernel(A, B, theta):
    """k(A, B) + c, entry by entry as the glossary has it."""
    r = np.sqrt((((A[:, None] - B[None]) / np.exp(theta[:-2])) ** 2).sum(-1))
    matern = (1 + np.sqrt(5) * r + 5 / 3 * r**2) * np.exp(-np.sqrt(5) * r)
    return np.exp(theta[-2]) * matern + gp.MEAN_VARIANCE


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), d=st.integers(1, 9), own_variances=st.booleans())
def test_gradient_matches_finite_differences(seed, d, own_variances):
    X, y, rng = data(25, d, seed)
    theta = hyperparameters.initial_theta(d) + rng.normal(0, 0.7, d + 2)
    variances = np.where(rng.random(25) < 0.4, rng.random(25), np.nan) if own_variances else None
    gradient = hyperparameters.objective(theta, X, y, variances)[1]
    step = 1e-5
    for i in range(d + 2):
        e = step * (np.arange(d + 2) == i)
        slope = (
            hyperparameters.objective(theta + e, X, y, variances)[0]
            - hyperparameters.objective(theta - e, X, y, variances)[0]
        ) / (2 * step)
        assert gradient[i] == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_objective_is_the_density_of_the_data_and_the_priors():
    X, y, rng = data()
    theta = hyperparameters.initial_theta(4) + rng.normal(0, 0.5, 6)
    K = dense_kernel(X, X, theta) + np.exp(theta[-1]) * np.eye(len(X))
    likelihood = -0.5 * (y @ np.linalg.solve(K, y) + np.linalg.slogdet(K)[1] + len(X) * np.log(2 * np.pi))
    prior = hyperparameters._log_prior(theta)[0]
    assert hyperparameters.objective(theta, X, y)[0] == pytest.approx(-(likelihood + prior), rel=1e-9)


def test_initial_theta_is_the_mode_of_the_priors():
    assert np.allclose(hyperparameters._log_prior(hyperparameters.initial_theta(7))[1], 0.0)


def test_posterior_matches_the_direct_formula():
    X, y, rng = data()
    Xs = rng.random((12, 4))
    theta = hyperparameters.initial_theta(4)
    variances = np.where(np.arange(30) < 5, 0.3, np.nan)
    K = dense_kernel(X, X, theta) + np.diag(np.where(np.arange(30) < 5, 0.3, np.exp(theta[-1])))
    C = dense_kernel(Xs, X, theta)
    mean, covariance = gp.Posterior(theta, X, y, variances).joint(Xs)
    assert np.allclose(mean, C @ np.linalg.solve(K, y), atol=1e-6)
    assert np.allclose(covariance, dense_kernel(Xs, Xs, theta) - C @ np.linalg.solve(K, C.T), atol=1e-6)


def test_marginals_agree_with_the_joint():
    X, y, rng = data()
    Xs = rng.random((12, 4))
    posterior = gp.Posterior(hyperparameters.initial_theta(4), X, y)
    mean, covariance = posterior.joint(Xs)
    assert np.allclose(posterior.marginals(Xs)[0], mean)
    assert np.allclose(posterior.marginals(Xs)[1], np.diag(covariance), atol=1e-9)
    assert np.allclose(posterior.mean(Xs), mean)


def test_samples_have_the_posterior_moments():
    X, y, rng = data()
    Xs = rng.random((5, 4))
    posterior = gp.Posterior(hyperparameters.initial_theta(4), X, y)
    mean, covariance = posterior.joint(Xs)
    samples = posterior.sample(Xs, 40_000, rng)
    assert samples.shape == (40_000, 5)
    assert np.allclose(samples.mean(axis=0), mean, atol=0.02)
    assert np.allclose(np.cov(samples.T), covariance, atol=0.02)


def test_fit_finds_the_dimensions_that_matter():
    rng = np.random.default_rng(1)
    X = rng.random((120, 10))
    y = np.sin(6 * X[:, 2]) + X[:, 5] ** 2
    theta = hyperparameters.fit(hyperparameters.initial_theta(10), X, (y - y.mean()) / y.std(), iterations=30)
    assert set(np.argsort(theta[:10])[:2]) == {2, 5}
    Xs = rng.random((50, 10))
    predicted = gp.Posterior(theta, X, (y - y.mean()) / y.std()).mean(Xs) * y.std() + y.mean()
    assert np.abs(predicted - np.sin(6 * Xs[:, 2]) - Xs[:, 5] ** 2).mean() < 0.1


def test_equal_points_and_targets_do_no_harm():
    X = np.repeat(np.full((1, 6), 0.4), 20, axis=0)
    theta = hyperparameters.fit(hyperparameters.initial_theta(6), X, np.zeros(20), iterations=20)
    assert np.isfinite(theta).all()
    assert np.isfinite(gp.Posterior(theta, X, np.zeros(20)).sample(X, 2, np.random.default_rng(0))).all()


def test_a_hopeless_matrix_is_reported():
    with pytest.raises(gp.Unstable, match="shape"):
        gp.cholesky(lambda: np.array([[1.0, 5.0], [5.0, 1.0]]), 1.0)
