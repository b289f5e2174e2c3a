"""What a model reads about a query, in each policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest

from boltbo.domains.plans.build import build
from boltbo.domains.plans.context import WORDS, ContextWriter, Policy, sql_words
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.parse import parse_query
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.workload.files import template_of
from boltbo.errors import ConfigError
from boltbo.llm.compact.tokenizer import Tokenizer
from boltbo.system.progress import Bars

SQL = """
SELECT COUNT(*), MIN(n.name)  -- how many
FROM title AS t JOIN cast_info ci ON ci.movie_id=t.id, name "n"
WHERE ci.person_id = n.id AND n.gender='f' AND t.production_year BETWEEN 1990 AND 2000 AND t.title <> 'It''s  a -- Title'
GROUP BY t.kind_id
"""

AS_SQL = (
    "SELECT COUNT ( * ) , MIN ( n.name ) FROM title AS t , cast_info AS ci , name AS n WHERE ci.movie_id = t.id AND "
    "ci.person_id = n.id AND ( t.production_year BETWEEN 1990 AND 2000 ) AND ( t.title <> 'It''s a -- Title' ) AND "
    "( n.gender = 'f' ) GROUP BY t.kind_id"
)

STRUCTURE = """\
t title 2^N / 2^N production_year between 1990 and 2000 title <> It''s_a_--_Ti
ci cast_info 2^N / 2^N
n name 2^N / 2^N gender = f
joins t.id ci.movie_id ; ci.person_id n.id"""


@pytest.fixture(scope="module")
def server(imdb_url: str) -> Iterator[Server]:
    with closing(Server(imdb_url)) as server:
        yield server


def written(server: Server, policy: Policy) -> str:
    """The context, with N for each estimate."""
    return re.sub(r"2\^\d+", "2^N", ContextWriter(server, policy=policy).write(parse_query(SQL)))


def test_the_sql_alone(server: Server) -> None:
    assert written(server, "sql") == AS_SQL


def test_the_structure(server: Server) -> None:
    assert sorted(written(server, "structure").splitlines()[:3]) == sorted(STRUCTURE.splitlines()[:3])
    assert set(written(server, "structure").splitlines()[3].split()) == set(STRUCTURE.splitlines()[3].split())


def test_the_structure_and_the_servers_plan(server: Server) -> None:
    *structure, plan = written(server, "plan").splitlines()
    assert "\n".join(structure) == written(server, "structure")
    assert plan.split()[0] == "server"
    assert {"t", "ci", "n"} <= set(plan.split())


def test_one_query_written_in_two_ways_reads_the_same(server: Server) -> None:
    a = parse_query("SELECT COUNT(*) FROM title t, kind_type kt WHERE t.kind_id = kt.id")
    b = parse_query("select count(*)\nfrom title as t\njoin kind_type as kt on t.kind_id=kt.id;")
    writer = ContextWriter(server, policy="sql")
    assert writer.write(a).lower() == writer.write(b).lower()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ('SELECT "t"."id" FROM "title" AS "t"', "SELECT t.id FROM title AS t"),
        ('SELECT "T"."a b" FROM x', 'SELECT "T"."a b" FROM x'),
        ("a>=1.5 and b!~*'x|y'", "a >= 1.5 and b !~* 'x|y'"),
        ("/* c */ a::text /* d */=any(array['1','2'])", "a :: text = any ( array [ '1' , '2' ] )"),
        ("'-- no comment' \n-- a comment", "'-- no comment'"),
        ("zürich.größe=1", "zürich.größe = 1"),
        ("", ""),
    ],
)
def test_symbols_of_sql_are_parted_by_blanks(statement: str, words: str) -> None:
    assert sql_words(statement) == words


def test_long_statements_end_somewhere() -> None:
    text = sql_words("SELECT " + ", ".join(map(str, range(10_000))))
    assert len(text.split()) == WORDS + 1
    assert text.endswith(" ..")


def test_the_compact_model_reads_sql_as_words() -> None:
    text = sql_words(SQL)
    tokenizer = Tokenizer.learn([text, text], ["a"], " ")
    assert len(tokenizer.context(text)) == len(text.split()) + 2


@pytest.mark.parametrize("policy", get_args(Policy))
def test_pretraining_pairs_read_like_tasks(imdb_url: str, policy: Policy) -> None:
    domain = PlansDomain(imdb_url, context=policy)
    task = domain.task_of("q", SQL, 1.0)
    pairs = list(domain.pretraining_pairs([task], 8, 0))
    assert {context for context, _ in pairs} == {task.context}
    assert all(domain.grammar(task).canonical(plan) for _, plan in pairs)
    domain.server.close()


def test_the_instruction_says_what_is_given() -> None:
    said = {policy: PlansDomain("postgresql://nowhere", context=policy).instruction for policy in get_args(Policy)}
    assert "as SQL" in said["sql"]
    assert "server's own plan" in said["plan"]
    assert "server's own plan" not in said["structure"]


def options(url: str, **more: object) -> dict[str, object]:
    return {
        "database": url, "train": 4, "validation": 2, "queries": 30, "templates": 4, "min_seconds": 0.0, "max_seconds": 10.0,
        "objective": "work", **more,
    }  # fmt: skip


def test_unseen_templates_are_for_validation_only(imdb_url: str, tmp_path: Path) -> None:
    with build(options(imdb_url, unseen_templates=1, context="structure"), 0, tmp_path, Bars(False)) as problem:
        unseen = {template_of(t.id) for t in problem.validation}
        assert len(unseen) == 1
        assert unseen.isdisjoint(template_of(t.id) for t in problem.tasks)
        assert (len(problem.tasks), len(problem.validation)) == (4, 2)
        assert not any("server" in t.context.split() for t in problem.tasks)
        first = [t.id for t in problem.validation]
    with build(options(imdb_url, unseen_templates=1, context="sql"), 0, tmp_path / "other", Bars(False)) as problem:
        assert [t.id for t in problem.validation] == first  # policies are compared on the same tasks
        assert all(t.context.startswith("SELECT") for t in problem.tasks)


def test_tasks_stay_where_other_options_are_tried_on_the_same_storage(
    imdb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = options(imdb_url), options(imdb_url, unseen_templates=1)
    made = []
    for chosen in (first, other):
        with build(chosen, 0, tmp_path, Bars(False)) as problem:
            made.append((problem.tasks, problem.validation))
    assert made[0] != made[1]
    monkeypatch.setattr("boltbo.domains.plans.build.make_parts", lambda *_: pytest.fail("screened once more"))
    searched_otherwise = options(imdb_url, timeout=2.0)
    for chosen, tasks in zip((first, other, searched_otherwise), [*made, made[0]], strict=True):
        with build(chosen, 0, tmp_path, Bars(False)) as problem:
            assert (problem.tasks, problem.validation) == tasks


def test_some_templates_must_be_left_to_train_on(imdb_url: str, tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="leaves nothing to train on: there are 4 templates"),
        build(options(imdb_url, unseen_templates=4), 0, tmp_path, Bars(False)),
    ):
        pass
