"""The plans domain: a faster plan for a given SQL query on a given PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psycopg

from boltbo.domain import SearchSpace, StringSpace
from boltbo.domains.plans.context import READS, ContextWriter, Policy, server_plan_text
from boltbo.domains.plans.design import bao_design
from boltbo.domains.plans.dialects import Dialect, DialectName, Statement
from boltbo.domains.plans.language.explain import follows, plan_from_explain
from boltbo.domains.plans.language.grammar import PlanGrammar, format_plan
from boltbo.domains.plans.language.plan import EVERYTHING, Plan
from boltbo.domains.plans.language.query import Query
from boltbo.domains.plans.pretraining import pretraining_pairs
from boltbo.domains.plans.search.latent import latent_space
from boltbo.domains.plans.search.moves import PlanMoves
from boltbo.domains.plans.search.switches import SwitchSpace
from boltbo.domains.plans.server.choose_dialect import choose
from boltbo.domains.plans.server.column_types import check_types
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.server.measure import Measurement, measure
from boltbo.domains.plans.server.objective import Objective, find_objective
from boltbo.domains.plans.server.query_cache import QueryCache
from boltbo.problem import Evaluation, Status, Task

INSTRUCTION = """\
You write join plans for PostgreSQL. You are given {reads}. Answer with one plan that runs fast:
a chain of every relation exactly once, operators between them (hash, merge, nest, join), parentheses around a bushy right
side; or the word default with switches. Only join relations that share a joined column."""


Space = Literal["moves", "latent"]

GRAMMARS = 4096
"""Grammars that are remembered; beyond them all are forgotten"""


class PlansDomain:
    """Query plans, scored by what their execution takes. Tasks come from `task_of` (or `build.build`).

    Args:
        url: The PostgreSQL that holds the data.
        dialect: How plans are forced (see `dialects`); `auto` is the best that the server follows.
        context: What a model reads of a query; see `context`.
        hint_plan: The library of pg_hint_plan, a name or an absolute path, loaded where the server has not loaded it.
        objective: Name of what an execution is measured by, `module:Name` for your own, or the object: see `server.objective`.
        timeout: Multiple of the run's best value so far at which an execution is stopped.
        first_timeout: Multiple of the default plan's value at which every execution is stopped.
        max_seconds: Seconds at which every execution is stopped.
        repeats: Executions that count of a plan that seems to be the best so far; see `measure.measure`.
        patience: Seconds to wait for a server that does not answer.
        space: Where optimizers search: among the trees' neighbours (`moves.PlanMoves`), or in the `latent` space of a VAE of
            plan strings, as in the paper.
        vae: The folder of that VAE, which `latent.ensure_vae` filled.
    """

    name = "plans"

    def __init__(
        self,
        url: str,
        *,
        dialect: DialectName = "auto",
        context: Policy = "sql",
        hint_plan: str = "pg_hint_plan",
        objective: str | Objective = "latency",
        timeout: float = 1.1,
        first_timeout: float = 3.0,
        max_seconds: float = 60.0,
        repeats: int = 3,
        patience: float = 20.0,
        space: Space = "moves",
        vae: Path | None = None,
    ) -> None:
        if (space == "latent") != (vae is not None):
            raise ValueError("a VAE's folder belongs to space 'latent', and to no other")
        self.server = Server(url, patience=patience, hint_plan=hint_plan)
        self.dialect_name = dialect
        self.context = context
        self._dialect: Dialect | None = None
        self.objective_name = objective if isinstance(objective, str) else objective.name
        self._objective = None if isinstance(objective, str) else objective
        if isinstance(objective, str):
            find_objective(objective)  # a name that leads nowhere shows at once
        self.timeout = timeout
        self.first_timeout = first_timeout
        self.max_seconds = max_seconds
        self.repeats = repeats
        self.vae = vae
        self._queries = QueryCache(self.server)
        self._grammars: dict[str, PlanGrammar] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_grammars": {}}

    @property
    def instruction(self) -> str:
        return INSTRUCTION.format(reads=READS[self.context])

    @property
    def dialect(self) -> Dialect:
        """How plans are forced, chosen at the first use.

        Raises:
            ConfigError: The server cannot be spoken to in it.
            OracleUnavailable: The server does not answer.
        """
        if self._dialect is None:
            self._dialect = choose(self.server, self.dialect_name)
        return self._dialect

    @property
    def objective(self) -> Objective:
        """What an execution is measured by, made at the first use.

        Raises:
            OracleUnavailable: `auto` looks at the server, and it does not answer.
        """
        if self._objective is None:
            self._objective = find_objective(self.objective_name)(self.server)
        return self._objective

    def task_of(
        self,
        task_id: str,
        sql: str,
        default_value: float,
        writer: ContextWriter | None = None,
        explain: Mapping[str, Any] | None = None,
    ) -> Task:
        """A task from a query and what its default plan takes; with what EXPLAIN says of that plan, reports can draw it.

        Raises:
            ValueError: The query is not one that can be steered (see `parse.parse_query`).
        """
        query = self.parsed(sql)
        check_types(query, self.server)
        context = (writer or self.context_writer()).write(query)
        data: dict[str, Any] = {"sql": query.sql, "default_value": default_value}
        if explain is not None:
            data["default_plan"] = format_plan(plan_from_explain(explain, query, EVERYTHING), query, EVERYTHING)
        return Task(task_id, context, data)

    def evaluate(self, task: Task, candidate: str, best: float | None) -> Evaluation:
        """Execute a candidate. Where the server did not follow it, the plan that it ran instead is what was scored."""
        query, abilities = self.query(task), self.dialect.abilities
        plan = self.grammar(task).parse(candidate)
        m = self._measure(self.dialect.render(query, plan), self._limit(task, best), best)
        executed = plan_from_explain(m.plan, query, abilities)
        status = Status.CENSORED if m.censored else Status.COMPLETE
        if follows(executed, plan, query, abilities):
            return Evaluation(m.value, status)
        scored = format_plan(executed, query, abilities)
        return Evaluation(m.value, status, "the server did not follow", scored)

    def parsed(self, sql: str) -> Query:
        """The query of a statement, which is parsed when it is asked for first.

        Raises:
            ValueError: The query is not one that can be steered (see `parse.parse_query`).
        """
        return self._queries.query(sql)

    def query(self, task: Task) -> Query:
        return self.parsed(str(task.data["sql"]))

    def statement(self, task: Task, candidate: str) -> Statement:
        """What is sent to the server for a candidate.

        Raises:
            InvalidCandidate: It is no plan of the task's query.
        """
        return self.dialect.render(self.query(task), self.grammar(task).parse(candidate))

    def measured(
        self, task: Task, candidate: str, limit: float | None = None, beat: float | None = None
    ) -> Measurement:
        """A candidate's executions, outside any run: under a limit in seconds, repeated where the first is below `beat`."""
        return self._measure(self.statement(task, candidate), limit or self.max_seconds, beat)

    def context_writer(self) -> ContextWriter:
        return ContextWriter(self.server, self.dialect.abilities, self.context)

    def _limit(self, task: Task, best: float | None) -> float:
        if not self.objective.clock:  # no clock decides what counts something else
            return self.max_seconds
        default = float(task.data["default_value"])
        limit = self.first_timeout * default
        if best is not None:
            limit = max(min(limit, self.timeout * best), best)
        return min(max(limit, 0.002), self.max_seconds)

    def _measure(self, statement: Statement, limit: float, best: float | None) -> Measurement:
        return self.server.again(
            lambda: measure(
                self.server,
                statement.sql,
                statement.settings,
                objective=self.objective,
                limit=limit,
                beat=best,
                repeats=self.repeats,
            )
        )

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        def explain(text: str) -> Any:
            statement = self.statement(task, text)
            return self.server.explain(statement.sql, statement.settings)

        return bao_design(n, rng, explain)

    def estimates(self, task: Task, candidates: Sequence[str]) -> list[float]:
        """The server's cost of each plan; of a plan that it cannot explain, infinity."""

        def cost(candidate: str) -> float:
            statement = self.statement(task, candidate)
            try:
                return float(self.server.explain(statement.sql, statement.settings)["Total Cost"])
            except psycopg.Error:
                return math.inf

        return [cost(candidate) for candidate in candidates]

    def grammar(self, task: Task) -> PlanGrammar:
        query = self.query(task)
        if query.sql not in self._grammars:
            if len(self._grammars) >= GRAMMARS:
                self._grammars.clear()
            self._grammars[query.sql] = PlanGrammar(query, self.dialect.abilities)
        return self._grammars[query.sql]

    def space(self, task: Task) -> SearchSpace | StringSpace:
        query, grammar, abilities = self.query(task), self.grammar(task), self.dialect.abilities
        if not abilities.operators:
            return SwitchSpace(abilities)

        def server_trees(text: str) -> Plan:
            settings = self.statement(task, text).settings
            return grammar.parse(server_plan_text(self.server, query, settings, abilities))

        if self.vae is not None:
            return latent_space(self.vae, query, server_trees, abilities)
        return PlanMoves(query, server_trees, abilities)

    def pretraining_pairs(self, tasks: Sequence[Task], n: int, seed: int) -> Iterable[tuple[str, str]]:
        return pretraining_pairs(self.context_writer(), [self.query(t) for t in tasks], n, seed)
