"""Properties of a peptide, beside modlamp's where the definitions are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domains.peptides.oracle.scales import AMINO_ACIDS
from boltbo.domains.peptides.properties import (
    charge,
    gravy,
    instability,
    known_peptides,
    moment,
    novelty,
    properties,
)
from boltbo.errors import ConfigError, InvalidCandidate

descriptors = pytest.importorskip("modlamp.descriptors", reason="modlamp is not installed: boltbo[peptides-train]")

peptide = st.text(AMINO_ACIDS, min_size=2, max_size=40)


@settings(max_examples=100, deadline=None)
@given(peptide, st.booleans())
def test_charge_and_instability_are_those_of_modlamp(sequence: str, amidated: bool) -> None:
    theirs = descriptors.GlobalDescriptor(sequence)
    theirs.calculate_charge(ph=7.0, amide=amidated)
    assert charge(sequence, amidated=amidated) == pytest.approx(theirs.descriptor[0, 0], abs=6e-4)  # theirs is rounded
    theirs.instability_index()
    assert instability(sequence) == pytest.approx(theirs.descriptor[0, 0])


@settings(max_examples=100, deadline=None)
@given(peptide)
def test_gravy_and_moment_are_those_of_modlamp(sequence: str) -> None:
    theirs = descriptors.PeptideDescriptor(sequence, "gravy")
    theirs.calculate_global()
    assert gravy(sequence) == pytest.approx(theirs.descriptor[0, 0])
    theirs = descriptors.PeptideDescriptor(sequence, "eisenberg")
    for window in (11, 1000):
        theirs.calculate_moment(window=window, angle=100, modality="max")
        assert moment(sequence, window) == pytest.approx(theirs.descriptor[0, 0], abs=0.041)  # their scale is rounded


def test_a_moment_by_hand() -> None:
    assert moment("I") == pytest.approx(1.38)
    turn = np.deg2rad(100)
    assert moment("IR") == pytest.approx(abs(1.38 - 2.53 * np.exp(1j * turn)) / 2)
    assert moment("KLLKLLKKLLKL") > moment("KKKKKKLLLLLL")


def test_all_of_magainin_2() -> None:
    found = properties("GIGKFLHSAKKFGKAFVGEIMNS")
    assert found.length == 23
    assert found.charge == pytest.approx(3.1, abs=0.1)  # four lysines, a histidine, a glutamate, and the ends
    assert found.gravy == pytest.approx(0.083, abs=0.001)


@pytest.mark.parametrize("bad", ["", "KWX", "kwk", "K W"])
def test_what_is_no_peptide_has_no_properties(bad: str) -> None:
    with pytest.raises(InvalidCandidate, match="expected one or more of the letters"):
        properties(bad)


def test_novelty_is_the_distance_to_the_nearest() -> None:
    known = ["KWKLFKK", "GIGKFLHSAK"]
    same, near, far = novelty(["KWKLFKK", "KWKLFK", "DDDD"], known)
    assert (same.sequence, same.distance) == ("KWKLFKK", 0.0)
    assert (near.sequence, near.distance) == ("KWKLFKK", pytest.approx(1 / 7))
    assert far.distance == 1.0
    assert novelty([], known) == []
    with pytest.raises(ConfigError, match="empty"):
        novelty(["KWKLFKK"], [])


def test_known_peptides_come_from_a_file_or_from_modlamp(tmp_path: Path) -> None:
    plain, fasta = tmp_path / "known.txt", tmp_path / "known.fasta"
    plain.write_text("KWKLFKK\n\ngigkf\nKWKLFKK\n")
    fasta.write_text(">one\nKWKL\nFKK\n>two\r\nGIGKF\r\n")
    assert known_peptides(plain) == known_peptides(fasta) == ["KWKLFKK", "GIGKF"]
    plain.write_text("KWKXFKK\n")
    with pytest.raises(ConfigError, match="KWKXFKK"):
        known_peptides(plain)
    with pytest.raises(ConfigError, match="cannot be read"):
        known_peptides(tmp_path / "absent.txt")
    bundled = known_peptides()
    assert len(bundled) == len(set(bundled)) > 2000
    assert novelty(["GIGKFLHSAKKFGKAFVGEIMNS"], bundled)[0].distance == 0.0  # magainin 2 is well known
