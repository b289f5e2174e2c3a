"""examples/peptides.toml as a user runs it, at a hundredth of its size, and what the benchmark's script reads of it."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from typer.testing import CliRunner

from boltbo.cli.app import app
from boltbo.domains.peptides.similarity import similarity
from boltbo.storage import open_storage
from support.places import ROOT

OWN = {"domain.predictor": "support.own_predictor:oracle", "domain.objective": "E. coli"}
SMALL = {
    **OWN, "domain.train": "4", "domain.validation": "3", "rounds": "[2, 2]", "run.budget": "25", "run.initial": "15",
    "model.pretraining_pairs": "80", "model.epochs": "1", "validation.samples": "12", "validation.reference_budget": "25",
}  # fmt: skip


def changes(values: dict[str, str]) -> list[str]:
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of a finished campaign of the example."""
    path = tmp_path_factory.mktemp("example") / "p.db"
    words = ["run", str(ROOT / "examples" / "peptides.toml"), "--storage", str(path), *changes(SMALL)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "BOLT-4 Best@12" in done.output
    return path


def test_no_oracle_call_is_spent_on_what_is_not_feasible(campaign: Path) -> None:
    with open_storage(str(campaign)) as store:
        store.find()
        runs = store.trajectories(store.runs())
    assert len(runs) == 4 + 3 + 2 * 3
    for x in runs:
        template = x.task.data["template"]
        # the predictor of these tests fails on three cysteines, which is another thing
        assert all(o.complete or o.note.endswith("three cysteines") for o in x.observations)
        assert all(similarity(template, o.candidate) >= 0.75 for o in x.observations)
        assert x.task.context.startswith(" ".join(template))
        assert x.task.context.endswith("against E. coli")
    assert any(o.source == "llm" for x in runs for o in x.observations)


def test_its_model_proposes_for_new_templates(campaign: Path, tmp_path: Path) -> None:
    words = [
        "peptides", "design", str(ROOT / "examples" / "templates.fasta"), "--predictor", "support.own_predictor:oracle",
        "--judge", "none", "--species", "E. coli", "--model", str(campaign), "--budget", "25", "--initial", "15",
        "--out", str(tmp_path),
    ]  # fmt: skip
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    with open_storage(str(tmp_path / "design.db")) as store:
        store.find()
        sources = {o.source for x in store.trajectories(store.runs()) for o in x.observations}
    assert sources == {"default", "design", "llm", "bo"}


def test_the_benchmarks_script_reads_it(campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = _script()
    out = tmp_path / "found.json"
    words = ["peptides.py", "--config", str(ROOT / "examples" / "peptides.toml"), "--storage", str(campaign)]
    monkeypatch.setattr(
        sys, "argv", [*words, "--judge", "support.own_predictor:judge", "--out", str(out), *changes(SMALL)]
    )
    script.main()
    found = json.loads(out.read_text())
    rows = {(r["method"], r["calls"]): r for r in found["methods"]}
    assert rows["template", 1]["oracle ratio"] == [1.0, 1.0, 1.0]
    assert {("initial design", 15), ("STBO", 25), ("BOLT-4 Best@10", 10), ("BOLT-4 Best@12", 12)} <= set(rows)
    assert rows["STBO", 25]["oracle ratio"][0] <= rows["initial design", 15]["oracle ratio"][0] < 1
    low, ratio, high = (rows["STBO", 25]["oracle ratio"][i] for i in (1, 0, 2))
    assert low <= ratio <= high
    assert found["samples"]["BOLT-4"]["feasible"] == 1.0
    assert sum(g["tasks"] for g in found["by identity to the nearest training template"]) == 3


def _script():
    spec = spec_from_file_location("benchmarks_peptides", ROOT / "research" / "scripts" / "peptides" / "peptides.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module
