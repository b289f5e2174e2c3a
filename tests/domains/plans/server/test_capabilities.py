"""What is found out about servers: the embedded one, and temporary ones with other roles, settings and extensions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from typer.testing import CliRunner

from boltbo import OracleUnavailable
from boltbo.cli.app import app
from boltbo.domains.plans.server.address import shown
from boltbo.domains.plans.server.capabilities import Capabilities, capabilities
from boltbo.domains.plans.server.choose_dialect import choose
from boltbo.domains.plans.server.conditions import conditions, size_of
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.server.embedded import create_database, database_url
from boltbo.errors import ConfigError
from support.clusters import WHEEL, cluster


def look(url: str) -> Capabilities:
    with closing(Server(url, patience=0.0)) as server:
        return capabilities(server)


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}@", 1)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A fresh server that production might have: everything as delivered, statistics of statements preloaded."""
    with cluster(WHEEL, "shared_preload_libraries = 'pg_stat_statements'", "shared_buffers = 16MB") as url:
        execute(url, "CREATE ROLE reader LOGIN", "ALTER DATABASE postgres SET jit = on")
        yield url


@pytest.fixture
def shop(postgres: str) -> Iterator[str]:
    """A database with two tables, one of which was analyzed."""
    create_database(postgres, "shop")
    url = database_url(postgres, "shop")
    execute(
        url,
        "CREATE TABLE seen AS SELECT i FROM generate_series(1, 1000) i",
        "ANALYZE seen",
        "CREATE TABLE unseen AS SELECT i FROM generate_series(1, 1000) i",
        "CREATE INDEX ON unseen (i)",
        "CREATE TABLE empty (i int)",
    )
    yield url
    execute(postgres, "DROP DATABASE shop WITH (FORCE)")


def test_the_embedded_server_is_fit(imdb_url: str) -> None:
    found = look(imdb_url)
    assert found.supported
    assert found.usable
    assert found.version >= 180000
    assert found.version_text.startswith("18")
    assert not found.replica
    assert not found.pooled
    assert found.never_analyzed == ()
    assert found.tables == 21
    assert found.unreadable == 0
    assert found.refused == {}
    assert found.cpu_reason == ""
    assert found.hint_plan in ("loaded", "loadable", "absent")
    assert (found.hint_plan == "absent") == bool(found.hint_plan_reason)
    assert [c.name for c in conditions(found) if c.effect] == ["geqo"]  # PostgreSQL's default, as on most servers


def test_a_library_is_not_loaded_through_a_pooler(imdb_url: str) -> None:
    class Pooled(Server):
        pooled = True  # type: ignore[assignment]

    with closing(Pooled(imdb_url, hint_plan=os.environ.get("BOLTBO_TEST_HINT_PLAN", "pg_hint_plan"))) as server:
        assert choose(server, "auto").name == "sql"
        with pytest.raises(ConfigError, match="session_preload_libraries"):
            choose(server, "hints")


def test_tables_without_statistics(shop: str) -> None:
    """An index build tells the server how many rows there are, and nothing about them."""
    found = look(shop)
    assert found.tables == 3
    assert found.never_analyzed == ("unseen",)


def test_what_an_ordinary_role_may_do(shop: str) -> None:
    execute(shop, "GRANT SELECT ON seen TO reader")
    found = look(as_role(shop, "reader"))
    assert not found.superuser
    assert (found.tables, found.unreadable) == (3, 2)
    assert found.usable
    assert found.refused == {}
    assert found.hint_plan == "absent"


def test_a_role_that_can_read_nothing(shop: str) -> None:
    found = look(as_role(shop, "reader"))
    assert found.unreadable == 3
    assert not found.usable
    told = CliRunner().invoke(app, ["doctor", "--database", as_role(shop, "reader")])
    assert told.exit_code == 1
    assert "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader" in " ".join(told.output.split())


def test_a_schema_that_is_closed(shop: str) -> None:
    execute(shop, "CREATE SCHEMA closed", "CREATE TABLE closed.t (i int)", "GRANT SELECT ON closed.t TO reader")
    assert look(as_role(shop, "reader")).unreadable == 4


def test_a_setting_in_a_file_is_no_library(shop: str) -> None:
    """`current_setting` answers for it; pg_hint_plan is there when the server knows the setting."""
    execute(shop, "ALTER DATABASE shop SET pg_hint_plan.enable_hint = on")
    assert look(shop).hint_plan == "absent"


def test_statistics_of_statements(shop: str) -> None:
    assert look(shop).stat_statements == "not created"
    execute(shop, "CREATE EXTENSION pg_stat_statements")
    assert look(shop).stat_statements == "readable"
    assert look(as_role(shop, "reader")).stat_statements == "partly hidden"


def test_an_extension_whose_library_is_not_preloaded(imdb_url: str) -> None:
    with cluster(WHEEL) as url:
        execute(url, "CREATE EXTENSION pg_stat_statements")
        assert look(url).stat_statements == "not preloaded"
        told = CliRunner().invoke(app, ["doctor", "--database", url])
        assert told.exit_code == 1  # it has no table
        assert "shared_preload_libraries" in told.output


def test_the_tables_of_extensions_are_not_counted(shop: str) -> None:
    execute(shop, "CREATE EXTENSION pg_stat_statements")
    assert look(shop).tables == 3


@pytest.mark.parametrize(
    ("column", "shape"), [("query_id bigint", "query_id"), ("norm_query_string text", "norm_query_string")]
)
def test_both_shapes_of_the_hint_table(shop: str, column: str, shape: str) -> None:
    """pg_hint_plan finds queries by id from PostgreSQL 17 on, by their text before."""
    execute(
        shop, "CREATE SCHEMA hint_plan", f"CREATE TABLE hint_plan.hints ({column}, application_name text, hints text)"
    )
    found = look(shop)
    assert found.hint_table == shape
    assert found.tables == 3
    assert look(as_role(shop, "reader")).hint_table == "unreadable"


def test_settings_that_disturb_measuring_say_how(shop: str) -> None:
    execute(shop, "ALTER DATABASE shop SET max_parallel_workers_per_gather = 2", "ALTER DATABASE shop SET jit = on")
    said = {c.name: c.effect for c in conditions(look(shop))}
    assert "workers are free" in said["max_parallel_workers_per_gather"]
    assert "compiling" in said["jit"]
    assert "spinning disks" in said["random_page_cost"]
    assert said["work_mem"] == ""
    assert "shared_buffers" in said


@pytest.mark.parametrize(("text", "size"), [("128MB", 2**27), ("8kB", 2**13), ("2GB", 2**31), ("on", None), ("", None)])
def test_sizes(text: str, size: int | None) -> None:
    assert size_of(text) == size


def test_the_doctor_says_what_each_missing_thing_costs(imdb_url: str) -> None:
    told = CliRunner().invoke(app, ["doctor", "--database", imdb_url, "--hint-plan", "no_such_library"])
    assert told.exit_code == 0
    words = " ".join(told.output.split())
    assert "merge joins and scan methods cannot" in words
    assert "apt install postgresql-18-pg-hint-plan" in words
    answer = json.loads(CliRunner().invoke(app, ["doctor", "--database", imdb_url, "--format", "json"]).output)
    assert {"part", "works", "found", "cost", "remedy", "needed"} == set(answer[0])
    assert [f["part"] for f in answer[:4]] == ["server", "tables", "settings of plans", "pg_hint_plan"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:secret@127.0.0.1:1/shop", "nothing listens there"),
        ("postgresql:///shop?host=/no/such/folder", "no server has a socket there"),
        ("postgresql://me:se/cret@127.0.0.1:1/shop", "this is no URL of a PostgreSQL"),
        ("postgresql://me:12/secret@127.0.0.1:1/shop", "this is no URL of a PostgreSQL"),
        ("postgresql://me:p@secret@127.0.0.1:1/shop", "this is no URL of a PostgreSQL"),
        ("host=127.0.0.1 port=1 password=secret", "nothing listens there"),
        ("nonsense", "this is no URL of a PostgreSQL"),
    ],
)
def test_no_connection_is_one_clear_error_without_the_password(url: str, message: str) -> None:
    with pytest.raises((OracleUnavailable, ConfigError), match=message) as raised:
        look(url)
    assert "ecret" not in str(raised.value)


def test_an_unknown_database_and_an_unknown_role(imdb_url: str) -> None:
    with pytest.raises(OracleUnavailable, match='database "no_such_database" does not exist'):
        Server(database_url(imdb_url, "no_such_database"), patience=3600.0).query("SELECT 1")  # no use waiting
    with pytest.raises(OracleUnavailable, match="does not know this database"):
        look(database_url(imdb_url, "no_such_database"))
    with pytest.raises(OracleUnavailable, match="does not know this role"):
        look(imdb_url.replace("postgres:@", "no_such_role@", 1))


def test_a_wrong_password(postgres: str) -> None:
    execute(postgres, "ALTER ROLE reader PASSWORD 'right'")
    with psycopg.connect(postgres, autocommit=True) as connection:
        [file] = connection.execute("SHOW hba_file").fetchone() or ()
        with open(file, "r+") as rules:
            before = rules.read()
            rules.seek(0)
            rules.write("local all reader scram-sha-256\n" + before)
        connection.execute("SELECT pg_reload_conf()")
        try:
            with pytest.raises(OracleUnavailable, match="the password is wrong") as raised:
                look(postgres.replace("postgres@", "reader:secret@", 1))
            assert "secret" not in str(raised.value)
            with pytest.raises(OracleUnavailable, match="password authentication failed"):
                Server(postgres.replace("postgres@", "reader:secret@", 1), patience=3600.0).query("SELECT 1")
            with pytest.raises(OracleUnavailable, match="write the password into the URL"):
                look(as_role(postgres, "reader"))
        finally:
            with open(file, "w") as rules:
                rules.write(before)
            connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://me:secret@db:5433/shop", "me@db:5433/shop"),
        ("postgresql://me@db/shop?password=secret", "me@db/shop"),
        ("host=db dbname=shop user=me password=secret", "me@db/shop"),
        ("postgresql://me:p%40ss@db/shop", "me@db/shop"),
        ("postgresql:///shop", "@/shop"),
    ],
)
def test_what_is_shown_of_a_url(url: str, text: str) -> None:
    assert shown(url) == text
