"""What a finished campaign of peptides gained on its validation templates, by the oracle and by the judge.

    boltbo run research/campaigns/peptides.toml --storage peptides.db
    python research/scripts/peptides/peptides.py --config research/campaigns/peptides.toml --storage peptides.db --out peptides.json

Each method's candidate is the one that the oracle holds best among its calls; the judge, a predictor of another kind that no
search asked, scores the same candidate. Ratios are geometric means over tasks of value over the template's value, with 95%
bootstrap intervals over tasks. Beside template, initial design, STBO and Best@k of each model stand two ways to retrieve other
tasks' solutions without a model: as they are (most are no relatives of the template at all), and their edits, made at the
same places of the template, the most similar training templates' first.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.campaign.results import labels
from boltbo.cli.config import load_config
from boltbo.domains.peptides.domain import PeptidesDomain
from boltbo.domains.peptides.oracle import load_judge
from boltbo.domains.peptides.shortlist.listed import views
from boltbo.domains.peptides.similarity import edit_budget, identities, similarity
from boltbo.errors import InvalidCandidate
from boltbo.problem import Observation, Status, Trajectory
from boltbo.proposers.transplant import transplanted
from boltbo.storage import Stage, Storage, open_storage
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars
from boltbo_bench.recorded import commit, cpu

SAMPLES = (1, 10, 100, 1000)
CALLS = (100, 500, 2000)
RETRIEVED = (10, 100)
BINS = 3
"""Groups of validation tasks, by how near the nearest training template is"""


@dataclass(frozen=True)
class Method:
    """Task id -> its best observation after `calls` oracle calls; no entry where nothing was feasible."""

    name: str
    calls: int
    best: Mapping[str, Observation]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path(__file__).parents[2] / "campaigns" / "peptides.toml")
    parser.add_argument("--storage", default="peptides.db")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="as in boltbo run"
    )
    parser.add_argument("--judge", default="shipped")
    parser.add_argument("--out", type=Path, help="write the tables as JSON")
    args = parser.parse_args()
    config = load_config(args.config, args.changes)
    folder = Path(args.storage).with_suffix(".artifacts")
    with (
        open_storage(args.storage) as store,
        config.build(config.options, config.settings.seed, folder, Bars()) as problem,
    ):
        store.find(config.settings.name)
        domain = problem.domain
        assert isinstance(domain, PeptidesDomain)
        found = evaluate(store, domain, args.judge)
    print_tables(found)
    if args.out is not None:
        given = f"python research/scripts/peptides/peptides.py --config {args.config.name}" + "".join(
            f" --set {c}" for c in args.changes
        )
        about = {"command": given, "commit": commit(), "seed": config.settings.seed, "machine": cpu()}
        write_whole(args.out, json.dumps({**about, **found}, indent=1))
        print(f"written: {args.out}")


def evaluate(store: Storage, domain: PeptidesDomain, judge: str) -> dict[str, Any]:
    """All tables as plain values."""
    reference = [r for r in store.runs(Stage.REFERENCE) if r.done]
    stbo = {x.task.id: x for x in store.trajectories(reference)}
    if not stbo:
        raise SystemExit(
            "the campaign has no finished reference runs: set validation.reference_budget, run it to its end"
        )
    training = store.trajectories([r for r in store.runs(Stage.TRAIN) if r.done])
    templates = {task: str(x.task.data["template"]) for task, x in stbo.items()}
    methods = [_method("template", 1, {k: _first(x, "default") for k, x in stbo.items()})]
    design = {k: tuple(o for o in x.observations if o.source in ("default", "design")) for k, x in stbo.items()}
    methods.append(_method("initial design", max(map(len, design.values())), design))
    longest = max(len(x.observations) for x in stbo.values())
    for calls in sorted({*(c for c in CALLS if c < longest), longest}):
        methods.append(_method("STBO", calls, {k: x.observations[:calls] for k, x in stbo.items()}))
    retrieved, feasible = _retrieved(domain, templates, training)
    methods += retrieved
    models = store.models()
    samples: dict[str, Any] = {}
    for version in models:
        label = labels(models)[version.round]
        runs = [r for r in store.runs(Stage.VALIDATE, version.round) if r.done]
        drawn = {x.task.id: x.observations for x in store.trajectories(runs)}
        most = max(map(len, drawn.values()), default=0)
        for k in sorted({*(k for k in SAMPLES if k < most), most}):
            methods.append(_method(f"{label} Best@{k}", k, {task: obs[:k] for task, obs in drawn.items()}))
        samples[label] = {
            **_validity(list(drawn.values())),
            "invalid without grammar": version.metrics.get("invalid_raw"),
        }
    nearest = _nearest(templates, training)
    table = _judged(methods, domain, judge)
    return {
        "objective": domain.objective_text,
        "training": len(training),
        "validation": len(stbo),
        "methods": [_row(m, methods[0], table, sorted(stbo)) for m in methods],
        "samples": samples,
        "retrieved solutions that are feasible": feasible,
        "by identity to the nearest training template": _by_distance(methods, table, nearest),
    }


def _first(x: Trajectory, source: str) -> tuple[Observation, ...]:
    return tuple(o for o in x.observations if o.source == source)[:1]


def _method(name: str, calls: int, observed: Mapping[str, Sequence[Observation]]) -> Method:
    best = {
        task: min((o for o in obs if o.complete), key=lambda o: o.value, default=None) for task, obs in observed.items()
    }
    return Method(name, calls, {task: o for task, o in best.items() if o is not None})


# --- other tasks' solutions without a model --------------------------------------------------------------------------


def _retrieved(
    domain: PeptidesDomain, templates: Mapping[str, str], training: Sequence[Trajectory]
) -> tuple[list[Method], float]:
    """The best solutions of the training tasks as they are, and their edits; the share of the former that is feasible."""
    solved = [(str(x.task.data["template"]), x.best.candidate) for x in training if x.best is not None]
    plain: dict[str, list[Observation]] = {}
    edited: dict[str, list[Observation]] = {}
    feasible = []
    for task, template in templates.items():
        alike = identities([template], [t for t, _ in solved])[0].tolist() if solved else []
        ranked = [solved[i] for i in sorted(range(len(solved)), key=lambda i: (-alike[i], i))]
        relatives = [s for _, s in ranked if similarity(template, s) >= domain.least - 1e-9]
        feasible.append(len(relatives) / max(len(solved), 1))
        budget = edit_budget(template, domain.least)
        moved = dict.fromkeys("".join(transplanted(template, t, s, budget)) for t, s in ranked)
        plain[task] = _scored(domain, relatives[: max(RETRIEVED)])
        edited[task] = _scored(domain, [c for c in moved if c != template][: max(RETRIEVED)])
    methods = [_method("retrieved solutions", max(RETRIEVED), plain)]
    methods += [_method("retrieved edits", n, {task: obs[:n] for task, obs in edited.items()}) for n in RETRIEVED]
    return methods, float(np.mean(feasible))


def _scored(domain: PeptidesDomain, candidates: Sequence[str]) -> list[Observation]:
    found = []
    for candidate in candidates:
        try:
            value = float(domain.values([candidate])[0])
        except InvalidCandidate:
            continue
        found.append(Observation(candidate, value, Status.COMPLETE, 0.0, "retrieval"))
    return found


# --- tables ----------------------------------------------------------------------------------------------------------


def _judged(methods: Sequence[Method], domain: PeptidesDomain, judge: str) -> dict[str, float]:
    """Candidate -> the judge's value."""
    texts = sorted({o.candidate for m in methods for o in m.best.values()})
    return {t: v.value for t, v in zip(texts, views(load_judge(judge), domain.objective, texts), strict=True)}


def _row(m: Method, template: Method, judged: Mapping[str, float], tasks: Sequence[str]) -> dict[str, Any]:
    """Sums, and ratios to the template; a task without any feasible candidate of this method counts with its template."""
    pairs = [(m.best.get(t, template.best[t]), template.best[t]) for t in tasks]
    values = np.array([o.value for o, _ in pairs])
    return {
        "method": m.name,
        "calls": m.calls,
        "tasks without a candidate": sum(t not in m.best for t in tasks),
        "sum": _interval(values, lambda v: float(v.sum())),
        "oracle ratio": _ratio([o.value / base.value for o, base in pairs]),
        "judge ratio": _ratio([judged[o.candidate] / judged[base.candidate] for o, base in pairs]),
        "values": {t: o.value for t, (o, _) in zip(tasks, pairs, strict=True)},
    }


def _ratio(ratios: Sequence[float]) -> list[float]:
    return _interval(np.log(ratios), lambda logs: float(np.exp(logs.mean())))


def _interval(values: Any, statistic: Callable[[Any], float], draws: int = 2000) -> list[float]:
    """The statistic and its 95% percentile bootstrap interval over tasks."""
    values = np.asarray(values)
    if not len(values):
        return [math.nan] * 3
    rng = np.random.default_rng(0)
    again = [statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(draws)]
    low, high = np.quantile(again, [0.025, 0.975])
    return [statistic(values), float(low), float(high)]


def _validity(drawn: Sequence[Sequence[Observation]]) -> dict[str, float]:
    """Of the samples that were scored: feasible ones, those with a value, and how many a task had."""
    everyone = [o for observations in drawn for o in observations]
    n = max(len(everyone), 1)
    return {
        "feasible": 1 - sum(o.status is Status.INFEASIBLE for o in everyone) / n,
        "scored": sum(o.complete for o in everyone) / n,
        "distinct samples a task": len(everyone) / max(len(drawn), 1),
    }


def _nearest(templates: Mapping[str, str], training: Sequence[Trajectory]) -> dict[str, float]:
    """Task -> the identity of its template to the most similar training template."""
    if not training:
        return dict.fromkeys(templates, math.nan)
    found = identities(list(templates.values()), [str(x.task.data["template"]) for x in training]).max(axis=1)
    return dict(zip(templates, found.tolist(), strict=True))


def _by_distance(
    methods: Sequence[Method], judged: Mapping[str, float], nearest: Mapping[str, float]
) -> list[dict[str, Any]]:
    """The ratios of each method in groups of equal size, the most distant tasks first."""
    groups = [list(g) for g in np.array_split(sorted(nearest, key=lambda t: (nearest[t], t)), BINS) if len(g)]
    return [
        {
            "identity": [nearest[tasks[0]], nearest[tasks[-1]]],
            "tasks": len(tasks),
            "ratios": {
                f"{row['method']}, {row['calls']}": {k: row[k] for k in ("oracle ratio", "judge ratio")}
                for row in (_row(m, methods[0], judged, tasks) for m in methods)
            },
        }
        for tasks in groups
    ]


def print_tables(found: Mapping[str, Any]) -> None:
    print(
        f"{found['validation']} validation templates, {found['training']} training runs, objective {found['objective']}\n"
    )
    print(
        "| method | calls | sum, µM | over the template's, oracle | judge | no candidate |\n|---|---|---|---|---|---|"
    )
    for row in found["methods"]:
        told = [_told(row[k]) for k in ("sum", "oracle ratio", "judge ratio")]
        print(f"| {row['method']} | {row['calls']} | {' | '.join(told)} | {row['tasks without a candidate']} |")
    print(f"\nother tasks' best solutions that are feasible here: {found['retrieved solutions that are feasible']:.2%}")
    for label, told in found["samples"].items():
        print(f"{label}: " + ", ".join(f"{k} {v:.4g}" for k, v in told.items() if v is not None))
    for group in found["by identity to the nearest training template"]:
        low, high = group["identity"]
        print(f"\n{group['tasks']} templates {low:.2f} to {high:.2f} identical to the nearest training template")
        for method, told in group["ratios"].items():
            print(f"  {method}: oracle {_told(told['oracle ratio'])}, judge {_told(told['judge ratio'])}")


def _told(interval: Sequence[float]) -> str:
    value, low, high = interval
    return f"{value:.3g} ({low:.3g} to {high:.3g})"


if __name__ == "__main__":
    main()
