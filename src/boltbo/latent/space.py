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
"""The number of standard deviations from the centre to the box's walls."""


class Codec(Protocol):
    """A map from candidates of one task to symbols of a VAE's vocabulary, and back."""

    def symbols(self, candidate: str) -> Sequence[str]:
        """The symbols that write a candidate.

        Raises:
            InvalidCandidate: The text is no candidate of this task.
        """
        ...

    def candidate(self, symbols: Sequence[str]) -> str:
        """The candidate, in canonical form, that symbols mean: any symbols, or with a grammar any that it allows."""
        ...


class LatentSpace:
    """A `domain.AdaptiveSpace` over the latent codes of a VAE.

    A coordinate is a quantile of the codes that the VAE has learnt: the box's uniform distribution is the normal distribution
    with the codes' centre and spread, so that random points are samples of the VAE.

    Args:
        vae: The model, which is never changed.
        codec: The meaning of its symbols to this task.
        grammar: A grammar over the same symbols that everything decoded obeys; None allows all symbols, of which the codec
            makes a candidate.
    """

    def __init__(self, vae: SequenceVAE, codec: Codec, grammar: Grammar | None = None) -> None:
        self.vae, self.codec, self.grammar = vae, codec, grammar
        self._mask = None if grammar is None else vae.mask(grammar)
        self._encoded: dict[str, FloatArray] = {}

    @property
    def dim(self) -> int:
        return self.vae.dim

    def encode(self, candidate: str) -> FloatArray:
        """The mean of the candidate's code, which decodes to the candidate or, where the VAE errs, to a similar one."""
        if candidate in self._encoded:
            return self._encoded[candidate]
        return np.asarray(self._points([self.codec.symbols(candidate)])[0])

    def decode(self, points: FloatArray) -> list[str]:
        deviations = ndtri(np.clip(np.atleast_2d(points), ndtr(-REACH), ndtr(REACH)))
        with one_torch_thread():
            sequences = self.vae.decode(self.vae.centre + self.vae.spread * deviations, self._mask)
        return [self.codec.candidate(symbols) for symbols in sequences]

    def adapted(self, candidates: Sequence[str], weights: FloatArray, guide: Guide, seed: int) -> LatentSpace:
        """See `domain.AdaptiveSpace`: the box of a copy of the VAE that learnt the candidates together with the guide."""
        sequences = [self.codec.symbols(c) for c in candidates]
        centre, spread = self.vae.network.centre, self.vae.network.spread

        def place(codes: Tensor) -> Tensor:
            shares: Tensor = torch.special.ndtr(((codes - centre) / spread).clamp(-REACH, REACH))
            return shares

        with one_torch_thread():
            vae = tuned(self.vae, sequences, weights, guide, place, seed=seed)
        space = LatentSpace(vae, self.codec, self.grammar)
        space._encoded = dict(zip(candidates, space._points(sequences), strict=True))
        return space

    def _points(self, sequences: Sequence[Sequence[str]]) -> FloatArray:
        """The points of sequences in the box, shape (n, d)."""
        with one_torch_thread():
            codes = self.vae.encode(sequences)
        points = ndtr((codes - self.vae.centre) / self.vae.spread)
        return np.asarray(np.clip(points, ndtr(-REACH), ndtr(REACH)))
