"""Generated IMDB data in a PostgreSQL: one database for each content, made once and found again by its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from boltbo.domains.plans.imdb.generate import VERSION, Literals, generate
from boltbo.domains.plans.imdb.table import Table, copy_text, n_rows
from boltbo.domains.plans.server.connection import redact
from boltbo.domains.plans.server.embedded import database_url
from boltbo.errors import OracleUnavailable

Progress = Callable[[str, int, int], None]
"""Called with (what is going on, done, of how many)."""

CHUNK = 50_000
"""Rows sent at a time."""


def ensure_database(
    url: str, scale: float, seed: int, literals: Literals | None = None, progress: Progress | None = None
) -> str:
    """Generate and load the data unless the server has them.

    They are loaded under another name and renamed when complete, so that an interrupted load is never taken for data.
    Of several processes that ask at the same time, one loads and the others wait.

    Args:
        url: Any database of the server; the role must be allowed to create databases.
        scale: See `generate`.
        seed: See `generate`.
        literals: See `generate`.
        progress: Called with (what is going on, done, of how many).

    Returns:
        The URL of the database.

    Raises:
        OracleUnavailable: The server does not answer, refuses to make a database, or its disk is full.
    """
    name = database_name(scale, seed, literals)
    try:
        with closing(psycopg.connect(url, autocommit=True, connect_timeout=10)) as admin:
            if not _exists(admin, name):
                # held by the session: a killed process gives it back
                admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
                if not _exists(admin, name):
                    _build(admin, url, name, generate_with(scale, seed, literals, progress), progress)
    except psycopg.errors.InsufficientPrivilege as error:
        raise OracleUnavailable(f"no database can be made on {redact(url)}: {str(error).strip()}") from error
    except psycopg.errors.DiskFull as error:
        raise OracleUnavailable(
            f"the disk of {redact(url)} is full: make room, then run the same command again"
        ) from error
    except psycopg.OperationalError as error:
        raise OracleUnavailable(f"the database {redact(url)} failed: {str(error).strip()}") from error
    return database_url(url, name)


def database_name(scale: float, seed: int, literals: Literals | None = None) -> str:
    """The name says what is inside: `imdb_s0_3_seed0_1a2b3c4d`."""
    content = json.dumps([VERSION, scale, seed, literals or {}], sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    return f"imdb_s{f'{scale:g}'.replace('.', '_')}_seed{seed}_{digest}"


def generate_with(scale: float, seed: int, literals: Literals | None, progress: Progress | None) -> dict[str, Table]:
    tell = progress or _silent
    return generate(scale, seed, literals, lambda done, total: tell("generate", done, total))


def load(connection: psycopg.Connection[Any], tables: dict[str, Table], progress: Progress | None = None) -> None:
    """Make the schema in an empty database, fill it, index it and analyse it. The connection commits by itself."""
    tell = progress or _silent
    total = sum(map(n_rows, tables.values()))
    done = 0
    # created and filled in one transaction, the rows need no write-ahead log
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_resource("schema.sql"))
        for name, table in tables.items():
            columns = sql.SQL(", ").join(map(sql.Identifier, table))
            with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), columns)) as copy:
                for start in range(0, n_rows(table), CHUNK):
                    tell(f"load {name}", done + start, total)
                    copy.write(copy_text(table, start, start + CHUNK))
            done += n_rows(table)
    statements = [s for s in _resource("indexes.sql").decode().split(";") if s.strip()]
    for i, statement in enumerate(statements):
        tell("index", i, len(statements))
        connection.execute(statement.encode())
    tell("analyze", 0, 1)
    connection.execute("VACUUM (ANALYZE, FREEZE)")
    tell("analyze", 1, 1)


def _build(
    admin: psycopg.Connection[Any], url: str, name: str, tables: dict[str, Table], progress: Progress | None
) -> None:
    """Load into `NAME_building`, then rename. Called under the lock."""
    half = f"{name}_building"
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} (FORCE)").format(sql.Identifier(half)))
    admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(half)))
    with closing(psycopg.connect(database_url(url, half), autocommit=True)) as connection:
        load(connection, tables, progress)
    admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(half), sql.Identifier(name)))
    # written out now, not while the first queries are timed; a role that may not is no reason to fail
    with suppress(psycopg.errors.InsufficientPrivilege):
        admin.execute("CHECKPOINT")


def _exists(admin: psycopg.Connection[Any], name: str) -> bool:
    return admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def _resource(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()


def _silent(stage: str, done: int, total: int) -> None:
    pass
