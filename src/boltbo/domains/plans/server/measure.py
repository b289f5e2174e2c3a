"""Executing one plan and measuring it: the oracle of the plans domain.

The statement is prepared and planned first, then executed, so that the value is execution alone: a forced join order takes
a fraction of the default's planning time, and counting that as a gain would flatter the search. How long the server planned
is told beside the value.

The cache is warm: of a plan that is repeated the median counts without the first execution, which may have had to read.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boltbo.domains.plans.server.connection import Server, Settings
from boltbo.domains.plans.server.objective import Objective, Stopped
from boltbo.errors import OracleUnavailable

NEAR = 1.2
"""An execution below this multiple of the best is looked at again: a first execution is colder than those that the best was
measured by, by about a tenth, and scatters"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One execution, or several of the same plan.

    Attributes:
        value: Value of the objective; where the first execution did not end in time, what it had come to by then.
        censored: It did not end in time.
        plan: The plan that the server ran, from EXPLAIN.
        values: Value of each execution, in order, the first one (which warms the cache) included.
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
        server: The server that executes it.
        statement: One SELECT.
        settings: Server settings of the plan.
        objective: What the execution is measured by.
        limit: Seconds after which an execution is stopped, as the objective counts them.
        beat: A first execution below it, or little above, is repeated: the luckiest of many noisy single measurements would
            else pass for the best plan. None: always repeat. Nothing repeats a `repeatable` objective.
        repeats: Executions in that case, beyond the first.
        planning_limit: Seconds for planning.

    Raises:
        psycopg.Error: The server refuses the statement or was lost.
        OracleUnavailable: The objective cannot be had of this server, or of this plan.
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
        if refusal := objective.refusal(plan):
            raise OracleUnavailable(refusal)
        values: list[float] = []
        execute = objective.execution(cursor, limit)
        try:
            values.append(execute())
            if not objective.repeatable and (beat is None or values[0] < NEAR * beat):
                while len(values) <= repeats:
                    values.append(execute())
        except Stopped as stopped:
            if not values:
                return Measurement(stopped.value, True, plan, (), planned)
        return Measurement(statistics.median(values[1:] or values), False, plan, tuple(values), planned)
