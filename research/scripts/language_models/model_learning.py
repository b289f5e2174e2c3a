"""How good the models' first ten samples are against the minutes that they learnt, backend by backend.

    python research/scripts/language_models/model_learning.py --out rule.json

The family of `substitutions.py`, ten noisy answers for each training task; 0 is the template itself, 1 the solution.
The best of ten samples of tasks that no model has read, from aligned pairs and from pairs whose contexts are shuffled
among the tasks. What models learn from a stored campaign, `boltbo-bench` measures (its arms `tasks`, `epochs`,
`backend`, `shuffled`).
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from boltbo import Domain, Task
from boltbo.campaign.pretraining import make_base
from boltbo.llm.backend import Example, LanguageModel, Prompt
from boltbo.proposers import seed_of
from boltbo.settings import ModelSettings
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars
from boltbo_bench.problems.substitutions import Substitutions
from boltbo_bench.recorded import commit

SAMPLES = 10


@dataclass(frozen=True)
class Family:
    """What there is to learn, and what is asked afterwards; `score` gives a task's best value of some samples, and its base."""

    domain: Domain
    pairs: Mapping[str, Sequence[Example]]
    train: Sequence[Task]
    asked: Sequence[Task]
    score: Callable[[Task, Sequence[str]], tuple[float, float]]
    summary: Callable[[np.ndarray, np.ndarray], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", default=["compact"], choices=("compact", "transformers"))
    parser.add_argument("--epochs", nargs="+", type=float, default=[1, 3, 6, 12])
    parser.add_argument("--tasks", nargs="+", type=int, default=[20, 100, 1000], help="training tasks")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--no-shuffled", action="store_true", help="aligned contexts only")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in range(args.seeds):
        family = rule(max(args.tasks), seed)
        for n in sorted(set(args.tasks)):
            for backend in args.backends:
                for row in learn(family, backend, args.epochs, n, seed, not args.no_shuffled):
                    rows.append(row)
                    print(json.dumps(row), flush=True)
    if args.out:
        about = {"command": "python research/scripts/language_models/model_learning.py", "commit": commit()}
        write_whole(args.out, json.dumps({**about, "rows": rows}, indent=1))


def rule(n: int, seed: int) -> Family:
    """`n` training tasks with their pairs, and a hundred others."""
    domain = Substitutions(seed)
    train, asked = domain.tasks(n, seed, "t"), domain.tasks(100, seed + 1000, "v")
    rng = np.random.default_rng([seed, 3])
    pairs = {t.id: [Example(t.context, a) for a in dict.fromkeys(domain.answers(t, 10, rng))] for t in train}

    def score(task: Task, texts: Sequence[str]) -> tuple[float, float]:
        return min(domain.evaluate(task, text, None) for text in texts), domain.evaluate(task, task.context, None)

    return Family(domain, pairs, train, asked, score, lambda best, base: 1 - float(best.sum() / base.sum()))


def learn(
    family: Family, backend: str, epochs: Sequence[float], n: int, seed: int, shuffled: bool
) -> Iterator[dict[str, Any]]:
    """One row for each number of epochs, the contexts aligned and shuffled; each fine-tuning begins from the same base."""
    train = family.train[:n]
    settings = ModelSettings(backend=backend)  # type: ignore[arg-type]
    for aligned in (True, False) if shuffled else (True,):
        given = {t.id: t.context for t in train}
        if not aligned:
            order = np.random.default_rng([seed, 4]).permutation(n)
            given = {t.id: train[int(order[i])].context for i, t in enumerate(train)}
        examples = [Example(given[t.id], e.solution) for t in train for e in family.pairs[t.id]]
        for k in epochs if aligned else epochs[-1:]:
            began = time.perf_counter()
            model = make_base(family.domain, settings, family.train, seed, Bars(False))
            made, began = time.perf_counter() - began, time.process_time()
            report = model.fit(examples, epochs=k, seed=seed_of(seed, "fit"))
            cpu = time.process_time() - began
            yield {
                "backend": backend, "tasks": n, "pairs": len(examples), "epochs": k, "aligned": aligned, "seed": seed,
                "fit_seconds": round(report.seconds, 1), "fit_cpu_seconds": round(cpu, 1), "base_seconds": round(made, 1),
                "loss": round(report.losses[-1][1], 4), **asked(family, model, seed),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }  # fmt: skip


def asked(family: Family, model: LanguageModel, seed: int) -> dict[str, Any]:
    """The best of ten samples of each validation task, with a 95% bootstrap interval over tasks."""
    prompts = [Prompt(t.context, family.domain.grammar(t)) for t in family.asked]
    began = time.perf_counter()
    lists = model.sample(prompts, SAMPLES, seed=seed)
    sampled = time.perf_counter() - began
    found = [family.score(t, [s.text for s in samples]) for t, samples in zip(family.asked, lists, strict=True)]
    best, base = (np.array(x) for x in zip(*found, strict=True))
    draws = np.random.default_rng(0).integers(len(best), size=(2000, len(best)))
    low, high = np.quantile([family.summary(best[d], base[d]) for d in draws], [0.025, 0.975])
    return {
        "best_at_10": round(family.summary(best, base), 4), "low": round(float(low), 4), "high": round(float(high), 4),
        "invalid_raw": round(1 - float(np.mean([s.valid_mass for samples in lists for s in samples])), 4),
        "sample_seconds": round(sampled, 1),
    }  # fmt: skip


if __name__ == "__main__":
    main()
