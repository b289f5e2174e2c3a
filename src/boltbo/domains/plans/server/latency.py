"""Objective `latency`: the seconds that the client's clock counts."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from boltbo.domains.plans.server.connection import limit_statement
from boltbo.domains.plans.server.objective import Execution, Objective, Stopped


class Latency(Objective):
    """Seconds of an execution, its rows fetched."""

    name = "latency"

    def execution(self, cursor: psycopg.Cursor[Any], limit: float) -> Execution:
        limit_statement(cursor, limit)

        def execute() -> float:
            started = time.perf_counter()
            try:
                cursor.execute("EXECUTE boltbo")
                cursor.fetchall()
            except psycopg.errors.QueryCanceled as error:
                raise Stopped(limit) from error
            return time.perf_counter() - started

        return execute
