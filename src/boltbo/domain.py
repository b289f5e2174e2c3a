"""What a domain is: how to score a candidate, where a search may start, which texts are candidates at all.

`Domain` is what boltbo asks of a user. The other protocols are what a domain hands over (`SearchSpace`, `StringSpace`,
`Grammar`) or what it may offer besides (`Constrained`, `Estimating`, `Pretraining`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from boltbo.problem import Evaluation, FloatArray, Task

END = ""
"""The symbol by which a `Grammar` says that a candidate may end here."""


@runtime_checkable
class SearchSpace(Protocol):
    """Candidates of one task as points of the box [0, 1]^dim, and back. Every point decodes to a valid candidate."""

    @property
    def dim(self) -> int: ...

    def encode(self, candidate: str) -> FloatArray:
        """A point, shape (dim,), that decodes to the candidate or to the nearest one the box can say.

        Raises:
            InvalidCandidate: The text is no candidate of this task.
        """
        ...

    def decode(self, points: FloatArray) -> list[str]:
        """The candidate of each row of `points`, shape (n, dim)."""
        ...


class Guide(Protocol):
    """A differentiable model of the objective on points of a box, with which a space can be learnt together (in torch)."""

    def parameters(self) -> Iterable[Any]:
        """What of the model is learnt along."""
        ...

    def loss(self, points: Any, rows: Any) -> Any:
        """The loss per observation, a scalar, of the observations `rows`, (B,), whose candidates are at `points`, (B, dim)."""
        ...


@runtime_checkable
class AdaptiveSpace(SearchSpace, Protocol):
    """A box that can be made anew to suit one run: where its good candidates lie dense and the objective is smooth."""

    def adapted(self, candidates: Sequence[str], weights: FloatArray, guide: Guide, seed: int) -> AdaptiveSpace:
        """Another box of as many dimensions; this one stays as it is. A function of its arguments, bit for bit.

        Args:
            candidates: Of the run so far, each one that `encode` takes.
            weights: How much each of them matters, shape (n,), sum 1.
            guide: Knows the candidates by their places in `candidates`; is learnt along.
            seed: Of every random choice.
        """
        ...


@runtime_checkable
class StringSpace(Protocol):
    """Candidates of one task as sequences of symbols that change by edits, for search without a box.

    An *edit* inserts, deletes or replaces one symbol; the distance of two candidates is the Levenshtein distance of their
    `symbols`. Or the space has edits of its own, each of which changes several symbols, such as moves of a tree; a space may
    name the built-in optimizer that suits it as its `optimizer`. Everything returned is a valid candidate of this task in
    canonical form, so that no oracle call is spent on an infeasible one.
    """

    def symbols(self, candidate: str) -> Sequence[str]:
        """What writes the candidate.

        Raises:
            InvalidCandidate: The text is no candidate of this task.
        """
        ...

    def mutants(self, candidate: str, edits: int, n: int, rng: np.random.Generator) -> list[str]:
        """Up to `n` candidates, each at least one and at most `edits` edits away from a valid one; repeats may occur."""
        ...

    def crossed(self, one: str, other: str, n: int, rng: np.random.Generator) -> list[str]:
        """Up to `n` candidates that take a part of `one` and the rest of `other`; none if that cannot be done."""
        ...


class Grammar(Protocol):
    """The valid candidates of one task, as a state machine over symbols.

    It steers a language model while it samples (every prefix that follows `allowed` can be finished) and checks any
    text from outside (`canonical`). States are immutable and hashable. A candidate is its symbols joined by
    `separator` (a blank, or nothing for letter sequences).
    """

    @property
    def separator(self) -> str: ...

    def start(self) -> Hashable:
        """The state before the first symbol."""
        ...

    def allowed(self, state: Any) -> Sequence[str]:
        """The symbols that may come next, never none; `END` among them where the candidate may stop."""
        ...

    def advance(self, state: Any, symbol: str) -> Hashable:
        """The state after `symbol`, which must be one of `allowed(state)`."""
        ...

    def canonical(self, text: str) -> str:
        """The one spelling of the candidate that `text` writes, by which duplicates are told.

        Raises:
            InvalidCandidate: The text is no candidate of this task.
        """
        ...


@runtime_checkable
class Domain(Protocol):
    """A family of problems that share a way to write solutions. Five members are all that boltbo asks of a user.

    Implementations are pickled into worker processes: hold configuration, and open connections on first use.
    """

    @property
    def name(self) -> str: ...

    @property
    def instruction(self) -> str:
        """The system prompt: what a solution of this domain is and how it is written."""
        ...

    def evaluate(self, task: Task, candidate: str, best: float | None) -> float | Evaluation:
        """Score one candidate: one oracle call.

        Args:
            task: The task.
            candidate: In canonical form.
            best: The lowest value of this run so far, None at first. An oracle that can be cut short (a query with
                a statement timeout) may stop at a multiple of it and answer `censored`.

        Raises:
            OracleUnavailable: No candidate can be scored now.
        """
        ...

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        """Up to `n` candidates to start from without a model, the domain's default first."""
        ...

    def space(self, task: Task) -> SearchSpace | StringSpace:
        """A box for `turbo`, `local` and `random`; sequences of symbols for `edits` and `evolution`."""
        ...

    def grammar(self, task: Task) -> Grammar: ...


@runtime_checkable
class Constrained(Protocol):
    """A domain with constraints that it can check without the oracle, beyond what its space and grammar say already."""

    def feasible(self, task: Task, candidate: str) -> bool:
        """Whether the candidate, in canonical form, may be scored. What may not is never proposed and costs no call."""
        ...


@runtime_checkable
class Estimating(Protocol):
    """A domain that can guess values without the oracle, cheaply: a database by its cost model."""

    def estimates(self, task: Task, candidates: Sequence[str]) -> Sequence[float]:
        """A guess for each candidate, in canonical form; lower is better, and only the order counts. Infinity: no guess."""
        ...


@runtime_checkable
class Pretraining(Protocol):
    """A domain that can write (context, solution) pairs without an oracle; see `llm.compact` for their use."""

    def pretraining_pairs(self, tasks: Sequence[Task], n: int, seed: int) -> Iterable[tuple[str, str]]:
        """About `n` pairs of a context and a valid solution, for tasks like `tasks` (never for validation tasks)."""
        ...
