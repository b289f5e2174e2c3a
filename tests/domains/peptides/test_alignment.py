"""An alignment shows exactly the template, the candidate, and their edits."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from boltbo.domains.peptides.alignment import Cell, Kind, Pair, aligned
from boltbo.domains.peptides.shortlist.page import best_so_far
from boltbo.drawing.pages import fragment

texts = st.text("ACKL", min_size=1, max_size=12)


def written(row: list[Cell]) -> str:
    return "".join(c.letter for c in row if c.kind not in (Kind.GAP, Kind.DELETED))


@given(texts, st.lists(texts, max_size=5))
def test_rows_have_one_length_and_read_as_their_peptides(template: str, candidates: list[str]) -> None:
    own, rows = aligned(template, candidates)
    assert {len(row) for row in (own, *rows)} == {len(own)}
    assert written(own) == template
    assert [written(row) for row in rows] == candidates
    for row in rows:
        for above, cell in zip(own, row, strict=True):
            if cell.kind in (Kind.SAME, Kind.DELETED):
                assert above.letter == cell.letter
            elif cell.kind is Kind.SUBSTITUTED:
                assert above.kind is Kind.SAME
                assert above.letter != cell.letter
            elif cell.kind is Kind.INSERTED:
                assert above.kind is Kind.GAP


@given(texts, texts)
def test_edits_in_words_are_as_many_as_the_distance(template: str, candidate: str) -> None:
    assert len(Pair.of(template, candidate).edits(template)) == Levenshtein.distance(template, candidate)


def test_edits_in_words() -> None:
    assert Pair.of("GIGKFL", "KIGFLLR").edits("GIGKFL") == ["G1K", "-K4", "+L6", "+R6"]


@given(
    st.lists(st.floats(1e-3, 1e4) | st.just(float("inf")) | st.just(float("nan")), min_size=2, max_size=50),
    st.floats(1e-3, 1e4),
)
def test_a_curve_is_finite_and_inside_its_picture(values: list[float], template: float) -> None:
    figure = best_so_far(values, (), template, "a<b>")
    assert (figure is None) == (not any(math.isfinite(v) for v in values))
    if figure is not None:
        svg = fragment("boltbo.drawing", "chart.svg.j2", chart=figure.chart)
        assert "nan" not in svg
        assert "<b>" not in svg
        points = figure.chart.lines[0].path.replace("M", "").replace("L", "").split()
        assert all(0 <= float(p) <= 640 for p in points)
