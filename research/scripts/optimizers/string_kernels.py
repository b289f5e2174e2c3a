"""Which features of strings a Gaussian process predicts best from: the choice behind `optimizers/string_features.py`.

    python research/scripts/optimizers/string_kernels.py mic_log10_um.csv      a CPU minute

For each template, `evolution` searches for 200 calls. A process with one lengthscale for each group of features, fitted as
`edits` does it, learns from the first n observations and predicts 150 mutants of the best of them, none seen: Spearman's
correlation (mean over templates), and the negative log density of the warped values (median). Features are exact here; the
last line is what `edits` uses, their random directions.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.stats import spearmanr
from string_search import play
from threadpoolctl import threadpool_limits

from boltbo.optimizers import make_optimizer
from boltbo.optimizers.surrogates import gp, string_surrogate
from boltbo.optimizers.surrogates.string_features import Features
from boltbo.optimizers.surrogates.warp import Warp
from boltbo.problem import FloatArray
from boltbo.system.files import write_whole
from boltbo_bench.problems import peptide_landscape
from boltbo_bench.problems.peptide_landscape import LANDSCAPES, Landscape
from boltbo_bench.recorded import commit

Names = Callable[[str], dict[Any, float]]
PLACES = np.arange(-2, 3)


def count(s: str) -> dict[Any, float]:
    return Counter(s)


def pairs(gaps: Sequence[int]) -> Names:
    return lambda s: Counter((g, a, b) for g in gaps for a, b in zip(s, s[g:], strict=False))


def decayed(s: str) -> dict[Any, float]:
    """Pairs at any distance, less the farther: the subsequence kernel of order 2."""
    found: dict[Any, float] = Counter()
    for gap in range(1, 9):
        for a, b in zip(s, s[gap:], strict=False):
            found[a, b] += 0.7 ** (gap - 1)
    return found


def places(blur: float, sides: int = 2) -> Names:
    weights = np.exp(-0.5 * (PLACES / blur) ** 2) if blur else 1.0 * (PLACES == 0)
    weights /= np.sqrt((weights**2).sum())

    def names(s: str) -> dict[Any, float]:
        found: dict[Any, float] = Counter()
        for side, run in enumerate((s, s[::-1])[:sides]):
            for i, a in enumerate(run):
                for step, weight in zip(PLACES, weights, strict=True):
                    found[side, i + int(step), a] += float(weight)
        return found

    return names


def distances(strings: Sequence[str], names: Names) -> FloatArray:
    rows = [names(s) for s in strings]
    columns = {name: i for i, name in enumerate(dict.fromkeys(n for row in rows for n in row))}
    X = np.zeros((len(rows), len(columns)))
    for x, row in zip(X, rows, strict=True):
        for name, value in row.items():
            x[columns[name]] = value
    squares = (X * X).sum(axis=1)
    return np.maximum(squares[:, None] + squares - 2.0 * X @ X.T, 0.0)


def levenshtein(strings: Sequence[str]) -> FloatArray:
    """Edit distances made Euclidean: classical scaling without the negative eigenvalues."""
    D = cdist(strings, strings, scorer=Levenshtein.distance).astype(float) ** 2
    centred = D - D.mean(axis=0) - D.mean(axis=1)[:, None] + D.mean()
    values, vectors = np.linalg.eigh(-0.5 * centred)
    X = vectors * np.sqrt(np.maximum(values, 0.0))
    squares = (X * X).sum(axis=1)
    return np.maximum(squares[:, None] + squares - 2.0 * X @ X.T, 0.0)


def of(*groups: Names) -> Callable[[Sequence[str]], FloatArray]:
    return lambda strings: np.array([distances(strings, names) for names in groups])


GAPS = (1, 2, 3, 4)
KERNELS: dict[str, Callable[[Sequence[str]], FloatArray]] = {
    "Levenshtein, made positive definite": lambda strings: levenshtein(strings)[None],
    "count": of(count),
    "pair, gap 1 (2-mers)": of(pairs((1,))),
    "pair, gaps 1 to 4": of(pairs(GAPS)),
    "pair, any gap, decayed (subsequences)": of(decayed),
    "place from the start": of(places(0.0, 1)),
    "place from both ends": of(places(0.0)),
    "count + place": of(count, places(0.75)),
    "count + pair": of(count, pairs(GAPS)),
    "count + pair (2-mers) + place": of(count, pairs((1,)), places(0.75)),
    "count + pair + place, not blurred": of(count, pairs(GAPS), places(0.0)),
    "count + pair + place, blurred by 2": of(count, pairs(GAPS), places(2.0)),
    "count + pair + place": of(count, pairs(GAPS), places(0.75)),
    "count + pair + place, random directions": lambda strings: string_surrogate.distances(
        Features().of([tuple(s) for s in strings])
    ),
}


def predict(D: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance, noise included, of what follows the first len(y)."""
    n = len(y)
    theta = string_surrogate.prior_mean(D[:, :n, :n])
    for _ in range(2):
        theta = string_surrogate.fit(theta, D[:, :n, :n], y, iterations=20)
    r = gp.ROOT5 * np.sqrt(np.tensordot(np.exp(-2.0 * theta[:-2]), D, axes=1))
    K = np.exp(theta[-2]) * (1.0 + r + r * r / 3.0) * np.exp(-r) + gp.MEAN_VARIANCE
    noise = np.exp(theta[-1])
    solved = np.linalg.solve(K[:n, :n] + (noise + 1e-8) * np.eye(n), K[:n, n:])
    return solved.T @ y, np.maximum(np.diag(K)[n:] - (solved * K[:n, n:]).sum(axis=0), 1e-9) + noise


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    oracle = peptide_landscape.landscape(name, args.csv)
    chosen = peptide_landscape.templates(args.templates, args.csv, oracle, args.seed)
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for t, template in enumerate(chosen):
        candidates, values = searched(template, oracle, args.seed)
        rng = np.random.default_rng([args.seed, t])
        for n in args.n:
            best = candidates[int(np.argmin(values[:n]))]
            space = peptide_landscape.space(template)
            unseen = [m for m in dict.fromkeys(space.mutants(best, 4, 300, rng)) if m not in candidates[:n]][:150]
            warp = Warp.fit(values[:n])
            y, truth = warp(values[:n]), warp(oracle(unseen))
            for kernel, make in KERNELS.items():
                mean, variance = predict(make(candidates[:n] + unseen), y)
                surprise = 0.5 * (truth - mean) ** 2 / variance + 0.5 * np.log(2.0 * np.pi * variance)
                found.setdefault((kernel, n), []).append((spearmanr(mean, truth)[0], surprise.mean()))
        print(f"{name}: {t + 1} of {len(chosen)}", file=sys.stderr, flush=True)
    return {
        kernel: {
            str(n): [
                round(float(np.mean([rank for rank, _ in found[kernel, n]])), 3),
                round(float(np.median([surprise for _, surprise in found[kernel, n]])), 3),
            ]
            for n in args.n
        }
        for kernel in KERNELS
    }


def searched(template: str, oracle: Landscape, seed: int) -> tuple[list[str], FloatArray]:
    """What `evolution` tried in 200 calls, and the values."""
    space = peptide_landscape.space(template)
    design = [template, *space.mutants(template, space.edits, 19, np.random.default_rng(seed))]
    tried: list[str] = []

    def recorded(some: Sequence[str]) -> FloatArray:
        tried.extend(some)
        return oracle(some)

    play(make_optimizer("evolution", space, seed=seed), recorded, list(dict.fromkeys(design)), 200, 1)
    return tried, oracle(tried)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path, help="table of MIC values")
    parser.add_argument("--templates", type=int, default=10)
    parser.add_argument("--n", type=int, nargs="+", default=[20, 60, 150])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    began = commit()
    with threadpool_limits(1):
        results = {name: measure(name, args) for name in LANDSCAPES}
    for name, rows in results.items():
        print(f"\n{name}: Spearman / negative log density after n = {', '.join(map(str, args.n))}")
        for kernel, row in rows.items():
            print(f"  {kernel:<42}", "   ".join(f"{rank:.2f} / {surprise:.2f}" for rank, surprise in row.values()))
    if args.out:
        words = [Path(sys.argv[0]).name, args.csv.name, *sys.argv[2:]]
        header = {"command": " ".join(words), "commit": began, "seed": args.seed}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(args.out, json.dumps({**header, "landscapes": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
