"""What of a workload can be searched, query by query, before anything is executed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from boltbo.domains.plans.parse import parse_query
from boltbo.domains.plans.server.column_types import check_types
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.workload.files import Workload, reason_in_short
from boltbo.errors import UnsupportedQuery


@dataclass(frozen=True, slots=True)
class Surveyed:
    """Whether one query can be searched.

    Attributes:
        id: Its id.
        relations: The sizes of its blocks of inner joins; none where it is not searched.
        reason: Why it is not, in a few words; empty where it is.
        note: The whole message, or what within a searched query stays as the server plans it.
    """

    id: str
    relations: tuple[int, ...] = ()
    reason: str = ""
    note: str = ""


def survey(workload: Workload, server: Server | None = None) -> list[Surveyed]:
    """Look at every query; with a server, also whether it accepts them (EXPLAIN; nothing is executed).

    Raises:
        OracleUnavailable: The server does not answer.
    """
    return [_one(name, text, server) for name, text in workload.queries]


def _one(name: str, text: str, server: Server | None) -> Surveyed:
    try:
        query = parse_query(text, server.columns if server is not None else None)
        if server is not None:
            server.explain(query.sql)
            check_types(query, server)
    except (psycopg.Error, UnsupportedQuery) as error:
        refused = isinstance(error, psycopg.Error)
        reason = "refused by the server" if refused else reason_in_short(error)  # type: ignore[arg-type]
        return Surveyed(name, reason=reason, note=str(error).strip().splitlines()[0])
    except ValueError as error:
        return Surveyed(name, reason=reason_in_short(error), note=str(error))
    return Surveyed(name, tuple(len(block.relations) for block in query.blocks), note="; ".join(query.kept))


def summary(queries: Iterable[Surveyed]) -> str:
    """One line, such as `87 of 120 queries are searched; 12 one relation, 3 not a SELECT (INSERT)`."""
    every = list(queries)
    reasons = Counter(s.reason for s in every if s.reason)
    searched = sum(not s.reason for s in every)
    rest = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
    return f"{searched} of {len(every)} queries are searched" + (f"; {rest}" if rest else "")
