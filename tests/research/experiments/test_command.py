"""The experiment `small` from beginning to end as a user runs it, smaller still."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.places import ROOT

pytest.importorskip("modlamp", reason="the benchmark's templates come with modlamp")

SMALLER = (
    "rounds=[2,2]", "domain.train=4", "domain.validation=3", "run.budget=12", "run.initial=6", "model.pretraining_pairs=60",
    "model.epochs=1", "validation.samples=6", "validation.reference_budget=12",
)  # fmt: skip


def bench(*words: str | Path, cache: Path, ok: bool = True) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from boltbo_bench.cli import main; main()", *map(str, words)], cwd=ROOT, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(cache), "COLUMNS": "200"}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done.stdout if ok else done.stderr


@pytest.mark.slow
def test_small_runs_is_told_and_is_not_paid_twice(tmp_path: Path) -> None:
    results = tmp_path / "results"
    changes = [word for change in SMALLER for word in ("--set", change)]
    arms = ["--arm", "bolt+bo", "--arm", "commonest", "--arm", "shuffled"]
    words = ["run", "small", "--storage", tmp_path / "small.db", "--seed", "1", "--results", results, *changes]
    bench(*words, *arms, cache=tmp_path)
    path = results / "bench-small.json"
    first = json.loads(path.read_text())
    [part] = first["parts"]
    assert (part["seed"], part["domain"], part["validation"]) == (1, "peptides", 3)
    assert set(part["methods"]) == {"STBO", "BOLT-2", "BOLT-4", "bolt+bo", "commonest", "shuffled"}
    assert part["versions"].keys() >= {"boltbo", "python", "torch"}
    assert str(tmp_path) not in path.read_text()
    assert part["command"].startswith(
        "boltbo-bench run small --storage small.db --seed 1 --results results --set 'rounds=[2,2]'"
    )
    for method in part["methods"].values():
        assert len(method["values"]) == 3
        assert {len(line.split()) for line in method["values"].values()} <= {6, 12}
        assert all(float(word) > 0 for line in method["values"].values() for word in line.split())

    told = bench(*words, "--arm", "random", "--arm", "tasks=9", cache=tmp_path, ok=False)
    assert "the campaign has solved 4 training tasks only" in told
    [again] = json.loads(path.read_text())["parts"]
    assert set(again["methods"]) == {*part["methods"], "random"}
    for name, method in part["methods"].items():
        assert again["methods"][name]["values"] == method["values"]
        assert again["methods"][name]["seconds"] == method["seconds"]  # the same runs, none made anew

    bench("tables", "--results", results, "--out", tmp_path / "docs", cache=tmp_path)
    page = "".join((tmp_path / "docs" / name).read_text() for name in ("index.md", "small.md"))
    for told in ("## Targets", "| BOLT-4 | 6 |", "| 12 |", "| shuffled | 1 |", "Not measured here: other campaigns"):
        assert told in page
    assert (tmp_path / "docs" / "small.png").stat().st_size > 10_000

    # targets are read from the files of the experiments that they are claimed of
    found = json.loads(bench("targets", "--results", results, "--format", "json", cache=tmp_path))
    assert len(found) == 14
    assert all(t.keys() >= {"name", "ratio", "interval", "goal", "met", "command"} for t in found)
    assert all(t["met"] is None for t in found)
    (results / "bench-peptides.json").write_text(
        path.read_text().replace('"experiment": "small"', '"experiment": "peptides"')
    )
    found = json.loads(bench("targets", "--results", results, "--format", "json", cache=tmp_path))
    known = {t["name"]: t for t in found if t["ratio"] is not None}
    assert known.keys() >= {
        "peptides: BOLT + BO / STBO at equal calls", "peptides: one sample / the best of the initial design",
        "peptides: share of the model in the campaign's seconds",
    }  # fmt: skip
    assert "not measured" in bench("targets", "--results", results, cache=tmp_path)


def test_what_cannot_be_run_is_one_clear_message(tmp_path: Path) -> None:
    assert (
        "there are: peptides, peptides-100, peptides-400, peptides-again, peptides-methods, plans, "
        "plans-backends, plans-methods, plans-moves, plans-moves-full, plans-retrieval, plans-unseen, small"
        in bench("run", "odd", cache=tmp_path, ok=False)
    )
    assert "no arm is called 'odd'" in bench(
        "run", "small", "--storage", tmp_path / "s.db", "--arm", "odd", "--seed", "0", cache=tmp_path, ok=False
    )
    assert not (tmp_path / "s-seed0.db").exists()
    assert "make one with boltbo-bench run" in bench("tables", "--results", tmp_path, cache=tmp_path, ok=False)
