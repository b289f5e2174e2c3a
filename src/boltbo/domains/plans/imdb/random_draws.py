"""Random draws, vectorised: heavy tails, fan-outs, and choices whose weights depend on a group.

Notation: n rows to draw, V things to choose from, G groups.
"""

from __future__ import annotations

import numpy as np

from boltbo.domains.plans.imdb.table import Floats, Ints


def heavy_tail(rng: np.random.Generator, n: int, shape: float, limit: float) -> Floats:
    """Popularities, shape (n,): Lomax with the given shape (smaller is heavier), cut at `limit`, of mean 1."""
    x = np.minimum(rng.pareto(shape, n) + 0.05, limit)
    return np.asarray(x / x.mean())


def zipf(n: int, exponent: float = 1.0) -> Floats:
    """Weights 1, 2^-exponent, 3^-exponent, …, shape (n,)."""
    return np.asarray(np.arange(1, n + 1) ** -exponent)


def fan_out(rng: np.random.Generator, expected: Floats) -> Ints:
    """Poisson numbers of children, one entry a child: the position of its parent, ascending."""
    return np.repeat(np.arange(len(expected)), rng.poisson(expected))


def chance(rng: np.random.Generator, probability: Floats) -> Ints:
    """The positions that are drawn, each with its own probability (values over 1 are certain)."""
    return np.flatnonzero(rng.random(len(probability)) < probability)


def choose(rng: np.random.Generator, weights: Floats, n: int) -> Ints:
    """n choices among V by weights of shape (V,)."""
    return choose_by_group(rng, weights[None, :], np.zeros(n, dtype=np.int64))


def choose_by_group(rng: np.random.Generator, weights: Floats, groups: Ints) -> Ints:
    """One choice a row among V, by the weights of its group.

    Args:
        rng: The source of randomness.
        weights: Shape (G, V); every row needs a positive entry.
        groups: Shape (n,), the group of each row.
    """
    cumulative = np.cumsum(weights, axis=1, dtype=float)
    cumulative /= cumulative[:, -1:]
    # one ascending list: group g's bounds lie between g and g + 1
    bounds = (cumulative + np.arange(len(weights))[:, None]).ravel()
    positions = np.searchsorted(bounds, groups + rng.random(len(groups)) * (1 - 1e-9), side="right")
    return np.asarray(np.minimum(positions - groups * weights.shape[1], weights.shape[1] - 1), dtype=np.int64)


def choose_members(rng: np.random.Generator, weights: Floats, member_of: Ints, groups: Ints, loyalty: float) -> Ints:
    """One choice a row among V things, by their weights, from the row's own group with probability `loyalty`.

    Rows whose group has no members, and the disloyal, choose among all.

    Args:
        rng: The source of randomness.
        weights: Shape (V,).
        member_of: Shape (V,), the group of each thing.
        groups: Shape (n,), the group of each row.
        loyalty: The probability of staying in the group.
    """
    order = np.argsort(member_of, kind="stable")
    bounds = np.concatenate([[0.0], np.cumsum(weights[order])])
    first = np.searchsorted(member_of[order], groups, side="left")
    last = np.searchsorted(member_of[order], groups, side="right")
    free = (first == last) | (rng.random(len(groups)) > loyalty)
    low, high = np.where(free, 0.0, bounds[first]), np.where(free, bounds[-1], bounds[last])
    positions = np.searchsorted(bounds, low + (high - low) * rng.random(len(groups)) * (1 - 1e-9), side="right") - 1
    return np.asarray(order[np.clip(positions, 0, len(order) - 1)], dtype=np.int64)
