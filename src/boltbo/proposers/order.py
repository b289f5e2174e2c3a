"""Which of a model's samples are scored, and in which order: no oracle is asked, and the first few may be all.

    consensus    first the one that is least edits away from all others (minimum Bayes risk, Kumar & Byrne, 2004)
    estimated    first the one of the least sum of two ranks: by that distance, and by the domain's own guess of the value
    raised       by how much fine-tuning raised them over the base (`backend.Referenced`), and far from each other

After the first one the others follow as they come. The last orders all, each by its score and by how far it is from those
before it (maximal marginal relevance, Carbonell & Goldstein, 1998): what is nearly the best says little beside the best.

Likelihoods are rounded before they are compared, and equal ones go by text (by the order in which they came, in the
last): what is equally likely is not put in order by the last bits of the products that said so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.stats import rankdata

from boltbo.domain import Domain, Estimating
from boltbo.errors import ConfigError
from boltbo.llm.backend import LanguageModel, Prompt, Referenced, Sample
from boltbo.problem import FloatArray

First = Literal["consensus", "estimated", "raised"]

JUDGED = 100
"""Samples among which the consensus is looked for"""

APART = 4.0
"""What the distance from those before counts beside the score, in means and standard deviations of the samples'"""

DIGITS = 4
"""Decimals of a log-likelihood that count: those beyond depend on what was computed beside it."""


Estimate = Callable[[Sequence[str]], Sequence[float]]
"""What a domain guesses of candidates of a task (`problem.Estimating`)"""


def check_first(first: First | None, domain: Domain) -> None:
    """Raises:
    ConfigError: `first` asks the domain for estimates that it has not.
    """
    if first == "estimated" and not isinstance(domain, Estimating):
        raise ConfigError(f"first = 'estimated': domain {domain.name!r} has no estimates; take 'consensus'")


def ordered(
    samples: list[Sample],
    n: int,
    first: First | None,
    model: LanguageModel,
    prompt: Prompt,
    estimate: Estimate | None = None,
) -> list[Sample]:
    """The `n` samples to score, in that order; of more, those that the order says, or else the likeliest.

    Args:
        samples: Of the model, distinct.
        n: How many at most.
        first: Which order; None: as they come.
        model: Theirs.
        prompt: What it was asked.
        estimate: For `estimated`.

    Raises:
        ConfigError: `first` asks for what the model cannot tell.
    """
    separator, texts = prompt.grammar.separator, [s.text for s in samples]
    if first == "raised" and samples:
        if not isinstance(model, Referenced):
            raise ConfigError("first = 'raised' asks a model for its base, which this one has not: take 'consensus'")
        order = spread(np.array(model.log_ratios(prompt.context, texts)).round(DIGITS), texts, separator, n)
        return [samples[i] for i in order]
    if len(samples) > n:
        return sorted(samples, key=_likeliest_first)[:n]
    if first is None or not samples:
        return samples
    ranks = rankdata(remoteness(texts[:JUDGED], separator))
    if first == "estimated":
        assert estimate is not None
        ranks = ranks + rankdata(estimate(texts[:JUDGED]))
    best = int(ranks.argmin())
    return [samples[best], *samples[:best], *samples[best + 1 :]]


def _likeliest_first(sample: Sample) -> tuple[float, str]:
    """A key to sort by."""
    return -round(sample.logprob, DIGITS), sample.text


def spread(scores: FloatArray, texts: Sequence[str], separator: str, n: int) -> list[int]:
    """The places of `n` texts, one after the other, of high scores and far from those before.

    Args:
        scores: (N,).
        texts: N of them.
        separator: What parts their symbols.
        n: How many, at most N.
    """
    distance = distances(texts, separator)
    worth = (scores - scores.mean()) / (scores.std() or 1.0)
    unit = distance.mean() or 1.0
    nearest = np.zeros(len(texts))  # nothing was chosen yet
    chosen: list[int] = []
    for _ in range(min(n, len(texts))):
        chosen.append(int((worth + APART * nearest / unit).argmax()))
        nearest = distance[chosen[-1]].copy() if len(chosen) == 1 else np.minimum(nearest, distance[chosen[-1]])
        worth[chosen[-1]] = -np.inf
    return chosen


def remoteness(texts: Sequence[str], separator: str) -> FloatArray:
    """The mean distance of each text to the others, in edits of symbols, as a share of the longer text."""
    means: FloatArray = distances(texts, separator).mean(axis=1, dtype=np.float64)
    return means


def distances(texts: Sequence[str], separator: str) -> NDArray[np.float32]:
    """The distance of each two texts in edits of symbols, as a share of the longer text."""
    character: dict[str, str] = {}  # symbol -> a character of its own
    written = ["".join(character.setdefault(s, chr(len(character))) for s in symbols(t, separator)) for t in texts]
    edits: NDArray[np.float32] = cdist(written, written, scorer=Levenshtein.normalized_distance, dtype=np.float32)
    return edits


def symbols(text: str, separator: str) -> Sequence[str]:
    """The symbols that a solution is written in."""
    return text.split(separator) if separator else text
