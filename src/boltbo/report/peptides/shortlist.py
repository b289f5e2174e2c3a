"""From one run to what a person reads: families of candidates, each seen by the oracle and by the judge.

Families are made as ROBOT makes diverse sets (Maus et al., 2023): the best candidate heads the first; the best of those far
enough from all earlier heads heads the next; a candidate belongs to the first head that it is near to, else to the nearest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from boltbo.campaign.distil import top_k
from boltbo.domains.peptides.domain import PeptidesDomain
from boltbo.domains.peptides.objective import Objective
from boltbo.domains.peptides.oracle import MicPredictor
from boltbo.domains.peptides.properties import novelty, properties
from boltbo.domains.peptides.similarity import similarity
from boltbo.problem import FloatArray, Observation, Trajectory
from boltbo.report.peptides.alignment import Pair

APART = 2
"""Edits between any two candidates that are listed, at least"""


@dataclass(frozen=True, slots=True)
class View:
    """What a predictor says of one peptide.

    Attributes:
        value: The objective, in micromolar (or a ratio); NaN where the predictor does not know its species.
        mean: Predicted log10 MIC, shape (species,).
        spread: And how sure that is, in the same unit.
    """

    value: float
    mean: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True)
class Found:
    """One listed candidate, or the template itself (family 0, place 0).

    Attributes:
        sequence: The peptide.
        family, place: Which family, and the how-maniest in it, both from 1: the first one is the best of all.
        edits: What was changed, in words.
        similarity: To the template.
        call: The oracle call in which it was found; its `source` proposed it.
        oracle, judge: What they predict.
        properties: What can be computed of the sequence, by its name.
    """

    sequence: str
    family: int
    place: int
    edits: tuple[str, ...]
    similarity: float
    call: int
    source: str
    oracle: View
    judge: View | None
    properties: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Shortlist:
    """One template and what was found for it.

    Attributes:
        template: The template itself.
        found: The candidates, families in turn, best first in each; empty where none was better than the template.
        best: The best value after each oracle call.
        judged: What the judge says of the candidate that was best then; empty without a judge.
        failed: Oracle calls without a value.
    """

    name: str
    template: Found
    found: tuple[Found, ...]
    best: tuple[float, ...]
    judged: tuple[float, ...]
    failed: int


def shortlist(
    domain: PeptidesDomain,
    trajectory: Trajectory,
    *,
    judge: MicPredictor | None,
    families: int,
    top: int,
    known: Sequence[str] = (),
) -> Shortlist:
    """The best candidates of one finished run, `top` at most in `families` at most, all better than the template.

    Args:
        domain: Its predictor and objective.
        trajectory: The run.
        judge: Another predictor; None: none.
        families: How many groups at most.
        top: How many candidates at most, over all groups.
        known: Peptides that novelty is measured against; empty: it is not.

    Raises:
        InvalidCandidate: A predictor cannot read the template.
    """
    task = trajectory.task
    template = str(task.data["template"])
    chosen = choose(trajectory, template, float(domain.values([template])[0]), domain.least, families, top)
    texts = [template, *(o.candidate for _, o in chosen)]
    calls = {o.candidate: i for i, o in reversed(list(enumerate(trajectory.observations, 1)))}
    sources = {o.candidate: o.source for o in trajectory.observations}
    members = [f for f, _ in chosen]
    places = {o.candidate: members[: i + 1].count(f) for i, (f, o) in enumerate(chosen)}
    by_oracle = views(domain.predictor, domain.objective, texts)
    by_judge = [None] * len(texts) if judge is None else views(judge, domain.objective, texts)
    found = [
        Found(
            text, family, places.get(text, 0), tuple(Pair.of(template, text).edits(template)), similarity(template, text),
            calls.get(text, 0), sources.get(text, "default"), oracle, judged, listed,
        )
        for text, family, oracle, judged, listed in zip(
            texts, [0, *(f for f, _ in chosen)], by_oracle, by_judge, told(texts, known), strict=True
        )
    ]  # fmt: skip
    return Shortlist(
        task.id,
        found[0],
        tuple(found[1:]),
        tuple(trajectory.best_values()),
        () if judge is None else tuple(_judged(judge, domain.objective, trajectory)),
        sum(not o.complete for o in trajectory.observations),
    )


def choose(
    trajectory: Trajectory, template: str, bound: float, least: float, families: int, top: int
) -> list[tuple[int, Observation]]:
    """(family, observation) of the candidates with values below `bound`, family by family, best first in each.

    Two heads are more than half of the edit budget apart, any two candidates at least `APART` edits.
    """
    better = [o for o in trajectory.observations if o.complete and o.value < bound and o.candidate != template]
    shortest = min((len(o.candidate) for o in better), default=1)
    apart = max(APART, math.floor((1 - least) * len(template)) // 2 + 1)

    def spaced(observations: Sequence[Observation], k: int, distance: int) -> list[Observation]:
        """`top_k` measures in shares of the longer text, of which none is shorter than `shortest`."""
        return top_k(Trajectory(trajectory.task, tuple(observations)), k, min(distance / shortest, 1.0), separator="")

    candidates = spaced(better, len(better), APART)
    heads = spaced(candidates, families, apart)
    share = -(-top // max(len(heads), 1))
    members: list[list[Observation]] = [[] for _ in heads]
    spare: list[tuple[int, Observation]] = []
    for o in candidates:
        distances = [0 if o is h else Levenshtein.distance(h.candidate, o.candidate) for h in heads]
        family = next((i for i, d in enumerate(distances) if d < apart), int(np.argmin(distances)))
        if len(members[family]) < share:
            members[family].append(o)
        else:
            spare.append((family, o))
    missing = top - sum(map(len, members))  # where a family is small, others fill up
    for family, o in spare[: max(missing, 0)]:
        members[family].append(o)
    return [(i, o) for i, own in enumerate(members, 1) for o in own][:top]


def told(sequences: Sequence[str], known: Sequence[str]) -> list[dict[str, float | str]]:
    """The properties of each, as columns; with known peptides, how far the nearest is and which one it is."""
    rows: list[dict[str, float | str]] = []
    for sequence in sequences:
        p = properties(sequence)
        rows.append(
            {"length": p.length, "charge": p.charge, "moment": p.moment, "GRAVY": p.gravy, "instability": p.instability}
        )
    for row, nearest in zip(rows, novelty(sequences, known) if known else [], strict=False):
        row |= {"novelty": nearest.distance, "nearest known": nearest.sequence}
    return rows


def views(predictor: MicPredictor, objective: Objective, sequences: Sequence[str]) -> list[View]:
    mean, spread = predictor.predict(sequences)
    known = {*objective.low, *objective.high} <= set(predictor.species)
    values = 10.0 ** objective.of(predictor.species, mean, spread) if known else np.full(len(sequences), math.nan)
    return [View(float(v), m, s) for v, m, s in zip(values, mean, spread, strict=True)]


def _judged(judge: MicPredictor, objective: Objective, trajectory: Trajectory) -> list[float]:
    """The judge's value of the best candidate after each call."""
    best: Observation | None = None
    after: list[str | None] = []
    for o in trajectory.observations:
        if o.complete and (best is None or o.value < best.value):
            best = o
        after.append(None if best is None else best.candidate)
    texts = list(dict.fromkeys(t for t in after if t is not None))
    value = {t: v.value for t, v in zip(texts, views(judge, objective, texts), strict=True)}
    return [math.nan if t is None else value[t] for t in after]
