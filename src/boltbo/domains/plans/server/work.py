"""Objective `work`: what a plan touches, which is the same number on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from boltbo.domains.plans.server.connection import limit_statement
from boltbo.domains.plans.server.objective import Execution, Objective, Stopped


class Work(Objective):
    """Rows and buffers that EXPLAIN ANALYZE counts, in millions: for tests, and where times scatter too much."""

    name = "work"
    unit = "million rows and buffers"
    shown = 1.0
    clock = False
    repeatable = True

    def execution(self, cursor: psycopg.Cursor[Any], limit: float) -> Execution:
        limit_statement(cursor, limit)

        def execute() -> float:
            try:
                cursor.execute("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE boltbo")
            except psycopg.errors.QueryCanceled as error:
                raise Stopped(limit) from error
            [(answer,)] = cursor.fetchall()
            return _touched(answer[0]["Plan"]) / 1e6

        return execute


def _touched(top: Mapping[str, Any]) -> float:
    """Rows produced and rows thrown away by every node of the plan, plus the blocks the whole plan touched."""
    return _rows(top) + float(top.get("Shared Hit Blocks", 0) + top.get("Shared Read Blocks", 0))


def _rows(node: Mapping[str, Any]) -> float:
    thrown = sum(value for key, value in node.items() if key.startswith("Rows Removed by"))
    here = float((node.get("Actual Rows", 0) + thrown) * node.get("Actual Loops", 1))
    return here + sum(_rows(child) for child in node.get("Plans", ()))
