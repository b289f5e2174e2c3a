"""From queries to tasks: each is screened, its default plan measured, until there are enough for training and validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from boltbo.domains.plans.context import ContextWriter
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.options import PlansOptions
from boltbo.domains.plans.server.measure import measure
from boltbo.domains.plans.workload.files import Named, Workload, reason_in_short, template_of
from boltbo.domains.plans.workload.outcomes import Outcomes
from boltbo.domains.plans.workload.pg_stat_statements import STAT_STATEMENTS
from boltbo.domains.plans.workload.screen import why_not_worth_it
from boltbo.errors import ConfigError, NotASelect, SqlSyntaxError, UnsupportedQuery
from boltbo.problem import Task
from boltbo.system.progress import Bars

Part = Literal["train", "validation"]
Parts = dict[Part, list[Task]]


def make_parts(
    domain: PlansDomain, options: PlansOptions, seed: int, workload: Workload, bars: Bars, outcomes: Outcomes
) -> tuple[Parts, Counter[str]]:
    """The tasks of both parts, and how many queries were dropped for which reason.

    Raises:
        ConfigError: Too few queries are usable, or no template is left to train on.
        OracleUnavailable: The database does not answer.
    """
    if options.unseen_templates:
        unseen, seen = _apart(options, seed, workload.queries)
        validation, dropped = _enough(domain, unseen, options, options.validation, workload.sampled, bars, outcomes)
        train, dropped_of_seen = _enough(domain, seen, options, options.train, workload.sampled, bars, outcomes)
        return {"validation": validation, "train": train}, dropped + dropped_of_seen
    wanted = options.train + options.validation
    tasks, dropped = _enough(domain, workload.queries, options, wanted, workload.sampled, bars, outcomes)
    if options.workload == STAT_STATEMENTS:  # they come by what they cost, and both parts get of all
        tasks = [tasks[i] for i in np.random.default_rng(seed).permutation(len(tasks))]
    return {"validation": tasks[: options.validation], "train": tasks[options.validation :]}, dropped


def make_tasks(
    domain: PlansDomain,
    queries: Sequence[Named],
    options: PlansOptions,
    wanted: int,
    bars: Bars,
    outcomes: Outcomes | None = None,
) -> tuple[list[Task], Counter[str]]:
    """The first `wanted` usable queries as tasks, and how many were dropped for which reason.

    Args:
        outcomes: What became of queries that were screened before; what becomes of others is added.
    """
    outcomes = outcomes or Outcomes()
    writer = domain.context_writer()
    tasks: list[Task] = []
    dropped: Counter[str] = Counter()
    with bars.track("screen queries", wanted) as update:
        for name, sql in queries:
            if len(tasks) == wanted:
                break
            if name not in outcomes.by_query:
                outcomes.add(name, _screen(domain, name, sql, options, writer, bars))
            outcome = outcomes.by_query[name]
            if isinstance(outcome, Task):
                tasks.append(outcome)
            else:
                dropped[outcome] += 1
            update(len(tasks), wanted)
    return tasks, dropped


def reasons_in_words(dropped: Counter[str]) -> str:
    """How many queries were dropped for which reason, the commonest first."""
    return ", ".join(f"{n} {reason}" for reason, n in dropped.most_common()) or "none"


def _apart(options: PlansOptions, seed: int, queries: Sequence[Named]) -> tuple[list[Named], list[Named]]:
    """The queries of as many templates, drawn by lot, as validation is of; and the others."""
    names = sorted({template_of(name) for name, _ in queries})
    if options.unseen_templates >= len(names):
        raise ConfigError(
            f"domain.unseen_templates = {options.unseen_templates} leaves nothing to train on: there are {len(names)} templates"
        )
    unseen = {names[i] for i in np.random.default_rng(seed).permutation(len(names))[: options.unseen_templates]}
    return [q for q in queries if template_of(q[0]) in unseen], [q for q in queries if template_of(q[0]) not in unseen]


def _enough(
    domain: PlansDomain,
    queries: Sequence[Named],
    options: PlansOptions,
    wanted: int,
    sampled: frozenset[str],
    bars: Bars,
    outcomes: Outcomes,
) -> tuple[list[Task], Counter[str]]:
    tasks, dropped = make_tasks(domain, queries, options, wanted, bars, outcomes)
    if len(tasks) < wanted:
        raise ConfigError(
            f"{len(tasks)} of {len(queries)} queries are usable, {wanted} are needed ({reasons_in_words(dropped)}). "
            "Raise domain.queries, lower domain.train, or widen min_seconds and max_seconds."
        )
    return [replace(t, data={**t.data, "constants": "sampled"}) if t.id in sampled else t for t in tasks], dropped


def _screen(
    domain: PlansDomain, name: str, sql: str, options: PlansOptions, writer: ContextWriter, bars: Bars
) -> Task | str:
    """A query's task, its default plan measured; or why it is dropped."""
    try:
        query = domain.parsed(sql)
        if reason := why_not_worth_it(domain.server, query.sql, options.min_seconds, options.max_seconds):
            return reason
        default = measure(domain.server, query.sql, (), objective=domain.objective, limit=2 * options.max_seconds)
        return domain.task_of(name, sql, default.value, writer, default.plan)
    except (SqlSyntaxError, NotASelect, UnsupportedQuery) as error:
        bars.note(f"{name}: {error}")
        return reason_in_short(error)
