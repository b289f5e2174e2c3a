"""Putting a plan into a form that a server can use, and checking it there: same rows, faster beyond noise.

What is checked is what is handed over: the statement in the form in which it is written, with its settings.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

import psycopg

from boltbo.domains.plans.dialects import Statement
from boltbo.domains.plans.dialects.executed import hints_of_explain, shape_of
from boltbo.domains.plans.dialects.hints import SEARCHED, comment
from boltbo.domains.plans.dialects.sql import ONLY_HASH, ORDER_KEPT
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.export.handover import DIFFERENT_RESULTS, HOLDS, SERVERS_OWN, Form, Handover
from boltbo.domains.plans.language.plan import SWITCHES
from boltbo.domains.plans.parse.read import read
from boltbo.domains.plans.server.choose_dialect import load_hint_plan
from boltbo.domains.plans.server.connection import Server, Settings
from boltbo.domains.plans.server.objective import BUILT_IN, Objective, find_objective
from boltbo.domains.plans.server.paired import Planning, compare
from boltbo.domains.plans.server.rows import same_results
from boltbo.errors import OracleUnavailable, TooSlow
from boltbo.problem import Task, Trajectory

_COMMENT = re.compile(r"/\*\+(.*?)\*/\s*", re.DOTALL)
_SETTINGS = {*SWITCHES.values(), *(name for name, _ in (*SEARCHED, *ORDER_KEPT, *ONLY_HASH))}
"""What a plan may set. A manifest is text from outside, and another setting could let a statement write."""


def best_candidates(trajectories: Iterable[Trajectory]) -> dict[str, tuple[Task, str]]:
    """Task id -> the task and its best complete candidate over all runs."""
    best: dict[str, tuple[float, Task, str]] = {}
    for t in trajectories:
        best_observation = t.best
        if best_observation is not None and (t.task.id not in best or best_observation.value < best[t.task.id][0]):
            best[t.task.id] = best_observation.value, t.task, best_observation.candidate
    return {i: (task, candidate) for i, (_, task, candidate) in best.items()}


def hand_over(
    domain: PlansDomain,
    task: Task,
    candidate: str,
    form: Form,
    pairs: int = 11,
    limit: float = 60.0,
    planning: Planning = "excluded",
) -> Handover:
    """Put a candidate into a form and check it there.

    Args:
        domain: The server, and how it is steered.
        task: The task.
        candidate: A plan, which the grammar checks whatever a storage says.
        form: The form that it is put into.
        pairs: Executions of each, plan and default, that count.
        limit: Seconds for one execution of the default.
        planning: Whether the seconds of planning count.

    Raises:
        OracleUnavailable: The server does not answer, or has no pg_hint_plan, which the form takes.
        ConfigError: The domain's dialect cannot be spoken here.
    """
    server, original, objective, _ = domain.server, str(task.data["sql"]), domain.objective, domain.dialect
    if form != "sql" and (reason := load_hint_plan(server)) is not None:
        raise OracleUnavailable(f"the form {form!r} cannot be checked without pg_hint_plan on the server: {reason}")
    draft = Handover(
        task.id, original, (), candidate, form, "", (), "", "", objective.name, objective.unit, objective.shown,
        planning if objective.clock else "excluded", "", None, server.query("SHOW server_version")[0][0], _now(),
    )  # fmt: skip
    if candidate == "default":
        return replace(draft, verdict=SERVERS_OWN)
    try:
        aliases, steered = domain.query(task).aliases, domain.statement(task, candidate)
        draft = replace(draft, aliases=aliases, sql=steered.sql, settings=steered.settings)
        if form != "sql":
            hints, text = hints_of(server, original, aliases, steered, untouched=form == "hint-table")
            draft = replace(draft, sql=comment(hints) + text, settings=(), hints=" ".join(hints))
    except ValueError as error:  # among them InvalidCandidate
        return replace(draft, verdict=f"fails: {error}")
    except psycopg.Error as error:
        return replace(draft, verdict=_failure(server, error, limit))
    if form == "hint-table":
        draft = replace(draft, query_id=_query_id(server, original))
    return check(server, draft, pairs, limit, objective)


def check(
    server: Server, handed: Handover, pairs: int = 11, limit: float = 60.0, objective: Objective | None = None
) -> Handover:
    """Check a plan again: does it return the same rows, is it executed as before, is it faster than the server's own?

    Args:
        objective: What is compared, where it is the campaign's own; else the built-in objective that the plan names.

    Raises:
        OracleUnavailable: The server does not answer.
    """
    default, statement = Statement(handed.original), handed.statement
    checked = replace(handed, when=_now(), comparison=None)
    try:
        _only_reads(handed)
        if objective is None or objective.name != handed.objective:
            objective = _built_in(handed.objective, server)
        shape = shape_of(server.explain(statement.sql, statement.settings, limit), handed.aliases)
        default_shape = shape_of(server.explain(default.sql, (), limit), handed.aliases)
        checked = replace(checked, shape=shape)
        if not same_results(server, default, statement, limit):
            return replace(checked, verdict=DIFFERENT_RESULTS)
        if handed.shape and shape != handed.shape:
            return replace(checked, verdict="the server plans it differently")
        if shape == default_shape:
            return replace(checked, verdict=SERVERS_OWN)
        comparison = compare(
            server, default, statement, pairs=pairs, objective=objective, limit=limit, planning=handed.planning
        )
    except TooSlow as error:
        return replace(checked, verdict=str(error))
    except ValueError as error:
        return replace(checked, verdict=f"fails: {error}")
    except psycopg.Error as error:
        return replace(checked, verdict=_failure(server, error, limit))
    return replace(checked, verdict=HOLDS if comparison.faster else "not faster beyond noise", comparison=comparison)


def hints_of(
    server: Server, original: str, aliases: Sequence[str], steered: Statement, *, untouched: bool
) -> tuple[list[str], str]:
    """A steered statement by hints alone: the hints and the text that they are for.

    Settings become `Set` hints. Where the text was rewritten and must not be, what the server executes for it is said again by
    a Leading hint; planning takes longer then, since the server looks at all orders first.
    """
    match = _COMMENT.match(steered.sql)
    text = steered.sql[match.end() :] if match else steered.sql
    if text == original or (match and not untouched):
        return [*_sets(steered.settings), *([match[1].strip()] if match else [])], text
    return [*_sets(SEARCHED), *hints_of_explain(server.explain(steered.sql, steered.settings), aliases)], original


def _sets(settings: Settings) -> list[str]:
    return [f"Set({name} {value})" for name, value in settings]


def _only_reads(handed: Handover) -> None:
    """Refuse what could leave the read-only transaction in which every statement runs.

    Raises:
        ValueError: It is more than one SELECT, or sets what no plan sets.
    """
    read(handed.original)
    read(_COMMENT.sub("", handed.sql, count=1) if handed.sql.startswith("/*+") else handed.sql)
    foreign = sorted({name for name, _ in handed.settings} - _SETTINGS)
    if foreign:
        raise ValueError(f"a plan does not set {', '.join(foreign)}")


def _built_in(name: str, server: Server) -> Objective:
    """The objective that a manifest names. It is text from outside: no code of this name is imported.

    Raises:
        ValueError: It is none of the built-in ones.
    """
    if name not in BUILT_IN:
        raise ValueError(f"its objective {name!r} is the campaign's own: check with --config")
    return find_objective(name)(server)


def _failure(server: Server, error: psycopg.Error, limit: float) -> str:
    if server.lost:
        server.close()
        server.connection  # noqa: B018  (raises where the server is gone for good)
    if isinstance(error, psycopg.errors.QueryCanceled):
        return f"it does not end in {limit:.3g} s"
    return f"fails: {str(error).strip().splitlines()[0]}"


def _query_id(server: Server, sql: str) -> int | None:
    with server.read_only() as cursor:
        try:
            cursor.execute("SET LOCAL compute_query_id = on")
        except psycopg.Error:  # a superuser's setting; it may be on all the same
            cursor.execute("ROLLBACK; BEGIN READ ONLY")
        cursor.execute(f"EXPLAIN (VERBOSE, FORMAT JSON) {sql}".encode())
        [(answer,)] = cursor.fetchall()
        identifier = answer[0].get("Query Identifier")
        return None if identifier is None else int(identifier)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z")
