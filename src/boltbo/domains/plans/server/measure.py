"""Executing one plan and measuring it: the oracle of the plans domain.

The statement is prepared and planned first, then executed, so that the value is execution alone: a forced join order takes
a fraction of the default's planning time, and counting that as a gain would flatter the search. How long the server planned
is told beside the value.

The cache is warm: of a plan that is repeated the median counts without the first execution, which may have had to read.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from boltbo.domains.plans.server.connection import Server, Settings, milliseconds, roll_back
from boltbo.domains.plans.server.cpu_time import Slowness, cpu_seconds
from boltbo.errors import OracleUnavailable

Objective = Literal["latency", "cpu", "calibrated", "work"]
"""`latency`: the client's clock, seconds. `cpu`: the backend's CPU seconds (a server on this machine, Linux, no parallel
workers). `calibrated`: these, over how slow the machine is at the moment (`cpu_time.Slowness`). `work`: rows and buffers
touched, in millions, by EXPLAIN ANALYZE: the same number on every machine, for tests."""

NEAR = 1.2
"""An execution below this multiple of the best is looked at again: a first execution is colder than those that the best was
measured by, by about a tenth, and scatters"""

WAITS = 3
"""How often an execution that waited for a busy machine is given more of the clock, at most `MORE` times as much: the
server's own timeout knows no other time, and says nothing of CPU seconds."""
MORE = 3.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One execution, or several of the same plan.

    Attributes:
        value: The objective; where the first execution did not end in time, what it had taken by then.
        censored: It did not end in time.
        plan: The plan that the server ran, from EXPLAIN.
        values: The objective of each execution, in order, the first one (which warms the cache) included.
        planning: Seconds that the server planned.
    """

    value: float
    censored: bool
    plan: Mapping[str, Any]
    values: tuple[float, ...] = ()
    planning: float = 0.0


def measure(
    server: Server,
    statement: str,
    settings: Settings,
    *,
    objective: Objective,
    limit: float,
    beat: float | None = None,
    repeats: int = 3,
    planning_limit: float = 60.0,
) -> Measurement:
    """Execute a statement under a time limit.

    Args:
        server: Where.
        statement: One SELECT.
        settings: Server settings of the plan.
        objective: What the value is.
        limit: Seconds after which an execution is stopped: of the clock, or of what the objective counts.
        beat: A first execution below it, or little above, is repeated: the luckiest of many noisy single measurements would
            else pass for the best plan. None: always repeat. Nothing repeats the deterministic `work`.
        repeats: Executions in that case, beyond the first.
        planning_limit: Seconds for planning.

    Raises:
        psycopg.Error: The server refuses the statement or was lost.
        OracleUnavailable: CPU seconds are asked of a server whose processes cannot be seen here, or of a parallel plan.
    """
    # a prepared statement outlives its transaction; what a cut-off call left behind goes first
    hinted, prepare = statement.startswith("/*+"), f"PREPARE boltbo AS {statement}"
    # pg_hint_plan reads its comment at the head of a message only
    first = "DEALLOCATE ALL" if hinted else f"DEALLOCATE ALL; {prepare}"
    with server.read_only(settings, planning_limit, first=first) as cursor:
        if hinted:
            cursor.execute(prepare.encode())
        cursor.execute("EXPLAIN (FORMAT JSON, SUMMARY ON) EXECUTE boltbo")
        [(answer,)] = cursor.fetchall()
        cursor.execute("SAVEPOINT planned")
        plan, planned = answer[0]["Plan"], float(answer[0].get("Planning Time", 0.0)) / 1e3
        if objective in ("cpu", "calibrated") and _parallel(plan):
            raise OracleUnavailable(
                f"objective '{objective}' sees the server's one process, and this plan has parallel workers: set "
                "max_parallel_workers_per_gather = 0 for your role or database, or use objective 'latency'"
            )
        values: list[float] = []
        execute = _executor(cursor, objective, limit)
        try:
            values.append(execute())
            if objective != "work" and (beat is None or values[0] < NEAR * beat):
                while len(values) <= repeats:
                    values.append(execute())
        except _Stopped as stopped:
            if not values:
                return Measurement(stopped.taken, True, plan, (), planned)
        return Measurement(statistics.median(values[1:] or values), False, plan, tuple(values), planned)


class _Stopped(Exception):
    """An execution that was stopped, and what it had taken by then."""

    def __init__(self, taken: float) -> None:
        self.taken = taken


def _executor(cursor: psycopg.Cursor[Any], objective: Objective, limit: float) -> Callable[[], float]:
    """What executes once and says the objective, or raises `_Stopped`."""
    if objective == "calibrated":
        return _Calibrated(cursor, limit)
    cursor.execute(_timeout(limit))
    if objective == "cpu":
        return lambda: _execute_cpu(cursor, limit)
    return lambda: _execute(cursor, objective, limit)


def _execute(cursor: psycopg.Cursor[Any], objective: Objective, limit: float) -> float:
    try:
        if objective == "work":
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE boltbo")
            [(answer,)] = cursor.fetchall()
            return _work(answer[0]["Plan"]) / 1e6
        started = time.perf_counter()
        cursor.execute("EXECUTE boltbo")
        cursor.fetchall()
        return time.perf_counter() - started
    except psycopg.errors.QueryCanceled as error:
        raise _Stopped(limit) from error


def _execute_cpu(cursor: psycopg.Cursor[Any], limit: float) -> float:
    clock, waits = limit, 0
    while True:
        before = cpu_seconds(cursor.connection.info)
        try:
            cursor.execute("EXECUTE boltbo")
            cursor.fetchall()
            return cpu_seconds(cursor.connection.info) - before
        except psycopg.errors.QueryCanceled as error:
            roll_back(cursor, "ROLLBACK TO SAVEPOINT planned")
            taken = cpu_seconds(cursor.connection.info) - before
            if taken > 0.9 * limit or waits == WAITS:
                raise _Stopped(min(taken, limit)) from error
            waits += 1
            clock *= min(MORE, max(1.2 * limit / max(taken, 1e-6), 1.2))
            cursor.execute(_timeout(clock))


class _Calibrated:
    """CPU seconds over the machine's slowness, which is the mean of before and after."""

    def __init__(self, cursor: psycopg.Cursor[Any], limit: float) -> None:
        self._cursor, self._limit = cursor, limit
        self._slowness = Slowness(cursor)
        self._before = self._slowness.now()

    def __call__(self) -> float:
        limit = self._limit * self._before
        self._cursor.execute(_timeout(limit))
        try:
            taken = _execute_cpu(self._cursor, limit)
        except _Stopped as stopped:
            raise _Stopped(stopped.taken / self._before) from stopped
        # not by setting it anew: that statement would be under the short timeout too, and a busy machine can miss it
        roll_back(self._cursor, "ROLLBACK TO SAVEPOINT planned")
        before, self._before = self._before, self._slowness.now()
        return taken / statistics.mean((before, self._before))


def _timeout(seconds: float) -> str:
    return f"SET LOCAL statement_timeout = {milliseconds(seconds)}"


def _parallel(node: Mapping[str, Any]) -> bool:
    return "Workers Planned" in node or any(_parallel(child) for child in node.get("Plans", ()))


def _work(node: Mapping[str, Any]) -> float:
    """Rows produced and rows thrown away by every node of the plan, plus the blocks the whole plan touched."""

    def rows(node: Mapping[str, Any]) -> float:
        loops = node.get("Actual Loops", 1)
        thrown = sum(value for key, value in node.items() if key.startswith("Rows Removed by"))
        own = float((node.get("Actual Rows", 0) + thrown) * loops)
        return own + sum(rows(child) for child in node.get("Plans", ()))

    return rows(node) + float(node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0))
