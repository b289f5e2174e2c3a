"""What shared-surrogate methods gain, and cost, as source tasks grow in number: regret, CPU seconds and memory.

    python research/scripts/transfer/transfer_scaling.py run --tasks 5 10 20 50 100 200 --out research/results/transfer-scaling.json
    python research/scripts/transfer/transfer_scaling.py report --out research/results/transfer-scaling.json

Each (method, number of tasks) is one process of one thread on the family of `transfer_family.py`: the fit, then searches of
the same target tasks from the same ten points, one call at a time. A fit that takes more CPU seconds than `--fit-limit` or
more memory than `--memory-limit` is stopped, and so is that method for more tasks: the file says so. Searches beyond
`--search-limit` CPU seconds are not begun. Stop and repeat it at any time: what is in the file is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.system.files import write_whole
from boltbo_bench.problems.transfer_family import INITIAL, Family
from boltbo_bench.recorded import commit, interval

ALONE = ("stbo", "random", "gp")
"""What uses no source task; gp: what every shared surrogate is without any"""

METHODS = (*ALONE, "pogpe", "sgpe", "rgpe", "icm", "dkt", "fsbo", "ablr")
FIRST_TARGET = 100_000
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
SHARED = ("dim", "seed", "targets", "calls", "fit_limit", "search_limit", "memory_limit")


class TooLong(Exception):
    """A fit took its time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "one", "report"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--tasks", nargs="+", type=int, default=[5, 10, 20, 50, 100, 200])
    parser.add_argument("--dim", type=int, default=10)
    parser.add_argument("--targets", type=int, default=10, help="target tasks")
    parser.add_argument(
        "--calls", type=int, default=60, help=f"oracle calls of a target task, {INITIAL} first included"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit-limit", type=int, default=120, help="CPU seconds of one fit")
    parser.add_argument("--search-limit", type=int, default=300, help="CPU seconds after which no search is begun")
    parser.add_argument("--memory-limit", type=int, default=6144, help="MiB of address space of one process")
    parser.add_argument("--out", type=Path, default=Path("transfer-scaling.json"))
    args = parser.parse_args()
    if args.what == "one":
        print(json.dumps(one(args, args.methods[0], args.tasks[0])))
    elif args.what == "run":
        run(args)
    else:
        report(json.loads(args.out.read_text()))


def one(args: argparse.Namespace, method: str, tasks: int) -> dict[str, Any]:
    """One method with so many source tasks, in this process."""
    from boltbo_bench.transfer import make, random_search
    from boltbo_bench.transfer.cost import search
    from boltbo_bench.transfer.features import BoxFeatures
    from boltbo_bench.transfer.optimizer import optimizer_for

    family = Family(args.dim, args.seed)
    trajectories = [] if method in ALONE else [family.source(i) for i in range(tasks)]
    found: dict[str, Any] = {"method": method, "tasks": tasks, "commit": commit()}
    surrogate = None
    if method not in ALONE:
        limit_memory(args.memory_limit)
        try:
            limit_cpu(args.fit_limit)
            surrogate = make(method, trajectories, BoxFeatures(lambda _: family.space), args.seed)
        except TooLong:
            return found | {"stopped": f"the fit took more than {args.fit_limit} CPU s"}
        except (MemoryError, np.linalg.LinAlgError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and "alloc" not in str(error).lower():
                raise
            return found | {"stopped": f"the fit needed more than {args.memory_limit} MiB"}
        finally:
            limit_cpu(0)
        found["fit_cpu_seconds"] = round(surrogate.cost.cpu_seconds, 3)
    regrets, curves, asks = [], [], []
    began = time.process_time()
    for k in range(args.targets):
        if time.process_time() - began > args.search_limit:
            found["stopped"] = f"{k} of {args.targets} searches took more than {args.search_limit} CPU s"
            break
        i = FIRST_TARGET + k
        task, seed = family.task(i), args.seed * 1000 + k
        if surrogate is not None:
            optimizer: Any = optimizer_for(surrogate, task, family.space, seed=seed)
        elif method == "gp":
            alone = make("pogpe", [], BoxFeatures(lambda _: family.space), args.seed)
            optimizer = optimizer_for(alone, task, family.space, seed=seed)
        elif method == "random":
            optimizer = random_search(family.space, seed=seed)
        else:
            from boltbo.optimizers import make_optimizer

            optimizer = make_optimizer("turbo", family.space, seed=seed, initial=INITIAL)
        searched = search(optimizer, family.initial(i), args.calls - INITIAL, lambda c, t=task: family.score(t, c))
        best = np.minimum.accumulate([family.regret(task, o.candidate) for o in searched.observations])
        curves.append(best)
        regrets.append(round(float(best[-1]), 4))
        asks += searched.cpu_seconds
    return found | {
        "regret": regrets, "curve": [round(float(v), 3) for v in np.mean(curves, axis=0)],
        "cpu_seconds_per_ask": round(float(np.mean(asks)), 4),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def limit_cpu(seconds: float) -> None:
    """Raise `TooLong` once this process has used so many more CPU seconds; 0: never."""

    def stop(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)


def limit_memory(mib: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (mib * 2**20, mib * 2**20))


def run(args: argparse.Namespace) -> None:
    shared = {name: getattr(args, name) for name in SHARED}
    done = json.loads(args.out.read_text()) if args.out.exists() else {"rows": []}
    if done["rows"] and {name: done[name] for name in SHARED} != shared:
        raise SystemExit(f"{args.out} was made with other options: give another --out, or the same options")
    given = f"python research/scripts/transfer/transfer_scaling.py run --tasks {' '.join(map(str, args.tasks))}"
    given += "".join(f" --{name.replace('_', '-')} {value}" for name, value in shared.items())
    rows: list[dict[str, Any]] = done["rows"]
    for tasks in args.tasks:
        for method in args.methods:
            size = 0 if method in ALONE else tasks
            own = [r for r in rows if r["method"] == method]
            if any(r["tasks"] == size or (r["tasks"] < size and "the fit" in r.get("stopped", "")) for r in own):
                continue
            command = [sys.executable, __file__, "one", "--methods", method, "--tasks", str(size)]
            command += [s for name, value in shared.items() for s in (f"--{name.replace('_', '-')}", str(value))]
            found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
            if found.returncode:
                raise SystemExit(f"{method} with {size} tasks failed:\n{found.stderr[-2000:]}")
            rows.append(json.loads(found.stdout.splitlines()[-1]))
            write_whole(args.out, json.dumps({"command": given, **shared, "rows": rows}, indent=1) + "\n")
            print(f"{method} {size}: {found.stdout.splitlines()[-1][:160]}", file=sys.stderr)
    report(json.loads(args.out.read_text()))


def report(done: dict[str, Any]) -> None:
    calls, early = done["calls"], INITIAL + (done["calls"] - INITIAL) // 5
    print(
        f"| method | source tasks | regret after {early} calls | after {calls} (95% interval) "
        "| fit, CPU s | CPU s an ask | MiB |\n|" + " --- |" * 7
    )
    for r in sorted(done["rows"], key=lambda r: (METHODS.index(r["method"]), r["tasks"])):
        if "regret" not in r:
            print(f"| {r['method']} | {r['tasks']} | stopped: {r['stopped']} | | | | |")
            continue
        values = np.array(r["regret"])
        low, high = interval(values)
        count = "" if len(values) == done["targets"] else f", {len(values)} targets"
        print(
            f"| {r['method']} | {r['tasks'] or ''} | {r['curve'][early - 1]:.2f} "
            f"| {values.mean():.2f} ({low:.2f} to {high:.2f}{count}) "
            f"| {r.get('fit_cpu_seconds', '')} | {r['cpu_seconds_per_ask']:.3f} | {r['peak_mib']} |"
        )


if __name__ == "__main__":
    main()
