"""What is claimed, as numbers that can be met or missed.

A target is met where the ratio reaches its goal and the whole interval lies on the goal's side of 1. What was not measured is
neither met nor missed. Where the winners of a campaign were measured again side by side, the ratio is of those values.
The model is the campaign's last one, after self-augmentation where the campaign has a round of it; full STBO is the longest
search from scratch that was run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boltbo_bench.experiments.costs import model_share
from boltbo_bench.experiments.measured import Best, Measured, NotMeasured, Part, compare_winners
from boltbo_bench.experiments.ratios import Interval, Ratio
from boltbo_bench.experiments.result_file import result_path

EXPERIMENTS = {"plans": ("plans-moves-full", "plans-retrieval", "plans"), "peptides": ("peptides-again", "peptides")}
"""Domain -> the experiments that its targets are read from: each from the first one that measured it"""

K, FEW = 50, 50
FIRST = ("first=estimated", "first=raised,pool=4", "first=consensus")
"""Arms that choose the last model's first sample otherwise than the campaign did: one sample is theirs, where one was run"""
STBO, DESIGN = Best("STBO"), Best("initial design")


@dataclass(frozen=True, slots=True)
class Target:
    """One claim and what was measured.

    Attributes:
        name: `DOMAIN: what over what`.
        ratio: Of sums over the validation tasks, as in the paper; None where it was not measured.
        interval: 95%, bootstrap over tasks; None for a share of time, which has none.
        typical: The geometric mean over tasks beside it, with its interval.
        goal: `<= 0.9`, `>= 3`.
        met: None where it was not measured.
        command: That measured it.
        missing: What is missing, where something is.
        again: Whether the values are of winners measured again side by side.
    """

    name: str
    ratio: float | None
    interval: tuple[float, float] | None
    typical: tuple[float, float, float] | None
    goal: str
    met: bool | None
    tasks: int
    seeds: int
    command: str
    missing: str = ""
    again: bool = False


Measure = Callable[[list[Part]], Ratio | float]

CLAIMS: tuple[tuple[str, float, bool, Measure], ...] = (
    (
        "50 samples without BO / full STBO",
        0.90,
        True,
        lambda p: compare_winners(p, Best(p[0].final, K), Best(p[0].full)),
    ),
    (
        "Best@50 at all tasks / at 50 tasks",
        0.72,
        True,
        lambda p: compare_winners(p, Best(p[0].final, K), Best(_few(p), K)),
    ),
    ("one sample / the best of the initial design", 0.92, True, lambda p: compare_winners(p, Best(_one(p), 1), DESIGN)),
    ("BOLT + BO / STBO at equal calls", 0.78, True, lambda p: compare_winners(p, Best("bolt+bo"), STBO)),
    ("with self-augmentation / without", 0.9, True, lambda p: _over_base(p, _augmented(p))),
    ("shuffled / aligned contexts", 3.0, False, lambda p: _over_base(p, "shuffled")),
    ("share of the model in the campaign's seconds", 0.02, True, lambda p: model_share(p)),
)
"""(name, goal, whether lower is better, how it is measured)"""


def targets(folder: Path) -> list[Target]:
    """All targets of both domains, from the result files in a folder."""
    found = []
    for domain, experiments in EXPERIMENTS.items():
        paths = {e: result_path(folder, e) for e in experiments}
        measured = {e: Measured.read(path) for e, path in paths.items() if path.exists()}
        for name, goal, lower, measure in CLAIMS:
            tried = [
                _target(f"{domain}: {name}", goal, lower, measure, measured.get(experiment), experiment)
                for experiment in experiments
            ]
            found.append(next((t for t in tried if t.met is not None), tried[-1]))
    return found


def _target(
    name: str, goal: float, lower: bool, measure: Measure, measured: Measured | None, experiment: str
) -> Target:
    told = f"{'<=' if lower else '>='} {goal:g}"
    command = f"boltbo-bench run {experiment}"
    try:
        if measured is None or not measured.parts:
            raise NotMeasured(f"there is no result file of {experiment}")
        command = "; ".join(dict.fromkeys(str(p.told["command"]) for p in measured.parts))
        value = measure(measured.parts)
    except NotMeasured as error:
        return Target(name, None, None, None, told, None, 0, 0, command, f"not measured: {error}")
    if isinstance(value, float):
        met = value <= goal if lower else value >= goal
        return Target(name, value, None, None, told, met, 0, len(measured.parts), command)
    sums, typical = value.sums, value.typical
    met = (sums.value <= goal and sums.high < 1) if lower else (sums.value >= goal and sums.low > 1)
    between = None if sums.low != sums.low else (sums.low, sums.high)
    if value.again:
        command += f"; python research/scripts/plans/winners.py {experiment} --storage FILE"
    return Target(
        name, sums.value, between, _plain(typical), told, met, value.tasks, value.seeds, command, again=value.again
    )


def _plain(interval: Interval | None) -> tuple[float, float, float] | None:
    return None if interval is None else (interval.value, interval.low, interval.high)


def _few(parts: list[Part]) -> str:
    """The model of the first 50 tasks: an arm, or one of the campaign's own."""
    own = next((str(m["label"]) for m in parts[0].models if m["tasks"] == FEW), None)
    if parts[0].last == own:
        raise NotMeasured(f"the campaign has no more than {FEW} tasks")
    return own or f"tasks={FEW}"


def _one(parts: list[Part]) -> str:
    """Where the first sample is from: the arm of `FIRST` that was run, or the campaign's own model."""
    return next((arm for arm in FIRST if any(arm in p.methods for p in parts)), parts[0].final)


def _over_base(parts: list[Part], method: str) -> Ratio:
    return compare_winners(parts, Best(method, K), Best(parts[0].base_of(method), K))


def _augmented(parts: list[Part]) -> str:
    """The model after the campaign's own rounds of self-augmentation, or an arm with as many samples as it likes.

    Not where solutions of other tasks were scored along with the model's own samples.
    """
    final = parts[0].final
    if final.endswith("+"):
        if any(_retrieves(p.told["settings"]) for p in parts):
            raise NotMeasured("the rounds of self-augmentation retrieve solutions of other tasks, too")
        return final
    return next(
        (
            arm
            for p in parts
            for arm in p.methods
            if arm.split(",samples=")[0] == "augmented" and "retrieval" not in arm
        ),
        "augmented",
    )


def _retrieves(settings: Mapping[str, Any]) -> bool:
    """Whether some round of self-augmentation has solutions of other tasks beside the model's samples."""
    share = settings.get("augment", {}).get("retrieval")
    if share is None:
        share = settings.get("model", {}).get("retrieval", 0.0)
    return any(share) if isinstance(share, list) else share > 0
