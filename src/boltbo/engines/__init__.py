"""Where runs happen: in this process, in local worker processes, or in an engine of a user's own."""

from __future__ import annotations

from boltbo.engines.base import Engine
from boltbo.engines.in_process import InProcess
from boltbo.engines.processes import LocalProcesses
from boltbo.system.named import load_named

__all__ = ["Engine", "InProcess", "LocalProcesses", "make_engine"]


def make_engine(name: str = "auto", workers: int = 1) -> Engine:
    """An engine by name.

    Args:
        name: `auto`: this process where one run goes on at a time, else local processes; or `module:Name`, called with
            `workers`.
        workers: Runs at a time.

    Raises:
        ConfigError: There is no such engine.
    """
    if name == "auto":
        return InProcess() if workers <= 1 else LocalProcesses(workers)
    engine: Engine = load_named(name, "engine")(workers)
    return engine
