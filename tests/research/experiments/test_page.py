"""The committed pages of results are those that the committed result files give."""

from __future__ import annotations

from pathlib import Path

import pytest

from boltbo_bench.experiments.measured import Measured
from boltbo_bench.experiments.page import page

ROOT = Path(__file__).parents[3]
FILES = {f.stem.removeprefix("bench-"): f for f in sorted((ROOT / "research" / "results").glob("bench-*.json"))}
QUICK = ("small", "plans-moves-full")
"""Pages that are compared in every run of the tests, the others only in the slow ones"""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FILES]
)
def test_the_page_of_an_experiment_is_up_to_date(name: str) -> None:
    measured = Measured.read(FILES[name])
    committed = ROOT / "docs" / "results" / f"{measured.name}.md"
    picture = committed.with_suffix(".png")
    text = "\n".join(page(measured, picture if picture.exists() else None)).rstrip() + "\n"
    assert committed.read_text() == text, "write it anew: boltbo-bench tables"
