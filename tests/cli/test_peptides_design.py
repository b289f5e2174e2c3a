"""`boltbo peptides design`: what it writes is feasible, diverse and escaped; a search that stops goes on as if it had not."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rapidfuzz.distance import Levenshtein
from typer.testing import CliRunner

from boltbo.cli.app import app
from boltbo.cli.peptides_design import Search, carry_out
from boltbo.domains.peptides.domain import PeptidesDomain
from boltbo.domains.peptides.shortlist.families import APART
from boltbo.domains.peptides.shortlist.listed import Shortlist
from boltbo.domains.peptides.similarity import similarity
from boltbo.domains.peptides.templates import Template, read_templates
from boltbo.errors import BoltboError, ConfigError, OracleUnavailable
from boltbo.storage import Stage, open_storage
from boltbo.system.progress import Bars
from support import own_predictor
from support.html_page import Page
from support.places import EXAMPLES

EXAMPLE = EXAMPLES / "templates.fasta"
OWN = ["--predictor", "support.own_predictor:oracle", "--judge", "support.own_predictor:judge"]
SEARCH = Search(budget=60, initial=20, optimizer="evolution", model=None, seed=0)


def carried_out(out: Path, search: Search = SEARCH, sequence: str = "GIGKFLHSAKKFGKAFVGEIMNS") -> list[Shortlist]:
    domain = PeptidesDomain("support.own_predictor:oracle")
    return carry_out(
        domain,
        [Template("one", sequence)],
        search,
        out,
        judge_name="support.own_predictor:judge",
        top=9,
        bars=Bars(False),
    )


def test_the_command_writes_feasible_diverse_families(tmp_path: Path) -> None:
    words = ["peptides", "design", str(EXAMPLE), *OWN, "--budget", "80", "--out", str(tmp_path), "--format", "json"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    told = json.loads(done.stdout[done.stdout.index("{") :])["templates"]
    templates = {t.name: t.sequence for t in read_templates(EXAMPLE)}
    assert [t["name"] for t in told] == list(templates)
    for one in told:
        found = one["candidates"]
        template, sequences = templates[one["name"]], [f["sequence"] for f in found]
        assert 3 < len(found) <= 20
        assert len(found[0]["oracle"]["mean"]) == len(found[0]["judge"]["spread"]) == 3
        assert {"charge", "moment", "GRAVY", "instability"} <= set(found[0]["properties"])
        assert {f["family"] for f in found} == {1, 2, 3}
        assert all(similarity(template, s) >= 0.75 for s in sequences)
        assert all(Levenshtein.distance(a, b) >= APART for i, a in enumerate(sequences) for b in sequences[:i])
        assert found[0]["oracle"]["value"] == min(f["oracle"]["value"] for f in found) == one["best"][-1]
        assert all(f["oracle"]["value"] < one["template"]["oracle"]["value"] for f in found)
        assert len(one["best"]) == len(one["judged"]) == 80
    rows = list(csv.DictReader(io.StringIO((tmp_path / "designs.csv").read_text())))
    assert [r["sequence"] for r in rows] == [
        s for one in told for s in (one["template"]["sequence"], *(f["sequence"] for f in one["candidates"]))
    ]
    written = read_templates(tmp_path / "designs.fasta")
    assert [t.sequence for t in written] == [f["sequence"] for one in told for f in one["candidates"]]


def test_the_page_is_whole_escaped_and_fetches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    nasty = "<script>alert(1)</script>&\"'"
    with path.open("w", newline="") as f:
        csv.writer(f).writerows([("name", "sequence"), (nasty, "GIGKFLHSAKKFGKAFVGEIMNS"), ("b", "FLPLIGRVLSGIL")])
    words = ["peptides", "design", str(path), *OWN, "--budget", "30", "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    text = (tmp_path / "out" / "designs.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.fetches == []
    assert page.scripts == 0
    assert nasty in page.text
    assert "my <species>" in page.text
    assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")
    assert "prefers-color-scheme: dark" in text
    for mark in ("<mark>", "underline", "inset", "line-through", 'class="curve"'):
        assert mark in text


def test_a_search_that_stops_goes_on_as_if_it_had_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = carried_out(tmp_path / "whole")
    for stop_after in (7, 20, 20):
        monkeypatch.setattr(own_predictor.oracle, "stop_after", own_predictor.oracle.calls + stop_after)
        with pytest.raises(OracleUnavailable):
            carried_out(tmp_path / "cut")
    monkeypatch.setattr(own_predictor.oracle, "stop_after", None)
    again = carried_out(tmp_path / "cut")
    assert again[0].best == whole[0].best
    assert [f.sequence for f in again[0].candidates] == [f.sequence for f in whole[0].candidates]
    for name in ("designs.csv", "designs.html", "designs.fasta"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_finished_search_is_not_paid_again_and_another_is_refused(tmp_path: Path) -> None:
    carried_out(tmp_path)
    before = own_predictor.oracle.calls
    carried_out(tmp_path)
    assert own_predictor.oracle.calls - before <= 2  # the template and the list of those found, by themselves
    with pytest.raises(
        ConfigError, match=r"other settings \(budget: 60 -> 61\): put them back, or choose another --out"
    ):
        carried_out(tmp_path, Search(61, 20, "evolution", None, 0))
    with pytest.raises(ConfigError, match="another template called 'one'"):
        carried_out(tmp_path, sequence="FLPLIGRVLSGIL")


def test_every_candidate_that_was_scored_is_feasible(tmp_path: Path) -> None:
    carried_out(tmp_path, Search(60, 20, "edits", None, 1))
    with open_storage(str(tmp_path / "design.db")) as store:
        store.find()
        [x] = store.trajectories(store.runs(Stage.SINGLE))
    assert len(x.observations) == 60
    assert all(o.complete for o in x.observations)
    assert all(similarity("GIGKFLHSAKKFGKAFVGEIMNS", o.candidate) >= 0.75 for o in x.observations)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.fasta"], "none.fasta cannot be read"),
        ([str(EXAMPLE), "--model", "none.db"], "no storage 'none.db'"),
        ([str(EXAMPLE), "--species", "martians"], "'martians' is no panel"),
        ([str(EXAMPLE), "--similarity", "0.98"], "none of its 23 residues may change"),
    ],
)
def test_an_error_is_one_that_a_user_can_mend(tmp_path: Path, words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["peptides", "design", *OWN, "--out", str(tmp_path), *words])
    assert isinstance(done.exception, BoltboError)
    assert said in str(done.exception)
