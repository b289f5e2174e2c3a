"""A connection to a PostgreSQL that survives the server's absence, and the one place where statements are sent.

Every statement runs in a read-only transaction that is rolled back.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, LiteralString, TypeVar
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from boltbo.errors import ConnectionLost, OracleUnavailable

T = TypeVar("T")

Settings = Sequence[tuple[str, str]]
"""(server setting, value) pairs, as plain literals"""


_COLUMNS = """
SELECT n.nspname, c.relname, pg_table_is_visible(c.oid), array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY n.nspname, c.relname, c.oid
"""


_REFUSED = (
    *("password authentication failed", "no password supplied", "no pg_hba.conf entry"),
    *('" does not exist', "permission denied for database", "is not permitted to log in"),
)
"""Pieces of the messages of a server that answers and lets nobody in: no use waiting. (libpq tells no SQLSTATE here; where
the messages are in another language, the wait is for nothing.)"""


class Server:
    """One connection, opened on first use and again when it was lost. Picklable: a copy opens its own.

    Args:
        url: `postgresql://…`
        patience: Seconds to wait for a server that does not answer before giving up.
        hint_plan: The library of pg_hint_plan, a name or an absolute path (which takes a superuser).
        load: A library that every new connection loads; set by `server.choose_dialect`.
    """

    def __init__(
        self, url: str, *, patience: float = 20.0, hint_plan: str = "pg_hint_plan", load: str | None = None
    ) -> None:
        self.url = url
        self.patience = patience
        self.hint_plan = hint_plan
        self.load = load
        self._connection: psycopg.Connection[Any] | None = None

    def __getstate__(self) -> Mapping[str, Any]:
        return {**self.__dict__, "_connection": None}

    def another(self) -> Server:
        """A second connection to the same server."""
        return Server(self.url, patience=self.patience, hint_plan=self.hint_plan, load=self.load)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """An open connection.

        Raises:
            OracleUnavailable: The server did not answer for `patience` seconds, or refuses the role or the database.
        """
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection

    @property
    def lost(self) -> bool:
        """The connection was open and no longer is."""
        return self._connection is not None and (self._connection.closed or self._connection.broken)

    @property
    def pooled(self) -> bool:
        """Something between here and the server hands its connections to several clients in turn."""
        [(pid,)] = self.query("SELECT pg_backend_pid()")
        # a pooler makes the number up that it gives as its process's
        return bool(pid != self.connection.info.backend_pid)

    def _connect(self) -> psycopg.Connection[Any]:
        deadline = time.monotonic() + self.patience
        pause = 0.1
        while True:
            try:
                # no server-side preparation by psycopg: what is planned, and when, is measured here
                connection = psycopg.connect(self.url, autocommit=True, prepare_threshold=None, connect_timeout=10)
                break
            except psycopg.OperationalError as error:
                if any(piece in str(error) for piece in _REFUSED):
                    raise OracleUnavailable(f"no connection to {redact(self.url)}: {str(error).strip()}") from error
                if time.monotonic() + pause > deadline:
                    raise OracleUnavailable(
                        f"the database {redact(self.url)} does not answer: {str(error).strip()}. "
                        "Start it and run the same command again; everything measured so far is stored."
                    ) from error
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
        if self.load is not None:
            try:
                connection.execute(sql.SQL("LOAD {}").format(sql.Literal(self.load)))
            except psycopg.Error:
                connection.close()
                raise
        return connection

    @contextmanager
    def read_only(
        self, settings: Settings = (), timeout: float | None = None, first: str = ""
    ) -> Iterator[psycopg.Cursor[Any]]:
        """A cursor in a read-only transaction with `settings` and a statement timeout (seconds), rolled back at the end.

        `first` is sent along with its beginning, which saves a round trip; its results are the cursor's last ones.
        """
        connection = self.connection
        with connection.cursor() as cursor:
            limits = [("statement_timeout", milliseconds(timeout))] if timeout else []
            begin = [sql.SQL("BEGIN READ ONLY"), *(set_local(k, v) for k, v in [*settings, *limits])]
            try:
                # bytes: taken as they are, no % placeholders
                cursor.execute(sql.SQL("; ").join(begin).as_bytes(cursor) + (f";\n{first}".encode() if first else b""))
                yield cursor
            finally:
                roll_back(cursor)

    def explain(self, statement: str, settings: Settings = (), timeout: float | None = None) -> Mapping[str, Any]:
        """EXPLAIN (FORMAT JSON) of a statement: the top plan node.

        Raises:
            psycopg.Error: The server refuses the statement.
            OracleUnavailable: It was lost and did not come back.
        """

        def ask() -> Mapping[str, Any]:
            with self.read_only(settings, timeout) as cursor:
                return _plan_of(cursor, f"EXPLAIN (FORMAT JSON) {statement}")

        return self.again(ask)

    def again(self, ask: Callable[[], T]) -> T:
        """`ask()`, and once more on a new connection if the server went away meanwhile.

        Raises:
            OracleUnavailable: It did not come back.
            ConnectionLost: It came back, and the same happened again.
        """
        try:
            return ask()
        except psycopg.OperationalError:
            if not self.lost:
                raise
        self.close()
        try:
            return ask()
        except psycopg.OperationalError as error:
            if not self.lost:
                raise
            self.close()
            self.connection  # noqa: B018  (raises where the server is gone for good)
            raise ConnectionLost(f"the server was lost twice over the same statement: {error}") from error

    @cached_property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """table -> its columns, of every table (view, foreign table); those on the search path by their bare name, too.

        Raises:
            OracleUnavailable: The server does not answer.
        """
        by_table: dict[str, tuple[str, ...]] = {}
        for schema, table, visible, columns in self.again(lambda: self.query(_COLUMNS)):
            by_table[f"{schema}.{table}"] = tuple(columns)
            if visible:
                by_table[table] = tuple(columns)
        return by_table

    def query(self, statement: str, timeout: float | None = None) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        with self.read_only(timeout=timeout) as cursor:
            cursor.execute(statement.encode())
            return cursor.fetchall()


def roll_back(cursor: psycopg.Cursor[Any], statement: LiteralString = "ROLLBACK") -> None:
    connection = cursor.connection
    while not connection.closed and not connection.broken:
        try:
            cursor.execute(statement)
            return
        except psycopg.errors.QueryCanceled:  # the transaction's own short timeout holds for its end too
            continue


def _plan_of(cursor: psycopg.Cursor[Any], statement: str) -> Mapping[str, Any]:
    cursor.execute(statement.encode())  # bytes: taken as it is, no % placeholders
    row = cursor.fetchone()
    assert row is not None
    plan: Mapping[str, Any] = row[0][0]["Plan"]
    return plan


def set_local(name: str, value: str) -> sql.Composed:
    return sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value))


def limit_statement(cursor: psycopg.Cursor[Any], seconds: float) -> None:
    """Have the server cancel the transaction's next statements after so many seconds each."""
    cursor.execute(f"SET LOCAL statement_timeout = {milliseconds(seconds)}".encode())


def milliseconds(seconds: float) -> str:
    """Milliseconds as PostgreSQL's timeouts take them: whole, at least 1 (0 would mean no limit)."""
    return str(max(1, round(seconds * 1000)))


_PASSWORD = re.compile(r"(\bpassword\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^&\s]*)", re.IGNORECASE)


def redact(url: str) -> str:
    """The URL (or `host=… password=…`) without its password, for messages."""
    url = _PASSWORD.sub(r"\1***", url)
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))
