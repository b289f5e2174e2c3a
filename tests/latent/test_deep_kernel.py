"""The deep kernel: what it says without its network, with bounds, after training, and inside the trust region."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from boltbo.latent import deep_surrogate
from boltbo.latent.deep_kernel import DeepKernel
from boltbo.latent.deep_posterior import DeepPosterior
from boltbo.latent.deep_surrogate import DeepSurrogate
from boltbo.latent.deep_training import Bound
from boltbo.latent.deep_turbo import DeepTurbo
from boltbo.optimizers.contract import check_optimizer
from boltbo.optimizers.surrogates import gp
from boltbo.optimizers.surrogates.surrogate import Surrogate
from boltbo.spaces import Slots


def problem(n, d, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    return X, np.sin(3 * X[:, :3]).sum(axis=1) + (X[:, 3:5] ** 2).sum(axis=1)


def exact_theta(kernel):
    theta = kernel.theta
    theta[: kernel.d] = kernel.log_lengths.detach().numpy()
    return theta


def test_untrained_it_is_the_exact_process():
    X, y = problem(60, 6)
    kernel = DeepKernel(6, seed=0)
    deep = DeepPosterior(kernel, X, y, np.ones(60, bool))
    exact = gp.Posterior(exact_theta(kernel), X, y)
    at = problem(50, 6, seed=1)[0]
    for got, expected in zip(deep.marginals(at), exact.marginals(at), strict=True):
        assert np.allclose(got, expected, atol=2e-3)
    assert np.allclose(deep.mean(at), exact.mean(at), atol=2e-3)


def test_with_bounds_it_is_near_expectation_propagation():
    X, y = problem(60, 6)
    censored = y > np.median(y)
    values = np.where(censored, np.median(y), y)
    kernel = DeepKernel(6, seed=0)
    deep = DeepSurrogate(kernel, X, values, censored)
    exact = Surrogate(exact_theta(kernel), X, values, censored)
    at = problem(50, 6, seed=1)[0]
    assert np.abs(deep.posterior.mean(at) - exact.posterior.mean(at)).max() < 0.1
    known = Surrogate(exact_theta(kernel), X[~censored], values[~censored], censored[~censored])
    assert np.corrcoef(deep.posterior.mean(at), known.posterior.mean(at))[0, 1] < 0.99  # the bounds say something


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_closed_form_is_the_bound_s_maximum(share):
    X, y = problem(60, 6)
    complete = np.arange(60) < 60 * share
    bound = Bound(DeepKernel(6, seed=0, inducing=30), X, y, complete)
    bound.kernel.inducing = torch.nn.Parameter(torch.as_tensor(X[:30], dtype=torch.float32))
    bound = Bound(bound.kernel, X, y, complete)
    points, rows = torch.as_tensor(X, dtype=torch.float32), torch.arange(60)
    bound.loss(points, rows).backward()
    assert bound.mean.grad.abs().max() < 2e-3
    assert bound.root.grad.tril().abs().max() < 2e-3
    with torch.no_grad():
        best = bound.loss(points, rows)
        bound.mean += 0.1
        assert bound.loss(points, rows) > best + 1e-3


def test_training_helps_on_new_points():
    X, y = problem(400, 20)
    at, truth = problem(200, 20, seed=1)
    deep = DeepSurrogate(DeepKernel(20, seed=0), X, y, np.zeros(400, bool))
    before = np.corrcoef(deep.posterior.mean(at), truth)[0, 1]
    deep.fit(20)
    after = np.corrcoef(deep.posterior.mean(at), truth)[0, 1]
    assert after > 0.9 > before
    samples = deep.posterior.sample(at, 400, np.random.default_rng(0))
    mean, variance = deep.posterior.marginals(at)
    assert np.allclose(samples.mean(axis=0), mean, atol=0.3)
    assert np.allclose(samples.var(axis=0), variance, atol=0.1)


def test_state_is_kept_bit_for_bit():
    X, y = problem(80, 6)
    kernel = DeepKernel(6, seed=0)
    DeepSurrogate(kernel, X, y, np.zeros(80, bool)).fit(2)
    again = DeepKernel(6, seed=0)
    again.restore(kernel.state())
    assert all(torch.equal(a, b) for a, b in zip(kernel.parameters(), again.parameters(), strict=True))
    assert again.state() == kernel.state()
    with pytest.raises(ValueError, match="of 7 dimensions"):
        DeepKernel(7, seed=0).restore(kernel.state())


@pytest.mark.slow
def test_contract(monkeypatch):
    monkeypatch.setattr(deep_surrogate, "STEPS", 1)  # a tenth of the training: how much is not the contract's concern
    check_optimizer(lambda space, seed: DeepTurbo(space, seed=seed, initial=8, candidates=100))


def test_it_finds_an_optimum_beyond_the_inducing_points():
    from boltbo.problem import Observation, Status

    space = Slots([[str(j) for j in range(10)]] * 8)

    def observe(candidate):
        return Observation(candidate, sum((int(s) - 6) ** 2 for s in candidate.split()), Status.COMPLETE, 0.0, "bo")

    optimizer = DeepTurbo(space, seed=0)
    points = np.random.default_rng(0).random((150, 8))
    told = [observe(c) for c in dict.fromkeys(space.decode(points))]
    optimizer.tell(told)
    for _ in range(4):
        told += [observe(c) for c in optimizer.ask(10)]
        optimizer.tell(told[-10:])
    assert min(o.value for o in told) <= 16
    assert min(o.value for o in told) < 0.5 * min(o.value for o in told[:150])


def test_the_exact_surrogate_needs_no_torch():
    code = "import sys, boltbo.optimizers.box.turbo as t; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
