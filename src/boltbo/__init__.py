"""boltbo: large-scale multi-task Bayesian optimization with a language model (BOLT, arXiv 2503.08131).

The public names; importing this module is cheap, each name loads what it needs on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from boltbo._version import __version__

_HOMES = {
    "Bars": "system.progress",
    "BoltboError": "errors",
    "Built": "domains.build",
    "Campaign": "campaign.campaign",
    "ConfigError": "errors",
    "Constrained": "domain",
    "Domain": "domain",
    "Drawing": "drawing",
    "Evaluation": "problem",
    "Grammar": "domain",
    "InvalidCandidate": "errors",
    "Observation": "problem",
    "OracleUnavailable": "errors",
    "Results": "campaign.results",
    "SearchSpace": "domain",
    "Settings": "settings",
    "Slots": "spaces",
    "Status": "problem",
    "Strings": "spaces",
    "Task": "problem",
    "Trajectory": "problem",
}

__all__ = ["__version__", *sorted(_HOMES)]

if TYPE_CHECKING:
    from boltbo.campaign.campaign import Campaign as Campaign
    from boltbo.campaign.results import Results as Results
    from boltbo.domain import Constrained as Constrained
    from boltbo.domain import Domain as Domain
    from boltbo.domain import Grammar as Grammar
    from boltbo.domain import SearchSpace as SearchSpace
    from boltbo.domains.build import Built as Built
    from boltbo.drawing import Drawing as Drawing
    from boltbo.errors import BoltboError as BoltboError
    from boltbo.errors import ConfigError as ConfigError
    from boltbo.errors import InvalidCandidate as InvalidCandidate
    from boltbo.errors import OracleUnavailable as OracleUnavailable
    from boltbo.problem import Evaluation as Evaluation
    from boltbo.problem import Observation as Observation
    from boltbo.problem import Status as Status
    from boltbo.problem import Task as Task
    from boltbo.problem import Trajectory as Trajectory
    from boltbo.settings import Settings as Settings
    from boltbo.spaces import Slots as Slots
    from boltbo.spaces import Strings as Strings
    from boltbo.system.progress import Bars as Bars


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"boltbo.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'boltbo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
