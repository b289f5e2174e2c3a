"""The initial design: the server's own plan, and its plans under Bao's hint sets.

Bao (Marcus et al., 2021) steers the server with subsets of its join methods and of its scan methods; BayesQO starts from
the 7 x 7 of them, and so does the paper.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from boltbo.domains.plans.language.plan import SWITCHES

JOINS = ("-hash", "-merge", "-nest")
SCANS = ("-seq", "-index", "-indexonly")


def bao_sets() -> list[str]:
    """The 49 hint sets as candidates: `default` first, then those that keep all scan methods, then the rest.

    Every supported version of PostgreSQL has these switches.
    """
    joins = [off for n in range(3) for off in itertools.combinations(JOINS, n)]
    scans = [off for n in range(3) for off in itertools.combinations(SCANS, n)]
    return [_text((*j, *s)) for s in scans for j in joins]


def _text(off: tuple[str, ...]) -> str:
    return " ".join(["default", *(s for s in SWITCHES if s in off)])


def bao_design(n: int, rng: np.random.Generator, explain: Callable[[str], Mapping[str, Any]]) -> list[str]:
    """Up to `n` hint sets that lead to different plans: an oracle call for the same plan again would tell nothing.

    Args:
        n: How many at most.
        rng: Shuffles the sets that also switch scans off.
        explain: A candidate -> the EXPLAIN of its plan.
    """
    sets = bao_sets()
    plain, rest = sets[:7], sets[7:]
    chosen: dict[str, str] = {}
    for text in [*plain, *(rest[i] for i in rng.permutation(len(rest)))]:
        if len(chosen) == n:
            break
        chosen.setdefault(shape(explain(text)), text)
    return list(chosen.values())


_COSTS = ("Cost", "Rows", "Width", "Disabled")


def shape(node: Mapping[str, Any]) -> str:
    """A plan without its estimates: equal for plans that do the same."""

    def strip(node: Mapping[str, Any]) -> dict[str, Any]:
        kept = {k: v for k, v in node.items() if k != "Plans" and not any(word in k for word in _COSTS)}
        return {**kept, "Plans": [strip(child) for child in node.get("Plans", ())]}

    return json.dumps(strip(node), sort_keys=True)
