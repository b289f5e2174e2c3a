"""From one run to what a person reads: families of candidates, each seen by the oracle and by the judge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from boltbo.domains.peptides.alignment import Pair
from boltbo.domains.peptides.domain import PeptidesDomain
from boltbo.domains.peptides.objective import Objective
from boltbo.domains.peptides.oracle import MicPredictor
from boltbo.domains.peptides.properties import novelty, properties
from boltbo.domains.peptides.shortlist.families import choose
from boltbo.domains.peptides.similarity import similarity
from boltbo.problem import FloatArray, Observation, Trajectory


@dataclass(frozen=True, slots=True)
class View:
    """What a predictor says of one peptide.

    Attributes:
        value: The objective, in micromolar (or a ratio); NaN where the predictor does not know its species.
        mean: Predicted log10 MIC, shape (species,).
        spread: How unsure that is, in the same unit.
    """

    value: float
    mean: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True)
class Listed:
    """One listed candidate, or the template itself (family 0, place 0).

    Attributes:
        sequence: The peptide.
        family, place: Which family, and the how-maniest in it, both from 1: the first one is the best of all.
        edits: What was changed, in words.
        similarity: The similarity to the template, from 0 to 1.
        call: The oracle call in which it was found; its `source` proposed it.
        oracle, judge: What the two predictors say of it.
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
    """One template and the candidates found for it.

    Attributes:
        template: The template itself.
        candidates: The candidates, families in turn, best first in each; empty where none was better than the template.
        best: The best value after each oracle call.
        judged: What the judge says of the candidate that was best then; empty without a judge.
        failed: Oracle calls without a value.
    """

    name: str
    template: Listed
    candidates: tuple[Listed, ...]
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
        domain: The domain, with its predictor and objective.
        trajectory: The run.
        judge: Another predictor; None: nobody judges.
        families: How many families there are at most.
        top: How many candidates are listed at most, over all families.
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
    oracle_views = views(domain.predictor, domain.objective, texts)
    judge_views: Sequence[View | None] = [None] * len(texts) if judge is None else views(judge, domain.objective, texts)
    listed = [
        Listed(
            text, family, places.get(text, 0), tuple(Pair.of(template, text).edits(template)), similarity(template, text),
            calls.get(text, 0), sources.get(text, "default"), by_oracle, by_judge, row,
        )
        for text, family, by_oracle, by_judge, row in zip(
            texts, [0, *(f for f, _ in chosen)], oracle_views, judge_views, property_rows(texts, known), strict=True
        )
    ]  # fmt: skip
    return Shortlist(
        task.id,
        listed[0],
        tuple(listed[1:]),
        tuple(trajectory.best_values()),
        () if judge is None else tuple(_judged(judge, domain.objective, trajectory)),
        sum(not o.complete for o in trajectory.observations),
    )


def property_rows(sequences: Sequence[str], known: Sequence[str]) -> list[dict[str, float | str]]:
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
    """What a predictor says of each peptide."""
    mean, spread = predictor.predict(sequences)
    knows_all = {*objective.low, *objective.high} <= set(predictor.species)
    values = 10.0 ** objective.of(predictor.species, mean, spread) if knows_all else np.full(len(sequences), math.nan)
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
