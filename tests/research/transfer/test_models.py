"""The models against closed forms, hand-computed cases and neighbours."""

import math

import numpy as np
import pytest
from scipy.optimize import check_grad

from boltbo.optimizers.surrogates import gp
from boltbo_bench.transfer import icm, make
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


def theta_of(d, T, q, seed=0):
    theta = icm.initial(d, T, q, np.random.default_rng(seed))
    return theta + 0.2 * np.random.default_rng(seed + 1).standard_normal(len(theta))


def test_icm_gradient():
    X, y = data(14, 3, 1)
    t = np.array([0] * 5 + [1] * 6 + [2] * 3)
    theta = theta_of(3, 3, 2)
    error = check_grad(
        lambda p: icm.objective(p, X, t, y, 3, 2)[0], lambda p: icm.objective(p, X, t, y, 3, 2)[1], theta
    )
    assert error < 1e-4 * np.linalg.norm(icm.objective(theta, X, t, y, 3, 2)[1])


def test_icm_of_one_task_is_a_plain_process():
    X, y = data(12, 3, 2)
    theta = theta_of(3, 1, 2)
    joint = icm.Joint(theta, X, np.zeros(12, dtype=int), y, 1, 2)
    # a new task with the source's own row of W, and all of its variance shared: the same function, observed nowhere else
    signal = float(joint.W[0] @ joint.W[0])
    without = np.append(theta[:-2], [math.log(1e-12), theta[-1]])  # u = 0
    shared = icm.Joint(without, X, np.zeros(12, dtype=int), y, 1, 2)
    plain = gp.Posterior(np.concatenate([theta[:3], [math.log(signal), theta[-1]]]), X, y)
    Xs = np.random.default_rng(3).random((5, 3))
    mean, V = shared.explained(
        sum(w * C for w, C in zip(shared.W[0], shared.cross(Xs), strict=True)) + gp.MEAN_VARIANCE
    )
    expected, variance = plain.marginals(Xs)
    assert mean == pytest.approx(expected, abs=1e-6)
    assert signal + gp.MEAN_VARIANCE - (V * V).sum(axis=0) == pytest.approx(variance, abs=1e-6)


def test_icm_of_an_unrelated_target_is_a_plain_process_of_its_own_data():
    X, y = data(12, 3, 2)
    theta = theta_of(3, 1, 2)
    joint = icm.Joint(theta, X, np.zeros(12, dtype=int), y, 1, 2)
    X_new, y_new = data(7, 3, 4)
    alone = icm.Coregionalized(joint, X_new, y_new, w=np.zeros(2), u=0.7)
    plain = gp.Posterior(np.concatenate([theta[:3], [math.log(0.7), theta[-1]]]), X_new, y_new)
    Xs = np.random.default_rng(3).random((5, 3))
    for found, expected in zip(alone.predict(Xs), plain.marginals(Xs), strict=True):
        assert found == pytest.approx(expected, abs=1e-6)


def test_icm_target_equals_the_process_of_all_data_at_once():
    (X, y), (X_new, y_new) = data(20, 3, 5), data(6, 3, 6)
    t = np.array([0] * 9 + [1] * 11)
    theta = theta_of(3, 2, 2)
    w, u = np.array([0.8, -0.3]), 0.4
    target = icm.Coregionalized(icm.Joint(theta, X, t, y, 2, 2), X_new, y_new, w=w, u=u)
    log_l, W, log_u, noise = icm.split(theta, 3, 2, 2)
    W_all, u_all = np.vstack([W, w]), np.append(np.exp(log_u), u)
    B = W_all @ W_all.T + np.diag(u_all)
    X_all, t_all = np.vstack([X, X_new]), np.append(t, [2] * 6)
    Xs = np.random.default_rng(7).random((5, 3))

    def covariance(A, a, C, c):
        k = icm.correlation(A, C, np.exp(log_l)) * B[np.ix_(a, c)]
        return k + gp.MEAN_VARIANCE * (a[:, None] == c[None, :])

    twos = np.full(5, 2)
    S = np.linalg.inv(covariance(X_all, t_all, X_all, t_all) + noise * np.eye(26))
    cross = covariance(Xs, twos, X_all, t_all)
    mean, variance = target.predict(Xs)
    assert mean == pytest.approx(cross @ S @ np.append(y, y_new), abs=1e-6)
    assert variance == pytest.approx(np.diagonal(covariance(Xs, twos, Xs, twos) - cross @ S @ cross.T), abs=1e-6)


def test_icm_kernel_equals_gpytorch():
    torch = pytest.importorskip("torch")
    kernels = pytest.importorskip("gpytorch").kernels
    X, _ = data(6, 3, 8)
    t = np.array([0, 0, 1, 1, 2, 2])
    theta = theta_of(3, 3, 2)
    log_l, W, log_u, _ = icm.split(theta, 3, 3, 2)
    matern = kernels.MaternKernel(nu=2.5, ard_num_dims=3).double()
    matern.lengthscale = torch.tensor(np.exp(log_l))
    index = kernels.IndexKernel(num_tasks=3, rank=2).double()
    index.covar_factor.data, index.var = torch.tensor(W), torch.tensor(np.exp(log_u))
    expected = matern(torch.tensor(X)).to_dense() * index(torch.tensor(t)).to_dense()
    B = W @ W.T + np.diag(np.exp(log_u))
    found = icm.correlation(X, X, np.exp(log_l)) * B[np.ix_(t, t)]
    assert found == pytest.approx(expected.detach().numpy(), abs=1e-6)


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
