"""Regret and CPU seconds of boltbo's optimizers and their neighbours: same functions, same first points, same budgets.

    python research/scripts/optimizers/regret.py run --seeds 10 --out regret.jsonl [--arms "boltbo turbo" random --problems ackley-20 --jobs 2]
    python research/scripts/optimizers/regret.py report --out regret.jsonl --json research/results/regret.json [--figure docs/optimizers.png]

Batches of ten. A run is one process of one thread; CPU seconds (`process_time`) are those of asking and telling alone. Stop
and repeat it at any time: what is in the file is not run again. Needs what it compares with: `pip install botorch optuna smac`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.system.files import write_whole
from boltbo_bench.problems.peers import PEERS
from boltbo_bench.problems.problems import names, problem
from boltbo_bench.recorded import commit, interval

BATCH = 10
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "one", "report"))
    parser.add_argument("--arms", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--problems", nargs="+", choices=names(), default=names())
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--out", type=Path, default=Path("regret.jsonl"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args()
    if args.what == "one":
        print(json.dumps(one(args.problems[0], args.arms[0], args.seed)))
    elif args.what == "run":
        run(args)
    else:
        report(args)


def one(name: str, arm: str, seed: int) -> dict[str, Any]:
    """A whole run: the best value after each call, and CPU seconds of the optimizer."""
    p = problem(name)
    peer, X = PEERS[arm](p, seed), p.start(seed)
    values = p.f(X).tolist()
    steps: list[float] = []
    began = time.process_time()
    peer.tell(X, np.array(values))
    while len(values) < p.calls:
        X = peer.ask(min(BATCH, p.calls - len(values)))
        steps.append(time.process_time() - began)
        Y = p.f(X)
        values += Y.tolist()
        began = time.process_time()
        peer.tell(X, Y)
    best = np.minimum.accumulate(values) - p.least
    return {
        "problem": name, "arm": arm, "seed": seed, "commit": commit(), "start": len(p.start(seed)),
        "best": [round(float(v), 6) for v in best],
        "cpu_seconds_per_step": [round(s, 4) for s in steps],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def run(args: argparse.Namespace) -> None:
    done = {(r["problem"], r["arm"], r["seed"]) for r in read(args.out)}
    todo = [x for x in product(range(args.seeds), args.arms, args.problems) if (x[2], x[1], x[0]) not in done]

    def start(seed: int, arm: str, name: str) -> str:
        command = [sys.executable, __file__, "one", "--problems", name, "--arms", arm, "--seed", str(seed)]
        found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
        if found.returncode:
            raise SystemExit(f"{arm} on {name}, seed {seed}, failed:\n{found.stderr[-2000:]}")
        return found.stdout.splitlines()[-1]

    with ThreadPoolExecutor(args.jobs) as pool, args.out.open("a") as out:
        futures = [pool.submit(start, *x) for x in todo]
        for i, future in enumerate(as_completed(futures), 1):
            try:
                line = future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            out.write(line + "\n")
            out.flush()
            r = json.loads(line)
            print(
                f"{i}/{len(todo)} {r['problem']:<12} {r['arm']:<36} seed {r['seed']} {r['best'][-1]:.4f}",
                file=sys.stderr,
            )


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def report(args: argparse.Namespace) -> None:
    rows = [r for r in read(args.out) if r["seed"] < args.seeds]
    table = []
    for name, arm in product(names(), PEERS):
        own = sorted((r for r in rows if r["problem"] == name and r["arm"] == arm), key=lambda r: r["seed"])
        if own:
            table.append({"problem": name, "arm": arm, **summary(own)})
    print(
        "| problem | arm | seeds | regret at half | regret at the end (95% interval) | CPU s a step | MiB |\n|"
        + " --- |" * 7
    )
    for t in table:
        print(
            f"| {t['problem']} | {t['arm']} | {t['seeds']} | {t['half']:.3f} "
            f"| {t['end']:.3f} ({t['low']:.3f} to {t['high']:.3f}) | {t['cpu']:.3f} | {t['peak_mib']} |"
        )
    if args.json:
        about = {
            "command": "python research/scripts/optimizers/regret.py run --seeds 10; python research/scripts/optimizers/regret.py report",
            "commits": sorted({r["commit"] for r in rows}),
            "seeds": args.seeds,
            "batch": BATCH,
        }
        write_whole(args.json, json.dumps({**about, "table": table}, indent=1))
    if args.figure:
        from boltbo_bench.problems.regret_figure import draw

        draw(rows, args.figure)


def summary(own: list[dict[str, Any]]) -> dict[str, Any]:
    ends = np.array([r["best"][-1] for r in own])
    low, high = interval(ends)
    start, calls = own[0]["start"], len(own[0]["best"])
    half = float(np.mean([r["best"][start + (calls - start) // 2 - 1] for r in own]))
    return {
        "seeds": len(own), "calls": calls, "start": float(np.mean([r["best"][start - 1] for r in own])), "half": half,
        "end": float(ends.mean()), "low": low, "high": high,
        "cpu": float(np.mean([np.mean(r["cpu_seconds_per_step"]) for r in own])), "peak_mib": max(r["peak_mib"] for r in own),
    }  # fmt: skip


if __name__ == "__main__":
    main()
