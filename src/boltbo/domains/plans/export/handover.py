"""A plan in a form that a server can use, with what came of checking it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from boltbo.domains.plans.dialects import Statement
from boltbo.domains.plans.server.paired import Comparison, Planning

Form = Literal["sql", "hints", "hint-table"]
"""`sql`: a script with its settings. `hints`: one statement with a pg_hint_plan comment. `hint-table`: the hints alone, for the
untouched statement, as a row of `hint_plan.hints`."""

HOLDS = "holds"
DIFFERENT_RESULTS = "the results differ"
SERVERS_OWN = "it is the server's own plan"


@dataclass(frozen=True, slots=True)
class Handover:
    """One checked plan.

    Attributes:
        task: The task's id.
        original: The query's own SQL.
        aliases: Aliases of the relations whose joins are searched.
        candidate: The plan in boltbo's language.
        form: See `Form`.
        sql: The statement that was checked.
        settings: Server settings (name, value) that belong to it.
        hints: The hints in its comment, for the hint table; may be empty.
        shape: What the server executed, by which a later check tells whether it still does.
        objective: Name of what was compared.
        unit, shown: Unit in which its values are shown, and how many of it a value of 1 is.
        planning: Whether the seconds of planning were part of it.
        verdict: `holds`, or why it is not handed over.
        comparison: The statement beside the default; None where they were not compared.
        server: Version of the server.
        when: Date and time of the check.
        query_id: The server's identifier of the original, where it has one.
    """

    task: str
    original: str
    aliases: tuple[str, ...]
    candidate: str
    form: Form
    sql: str
    settings: tuple[tuple[str, str], ...]
    hints: str
    shape: str
    objective: str
    unit: str
    shown: float
    planning: Planning
    verdict: str
    comparison: Comparison | None
    server: str
    when: str
    query_id: int | None = None

    @property
    def holds(self) -> bool:
        return self.verdict == HOLDS

    @property
    def statement(self) -> Statement:
        return Statement(self.sql, self.settings)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Handover:
        """One entry of a manifest.

        Raises:
            TypeError, KeyError, ValueError: It is none.
        """
        c = data["comparison"]
        comparison = c and Comparison(**{**c, **{k: tuple(c[k]) for k in ("before", "after", "planning")}})
        settings = tuple((str(name), str(value)) for name, value in data["settings"])
        return cls(**{**data, "settings": settings, "aliases": tuple(data["aliases"]), "comparison": comparison})
