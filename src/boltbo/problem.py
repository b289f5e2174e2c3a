"""The ground floor: what a task, a candidate, an oracle's answer and a domain are.

Nothing here imports anything else of boltbo. Lower values are better, everywhere.

A *candidate* is plain text (a query plan, a peptide, a list of settings). A *domain* knows how to score one, where a
search may start, how to see candidates as points of a box, and which texts are candidates at all.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

END = ""
"""The symbol by which a `Grammar` says that a candidate may end here."""


class InvalidCandidate(ValueError):
    """A text that is no candidate of its task. The message says what was wrong and where."""


class OracleUnavailable(RuntimeError):
    """The oracle itself is out of order (a dead server, a lost licence): the run stops, nothing is recorded.

    Raise it from `Domain.evaluate` when another candidate would fare no better. Any other exception is taken as this
    candidate's own fault and recorded as a `failed` observation.
    """


class Status(StrEnum):
    """What became of one oracle call."""

    COMPLETE = "complete"
    """The value is the objective."""
    CENSORED = "censored"
    """The oracle stopped early: the objective is at least the value."""
    INFEASIBLE = "infeasible"
    """The candidate breaks a constraint; there is no value."""
    FAILED = "failed"
    """The oracle raised or answered NaN; there is no value."""


@dataclass(frozen=True, slots=True)
class Task:
    """One problem of a domain.

    Attributes:
        id: Unique among the tasks of a campaign.
        context: The text that tells this task from the others; what a language model reads.
        data: What the oracle needs beyond the context. Must survive JSON.
    """

    id: str
    context: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An oracle's answer to one candidate, for oracles that have more to say than a number.

    Attributes:
        value: The objective (lower is better), the bound if `censored`, NaN if there is none.
        status: See `Status`.
        note: Anything a person may want to read about it later.
        scored: The candidate that was scored, in canonical form, where it was not the one asked for: a database that did
            not follow a plan says which one it ran. The value is recorded as this candidate's.
        constraints: Numbers that must be at most 0, always equally many, where the oracle can tell them; a positive one
            makes the candidate infeasible, and how far it is beyond helps an optimizer to find back.
    """

    value: float
    status: Status = Status.COMPLETE
    note: str = ""
    scored: str = ""
    constraints: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """One oracle call as it is recorded: the answer, what it cost in seconds, and who proposed the candidate.

    `source` is one of `default`, `design`, `llm`, `bo`, `import`, or an optimizer's own word. `asked` is what was asked
    for where the oracle scored another candidate. `constraints` is as in `Evaluation`.
    """

    candidate: str
    value: float
    status: Status
    seconds: float
    source: str
    note: str = ""
    asked: str = ""
    constraints: tuple[float, ...] = ()

    @property
    def complete(self) -> bool:
        return self.status is Status.COMPLETE


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The observations of one run on one task, in order."""

    task: Task
    observations: tuple[Observation, ...]

    @property
    def best(self) -> Observation | None:
        """The complete observation with the lowest value, the earliest of equals; None if there is none."""
        return min((o for o in self.observations if o.complete), key=lambda o: o.value, default=None)

    @property
    def as_asked(self) -> float:
        """The share of the calls in which the oracle scored what it was asked to; 1 without any call.

        Of query plans this is the match rate: how often the server followed.
        """
        return 1.0 - sum(bool(o.asked) for o in self.observations) / max(len(self.observations), 1)

    def best_values(self) -> list[float]:
        """The best complete value after each call; infinity before the first one. Length: the number of calls."""
        values, best = [], math.inf
        for o in self.observations:
            best = min(best, o.value) if o.complete else best
            values.append(best)
        return values


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
class Stoppable(Protocol):
    """A domain whose oracle can be stopped at a value that the optimizer names (see `optimizers.base.Limiting`)."""

    def evaluate_within(self, task: Task, candidate: str, best: float | None, limit: float) -> float | Evaluation:
        """`Domain.evaluate`, called instead of it where the optimizer has an opinion.

        Args:
            task: The task.
            candidate: In canonical form.
            best: The lowest value of this run so far.
            limit: A value beyond which nothing more needs to be known of this candidate.
        """
        ...


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
class WarmStart(Protocol):
    """A domain that can write (context, solution) pairs without an oracle; see `llm.compact` for their use."""

    def free_pairs(self, tasks: Sequence[Task], n: int, seed: int) -> Iterable[tuple[str, str]]:
        """About `n` pairs of a context and a valid solution, for tasks like `tasks` (never for validation tasks)."""
        ...
