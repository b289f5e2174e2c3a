"""CPU seconds of the server's process, and how slow the machine is at the moment.

A core that shares its caches and its arithmetic with others, as the cores of rented machines do, takes up to twice the CPU
seconds for the same work, and changes within a tenth of a second between being fast and being slow. A query that always does
the same tells which it is: executed in the same process just before and just after, it makes of CPU seconds a number that
hardly scatters (`research/scripts/plans/calibration.py`). Measuring a fixed workload beside the one of interest is the idea
of duet benchmarking (Bulej et al. 2020).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from boltbo.domains.plans.server.connection import Server
from boltbo.errors import OracleUnavailable

PROC = "/proc/{}"
"""Where Linux says what a process is and how long it has run"""
LOCAL = ("", "localhost", "127.0.0.1", "::1")
SETTLES = 50
"""How often a process is polled until it sleeps: Linux charges CPU time when a process is descheduled"""

PROBE = "SELECT count(DISTINCT g * 7919 % 9973) FROM generate_series(1, 6000) g"
"""A query that always takes the same work: it reads no table, and no planner setting changes its plan"""
USUAL = 0.002
"""CPU seconds that `PROBE` takes on the core by whose seconds is counted: about the mean of a rented core of 2023"""


def cpu_seconds(info: psycopg.ConnectionInfo) -> float:
    """CPU seconds that the connection's process has used so far.

    Raises:
        OracleUnavailable: It cannot be seen from here.
    """
    process = Path(PROC.format(info.backend_pid))
    try:
        # a process of this number may be here too when the server is elsewhere
        if not info.host.startswith(("/", "@")) and info.host not in LOCAL:
            raise FileNotFoundError
        if "post" not in (process / "comm").read_text():  # postgres, postmaster, edb-postgres
            raise FileNotFoundError
        for _ in range(SETTLES):
            if (process / "stat").read_text().rpartition(") ")[2][:1] != "R":
                break
        return int((process / "schedstat").read_text().split()[0]) / 1e9
    except OSError as error:
        raise OracleUnavailable(
            f"objective 'calibrated' reads the CPU time of the server's process {info.backend_pid} from /proc, and it is not "
            "there: it needs a server on this machine, and Linux. Use objective 'latency'."
        ) from error


def why_unseen(server: Server, pooled: bool) -> str:
    """Why the CPU time of the server's process cannot be read from here; empty where it can.

    Raises:
        OracleUnavailable: The server does not answer.
    """
    if pooled:
        return "the process that a pooler names is not the server's"
    info = server.connection.info
    try:
        cpu_seconds(info)
    except OracleUnavailable:
        return "the server's processes cannot be seen from this machine"
    return ""


def cpu_is_all(server: Server) -> bool:
    """Whether a plan's CPU seconds can be read from here, and no parallel worker hides a part of them.

    Raises:
        OracleUnavailable: The server does not answer.
    """
    [(workers,)] = server.query("SHOW max_parallel_workers_per_gather")
    return bool(workers == "0" and not why_unseen(server, server.pooled))


class Slowness:
    """CPU seconds that the connection's process takes for what takes 1 on the usual core: 0.8 on a fast one, 1.5 beside work.

    Args:
        cursor: In a transaction whose statement timeout lets `PROBE` end.
    """

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor
        cursor.execute(f"PREPARE boltbo_probe AS {PROBE}".encode())

    def now(self) -> float:
        """Execute the probe once."""
        info = self._cursor.connection.info
        before = cpu_seconds(info)
        self._cursor.execute("EXECUTE boltbo_probe")
        self._cursor.fetchall()
        return max(cpu_seconds(info) - before, 1e-6) / USUAL
