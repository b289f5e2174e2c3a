"""Training the oracle's members: dropout, weight decay, one cycle of the learning rate, a missing value costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from boltbo.domains.peptides.oracle.data import Measurements
from boltbo.domains.peptides.oracle.ensemble import KIND, Ensemble, standardized
from boltbo.domains.peptides.oracle.features import feature_names, features
from boltbo.domains.peptides.oracle.files import fingerprint

HIDDEN = (256, 64)
EPOCHS = 60
BATCH = 128
RATE = 4e-3
DECAY = 0.02
DROP_DESCRIPTORS, DROP_HIDDEN = 0.2, 0.4


class _Member(nn.Module):
    def __init__(self, descriptors: int, species: int) -> None:
        super().__init__()
        self.one = nn.Linear(descriptors, HIDDEN[0])
        self.two = nn.Linear(HIDDEN[0], HIDDEN[1])
        self.out = nn.Linear(HIDDEN[1], species)

    def forward(self, x: Tensor) -> Tensor:
        h = F.dropout(F.silu(self.one(F.dropout(x, DROP_DESCRIPTORS, self.training))), DROP_HIDDEN, self.training)
        h = F.dropout(F.silu(self.two(h)), DROP_HIDDEN, self.training)
        predictions: Tensor = self.out(h)
        return predictions


def fit_ensemble(
    data: Measurements, members: int = 5, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> Ensemble:
    """Train an ensemble: the same data, other initial weights and another order for each member.

    The same seed gives the same members on one machine and version of torch; it trains on one thread, and leaves torch's
    own generator and threads as they were.
    """
    X = features(data.sequences)
    centre, scale = X.mean(0), np.maximum(X.std(0), 1e-6)
    z = torch.from_numpy(standardized(X, centre, scale))
    y = torch.from_numpy(data.values.astype(np.float32))
    middle = torch.from_numpy(data.middle().astype(np.float32))
    threads, networks = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for member in range(members):
            networks.append(_fit_member(z, y - middle, seed * 1000 + member))
            if progress is not None:
                progress(member + 1, members)
    finally:
        torch.set_num_threads(threads)
    arrays: dict[str, Any] = {"centre": centre, "scale": scale}
    for i, layer in enumerate(("one", "two", "out"), 1):
        layers = [getattr(network, layer) for network in networks]
        arrays[f"w{i}"] = np.stack([one.weight.detach().numpy().T for one in layers])
        arrays[f"b{i}"] = np.stack([one.bias.detach().numpy() for one in layers])
    arrays["b3"] = arrays["b3"] + middle.numpy()
    facts = {
        "kind": KIND, "species": list(data.species), "features": fingerprint(feature_names()), "members": members,
        "hidden": list(HIDDEN), "seed": seed, "epochs": EPOCHS, "peptides": len(data.sequences),
        "measurements": {s: int(n) for s, n in zip(data.species, data.counts(), strict=True)},
    }  # fmt: skip
    return Ensemble(arrays, facts)


def _fit_member(z: Tensor, y: Tensor, seed: int) -> _Member:
    """Squared error over the values that were measured; `y` (n, S) is NaN where none was."""
    given = ~y.isnan()
    y = y.nan_to_num()
    order = np.random.default_rng(seed)
    steps = max(len(z) // BATCH, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Member(z.shape[1], y.shape[1])
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * steps, pct_start=0.2)
        for _ in range(EPOCHS):
            shuffled = order.permutation(len(z))
            for step in range(steps):
                rows = torch.from_numpy(shuffled[step * BATCH : (step + 1) * BATCH])
                missed = (network(z[rows]) - y[rows])[given[rows]]
                loss = missed.square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                rate.step()
    return network.eval()
