"""The first samples of a campaign's models and arms, measured again task by task: what drifts, drifts for all.

    python research/scripts/plans/side_by_side.py plans-backends --storage ceb-100.db --set domain.workload=FOLDER --out FILE
    python research/scripts/plans/side_by_side.py plans-backends --out FILE --over BOLT-100          the table again, in pairs

A machine is not as fast today as it was yesterday, nor beside other work as alone: of the same plans, measured by the arms of a
campaign hours apart, some took half as much again. Here all that the methods would try first for a task is measured within a
minute, in random order, each distinct candidate once, under a limit of three times the default (measured five times among
them). Tasks that were done are kept: stop and repeat it at any time.
"""

from __future__ import annotations

import json
import statistics
from typing import Any

import numpy as np

from boltbo.campaign.campaign import Campaign
from boltbo.campaign.results import labels
from boltbo.cli.common import opened
from boltbo.domains.plans.domain import PlansDomain
from boltbo.problem import Task
from boltbo.storage import Stage, Storage
from boltbo_bench.experiments.experiment import read_experiment
from boltbo_bench.experiments.ratios import ratio
from boltbo_bench.measured_again import LIMIT, arms_of, each_task, parser

K = (1, 5, 10)
DEFAULTS = 5
Candidates = dict[str, dict[str, list[str]]]
"""Method -> task -> the candidates that it tries first, in order"""


def main() -> None:
    args = parser(__doc__).parse_args()
    if args.storage is None:
        show(json.loads(args.out.read_text()), args.over)
        return
    experiment = read_experiment(args.experiment)
    changes = [*experiment.parts[0].changes, *args.changes]
    with opened(experiment.campaign, args.storage, None, changes) as (campaign, _):
        methods = first_candidates(campaign)
        if not methods:
            raise SystemExit(f"{args.storage} has no method with candidates for all {len(campaign.validation)} tasks")
        asked = {
            t.id: {m: own[t.id][: max(K)] for m, own in methods.items() if t.id in own} for t in campaign.validation
        }
        told = each_task(campaign, args, {"k": list(K)}, measured, asked)
    show(told, args.over)


def first_candidates(campaign: Campaign) -> Candidates:
    """Of STBO, of every round's model and of every arm that has samples for all tasks."""
    found: Candidates = {"STBO": _first(campaign.storage, Stage.REFERENCE)}
    learnt = labels(campaign.storage.models())
    for model in campaign.storage.models():
        found[learnt[model.round]] = _first(campaign.storage, Stage.VALIDATE, model.round)
    for name, arms in arms_of(campaign.storage, campaign.settings.name):
        found[name] = _first(arms, Stage.VALIDATE)
    ids = {task.id for task in campaign.validation}
    return {name: by_task for name, by_task in found.items() if ids <= by_task.keys()}


def _first(store: Storage, stage: Stage, t: int | None = None) -> dict[str, list[str]]:
    return {run.task.id: [candidate for candidate, _ in run.initial] for run in store.runs(stage, t)}


def measured(domain: PlansDomain, task: Task, asked: dict[str, list[str]]) -> dict[str, Any]:
    """The default's value, and of each method the best of its first k."""
    default = domain.grammar(task).canonical("default")
    usual = [domain.measured(task, default).value for _ in range(2)]
    limit = LIMIT * statistics.median(usual)
    distinct = sorted({c for own in asked.values() for c in own} - {default})
    order = np.random.default_rng(0).permutation([*distinct, *[default] * (DEFAULTS - len(usual))]).tolist()
    values: dict[str, float] = {}
    for candidate in order:
        found = domain.measured(task, candidate, limit)
        value = limit if found.censored else found.value
        if candidate == default:
            usual.append(value)
        else:
            values[candidate] = value
    values[default] = statistics.median(usual)
    best = {
        name: [min(values[c] for c in own[:k]) if own else values[default] for k in K] for name, own in asked.items()
    }
    return {"default": values[default], "distinct": len(distinct), "best": best}


def show(told: dict[str, Any], over: str | None) -> None:
    """As Markdown: the best of the first k over the default, or over another method's."""
    tasks = list(told["tasks"].values())
    print("| method | " + " | ".join(f"Best@{k}: sum | typical" for k in told["k"]) + " |")
    print("| --- |" + " --- | --- |" * len(told["k"]))
    for name in tasks[0]["best"]:
        cells = []
        for at in range(len(told["k"])):
            other = np.array([[t["best"][over][at] if over else t["default"] for t in tasks]])
            found = ratio(np.array([[t["best"][name][at] for t in tasks]]), other)
            cells += [f"{x.value:.2f} ({x.low:.2f} to {x.high:.2f})" for x in (found.sums, found.typical) if x]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
