"""What a predictor of MIC is, and how one is opened: the shipped one, a folder that was trained here, a class of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from boltbo.errors import ConfigError
from boltbo.problem import FloatArray
from boltbo.system.named import is_named, load_named

SHIPPED = "shipped"
"""The name of the predictor and the judge that come with the package."""


@runtime_checkable
class MicPredictor(Protocol):
    """Predicts minimal inhibitory concentrations. In silico: an estimate, never a measurement."""

    @property
    def species(self) -> tuple[str, ...]:
        """The names of the columns of what `predict` returns, as in `SPECIES` where they are known there."""
        ...

    def predict(self, sequences: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Mean and spread (a standard deviation of the mean, not of a measurement) of log10 MIC in micromolar.

        Args:
            sequences: n peptides in capital one-letter codes of the twenty natural residues.

        Returns:
            Two arrays of shape (n, species).

        Raises:
            InvalidCandidate: The predictor cannot read a sequence.
        """
        ...


def load_predictor(where: str | Path = SHIPPED) -> MicPredictor:
    """Open a predictor.

    Args:
        where: `shipped`; a folder that `boltbo peptides train-oracle` wrote; or `module:Name` of a predictor of your own,
            an object with `species` and `predict`, or a class or function without arguments that makes one.

    Raises:
        ConfigError: There is no predictor of this name.
        CorruptModel: The files are damaged.
    """
    if is_named(str(where)) and not Path(where).exists():
        return _imported(str(where))
    from boltbo.domains.peptides.oracle.ensemble import Ensemble

    return Ensemble.load(_folder(where))


def load_judge(where: str | Path = SHIPPED) -> MicPredictor:
    """Open a judge: a predictor of another family, trained apart, that no search ever asks.

    `where` is as for `load_predictor`.
    """
    if is_named(str(where)) and not Path(where).exists():
        return _imported(str(where))
    from boltbo.domains.peptides.oracle.judge import Judge

    return Judge.load(_folder(where))


def _folder(where: str | Path) -> Path:
    folder = Path(__file__).with_name(SHIPPED) if str(where) == SHIPPED else Path(where)
    if not folder.is_dir():
        raise ConfigError(
            f"there is no predictor at {str(where)!r}: expected 'shipped', a folder that boltbo peptides train-oracle wrote, "
            "or module:Name of your own"
        )
    return folder


def _imported(name: str) -> MicPredictor:
    predictor = load_named(name, "predictor")
    ready = isinstance(predictor, MicPredictor) and not isinstance(predictor, type)
    made = predictor() if callable(predictor) and not ready else predictor
    if not isinstance(made, MicPredictor):
        raise ConfigError(f"{name!r} is no predictor: it needs `species` and `predict(sequences)`")
    return made
