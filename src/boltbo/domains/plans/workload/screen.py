"""Which queries are worth optimizing: those that find something and take neither an instant nor an age."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from boltbo.domains.plans.server.connection import Server, milliseconds, redact, set_local
from boltbo.errors import OracleUnavailable

EMPTY, SHORT, LONG, ERROR = "empty result", "too short", "too long", "error"
"""The reasons for which a query is dropped."""


def why_not_worth_it(server: Server, statement: str, min_seconds: float, max_seconds: float) -> str | None:
    """Why a query is not worth optimizing, None if it is.

    Args:
        min_seconds: Least seconds of its execution; the second one counts, whose data are in memory.
        max_seconds: Most seconds of its execution.

    Raises:
        OracleUnavailable: The server does not answer.
    """
    try:
        _execute(server, statement, 3 * max_seconds)  # the first execution reads, and may be slower
        rows, seconds = _execute(server, statement, max_seconds)
    except psycopg.errors.QueryCanceled:
        return LONG
    except psycopg.Error as error:
        if server.lost:
            raise OracleUnavailable(f"the database {redact(server.url)} was lost: {str(error).strip()}") from error
        return ERROR
    if finds_nothing(rows):
        return EMPTY
    return SHORT if seconds < min_seconds else None


def finds_nothing(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether there is no row, or a single row of zeros and NULLs as aggregates without groups give over nothing."""
    return not rows or (len(rows) == 1 and all(value is None or value == 0 for value in rows[0]))


def _execute(server: Server, statement: str, limit: float) -> tuple[list[tuple[Any, ...]], float]:
    """The rows and the seconds of an execution without planning."""
    with server.read_only() as cursor:
        cursor.execute(b"PREPARE boltbo_screen AS " + statement.encode())
        try:
            cursor.execute("EXPLAIN EXECUTE boltbo_screen")  # plans; the plan is kept, for there are no parameters
            if not math.isinf(limit):
                cursor.execute(set_local("statement_timeout", milliseconds(limit)))
            started = time.perf_counter()
            cursor.execute("EXECUTE boltbo_screen")
            rows = cursor.fetchall()
            return rows, time.perf_counter() - started
        finally:
            if not cursor.connection.closed and not cursor.connection.broken:
                cursor.execute("ROLLBACK; DEALLOCATE boltbo_screen")
