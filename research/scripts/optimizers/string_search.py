"""Search on strings at equal oracle calls: trust-region BO in edit distance, evolution, random mutants.

    python research/scripts/optimizers/string_search.py mic_log10_um.csv                 ten templates, two seeds, 300 calls: ten CPU minutes
    python research/scripts/optimizers/string_search.py mic_log10_um.csv --quick         three templates, one seed, 100 calls

Each run starts from the same initial candidates, the template and random mutants of it within the budget of edits. Reported
is the best value over the template's, the geometric mean over templates and seeds, with a 95% bootstrap interval over
templates; then the ratio of `edits` to the others, in pairs, and CPU seconds a step (ask and tell, without the oracle).
The landscapes stand in `peptide_landscape.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from boltbo.optimizers import Optimizer, make_optimizer
from boltbo.problem import Observation, Status
from boltbo.spaces import Strings
from boltbo.system.files import write_whole
from boltbo_bench.problems import peptide_landscape
from boltbo_bench.problems.peptide_landscape import LANDSCAPES, Landscape
from boltbo_bench.recorded import commit


class RandomMutants:
    """Uniform numbers of random edits of the template, no two alike: what every other arm must beat."""

    def __init__(self, space: Strings, seed: int) -> None:
        self.space, self.rng = space, np.random.default_rng(seed)
        self.template = space.separator.join(space.template or ())
        self.seen: set[str] = set()

    def ask(self, n: int) -> list[str]:
        mutants = self.space.mutants(self.template, self.space.edits, 20 * n, self.rng)
        return [m for m in dict.fromkeys(mutants) if m not in self.seen][:n]

    def tell(self, observations: list[Observation]) -> None:
        self.seen.update(o.candidate for o in observations)


ARMS: dict[str, Callable[[Strings, int], Any]] = {
    "edits": lambda space, seed: make_optimizer("edits", space, seed=seed),
    "evolution": lambda space, seed: make_optimizer("evolution", space, seed=seed),
    "random mutants": RandomMutants,
}


def play(
    optimizer: Optimizer, oracle: Landscape, design: list[str], calls: int, batch: int
) -> tuple[list[float], float]:
    """The best value after each call, and CPU seconds of one step."""
    values: list[float] = []
    steps, spent, asked = 0, 0.0, design
    while asked:
        scored = [
            Observation(c, float(v), Status.COMPLETE, 0.0, "bo") for c, v in zip(asked, oracle(asked), strict=True)
        ]
        values += [o.value for o in scored]
        start = time.process_time()
        optimizer.tell(scored)
        asked = optimizer.ask(min(batch, calls - len(values))) if len(values) < calls else []
        spent, steps = spent + time.process_time() - start, steps + 1
    return np.minimum.accumulate(values).tolist(), spent / max(steps, 1)


def summary(logs: np.ndarray, rng: np.random.Generator) -> list[float]:
    """Geometric mean and 95% bootstrap interval over templates, of logarithms of shape (templates, seeds)."""
    means = logs.mean(axis=1)
    draws = means[rng.integers(len(means), size=(10_000, len(means)))].mean(axis=1)
    return [round(float(np.exp(x)), 4) for x in (means.mean(), *np.quantile(draws, [0.025, 0.975]))]


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    oracle = peptide_landscape.landscape(name, args.csv)
    chosen = peptide_landscape.templates(args.templates, args.csv, oracle, args.seed)
    bests = {arm: np.zeros((len(chosen), args.seeds, args.calls)) for arm in ARMS}
    seconds: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for t, template in enumerate(chosen):
        space = peptide_landscape.space(template)
        for seed in range(args.seeds):
            rng = np.random.default_rng([args.seed, t, seed])
            mutants = space.mutants(template, space.edits, 4 * args.design, rng)
            design = list(dict.fromkeys([template, *mutants]))[: args.design]
            for arm, make in ARMS.items():
                best, cpu = play(make(space, seed), oracle, design, args.calls, args.batch)
                best += [best[-1]] * (args.calls - len(best))  # a space can be exhausted
                bests[arm][t, seed] = np.log(np.array(best) / float(oracle([template])[0]))
                seconds[arm].append(cpu)
        print(f"{name}: {t + 1} of {len(chosen)}", file=sys.stderr, flush=True)
    rng = np.random.default_rng(args.seed)
    at = [c for c in (args.design, 50, 100, 200, args.calls) if args.design <= c <= args.calls]
    return {
        "templates": chosen,
        "best over template": {
            arm: {str(c): summary(values[..., c - 1], rng) for c in dict.fromkeys(at)} for arm, values in bests.items()
        },
        "edits over": {
            arm: {str(c): summary((bests["edits"] - values)[..., c - 1], rng) for c in dict.fromkeys(at[1:])}
            for arm, values in bests.items()
            if arm != "edits"
        },
        "cpu ms a step": {arm: round(1e3 * float(np.mean(s)), 2) for arm, s in seconds.items()},
        "runs": {arm: np.exp(values).round(4)[..., [c - 1 for c in at]].tolist() for arm, values in bests.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path, help="table of MIC values")
    parser.add_argument("--landscape", choices=LANDSCAPES, action="append", help="default: all")
    parser.add_argument("--templates", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--design", type=int, default=20)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the templates, initial candidates and bootstrap")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.quick:
        args.templates, args.seeds, args.calls = 3, 1, 100
    began = commit()
    with threadpool_limits(1):
        found = {name: measure(name, args) for name in args.landscape or LANDSCAPES}
    for name, result in found.items():
        print(f"\n{name}: best over the template's value, by calls")
        for arm, row in result["best over template"].items():
            texts = [f"{calls}: {m:.3f} ({low:.3f} to {high:.3f})" for calls, (m, low, high) in row.items()]
            print(f"  {arm:<15}", "   ".join(texts), f"  {result['cpu ms a step'][arm]} ms")
        for arm, row in result["edits over"].items():
            texts = [f"{calls}: {m:.3f} ({low:.3f} to {high:.3f})" for calls, (m, low, high) in row.items()]
            print(f"  edits / {arm:<15}", "   ".join(texts))
    if args.out:
        settings = {k: getattr(args, k) for k in ("templates", "seeds", "calls", "design", "batch", "seed")}
        words = [Path(sys.argv[0]).name, args.csv.name, *sys.argv[2:]]
        header = {"command": " ".join(words), "commit": began, "settings": settings}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(args.out, json.dumps({**header, "landscapes": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
