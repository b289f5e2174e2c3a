"""The contract of an optimizer as a test; a class that passes can be used in every campaign."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from boltbo.domain import END, SearchSpace, StringSpace
from boltbo.errors import InvalidCandidate
from boltbo.optimizers.base import Optimizer
from boltbo.problem import Observation, Status
from boltbo.spaces import Slots, Strings

SLOTS = [[str(j) for j in range(4 + i % 3)] for i in range(8)]

Space = Slots | Strings
Factory = Callable[[Any, int], Optimizer]


def check_optimizer(factory: Factory, over: type = SearchSpace) -> None:
    """Try an optimizer against all that boltbo expects of one. Takes seconds.

    Args:
        factory: Makes the optimizer from a space and a seed.
        over: The kind of space that it searches, `SearchSpace` or `StringSpace`.

    Raises:
        AssertionError: The optimizer breaks a rule; the message says which.
    """
    space: Space = Slots(SLOTS)
    few: Space = Slots([["a", "b"], ["c", "d", "e"]])
    if over is StringSpace:
        space = Strings("01234", (4, 9), separator=" ", template="0 1 2 3 0 1", edits=6)
        few = Strings("ab", (1, 2))
    _asks_valid_new_candidates(factory(space, 0), space)
    _is_deterministic(factory, space)
    _tolerates_anything_told(factory(space, 2), space)
    for statuses in (False, True):
        for steps in (0, 1, 4, 9):
            _goes_on_as_if_never_interrupted(factory, space, steps, statuses)
    _stops_when_exhausted(factory(few, 4), few)


def _asks_valid_new_candidates(optimizer: Optimizer, space: Space) -> None:
    design = _design(space, 10)
    optimizer.tell(design)
    seen = {o.candidate for o in design}
    for n in (1, 3, 1, 8, 2, 5):
        asked = optimizer.ask(n)
        assert isinstance(asked, list), f"ask returns a list of texts, got {type(asked).__name__}"
        assert len(asked) == n, f"ask({n}) returned {len(asked)} candidates although thousands are new"
        for candidate in asked:
            _assert_canonical(space, candidate)
            assert candidate not in seen, f"ask proposed {candidate!r}, which was told or asked before"
            seen.add(candidate)
        if n != 8:  # leave some pending: those must not come again either
            optimizer.tell([_observe(c) for c in asked])


def _is_deterministic(factory: Factory, space: Space) -> None:
    def play(seed: int) -> list[list[str]]:
        design = _design(space, 3) if isinstance(space, Strings) else []
        return _continue(factory(space, seed), design, 6, statuses=False)[0]

    assert play(1) == play(1), "two optimizers of one seed, told the same, asked for different candidates"
    assert play(1) != play(2), "the seed makes no difference"


def _tolerates_anything_told(optimizer: Optimizer, space: Space) -> None:
    optimizer.tell([])
    first = optimizer.ask(2)
    if isinstance(space, Strings):
        assert first == [], f"before any candidate of a StringSpace was told, ask(2) returned {first}"
        first = [o.candidate for o in _design(space, 14)[12:]]
        optimizer.tell([Observation(c, math.nan, Status.FAILED, 0.0, "bo") for c in first])
        second = optimizer.ask(2)
        assert len(second) == 2, f"failed candidates have neighbours; told two, ask(2) returned {second}"
        optimizer.tell([Observation(c, math.nan, Status.INFEASIBLE, 0.0, "bo") for c in second])
        assert len(optimizer.ask(2)) == 2, "infeasible candidates have neighbours; told two, ask(2) returned fewer"
    assert len(first) == 2, "an optimizer that was told nothing must still ask"
    optimizer.tell([Observation("no such candidate", 1.0, Status.COMPLETE, 0.0, "import")])
    optimizer.tell([Observation(c, math.nan, Status.FAILED, 0.0, "bo") for c in first])
    design = [_observe(o.candidate, s) for o, s in zip(_design(space, 12), list(Status) * 3, strict=True)]
    optimizer.tell(design)
    optimizer.tell(design[:2])  # twice the same is odd, but imports have it
    asked = optimizer.ask(4)
    assert len(asked) == 4, f"after observations of every status, ask(4) returned {len(asked)} candidates"
    repeats = set(asked) & {*first, *(o.candidate for o in design)}
    assert not repeats, f"ask proposed {sorted(repeats)} again; failed and infeasible candidates count as seen"


def _goes_on_as_if_never_interrupted(factory: Factory, space: Space, steps: int, statuses: bool) -> None:
    whole = factory(space, 3)
    _, observations = _continue(whole, _design(space, 6), steps, statuses)
    whole.ask(2)  # a checkpoint is taken between ask and tell: these are pending
    state = json.loads(json.dumps(whole.state()))
    resumed = factory(space, 99)  # everything must come from the state, the generator too
    resumed.restore(state, observations)
    expected = _continue(whole, [], 4, statuses)[0]
    asked = _continue(resumed, [], 4, statuses)[0]
    assert asked == expected, (
        f"restored after {len(observations)} observations, it asked {asked}, uninterrupted {expected}"
    )


def _stops_when_exhausted(optimizer: Optimizer, space: Space) -> None:
    asked: list[str] = []
    if isinstance(space, Strings):
        asked = ["a"]
        optimizer.tell([Observation("a", 0.0, Status.COMPLETE, 0.0, "default")])
    for _ in range(6):
        new = optimizer.ask(3)
        optimizer.tell([Observation(c, float(len(asked)), Status.COMPLETE, 0.0, "bo") for c in new])
        asked += new
    assert len(set(asked)) == len(asked), f"a space of 6 candidates: some came twice in {asked}"
    assert len(asked) >= 5, f"a space of 6 candidates: only {asked} were asked"


# --- a problem to try on ----------------------------------------------------------------------------------------------


def _continue(
    optimizer: Optimizer, design: Sequence[Observation], steps: int, statuses: bool
) -> tuple[list[list[str]], list[Observation]]:
    """Tell the design, then ask, score and tell; returns the batch of each step, and every observation told."""
    all_observations = list(design)
    optimizer.tell(all_observations)
    batches = []
    for _ in range(steps):
        batches.append(optimizer.ask(2))
        observations = [_observe(c, _status(c) if statuses else Status.COMPLETE) for c in batches[-1]]
        optimizer.tell(observations)
        all_observations += observations
    return batches, all_observations


def _design(space: Space, n: int) -> list[Observation]:
    """`n` distinct candidates by random walks through the grammar."""
    rng, candidates = np.random.default_rng(7), dict[str, None]()
    while len(candidates) < n:
        state: Any = space.start()
        symbols: list[str] = []
        while not symbols or symbols[-1] != END:
            allowed = space.allowed(state)
            symbols.append(allowed[int(rng.integers(len(allowed)))])
            state = space.advance(state, symbols[-1])
        candidates[space.separator.join(symbols[:-1])] = None
    return [_observe(c) for c in candidates]


def _status(candidate: str) -> Status:
    return list(Status)[sum(map(int, candidate.split())) % 4]


def _observe(candidate: str, status: Status = Status.COMPLETE) -> Observation:
    value = float(sum((int(s) - i % 4) ** 2 for i, s in enumerate(candidate.split())))
    value = value if status in (Status.COMPLETE, Status.CENSORED) else math.nan
    return Observation(candidate, value, status, 0.0, "bo")


def _assert_canonical(space: Space, candidate: str) -> None:
    try:
        canonical = space.canonical(candidate)
    except InvalidCandidate as error:
        raise AssertionError(f"ask returned {candidate!r}, which is no candidate: {error}") from error
    assert canonical == candidate, f"ask returned {candidate!r}, whose canonical spelling is {canonical!r}"
