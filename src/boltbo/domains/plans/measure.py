"""Executing one plan and measuring it: the oracle of the plans domain.

The statement is prepared and planned first, then executed, so that the value is execution alone: a forced join order takes
a fraction of the default's planning time, and counting that as a gain would flatter the search.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import psycopg

from boltbo.domains.plans.server import Server, Settings, _plan_of, milliseconds, set_local

Objective = Literal["latency", "cpu", "work"]
"""`latency`: the client's clock, seconds. `cpu`: the backend's CPU seconds (a server on this machine, Linux). `work`: rows and
buffers touched, in millions, by EXPLAIN ANALYZE: the same number on every machine, for tests."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One execution, or several of the same plan.

    Attributes:
        value: The objective: median of the executions; the limit where the first one did not end in time.
        censored: It did not end in time.
        plan: The plan that the server ran, from EXPLAIN.
    """

    value: float
    censored: bool
    plan: Mapping[str, Any]


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
        limit: Seconds after which an execution is stopped.
        beat: A first execution below it is repeated, and the median counts: the luckiest of many noisy single
            measurements would else pass for the best plan. None: always repeat.
        repeats: Executions in that case.
        planning_limit: Seconds for planning.

    Raises:
        psycopg.Error: The server refuses the statement or was lost.
    """
    with server.read_only(settings, planning_limit) as cursor:
        # a prepared statement outlives its transaction; what a cut-off call left behind goes first
        cursor.execute(b"DEALLOCATE ALL; PREPARE boltbo AS " + statement.encode())
        plan = _plan_of(cursor, "EXPLAIN (FORMAT JSON) EXECUTE boltbo")
        cursor.execute(set_local("statement_timeout", milliseconds(limit)))
        values: list[float] = []
        try:
            values.append(_execute(server, cursor, objective))
            while objective != "work" and len(values) < repeats and (beat is None or values[0] < beat):
                values.append(_execute(server, cursor, objective))
        except psycopg.errors.QueryCanceled:
            if not values:
                return Measurement(limit, True, plan)
        return Measurement(median(values), False, plan)


def _execute(server: Server, cursor: psycopg.Cursor[Any], objective: Objective) -> float:
    if objective == "work":
        return _work(_plan_of(cursor, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE boltbo")) / 1e6
    pid = cursor.connection.info.backend_pid
    before = _cpu_seconds(pid) if objective == "cpu" else time.perf_counter()
    cursor.execute("EXECUTE boltbo")
    cursor.fetchall()
    after = _cpu_seconds(pid) if objective == "cpu" else time.perf_counter()
    return after - before


def _cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _work(node: Mapping[str, Any]) -> float:
    """Rows produced and rows thrown away by every node of the plan, plus the blocks the whole plan touched."""

    def rows(node: Mapping[str, Any]) -> float:
        loops = node.get("Actual Loops", 1)
        thrown = sum(value for key, value in node.items() if key.startswith("Rows Removed by"))
        own = float((node.get("Actual Rows", 0) + thrown) * loops)
        return own + sum(rows(child) for child in node.get("Plans", ()))

    return rows(node) + float(node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0))
