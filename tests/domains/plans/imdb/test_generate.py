"""The generated data: the same for the same seed, complete, and correlated as they are meant to be."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest

from boltbo.domains.plans.imdb.generate import generate, harvest
from boltbo.domains.plans.imdb.random_draws import choose_by_group, choose_members, fan_out
from boltbo.domains.plans.imdb.soundex import phonetic_code
from boltbo.domains.plans.imdb.table import Column, copy_text, n_rows

SCALE = 0.005


@pytest.fixture(scope="module")
def tables():
    return generate(SCALE, 0)


def schema():
    text = files("boltbo.domains.plans.imdb").joinpath("schema.sql").read_text()
    found = re.findall(r"CREATE TABLE (\w+) \((.*?)\);", text, re.S)
    return {name: [c.split()[0] for c in re.split(r",\s+", body.strip())] for name, body in found}


def values(table, column):
    c = table[column]
    return [None if code < 0 else (c.words[code] if c.words is not None else int(code)) for code in c.codes]


def test_same_arguments_same_data(tables):
    again = generate(SCALE, 0)
    assert {k: copy_text(t, 0, n_rows(t)) for k, t in tables.items()} == {
        k: copy_text(t, 0, n_rows(t)) for k, t in again.items()
    }


def test_another_seed_other_data(tables):
    other = generate(SCALE, 1)
    assert copy_text(tables["title"], 0, 50) != copy_text(other["title"], 0, 50)


def test_every_table_and_column_of_the_schema(tables):
    assert {name: list(table) for name, table in tables.items()} == schema()
    assert len(tables) == 21


def test_columns_of_a_table_are_equally_long(tables):
    for table in tables.values():
        assert {len(column) for column in table.values()} == {n_rows(table)}


def test_dictionaries_have_the_ids_of_imdb(tables):
    info = dict(zip(values(tables["info_type"], "id"), values(tables["info_type"], "info"), strict=True))
    assert (len(info), info[3], info[16], info[100], info[101]) == (113, "genres", "release dates", "votes", "rating")
    assert values(tables["kind_type"], "kind")[6] == "episode"
    assert n_rows(tables["role_type"]) == 12
    assert n_rows(tables["link_type"]) == 18


@pytest.mark.parametrize(
    ("table", "column", "parent"),
    [
        ("cast_info", "movie_id", "title"),
        ("cast_info", "person_id", "name"),
        ("cast_info", "person_role_id", "char_name"),
        ("movie_companies", "company_id", "company_name"),
        ("movie_keyword", "keyword_id", "keyword"),
        ("movie_info", "info_type_id", "info_type"),
        ("movie_link", "linked_movie_id", "title"),
        ("person_info", "person_id", "name"),
        ("title", "episode_of_id", "title"),
    ],
)
def test_foreign_keys_hold(tables, table, column, parent):
    codes = tables[table][column].codes
    assert codes.max() <= n_rows(tables[parent])
    assert codes[codes >= 0].min() >= 1


def test_fan_outs_of_a_title_are_correlated(tables):
    n = n_rows(tables["title"])
    cast, keywords, info = (
        np.bincount(tables[t]["movie_id"].codes, minlength=n + 1) for t in ("cast_info", "movie_keyword", "movie_info")
    )
    assert np.corrcoef(cast, keywords)[0, 1] > 0.5
    assert np.corrcoef(cast, info)[0, 1] > 0.5
    assert cast.max() > 10 * cast.mean()


def test_votes_and_ratings_are_numbers(tables):
    idx = tables["movie_info_idx"]
    kind, info = np.array(values(idx, "info_type_id")), np.array(values(idx, "info"))
    assert (info[kind == 100].astype(int) >= 5).all()
    assert ((info[kind == 101].astype(float) >= 0) & (info[kind == 101].astype(float) <= 10)).all()


def test_literals_of_a_workload_are_in_the_data():
    said = harvest(
        [
            """SELECT COUNT(*) FROM title t, movie_info mi, info_type it, keyword k, movie_keyword mk, name n, cast_info ci
            WHERE t.id = mi.movie_id AND mi.info_type_id = it.id AND it.id IN ('18') AND mk.keyword_id = k.id
            AND mk.movie_id = t.id AND mi.info = 'Atlantis, Spain' AND k.keyword IN ('zzz-top', 'it''s')
            AND n.name_pcode_nf = 'Z9999' AND ci.person_id = n.id AND ci.movie_id = t.id"""
        ]
    )
    assert said == {
        "keyword.keyword": {"it's": 1, "zzz-top": 1},
        "movie_info.info#18": {"Atlantis, Spain": 1},
        "name.name_pcode_nf": {"Z9999": 1},
    }
    tables = generate(SCALE, 0, said)
    place = values(tables["movie_info"], "info").index("Atlantis, Spain")
    assert values(tables["movie_info"], "info_type_id")[place] == 18
    assert "zzz-top" in values(tables["keyword"], "keyword")
    assert "Z9999" in values(tables["name"], "name_pcode_nf")


def test_harvest_passes_over_what_is_no_sql():
    assert harvest(["SELECT FROM WHERE (", "SELECT 1"]) == {}


def test_harvest_of_the_real_workload(test_data):
    said = harvest(p.read_text() for p in sorted((test_data / "ceb" / "1a").glob("*.sql"))[:40])
    assert "Drama" in said["movie_info.info#3"]


@pytest.mark.parametrize("scale", [0, -1, 21])
def test_scales_out_of_range_are_refused(scale):
    with pytest.raises(ValueError, match="scale"):
        generate(scale, 0)


@pytest.mark.parametrize(
    ("text", "code"), [("Robert Smith", "R1632"), ("Ángel", "A524"), ("", None), ("(#1.2)", None), ("aaa", "A")]
)
def test_phonetic_codes(text, code):
    assert phonetic_code(text) == code


def test_copy_text_escapes_and_writes_nulls():
    table = {"a": Column(np.array([1, -1])), "b": Column(np.array([-1, 0]), ["tab\there\\ and\nthere"])}
    assert copy_text(table, 0, 2) == b"1\t\\N\n\\N\ttab\\there\\\\ and\\nthere\n"


def test_choices_follow_the_weights_of_their_group():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 4000)
    drawn = choose_by_group(rng, np.array([[3, 1, 0], [0, 0, 5]]), groups)
    assert np.bincount(drawn[groups == 0], minlength=3)[2] == 0
    assert np.mean(drawn[groups == 0] == 0) == pytest.approx(0.75, abs=0.03)
    assert (drawn[groups == 1] == 2).all()


def test_members_are_of_the_group_unless_it_is_empty():
    rng = np.random.default_rng(0)
    member_of = np.array([5, 0, 5, 2])
    drawn = choose_members(rng, np.ones(4), member_of, np.array([5] * 100 + [1] * 100), 1.0)
    assert set(drawn[:100]) == {0, 2}
    assert set(drawn[100:]) == {0, 1, 2, 3}


def test_fan_out_names_the_parents_in_order():
    rows = fan_out(np.random.default_rng(0), np.array([0.0, 3.0, 50.0]))
    assert (np.diff(rows) >= 0).all()
    assert set(rows) <= {1, 2}
