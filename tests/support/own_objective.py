"""An objective of query plans as a user would write one."""

from __future__ import annotations

from typing import Any

import psycopg

from boltbo.domains.plans.server.objective import Execution, Objective


class Buffers(Objective):
    """The blocks that a plan touches."""

    unit = "blocks"
    shown = 1.0
    clock = False
    repeatable = True

    def execution(self, cursor: psycopg.Cursor[Any], limit: float) -> Execution:
        def execute() -> float:
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE boltbo")
            [(answer,)] = cursor.fetchall()
            return float(answer[0]["Plan"]["Shared Hit Blocks"] + answer[0]["Plan"]["Shared Read Blocks"])

        return execute
