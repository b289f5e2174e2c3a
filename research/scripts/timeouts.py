"""How long a plan may run: multiples of the best so far, or the model's own limit (BayesQO's rule).

    python research/scripts/timeouts.py                                                replay of tests/data, four minutes
    python research/scripts/timeouts.py --database postgresql://… --workload FOLDER    live

One run of `turbo` for each query, seed and arm, from the same design. Compared at equal calls, and at equal execution seconds:
those that the cheapest arm spent on this query and seed. Replay: plans are the recorded ones, a point stands for the nearest;
their seconds are the recorded values, cut where an arm stops them. Live: the oracle's seconds, repeats and planning included.
Stop and repeat it at any time: what was executed is in the storage.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.campaign.run import solve
from boltbo.domain import SearchSpace
from boltbo.domains.plans.build import build
from boltbo.domains.plans.domain import PlansDomain
from boltbo.errors import InvalidCandidate
from boltbo.problem import Evaluation, FloatArray, Observation, Status, Task
from boltbo.proposers import seed_of
from boltbo.storage import Run, Stage, open_storage
from boltbo.system.progress import Bars

RECORDED = Path(__file__).parents[1] / "tests" / "data" / "plan_landscapes.npz"
ARMS: dict[str, dict[str, Any]] = {
    "1.1": {"timeout_factor": 1.1},
    "1.5": {"timeout_factor": 1.5},
    "3": {"timeout_factor": 3.0},
    "model": {"timeout": "model"},
}
REFERENCE = "1.5"
DRAWS = 10_000
"""Resamples of the queries for an interval"""


class Pool:
    """The recorded plans of one query as a search space; a candidate is a plan's number."""

    def __init__(self, X: FloatArray) -> None:
        self.X, self.dim = X, X.shape[1]

    def encode(self, candidate: str) -> FloatArray:
        if not candidate.isdigit() or int(candidate) >= len(self.X):
            raise InvalidCandidate(f"{candidate!r} is not the number of a plan")
        return np.asarray(self.X[int(candidate)])

    def decode(self, points: FloatArray) -> list[str]:
        distances = ((self.X * self.X).sum(axis=1) - 2.0 * points @ self.X.T).argmin(axis=1)
        return [str(i) for i in distances]


class Replay(PlansDomain):
    """Recorded executions under the domain's own rule of when to stop."""

    def __init__(self) -> None:
        super().__init__("postgresql://nowhere", objective="cpu")
        with np.load(RECORDED) as recorded:
            self.about: dict[str, dict[str, float]] = json.loads(str(recorded["about"]))
            self.pools = {q: Pool(recorded[f"{q}/X"].astype(float)) for q in self.about}
            self.values = {q: recorded[f"{q}/values"].astype(float) for q in self.about}

    def tasks(self) -> list[Task]:
        return [Task(q, q, {"default_value": about["default"]}) for q, about in self.about.items()]

    def space(self, task: Task) -> SearchSpace:
        return self.pools[task.id]

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        return [str(i) for i in range(n)]  # the recorded design comes first

    def _evaluate(self, task: Task, candidate: str, best: float | None, limit: float | None) -> Evaluation:
        value, stop = float(self.values[task.id][int(candidate)]), self._limit(task, best, limit)
        return Evaluation(min(value, stop), Status.CENSORED if value > stop else Status.COMPLETE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="live: postgresql://…, or embedded")
    parser.add_argument("--workload", help="live: a folder of .sql files")
    parser.add_argument("--scale", type=float, default=0.3, help="live, embedded: size of the generated data")
    parser.add_argument("--objective", default="latency", choices=("latency", "cpu"), help="live")
    parser.add_argument("--queries", type=int, default=30, help="live")
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--design", type=int, default=10, help="of the calls")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--storage", default="timeouts.db")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    args = parser.parse_args()
    if args.database is None:
        replay = Replay()
        search(args, replay, replay.tasks())
        return
    options = {
        "workload": args.workload, "database": args.database, "scale": args.scale, "train": args.queries, "validation": 0,
        "queries": 4 * args.queries, "objective": args.objective,
    }  # fmt: skip
    with build(options, 0, Path(args.storage).with_suffix(".caches"), Bars()) as problem:
        assert isinstance(problem.domain, PlansDomain)
        search(args, problem.domain, problem.tasks)


def search(args: argparse.Namespace, domain: PlansDomain, tasks: list[Task]) -> None:
    """Every run that is not done yet, query after query, so that the machine's drift meets all arms; then the report."""
    cells: list[dict[str, tuple[Observation, ...]]] = []
    with Bars().track("runs", len(tasks) * args.seeds) as update:
        for task in tasks:
            for seed in range(args.seeds):
                rng = np.random.default_rng(seed_of(seed, "design", task.id))
                design = domain.initial_design(task, args.design, rng)
                cells.append({arm: one_run(args, domain, arm, task, design, seed) for arm in ARMS})
                update(len(cells), len(tasks) * args.seeds)
    show(args, [t.id for t in tasks], cells)


def one_run(
    args: argparse.Namespace, domain: PlansDomain, arm: str, task: Task, design: list[str], seed: int
) -> tuple[Observation, ...]:
    domain = copy.copy(domain)
    for name, value in ARMS[arm].items():
        setattr(domain, name, value)
    settings = {k: getattr(args, k) for k in ("database", "workload", "objective", "calls", "design")}
    with open_storage(args.storage) as store:
        store.attach(f"{arm} {seed}", "plans", settings, "")
        if task.id not in {r.task.id for r in store.runs()}:
            initial = tuple((c, "design") for c in design)
            options, run_seed = {"initial": args.design}, seed_of(seed, "run", task.id)  # the same for all arms
            store.add_runs([Run(Stage.SINGLE, 0, task, initial, args.calls, 1, "turbo", options, run_seed)])
        [run] = [r for r in store.runs() if r.task.id == task.id]
        return solve(domain, store, run.id).observations


# --- report -----------------------------------------------------------------------------------------------------------


def show(args: argparse.Namespace, tasks: list[str], cells: list[dict[str, tuple[Observation, ...]]]) -> None:
    """A table: what each arm found and spent, as geometric means of ratios to the arm `REFERENCE`, with 95% intervals."""
    found: dict[str, dict[str, list[float]]] = {
        arm: {"calls": [], "seconds": [], "spent": [], "cut": []} for arm in ARMS
    }
    for cell in cells:
        spent = {arm: np.cumsum([cost(o, args.database is not None) for o in run]) for arm, run in cell.items()}
        least = min(float(s[-1]) for s in spent.values())
        for arm, run in cell.items():
            within = [o for o, s in zip(run, spent[arm], strict=True) if s <= least * (1 + 1e-9)]
            found[arm]["calls"].append(best(run))
            found[arm]["seconds"].append(best(within))
            found[arm]["spent"].append(float(spent[arm][-1]))
            found[arm]["cut"].append(float(np.mean([o.status is Status.CENSORED for o in run[args.design :]])))
    lots = np.random.default_rng(0).integers(len(tasks), size=(DRAWS, len(tasks)))
    rows = {}
    for arm in ARMS:
        rows[arm] = {
            key: ratio(found[arm][key], found[REFERENCE][key], len(tasks), lots)
            for key in ("calls", "seconds", "spent")
        }
    print(f"{len(tasks)} queries, {args.seeds} seeds, {args.calls} calls, {args.design} of them the design")
    print(f"{'timeout':<8} {'best, equal calls':>22} {'best, equal seconds':>22} {'seconds spent':>22} {'cut':>5}")
    for arm, row in rows.items():
        texts = [f"{m:.3f} [{low:.3f}, {high:.3f}]" for m, low, high in row.values()]
        print(f"{arm:<8} " + " ".join(f"{text:>22}" for text in texts) + f" {np.mean(found[arm]['cut']):5.2f}")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        kept = ("calls", "design", "seeds", *(("objective", "scale") if args.database else ()))
        settings = {k: getattr(args, k) for k in kept}
        args.out.write_text(
            json.dumps({"settings": settings, "queries": tasks, "arms": rows, "found": found}, indent=1)
        )


def cost(o: Observation, live: bool) -> float:
    return o.seconds if live else o.value


def best(observations: tuple[Observation, ...] | list[Observation]) -> float:
    """The best complete value; where there is none, the least bound."""
    values = [o.value for o in observations if o.complete] or [o.value for o in observations]
    return float(np.nanmin(values))


def ratio(values: list[float], reference: list[float], queries: int, lots: np.ndarray) -> list[float]:
    logs = np.log(np.array(values) / reference).reshape(queries, -1).mean(axis=1)
    draws = np.exp(logs[lots].mean(axis=1))
    return [float(np.exp(logs.mean())), *np.quantile(draws, [0.025, 0.975]).tolist()]


if __name__ == "__main__":
    main()
