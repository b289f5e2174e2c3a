"""The latent space of a sequence VAE as a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy.special import ndtr, ndtri

from boltbo.latent.vae import SequenceVAE
from boltbo.problem import FloatArray

REACH = 4.0
"""So many standard deviations from the centre are within the box."""


class Codec(Protocol):
    """Candidates of one task as symbols of a VAE's vocabulary, and back."""

    def symbols(self, candidate: str) -> Sequence[str]:
        """The symbols that write a candidate.

        Raises:
            InvalidCandidate: The text is no candidate of this task.
        """
        ...

    def candidate(self, symbols: Sequence[str]) -> str:
        """The candidate, in canonical form, that any symbols whatsoever mean."""
        ...


class LatentSpace:
    """A `problem.SearchSpace` over the latent codes of a VAE.

    A coordinate is the share of what the VAE has learnt that lies below: the box's uniform distribution is the normal
    distribution with the codes' centre and spread, so that random points are the VAE's own samples.

    Args:
        vae: The model.
        codec: What its symbols mean to this task.
    """

    def __init__(self, vae: SequenceVAE, codec: Codec) -> None:
        self.vae, self.codec = vae, codec

    @property
    def dim(self) -> int:
        return self.vae.dim

    def encode(self, candidate: str) -> FloatArray:
        """The mean of the candidate's code; what it decodes to is the candidate or, where the VAE errs, one like it."""
        code = self.vae.encode([self.codec.symbols(candidate)])[0]
        point: FloatArray = ndtr((code - self.vae.centre) / self.vae.spread)
        return np.clip(point, ndtr(-REACH), ndtr(REACH))

    def decode(self, points: FloatArray) -> list[str]:
        at = ndtri(np.clip(np.atleast_2d(points), ndtr(-REACH), ndtr(REACH)))
        return [self.codec.candidate(s) for s in self.vae.decode(self.vae.centre + self.vae.spread * at)]
