"""Search in the latent space of a peptide VAE at equal oracle calls: fixed, learnt along (LOL-BO), and at random.

    python research/scripts/peptides/latent.py --sequences amp_sequences.txt --vae FOLDER
    python research/scripts/optimizers/lolbo.py mic_log10_um.csv FOLDER --out research/results/lolbo.json

Peptides at least 75% similar to a template, kept so by the grammar while decoding; the landscapes stand in
`peptide_landscape.py`, runs and statistics are those of `string_search.py`. Each run starts from the same initial candidates.
`edits` searches the strings themselves. Reported is the best value over the template's, the geometric mean over templates with
a 95% bootstrap interval; the ratios of `lolbo` to the others, in pairs; CPU seconds of a step (ask and tell).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from string_search import play, summary
from threadpoolctl import threadpool_limits

from boltbo.latent.deep_turbo import DeepTurbo
from boltbo.latent.space import LatentSpace
from boltbo.latent.vae import SequenceVAE
from boltbo.optimizers import make_optimizer
from boltbo.problem import FloatArray
from boltbo.spaces import Strings
from boltbo.system.files import write_whole
from boltbo_bench.problems import peptide_landscape
from boltbo_bench.problems.peptide_landscape import LANDSCAPES
from boltbo_bench.recorded import commit


class Letters:
    """Relatives of a template by their letters."""

    def __init__(self, strings: Strings) -> None:
        self.strings = strings

    def symbols(self, candidate: str) -> list[str]:
        return self.strings.symbols(candidate)

    def candidate(self, symbols: Sequence[str]) -> str:
        return self.strings.canonical("".join(symbols))


ARMS: dict[str, Callable[[Strings, SequenceVAE, int, int], Any]] = {
    "lolbo": lambda s, vae, seed, every: make_optimizer("lolbo", boxed(s, vae), seed=seed, update_every=every),
    "turbo": lambda s, vae, seed, every: make_optimizer("turbo", boxed(s, vae), seed=seed),
    "turbo, deep": lambda s, vae, seed, every: DeepTurbo(boxed(s, vae), seed=seed),
    "random": lambda s, vae, seed, every: make_optimizer("random", boxed(s, vae), seed=seed),
    "edits": lambda s, vae, seed, every: make_optimizer("edits", s, seed=seed),
}


def boxed(strings: Strings, vae: SequenceVAE) -> LatentSpace:
    return LatentSpace(vae, Letters(strings), strings)


landscape = cache(peptide_landscape.landscape)


def run(args: argparse.Namespace, t: int, template: str) -> list[tuple[str, int, FloatArray, float]]:
    """Of one template, for each arm and seed: logarithms of the best value over the template's, CPU seconds of a step."""
    torch.set_num_threads(1)
    vae, oracle = SequenceVAE.load(args.vae), landscape(args.landscape, args.csv)
    strings = peptide_landscape.space(template)
    found = []
    with threadpool_limits(1):
        for seed in range(args.seeds):
            rng = np.random.default_rng([args.seed, t, seed])
            mutants = strings.mutants(template, strings.edits, 4 * args.design, rng)
            design = list(dict.fromkeys([template, *mutants]))[: args.design]
            for arm, make in ARMS.items():
                optimizer = make(strings, vae, seed, args.update_every)
                best, cpu = play(optimizer, oracle, design, args.calls, args.batch)
                best += [best[-1]] * (args.calls - len(best))
                found.append((arm, seed, np.log(np.array(best) / float(oracle([template])[0])), cpu))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path, help="table of MIC values")
    parser.add_argument("vae", type=Path, help="what latent.py kept")
    parser.add_argument("--landscape", choices=LANDSCAPES, default="trees")
    parser.add_argument("--templates", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--design", type=int, default=20)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--update-every", type=int, default=10, help="batches")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes of one thread each")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    dim = SequenceVAE.load(args.vae).dim
    oracle = landscape(args.landscape, args.csv)
    chosen = peptide_landscape.templates(args.templates, args.csv, oracle, args.seed)
    logs = {arm: np.zeros((len(chosen), args.seeds, args.calls)) for arm in ARMS}
    seconds: dict[str, list[float]] = {arm: [] for arm in ARMS}
    with ProcessPoolExecutor(args.jobs) as pool:
        runs = pool.map(run, [args] * len(chosen), range(len(chosen)), chosen)
        for t, found in enumerate(runs):
            for arm, seed, best, cpu in found:
                logs[arm][t, seed] = best
                seconds[arm].append(cpu)
            print(f"{t + 1} of {len(chosen)}", file=sys.stderr, flush=True)
    rng = np.random.default_rng(args.seed)
    at = [c for c in (args.design, 50, 100, 150, 200, 300) if args.design <= c <= args.calls]
    words = ["python", "research/scripts/optimizers/lolbo.py", *(Path(a).name for a in sys.argv[1:])]
    result = {
        "command": " ".join(words),
        "commit": commit(),
        "settings": {**{k: v for k, v in vars(args).items() if isinstance(v, int | str)}, "latent": dim},
        "templates": chosen,
        "best over template": {arm: {c: summary(v[..., c - 1], rng) for c in at} for arm, v in logs.items()},
        "lolbo over": {
            arm: {c: summary((logs["lolbo"] - v)[..., c - 1], rng) for c in at[1:]}
            for arm, v in logs.items()
            if arm != "lolbo"
        },
        "cpu s a step": {arm: round(float(np.mean(s)), 4) for arm, s in seconds.items()},
    }
    print(json.dumps(result, indent=1))
    if args.out:
        write_whole(args.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
