"""Two spaces for query plans at equal budgets: the join trees' own box, and the latent space of a VAE of plan strings.

    python research/scripts/plan_spaces.py --workload FOLDER --storage plan_spaces.db --out plan_spaces.json

For each query and arm one run of `--calls` oracle calls, all from the same initial design (the default plan and Bao's hint
sets that lead to other plans): trust-region BO and random search in either space, and local search in the trees' box. The
VAE is trained once, on random plans of the queries' joins, before any query is executed. Stop and repeat it at any time: what
was executed is in the storage, and what is missing is done.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from boltbo.campaign.run import solve
from boltbo.domains.build import Built
from boltbo.domains.plans.build import build
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.server.measure import Objective
from boltbo.problem import Task, Trajectory
from boltbo.proposers import seed_of
from boltbo.storage import Run, Stage, Storage, open_storage
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars

ARMS = {
    "trees, turbo": ("tree", "turbo"),
    "trees, local": ("tree", "local"),
    "trees, random": ("tree", "random"),
    "strings, turbo": ("strings", "turbo"),
    "strings, random": ("strings", "random"),
}
REFERENCE = "trees, turbo"
DRAWS = 10_000
"""Resamples of the queries for an interval"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", required=True, help="a folder of .sql files")
    parser.add_argument("--storage", default="plan_spaces.db")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    parser.add_argument("--database", default="embedded")
    parser.add_argument("--scale", type=float, default=0.3, help="of the embedded database")
    parser.add_argument("--dialect", default="sql")
    parser.add_argument("--objective", default="latency", choices=get_args(Objective))
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--design", type=int, default=10, help="of the calls")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    options = {
        "workload": args.workload, "database": args.database, "scale": args.scale, "train": args.queries, "validation": 0,
        "queries": 4 * args.queries, "dialect": args.dialect, "objective": args.objective, "space": "strings",
    }  # fmt: skip
    caches = Path(args.storage).with_suffix(".caches")
    with build(options, args.seed, caches, Bars()) as problem:
        search(args, problem)
    vae = json.loads((caches / "vae" / "plans.json").read_text())["report"]
    show(args, vae)


def search(args: argparse.Namespace, problem: Built) -> None:
    """Every run that is not done yet, query after query, so that the machine's drift meets all arms."""
    assert isinstance(problem.domain, PlansDomain)
    strings, tree = problem.domain, copy.copy(problem.domain)
    tree.vae, tree.chosen_space = None, "tree"
    domains = {"tree": tree, "strings": strings}
    with Bars().track("runs", len(problem.tasks) * len(ARMS)) as update:
        for i, task in enumerate(problem.tasks):
            rng = np.random.default_rng(seed_of(args.seed, "design", task.id))
            design = strings.initial_design(task, args.design, rng)
            for j, (arm, (space, optimizer)) in enumerate(ARMS.items()):
                one_run(args, domains[space], arm, optimizer, i, task, design)
                update(i * len(ARMS) + j + 1, len(problem.tasks) * len(ARMS))


def one_run(
    args: argparse.Namespace, domain: PlansDomain, arm: str, optimizer: str, i: int, task: Task, design: Sequence[str]
) -> None:
    with open_storage(args.storage) as store:
        attach(store, args, arm)
        known = {r.task.id: r for r in store.runs()}
        if task.id not in known:
            initial = tuple((c, "default" if c == "default" else "design") for c in design)
            seed = seed_of(args.seed, "run", task.id)  # not of the arm: the same random numbers for all
            store.add_runs([Run(Stage.SINGLE, i, task, initial, args.calls, 1, optimizer, {}, seed)])
            known = {r.task.id: r for r in store.runs()}
        run = known[task.id]
        if run.done:
            return
        fresh, began = not store.observations(run.id), time.perf_counter()
        solve(domain, store, run.id)
        if fresh:  # of a run that was cut short, nobody knows how long it took
            timings = store.run(run.id).timings
            store.finish(run.id, {**timings, "all": time.perf_counter() - began})


def attach(store: Storage, args: argparse.Namespace, arm: str) -> None:
    settings = {k: getattr(args, k) for k in ("workload", "dialect", "objective", "calls", "design", "seed")}
    store.attach(arm, "plans", settings, "")


# -- report -------------------------------------------------------------------------------------------------------------


def show(args: argparse.Namespace, vae: dict[str, float]) -> None:
    finished: dict[str, dict[str, tuple[Run, Trajectory]]] = {}
    for arm in ARMS:
        with open_storage(args.storage) as store:
            attach(store, args, arm)
            runs = [r for r in store.runs() if r.done]
            trajectories = store.trajectories(runs)
            finished[arm] = {r.task.id: (r, t) for r, t in zip(runs, trajectories, strict=True)}
    tasks = sorted(set.intersection(*(set(runs) for runs in finished.values())))
    if not tasks:
        raise SystemExit("no query is finished in all arms")
    # all arms began with the same plans: the default's value is the median of what they saw
    default = np.array([np.median([value_of_default(finished[arm][task][1]) for arm in ARMS]) for task in tasks])
    best = {arm: np.array([finished[arm][task][1].best_values()[-1] for task in tasks]) for arm in ARMS}
    trajectories = [finished[REFERENCE][task][1] for task in tasks]
    best["design alone"] = np.array([t.best_values()[args.design - 1] for t in trajectories])

    lots = np.random.default_rng(args.seed).integers(len(tasks), size=(DRAWS, len(tasks)))
    rows = {arm: row(values, default, best[REFERENCE], lots) for arm, values in best.items()}
    for arm in ARMS:
        rows[arm] |= costs([finished[arm][task] for task in tasks], args.design)
    print(f"{len(tasks)} queries, {args.calls} calls each, {args.design} of them the design; seed {args.seed}")
    print(
        f"{'':<16} {'sum / default':>22} {'geometric mean':>22} {'to ' + REFERENCE:>22} {'censored':>9} {'s a step':>9}"
    )
    for arm, found in rows.items():
        intervals = [
            f"{m:.3f} [{low:.3f}, {high:.3f}]" for m, low, high in (found["sum"], found["mean"], found["ratio"])
        ]
        ends = [f"{found[k]:9.3f}" if k in found else " " * 9 for k in ("censored", "seconds_a_step")]
        print(f"{arm:<16} " + " ".join(f"{text:>22}" for text in intervals) + " " + " ".join(ends))
    print(
        f"VAE: trained {vae['seconds']:.0f} s on {vae['sequences']:.0f} random plans; held-out plans reconstructed "
        f"{vae['exact']:.1%} exactly, {vae['per_symbol']:.1%} of symbols; {vae['well_formed']:.1%} of random points are "
        "trees without a repair"
    )
    if args.out:
        curves = {arm: [finished[arm][t][1].best_values() for t in tasks] for arm in ARMS}
        record = {
            "queries": tasks, "settings": {k: str(v) for k, v in vars(args).items()}, "arms": rows, "vae": vae,
            "default": default.tolist(), "best": {arm: values.tolist() for arm, values in best.items()},
            "curves": curves, "machine": platform.processor() or platform.machine(),
        }  # fmt: skip
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(args.out, json.dumps(record, indent=1).replace("Infinity", "null"))


def value_of_default(trajectory: Trajectory) -> float:
    return next(o.value for o in trajectory.observations if o.candidate == "default" or o.asked == "default")


def row(values: np.ndarray, default: np.ndarray, reference: np.ndarray, lots: np.ndarray) -> dict[str, Any]:
    """Estimates with 95% bootstrap intervals over the queries."""

    def interval(statistic: Any) -> list[float]:
        draws = statistic(lots)
        everyone = float(statistic(np.arange(len(values))[None])[0])
        return [everyone, *np.quantile(draws, [0.025, 0.975]).tolist()]

    logs, against = np.log(values / default), np.log(values / reference)
    return {
        "sum": interval(lambda i: values[i].sum(1) / default[i].sum(1)),
        "mean": interval(lambda i: np.exp(logs[i].mean(1))),
        "ratio": interval(lambda i: np.exp(against[i].mean(1))),
    }


def costs(runs: Sequence[tuple[Run, Trajectory]], design: int) -> dict[str, float]:
    """Share of stopped executions, and seconds beyond the oracle's own, of the calls after the design."""
    later = [o for _, t in runs for o in t.observations[design:]]
    found = {"censored": float(np.mean([o.status.value == "censored" for o in later])) if later else 0.0}
    timed = [
        (r.timings["all"] - r.timings["oracle"], len(t.observations) - design) for r, t in runs if "all" in r.timings
    ]
    if timed:
        found["seconds_a_step"] = sum(s for s, _ in timed) / max(1, sum(n for _, n in timed))
    return found


if __name__ == "__main__":
    main()
