"""What a server has and what a role may do there: read from the server, and tried where only a try tells."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql

from boltbo.domains.plans.language.plan import SWITCHES
from boltbo.domains.plans.server.address import refusal, shown
from boltbo.domains.plans.server.choose_dialect import hints_enabled, load_hint_plan
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.server.cpu_time import why_unseen
from boltbo.errors import OracleUnavailable

HintPlan = Literal["loaded", "loadable", "absent"]
HintTable = Literal["absent", "unreadable", "norm_query_string", "query_id"]
StatStatements = Literal["readable", "partly hidden", "outdated", "not preloaded", "not created", "absent"]

OLDEST, NEWEST = 13, 18
"""Major versions of PostgreSQL that every test of the plans domain was run on, and those between them"""

STEERING = (*SWITCHES.values(), "join_collapse_limit", "from_collapse_limit", "geqo", "statement_timeout")
"""The settings that force plans and stop them"""

MATTERING = (
    *("shared_buffers", "work_mem", "effective_cache_size", "random_page_cost", "jit", "geqo", "geqo_threshold"),
    *("max_parallel_workers_per_gather", "plan_cache_mode", "default_statistics_target", "autovacuum"),
    "auto_explain.log_analyze",
)
"""The settings that decide how plans come out and how well they can be measured"""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A server, seen by one role in one database.

    Attributes:
        version: `server_version_num`, such as 180003.
        version_text: Such as `18.3`.
        where: role@host:port/database, without a password.
        superuser: Whether the role is a superuser.
        replica: The server is a standby.
        pooled: Something between here and the server hands its connections to several clients in turn.
        hint_plan: `loaded` in every session; `loadable` by this role in a session of its own; else `absent`.
        hint_plan_reason: Why pg_hint_plan is absent, in the server's words.
        hint_table: Whether there is a table `hint_plan.hints`, and the column by which it finds queries.
        stat_statements: Whether `pg_stat_statements` can be read; `partly hidden`: other roles' texts cannot.
        cpu_reason: Why CPU time cannot be read, which objective `calibrated` takes; empty where it can.
        tables, unreadable: The tables (views, foreign tables) outside the system's schemas, and how many this role cannot read.
        size: Bytes of the database on disk, None where the role may not ask.
        never_analyzed: Tables with rows and without statistics.
        refused: The settings of `STEERING` that this role cannot set, each with the server's reason.
        settings: Value, as the server shows it, of each of `MATTERING` that it has.
    """

    version: int
    version_text: str
    where: str
    superuser: bool
    replica: bool
    pooled: bool
    hint_plan: HintPlan
    hint_plan_reason: str
    hint_table: HintTable
    stat_statements: StatStatements
    cpu_reason: str
    tables: int
    unreadable: int
    size: int | None
    never_analyzed: tuple[str, ...]
    refused: Mapping[str, str]
    settings: Mapping[str, str]

    @property
    def supported(self) -> bool:
        """The version is one that boltbo was tested on."""
        return OLDEST <= self.version // 10_000 <= NEWEST

    @property
    def usable(self) -> bool:
        """Plans can be searched here at all."""
        return self.supported and self.tables > self.unreadable and not self.refused


def capabilities(server: Server) -> Capabilities:
    """Look at a server. Nothing is changed, nothing of the database's own tables is read.

    Raises:
        ConfigError: The URL is none.
        OracleUnavailable: The server does not answer, or lets this role or database not in.
    """
    where = shown(server.url)
    with closing(Server(server.url, patience=server.patience, hint_plan=server.hint_plan)) as plain:
        try:
            plain.connection  # noqa: B018  (opened here, so that an error is one of connecting)
        except OracleUnavailable as error:
            raise OracleUnavailable(refusal(where, str(error.__cause__ or error))) from error
        [(superuser, replica)] = plain.query(
            "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), pg_is_in_recovery()"
        )
        [(version, text)] = plain.query(
            "SELECT current_setting('server_version_num')::int, split_part(current_setting('server_version'), ' ', 1)"
        )
        pooled = plain.pooled
        hint_plan, reason = _hint_plan(plain)
        tables, unreadable = _tables(plain)
        return Capabilities(
            version=version,
            version_text=text,
            where=where,
            superuser=bool(superuser),
            replica=replica,
            pooled=pooled,
            hint_plan=hint_plan,
            hint_plan_reason=reason,
            hint_table=_hint_table(plain),
            stat_statements=_stat_statements(plain),
            cpu_reason=why_unseen(plain, pooled),
            tables=tables,
            unreadable=unreadable,
            size=_size(plain),
            never_analyzed=_never_analyzed(plain),
            refused=_refused(plain),
            settings={name: value for name in MATTERING if (value := _setting(plain, name)) is not None},
        )


def _hint_plan(plain: Server) -> tuple[HintPlan, str]:
    if hints_enabled(plain) == "on":
        return "loaded", ""
    with closing(plain.another()) as loading:
        reason = load_hint_plan(loading)
    return ("absent", reason) if reason else ("loadable", "")


def _hint_table(server: Server) -> HintTable:
    columns = {
        name
        for (name,) in server.query(
            "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = "
            "c.relnamespace WHERE n.nspname = 'hint_plan' AND c.relname = 'hints' AND a.attnum > 0 AND NOT a.attisdropped"
        )
    }
    if not columns:
        return "absent"
    try:
        server.query("SELECT FROM hint_plan.hints LIMIT 1")
    except psycopg.errors.InsufficientPrivilege:
        return "unreadable"
    return "query_id" if "query_id" in columns else "norm_query_string"


def stat_statements_view(server: Server) -> str | None:
    """The view `pg_stat_statements` with its schema, as SQL; None where it was not created in this database."""
    rows = server.query(
        "SELECT quote_ident(n.nspname) || '.pg_stat_statements' FROM pg_extension e JOIN pg_namespace n "
        "ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'"
    )
    return str(rows[0][0]) if rows else None


def _stat_statements(server: Server) -> StatStatements:
    view = stat_statements_view(server)
    if view is None:
        there = server.query("SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements'")
        return "not created" if there else "absent"
    try:
        server.query(f"SELECT total_exec_time FROM {view} LIMIT 1")
    except psycopg.errors.UndefinedColumn:
        return "outdated"
    except psycopg.Error:
        return "not preloaded"
    [(every,)] = server.query("SELECT pg_has_role('pg_read_all_stats', 'USAGE')")
    return "readable" if every else "partly hidden"


_OWN_TABLES = """
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'hint_plan') AND n.nspname NOT LIKE 'pg\\_%'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""
"""All tables but those of the system and of extensions"""

_READABLE = "has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')"


def _tables(server: Server) -> tuple[int, int]:
    [(every, unreadable)] = server.query(
        f"SELECT count(*), count(*) FILTER (WHERE NOT ({_READABLE})) {_OWN_TABLES} AND c.relkind IN ('r', 'p', 'm', 'v', 'f')"
    )
    return every, unreadable


def _size(server: Server) -> int | None:
    try:
        [(size,)] = server.query("SELECT pg_database_size(current_database())")
    except psycopg.errors.InsufficientPrivilege:
        return None
    return int(size)


def _never_analyzed(server: Server) -> tuple[str, ...]:
    """Readable tables with pages and no row in `pg_stats`: neither `reltuples` (an index build sets it) nor the times of the
    last ANALYZE (a crash forgets them) would do. Row security hides statistics, too."""
    return tuple(
        name
        for (name,) in server.query(
            f"SELECT c.oid::regclass::text {_OWN_TABLES} AND c.relkind IN ('r', 'm') AND {_READABLE} AND NOT "
            "row_security_active(c.oid) AND c.relpages + pg_relation_size(c.oid) > 0 AND NOT EXISTS (SELECT FROM pg_stats s "
            "WHERE s.schemaname = n.nspname AND s.tablename = c.relname) ORDER BY 1"
        )
    )


def _refused(server: Server) -> dict[str, str]:
    """The settings that cannot be set: each is tried with the value in force, as SET LOCAL would."""
    refused = {}
    for name in STEERING:
        if (value := _setting(server, name)) is None:
            continue
        call = sql.SQL("SELECT set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
        try:
            server.query(call.as_string(server.connection))
        except psycopg.Error as error:
            refused[name] = str(error).strip().splitlines()[0]
    return refused


def _setting(server: Server, name: str) -> str | None:
    [(value,)] = server.query(f"SELECT current_setting('{name}', true)")
    return None if value is None else str(value)
