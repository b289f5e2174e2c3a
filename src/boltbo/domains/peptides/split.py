"""Training and validation templates that are no near copies of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boltbo.domains.peptides.similarity import clusters
from boltbo.domains.peptides.templates import Template
from boltbo.errors import ConfigError

NEAR_COPY = 0.6
"""Identity from which on two peptides are near copies (see `similarity.identities`)"""

LARGEST_SHARE = 0.02
"""Greatest share of all templates in a cluster that validation may draw from; training would miss a larger one."""


def split(
    templates: Sequence[Template], train: int | None, validation: int, seed: int, identity: float = NEAR_COPY
) -> tuple[list[Template], list[Template]]:
    """Draw training and validation templates by lot.

    Validation gets one template each of as many clusters, training what is in other clusters: no template of the one is
    `identity` alike to one of the other, nor two validation templates to each other.

    Args:
        templates: All templates.
        train: Number of training templates; None: all that are left.
        validation: Number of validation templates.
        seed: Seed of the draw.
        identity: Share of equal residues from which on two templates are near copies.

    Raises:
        ConfigError: There are too few templates.
    """
    numbers = clusters([t.sequence for t in templates], identity)
    sizes = np.bincount(numbers) if len(templates) else np.zeros(0, dtype=int)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(templates))
    largest = max(1.0, LARGEST_SHARE * len(templates))
    chosen: dict[int, int] = {}  # cluster -> its validation template
    for i in order:
        if len(chosen) < validation and sizes[numbers[i]] <= largest:
            chosen.setdefault(int(numbers[i]), int(i))
    rest = [int(i) for i in order if int(numbers[i]) not in chosen]
    least_train = 1 if train is None else train
    if len(chosen) < validation or len(rest) < least_train:
        raise ConfigError(
            f"{len(templates)} templates in {len(sizes)} clusters of {identity:.0%} identity give {len(chosen)} for validation "
            f"and {len(rest)} for training, {validation} and {'some' if train is None else train} are needed: lower "
            "domain.validation or domain.train, or raise domain.identity (1: only equal sequences count as copies)"
        )
    return [templates[i] for i in rest[:train]], [templates[i] for i in chosen.values()]
