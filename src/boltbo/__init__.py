"""boltbo: large-scale multi-task Bayesian optimization with a language model (BOLT, arXiv 2503.08131).

The public names; importing this module is cheap, each name loads what it needs on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Campaign": "campaign",
    "Domain": "problem",
    "Evaluation": "problem",
    "Grammar": "problem",
    "InvalidCandidate": "problem",
    "Observation": "problem",
    "OracleUnavailable": "problem",
    "Results": "results",
    "SearchSpace": "problem",
    "Settings": "settings",
    "Slots": "spaces",
    "Status": "problem",
    "Strings": "spaces",
    "Task": "problem",
    "Trajectory": "problem",
}

__all__ = ["__version__", *sorted(_HOMES)]

if TYPE_CHECKING:
    from boltbo.campaign import Campaign as Campaign
    from boltbo.problem import Domain as Domain
    from boltbo.problem import Evaluation as Evaluation
    from boltbo.problem import Grammar as Grammar
    from boltbo.problem import InvalidCandidate as InvalidCandidate
    from boltbo.problem import Observation as Observation
    from boltbo.problem import OracleUnavailable as OracleUnavailable
    from boltbo.problem import SearchSpace as SearchSpace
    from boltbo.problem import Status as Status
    from boltbo.problem import Task as Task
    from boltbo.problem import Trajectory as Trajectory
    from boltbo.results import Results as Results
    from boltbo.settings import Settings as Settings
    from boltbo.spaces import Slots as Slots
    from boltbo.spaces import Strings as Strings


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"boltbo.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'boltbo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
