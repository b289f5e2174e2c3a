"""What a dialect makes of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from boltbo.domains.plans.language.plan import Abilities, Plan
from boltbo.domains.plans.language.query import Query


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL and the server settings (name, value) under which it is to be planned."""

    sql: str
    settings: tuple[tuple[str, str], ...] = ()


class Dialect(Protocol):
    """One way to make a server follow a plan."""

    @property
    def name(self) -> str: ...

    @property
    def abilities(self) -> Abilities: ...

    def render(self, query: Query, plan: Plan) -> Statement:
        """The statement of a plan: the same rows as the query's own SQL, executed as the plan says.

        Raises:
            InvalidCandidate: It is no plan of this query, or it says what the dialect cannot.
        """
        ...
