"""What a design is asked to be low in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boltbo.domains.peptides.objective import Objective, parse_objective
from boltbo.domains.peptides.oracle import SPECIES
from boltbo.errors import ConfigError

KNOWN = ("P_aeruginosa", "E_coli", "B_subtilis", "S_aureus", "M_smegmatis", "X_lab_strain")
NEGATIVE, POSITIVE = ("P_aeruginosa", "E_coli"), ("B_subtilis", "S_aureus")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("all", KNOWN, ()),
        ("gram-negative", NEGATIVE, ()),
        ("Gram-Positive", POSITIVE, ()),
        ("E_coli", ("E_coli",), ()),
        ("E. coli", ("E_coli",), ()),
        ("escherichia coli", ("E_coli",), ()),
        ("x lab strain", ("X_lab_strain",), ()),
        ("E. coli + S. aureus", ("E_coli", "S_aureus"), ()),
        ("E. coli+gram-negative", ("E_coli", "P_aeruginosa"), ()),
        ("E. coli - S. aureus", ("E_coli",), ("S_aureus",)),
        ("gram-negative - gram-positive", NEGATIVE, POSITIVE),
    ],
)
def test_an_objective_is_read(text: str, low: tuple[str, ...], high: tuple[str, ...]) -> None:
    assert parse_objective(text, KNOWN) == Objective(low, high)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no panel"),
        ("E. colli", "'E. colli' is no panel"),
        ("K. pneumoniae", "no species of the predictor"),
        ("E. coli - ", "no panel"),
        ("E. coli - S. aureus - B. subtilis", "one ' - ' at most"),
        ("all - E. coli", "E_coli should be low and high"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_objective(text, KNOWN)


@pytest.mark.parametrize("pessimism", [-1.0, float("nan"), float("inf")])
def test_pessimism_is_a_number_of_spreads(pessimism: float) -> None:
    with pytest.raises(ConfigError, match="pessimism"):
        parse_objective("all", KNOWN, pessimism)


def test_a_panel_that_the_predictor_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="gram-positive"):
        parse_objective("gram-positive", ("E_coli",))


@given(st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.floats(0, 5))
def test_what_is_written_is_read_again(one: str, other: str, pessimism: float) -> None:
    objective = Objective((one,), (other,) if other != one else (), pessimism)
    assert parse_objective(str(objective), KNOWN, pessimism) == objective


def test_pessimism_counts_against_a_peptide_on_both_sides() -> None:
    mean, spread = np.array([[1.0, 2.0, 4.0]]), np.array([[0.1, 0.3, 0.5]])
    species = ("A", "B", "C")
    assert Objective(("A", "B")).of(species, mean, spread).tolist() == [1.5]
    assert Objective(("A", "B"), pessimism=2.0).of(species, mean, spread) == pytest.approx([1.9])
    assert Objective(("A",), ("C",)).of(species, mean, spread).tolist() == [-3.0]
    assert Objective(("A",), ("C",), 1.0).of(species, mean, spread) == pytest.approx([1.1 - 3.5])


def test_every_known_species_answers_to_its_full_name() -> None:
    for column, known in SPECIES.items():
        assert parse_objective(known.name, tuple(SPECIES)).low == (column,)
