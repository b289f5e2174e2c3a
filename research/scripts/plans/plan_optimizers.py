"""Single-task optimizers on query plans at equal calls, their winners measured again side by side.

    python research/scripts/plans/plan_optimizers.py plans-moves --storage plans-moves.db --set domain.workload=FOLDER --out FILE
    python research/scripts/plans/plan_optimizers.py plans-moves --out FILE --over evolution     the table again, in pairs

Training tasks of a campaign's round are searched once more: each arm is told the first candidates of the stored run with their
values (in the first round the default plan and Bao's hint sets, later what the model proposed) and goes on by itself. In the
end the plans that the arms name as best are measured again within seconds, in random order, three times: of many noisy values
the least is a lucky one. Tasks that were done are kept: stop and repeat it at any time.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from boltbo.campaign.oracle import best_value, call_oracle
from boltbo.cli.common import opened
from boltbo.domains.plans.domain import PlansDomain
from boltbo.optimizers import make_optimizer
from boltbo.problem import Observation, Task
from boltbo.proposers import seed_of
from boltbo.storage import Stage
from boltbo_bench.experiments.experiment import read_experiment
from boltbo_bench.experiments.ratios import ratio
from boltbo_bench.measured_again import again, best_plan, each_task, parser

ARMS = ("screened", "edits", "evolution")
BATCH, PASSES = 5, 3


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--round", type=int, default=0, help="whose tasks are searched, from 0 on")
    made.add_argument("--tasks", type=int, default=30)
    made.add_argument("--calls", type=int, default=100, help="of a search, its first candidates included")
    args = made.parse_args()
    if args.storage is not None:
        experiment = read_experiment(args.experiment)
        with opened(experiment.campaign, args.storage, None, [*experiment.parts[0].changes, *args.changes]) as (c, _):
            runs = [r for r in c.storage.runs(Stage.TRAIN, args.round) if r.done][: args.tasks]
            told = {x.task.id: x.observations for x in c.storage.trajectories(runs)}
            asked = {r.task.id: (told[r.task.id][: len(r.initial)], args.calls, c.settings.seed) for r in runs}
            about = {"round": args.round, "calls": args.calls, "passes": PASSES}
            each_task(c, args, about, searched, asked, [r.task for r in runs])
    show(json.loads(args.out.read_text()), args.over or "screened")


def searched(domain: PlansDomain, task: Task, asked: tuple[Sequence[Observation], int, int]) -> dict[str, Any]:
    """Of each arm: its best value after so many calls, the optimizer's own seconds, and its winner's value measured again."""
    initial, calls, seed = asked
    found: dict[str, Any] = {"start": {"again": best_plan(initial)}}
    for arm in ARMS:
        observations, seconds = one_search(domain, task, arm, initial, calls, seed_of(seed, "optimizers", task.id))
        marks = [k for k in (50, 100, 200, calls) if len(initial) < k <= calls]
        found[arm] = {
            "way": {str(k): best_value(observations[:k]) for k in marks},
            "ms a call": 1e3 * seconds / max(1, len(observations) - len(initial)),
            "again": best_plan(observations),
        }
    values = again(domain, task, {arm: own["again"] for arm, own in found.items()}, PASSES)
    return {arm: {**own, "again": values[arm]} for arm, own in found.items()}


def one_search(
    domain: PlansDomain, task: Task, name: str, initial: Sequence[Observation], calls: int, seed: int
) -> tuple[list[Observation], float]:
    """All observations, and the CPU seconds of the optimizer alone."""
    observations, seconds = list(initial), 0.0
    with threadpool_limits(1):
        optimizer = make_optimizer(name, domain.space(task), seed=seed)
        new = list(initial)
        while len(observations) < calls:
            began = time.process_time()
            optimizer.tell(new)
            candidates = optimizer.ask(min(BATCH, calls - len(observations)))
            seconds += time.process_time() - began
            new = []
            for candidate in candidates:
                new.append(call_oracle(domain, task, candidate, "bo", best_value(observations)))
                observations.append(new[-1])
            if not new:
                break
    return observations, seconds


def show(told: dict[str, Any], over: str) -> None:
    """As Markdown: each arm's winner over another's, measured again; beside it what the searches themselves saw."""
    tasks, last = list(told["tasks"].values()), str(told["calls"])
    print(f"| optimizer | over {over}, winners again: sum | typical | along the way, typical | CPU ms a call |")
    print("| --- | --- | --- | --- | --- |")
    for arm in ("start", *ARMS):
        found = ratio(np.array([[t[arm]["again"] for t in tasks]]), np.array([[t[over]["again"] for t in tasks]]))
        cells = [f"{x.value:.2f} ({x.low:.2f} to {x.high:.2f})" for x in (found.sums, found.typical) if x]
        if "start" in (arm, over):
            cells += ["", ""]
        else:
            pairs = [(t[arm]["way"][last], t[over]["way"][last]) for t in tasks]
            way = statistics.geometric_mean([own / other for own, other in pairs if own and other])
            cells += [f"{way:.2f}", f"{statistics.mean(t[arm]['ms a call'] for t in tasks):.1f}"]
        print(f"| {arm} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
