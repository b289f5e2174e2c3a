"""What a search of query plans gains: default, Bao's hint sets, single-task BO and evolution on the same queries.

    python research/scripts/plans/plans.py search  --workload FOLDER --storage plans.db     an hour; stop and repeat it at any time
    python research/scripts/plans/plans.py compare --workload FOLDER --storage plans.db     winners and defaults in turn, results compared
    python research/scripts/plans/plans.py report  --storage plans.db --out plans.json      the tables

`search`: for each query one run of the domain's own optimizer and one of evolution without a model, both from the same initial design (the default
plan and Bao's distinct hint sets), so that Best@100 is the beginning of the same run. `compare`: the best plan of each arm
and the default in turn, so that drift of the machine's speed cancels; full results of the winners and of random plans
compared with the default's; the match rate of each dialect by EXPLAIN on random plans.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.campaign.run import solve
from boltbo.domains.build import Built
from boltbo.domains.plans.build import build
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.language.explain import follows, plan_from_explain
from boltbo.domains.plans.language.grammar import PlanGrammar
from boltbo.domains.plans.search.random_plans import random_plans
from boltbo.domains.plans.server.choose_dialect import choose
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.server.latency import Latency
from boltbo.domains.plans.server.measure import measure as measure_plan
from boltbo.domains.plans.server.paired import Comparison
from boltbo.problem import Observation, Task
from boltbo.proposers import seed_of
from boltbo.storage import Run, Stage, open_storage
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars

OPTIMIZERS = {"STBO": "auto", "evolution": "evolution"}
CUTS = (100, 400)
RANDOM, RANDOM_SECONDS = 4, 0.4
"""Random plans of each query whose results are checked, and how long one may take"""
MATCHED = {"hints": True, "leading": False, "sql": True, "order": True}
"""Dialects whose match rate is measured, and whether on large queries too: a Leading hint makes the server search all orders"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("search", "compare", "report"))
    parser.add_argument("--workload", type=Path, help="a folder of .sql files")
    parser.add_argument("--storage", default="plans.db")
    parser.add_argument("--out", type=Path, help="write the tables as JSON")
    parser.add_argument("--database", default="embedded")
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--queries", type=int, default=65)
    parser.add_argument("--calls", type=int, default=max(CUTS))
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--objective", default="latency")
    parser.add_argument("--dialect", default="sql")
    parser.add_argument("--hint-plan", default="pg_hint_plan")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.step == "report":
        report(args)
        return
    if args.workload is None:
        parser.error("--workload names a folder of .sql files")
    options = {
        "workload": str(args.workload), "database": args.database, "scale": args.scale,
        "train": args.queries if args.step == "search" else 1,  # the tasks compared are those that were searched
        "validation": 0, "queries": 4 * args.queries, "dialect": args.dialect, "objective": args.objective,
        "hint_plan": args.hint_plan,
    }  # fmt: skip
    with build(options, args.seed, Path(args.storage).with_suffix(f".{args.step}.tasks"), Bars()) as problem:
        (search if args.step == "search" else measure)(args, problem)


# -- search -------------------------------------------------------------------------------------------------------------


def search(args: argparse.Namespace, problem: Built) -> None:
    bars = Bars()
    with bars.track("searches", len(problem.tasks)) as update:
        for i, task in enumerate(problem.tasks):
            design = [
                (c, "default" if c == "default" else "design")
                for c in problem.domain.initial_design(task, 49, np.random.default_rng(seed_of(args.seed, task.id)))
            ]
            for arm, optimizer in OPTIMIZERS.items():
                with open_storage(args.storage) as store:
                    store.attach(arm, "plans", {"calls": args.calls, "seed": args.seed, "dialect": args.dialect}, "")
                    known = {r.task.id: r for r in store.runs()}
                    if task.id not in known:
                        seed = seed_of(args.seed, arm, task.id)
                        store.add_runs([Run(Stage.SINGLE, i, task, tuple(design), args.calls, 1, optimizer, {}, seed)])
                        known = {r.task.id: r for r in store.runs()}
                    if not known[task.id].done:
                        solve(problem.domain, store, known[task.id].id)
            update(i + 1, len(problem.tasks))


# -- compare ------------------------------------------------------------------------------------------------------------


def measure(args: argparse.Namespace, problem: Built) -> None:
    assert isinstance(problem.domain, PlansDomain)
    domain, path = problem.domain, Path(args.storage).with_suffix(".compared.jsonl")
    done = {json.loads(line)["task"] for line in path.read_text().splitlines()} if path.exists() else set()
    found = _winners(args.storage)
    with open_storage(args.storage) as store:
        store.find(next(iter(OPTIMIZERS)))
        tasks = [r.task for r in store.runs() if r.task.id in found and r.task.id not in done]
    with Bars().track("comparisons", len(tasks)) as update:
        for i, task in enumerate(tasks):
            line = {"task": task.id, "relations": len(domain.query(task).relations)}
            line["arms"] = _compared(args, domain, task, found[task.id])
            line |= _results_equal(domain, task, found[task.id], args.seed)
            line["match"] = _matches(domain, task, args)
            line["overhead_ms"] = _overheads(domain, task, found[task.id])
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            update(i + 1, len(tasks))


def _winners(storage: str) -> dict[str, dict[str, Observation]]:
    """Task id -> arm -> its best observation."""
    found: dict[str, dict[str, Observation]] = {}
    for arm in OPTIMIZERS:
        with open_storage(storage) as store:
            store.find(arm)
            for t in store.trajectories([r for r in store.runs() if r.done]):
                for name, observations in _prefixes(arm, t.observations):
                    complete = [o for o in observations if o.complete]
                    if complete:
                        found.setdefault(t.task.id, {})[name] = min(complete, key=lambda o: o.value)
    return {task: arms for task, arms in found.items() if len(arms) == 1 + len(OPTIMIZERS) * len(CUTS)}


def _prefixes(arm: str, observations: Sequence[Observation]) -> list[tuple[str, Sequence[Observation]]]:
    own = [(f"{arm}, {k} calls", observations[:k]) for k in CUTS]
    design = [o for o in observations if o.source in ("default", "design")]
    return [("Bao sets", design), *own] if arm == "STBO" else own


def _compared(
    args: argparse.Namespace, domain: PlansDomain, task: Task, winners: dict[str, Observation]
) -> dict[str, Any]:
    """The default and each arm's winner in turn, to and fro; arms with the same winner share its executions.

    As `boltbo plans export` does for one candidate (`paired.compare`), but the default is executed once for all of them.
    """
    order = list(dict.fromkeys(["default", *(w.candidate for w in winners.values())]))
    seconds: dict[str, list[float]] = {candidate: [] for candidate in order}
    for i in range(1 + args.pairs):
        for candidate in reversed(order) if i % 2 else order:
            statement = domain.statement(task, candidate)
            m = measure_plan(
                domain.server, statement.sql, statement.settings,
                objective=domain.objective, limit=domain.max_seconds, beat=0.0,
            )  # fmt: skip
            if i > 0:  # the first warms the cache
                seconds[candidate].append(m.value)
    return {
        arm: {
            "candidate": w.candidate,
            "searched": w.value,
            **asdict(Comparison.of(seconds["default"], seconds[w.candidate])),
        }
        for arm, w in winners.items()
    }


def _results_equal(domain: PlansDomain, task: Task, winners: dict[str, Observation], seed: int) -> dict[str, int]:
    """Full results, of the winners and of random plans that end in time, against the default's."""
    import psycopg

    query = domain.query(task)
    drawn = random_plans(query, RANDOM, np.random.default_rng(seed), domain.dialect.abilities)
    plans = [*{w.candidate for w in winners.values()}, *drawn]
    expected = Counter(domain.server.query(query.sql))
    checked = wrong = 0
    for plan in plans:
        statement = domain.statement(task, plan)
        try:
            with domain.server.read_only(statement.settings, RANDOM_SECONDS) as cursor:
                cursor.execute(statement.sql.encode())
                checked += 1
                wrong += Counter(cursor.fetchall()) != expected
        except psycopg.errors.QueryCanceled:
            continue
    return {"results_checked": checked, "results_wrong": wrong}


def _matches(domain: PlansDomain, task: Task, args: argparse.Namespace, n: int = 10) -> dict[str, list[int]]:
    """Dialect -> (random plans followed, asked), by EXPLAIN."""
    query = domain.query(task)
    counts: dict[str, list[int]] = {}
    for name, always in MATCHED.items():
        if not always and len(query.relations) > 9:
            continue
        server = Server(domain.server.url, hint_plan=args.hint_plan)
        try:
            dialect = choose(server, name)  # type: ignore[arg-type]
        except ValueError:
            continue
        grammar = PlanGrammar(query, dialect.abilities)
        followed = 0
        for text in random_plans(query, n, np.random.default_rng(args.seed), dialect.abilities):
            plan = grammar.parse(text)
            statement = dialect.render(query, plan)
            executed = plan_from_explain(server.explain(statement.sql, statement.settings), query, dialect.abilities)
            followed += follows(executed, plan, query, dialect.abilities)
        counts[name] = [followed, n]
        server.close()
    return counts


def _overheads(domain: PlansDomain, task: Task, winners: dict[str, Observation], n: int = 5) -> list[float]:
    """Milliseconds of a whole oracle call of the default plan beyond planning and one execution."""
    overheads = []
    for _ in range(n):
        started = time.perf_counter()
        statement = domain.statement(task, "default")
        m = measure_plan(
            domain.server, statement.sql, statement.settings, objective=Latency(), limit=domain.max_seconds, beat=0.0
        )
        overheads.append(1e3 * (time.perf_counter() - started - sum(m.values) - m.planning))
    return overheads


# -- report -------------------------------------------------------------------------------------------------------------


def report(args: argparse.Namespace) -> None:
    lines = [json.loads(line) for line in Path(args.storage).with_suffix(".compared.jsonl").read_text().splitlines()]
    arms = list(lines[0]["arms"])
    table = {"default": _row([1.0] * len(lines), [_median(x["arms"][arms[0]]["before"]) for x in lines], lines)}
    for arm in arms:
        ratios = [x["arms"][arm]["ratio"] for x in lines]
        table[arm] = _row(ratios, [_median(x["arms"][arm]["after"]) for x in lines], lines, arm)
    match: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for x in lines:
        for name, (followed, n) in x["match"].items():
            match[name] += followed
            asked[name] += n
    overheads = [o for x in lines for o in x["overhead_ms"]]
    answer = {
        "command": "python research/scripts/plans/plans.py search|compare|report", "machine": platform.processor() or platform.machine(),
        "queries": len(lines), "pairs": len(lines[0]["arms"][arms[0]]["before"]), "table": table,
        "match": {k: [match[k] / asked[k], asked[k]] for k in asked},
        "results": {"checked": sum(x["results_checked"] for x in lines), "wrong": sum(x["results_wrong"] for x in lines)},
        "overhead_ms": {"median": float(np.median(overheads)), "p90": float(np.quantile(overheads, 0.9))},
    }  # fmt: skip
    if args.out:
        write_whole(args.out, json.dumps({**answer, "tasks": lines}, indent=1))
    print(json.dumps(answer, indent=1))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def _row(
    ratios: Sequence[float], after: Sequence[float], lines: Sequence[dict[str, Any]], arm: str | None = None
) -> dict[str, Any]:
    """Speed-ups (before over after) and the workload's total over the default's, with bootstrap intervals over queries."""
    speed = 1 / np.array(ratios)
    first = next(iter(lines[0]["arms"]))
    before = np.array([_median(x["arms"][arm or first]["before"]) for x in lines])
    now = np.array(after)
    rng = np.random.default_rng(0)
    draws = rng.integers(len(lines), size=(2000, len(lines)))

    def interval(statistic: Any) -> list[float]:
        return [float(q) for q in np.quantile([statistic(d) for d in draws], [0.025, 0.975])]

    return {
        "median": [float(np.median(speed)), *interval(lambda d: np.median(speed[d]))],
        "p90": [float(np.quantile(speed, 0.9)), *interval(lambda d: np.quantile(speed[d], 0.9))],
        "max": float(speed.max()),
        "faster": None if arm is None else float(np.mean([x["arms"][arm]["faster"] for x in lines])),
        "total": [float(now.sum() / before.sum()), *interval(lambda d: now[d].sum() / before[d].sum())],
        "seconds": float(now.sum()),
    }


if __name__ == "__main__":
    main()
