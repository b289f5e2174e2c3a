"""How far the same plan's measurements lie apart, by each objective: alone, and beside a busy process.

    python research/scripts/plans/calibration.py --workload FOLDER --out calibration.json      seven minutes, nothing beside it

Some plans of some queries of generated data, in random order, each by latency, CPU seconds and calibrated CPU seconds
(`boltbo.domains.plans.server.cpu_time`): of two executions the second. The busy process multiplies matrices on one thread.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from boltbo.domains.plans.build import build
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.server.calibrated import Calibrated, cpu_of_execution
from boltbo.domains.plans.server.connection import limit_statement
from boltbo.domains.plans.server.latency import Latency
from boltbo.domains.plans.server.measure import measure
from boltbo.domains.plans.server.objective import Execution, Objective
from boltbo.proposers import seed_of
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars
from boltbo_bench.recorded import BUSY, commit, cpu, interval


class Cpu(Objective):
    """CPU seconds of the server's process as they are."""

    name = "cpu"

    def execution(self, cursor: psycopg.Cursor[Any], limit: float) -> Execution:
        limit_statement(cursor, limit)
        return lambda: cpu_of_execution(cursor, limit)


OBJECTIVES = (Latency(), Cpu(), Calibrated())
PLANS, LIMIT = 3, 0.1
"""Plans of a query, and the seconds beyond which one is left out"""
Values = dict[str, dict[Objective, list[float]]]
"""Plan -> objective -> what was measured"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", type=Path, required=True, help="a folder of .sql files")
    parser.add_argument("--queries", type=int, default=12)
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    options = {
        "workload": str(args.workload), "train": args.queries, "validation": 0, "queries": 4 * args.queries,
        "objective": "calibrated",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as kept, build(options, args.seed, Path(kept), Bars()) as problem:
        assert isinstance(problem.domain, PlansDomain)
        domain, plans = problem.domain, {}
        for task in problem.tasks:
            rng = np.random.default_rng(seed_of(args.seed, task.id))
            for candidate in domain.initial_design(task, PLANS - 1, rng)[:PLANS]:
                if not domain.measured(task, candidate, LIMIT).censored:
                    plans[f"{task.id} {candidate}"] = domain.statement(task, candidate)
        found = {}
        for busy in (0, 1):
            beside = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
            time.sleep(3 * busy)
            values: Values = defaultdict(lambda: defaultdict(list))
            rng = np.random.default_rng(args.seed)
            for _ in range(args.passes):
                for i in rng.permutation(len(plans) * len(OBJECTIVES)):
                    name, objective = list(plans)[i // len(OBJECTIVES)], OBJECTIVES[i % len(OBJECTIVES)]
                    s = plans[name]
                    m = measure(domain.server, s.sql, s.settings, objective=objective, limit=20 * LIMIT, repeats=1)
                    values[name][objective.name].append(m.value)
            for process in beside:
                process.kill()
                process.wait()
            found[busy] = values
    told = {"plans": len(plans), "rows": summary(found)}
    show(told["rows"])
    if args.out:
        about = {
            "command": "python research/scripts/plans/calibration.py",
            "commit": commit(),
            "seed": args.seed,
            "machine": cpu(),
        }
        write_whole(args.out, json.dumps({**about, "passes": args.passes, **told}, indent=1) + "\n")


def summary(found: dict[int, Values]) -> list[dict[str, Any]]:
    """Of each objective: the scatter of a plan's logarithms, and what its median is beside work over alone."""
    rows = []
    for objective in OBJECTIVES:
        logs = {busy: np.log([v[objective.name] for v in values.values()]) for busy, values in found.items()}
        moved = np.median(logs[1], axis=1) - np.median(logs[0], axis=1)
        scatter = {busy: np.std(own, axis=1) for busy, own in logs.items()}
        rows.append({
            "objective": objective.name,
            "scatter alone": [float(np.mean(scatter[0])), *interval(scatter[0])],
            "scatter beside work": [float(np.mean(scatter[1])), *interval(scatter[1])],
            "beside work over alone": [float(x) for x in np.exp([np.mean(moved), *interval(moved)])],
            "of single plans": [float(np.exp(min(moved))), float(np.exp(max(moved)))],
        })  # fmt: skip
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """As Markdown."""
    head = list(rows[0])
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for row in rows:
        cells = []
        for value in row.values():
            numbers = [f"{x:.2f}" for x in value] if isinstance(value, list) else []
            cells.append(
                str(value)
                if not numbers
                else f"{numbers[0]} ({numbers[1]} to {numbers[2]})"
                if len(numbers) > 2
                else " to ".join(numbers)
            )
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
