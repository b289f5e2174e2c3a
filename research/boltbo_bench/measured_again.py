"""Plans measured again side by side: what a machine's drift would part is measured within seconds of each other."""

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
from boltbo.domains.plans.domain import PlansDomain
from boltbo.engines import make_engine
from boltbo.problem import Observation, Status, Task
from boltbo.storage import Storage, open_storage
from boltbo.system.files import write_whole
from boltbo_bench.experiments.arm_storage import arm_prefix, arms_url
from boltbo_bench.experiments.result_file import told_command
from boltbo_bench.recorded import commit, cpu

LIMIT, PASSES = 3.0, 2
"""Multiples of the default after which an execution is stopped; measurements of each plan"""


def parser(about: str | None) -> argparse.ArgumentParser:
    """The options of a script that measures a campaign's plans again, or shows what it measured."""
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


def best_plan(observations: Sequence[Observation]) -> str:
    """The complete candidate of the lowest value; the default where there is none."""
    measured = [o for o in observations if o.status is Status.COMPLETE and o.value is not None]
    return min(measured, key=lambda o: o.value or 0.0).candidate if measured else "default"


def again(domain: PlansDomain, task: Task, named: dict[str, str], passes: int = PASSES) -> dict[str, float]:
    """Method -> the mean of so many measurements of its plan."""
    usual = domain.grammar(task).canonical("default")
    plans = {method: usual if plan == "default" else plan for method, plan in named.items()}
    distinct, rng = sorted(set(plans.values())), np.random.default_rng(0)
    limit = LIMIT * domain.measured(task, usual).value
    values: dict[str, list[float]] = {plan: [] for plan in distinct}
    for _ in range(passes):
        for plan in rng.permutation(distinct).tolist():
            found = domain.measured(task, plan, limit)
            values[plan].append(limit if found.censored else found.value)
    return {method: statistics.mean(values[plan]) for method, plan in plans.items()}
