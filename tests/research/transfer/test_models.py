"""The models against closed forms, hand-computed cases and neighbours."""

import math

import numpy as np
import pytest
import torch

from boltbo import Observation, Status, Trajectory
from boltbo.optimizers.surrogates import gp
from boltbo_bench.transfer import make
from boltbo_bench.transfer.experts import Plain, left_out, misordered, product, ranking_weights
from boltbo_bench.transfer.features import BoxFeatures
from support.transfer_bowls import SPACE, sources, task, value

BOX = BoxFeatures(lambda _: SPACE)


def data(n, d, seed):
    rng = np.random.default_rng(seed)
    X = rng.random((n, d))
    return X, np.sin(3 * X).sum(axis=1) + 0.1 * rng.standard_normal(n)


# --- products and weights of experts ----------------------------------------------------------------------------------


def test_product_of_two_experts_by_hand():
    # precisions 0.25 / 0.5 = 0.5 and 0.75 / 0.25 = 3; 1 / 3.5; (0.5 * 2 + 3 * (-1)) / 3.5
    mean, variance = product(np.array([[2.0], [-1.0]]), np.array([[0.5], [0.25]]), np.array([0.25, 0.75]))
    assert variance == pytest.approx([1 / 3.5])
    assert mean == pytest.approx([-2 / 3.5])


def test_product_of_equal_experts_is_any_of_them():
    mean, variance = product(np.full((4, 3), 1.5), np.full((4, 3), 0.2), np.full(4, 0.25))
    assert mean == pytest.approx([1.5] * 3)
    assert variance == pytest.approx([0.2] * 3)


def test_misordered_pairs_by_hand():
    y = np.array([1.0, 2.0, 3.0])
    draws = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 1.0, 3.0]])
    assert misordered(draws, y).tolist() == [0, 6, 2]  # each pair counts twice


def test_ranking_weights_by_hand():
    losses = np.array([[0, 4, 2, 2], [2, 0, 2, 8], [9, 9, 9, 9], [2, 1, 3, 2]])
    # the third is diluting; draws: first; second; first and second tie; first and the target tie, which is the target's
    assert ranking_weights(losses) == pytest.approx([1.5 / 4, 1.5 / 4, 0.0, 1 / 4])


def test_left_out_equals_fitting_without_each_observation():
    X, y = data(9, 2, 0)
    model = Plain(X, y)
    mean, variance = left_out(model)
    noise = math.exp(model.theta[-1])
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        m, v = gp.Posterior(model.theta, X[rest], y[rest]).marginals(X[[i]])
        assert mean[i] == pytest.approx(m[0], abs=1e-5)
        assert variance[i] == pytest.approx(v[0] + noise, rel=1e-4)


def test_rgpe_trusts_the_source_that_is_like_the_target():
    from boltbo import Observation, Trajectory
    from boltbo.problem import Status

    texts = SPACE.decode(np.random.default_rng(0).random((40, 6)))
    like = task(0)
    bowls = [Observation(c, value(like, c), Status.COMPLETE, 0.0, "bo") for c in texts]
    opposite = [Observation(c, -value(like, c), Status.COMPLETE, 0.0, "bo") for c in texts]
    runs = [Trajectory(task(1), tuple(opposite)), Trajectory(like, tuple(bowls))]
    surrogate = make("rgpe", runs, BOX)
    X = np.random.default_rng(1).random((8, 6))
    y = np.array([value(like, c) for c in SPACE.decode(X)])
    weights = surrogate.weights(X, y, Plain(X, y))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[1] > 0.6
    assert weights[0] < 0.05


# --- the coregionalization model --------------------------------------------------------------------------------------


def test_icm_predicts_where_only_a_like_source_was_observed():
    texts = SPACE.decode(np.random.default_rng(0).random((30, 6)))
    like = task(0)
    runs = [
        Trajectory(task(i), tuple(Observation(c, value(task(i), c), Status.COMPLETE, 0.0, "bo") for c in texts))
        for i in range(3)
    ]
    surrogate = make("icm", runs, BOX)
    X = np.random.default_rng(1).random((5, 6))
    y = np.array([value(like, c) for c in SPACE.decode(X)])
    scaled = (y - y.mean()) / y.std()
    target, alone = surrogate.target(X, scaled), Plain(X, scaled)
    Xs = np.random.default_rng(2).random((60, 6))
    truth = np.array([value(like, c) for c in SPACE.decode(Xs)])
    mean, variance = target.predict(Xs)
    assert (variance >= 0).all()
    together = np.corrcoef(mean, truth)[0, 1]
    assert together > 0.8
    assert together > np.corrcoef(alone.predict(Xs)[0], truth)[0, 1] + 0.1


def test_icm_keeps_what_it_learnt_of_the_sources():
    surrogate = make("icm", sources(3), BOX)
    learnt = {name: v.clone() for name, v in surrogate._learnt.items()}
    X = np.random.default_rng(1).random((4, 6))
    target = surrogate._target(X, np.arange(4.0))
    now = dict(target.model.named_parameters())
    for name, before in learnt.items():
        kept = now[name] if now[name].shape == before.shape else now[name][: len(before)]
        assert torch.equal(kept, before), name
    assert now["covar_module.kernels.1.raw_covar_factor"].shape[0] == 4


# --- learnt features --------------------------------------------------------------------------------------------------


def test_ablr_posterior_and_evidence_against_closed_forms():
    pytest.importorskip("torch")
    from boltbo_bench.transfer.ablr import LinearPosterior

    rng = np.random.default_rng(0)
    Phi, y, new, a, b = rng.standard_normal((8, 5)), rng.standard_normal(8), rng.standard_normal((3, 5)), 0.7, 4.0
    found = LinearPosterior(Phi, y, a, b)
    # the same model as a process: f ~ N(0, Phi Phiᵀ / a), y = f + N(0, 1 / b)
    K = Phi @ Phi.T / a + np.eye(8) / b
    cross = new @ Phi.T / a
    mean, variance = found.predict(new)
    assert mean == pytest.approx(cross @ np.linalg.solve(K, y))
    assert variance == pytest.approx(np.diagonal(new @ new.T / a - cross @ np.linalg.solve(K, cross.T)))
    log_p = -0.5 * (y @ np.linalg.solve(K, y) + np.linalg.slogdet(2 * np.pi * K)[1])
    assert found.evidence == pytest.approx(log_p)


def test_ablr_loss_is_minus_the_evidence_of_tasks_of_different_sizes():
    torch = pytest.importorskip("torch")
    from boltbo_bench.transfer.ablr import LinearPosterior, loss

    rng = np.random.default_rng(1)
    Phi, y = rng.standard_normal((2, 6, 4)), rng.standard_normal((2, 6))
    mask = np.ones((2, 6))
    mask[1, 4:], y[1, 4:] = 0.0, 0.0
    a, b = np.array([0.5, 2.0]), np.array([3.0, 1.0])
    whole = [LinearPosterior(Phi[i][mask[i] > 0], y[i][mask[i] > 0], a[i], b[i]).evidence for i in range(2)]
    found = loss(*(torch.as_tensor(v) for v in (Phi, y, mask, np.log(a), np.log(b)))).item()
    assert -found - 0.5 * mask.sum() * math.log(2 * math.pi) == pytest.approx(sum(whole))


def test_deep_process_loss_is_the_marginal_likelihood_of_its_posterior_and_padding_says_nothing():
    torch = pytest.importorskip("torch")
    from boltbo_bench.transfer.few_shot import OUT, DeepProcess

    X, y = data(7, 3, 0)
    model = DeepProcess(3, seed=0)
    phi = model.features(torch.as_tensor(X)).detach().numpy()
    theta = np.array([0.0] * OUT + [model.log_signal.item(), math.log(model.noise().item())])
    K = gp.kernel(phi, phi, theta) + math.exp(theta[-1]) * np.eye(7)
    expected = 0.5 * (y @ np.linalg.solve(K, y) + np.linalg.slogdet(K)[1]) / 7
    found = model.loss(*(torch.as_tensor(v)[None] for v in (X, y, np.ones(7)))).item()
    assert found == pytest.approx(expected, rel=1e-4)
    longer = [np.vstack([X, np.ones((2, 3))]), np.append(y, [0.0, 0.0]), np.append(np.ones(7), [0.0, 0.0])]
    assert model.loss(*(torch.as_tensor(v)[None] for v in longer)).item() == pytest.approx(found)


def test_fine_tuning_leaves_what_was_learnt_alone():
    pytest.importorskip("torch")
    surrogate = make("fsbo", sources(2), BOX, steps=20, fine_steps=5)
    before = [p.detach().clone() for p in surrogate._model.parameters()]
    X, y = data(6, 6, 0)
    one = surrogate.target(X, y).predict(X)
    assert all((p == q).all() for p, q in zip(before, surrogate._model.parameters(), strict=True))
    assert (one[0] == surrogate.target(X, y).predict(X)[0]).all()
