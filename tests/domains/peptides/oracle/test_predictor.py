"""The shipped oracle and judge: they load, answer the same each time, and refuse what they cannot read."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import boltbo.domains.peptides.oracle.predictor as door
from boltbo.domains.peptides.oracle import AMINO_ACIDS, SPECIES, MicPredictor, load_judge, load_predictor
from boltbo.domains.peptides.oracle.features import feature_names, features
from boltbo.domains.peptides.oracle.kmers import kmer_names, kmers
from boltbo.errors import ConfigError, CorruptModel, InvalidCandidate

SHIPPED = Path(door.__file__).with_name("shipped")
MAGAININ = "GIGKFLHSAKKFGKAFVGEIMNS"
PEPTIDES = [MAGAININ, "KWKLFKKIEKVGQNIRDGIIKAGPAVAVVGQATQIAK", "RRWQWR", "DEDEDSGDEDSG"]
LOADERS = {"oracle": load_predictor, "judge": load_judge}

peptide = st.text(AMINO_ACIDS, min_size=5, max_size=50)


class Constant:
    """A predictor of one's own."""

    species = ("E_coli",)

    def predict(self, sequences):
        return np.ones((len(sequences), 1)), np.zeros((len(sequences), 1))


READY = Constant()
NOTHING = "no predictor"


@pytest.mark.parametrize("name", LOADERS)
def test_what_is_shipped_predicts_all_species(name: str) -> None:
    predictor = LOADERS[name]()
    assert isinstance(predictor, MicPredictor)
    assert set(predictor.species) <= set(SPECIES)
    mean, spread = predictor.predict(PEPTIDES)
    assert mean.shape == spread.shape == (4, len(predictor.species))
    assert mean.dtype == spread.dtype == np.float64
    assert (spread >= 0).all()
    assert (spread > 0).all() == (name == "oracle")
    coli = mean[:, predictor.species.index("E_coli")]
    assert coli[3] > coli[1] + 0.5  # an acidic peptide, and cecropin A
    assert ((mean > -2) & (mean < 4)).all()


@pytest.mark.parametrize("name", LOADERS)
def test_a_prediction_depends_on_the_peptide_alone(name: str) -> None:
    predictor = LOADERS[name]()
    together = predictor.predict(PEPTIDES)
    np.testing.assert_array_equal(predictor.predict(PEPTIDES)[0], together[0])
    alone = [predictor.predict([p]) for p in PEPTIDES]
    for part in (0, 1):
        np.testing.assert_allclose(np.concatenate([a[part] for a in alone]), together[part], atol=1e-5)
    many = predictor.predict(PEPTIDES * 300)
    np.testing.assert_allclose(many[0][-4:], together[0], atol=1e-5)
    none, _ = predictor.predict([])
    assert none.shape == (0, len(predictor.species))


def test_oracle_and_judge_are_different_models_that_agree_on_the_whole() -> None:
    rng = np.random.default_rng(0)
    residues = np.array(list("AKLRGVIFWDE"))
    drawn = ["".join(rng.choice(residues, size=rng.integers(10, 30))) for _ in range(200)]
    oracle, judge = load_predictor(), load_judge()
    assert oracle.species == judge.species
    a, b = oracle.predict(drawn)[0].mean(1), judge.predict(drawn)[0].mean(1)
    assert 0.3 < np.corrcoef(a, b)[0, 1] < 0.99


def test_predicting_needs_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys; from boltbo.domains.peptides.oracle import load_predictor, load_judge; "
        f"load_predictor().predict([{MAGAININ!r}]); load_judge().predict([{MAGAININ!r}]); "
        "print([m for m in ('torch', 'sklearn', 'pickle5') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("KWKB", "4 residues, this predictor reads 5 to 50"),
        ("K" * 51, "51 residues"),
        ("KWKLBKK", "'B' at place 5"),
        ("kwklfkk", "'k' at place 1"),
        ("KWKLFÅK", "'Å' at place 6"),
        ("KWK LFK", "' ' at place 4"),
    ],
)
def test_what_is_no_peptide_is_refused(name: str, bad: str, said: str) -> None:
    with pytest.raises(InvalidCandidate, match="sequence 2") as error:
        LOADERS[name]().predict([MAGAININ, bad])
    assert said in str(error.value)


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("damage", ["cut", "missing", "json", "shape", "nan", "features", "kind", "pickle"])
def test_a_damaged_model_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    import safetensors.numpy

    shutil.copytree(SHIPPED, tmp_path / "model")
    weights, facts = (tmp_path / "model" / f"{name}.{end}" for end in ("safetensors", "json"))
    array = "w1" if name == "oracle" else "threshold"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif damage == "missing":
        weights.unlink()
    elif damage == "json":
        facts.write_text("{")
    elif damage == "pickle":
        weights.write_bytes(pickle.dumps({"w1": [1.0]}))
    elif damage in ("shape", "nan"):
        arrays = safetensors.numpy.load_file(weights)
        arrays[array] = arrays[array][:-1] if damage == "shape" else arrays[array] * np.float32(np.nan)
        safetensors.numpy.save_file(arrays, weights)
    else:
        facts.write_text(json.dumps(json.loads(facts.read_text()) | {damage: "another"}))
    with pytest.raises(CorruptModel, match=f"{name}\\.(json|safetensors)") as error:
        LOADERS[name](tmp_path / "model")
    assert "train it again" in str(error.value)


@pytest.mark.parametrize(("array", "value"), [("right", 30000), ("right", -1), ("feature", 30000), ("root", 5)])
def test_trees_that_lead_astray_are_refused(tmp_path: Path, array: str, value: int) -> None:
    import safetensors.numpy

    shutil.copytree(SHIPPED, tmp_path / "model")
    weights = tmp_path / "model" / "judge.safetensors"
    arrays = safetensors.numpy.load_file(weights)
    arrays[array][0] = value
    safetensors.numpy.save_file(arrays, weights)
    with pytest.raises(CorruptModel, match=array):
        load_judge(tmp_path / "model")


@pytest.mark.parametrize("load", LOADERS.values())
def test_a_predictor_of_ones_own_comes_by_its_name(load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    for attribute in ("Constant", "READY"):
        predictor = load(f"test_predictor:{attribute}")
        assert predictor.species == ("E_coli",)
        assert predictor.predict([MAGAININ])[0].tolist() == [[1.0]]
    with pytest.raises(ConfigError, match="no predictor"):
        load("test_predictor:NOTHING")
    with pytest.raises(ConfigError, match="cannot be imported"):
        load("test_predictor:ABSENT")
    with pytest.raises(ConfigError, match="cannot be imported"):
        load("no_such_module_at_all:thing")
    with pytest.raises(ConfigError, match="no predictor at"):
        load("no/such/folder")


@settings(max_examples=50, deadline=None)
@given(st.lists(peptide, min_size=1, max_size=6))
def test_features_of_a_peptide_do_not_depend_on_its_neighbours(sequences: list[str]) -> None:
    for view, names in ((features, feature_names()), (kmers, kmer_names())):
        together = view(sequences)
        assert together.shape == (len(sequences), len(names)) == (len(sequences), len(set(names)))
        assert np.isfinite(together).all()
        np.testing.assert_allclose(np.concatenate([view([s]) for s in sequences]), together, rtol=1e-5, atol=1e-5)


def test_features_say_what_their_names_say() -> None:
    X, names = features(["KKLLKKLLKKLL"])[0], feature_names()
    found = dict(zip(names, X.tolist(), strict=True))
    assert found["length"] == 12
    assert found["share K"] == found["share L"] == pytest.approx(0.5)
    assert found["charge sum"] == 6
    assert found["hydropathy start"] == pytest.approx((3 * -3.9 + 2 * 3.8) / 5, abs=1e-5)
    assert found["hydropathy end"] == pytest.approx((3 * 3.8 + 2 * -3.9) / 5, abs=1e-5)
    assert found["KR-KR gap 0"] == pytest.approx(3 / 11)
    assert found["ILMV-KR gap 1"] == pytest.approx(4 / 10)
    assert found["hydropathy moment alpha whole"] > 3 * found["hydropathy moment beta whole"]
    counted = dict(zip(kmer_names(), kmers(["KKLLKKLLKKLL"])[0].tolist(), strict=True))
    assert [counted[f"count {pair}"] for pair in ("KK", "KL", "LK", "LL", "AA")] == [3, 3, 2, 3, 0]
