"""The language of plans: what the grammar writes can be read, what can be read the grammar can write."""

import itertools
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domain import END
from boltbo.domains.plans.language.canonical import canonical_plan
from boltbo.domains.plans.language.grammar import PlanGrammar, format_plan, parse_plan
from boltbo.domains.plans.language.plan import PLAIN_SQL, Abilities, Join, Method, Operator, Plan, Scan
from boltbo.domains.plans.language.query import Block, Query, Relation
from boltbo.domains.plans.language.spelling import trees_of
from boltbo.errors import InvalidCandidate

H, M, N, J = Operator.HASH, Operator.MERGE, Operator.NEST, Operator.JOIN
ODD = ["default", "hash", ";", "seq", "join", "nest", "(", ")", "my alias", "-hash", 'a"b', '"a"', "%20", "50%", "ü"]


def query_of(classes, aliases):
    return Query("", (Block(tuple(Relation(a, f"table_{i}") for i, a in enumerate(aliases)), classes),))


CHAIN = query_of(
    ((("a", "x"), ("b", "x")), (("b", "y"), ("c", "y")), (("c", "z"), ("d", "z"))),
    ("a", "b", "c", "d"),
)
TRIANGLE = query_of(((("a", "x"), ("b", "x"), ("c", "x")),), ("a", "b", "c"))


ABILITIES = {
    "sql": PLAIN_SQL,
    "order": Abilities((J,)),
    "hints": Abilities((H, M, N, J), methods=tuple(Method)),
    "leading": Abilities((H, M, N, J), sided=True, methods=(Method.SEQ, Method.INDEX)),
    "bao": Abilities(()),
}
abilities_of = st.sampled_from(list(ABILITIES.values()))


@st.composite
def blocks(draw, aliases):
    """A random connected join graph: classes of two and more relations over a random spanning tree."""
    n = len(aliases)
    classes = [{i, draw(st.integers(0, i - 1))} for i in range(1, n)]
    for c in classes:
        c |= draw(st.sets(st.integers(0, n - 1), max_size=3))
    named = tuple(tuple((aliases[i], f"c{k}") for i in sorted(c)) for k, c in enumerate(classes))
    return Block(tuple(Relation(a, f"table of {a}") for a in aliases), named)


@st.composite
def queries(draw, most=8):
    """Queries of one to three blocks."""
    names = draw(st.sampled_from([[f"r{i}" for i in range(12)], ODD]))
    names = draw(st.permutations(names))[: draw(st.integers(1, most))]
    if len(names) < 4 or draw(st.booleans()):
        return Query("", (draw(blocks(names)),))
    cut = draw(st.integers(2, len(names) - 2))
    return Query("", (draw(blocks(names[:cut])), draw(blocks(names[cut:]))))


def walk(grammar, choose, most=200):
    """Follow the machine from the start to its end."""
    state, symbols = grammar.start(), []
    for _ in range(most):
        allowed = grammar.allowed(state)
        assert allowed, f"dead end after {symbols}"
        symbol = choose(allowed)
        if symbol == END:
            return grammar.separator.join(symbols)
        symbols.append(symbol)
        state = grammar.advance(state, symbol)
    raise AssertionError("the walk does not end")


def all_trees(query, operators):
    """Every tree of a query without cross products."""
    n, neighbours = len(query.relations), query.neighbours

    def touching(a, b):
        return any(neighbours[i] & b for i in range(n) if a >> i & 1)

    trees = {1 << i: [Scan(alias)] for i, alias in enumerate(query.aliases)}
    for size in range(2, n + 1):
        for members in itertools.combinations(range(n), size):
            whole = sum(1 << i for i in members)
            trees[whole] = [
                Join(operator, left, right)
                for part in range(1, whole)
                if part & whole == part and touching(part, whole ^ part)
                for operator in operators
                for left in trees.get(part, ())
                for right in trees.get(whole ^ part, ())
            ]
    return trees[(1 << n) - 1]


@settings(max_examples=150, deadline=None)
@given(queries(), abilities_of, st.integers(0, 2**32))
def test_every_walk_ends_and_can_be_read(query, abilities, seed):
    grammar, rng = PlanGrammar(query, abilities), np.random.default_rng(seed)
    for _ in range(5):
        text = walk(grammar, lambda allowed, rng=rng: allowed[rng.integers(len(allowed))])
        canonical = grammar.canonical(text)
        plan = parse_plan(text, query, abilities)
        assert grammar.canonical(canonical) == canonical
        assert parse_plan(canonical, query, abilities) == plan
        assert format_plan(plan, query, abilities) == canonical
        assert not plan.trees or trees_of(canonical.split()) == plan.trees
        follow(grammar, canonical)


@pytest.mark.parametrize(
    "text", ["", "a hash", "hash a", "a b", "( a", "a )", "a ; ; b", "a hash ( b", "seq", "a seq", "a ; hash b"]
)
def test_trees_alone_are_refused_unless_whole(text):
    with pytest.raises(InvalidCandidate):
        trees_of(text.split())


@given(st.text('ab ();"', max_size=30) | st.lists(st.sampled_from(["a", "hash", "(", ")", ";", "seq"])).map(" ".join))
def test_no_text_breaks_the_reading_of_trees(text):
    with suppress(InvalidCandidate):
        assert trees_of(text.split())


def follow(grammar, text):
    state = grammar.start()
    for symbol in [*text.split(), END]:
        assert symbol in grammar.allowed(state)
        state = grammar.advance(state, symbol)


@pytest.mark.parametrize(("query", "operators"), [(CHAIN, (H, N)), (TRIANGLE, (N, J)), (CHAIN, (J,))])
def test_the_grammar_reaches_every_tree_and_nothing_else(query, operators):
    grammar = PlanGrammar(query)
    written = set()

    def explore(state, symbols):
        for symbol in grammar.allowed(state):
            if symbol == END:
                written.add(" ".join(symbols))
            elif symbol not in tuple(Operator) or symbol in operators:
                explore(grammar.advance(state, symbol), [*symbols, symbol])

    explore(grammar.start(), [])
    trees = {text for text in written if not text.startswith("default")}
    expected = {format_plan(Plan((tree,)), query) for tree in all_trees(query, operators)}
    assert {grammar.canonical(text) for text in trees} == expected
    assert expected <= trees


def test_switches_in_order_and_never_all_methods():
    grammar = PlanGrammar(TRIANGLE)
    state = grammar.advance(grammar.start(), "default")
    state = grammar.advance(grammar.advance(state, "-hash"), "-nest")
    assert "-merge" not in grammar.allowed(state)
    assert END in grammar.allowed(state)
    assert grammar.canonical(" default  -nest -hash ") == "default -hash -nest"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("d hash c hash b hash a", "c hash d hash b hash a"),
        ("a hash ( b hash ( c hash d ) )", "c hash d hash b hash a"),
        ("c join d join ( a join b )", "a join b join ( c join d )"),
        ("d nest c nest b nest a", "d nest c nest b nest a"),
        ("a nest ( d hash c hash b )", "a nest ( c hash d hash b )"),
    ],
)
def test_canonical_sides(text, canonical):
    assert PlanGrammar(CHAIN).canonical(text) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "symbol 1: the end cannot stand here"),
        ("a hash c hash b hash d", "symbol 3: 'c' cannot stand here; expected b"),
        ("a hash b", "symbol 4: the end cannot stand here; expected hash or nest"),
        ("a hash b hash c join d", "symbol 6: 'join' cannot"),
        ("a hash b hash a", "symbol 5: 'a' cannot"),
        ("a hash ( b hash ( c hash d )", "symbol 11"),
        ("a hash ( b ) hash c hash d", r"symbol 5: '\)' cannot"),
        ("( a hash b ) hash c hash d", r"symbol 1: '\('"),
        ("a; DROP TABLE x", "symbol 1: 'a;'"),
        ("default -hash -hash", "there twice"),
        ("default -hash -merge -nest", "all join methods are off"),
        ("default -index -indexonly -bitmap -seq", "all scan methods are off"),
        ("default hash", "is no switch"),
        ("(" * 10_000, "characters"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_place(text, message):
    with pytest.raises(InvalidCandidate, match=message):
        PlanGrammar(CHAIN).canonical(text)


def test_trees_that_are_no_plan_are_refused():
    a, b, c, d = map(Scan, "abcd")
    for tree, message in [
        (Join(H, a, c), "no joined column"),
        (Join(H, Join(H, a, b), b), "there twice"),
        (Join(H, a, b), "missing: c, d"),
        (Join(J, Join(H, Join(H, a, b), c), d), "do not mix"),
        (Scan("e"), "no relation 'e'"),
    ]:
        with pytest.raises(InvalidCandidate, match=message):
            canonical_plan(Plan((tree,)), CHAIN)


TWO = Query("", (*query_of(((("a", "x"), ("b", "x")),), ("a", "b")).blocks,
                 *query_of(((("c", "x"), ("d", "x")),), ("c", "d")).blocks))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("b hash a ; d nest c", "a hash b ; d nest c"),
        ("a nest b ; c nest d", "a nest b ; c nest d"),
        ("default -hash", "default -hash"),
    ],
)
def test_a_tree_for_each_block(text, canonical):
    assert PlanGrammar(TWO).canonical(text) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a hash b", "the end cannot stand here; expected ;"),
        ("c hash d ; a hash b", "symbol 1: 'c'"),
        ("a hash b ; c hash d ; a hash b", "symbol 8: ';'"),
        ("a hash b ; c join d", "symbol 6: 'join'"),
        ("seq a hash b ; c hash d", "symbol 1: 'seq'"),
        ("a merge b ; c hash d", "symbol 2: 'merge'"),
    ],
)
def test_what_is_no_plan_of_two_blocks(text, message):
    with pytest.raises(InvalidCandidate, match=message):
        PlanGrammar(TWO).canonical(text)


def test_operators_mix_and_have_no_sides_where_hints_force_them():
    grammar = PlanGrammar(CHAIN, ABILITIES["hints"])
    assert grammar.canonical("index b nest seq a merge c join d") == "seq a nest index b merge c join d"
    with pytest.raises(InvalidCandidate, match="symbol 2: 'index' cannot"):
        grammar.canonical("seq index a hash b hash c hash d")
    assert PlanGrammar(CHAIN, ABILITIES["leading"]).canonical("b nest a merge c join d") == "b nest a merge c join d"
    assert PlanGrammar(CHAIN, ABILITIES["bao"]).allowed(grammar.start()) == ("default",)


def test_aliases_that_look_like_other_symbols_are_quoted():
    query = query_of(tuple(((a, "x"), (b, "x")) for a, b in itertools.pairwise(ODD)), ODD)
    grammar = PlanGrammar(query)
    assert len(set(grammar.symbols)) == len(ODD)
    assert grammar.symbols[:4] == ('"default"', '"hash"', '"%3B"', '"seq"')
    text = " nest ".join(grammar.symbols)
    assert grammar.canonical(text) == text


def test_one_relation_alone_is_a_plan():
    grammar = PlanGrammar(query_of((), ("a",)))
    assert grammar.canonical("a") == "a"


def test_what_may_follow_a_state_is_worked_out_once(monkeypatch):
    n = 16
    clique = query_of((tuple((f"r{i}", "x") for i in range(n)),), tuple(f"r{i}" for i in range(n)))
    worked_out, states = PlanGrammar._next, Counter()

    def counted(self, state):
        states[state] += 1
        return worked_out(self, state)

    monkeypatch.setattr(PlanGrammar, "_next", counted)
    grammar = PlanGrammar(clique)
    for seed in (0, 1, 0):
        rng = np.random.default_rng(seed)
        for _ in range(20):
            walk(grammar, lambda allowed, rng=rng: allowed[rng.integers(len(allowed))])
    assert len(states) > 300
    assert set(states.values()) == {1}
