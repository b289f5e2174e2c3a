"""The first samples of a campaign's models and arms, measured again task by task: what drifts, drifts for all.

    python research/scripts/plans/side_by_side.py plans-backends --storage ceb-100.db --set domain.workload=FOLDER --out FILE
    python research/scripts/plans/side_by_side.py plans-backends --out FILE --over BOLT-100          the table again, in pairs

A machine is not as fast today as it was yesterday, nor beside other work as alone: of the same plans, measured by the arms of a
campaign hours apart, some took half as much again. Here all that the methods would try first for a task is measured within a
minute, in random order, each distinct candidate once, under a limit of three times the default (measured five times among
them). Tasks that were done are kept: stop and repeat it at any time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.campaign.campaign import Campaign
from boltbo.campaign.results import labels
from boltbo.cli.common import opened
from boltbo.domains.plans.domain import PlansDomain
from boltbo.engines import make_engine
from boltbo.problem import Task
from boltbo.storage import Stage, Storage, open_storage
from boltbo.system.files import write_whole
from boltbo_bench.experiments.arm_storage import arm_prefix, arms_url
from boltbo_bench.experiments.experiment import read_experiment
from boltbo_bench.experiments.ratios import ratio
from boltbo_bench.experiments.result_file import told_command
from boltbo_bench.recorded import commit, cpu

K = (1, 5, 10)
LIMIT, DEFAULTS = 3.0, 5
Candidates = dict[str, dict[str, list[str]]]
"""Method -> task -> the candidates that it tries first, in order"""


def main() -> None:
    args = arguments(__doc__)
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


def arguments(about: str | None) -> argparse.Namespace:
    """Of a script that measures a campaign's plans again, or shows what it measured."""
    return parser(about).parse_args()


def parser(about: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("experiment")
    made.add_argument("--storage", help="the campaign's; without it nothing is measured")
    made.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    made.add_argument("--out", type=Path, required=True)
    made.add_argument("--over", help="a method that the others are compared with, in place of the default")
    made.add_argument("--workers", type=int, default=1, help="tasks at a time; more than 1 only by calibrated seconds")
    return made


def each_task(
    campaign: Campaign,
    args: argparse.Namespace,
    about: dict[str, Any],
    job: Callable[[PlansDomain, Task, Any], Any],
    asked: Mapping[str, Any],
    tasks: Sequence[Task] | None = None,
) -> dict[str, Any]:
    """`job` of each task (default: for validation) and what is asked of it, kept as soon as it is done; none is done twice."""
    assert isinstance(campaign.domain, PlansDomain)
    command = f"python research/scripts/plans/{Path(sys.argv[0]).name} {told_command(sys.argv[1:])}"
    told: dict[str, Any] = {
        "command": command, "commit": commit(), "machine": cpu(), "seed": campaign.settings.seed, **about, "tasks": {},
    }  # fmt: skip
    if args.out.exists():
        told = json.loads(args.out.read_text())
    tasks = campaign.validation if tasks is None else tasks
    items = [(t, asked[t.id]) for t in tasks if t.id not in told["tasks"]]
    for done in make_engine(workers=args.workers).map(partial(_one, campaign.domain, job), items, lambda: None):
        told["tasks"] |= done
        write_whole(args.out, json.dumps(told, indent=1) + "\n")
        print(f"{len(told['tasks'])} of {len(tasks)}: {', '.join(done)}", flush=True)
    return told


def _one(domain: PlansDomain, job: Callable[[PlansDomain, Task, Any], Any], item: tuple[Task, Any]) -> dict[str, Any]:
    return {item[0].id: job(domain, *item)}


def arms_of(store: Storage, campaign: str) -> Iterator[tuple[str, Storage]]:
    """Name and storage of every arm that was begun on the campaign of this name."""
    arms, prefix = open_storage(arms_url(store.url)), arm_prefix(campaign)
    for name in arms.names():
        if name.startswith(prefix):
            arms.campaign_id = arms.find(name)["id"]
            yield name.removeprefix(prefix), arms


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
