"""Plan strings: every canonical tree survives, and every string is a plan of every query."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domains.plans.language.grammar import PlanGrammar, parse_plan
from boltbo.domains.plans.language.plan import PLAIN_SQL, Abilities, Join, Operator, Plan, Scan
from boltbo.domains.plans.language.query import Block, Query, Relation
from boltbo.domains.plans.search.latent import PlanCodec, Recipe, ensure_vae, part_of, random_strings
from boltbo.domains.plans.search.random_plans import random_plan
from boltbo.domains.plans.search.strings import from_string, longest, names_of, to_string, vocabulary, well_formed

HINTS = Abilities((Operator.HASH, Operator.MERGE, Operator.NEST))
TABLES = ("title", "name", "info_type", "cast_info")


def block_of(first, tables, classes):
    relations = tuple(Relation(f"r{first + i}", table) for i, table in enumerate(tables))
    return Block(relations, tuple(tuple((f"r{first + i}", f"c{k}") for i in c) for k, c in enumerate(classes)))


@st.composite
def blocks(draw, first=0, most=9):
    tables = draw(st.lists(st.sampled_from(TABLES), min_size=1, max_size=most))
    classes = [{i, draw(st.integers(0, i - 1))} for i in range(1, len(tables))]
    for c in classes:
        c |= draw(st.sets(st.integers(0, len(tables) - 1), max_size=draw(st.sampled_from([0, 2, 5]))))
    return block_of(first, tables, [sorted(c) for c in classes])


@st.composite
def queries(draw):
    """Of one block or two."""
    one = draw(blocks())
    return Query("", (one, draw(blocks(len(one.relations), 4))) if draw(st.booleans()) else (one,))


def turned(tree):
    """The tree with the sides of every join exchanged."""
    return tree if isinstance(tree, Scan) else Join(tree.operator, turned(tree.right), turned(tree.left))


@settings(max_examples=200, deadline=None)
@given(queries(), st.integers(0, 2**32), st.sampled_from([PLAIN_SQL, HINTS]))
def test_every_tree_survives(query, seed, abilities):
    plan = random_plan(query, np.random.default_rng(seed), abilities)
    for trees in (plan.trees, tuple(turned(tree) for tree in plan.trees)):
        symbols = to_string(trees, query)
        assert from_string(symbols, query, abilities) == trees
        assert set(symbols) <= set(vocabulary([query]))
        assert len(symbols) == longest([query])
        assert len(query.blocks) > 1 or not symbols or well_formed(symbols)


SYMBOLS = st.one_of(
    st.sampled_from([f"{table}#{i}" for table in TABLES for i in range(1, 5)]),
    st.sampled_from(list(Operator)).map(str),
    st.text(max_size=6),
)


@settings(max_examples=300, deadline=None)
@given(queries(), st.lists(SYMBOLS, max_size=40), st.sampled_from([PLAIN_SQL, HINTS]))
def test_every_string_is_a_plan(query, symbols, abilities):
    text = PlanCodec(query, {}.get, abilities).candidate(symbols)
    assert PlanGrammar(query, abilities).canonical(text) == text  # no cross product, nothing missing, hash or join
    assert PlanCodec(query, {}.get, abilities).candidate(symbols) == text


CHAIN = Query("", (block_of(0, ["title", "name", "title", "cast_info"], [(0, 1), (1, 2), (2, 3)]),))


def test_relations_are_called_by_table_and_occurrence():
    assert names_of(CHAIN.relations) == {"r0": "title#1", "r1": "name#1", "r2": "title#2", "r3": "cast_info#1"}
    text = "r2 nest r1 hash r3 nest r0"
    symbols = to_string(parse_plan(text, CHAIN).trees, CHAIN)
    assert " ".join(symbols) == "title#2 name#1 nest title#2 cast_info#1 hash title#2 title#1 nest"


@pytest.mark.parametrize(
    ("symbols", "text"),
    [
        ("", "r0 hash r1 hash r2 hash r3"),
        ("title#1 cast_info#1 nest", "r0 nest r1 hash r2 hash r3"),  # no column in common: another neighbour
        (
            "title#7 cast_info#1 nest",
            "r0 nest r1 hash r2 hash r3",
        ),  # there are two titles, the seventh is the first again
        ("cast_info#1 nest", "r3 nest r2 hash r1 hash r0"),  # one side is missing
        ("name#1 title#2 join name#1 title#1 hash", "r1 join r2 join r0 join r3"),  # hash and join do not mix
        ("name#1 title#2 merge name#1 title#2 nest", None),  # both in one tree already, merge cannot be forced
    ],
)
def test_strings_are_repaired(symbols, text):
    found = PlanCodec(CHAIN, {}.get).candidate(symbols.split())
    assert text is None or found == parse_canonical(text)


def parse_canonical(text):
    return PlanGrammar(CHAIN).canonical(text)


def test_what_is_well_formed():
    assert well_formed(["a#1", "b#1", "hash", "a#1", "c#1", "nest"])
    assert well_formed(["a#1", "b#1", "hash", "c#1", "d#1", "hash", "c#1", "a#1", "nest"])
    for text in ("", "a#1", "a#1 b#1 c#1", "a#1 a#1 hash", "a#1 b#1 hash c#1 d#1 hash", "a#1 b#1 hash b#1 a#1 nest"):
        assert not well_formed(text.split())


def test_server_plans_are_written_as_their_trees():
    tree = Join(Operator.NEST, Join(Operator.HASH, Join(Operator.HASH, Scan("r0"), Scan("r1")), Scan("r2")), Scan("r3"))
    codec = PlanCodec(CHAIN, {"default -merge": Plan((tree,))}.__getitem__)
    assert codec.candidate(codec.symbols("default  -merge")) == "r0 hash r1 hash r2 nest r3"


@settings(max_examples=50, deadline=None)
@given(blocks(), st.integers(0, 2**32))
def test_the_corpus_is_of_connected_parts(block, seed):
    query, rng = Query("", (block,)), np.random.default_rng(seed)
    if len(block.relations) < 2:
        with pytest.raises(ValueError, match="no query has a join"):
            next(random_strings([query], 1, rng))
        return
    part = part_of(query, rng)
    assert 2 <= len(part.relations) <= len(block.relations)
    assert part.neighbours.count(0) == 0
    for symbols in random_strings([query], 10, rng):
        assert well_formed(symbols)
        assert set(symbols) <= set(vocabulary([query]))


def test_a_vae_is_trained_once_a_schema(tmp_path):
    recipe = Recipe(plans=64, epochs=1.0, latent=4)
    first = ensure_vae([CHAIN], tmp_path, recipe)
    assert set(first) == {"exact", "per_symbol", "well_formed", "seconds", "sequences"}
    written = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert ensure_vae([CHAIN], tmp_path, recipe) == first
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == written
    ensure_vae([CHAIN], tmp_path, Recipe(plans=64, epochs=1.0, latent=5))
    assert json.loads((tmp_path / "config.json").read_text())["size"]["latent"] == 5
