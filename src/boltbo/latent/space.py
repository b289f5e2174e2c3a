"""The latent space of a sequence VAE as a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor

from boltbo.domain import Grammar, Guide
from boltbo.latent.tune import tuned
from boltbo.latent.vae import SequenceVAE
from boltbo.problem import FloatArray
from boltbo.system.threads import one_torch_thread

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
        """The candidate, in canonical form, that any symbols whatsoever mean; with a grammar, any that it allows."""
        ...


class LatentSpace:
    """A `problem.AdaptiveSpace` over the latent codes of a VAE.

    A coordinate is the share of what the VAE has learnt that lies below: the box's uniform distribution is the normal
    distribution with the codes' centre and spread, so that random points are the VAE's own samples.

    Args:
        vae: The model; is never changed.
        codec: What its symbols mean to this task.
        grammar: What may be decoded at all, over the same symbols; None: anything, the codec makes a candidate of it.
    """

    def __init__(self, vae: SequenceVAE, codec: Codec, grammar: Grammar | None = None) -> None:
        self.vae, self.codec, self.grammar = vae, codec, grammar
        self._mask = None if grammar is None else vae.mask(grammar)
        self._known: dict[str, FloatArray] = {}

    @property
    def dim(self) -> int:
        return self.vae.dim

    def encode(self, candidate: str) -> FloatArray:
        """The mean of the candidate's code; what it decodes to is the candidate or, where the VAE errs, one like it."""
        if candidate in self._known:
            return self._known[candidate]
        return np.asarray(self._points([self.codec.symbols(candidate)])[0])

    def decode(self, points: FloatArray) -> list[str]:
        at = ndtri(np.clip(np.atleast_2d(points), ndtr(-REACH), ndtr(REACH)))
        with one_torch_thread():
            found = self.vae.decode(self.vae.centre + self.vae.spread * at, self._mask)
        return [self.codec.candidate(s) for s in found]

    def adapted(self, candidates: Sequence[str], weights: FloatArray, guide: Guide, seed: int) -> LatentSpace:
        """See `problem.AdaptiveSpace`: the box of a copy of the VAE that learnt the candidates together with the guide."""
        sequences = [self.codec.symbols(c) for c in candidates]
        centre, spread = self.vae.network.centre, self.vae.network.spread

        def place(codes: Tensor) -> Tensor:
            shares: Tensor = torch.special.ndtr(((codes - centre) / spread).clamp(-REACH, REACH))
            return shares

        with one_torch_thread():
            vae = tuned(self.vae, sequences, weights, guide, place, seed=seed)
        space = LatentSpace(vae, self.codec, self.grammar)
        space._known = dict(zip(candidates, space._points(sequences), strict=True))
        return space

    def _points(self, sequences: Sequence[Sequence[str]]) -> FloatArray:
        """Shape (n, d)."""
        with one_torch_thread():
            codes = self.vae.encode(sequences)
        points = ndtr((codes - self.vae.centre) / self.vae.spread)
        return np.asarray(np.clip(points, ndtr(-REACH), ndtr(REACH)))
