"""The deep kernel's training: Adam on minibatches of the evidence lower bound; notation as in `deep_kernel`."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from boltbo.latent.deep_kernel import JITTER, LEAST_NOISE, NODES, WEIGHTS, DeepKernel
from boltbo.latent.deep_posterior import DeepPosterior
from boltbo.optimizers.surrogates import gp
from boltbo.problem import FloatArray

BATCH = 128
NETWORK_RATE, RATE, SCALE_RATE = 1e-3, 1e-2, 1e-1
"""Learning rates of the network's weights, of inducing points and q(v), and of hyperparameters."""


def train_kernel(
    kernel: DeepKernel, X: FloatArray, targets: FloatArray, complete: NDArray[np.bool_], steps: int
) -> None:
    """Take some steps of Adam from where the kernel stands.

    Args:
        kernel: The kernel, which is changed in place.
        X: Points, shape (n, d).
        targets: Warped values, or lower bounds where not complete; shape (n,).
        complete: Whether each target is a value, shape (n,).
        steps: Number of steps.
    """
    kernel.inducing = nn.Parameter(torch.as_tensor(kernel.places(X, targets), dtype=torch.float32))
    bound = Bound(kernel, X, targets, complete)
    rng = np.random.default_rng([kernel.seed, kernel.fits])
    kernel.fits += 1
    scales = [kernel.log_lengths, kernel.log_signal, kernel.log_noise]
    groups = (list(kernel.network.parameters()), [kernel.inducing, bound.mean, bound.root], scales)
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


class Bound(nn.Module):
    """The evidence lower bound of data, with a q(v) of its own that starts where it is best.

    Args:
        kernel: The kernel, which has inducing points and is trained with the bound.
        X, targets, complete: The data, as for `train_kernel`.
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
        """Minus the bound per observation, estimated from `rows` (B,), whose points are now `points` (B, d); differentiable."""
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


def _kernel(A: Tensor, B: Tensor, signal: Tensor) -> Tensor:
    """`gp.kernel` with unit lengthscales in torch."""
    squares = A.square().sum(1)[:, None] + B.square().sum(1)[None] - 2.0 * A @ B.T
    r = gp.ROOT5 * squares.clamp(min=1e-12).sqrt()
    return signal * (1.0 + r + r.square() / 3.0) * torch.exp(-r) + gp.MEAN_VARIANCE
