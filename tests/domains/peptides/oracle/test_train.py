"""From a CSV to a predictor: what is read, what is left out, what is learnt, what is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from boltbo.cli.app import app
from boltbo.domains.peptides.oracle import judge_train, load_judge, load_predictor, validation
from boltbo.domains.peptides.oracle.data import Measurements, read_measurements
from boltbo.domains.peptides.oracle.judge import with_species
from boltbo.domains.peptides.oracle.kmers import kmers
from boltbo.domains.peptides.oracle.validation import clusters, cross_validate, folds_of
from boltbo.errors import ConfigError


def invented(n: int, seed: int = 0) -> Measurements:
    """Peptides whose log10 MIC falls with their lysines (one species) and rises with their leucines (the other)."""
    rng = np.random.default_rng(seed)
    residues = np.array(list("AGKLDSW"))
    sequences = tuple({"".join(rng.choice(residues, size=rng.integers(8, 20))) for _ in range(n)})
    sequences = tuple(sorted(sequences))
    share = np.array([[s.count(a) / len(s) for a in "KL"] for s in sequences])
    values = np.stack([2 - 4 * share[:, 0], 4 * share[:, 1]], 1) + rng.normal(0, 0.05, (len(sequences), 2))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[np.isnan(values).all(axis=1), 0] = 1.0
    return Measurements(sequences, ("E_coli", "My_strain"), values)


def as_csv(data: Measurements, path: Path, *more: str) -> Path:
    cells = [",".join("" if np.isnan(v) else f"{v:.4f}" for v in row) for row in data.values]
    lines = [f"{s},{c}" for s, c in zip(data.sequences, cells, strict=True)]
    path.write_text("\n".join([",".join(["sequence", *data.species]), *lines, *more]) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    path = as_csv(invented(300), folder / "mic.csv")
    arguments = [str(path), "--out", str(folder / "model"), "--members", "2", "--folds", "2", "--format", "json"]
    with pytest.MonkeyPatch.context() as patch:  # as in earnest, but sooner
        patch.setattr(judge_train, "TREES", 60)
        patch.setattr(validation, "RESAMPLES", 50)
        done = CliRunner().invoke(app, ["peptides", "train-oracle", *arguments])
    assert done.exit_code == 0, done.output
    return folder / "model"


def test_training_learns_and_says_how_well(trained: Path) -> None:
    new = invented(200, seed=1)
    for predictor in (load_predictor(trained), load_judge(trained)):
        assert predictor.species == ("E_coli", "My_strain")
        mean, _ = predictor.predict(new.sequences)
        for i in range(2):
            known = ~np.isnan(new.values[:, i])
            assert np.corrcoef(mean[known, i], new.values[known, i])[0, 1] > 0.8
    record = json.loads((trained / "validation.json").read_text())
    for name in ("oracle", "judge"):
        assert record["sequences per CPU second"][name] > 0
        assert record["bytes"][f"{name}.safetensors"] == (trained / f"{name}.safetensors").stat().st_size
        for split in ("random", "clustered"):
            for score in record[name][split]["species"]:
                low, high = score["r2_interval"]
                assert low <= score["r2"] <= high
                assert score["pearson"] > 0.6
    assert record["judge"]["random"]["spread against error, rank correlation"] is None


def test_the_same_seed_trains_the_same(trained: Path) -> None:
    from boltbo.domains.peptides.oracle.train import fit_ensemble

    data = read_measurements(trained.parent / "mic.csv")
    again, other = fit_ensemble(data, 2, seed=0), fit_ensemble(data, 1, seed=1)
    known = load_predictor(trained).predict(data.sequences[:20])[0]
    np.testing.assert_array_equal(again.predict(data.sequences[:20])[0], known)
    assert not np.allclose(other.predict(data.sequences[:20])[0], known)


def test_exported_trees_predict_what_scikit_learn_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_train, "TREES", 100)
    data = invented(250)
    model, middle = judge_train.fit_trees(data, seed=3)
    judge = judge_train.export(model, middle, data, 3)
    probes = (*data.sequences, *invented(250, seed=4).sequences)  # thresholds lie between the values of the first
    for i in range(2):
        theirs = middle[i] + model.predict(with_species(kmers(probes), i, 2))
        np.testing.assert_allclose(judge.predict(probes)[0][:, i], theirs, atol=1e-5)


def test_rows_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    data = invented(120)
    bad = [
        "KWXLFKK,1.0,1.0",
        "KWKLBKK,1.0,1.0",
        "KWK,1.0,1.0",
        "KWKLFKK,one,",
        "KWKLFKK,,",
        "KWKLFKK,1.0",
        "KWKLFKK,64.0,",
    ]
    again = [f"{data.sequences[0].lower()},1.5,", "KKLLWWKK,1.0,", "KKLLWWKK,2.0,0.5", ""]
    found = read_measurements(as_csv(data, tmp_path / "mic.csv", *bad, *again), least=10)
    assert len(found.sequences) == len(data.sequences) + 1
    assert found.values[found.sequences.index("KKLLWWKK")].tolist() == [1.5, 0.5]
    said = "\n".join(found.notes)
    first = len(data.sequences) + 2
    assert f"2 rows left out: letters other than ACDEFGHIKLMNPQRSTVWY (line {first}, {first + 1})" in said
    for what in ("length outside 5 to 50", "no number", "no value at all", "other than 3 cells", "log10 of micromolar"):
        assert sum(line.startswith("1 rows left out") and what in line for line in found.notes) == 1, what
    assert "2 rows repeat a peptide" in said


def test_a_species_measured_too_seldom_is_left_out(tmp_path: Path) -> None:
    data = invented(120)
    values = np.column_stack([data.values, np.where(np.arange(len(data.sequences)) < 5, 1.0, np.nan)])
    wide = Measurements(data.sequences, (*data.species, "Rare"), values)
    found = read_measurements(as_csv(wide, tmp_path / "mic.csv"), least=10)
    assert found.species == data.species
    assert "measured less than 10 times: Rare (5)" in found.notes[-1]
    with pytest.raises(ConfigError, match=r"no species has 1000 measurements.*Rare 5"):
        read_measurements(tmp_path / "mic.csv", least=1000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: expected sequence,SPECIES"),
        ("peptide,E_coli\nKWKLFKK,1\n", "line 1: expected sequence,SPECIES"),
        ("sequence\nKWKLFKK\n", "line 1: expected sequence,SPECIES"),
        ("sequence,E_coli,E_coli\n", "distinct name"),
        ("sequence,E_coli\nKWKLFKK,1\nKWKLFKX,1\n", "1 peptides can be used, 50 are needed. 1 rows left out"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_message(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mic.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_measurements(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_measurements(tmp_path / "absent.csv")
    path.write_bytes(b"sequence,E_coli\n\xff\xfe\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_measurements(path)


def test_one_fold_is_no_validation(tmp_path: Path) -> None:
    path = as_csv(invented(120), tmp_path / "mic.csv")
    done = CliRunner().invoke(app, ["peptides", "train-oracle", str(path), "--folds", "1"])
    assert isinstance(done.exception, ConfigError)
    assert "--folds is 1" in str(done.exception)


def test_clusters_hold_like_peptides() -> None:
    one, other = "GIGKFLHSAKKFGKAFVGEIMNS", "RRWQWRMKKLG"
    found = clusters([one, other, one[:-1], one.replace("K", "R"), other + "A"])
    assert len({found[0], found[2], found[3]}) == 1
    assert found[1] == found[4] != found[0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(2, 5), st.integers(0, 3))
def test_a_cluster_is_in_one_fold(drawn: list[int], folds: int, seed: int) -> None:
    groups = np.unique(drawn, return_inverse=True)[1]
    fold = folds_of(groups, folds, seed)
    for group in range(groups.max() + 1):
        assert len(set(fold[groups == group].tolist())) == 1
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.max() - sizes.min() <= np.bincount(groups).max()


class Mean:
    """Knows the mean of what it was given, and remembers whom it was given."""

    def __init__(self, data: Measurements) -> None:
        self.species, self.middle, self.seen = data.species, data.middle(), set(data.sequences)

    def predict(self, sequences):
        assert not self.seen & set(sequences)
        mean = np.tile(self.middle, (len(sequences), 1))
        return mean, np.zeros_like(mean)


@pytest.mark.parametrize("split", ["random", "clustered"])
def test_a_prediction_of_the_mean_explains_nothing(split) -> None:
    data = invented(200)
    scores, told = cross_validate(data, Mean, split)
    assert np.isnan(told)
    for score, column in zip(scores, data.values.T, strict=True):
        assert score.n == (~np.isnan(column)).sum()
        assert score.r2 == pytest.approx(0, abs=0.1)
        assert score.rmse == pytest.approx(np.nanstd(column), rel=0.05)
        assert score.rmse_interval[0] < score.rmse < score.rmse_interval[1]
