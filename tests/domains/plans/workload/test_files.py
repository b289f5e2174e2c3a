"""Workloads from files: what is found, what it is called, what is left out and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from boltbo.cli.app import app
from boltbo.domains.plans.build import build
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.workload.files import Workload, read_file, read_folder, template_of
from boltbo.domains.plans.workload.statements_of_file import split
from boltbo.domains.plans.workload.survey import summary, survey
from boltbo.errors import ConfigError
from boltbo.system.progress import Bars

JOINED = "SELECT COUNT(*) FROM title t, kind_type kt WHERE t.kind_id = kt.id"

SCRIPT = r"""
-- a comment; with a semicolon
\timing on
SET work_mem = '64MB';
/* one /* nested ; */ comment */ SELECT 'a;b', E'it\';s', ";", $$ ; $$, $x$ $$ ; $x$ FROM t -- tail;
;
SELECT $1 \gx
COPY t FROM stdin;
1;2
\.
/*+ HashJoin(a b) */ SELECT 2;;
select a from b"""


def test_statements_end_where_psql_says() -> None:
    assert [(p.line, p.text) for p in split(SCRIPT)] == [
        (3, r"\timing on"),
        (4, "SET work_mem = '64MB'"),
        (5, r"""SELECT 'a;b', E'it\';s', ";", $$ ; $$, $x$ $$ ; $x$ FROM t -- tail;"""),
        (7, "SELECT $1"),
        (7, r"\gx"),
        (8, "COPY t FROM stdin"),
        (11, "/*+ HashJoin(a b) */ SELECT 2"),
        (12, "select a from b"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("  ;; \n;", []),
        ("-- only a comment", []),
        ("/* open", []),
        ("SELECT 'open; SELECT 2", ["SELECT 'open", "SELECT 2"]),
        ("SELECT 1 -- end", ["SELECT 1 -- end"]),
        ("SELECT a$b$c; SELECT d$b$e", ["SELECT a$b$c", "SELECT d$b$e"]),
        ("SELECT $1; SELECT $2", ["SELECT $1", "SELECT $2"]),
    ],
)
def test_odd_texts_are_split(text: str, found: list[str]) -> None:
    assert [p.text for p in split(text)] == found


@given(
    st.lists(
        st.sampled_from(["'", '"', "$$", "$a$", ";", "--", "/*", "*/", "\n", "\\", "x", "E'", "''", " "]), max_size=30
    )
)
def test_any_text_is_split_and_no_semicolon_outside_quotes_is_left(parts: list[str]) -> None:
    pieces = split("".join(parts))
    assert all(p.text.strip() == p.text and p.text for p in pieces)
    assert all(p.line >= 1 for p in pieces)


@given(
    st.lists(
        st.sampled_from(["SELECT 'a;b'", 'SELECT ";"', "SELECT $$;$$ /* ; */ x", "SELECT 1 -- ;\n + 2"]), max_size=8
    )
)
def test_what_was_put_together_comes_apart_again(statements: list[str]) -> None:
    assert [p.text for p in split(";\n".join(statements))] == statements


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_folder_of_files_with_one_and_with_many_statements(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        one=JOINED,
        many=f"SET a = 1; {JOINED} AND 1 = 1; {JOINED} AND 2 = 2;",
        deep__er__q=f"{JOINED} AND 3 = 3",
    )
    found = read_folder(folder)
    assert [name for name, _ in found.queries] == ["deep/er/q", "many-1", "many-2", "one"]
    assert found.skipped == [("many, line 1", "SET")]
    assert found.remarks() == ["no queries, skipped: 1 SET"]


def test_the_same_query_twice_is_one(tmp_path: Path) -> None:
    found = read_folder(write(tmp_path, a=JOINED, b=f"-- again\n{JOINED.replace(' ', '  ')};"))
    assert [name for name, _ in found.queries] == ["a"]
    assert found.skipped == [("b, line 2", "found before")]


def test_names_are_never_the_same(tmp_path: Path) -> None:
    found = read_folder(write(tmp_path, **{"a": f"{JOINED}; {JOINED} AND 1 = 1", "a-1": f"{JOINED} AND 2 = 2"}))
    assert sorted(name for name, _ in found.queries) == ["a-1", "a-1.2", "a-2"]


def test_a_file_of_many_statements(tmp_path: Path) -> None:
    write(tmp_path, log=f"{JOINED};\n\\d title\nEXPLAIN {JOINED};\n{JOINED} AND 1 = 1;")
    found = read_file(tmp_path / "log.sql")
    assert [name for name, _ in found.queries] == ["log-1", "log-2"]
    assert [reason for _, reason in found.skipped] == ["psql command", "EXPLAIN"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_that_say_their_encoding(tmp_path: Path, encoding: str) -> None:
    text = f"{JOINED} AND kt.kind = 'café'"
    (tmp_path / "q.sql").write_bytes(text.encode(encoding))
    found = read_folder(tmp_path)
    assert found.queries == [("q", text)]
    assert found.notes == []


def test_files_that_are_not_utf_8_are_one_note(tmp_path: Path) -> None:
    for i in range(5):
        (tmp_path / f"q{i}.sql").write_bytes(f"{JOINED} AND kt.kind = 'café{i}'".encode("latin-1"))
    found = read_folder(tmp_path)
    assert len(found.queries) == 5
    assert "café0" in found.queries[0][1]
    [note] = found.notes
    assert "not UTF-8" in note
    assert "q0.sql, q1.sql, q2.sql and 2 more" in note


def test_there_must_be_something_to_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.sql file"):
        read_folder(tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        read_folder(tmp_path / "none")
    with pytest.raises(ConfigError, match=r"none\.sql cannot be read"):
        read_file(tmp_path / "none.sql")


def test_templates_by_name() -> None:
    names = ["ceb/1a/1a12", "log-17", "my-report-3", "my-report", "12c", "1a", "q0f", "many-1.2", "w03-0001"]
    assert [template_of(n) for n in names] == [
        "ceb/1a",
        "log",
        "my-report",
        "my-report",
        "12",
        "1",
        "q0f",
        "many",
        "w03",
    ]


QUERIES = {
    "good": JOINED,
    "single": "SELECT * FROM title",
    "write": "INSERT INTO title SELECT * FROM title",
    "broken": "SELECT FROM WHERE",
    "outer": "SELECT * FROM title t LEFT JOIN kind_type kt ON kt.id = t.kind_id",
    "cross": "SELECT * FROM title a, kind_type b",
    "lacking": "SELECT COUNT(*) FROM title t, no_such_table x WHERE t.id = x.id",
}


def test_a_survey_says_why_each_query_is_not_searched(imdb_url: str) -> None:
    server = Server(imdb_url)
    found = {s.id: s for s in survey(Workload(list(QUERIES.items())), server)}
    server.close()
    assert {name: s.reason for name, s in found.items()} == {
        "good": "",
        "single": "one relation",
        "write": "not a SELECT (INSERT)",
        "broken": "do not parse",
        "outer": "one relation",
        "cross": "no joins that can be steered",
        "lacking": "refused by the server",
    }
    assert found["good"].relations == (2,)
    assert "no_such_table" in found["lacking"].note
    assert summary(found.values()).startswith("1 of 7 queries are searched; 2 one relation, ")


def test_the_check_from_the_command_line(tmp_path: Path, imdb_url: str) -> None:
    write(tmp_path, **QUERIES)
    told = CliRunner().invoke(app, ["plans", "check", str(tmp_path)])
    assert told.exit_code == 0
    assert "2 of 7 queries are searched" in " ".join(told.output.split())
    told = CliRunner().invoke(app, ["plans", "check", str(tmp_path), "--database", imdb_url, "--format", "json"])
    answer = json.loads(told.output)
    assert answer["summary"].startswith("1 of 7 queries are searched")
    assert {q["id"] for q in answer["queries"]} == set(QUERIES)


def test_what_is_no_url_is_one_clear_error(tmp_path: Path) -> None:
    write(tmp_path, **QUERIES)
    told = CliRunner().invoke(app, ["plans", "check", str(tmp_path), "--database", "postgresql://me:pass/word@db/shop"])
    assert isinstance(told.exception, ConfigError)
    assert "word" not in str(told.exception).replace("password", "")
    with (
        pytest.raises(ConfigError, match="no URL of a PostgreSQL"),
        build({"database": "nonsense"}, 0, tmp_path, Bars(False)),
    ):
        pass
