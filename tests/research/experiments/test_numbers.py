"""The result file's lines, ratios with their intervals, and targets from a result file made by hand."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boltbo.errors import ConfigError
from boltbo.problem import Observation, Status
from boltbo_bench.experiments import calls
from boltbo_bench.experiments.cost_tables import transfer
from boltbo_bench.experiments.experiment import read_experiment
from boltbo_bench.experiments.measured import Best, Measured, NotMeasured, compare
from boltbo_bench.experiments.page import write_pages
from boltbo_bench.experiments.ratios import ratio
from boltbo_bench.experiments.tables import ablations, best_at, few_shot
from boltbo_bench.experiments.targets import targets
from support.places import ROOT

TASKS = [f"v{i}" for i in range(6)]


def observed(value: float, status: Status = Status.COMPLETE) -> Observation:
    return Observation("a", value, status, 0.0, "llm")


# --- lines ---------------------------------------------------------------------------------------------------------------


def test_a_line_says_what_became_of_each_call() -> None:
    found = [
        observed(3.0, Status.CENSORED),
        observed(math.nan, Status.FAILED),
        observed(2.0),
        observed(1.0, Status.CENSORED),
    ]
    line = calls.write([*found, observed(math.nan, Status.INFEASIBLE), observed(0.123456)])
    assert line == "3> ! 2 1> x 0.12346"
    read = calls.read(line)
    assert read.best == (3, 3, 2, 2, 2, 0.12346)
    assert read.exact == (False, False, True, True, True, True)
    assert read.marks == ">! >x "
    assert read.at(1) == (3, False)
    assert read.at() == (0.12346, True)
    assert calls.read("").at() == (math.inf, False)


@given(
    st.lists(
        st.tuples(st.floats(1e-3, 1e3), st.sampled_from(list(Status))).map(
            lambda x: observed(x[0] if x[1] in (Status.COMPLETE, Status.CENSORED) else math.nan, x[1])
        ),
        max_size=3 * calls.FULL,
    )
)
def test_what_is_left_out_of_a_long_line_changes_no_best_value(found: list[Observation]) -> None:
    read = calls.read(calls.write(found))
    assert len(read) == len(found)
    for k in {1, len(found) // 2, len(found)} - {0}:
        complete = [o.value for o in found[:k] if o.complete]
        bounds = [o.value for o in found[:k] if o.status is Status.CENSORED]
        expected = min(complete or bounds or [math.inf])
        value, exact = read.at(min(k, len(found)))
        assert exact is bool(complete) or not found
        assert value == expected or value == pytest.approx(expected, rel=1e-4)


# --- ratios --------------------------------------------------------------------------------------------------------------


def test_a_ratio_by_hand() -> None:
    found = ratio(np.array([[1.0, 2.0]]), np.array([[2.0, 8.0]]))
    assert found.sums.value == pytest.approx(0.3)
    assert found.typical is not None
    assert found.typical.value == pytest.approx(math.sqrt(0.5 * 0.25))
    # of the four draws of two tasks a quarter is all the first (1/2), a quarter all the second (1/4)
    assert (found.sums.low, found.sums.high) == pytest.approx((0.25, 0.5))
    assert (found.tasks, found.seeds) == (2, 1)


def test_a_ratio_that_all_tasks_share_has_no_width() -> None:
    other = np.random.default_rng(0).uniform(1, 9, size=(3, 20))
    found = ratio(0.7 * other, other)
    assert found.sums.low == pytest.approx(0.7)
    assert found.sums.high == pytest.approx(0.7)


def test_the_interval_of_a_ratio_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(60):
        other = rng.lognormal(size=(1, 60))
        found = ratio(0.8 * other * rng.lognormal(sigma=0.3, size=other.shape), other).typical
        assert found is not None
        hits += found.low <= 0.8 <= found.high
    assert 50 <= hits <= 60


def test_seeds_are_averaged_within_a_task() -> None:
    one, other = np.array([[1.0, 1.0], [3.0, 3.0]]), np.array([[4.0, 4.0], [4.0, 4.0]])
    found = ratio(one, other)
    assert found.sums.value == pytest.approx(0.5)
    assert found.typical is not None
    assert found.typical.value == pytest.approx(math.sqrt(0.25 * 0.75))


def test_no_geometric_mean_where_a_value_is_zero() -> None:
    found = ratio(np.array([[0.0, 1.0]]), np.array([[2.0, 2.0]]))
    assert found.typical is None
    assert found.sums.value == pytest.approx(0.25)


# --- targets -------------------------------------------------------------------------------------------------------------


def method(value: float, calls: int = 50, first: float | None = None) -> dict[str, Any]:
    """Six tasks alike but for their scale; `value` times the scale from the second call on."""
    steps = [first or value, *[value] * (calls - 1)]
    values = {t: " ".join(f"{v * (i + 1):g}" for v in steps) for i, t in enumerate(TASKS)}
    return {
        "runs": 6, "calls": 6 * calls, "samples": 0, "sampled_runs": 0, "timed_runs": 0, "sampling_seconds": 0.0,
        "seconds": {"oracle": 6.0}, "values": values,
    }  # fmt: skip


def part(seed: int = 0, **arms: Any) -> dict[str, Any]:
    stbo = method(1.0, 100)
    for i, t in enumerate(TASKS):
        stbo["values"][t] = f"{10 * (i + 1)} {5 * (i + 1)} " + stbo["values"][t]
    return {
        "variant": "", "seed": seed, "domain": "plans", "command": f"boltbo-bench run plans --seed {seed}",
        "commit": "abc", "versions": {"boltbo": "0.1.0"}, "machine": {"cores": 2},
        "settings": {"run": {"initial": 2}}, "options": {}, "validation": 6,
        "train": {"calls": 5000, "samples": 1000, "sampled_runs": 50, "timed_runs": 0,
                  "seconds": {"oracle": 900.0, "fit": 50.0, "acquire": 20.0},
                  "models": {"base_seconds": 5.0}, "tasks": {"100": 3.0}},
        "models": [{"label": "BOLT-50", "tasks": 50, "fit_seconds": 2.0},
                   {"label": "BOLT-200", "tasks": 200, "fit_seconds": 3.0}],
        "default": {t: 10.0 * (i + 1) for i, t in enumerate(TASKS)}, "design": dict.fromkeys(TASKS, 2),
        "methods": {"STBO": stbo, "BOLT-50": method(1.0), "BOLT-200": method(0.6, first=4.9), **arms},
    }  # fmt: skip


def written(folder: Path, *parts: dict[str, Any], name: str = "plans") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"bench-{name}.json"
    path.write_text(json.dumps({"experiment": name, "version": 1, "title": name, "parts": list(parts)}))
    return path


def test_targets_are_met_missed_or_not_measured(tmp_path: Path) -> None:
    told: dict[str, Any] = {"samples": 300, "sampled_runs": 6, "timed_runs": 6, "sampling_seconds": 3.0}
    written(tmp_path, part(shuffled={**method(1.7), **told}, **{"bolt+bo": method(0.7, 102)}))
    found = {t.name: t for t in targets(tmp_path)}
    assert len(found) == 14
    plans = {name.removeprefix("plans: "): t for name, t in found.items() if name.startswith("plans: ")}

    few = plans["50 samples without BO / full STBO"]
    assert few.ratio == pytest.approx(0.6)
    assert few.interval == pytest.approx((0.6, 0.6))
    assert (few.met, few.goal, few.tasks, few.seeds) == (True, "<= 0.9", 6, 1)
    assert few.command == "boltbo-bench run plans --seed 0"
    assert plans["Best@50 at all tasks / at 50 tasks"].ratio == pytest.approx(0.6)
    one = plans["one sample / the best of the initial design"]
    assert (one.ratio, one.met) == (pytest.approx(0.98), False)  # below 1, but not by as much as is claimed
    assert plans["BOLT + BO / STBO at equal calls"].ratio == pytest.approx(0.7)
    assert plans["shuffled / aligned contexts"].ratio == pytest.approx(1.7 / 0.6)
    assert plans["shuffled / aligned contexts"].met is False
    missing = plans["with self-augmentation / without"]
    assert (missing.ratio, missing.interval, missing.met) == (None, None, None)
    assert "'augmented' was not run" in missing.missing
    # (5 + 5 of the model + 1,000 samples of 10 ms) of (970 + 20)
    share = plans["share of the model in the campaign's seconds"]
    assert (share.ratio, share.met) == (pytest.approx(20 / 990), False)

    peptides = [t for name, t in found.items() if name.startswith("peptides: ")]
    assert all(t.met is None and "no result file of peptides" in t.missing for t in peptides)


def test_a_target_is_read_from_the_first_experiment_that_measured_it(tmp_path: Path) -> None:
    asked, augmented = "first=raised,pool=4", "augmented,samples=50"
    written(tmp_path, part(**{"bolt+bo": method(0.7, 102), "augmented": method(0.1)}), name="peptides")
    again = part(**{asked: method(0.5), augmented: method(0.3)})
    written(tmp_path, {**again, "command": "boltbo-bench run peptides-again"}, name="peptides-again")
    found = {t.name.removeprefix("peptides: "): t for t in targets(tmp_path) if t.name.startswith("peptides: ")}
    one, both = found["one sample / the best of the initial design"], found["BOLT + BO / STBO at equal calls"]
    assert (one.ratio, one.command) == (pytest.approx(0.1), "boltbo-bench run peptides-again")
    assert found["50 samples without BO / full STBO"].ratio == pytest.approx(0.6)
    assert (both.ratio, both.command) == (pytest.approx(0.7), "boltbo-bench run plans --seed 0")
    assert found["with self-augmentation / without"].ratio == pytest.approx(0.5)
    assert found["shuffled / aligned contexts"].met is None


def test_many_samples_of_the_last_model_stand_with_its_few(tmp_path: Path) -> None:
    m = Measured.read(written(tmp_path, part(**{"samples=1000": method(0.5, 1000)})))
    found = {row[1].strip(): row[3].strip() for row in (line.split("|") for line in few_shot(m).splitlines())}
    assert found["BOLT-200, 50 samples"] == "0.6 (0.6 to 0.6)"
    assert found["BOLT-200, 1000 samples"] == "0.5 (0.5 to 0.5)"
    assert "| samples=1000 | 1000 |" in best_at(m)


def test_samples_are_compared_with_the_search_from_scratch_that_went_furthest(tmp_path: Path) -> None:
    path = written(tmp_path, part(**{"stbo,calls=200": method(0.5, 200), "bolt+bo": method(0.7, 102)}))
    found = {t.name.removeprefix("plans: "): t.ratio for t in targets(tmp_path)}
    assert found["50 samples without BO / full STBO"] == pytest.approx(1.2)
    assert found["BOLT + BO / STBO at equal calls"] == pytest.approx(0.7)
    m = Measured.read(path)
    assert "| over STBO's 200 calls |" in few_shot(m)
    assert "| stbo,calls=200 | 200 |" in best_at(m)
    assert "| STBO | 102 |" in best_at(m)
    with pytest.raises(NotMeasured):
        ablations(m)


def test_arms_are_compared_with_the_samples_measured_beside_them(tmp_path: Path) -> None:
    """On the day of the arms the machine takes a quarter longer for the very same samples."""
    path = written(tmp_path, part(again=method(0.75), shuffled=method(1.5), augmented=method(0.6)))
    found = {t.name: t.ratio for t in targets(tmp_path)}
    assert found["plans: shuffled / aligned contexts"] == pytest.approx(2.0)
    assert found["plans: with self-augmentation / without"] == pytest.approx(0.8)
    assert found["plans: 50 samples without BO / full STBO"] == pytest.approx(0.6)
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in ablations(Measured.read(path)).splitlines()]
    assert ["again, over BOLT-200", "50", "1.25 (1.25 to 1.25)"] in rows
    assert ["shuffled", "50", "2 (2 to 2)"] in rows

    # a round of the campaign's own was measured with the campaign
    own = part(again=method(0.75), **{"BOLT-200+": method(0.3)})
    own["models"].append({"label": "BOLT-200+", "tasks": 200, "fit_seconds": 3.0})
    path = written(tmp_path, own)
    found = {t.name: t.ratio for t in targets(tmp_path)}
    assert found["plans: with self-augmentation / without"] == pytest.approx(0.5)
    # the method as a whole is the model after it
    assert found["plans: 50 samples without BO / full STBO"] == pytest.approx(0.3)
    assert found["plans: Best@50 at all tasks / at 50 tasks"] == pytest.approx(0.3)
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in ablations(Measured.read(path)).splitlines()]
    assert ["BOLT-200+, over BOLT-200", "50", "0.5 (0.5 to 0.5)"] in rows

    # what was retrieved along with the samples is not the model's own; another experiment may tell what these alone bring
    own["settings"]["augment"] = {"samples": [10, 25], "retrieval": [0.0, 0.5]}
    written(tmp_path, own)
    found = {t.name: t.ratio for t in targets(tmp_path)}
    assert found["plans: with self-augmentation / without"] is None
    assert found["plans: 50 samples without BO / full STBO"] == pytest.approx(0.3)


def test_winners_measured_again_decide_where_there_are_any(tmp_path: Path) -> None:
    """STBO's least of 102 was a lucky value: its winner is worth twice as much."""
    again = {"STBO": 2.0, "BOLT-200 @50": 0.6, "again @50": 0.6, "shuffled @50": 0.9}
    written(tmp_path, part(again=method(0.75), shuffled=method(1.5), augmented=method(0.6)))
    beside = tmp_path / "plans-winners.json"
    own = {t: {m: v * (i + 1) for m, v in again.items()} for i, t in enumerate(TASKS)}
    for i, t in enumerate(TASKS):  # the best of all in turn, hence neither over all tasks
        own[t] |= {f"retrieval @{k}": (0.4 if i % 2 == j else 3.0) * (i + 1) for j, k in enumerate((1, 10))}
    beside.write_text(json.dumps({"version": 1, "tasks": own}))
    found = {t.name.removeprefix("plans: "): t for t in targets(tmp_path)}
    few = found["50 samples without BO / full STBO"]
    assert (few.ratio, few.again) == (pytest.approx(0.3), True)
    assert few.command.endswith("; python research/scripts/plans/winners.py plans --storage FILE")
    assert found["shuffled / aligned contexts"].ratio == pytest.approx(1.5)
    augmented, best = found["with self-augmentation / without"], found["Best@50 at all tasks / at 50 tasks"]
    assert (augmented.ratio, augmented.again) == (pytest.approx(0.8), False)
    assert (best.ratio, best.again) == (pytest.approx(0.6), False)
    [_, out, *_] = write_pages(tmp_path, tmp_path / "out")
    assert "| BOLT-200 @50 | 0.3 (0.3 to 0.3) | 0.3 (0.3 to 0.3) | 6 |" in out.read_text()
    assert "| *virtual best of these 6* | 0.2 (0.2 to 0.2) | 0.2 (0.2 to 0.2) | 6 |" in out.read_text()

    beside.write_text(json.dumps({"version": 2, "tasks": own}))  # of a campaign with other settings
    assert not any(t.again for t in targets(tmp_path))
    written(tmp_path, part(), part(seed=1))  # of several campaigns nobody knows whose they are
    assert not any(t.again for t in targets(tmp_path))
    beside.write_text("{")
    written(tmp_path, part())
    with pytest.raises(ConfigError, match=beside.name):
        targets(tmp_path)


def test_an_interval_that_reaches_1_meets_no_target(tmp_path: Path) -> None:
    told = method(0.5, 102)
    for t in TASKS[:2]:
        told["values"][t] = " ".join(["8"] * 102)
    told["values"][TASKS[5]] = " ".join(["0.1"] * 102)
    written(tmp_path, part(**{"bolt+bo": told}))
    [found] = [t for t in targets(tmp_path) if t.name == "plans: BOLT + BO / STBO at equal calls"]
    assert found.interval is not None
    assert found.interval[1] >= 1
    assert found.met is False


def test_a_method_without_any_value_counts_with_the_default(tmp_path: Path) -> None:
    nothing = {**method(1.0), "values": dict.fromkeys(TASKS, "! x")}
    m = Measured.read(written(tmp_path, part(random=nothing)))
    assert compare(m.parts, Best("random"), Best("default")).sums.value == 1.0
    with pytest.raises(NotMeasured, match="'commonest' was not run"):
        compare(m.parts, Best("commonest"), Best("default"))
    with pytest.raises(NotMeasured, match="no 500 calls"):
        compare(m.parts, Best("random", 500), Best("default"))


def test_the_page_has_what_there_is_and_names_what_is_missing(tmp_path: Path) -> None:
    told: dict[str, Any] = {
        "samples": 300,
        "sampled_runs": 6,
        "timed_runs": 6,
        "sampling_seconds": 3.0,
        "peak_mib": 100,
    }
    told["model"] = {"tasks": 200, "pairs": 900, "fit_seconds": 4.0, "invalid_raw": 0.254}
    arms = {"shuffled": {**method(1.7), **told}, "tasks=20": method(0.9), "random": method(6.0)}
    written(tmp_path / "results", *(part(seed, **arms) for seed in (0, 1)))
    index, page, figure = write_pages(tmp_path / "results", tmp_path / "docs")
    text = index.read_text() + page.read_text()
    assert "| plans: 50 samples without BO / full STBO | 0.6 (0.6 to 0.6) |" in text
    assert "| peptides: shuffled / aligned contexts | not measured |" in text
    assert "| BOLT-200, 1 sample | 3 (3 to 3) |" in text
    assert "| random | 50 |" in text
    assert "Not measured here: with the optimizer, over calls (no arm goes on" in text
    assert re.search(r"\| shuffled \| 1 \| 200 \| 900 \| 4 \| 25% \| [0-9.]+ \([0-9.]+ to [0-9.]+\) \| 100 \|", text)
    assert "| BOLT-50 | 0 | 50 |  | 2 |  |" in text
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "50 samples of BOLT-200, without an optimizer, are at 0.6 (0.6 to 0.6) of STBO's 102 calls by sums" in text
    again = [path.read_text() for path in write_pages(tmp_path / "results", tmp_path / "docs")[:2]]
    assert "".join(again) == text


def test_a_method_that_stopped_earlier_is_compared_with_as_many_calls_of_stbo(tmp_path: Path) -> None:
    told = {"learn_seconds": 3.0, "peak_mib": 900}
    arms = {"transfer:in-context,calls=2": {**method(4.0, 2), **told}, "transfer:rgpe@10": {**method(2.0, 102), **told}}
    m = Measured.read(written(tmp_path, part(**arms)))
    rows = [[cell.strip() for cell in line.split("|")[1:5]] for line in transfer(m).splitlines()]
    # after 2 calls STBO stands at 5 times the scale, at its end at 1
    assert ["in-context", "0", "2", "0.8 (0.8 to 0.8)"] in rows
    assert ["rgpe", "10", "102", "2 (2 to 2)"] in rows
    # the model's samples beside them, fifty of a hundred calls at most: STBO stands at the scale by then, too
    assert ["BOLT-200", "200", "50", "0.6 (0.6 to 0.6)"] in rows
    assert transfer(m).splitlines()[-1].endswith("| 3 |  |  |")  # no run says how long a sample took


def test_a_damaged_result_file_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, part())
    path.write_text(path.read_text()[:100])
    with pytest.raises(ConfigError, match="is no result file"):
        targets(tmp_path)


# --- experiments ---------------------------------------------------------------------------------------------------------


def test_an_experiment_has_a_part_for_each_seed_and_variant(tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text(
        'campaign = "c.toml"\nseeds = [0, 1]\narms = ["random", "bolt+bo"]\nvariant_arms = ["random"]\n'
        '[variants]\nslow = ["rounds=[1, 1]"]\n'
    )
    e = read_experiment(str(tmp_path / "e.toml"))
    assert e.campaign == tmp_path / "c.toml"
    assert [(p.variant, p.seed, p.arms) for p in e.parts] == [
        ("", 0, ("random", "bolt+bo")), ("", 1, ("random", "bolt+bo")), ("slow", 0, ("random",)), ("slow", 1, ("random",)),
    ]  # fmt: skip
    assert e.parts[3].changes == ("rounds=[1, 1]", "seed=1")
    assert [p.storage("x/e.db") for p in e.parts] == [
        f"x/e-{name}.db" for name in ("seed0", "seed1", "slow-seed0", "slow-seed1")
    ]
    with pytest.raises(ConfigError, match="needs a file"):
        e.parts[0].storage("postgresql://db/x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arms = []", "campaign"),
        ("campaign = 3", "campaign"),
        ('campaign = "c"\nodd = 1', "odd: no such key"),
        ("x", "no TOML"),
    ],
)
def test_an_experiment_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "e.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_experiment(str(tmp_path / "e.toml"))
    with pytest.raises(ConfigError, match="there are: e"):
        read_experiment(str(tmp_path / "other.toml"))


def test_the_shipped_experiments_can_be_read() -> None:
    from boltbo.cli.config import load_config
    from boltbo_bench.experiments.arms import parse_arm

    folder = ROOT / "research" / "experiments"
    found = sorted(folder.glob("*.toml"))
    assert {"small", "peptides", "plans"} <= {p.stem for p in found}
    for path in found:
        e = read_experiment(str(path))
        for p in e.parts:
            settings = load_config(
                e.campaign, [*p.changes, "domain.workload=somewhere"] if "plans" in path.stem else p.changes
            ).settings
            assert all(parse_arm(text, settings) for text in p.arms)
