"""Which dialect a server is spoken to in."""

from __future__ import annotations

import psycopg

from boltbo.domains.plans.dialects import DialectName, by_name
from boltbo.domains.plans.dialects.statement import Dialect
from boltbo.domains.plans.server.connection import Server
from boltbo.errors import ConfigError

HINTED = ("hints", "leading")


def choose(server: Server, name: DialectName = "auto") -> Dialect:
    """The dialect of this name, or the best that the server follows; loads pg_hint_plan where it takes that.

    Raises:
        ConfigError: The dialect needs pg_hint_plan, and the server does not have it.
        OracleUnavailable: The server does not answer.
    """
    version = server.connection.info.server_version
    if name == "auto":
        name = "hints" if load_hint_plan(server) is None else "sql"
    elif name in HINTED and (reason := load_hint_plan(server)) is not None:
        raise ConfigError(
            f"dialect {name!r} needs the extension pg_hint_plan, and the server does not have it: {reason}. Install it, "
            "name its file with hint_plan, or use dialect 'sql', which needs no extension (but has no merge joins)."
        )
    return by_name(name, version=version)


def load_hint_plan(server: Server) -> str | None:
    """Have pg_hint_plan in every connection of `server` from now on; the reason where that cannot be.

    Raises:
        OracleUnavailable: The server does not answer.
    """
    if (state := hints_enabled(server)) is not None:
        return None if state == "on" else "pg_hint_plan.enable_hint is off"
    if server.pooled:
        return "a pooler is in between, so the library would have to be loaded in every session (session_preload_libraries)"
    server.load = server.hint_plan
    server.close()
    try:
        if hints_enabled(server) == "on":
            return None
        reason = f"{server.hint_plan} is loaded and does nothing"
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
    server.load = None
    server.close()
    return reason


def hints_enabled(server: Server) -> str | None:
    """Whether pg_hint_plan is `on` or `off` in a session; None where it is not there."""
    # current_setting would answer for a line in postgresql.conf without the library, too; this view does not
    rows = server.query("SELECT setting FROM pg_settings WHERE name = 'pg_hint_plan.enable_hint'")
    return str(rows[0][0]) if rows else None
