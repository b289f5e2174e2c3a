"""A workload from `pg_stat_statements`: what the server spent its time on.

It keeps statements without their constants (`year > $1`), which can be planned but not executed. Statements that have none
are taken as they are; for the others constants are drawn from the statistics of the columns they are compared with (see
`constants.py`), and their tasks say so: they are like the queries that ran, not those queries. Where that cannot be done a
statement is left out and counted; a log (`log_min_duration_statement`) has the constants.
"""

from __future__ import annotations

import re
from collections import Counter

import psycopg

from boltbo.domains.plans.server.capabilities import stat_statements_view
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.workload.constants import Constants
from boltbo.domains.plans.workload.files import Named, Workload
from boltbo.errors import CannotFill, ConfigError

STAT_STATEMENTS = "pg_stat_statements"
"""The workload's name in a configuration"""

HIDDEN = "<insufficient privilege>"

_PARAMETER = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$\d+)""")
_PREPARED = re.compile(r"""\s*PREPARE\s+(?!boltbo)[\w"]+\s*(?:\([^)]*\)\s*)?AS\b\s*""", re.IGNORECASE)
"""A statement that was prepared by name is kept with this before it; boltbo prepares what it measures, too"""

_CATALOG = re.compile(
    r"\b(?:FROM|JOIN)\s+(?:pg_catalog\.)?pg_\w+|\binformation_schema\.|\bpg_stat_statements\b", re.IGNORECASE
)


def read_stat_statements(server: Server, limit: int, seed: int = 0) -> Workload:
    """The SELECTs of this database that took the most time in all, the most expensive first.

    Args:
        server: The server whose statistics are read.
        limit: Number of statements that are looked at.
        seed: Seed of the constants that are drawn.

    Raises:
        ConfigError: The view is not there, or cannot be read; the message says what to do.
        OracleUnavailable: The server does not answer.
    """
    view = stat_statements_view(server)
    if view is None:
        raise ConfigError(
            "this database has no pg_stat_statements: CREATE EXTENSION pg_stat_statements, or name SQL files"
        )
    try:
        rows = server.query(
            f"SELECT queryid, min(query), sum(total_exec_time) FROM {view} WHERE dbid = (SELECT oid FROM pg_database "
            "WHERE datname = current_database()) GROUP BY queryid ORDER BY 3 DESC, 1"
        )
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"pg_stat_statements cannot be read ({reason}): boltbo doctor --database says what to do"
        ) from error
    hidden = sum(text == HIDDEN or text is None for _, text, _ in rows)
    statements = [(number, _PREPARED.sub("", text, count=1)) for number, text, _ in rows if text is not None]
    selects = [(number, text) for number, text in statements if _is_query(text)][:limit]
    queries: list[Named] = []
    skipped: list[Named] = []
    sampled: set[str] = set()
    constants = Constants(server)
    for number, text in selects:
        name = f"q{number % 2**64:016x}"
        if parameters(text):
            try:
                text = constants.fill(text, [seed, number % 2**64])
            except CannotFill as error:
                skipped.append((name, str(error)))
                continue
            sampled.add(name)
        queries.append((name, text))
    return Workload(queries, [], _notes(len(queries), sampled, skipped, hidden), frozenset(sampled))


def parameters(text: str) -> set[str]:
    """`$1`, `$2`, … of a statement, those within quotes left out."""
    return {match[1] for match in _PARAMETER.finditer(text) if match[1]}


def _is_query(text: str) -> bool:
    return re.match(r"\s*(\(|SELECT\b|WITH\b)", text, re.IGNORECASE) is not None and _CATALOG.search(text) is None


def _notes(queries: int, sampled: set[str], skipped: list[Named], hidden: int) -> list[str]:
    notes = []
    if sampled:
        notes.append(
            f"the constants of {len(sampled)} of {queries} statements were drawn from the columns' statistics: "
            "pg_stat_statements does not keep them"
        )
    if skipped:
        why = Counter(re.sub(r"\$\d+", "a constant", reason) for _, reason in skipped).most_common(3)
        reasons = ", ".join(f"{n}: {reason}" for reason, n in why)
        notes.append(
            f"{len(skipped)} statements are left out, for their constants are not kept and cannot be drawn ({reasons}); "
            "to have them, log statements (log_min_duration_statement) and give boltbo the SQL"
        )
    if hidden:
        notes.append(f"{hidden} statements of other roles are hidden: GRANT pg_read_all_stats TO this role")
    return notes
