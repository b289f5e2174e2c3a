"""The server's own plans under switches as a box: a coordinate a switch, off in its upper half."""

from __future__ import annotations

import numpy as np

from boltbo.domains.plans.language.canonical import JOIN_METHODS, SCAN_METHODS, canonical_switches
from boltbo.domains.plans.language.plan import Abilities, Plan
from boltbo.domains.plans.language.spelling import spell
from boltbo.errors import InvalidCandidate
from boltbo.problem import FloatArray


class SwitchSpace:
    """Bao's hint sets as a search space, for where nothing but switches steers the server (see `problem.SearchSpace`).

    Where a point has all join methods or all scan methods off, the one that is off least stays on.
    """

    def __init__(self, abilities: Abilities) -> None:
        self.abilities = abilities

    @property
    def dim(self) -> int:
        return len(self.abilities.switches)

    def decode(self, points: FloatArray) -> list[str]:
        texts = []
        for row in np.atleast_2d(points).tolist():
            at = dict(zip(self.abilities.switches, row, strict=True))
            off = {s for s, x in at.items() if x > 0.5}
            for methods in (JOIN_METHODS, SCAN_METHODS):
                if methods <= off:
                    off.discard(min(sorted(methods), key=at.__getitem__))
            texts.append(spell(Plan((), canonical_switches(sorted(off), self.abilities))))
        return texts

    def encode(self, candidate: str) -> FloatArray:
        word, *off = candidate.split() or [""]
        if word != "default":
            raise InvalidCandidate(f"expected default and switches, found {candidate[:40]!r}")
        switched = set(canonical_switches(off, self.abilities))
        return np.array([0.75 if s in switched else 0.25 for s in self.abilities.switches])
