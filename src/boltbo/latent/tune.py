"""A VAE and a model of the objective, learnt together: the end-to-end update of LOL-BO.

Maus, Jones, Moore, Kusner, Bradshaw, Gardner, "Local latent space Bayesian optimization over structured inputs" (NeurIPS
2022), section 4: the objective's model is trained through the encoder while the VAE goes on learning to write what matters to
the run, so that candidates of like values come to lie together.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from boltbo.domain import Guide
from boltbo.latent.network import negative_bound, padded
from boltbo.latent.vae import SequenceVAE, Symbols
from boltbo.problem import FloatArray

STEPS, ROWS = 30, 32
RATE, GUIDE_RATE = 1e-3, 5e-3
KL_WEIGHT = 1e-2


def tuned(
    vae: SequenceVAE,
    sequences: Sequence[Symbols],
    weights: FloatArray,
    guide: Guide,
    place: Callable[[Tensor], Tensor],
    *,
    seed: int,
    steps: int = STEPS,
) -> SequenceVAE:
    """A copy of a VAE after some steps on the sum of its own loss and the guide's, per sequence; centre and spread stay.

    Args:
        vae: The model, which is not changed.
        sequences: Sequences of the run's candidates.
        weights: Probabilities with which they are drawn, shape (n,), sum 1.
        guide: A model of the objective at the means of their codes, which is trained along.
        place: Turns codes (B, d) into the guide's points; differentiable.
        seed: Seed of draws and noise.
        steps: Number of Adam's steps.

    Raises:
        FloatingPointError: The loss is not finite.
    """
    network = copy.deepcopy(vae.network)
    rows = [vae.row(s) for s in sequences]
    rng = np.random.default_rng(seed)
    weights_of_vae, weights_of_guide = list(network.parameters()), list(guide.parameters())
    groups = [{"params": weights_of_vae, "lr": RATE}, {"params": weights_of_guide, "lr": GUIDE_RATE}]
    adam = torch.optim.Adam(groups, betas=(0.9, 0.98))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for step in range(steps):
            drawn = rng.choice(len(rows), ROWS, p=weights)
            mean, nats, _ = negative_bound(network, padded([rows[i] for i in drawn]), KL_WEIGHT)
            loss = nats / ROWS + guide.loss(place(mean), torch.as_tensor(drawn))
            adam.zero_grad()
            loss.backward()
            norms = [nn.utils.clip_grad_norm_(group, 1.0).item() for group in (weights_of_vae, weights_of_guide)]
            if not np.isfinite([loss.item(), *norms]).all():
                raise FloatingPointError(f"the joint loss is {loss.item()} in step {step} of {steps}")
            for group, rate in zip(adam.param_groups, (RATE, GUIDE_RATE), strict=True):
                group["lr"] = rate * (1.0 - step / steps)
            adam.step()
    return SequenceVAE(vae.symbols, vae.longest, network)
