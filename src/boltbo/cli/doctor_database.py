"""`boltbo doctor --database URL`: what a PostgreSQL has, what each missing thing costs, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from boltbo.cli.doctor import Finding

if TYPE_CHECKING:
    from boltbo.domains.plans.server.capabilities import Capabilities


def examine_database(url: str, hint_plan: str = "pg_hint_plan") -> list[Finding]:
    """Look at a server; its `needed` findings decide whether boltbo can work there.

    Raises:
        ConfigError: The URL is none.
        OracleUnavailable: There is no connection; the message says why.
    """
    from boltbo.domains.plans.server.capabilities import capabilities
    from boltbo.domains.plans.server.conditions import conditions
    from boltbo.domains.plans.server.connection import Server

    with closing(Server(url, patience=0.0, hint_plan=hint_plan)) as server:
        facts = capabilities(server)
    findings = [_version(facts), _tables(facts), _rights(facts), _hint_plan(facts, hint_plan), _hint_table(facts)]
    findings += [_stat_statements(facts), _cpu(facts), *_circumstances(facts)]
    for condition in conditions(facts):
        findings.append(
            Finding(
                condition.name, not condition.effect, condition.value, condition.remedy, needed=False, cost=condition.effect
            )
        )  # fmt: skip
    return findings


def _version(facts: Capabilities) -> Finding:
    from boltbo.domains.plans.server.capabilities import NEWEST, OLDEST

    seen = f"PostgreSQL {facts.version_text}, {facts.where}{', a superuser' if facts.superuser else ''}"
    cost = "" if facts.supported else f"boltbo was never tested on it: {OLDEST} to {NEWEST} are supported"
    return Finding("server", facts.supported, seen, "" if facts.supported else "use another server", cost=cost)


def _tables(facts: Capabilities) -> Finding:
    readable = facts.tables - facts.unreadable
    seen = f"{readable} of {facts.tables} tables can be read"
    role, database = facts.where.partition("@")[0] or "ROLE", facts.where.rpartition("/")[2]
    grant = f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    if not facts.tables:
        return Finding(
            "tables", False, f"none in {database or 'this database'}", "name a database with tables in the URL"
        )
    if not readable:
        return Finding("tables", False, seen, grant, cost="no query can be executed")
    cost = "queries on the others are reported and skipped" if facts.unreadable else ""
    return Finding("tables", not cost, seen, grant if cost else "", needed=False, cost=cost)


def _rights(facts: Capabilities) -> Finding:
    if facts.refused:
        seen = "; ".join(f"{name}: {reason}" for name, reason in facts.refused.items())
        return Finding("settings of plans", False, seen, "allow SET for this role", cost="plans cannot be forced")
    return Finding("settings of plans", True, "this role can set them")


def _hint_plan(facts: Capabilities, library: str) -> Finding:
    part = "pg_hint_plan"
    if facts.hint_plan == "loaded":
        return Finding(part, True, "loaded in every session", needed=False)
    if facts.hint_plan == "loadable":
        return Finding(part, True, "this role can load it, and boltbo does", needed=False)
    role = facts.where.partition("@")[0] or "ROLE"
    if facts.hint_plan_reason == "pg_hint_plan.enable_hint is off":
        remedy = f"ALTER ROLE {role} SET pg_hint_plan.enable_hint = on"
    elif facts.pooled or "not allowed" in facts.hint_plan_reason:
        remedy = f"as a superuser: ALTER ROLE {role} SET session_preload_libraries = 'pg_hint_plan'"
    else:
        major = facts.version // 10_000
        remedy = (
            f"install the package of your system (Debian: apt install postgresql-{major}-pg-hint-plan), then as a superuser: "
            f"ALTER ROLE {role} SET session_preload_libraries = 'pg_hint_plan'"
        )
    return Finding(
        part, False, facts.hint_plan_reason, remedy, needed=False,
        cost="the SQL-only dialect is used: hash joins and nested loops can be forced; merge joins and scan methods cannot, "
        "and what is exported is rewritten SQL, not hints",
    )  # fmt: skip


def _hint_table(facts: Capabilities) -> Finding:
    part = "hint table"
    if facts.hint_table in ("norm_query_string", "query_id"):
        how = {"norm_query_string": "text", "query_id": "query id"}[facts.hint_table]
        return Finding(part, True, f"hint_plan.hints finds queries by {how}", needed=False)
    if facts.hint_table == "unreadable":
        seen, remedy = (
            "hint_plan.hints is there, and this role cannot read it",
            "GRANT USAGE ON SCHEMA hint_plan, SELECT",
        )
    else:
        seen, remedy = "none in this database", "CREATE EXTENSION pg_hint_plan"
    cost = "plans can be exported as SQL and as hints in the query's text, not as rows that steer an unchanged program"
    return Finding(part, False, seen, remedy, needed=False, cost=cost)


def _stat_statements(facts: Capabilities) -> Finding:
    part, state = "pg_stat_statements", facts.stat_statements
    if state == "readable":
        return Finding(part, True, "readable: the workload can be 'pg_stat_statements'", needed=False)
    role = facts.where.partition("@")[0] or "ROLE"
    cost = "the workload must come as SQL files"
    remedies = {
        "partly hidden": f"GRANT pg_read_all_stats TO {role}",
        "outdated": "ALTER EXTENSION pg_stat_statements UPDATE",
        "not preloaded": "shared_preload_libraries = 'pg_stat_statements' in postgresql.conf, and a restart",
        "not created": "CREATE EXTENSION pg_stat_statements (and shared_preload_libraries = 'pg_stat_statements')",
        "absent": "install the server's contrib modules",
    }
    if state == "partly hidden":
        cost = "of a workload from there only this role's own statements are seen"
    return Finding(part, False, state, remedies[state], needed=False, cost=cost)


def _cpu(facts: Capabilities) -> Finding:
    part = "objective calibrated"
    if not facts.cpu_reason:
        return Finding(part, True, "the server's CPU time can be read; 'calibrated' scatters least", needed=False)
    cost = "latency is measured by the client's clock, network included, and scatters more than CPU time"
    return Finding(part, False, facts.cpu_reason, "run boltbo on the server's machine (Linux)", needed=False, cost=cost)


def _circumstances(facts: Capabilities) -> Iterator[Finding]:
    if facts.pooled:
        yield Finding(
            "pooler", False, "connections are handed out by a pooler", "give boltbo the server's own port", needed=False,
            cost="works (everything is within one transaction), but times include the pooler, and waiting for a connection",
        )  # fmt: skip
    if facts.replica:
        yield Finding(
            "standby", True, "a read replica: boltbo only reads", needed=False,
            cost="a long execution may be cancelled by a conflict with what is replayed (max_standby_streaming_delay)",
        )  # fmt: skip
    if facts.never_analyzed:
        names = facts.never_analyzed
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield Finding(
            "statistics", False, f"never analyzed: {listed}", "ANALYZE", needed=False,
            cost="the server guesses there: an ANALYZE alone is likely to gain more than any search",
        )  # fmt: skip
    else:
        yield Finding("statistics", True, "every table with rows was analyzed", needed=False)
