"""The paper's own space for peptides: one sequence VAE, and its latent box for each template.

It learns from a corpus, the training templates and random relatives of both, so that places near each other in the latent space
write peptides a few edits apart. What is decoded obeys the template's grammar: every point is a feasible relative.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from boltbo.domains.peptides.design import mutants
from boltbo.domains.peptides.oracle.scales import AMINO_ACIDS
from boltbo.domains.peptides.space import Relatives
from boltbo.domains.peptides.templates import LONGEST, SHORTEST, read_templates, what_is_wrong
from boltbo.errors import ConfigError
from boltbo.latent.kept import keep, kept

if TYPE_CHECKING:  # torch is imported when it is needed
    from boltbo.latent.space import LatentSpace
    from boltbo.latent.vae import SequenceVAE

HELD_OUT = 500

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Recipe:
    """How the VAE is made.

    Attributes:
        sequences: Number of training sequences: corpus and templates as they are, then random relatives of them.
        epochs: Passes over the training sequences.
        latent: Dimensions of the latent space; APEXGo has 256.
        width, layers: Size of encoder and decoder; APEXGo's (width 128, 6 layers) needs a GPU.
        seed: Seed of the relatives, the first weights and the training.
    """

    sequences: int = 30_000
    epochs: float = 4.0
    latent: int = 256
    width: int = 96
    layers: int = 2
    seed: int = 0


class PeptideCodec:
    """Relatives of one template by their letters (see `latent.space.Codec`)."""

    def __init__(self, space: Relatives) -> None:
        self._space = space

    def symbols(self, candidate: str) -> list[str]:
        return self._space.symbols(candidate)

    def candidate(self, symbols: Sequence[str]) -> str:
        return "".join(symbols)


def read_corpus(path: Path) -> list[str]:
    """Sequences of a file: one a line (of which those of another length than a template's are left out), FASTA, or CSV.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if lines and all(line.isalpha() for line in lines):
        fitting = [(n, line) for n, line in enumerate(lines, 1) if SHORTEST <= len(line) <= LONGEST]
        for number, line in fitting:
            if (wrong := what_is_wrong(line)) is not None:
                raise ConfigError(f"{path}, sequence {number}: {wrong}")
        return [line for _, line in fitting]
    return [t.sequence for t in read_templates(path)]


def training_set(sequences: Sequence[str], least: float, n: int, rng: np.random.Generator) -> Iterator[str]:
    """`n` sequences: those given, then random relatives of them."""
    yield from sequences[:n]
    for _ in range(max(0, n - len(sequences))):
        parent = sequences[int(rng.integers(len(sequences)))]
        yield (mutants(Relatives(parent, least), 1, rng) or [parent])[0]


def ensure_vae(
    sequences: Sequence[str], least: float, folder: Path, recipe: Recipe | None = None, progress: Progress | None = None
) -> dict[str, float]:
    """Train the VAE of these sequences unless the folder holds it; what `boltbo.latent.vae.SequenceVAE.load` reads.

    Returns:
        How well it does on held-out relatives: `exact` and `per_symbol` reconstruction, training `seconds`, `sequences`.
    """
    recipe = recipe or Recipe()
    unique = sorted(set(sequences))
    digest = hashlib.sha256("\n".join(unique).encode()).hexdigest()

    def make() -> tuple[SequenceVAE, dict[str, float]]:
        from boltbo.latent.vae import SequenceVAE

        rng = np.random.default_rng(recipe.seed)
        shuffled = [unique[i] for i in rng.permutation(len(unique))]
        corpus = list(training_set(shuffled, least, recipe.sequences + HELD_OUT, rng))
        vae = SequenceVAE.create(
            AMINO_ACIDS, LONGEST, latent=recipe.latent, width=recipe.width, layers=recipe.layers, seed=recipe.seed
        )
        fitted = vae.fit(corpus[:-HELD_OUT], seed=recipe.seed, epochs=recipe.epochs, progress=progress)
        back = vae.reconstruction(corpus[-HELD_OUT:])
        return vae, {
            "exact": back.exact, "per_symbol": back.per_symbol, "seconds": fitted.seconds,
            "sequences": float(len(corpus) - HELD_OUT),
        }  # fmt: skip

    return keep(folder, "peptides", {**asdict(recipe), "similarity": least, "learnt": digest}, make)


def latent_space(folder: Path, space: Relatives) -> LatentSpace:
    """The box of a template's relatives in the latent space of the VAE that `ensure_vae` put into a folder.

    Raises:
        CorruptModel: The folder holds none.
    """
    from boltbo.latent.space import LatentSpace

    return LatentSpace(kept(folder), PeptideCodec(space), space)
