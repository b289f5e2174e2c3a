"""Objective `calibrated`: the CPU seconds of the server's process over how slow the machine is at the moment."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

import psycopg

from boltbo.domains.plans.server.connection import Server, limit_statement, roll_back
from boltbo.domains.plans.server.cpu_time import Slowness, cpu_is_all, cpu_seconds
from boltbo.domains.plans.server.latency import Latency
from boltbo.domains.plans.server.objective import Execution, Objective, Stopped

WAITS = 3
"""How often an execution that waited for a busy machine is given more of the clock, at most `MORE` times as much: the
server's own timeout knows no other time, and says nothing of CPU seconds."""
MORE = 3.0


def calibrated_or_latency(server: Server) -> Objective:
    """Objective `auto`: calibrated where it can be had, else latency.

    Raises:
        OracleUnavailable: The server does not answer.
    """
    return Calibrated() if cpu_is_all(server) else Latency()


class Calibrated(Objective):
    """CPU seconds over the machine's slowness, the mean of before and after (see `cpu_time.Slowness`).

    It takes a server on this machine, Linux, and plans without parallel workers.
    """

    name = "calibrated"

    def refusal(self, plan: Mapping[str, Any]) -> str:
        if not _parallel(plan):
            return ""
        return (
            "objective 'calibrated' sees the server's one process, and this plan has parallel workers: set "
            "max_parallel_workers_per_gather = 0 for your role or database, or use objective 'latency'"
        )

    def execution(self, cursor: psycopg.Cursor[Any], limit: float) -> Execution:
        return _CalibratedExecution(cursor, limit)


class _CalibratedExecution:
    """One execution after another; the slowness after one is the slowness before the next."""

    def __init__(self, cursor: psycopg.Cursor[Any], limit: float) -> None:
        self._cursor, self._limit = cursor, limit
        self._slowness = Slowness(cursor)
        self._before = self._slowness.now()

    def __call__(self) -> float:
        limit = self._limit * self._before
        limit_statement(self._cursor, limit)
        try:
            taken = cpu_of_execution(self._cursor, limit)
        except Stopped as stopped:
            raise Stopped(stopped.value / self._before) from stopped
        # not by setting it anew: that statement would be under the short timeout too, and a busy machine can miss it
        roll_back(self._cursor, "ROLLBACK TO SAVEPOINT planned")
        before, self._before = self._before, self._slowness.now()
        return taken / statistics.mean((before, self._before))


def cpu_of_execution(cursor: psycopg.Cursor[Any], limit: float) -> float:
    """Execute once and return the CPU seconds that the server's process took.

    Raises:
        Stopped: They came near `limit`, or the clock ran out several times.
    """
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
                raise Stopped(min(taken, limit)) from error
            waits += 1
            clock *= min(MORE, max(1.2 * limit / max(taken, 1e-6), 1.2))
            limit_statement(cursor, clock)


def _parallel(node: Mapping[str, Any]) -> bool:
    return "Workers Planned" in node or any(_parallel(child) for child in node.get("Plans", ()))
