"""A latent space that learns in a second, for tests of optimizers that move it: words of a toy language."""

import numpy as np

from boltbo.errors import InvalidCandidate
from boltbo.latent.space import LatentSpace
from boltbo.latent.vae import SequenceVAE

LETTERS = "abcd"


class SlotsCodec:
    """Candidates of `Slots` for a VAE of their symbols: what is missing is the slot's first, what is no choice its nearest."""

    def __init__(self, slots):
        self.slots = slots

    def symbols(self, candidate):
        return self.slots.canonical(candidate).split()

    def candidate(self, symbols):
        given = [*symbols, *["0"] * len(self.slots.choices)]
        choices = self.slots.choices
        return " ".join(
            slot[min(int(g), len(slot) - 1)] if g.isdigit() else g for slot, g in zip(choices, given, strict=False)
        )


def slots_space(slots, cache={}):  # noqa: B006
    """The latent space of random candidates of `Slots` whose symbols are numbers."""
    key = slots.choices
    if key not in cache:
        symbols = sorted({s for slot in slots.choices for s in slot})
        vae = SequenceVAE.create(symbols, len(slots.choices), latent=slots.dim, width=16, layers=1, heads=2, seed=0)
        points = np.random.default_rng(0).random((400, slots.dim))
        vae.fit([c.split() for c in slots.decode(points)], seed=0, epochs=15, rate=1e-2)
        cache[key] = vae
    return LatentSpace(cache[key], SlotsCodec(slots))


class Words:
    """Any word of one to eight letters."""

    def symbols(self, candidate):
        if not 1 <= len(candidate) <= 8 or set(candidate) - set(LETTERS):
            raise InvalidCandidate(candidate)
        return list(candidate)

    def candidate(self, symbols):
        return "".join(symbols) or "a"


def random_words(n, seed):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(LETTERS), rng.integers(4, 9))) for _ in range(n)]
