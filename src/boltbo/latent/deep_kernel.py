"""A sparse variational Gaussian process on the features of a small network: the surrogate for many observations.

The deep kernel of Wilson, Hu, Salakhutdinov, Xing, "Deep kernel learning" (AISTATS 2016) in the variational process of Hensman,
Matthews, Ghahramani, "Scalable variational Gaussian process classification" (AISTATS 2015), as LOL-BO (Maus et al., 2022) and
BayesQO (Tao et al., 2025) use it: costs grow with n, not with n³. Features and hyperparameters are learnt by Adam on
minibatches of the bound. Given these, the best q(v) follows from the data in closed form, bounds by the fixed-point
iteration of Khan & Lin, "Conjugate-computation variational inference" (AISTATS 2017). So new observations count at once, and
only the network must survive a restart.

Notation:
    n, d, f, M  numbers of data, dimensions of the box, features, inducing points
    phi         features (n, f) of points (n, d): each coordinate over a lengthscale of its own, as in an exact process, and
                beside these the network's outputs; f = d + `FEATURES`
    Z           features of the inducing points, which are points of the box; shape (M, f)
    k           `gp.kernel` with unit lengthscales on features: Matérn-5/2 plus the constant mean's variance
    L           lower Cholesky factor of k(Z, Z)
    v           whitened inducing values, prior N(0, I); f(x) given v has mean a(x)ᵀ v with a(x) = L⁻¹ k(Z, x)
    q(v)        N(m, P⁻¹), P = I + A diag(tau) Aᵀ, m = P⁻¹ A nu, A = (a(x_1) … a(x_n)), shape (M, n)
    tau, nu     what each observation adds: 1 / sigma² and y / sigma² if complete; if only y > b is known,
                -2 dE/d(variance) and dE/d(mean) + tau mean for E = E_q[log Phi((f - b) / sigma)]
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from boltbo.optimizers.surrogates import hyperparameters
from boltbo.problem import FloatArray

INDUCING, HIDDEN, FEATURES = 128, 64, 8
DECAY = 1e-3
LEAST_NOISE = 1e-4
JITTER = 1e-6
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(16)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
"""Gauss-Hermite quadrature of an expectation under a standard normal."""


class DeepKernel(nn.Module):
    """The features, the inducing points and the hyperparameters: everything that is learnt and stored.

    Args:
        d: Dimensions of the box.
        seed: Seed of the first weights and of the order of minibatches.
        inducing: The largest number of inducing points.
    """

    def __init__(self, d: int, *, seed: int, inducing: int = INDUCING) -> None:
        super().__init__()
        self.d, self.seed, self.most, self.fits = d, seed, inducing, 0
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            last = nn.Linear(HIDDEN, FEATURES)
            nn.init.zeros_(last.weight)  # an ordinary process at first
            self.network = nn.Sequential(nn.Linear(d, HIDDEN), nn.SiLU(), last)
        self.log_lengths = nn.Parameter(torch.as_tensor(hyperparameters.initial_theta(d)[:d], dtype=torch.float32))
        self.log_signal = nn.Parameter(torch.zeros(()))
        self.log_noise = nn.Parameter(torch.tensor(hyperparameters.NOISE_MEAN))
        self.inducing = nn.Parameter(torch.empty(0, d))

    def forward(self, points: Tensor) -> Tensor:
        """Features (n, f) of points (n, d) of the box."""
        bent = self.network((points - 0.5) * math.sqrt(12.0))  # a uniform coordinate's variance becomes 1
        return torch.cat((points * torch.exp(-self.log_lengths), bent), dim=1)

    @torch.no_grad()
    def features(self, X: FloatArray) -> FloatArray:
        """Features (n, f) of points (n, d) of the box, without gradients."""
        phi: FloatArray = self(torch.as_tensor(X, dtype=torch.float32)).double().numpy()
        return phi

    @property
    def theta(self) -> FloatArray:
        """The hyperparameters as `gp` has them, shape (d + 2,); all lengthscales are 1, because the features are scaled."""
        return np.array([0.0] * self.d + [self.log_signal.item(), self.log_noise.item()])

    def penalty(self) -> Tensor:
        """Minus the log prior up to a constant: the prior of `gp`, and a normal one of the weights."""
        mean = math.sqrt(2.0) + 0.5 * math.log(self.d)
        lengths = (self.log_lengths - mean).square().sum() / (
            2.0 * hyperparameters.LENGTHSCALE_SD**2
        ) + self.log_lengths.sum()
        noise = 0.5 * (self.log_noise - hyperparameters.NOISE_MEAN).square() + self.log_noise
        weights = sum(p.square().sum() for p in self.network.parameters())
        return lengths + noise + 0.5 * (self.log_signal - 1.0).square() + self.log_signal + DECAY * weights

    def places(self, X: FloatArray, targets: FloatArray) -> FloatArray:
        """Inducing points for data: all points, or the best for one half and random others for the other half."""
        if len(X) <= self.most:
            return X
        order = np.argsort(targets, kind="stable")
        best, rest = order[: self.most // 2], order[self.most // 2 :]
        rng = np.random.default_rng([self.seed, len(X)])
        rows = np.append(best, rng.choice(rest, self.most - len(best), replace=False))
        return np.asarray(X[rows])

    def state(self) -> dict[str, Any]:
        """The state that `restore` needs; it survives JSON bit for bit."""
        flat = np.concatenate([p.detach().numpy().ravel() for p in self.parameters()]).astype("<f4")
        weights = base64.b64encode(flat.tobytes()).decode()
        return {"weights": weights, "inducing": len(self.inducing), "fits": self.fits, "seed": self.seed}

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Go back to `state`.

        Raises:
            ValueError: `state` belongs to a kernel of another size.
        """
        flat = np.frombuffer(base64.b64decode(state["weights"]), "<f4")
        self.inducing = nn.Parameter(torch.empty(int(state["inducing"]), self.d))
        if len(flat) != sum(p.numel() for p in self.parameters()):
            raise ValueError(f"{len(flat)} stored weights do not fit a deep kernel of {self.d} dimensions")
        for p in self.parameters():
            p.copy_(torch.from_numpy(flat[: p.numel()].copy()).view_as(p))
            flat = flat[p.numel() :]
        self.fits, self.seed = int(state["fits"]), int(state["seed"])
