"""What the value of an execution is: the contract of an objective, and the door through which one is had by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import psycopg

from boltbo.domains.plans.server.connection import Server
from boltbo.errors import ConfigError

Execution = Callable[[], float]
"""Executes the prepared statement once and returns its value, or raises `Stopped`"""

BUILT_IN = {
    "latency": "boltbo.domains.plans.server.latency:Latency",
    "calibrated": "boltbo.domains.plans.server.calibrated:Calibrated",
    "work": "boltbo.domains.plans.server.work:Work",
    "auto": "boltbo.domains.plans.server.calibrated:calibrated_or_latency",
}
"""Where each objective is; what stands there is called with the server."""


class Objective(ABC):
    """What the value of an execution is; lower is better.

    An objective of your own derives from this class and is named as `module:Name`, wherever a built-in one is named. It is made
    anew in each process, by `Name(server)`.

    Attributes:
        server: The server that is measured, for those that must look at it first.
        unit: Unit of the values as they are shown.
        shown: How many of that unit a value of 1 is.
        clock: Values are seconds. Then an execution is stopped at a multiple of the best value, and planning can be added;
            else only the limit in seconds stops it.
        repeatable: A plan has the same value each time, so that nothing is executed twice.
    """

    unit: str = "ms"
    shown: float = 1e3
    clock: bool = True
    repeatable: bool = False

    def __init__(self, server: Server | None = None) -> None:
        self.server = server

    @property
    def name(self) -> str:
        """What a configuration and a manifest of exported plans call it."""
        return f"{type(self).__module__}:{type(self).__qualname__}"

    def refusal(self, plan: Mapping[str, Any]) -> str:
        """Why executions of a plan (the top node of EXPLAIN) cannot be measured so, and what to do; empty where they can."""
        return ""

    @abstractmethod
    def execution(self, cursor: psycopg.Cursor[Any], limit: float) -> Execution:
        """What executes the statement that is prepared as `boltbo`, under a limit in seconds.

        Args:
            cursor: Within a transaction that has a savepoint `planned`.
            limit: Seconds of an execution, as this objective counts them.
        """


class Stopped(Exception):
    """An execution that did not end in time, and the value that it had come to by then."""

    def __init__(self, value: float) -> None:
        self.value = value


def find_objective(name: str) -> Callable[[Server], Objective]:
    """What makes the objective of a name for a server.

    Args:
        name: `latency`, `calibrated`, `work`, `auto` (calibrated where it can be had, else latency), or `module:Name`.

    Raises:
        ConfigError: There is none.
    """
    module, _, attribute = BUILT_IN.get(name, name).partition(":")
    try:
        if not module or not attribute:
            raise ImportError(f"it is none of {', '.join(BUILT_IN)}, and no module:Name")
        maker: Callable[[Server], Objective] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"objective {name!r} cannot be had: {error}") from error
    return maker
