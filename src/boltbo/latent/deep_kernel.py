"""A sparse variational Gaussian process on the features of a small network: the surrogate for many observations.

The deep kernel of Wilson, Hu, Salakhutdinov, Xing, "Deep kernel learning" (AISTATS 2016) in the variational process of Hensman,
Matthews, Ghahramani, "Scalable variational Gaussian process classification" (AISTATS 2015), as LOL-BO (Maus et al., 2022) and
BayesQO (Tao et al., 2025) use it: costs grow with n, not with n³. Features and hyperparameters are learnt by Adam on
minibatches of the bound. Given these, the best q(v) follows from the data in closed form, bounds by the fixed-point
iteration of Khan & Lin, "Conjugate-computation variational inference" (AISTATS 2017). So new observations count at once, and
the network is all that must survive a restart.

Notation:
    n, d, f, M  numbers of data, dimensions of the box, features, inducing points
    phi         features (n, f) of points (n, d): each coordinate over a lengthscale of its own, as in an exact process, and
                beside these what the network makes of all of them; f = d + `FEATURES`
    Z           features of the inducing points, which are points of the box; shape (M, f)
    k           `gp.kernel` with unit lengthscales on features: Matérn-5/2 plus the constant mean's variance
    L           lower Cholesky factor of k(Z, Z)
    v           whitened inducing values, prior N(0, I); f(x) given v has mean a(x)ᵀ v with a(x) = L⁻¹ k(Z, x)
    q(v)        N(m, P⁻¹), P = I + A diag(tau) Aᵀ, m = P⁻¹ A nu, A = (a(x_1) … a(x_n)), shape (M, n)
    tau, nu     what each observation adds: 1 / sigma² and y / sigma² if complete; if all that is known is y > b,
                -2 dE/d(variance) and dE/d(mean) + tau mean for E = E_q[log Phi((f - b) / sigma)]
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular
from scipy.special import log_ndtr
from torch import Tensor, nn

from boltbo.optimizers.surrogates import gp
from boltbo.optimizers.surrogates.surrogate import Surrogate
from boltbo.problem import FloatArray
from boltbo.system.threads import one_torch_thread

INDUCING, HIDDEN, FEATURES = 128, 64, 8
BATCH = 128
STEPS = 5
"""Steps of Adam for each iteration that the exact surrogate would be granted."""
NETWORK_RATE, RATE, SCALE_RATE = 1e-3, 1e-2, 1e-1
"""Of the network's weights, of inducing points and q(v), of hyperparameters."""
DECAY = 1e-3
LEAST_NOISE = 1e-4
JITTER = 1e-6
SWEEPS, DAMPING = 20, 0.5
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(16)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


class DeepKernel(nn.Module):
    """The features, the inducing points and the hyperparameters: all that is learnt and stored.

    Args:
        d: Dimensions of the box.
        seed: Of the first weights and of the order of minibatches.
        inducing: Inducing points at most.
    """

    def __init__(self, d: int, *, seed: int, inducing: int = INDUCING) -> None:
        super().__init__()
        self.d, self.seed, self.most, self.fits = d, seed, inducing, 0
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            last = nn.Linear(HIDDEN, FEATURES)
            nn.init.zeros_(last.weight)  # an ordinary process at first
            self.network = nn.Sequential(nn.Linear(d, HIDDEN), nn.SiLU(), last)
        self.log_lengths = nn.Parameter(torch.as_tensor(gp.initial_theta(d)[:d], dtype=torch.float32))
        self.log_signal = nn.Parameter(torch.zeros(()))
        self.log_noise = nn.Parameter(torch.tensor(gp.NOISE_MEAN))
        self.inducing = nn.Parameter(torch.empty(0, d))

    def forward(self, points: Tensor) -> Tensor:
        """Features (n, f) of points (n, d) of the box."""
        bent = self.network((points - 0.5) * math.sqrt(12.0))  # a uniform coordinate's variance becomes 1
        return torch.cat((points * torch.exp(-self.log_lengths), bent), dim=1)

    @torch.no_grad()
    def features(self, X: FloatArray) -> FloatArray:
        phi: FloatArray = self(torch.as_tensor(X, dtype=torch.float32)).double().numpy()
        return phi

    @property
    def theta(self) -> FloatArray:
        """What `gp` calls theta, as seen from the box, shape (d + 2,): no coordinate of it is special."""
        return np.array([0.0] * self.d + [self.log_signal.item(), self.log_noise.item()])

    def penalty(self) -> Tensor:
        """Minus the log prior up to a constant: `gp`'s, and a normal one of the weights."""
        mean = math.sqrt(2.0) + 0.5 * math.log(self.d)
        lengths = (self.log_lengths - mean).square().sum() / (2.0 * gp.LENGTHSCALE_SD**2) + self.log_lengths.sum()
        noise = 0.5 * (self.log_noise - gp.NOISE_MEAN).square() + self.log_noise
        weights = sum(p.square().sum() for p in self.network.parameters())
        return lengths + noise + 0.5 * (self.log_signal - 1.0).square() + self.log_signal + DECAY * weights

    def places(self, X: FloatArray, targets: FloatArray) -> FloatArray:
        """Inducing points for data: all of them, or the best half and others at random."""
        if len(X) <= self.most:
            return X
        order = np.argsort(targets, kind="stable")
        best, rest = order[: self.most // 2], order[self.most // 2 :]
        rng = np.random.default_rng([self.seed, len(X)])
        rows = np.append(best, rng.choice(rest, self.most - len(best), replace=False))
        return np.asarray(X[rows])

    def fit(self, X: FloatArray, targets: FloatArray, complete: NDArray[np.bool_], steps: int) -> None:
        """Some steps of Adam from where it stands; targets of those not complete are bounds."""
        self.inducing = nn.Parameter(torch.as_tensor(self.places(X, targets), dtype=torch.float32))
        bound = Bound(self, X, targets, complete)
        rng = np.random.default_rng([self.seed, self.fits])
        self.fits += 1
        scales = [self.log_lengths, self.log_signal, self.log_noise]
        groups = (list(self.network.parameters()), [self.inducing, bound.mean, bound.root], scales)
        adam = torch.optim.Adam([{"params": g} for g in groups])
        points = torch.as_tensor(X, dtype=torch.float32)
        for step in range(steps):
            rows = torch.as_tensor(rng.permutation(len(X))[:BATCH])
            for group, rate in zip(adam.param_groups, (NETWORK_RATE, RATE, SCALE_RATE), strict=True):
                group["lr"] = rate * (1.0 - step / steps)
            adam.zero_grad()
            bound.loss(points[rows], rows).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(bound.parameters(), 10.0)
            adam.step()

    def state(self) -> dict[str, Any]:
        """Survives JSON; bit for bit."""
        flat = np.concatenate([p.detach().numpy().ravel() for p in self.parameters()]).astype("<f4")
        weights = base64.b64encode(flat.tobytes()).decode()
        return {"weights": weights, "inducing": len(self.inducing), "fits": self.fits, "seed": self.seed}

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Back to `state`.

        Raises:
            ValueError: It is another kernel's.
        """
        flat = np.frombuffer(base64.b64decode(state["weights"]), "<f4")
        self.inducing = nn.Parameter(torch.empty(int(state["inducing"]), self.d))
        if len(flat) != sum(p.numel() for p in self.parameters()):
            raise ValueError(f"{len(flat)} stored weights do not fit a deep kernel of {self.d} dimensions")
        for p in self.parameters():
            p.copy_(torch.from_numpy(flat[: p.numel()].copy()).view_as(p))
            flat = flat[p.numel() :]
        self.fits, self.seed = int(state["fits"]), int(state["seed"])


class Bound(nn.Module):
    """The evidence lower bound of data, with a q(v) of its own that starts where it is best.

    Args:
        kernel: Is trained with it; has inducing points.
        X, targets, complete: As in `DeepKernel.fit`.
    """

    def __init__(self, kernel: DeepKernel, X: FloatArray, targets: FloatArray, complete: NDArray[np.bool_]) -> None:
        super().__init__()
        self.kernel = kernel
        posterior = DeepPosterior(kernel, X, targets, complete)
        self.mean = nn.Parameter(torch.as_tensor(posterior.m))
        covariance = torch.cholesky_inverse(torch.as_tensor(posterior.root))
        self.root = nn.Parameter(torch.linalg.cholesky(covariance))
        self.register_buffer("targets", torch.as_tensor(targets))
        self.register_buffer("complete", torch.as_tensor(complete))
        self.register_buffer("nodes", torch.as_tensor(NODES))
        self.register_buffer("weights", torch.as_tensor(WEIGHTS))

    def loss(self, points: Tensor, rows: Tensor) -> Tensor:
        """Minus the bound per observation, estimated from `rows` (B,), which are at `points` (B, d) now; differentiable."""
        kernel, targets, complete = self.kernel, self.get_buffer("targets"), self.get_buffer("complete")
        signal = kernel.log_signal.double().exp()
        noise = kernel.log_noise.double().exp().clamp(min=LEAST_NOISE)
        Z, phi = kernel(kernel.inducing).double(), kernel(points).double()
        K = _kernel(Z, Z, signal) + JITTER * (signal + gp.MEAN_VARIANCE) * torch.eye(len(Z), dtype=torch.double)
        A = torch.linalg.solve_triangular(torch.linalg.cholesky(K), _kernel(Z, phi, signal), upper=False)
        root = self.root.tril()
        mean = self.mean @ A
        variance = (signal + gp.MEAN_VARIANCE - A.square().sum(0)).clamp(min=0.0) + (root.T @ A).square().sum(0)
        y = targets[rows]
        gaussian = -0.5 * (((y - mean).square() + variance) / noise + noise.log() + math.log(2.0 * math.pi))
        at = mean + variance.clamp(min=1e-12).sqrt() * self.get_buffer("nodes")[:, None]
        beyond = self.get_buffer("weights") @ torch.special.log_ndtr((at - y) / noise.sqrt())
        fit = torch.where(complete[rows], gaussian, beyond).mean()
        divergence = 0.5 * (self.mean.square().sum() + root.square().sum() - len(Z)) - root.diagonal().abs().log().sum()
        return (divergence + kernel.penalty()) / len(targets) - fit


class DeepPosterior:
    """The process given data.

    Attributes:
        m: Mean of q(v), shape (M,).
        root: Lower Cholesky factor of P, shape (M, M).
    """

    def __init__(self, kernel: DeepKernel, X: FloatArray, targets: FloatArray, complete: NDArray[np.bool_]) -> None:
        self._kernel = kernel
        own = kernel.inducing.detach().double().numpy()
        self._Z = kernel.features(own if len(own) else kernel.places(X, targets))
        self._theta = np.concatenate([np.zeros(kernel.d + FEATURES), kernel.theta[-2:]])
        self._scale = math.exp(self._theta[-2]) + gp.MEAN_VARIANCE
        noise = max(math.exp(self._theta[-1]), LEAST_NOISE)
        diagonal = JITTER * self._scale
        K = gp.kernel(self._Z, self._Z, self._theta) + diagonal * np.eye(len(self._Z))
        self._L = np.tril(gp.cholesky(K.copy, self._scale))
        A = self._whitened(kernel.features(X))
        left = np.maximum(self._scale - np.einsum("mn,mn->n", A, A), 0.0)
        tau = np.where(complete, 1.0 / noise, 0.0)
        nu = tau * targets
        self._condition(A, tau, nu)
        censored = ~complete
        for _ in range(SWEEPS if censored.any() else 0):
            at = A[:, censored]
            spread = solve_triangular(self.root, at, lower=True)
            mean, variance = self.m @ at, left[censored] + np.einsum("mn,mn->n", spread, spread)
            slope, curvature = _expected_slopes(mean, variance, targets[censored], math.sqrt(noise))
            tau[censored] += DAMPING * (curvature - tau[censored])
            nu[censored] += DAMPING * (slope + curvature * mean - nu[censored])
            self._condition(A, tau, nu)

    def mean(self, Xs: FloatArray) -> FloatArray:
        """Shape (m,)."""
        return np.asarray(self.m @ self._whitened(self._kernel.features(Xs)))

    def marginals(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the function at each point, shapes (m,)."""
        A = self._whitened(self._kernel.features(Xs))
        B = solve_triangular(self.root, A, lower=True)
        variance = self._scale - np.einsum("mn,mn->n", A, A) + np.einsum("mn,mn->n", B, B)
        return self.m @ A, np.maximum(variance, 0.0)

    def sample(self, Xs: FloatArray, q: int, rng: np.random.Generator) -> FloatArray:
        """`q` functions drawn from the posterior, at all of `Xs` jointly; shape (q, m)."""
        phi = self._kernel.features(Xs)
        A = self._whitened(phi)
        B = solve_triangular(self.root, A, lower=True)
        covariance = gp.kernel(phi, phi, self._theta) - A.T @ A + B.T @ B
        L = np.tril(gp.cholesky(covariance.copy, self._scale))
        return np.asarray(self.m @ A + rng.standard_normal((q, len(Xs))) @ L.T)

    def _whitened(self, phi: FloatArray) -> FloatArray:
        """A, shape (M, n)."""
        return np.asarray(solve_triangular(self._L, gp.kernel(self._Z, phi, self._theta), lower=True))

    def _condition(self, A: FloatArray, tau: FloatArray, nu: FloatArray) -> None:
        P = (A * tau) @ A.T
        P.flat[:: len(P) + 1] += 1.0
        self.root = np.tril(gp.cholesky(P.copy, 1.0))
        self.m, _ = lapack.dpotrs(self.root, A @ nu, lower=1)


class DeepSurrogate(Surrogate):
    """`Surrogate` with the deep kernel: the same warp, bounds in the likelihood.

    Args:
        kernel: Is trained by `fit`.
        X, values, censored: As for `Surrogate`.
    """

    def __init__(self, kernel: DeepKernel, X: FloatArray, values: FloatArray, censored: NDArray[np.bool_]) -> None:
        self._kernel = kernel
        super().__init__(kernel.theta, X, values, censored)

    @property
    def data(self) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """Points, warped values or bounds, and which are complete, these first."""
        targets = np.concatenate([self._y, self._bounds])
        return self._X, targets, np.arange(len(targets)) < self._complete

    def fit(self, iterations: int) -> FloatArray:
        with one_torch_thread():
            self._kernel.fit(*self.data, steps=STEPS * iterations)
        self.condition(self._kernel.theta)
        return self.theta

    def condition(self, theta: FloatArray) -> None:
        self.theta = theta
        self.posterior: Any = DeepPosterior(self._kernel, *self.data)


def _kernel(A: Tensor, B: Tensor, signal: Tensor) -> Tensor:
    """`gp.kernel` in torch."""
    squares = A.square().sum(1)[:, None] + B.square().sum(1)[None] - 2.0 * A @ B.T
    r = gp.ROOT5 * squares.clamp(min=1e-12).sqrt()
    return signal * (1.0 + r + r.square() / 3.0) * torch.exp(-r) + gp.MEAN_VARIANCE


def _expected_slopes(
    mean: FloatArray, variance: FloatArray, bounds: FloatArray, sigma: float
) -> tuple[FloatArray, FloatArray]:
    """The first and minus the second derivative of log Phi((f - b) / sigma) in f, expected under f ~ N(mean, variance)."""
    z = (mean + np.sqrt(variance) * NODES[:, None] - bounds) / sigma
    g = np.exp(-0.5 * z * z - 0.5 * math.log(2.0 * math.pi) - log_ndtr(z))
    return WEIGHTS @ g / sigma, WEIGHTS @ (g * (g + z)) / sigma**2
