"""Which sequences a predictor can read."""

from __future__ import annotations

from collections.abc import Sequence

from boltbo.domains.peptides.oracle.scales import AMINO_ACIDS
from boltbo.errors import InvalidCandidate


def check_sequences(sequences: Sequence[str], shortest: int, longest: int) -> None:
    """Refuse what is no peptide for this predictor.

    Raises:
        InvalidCandidate: The message names the first bad sequence and what is wrong with it.
    """
    for i, sequence in enumerate(sequences):
        if not isinstance(sequence, str) or not shortest <= len(sequence) <= longest:
            length = f"{len(sequence)} residues" if isinstance(sequence, str) else type(sequence).__name__
            raise InvalidCandidate(
                f"sequence {i + 1}, {str(sequence)[:40]!r}: {length}, this predictor reads {shortest} to {longest}"
            )
        strange = sorted(set(sequence) - set(AMINO_ACIDS))
        if strange:
            at = min(sequence.index(s) for s in strange)
            raise InvalidCandidate(
                f"sequence {i + 1}, {sequence[:40]!r}: {sequence[at]!r} at place {at + 1} is none of {AMINO_ACIDS}"
            )
