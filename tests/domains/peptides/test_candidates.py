"""Whatever is proposed without an oracle is feasible: initial designs, pretraining pairs, what the grammar writes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domain import END
from boltbo.domains.peptides.design import conservative, hydrophobic_face, initial_design
from boltbo.domains.peptides.oracle import AMINO_ACIDS
from boltbo.domains.peptides.pretraining import pretraining_pairs
from boltbo.domains.peptides.similarity import edit_budget, similarity
from boltbo.domains.peptides.space import Relatives
from boltbo.domains.peptides.templates import LONGEST, SHORTEST, what_is_wrong

templates = st.text(AMINO_ACIDS, min_size=SHORTEST, max_size=LONGEST)
leasts = st.sampled_from([0.5, 0.75, 0.8, 0.9])


def feasible(template: str, candidate: str, least: float) -> bool:
    return what_is_wrong(candidate) is None and similarity(template, candidate) >= least - 1e-9


@settings(deadline=None)
@given(templates, leasts, st.integers(1, 40), st.integers(0, 2**31))
def test_the_initial_design_is_the_template_and_feasible_relatives(
    template: str, least: float, n: int, seed: int
) -> None:
    space = Relatives(template, least)
    design = initial_design(space, n, np.random.default_rng(seed))
    assert design[0] == template
    assert len(set(design)) == len(design) <= n
    assert all(feasible(template, c, least) and space.canonical(c) == c for c in design)
    assert len(design) == n or space.edits <= 1
    assert design == initial_design(space, n, np.random.default_rng(seed))


@settings(deadline=None)
@given(templates, leasts, st.integers(0, 2**31))
def test_conservative_designs_substitute_and_never_add_negative_charge(template: str, least: float, seed: int) -> None:
    space = Relatives(template, least)
    for candidate in conservative(space, 10, np.random.default_rng(seed)):
        changed = [(a, b) for a, b in zip(template, candidate, strict=True) if a != b]
        assert 1 <= len(changed) <= space.edits
        assert not any(b in "DE" for _, b in changed)


def test_the_faces_of_magainin_are_its_greasy_and_its_charged_side() -> None:
    magainin = "GIGKFLHSAKKFGKAFVGEIMNS"
    sides = list(zip(magainin, hydrophobic_face(magainin), strict=True))
    assert [side for residue, side in sides if residue == "K"] == [False] * 4
    assert [side for residue, side in sides if residue in "FLV"] == [True] * 5


@settings(deadline=None, max_examples=30)
@given(st.lists(templates, min_size=1, max_size=5), leasts, st.integers(0, 2**31))
def test_pretraining_pairs_are_feasible_relatives_of_new_templates(own: list[str], least: float, seed: int) -> None:
    pairs = list(pretraining_pairs(own, least, " ".join, 20, seed))
    assert 15 <= len(pairs) <= 20 or edit_budget(min(own, key=len), least) == 0
    for context, solution in pairs:
        template = context.replace(" ", "")
        assert solution != template
        assert what_is_wrong(template) is None
        assert feasible(template, solution, least)
        assert set(template) <= set("".join(own))
    assert pairs == list(pretraining_pairs(own, least, " ".join, 20, seed))


@settings(deadline=None)
@given(templates, leasts, st.integers(0, 2**31))
def test_whatever_the_grammar_lets_a_model_write_is_feasible(template: str, least: float, seed: int) -> None:
    space, rng = Relatives(template, least), np.random.default_rng(seed)
    state, text = space.start(), ""
    while (symbol := str(rng.choice(list(space.allowed(state))))) != END:
        state, text = space.advance(state, symbol), text + symbol
    assert feasible(template, text, least)
    assert space.canonical(f" {' '.join(text)}\n") == text
