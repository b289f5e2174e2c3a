"""The generated workload: templates with constants."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sqlglot

from boltbo.domains.plans.imdb.queries import fill, generate_workload, quoted, templates_by_name
from boltbo.domains.plans.parse import parse_query


def test_at_least_sixteen_templates_of_six_to_fourteen_relations():
    sizes = [len(parse_query(sql).relations) for _, sql in generate_workload(len(templates_by_name()), 0)]
    assert len(sizes) >= 16
    assert min(sizes) >= 6
    assert max(sizes) == 14


def test_same_seed_same_queries_and_more_of_them_begin_the_same():
    assert generate_workload(60, 3) == generate_workload(200, 3)[:60]
    assert generate_workload(20, 3) != generate_workload(20, 4)


def test_queries_are_distinct_and_named_by_template():
    queries = generate_workload(300, 0)
    assert len({sql for _, sql in queries}) == len({name for name, _ in queries}) == 300
    assert all(re.fullmatch(r"w\d\d-\d{4}", name) for name, _ in queries)


def test_templates_can_be_chosen():
    names = [name for name, _ in generate_workload(4, 0, ["w03", "w05"])]
    assert names == ["w03-0001", "w05-0001", "w03-0002", "w05-0002"]


@pytest.mark.parametrize("templates", [["w99"], []])
def test_unknown_templates_are_refused(templates):
    with pytest.raises(ValueError, match="there are w01"):
        generate_workload(1, 0, templates)


@pytest.mark.parametrize("name", sorted(templates_by_name()))
def test_every_template_fills_to_sql_that_can_be_steered(name):
    for seed in range(8):
        sql = fill(templates_by_name()[name], np.random.default_rng(seed))
        assert "{" not in sql
        sqlglot.parse_one(sql, dialect="postgres")
        parse_query(sql)


def test_texts_are_quoted():
    assert quoted("it's") == "'it''s'"
