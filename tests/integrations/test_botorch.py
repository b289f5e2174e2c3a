"""BoTorch, the real library: points that stand for candidates, objectives that are maximized."""

from __future__ import annotations

import pytest

pytest.importorskip("botorch", reason="needs the extra botorch")

import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf
from gpytorch.mlls import ExactMarginalLogLikelihood

from boltbo import Slots
from boltbo.integrations.botorch import BoltboGenerator, initial_conditions
from boltbo.optimizers import make_optimizer
from boltbo.proposers import InitialDesign
from support.quadratic import Quadratic, make_tasks

[TASK] = make_tasks(1)
SPACE = Quadratic().space(TASK)
BOUNDS = torch.tensor([[-5.0, 0.0, 10.0], [5.0, 1.0, 30.0]], dtype=torch.double)


def objective(generator: BoltboGenerator, X: torch.Tensor) -> torch.Tensor:
    """To be maximized, shape (n, 1)."""
    return torch.tensor([[-Quadratic().evaluate(TASK, c, None)] for c in generator.candidates(X)])


@pytest.mark.parametrize("bounds", [None, BOUNDS])
def test_ask_and_tell_go_where_the_optimizer_goes_and_get_better(bounds: torch.Tensor | None) -> None:
    generator = BoltboGenerator(SPACE, bounds=bounds, seed=3)
    alone = make_optimizer("turbo", SPACE, seed=3)
    best = []
    for q in (6, 4, 4, 4, 4, 4):
        X = generator.ask(q)
        assert (X.shape, X.dtype) == ((q, 3), torch.double)
        low, high = generator.bounds
        assert bool(((low <= X) & (high >= X)).all())
        assert generator.candidates(X) == alone.ask(q)
        Y = objective(generator, X)
        generator.tell(X, Y)
        alone.tell(_observations(generator.candidates(X), Y))
        best.append(float(Y.max()))
    assert max(best[1:]) > best[0]


def _observations(candidates: list[str], Y: torch.Tensor) -> list[object]:
    from boltbo import Observation, Status

    return [Observation(c, -float(y), Status.COMPLETE, 0.0, "bo") for c, y in zip(candidates, Y, strict=True)]


def test_what_is_told_is_never_asked_again_and_a_value_that_is_none_is_a_failure() -> None:
    space = Slots([["a", "b"], ["c", "d"]])
    generator = BoltboGenerator(space, make_optimizer("random", space, seed=0))
    X = torch.tensor([[0.1, 0.2], [0.9, 0.9]])
    generator.tell(X, torch.tensor([float("nan"), 1.0]))
    assert sorted(generator.candidates(generator(4))) == ["a d", "b c"]
    history = generator.optimizer.history  # type: ignore[attr-defined]
    assert history.values.tolist() == [-1.0]


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (torch.zeros(2, 4), torch.zeros(2, 1), r"X must have the shape \(n, 3\), got \(2, 4\)"),
        (torch.zeros(3), torch.zeros(1), r"X must have the shape"),
        (torch.zeros(2, 3), torch.zeros(2, 2), r"Y must have the shape \(2, 1\)"),
        (torch.zeros(2, 3), torch.zeros(3, 1), r"Y must have the shape \(2, 1\)"),
    ],
)
def test_other_shapes_are_refused(X: torch.Tensor, Y: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BoltboGenerator(SPACE).tell(X, Y)


def test_bounds_of_another_shape_or_order_are_refused() -> None:
    for bounds in (torch.zeros(3, 2), torch.zeros(2, 3), BOUNDS.flip(0)):
        with pytest.raises(ValueError, match=r"bounds must have the shape \(2, 3\)"):
            BoltboGenerator(SPACE, bounds=bounds)


def test_initial_conditions_are_the_proposals_and_as_many_as_wanted() -> None:
    proposer = InitialDesign(Quadratic())
    X = initial_conditions(proposer, TASK, SPACE, 5, BOUNDS, seed=2)
    assert (X.shape, X.dtype) == ((5, 3), torch.double)
    [proposals] = proposer.propose([TASK], 5, 2)
    assert BoltboGenerator(SPACE, bounds=BOUNDS).candidates(X) == [c for c, _ in proposals]

    class Two(InitialDesign):
        def propose(self, *args: object, **kwargs: object) -> list[list[tuple[str, str]]]:
            return [[("1 2 3", "llm"), ("3 2 1", "llm")]]

    found = BoltboGenerator(SPACE).candidates(initial_conditions(Two(Quadratic()), TASK, SPACE, 6))
    assert found[:2] == ["1 2 3", "3 2 1"]
    assert len(set(found)) == 6
    small = Slots([["a", "b"]])
    assert initial_conditions(InitialDesign(Small()), TASK, small, 6).shape == (6, 1)


class Small(Quadratic):
    def space(self, task: object) -> Slots:
        return Slots([["a", "b"]])

    grammar = space

    def initial_design(self, task: object, n: int, rng: object) -> list[str]:
        return ["a"]


def test_a_botorch_loop_starts_from_proposals_and_ends_at_candidates() -> None:
    generator = BoltboGenerator(SPACE, bounds=BOUNDS)
    X = initial_conditions(InitialDesign(Quadratic()), TASK, SPACE, 6, BOUNDS)
    Y = objective(generator, X).double()
    model = SingleTaskGP((X - BOUNDS[0]) / (BOUNDS[1] - BOUNDS[0]), Y)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    unit = BoltboGenerator(SPACE)
    found, value = optimize_acqf(
        LogExpectedImprovement(model, best_f=Y.max()), unit.bounds, q=1, num_restarts=4, raw_samples=32,
        gen_candidates=unit.gen_candidates, options={"maxiter": 20},
    )  # fmt: skip
    [candidate] = unit.candidates(found)
    assert found[0].numpy() == pytest.approx(SPACE.encode(candidate))
    assert bool(torch.isfinite(value))
