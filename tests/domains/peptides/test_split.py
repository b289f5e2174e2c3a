"""Training and validation templates are no near copies of each other; the benchmark is the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domains.peptides.benchmark import LONGEST, SHORTEST, TRAIN, VALIDATION, benchmark_split
from boltbo.domains.peptides.oracle import AMINO_ACIDS
from boltbo.domains.peptides.similarity import clusters, edit_budget, identities, similarity
from boltbo.domains.peptides.split import split
from boltbo.domains.peptides.templates import Template
from boltbo.errors import ConfigError

short = st.text("AKL", min_size=5, max_size=9)


@settings(max_examples=60, deadline=None)
@given(st.lists(short, min_size=1, max_size=25), st.integers(0, 6), st.integers(0, 99))
def test_no_near_copy_crosses_the_split(sequences: list[str], validation: int, seed: int) -> None:
    templates = [Template(f"t{i}", s) for i, s in enumerate(sequences)]
    try:
        train, held_out = split(templates, None, validation, seed)
    except ConfigError as error:
        assert "clusters" in str(error)  # noqa: PT017
        return
    assert len(held_out) == validation
    assert train
    if held_out:
        assert identities([t.sequence for t in train], [t.sequence for t in held_out]).max() < 0.6
        between = identities([t.sequence for t in held_out], [t.sequence for t in held_out])
        assert (between - np.eye(validation) < 0.6).all()
    assert split(templates, None, validation, seed) == (train, held_out)


def test_the_benchmark_has_its_size_and_no_near_copies() -> None:
    train, validation = benchmark_split(0)
    assert (len(train), len(validation)) == (TRAIN, VALIDATION)
    sequences = [t.sequence for t in (*train, *validation)]
    assert len(set(sequences)) == len({t.name for t in (*train, *validation)}) == TRAIN + VALIDATION
    assert {len(s) for s in sequences} <= set(range(SHORTEST, LONGEST + 1))
    assert identities(sequences[:TRAIN], sequences[TRAIN:]).max() < 0.6
    assert benchmark_split(0) == (train, validation)
    assert benchmark_split(1) != (train, validation)


def test_too_few_clusters_is_one_error() -> None:
    alike = [Template(f"t{i}", "KKLLKKLLKK" + a) for i, a in enumerate(AMINO_ACIDS)]
    with pytest.raises(ConfigError, match=r"20 templates in 1 clusters .* domain.validation"):
        split(alike, None, 2, 0)


def test_a_chain_of_near_copies_is_one_cluster() -> None:
    assert clusters(["AAAAAAAAAA", "AAAAAAAKKK", "AAAAKKKKKK", "LLLLLLLLLL"], 0.7).tolist() == [0, 0, 0, 1]


@given(st.text(AMINO_ACIDS, min_size=5, max_size=50), st.floats(0.01, 0.99))
def test_the_budget_is_the_most_edits_that_are_similar_enough(template: str, least: float) -> None:
    edits, n = edit_budget(template, least), len(template)
    assert (n - edits) / n >= least - 1e-9
    assert (n - edits - 1) / n < least


def test_similarity_is_the_papers() -> None:
    assert similarity("GIGKFLHSAK", "GIGKFLHSAK") == 1.0
    assert similarity("GIGKFLHSAK", "GIKKFLHSAKK") == pytest.approx(0.8)
    assert edit_budget("A" * 10, 0.9) == 1  # (1 - 0.9) * 10 is 0.99999999
