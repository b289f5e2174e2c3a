"""What each method's best plan is worth, measured again task by task: what drifts, drifts for all, and no luck counts.

    python research/scripts/plans/winners.py plans --storage plans.db --set domain.workload=FOLDER --out FILE
    python research/scripts/plans/winners.py plans --out FILE --over STBO              the table again, in pairs
    python research/scripts/plans/winners.py … --beside plans-retrieval=plans-retrieval.db   another campaign's, on the same tasks, among them

A campaign measures its methods hours apart, and of fifty noisy values the least is a lucky one. Here each method names one
plan for a task, the best by its own calls (the default where every call was stopped), and all that were named are measured
again within seconds, in random order, twice over, under a limit of three times the default. Tasks that were done are kept:
stop and repeat it at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from boltbo.campaign.results import labels
from boltbo.cli.common import opened
from boltbo.cli.config import load_config
from boltbo.problem import Observation, Task
from boltbo.settings import Settings
from boltbo.storage import Run, Stage, Storage, open_storage
from boltbo_bench.experiments.experiment import read_experiment
from boltbo_bench.experiments.measured import Best
from boltbo_bench.experiments.ratios import ratio
from boltbo_bench.measured_again import PASSES, again, arms_of, best_plan, each_task, parser

K = (1, 10, 50)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--beside", metavar="EXPERIMENT=STORAGE", help="another campaign on the same validation tasks")
    args = made.parse_args()
    if args.storage is not None:
        experiment = read_experiment(args.experiment)
        with opened(experiment.campaign, args.storage, None, [*experiment.parts[0].changes, *args.changes]) as (c, _):
            named = winners(c.storage, c.settings, c.validation)
            if args.beside:
                named |= beside(*args.beside.split("=", 1), c.validation)
            asked = {t.id: {m: own[t.id] for m, own in named.items()} for t in c.validation}
            about = {"version": experiment.version, "passes": PASSES}
            each_task(c, args, about, again, asked)
    show(json.loads(args.out.read_text()), args.over or "default")


def winners(store: Storage, settings: Settings, validation: Sequence[Task]) -> dict[str, dict[str, str]]:
    """Method -> task -> the plan that it would hand over; of methods that are done on every task."""
    stbo = _of(store, store.runs(Stage.REFERENCE))
    design = {t: [o for o in obs if o.source in ("default", "design")] for t, obs in stbo.items()}
    found = {
        "default": dict.fromkeys(stbo, "default"),
        "initial design": {t: best_plan(obs) for t, obs in design.items()},
    }
    found |= _cut("STBO", stbo, (settings.run.budget, None))
    for round_, label in labels(store.models()).items():
        found |= _cut(label, _of(store, store.runs(Stage.VALIDATE, round_)), K)
    for name, arms in arms_of(store, settings.name):
        own = _of(arms, [r for r in arms.runs(Stage.VALIDATE) if r.done])
        longest = max((len(obs) for obs in own.values()), default=0)
        found |= _cut(name, own, (*K, None) if longest > max(K) else K)
    ids = {task.id for task in validation}
    return {method: plans for method, plans in found.items() if ids <= plans.keys()}


def beside(name: str, storage: str, validation: Sequence[Task]) -> dict[str, dict[str, str]]:
    """The other campaign's methods, each with the experiment's name before its own."""
    experiment = read_experiment(name)
    settings = load_config(experiment.campaign, list(experiment.parts[0].changes)).settings
    store = open_storage(storage)
    store.campaign_id = store.find(settings.name)["id"]
    theirs = {r.task.id: r.task.data["sql"] for r in store.runs(Stage.REFERENCE)}
    if odd := [t.id for t in validation if theirs.get(t.id) != t.data["sql"]]:
        raise SystemExit(f"{storage} has other validation tasks: {', '.join(odd[:5])}")
    found = winners(store, settings, validation)
    return {
        f"{name}: {method}": plans for method, plans in found.items() if method not in ("default", "initial design")
    }


def _of(store: Storage, runs: Sequence[Run]) -> dict[str, Sequence[Observation]]:
    return {x.task.id: x.observations for x in store.trajectories(runs)}


def _cut(
    name: str, runs: Mapping[str, Sequence[Observation]], calls: Sequence[int | None]
) -> dict[str, dict[str, str]]:
    return {str(Best(name, k)): {t: best_plan(obs[:k]) for t, obs in runs.items()} for k in calls}


def show(told: dict[str, Any], over: str) -> None:
    """As Markdown: each method's plans over another's."""
    tasks = list(told["tasks"].values())
    print(f"| method | over {over}: sum | typical |\n| --- | --- | --- |")
    for name in tasks[0]:
        found = ratio(np.array([[t[name] for t in tasks]]), np.array([[t[over] for t in tasks]]))
        cells = [f"{x.value:.2f} ({x.low:.2f} to {x.high:.2f})" for x in (found.sums, found.typical) if x]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
