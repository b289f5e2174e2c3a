"""Record what many plans of a few queries really take: data for tests that need a real landscape and no database.

    python research/scripts/record_landscapes.py --database postgresql://… --workload FOLDER --out tests/data/plan_landscapes.npz

Of each template (subfolder) one query whose default plan takes a few milliseconds; of each query the server's own plans,
uniform points of the plan space, and candidates of a local search: what a run meets. Each plan is executed once, one at a
time, and stopped only at `--cap` times the default. Values are CPU seconds of the server. What the file holds is kept.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from boltbo.domains.plans.build import new_task
from boltbo.domains.plans.domain import PlansDomain
from boltbo.optimizers import make_optimizer
from boltbo.optimizers.history import History
from boltbo.problem import Evaluation, Observation, Status, Task

DESIGN, BATCH, LEAST = 12, 10, 90
TRIED = 8
"""Queries of a template that are looked at"""


def choose(domain: PlansDomain, folder: Path, least: float, most: float, rng: np.random.Generator) -> Task | None:
    """A query of one template whose default plan takes between `least` and `most` seconds."""
    files = sorted(folder.glob("*.sql"))
    for i in rng.permutation(len(files))[:TRIED]:
        try:
            new_task(domain, files[i])  # the first execution warms the cache
            task = new_task(domain, files[i])
        except Exception as error:
            print(f"{files[i].name}: {error}", flush=True)
            continue
        if least <= float(task.data["default_value"]) <= most:
            return task
    return None


def record(domain: PlansDomain, task: Task, plans: int, seconds: float, seed: int) -> list[Observation]:
    """Up to `plans` different plans: the design, then uniform points and a local search in turn, for so many seconds."""
    rng = np.random.default_rng(seed)
    space = domain.space(task)
    local = make_optimizer("local", space, seed=seed)
    found: dict[str, Observation] = {}
    begin = time.monotonic()

    def score(candidates: list[str], source: str) -> None:
        new = [c for c in dict.fromkeys(candidates) if c not in found]
        for candidate in new[: plans - len(found)]:
            start = time.perf_counter()
            answer: Evaluation = domain.evaluate(task, candidate, None)
            seconds = time.perf_counter() - start
            found[candidate] = Observation(candidate, answer.value, answer.status, seconds, source)
        local.tell([found[c] for c in new if c in found])

    score(domain.initial_design(task, DESIGN, rng), "design")
    while len(found) < plans and time.monotonic() - begin < seconds:
        score(local.ask(BATCH), "local")
        score(space.decode(rng.random((BATCH, space.dim))), "random")
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument(
        "--workload", type=Path, required=True, help="a folder with one subfolder of .sql files a template"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--templates", nargs="*", help="only these subfolders")
    parser.add_argument("--plans", type=int, default=260, help="of each query")
    parser.add_argument("--seconds", type=float, default=36.0, help="of each query, at most")
    parser.add_argument(
        "--default", type=float, nargs=2, default=(0.002, 0.02), help="least and most seconds of a default plan"
    )
    parser.add_argument(
        "--cap", type=float, default=20.0, help="stop an execution at this multiple of the default plan"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    domain = PlansDomain(args.database, dialect="sql", objective="cpu", first_timeout=args.cap, repeats=1, space="tree")
    arrays: dict[str, np.ndarray] = {}
    about: dict[str, dict[str, float]] = {}
    if args.out.exists():
        with np.load(args.out) as kept:
            arrays = {name: kept[name] for name in kept.files if name != "about"}
            about = json.loads(str(kept["about"]))
    rng = np.random.default_rng(args.seed)
    for folder in sorted(f for f in args.workload.iterdir() if f.is_dir()):
        if args.templates and folder.name not in args.templates:
            continue
        task = choose(domain, folder, *args.default, rng)
        if task is None:
            print(f"{folder.name}: no query in range", flush=True)
            continue
        history = History(domain.space(task))
        observations = record(domain, task, args.plans, args.seconds, args.seed)
        if len(observations) < LEAST:
            print(f"{task.id}: only {len(observations)} plans in {args.seconds} s", flush=True)
            continue
        history.extend(observations)
        # coordinates are centres of a few equal parts: half precision is more than enough to tell them apart
        arrays[f"{task.id}/X"] = history.X.astype(np.float16)
        arrays[f"{task.id}/values"] = history.values.astype(np.float32)
        arrays[f"{task.id}/censored"] = history.having(Status.CENSORED)
        about[task.id] = {"default": round(float(task.data["default_value"]), 6), "dim": int(history.X.shape[1])}
        ratio = history.values / about[task.id]["default"]
        quantiles = np.round(np.quantile(ratio, [0, 0.1, 0.25, 0.5, 0.75, 0.9]), 2).tolist()
        failed = len(observations) - len(history)
        print(f"{task.id}: {about[task.id]} n={len(ratio)} failed={failed} ratios {quantiles}", flush=True)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(args.out, about=np.array(json.dumps(about)), **arrays)
    domain.server.close()


if __name__ == "__main__":
    main()
