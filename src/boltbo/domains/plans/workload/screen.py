"""Which queries are worth optimizing: those that find something and take neither an instant nor an age."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import psycopg

from boltbo.domains.plans.server.connection import Server, milliseconds, redact, set_local
from boltbo.errors import OracleUnavailable

Named = tuple[str, str]
"""(id, SQL)"""

EMPTY, SHORT, LONG, ERROR = "empty result", "too short", "too long", "error"
"""The reasons for which a query is dropped."""


@dataclass(frozen=True)
class ScreenReport:
    """What became of each query.

    Attributes:
        kept: id -> seconds of the kept queries, in the order given.
        dropped: reason -> how many.
        reasons: id -> reason of the others; an error with its message.
    """

    kept: Mapping[str, float]
    dropped: Counter[str]
    reasons: Mapping[str, str]


def screen(
    url: str,
    queries: Iterable[Named],
    *,
    min_seconds: float = 0.0,
    max_seconds: float = math.inf,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> ScreenReport:
    """Run every query as it is, and keep those that are worth optimizing.

    Args:
        url: The database.
        queries: (id, SQL) pairs.
        min_seconds: Shorter ones are dropped; the second, warm run counts.
        max_seconds: Longer ones are dropped.
        workers: Connections at the same time; more than one makes the times less certain.
        progress: Called with (queries done, queries).

    Raises:
        OracleUnavailable: The server does not answer.
    """
    every = list(queries)
    servers: SimpleQueue[Server] = SimpleQueue()
    for _ in range(workers):
        servers.put(Server(url))

    def one(query: Named) -> float | str:
        server = servers.get()
        try:
            return _run(server, query[1], min_seconds, max_seconds)
        finally:
            servers.put(server)

    outcomes: list[float | str] = []
    try:
        with ThreadPoolExecutor(workers) as pool:
            for outcome in pool.map(one, every):
                outcomes.append(outcome)
                if progress is not None:
                    progress(len(outcomes), len(every))
    finally:
        while not servers.empty():
            servers.get().close()
    return _report(every, outcomes)


def screen_one(server: Server, statement: str, min_seconds: float, max_seconds: float) -> str | None:
    """Why a query is not worth optimizing, None if it is.

    Raises:
        OracleUnavailable: The server does not answer.
    """
    outcome = _run(server, statement, min_seconds, max_seconds)
    return outcome.split(":")[0] if isinstance(outcome, str) else None


def finds_nothing(rows: Sequence[Sequence[Any]]) -> bool:
    """No row, or a single row of zeros and NULLs as aggregates without groups give over nothing."""
    return not rows or (len(rows) == 1 and all(value is None or value == 0 for value in rows[0]))


def _report(queries: Sequence[Named], outcomes: Sequence[float | str]) -> ScreenReport:
    pairs = [(name, outcome) for (name, _), outcome in zip(queries, outcomes, strict=True)]
    reasons = {name: outcome for name, outcome in pairs if isinstance(outcome, str)}
    return ScreenReport(
        {name: outcome for name, outcome in pairs if not isinstance(outcome, str)},
        Counter(reason.split(":")[0] for reason in reasons.values()),
        reasons,
    )


def _run(server: Server, statement: str, min_seconds: float, max_seconds: float) -> float | str:
    """Seconds of the execution, or the reason against the query."""
    try:
        _execute(server, statement, 3 * max_seconds)  # the first run reads, and may be slower
        rows, seconds = _execute(server, statement, max_seconds)
    except psycopg.errors.QueryCanceled:
        return LONG
    except psycopg.Error as error:
        if server.lost:
            raise OracleUnavailable(f"the database {redact(server.url)} was lost: {str(error).strip()}") from error
        return f"{ERROR}: {str(error).strip().splitlines()[0]}"
    if finds_nothing(rows):
        return EMPTY
    return seconds if seconds >= min_seconds else SHORT


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
