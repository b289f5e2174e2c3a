"""The tables of what one experiment cost: seconds, memory and models.

A table whose results are not there raises `NotMeasured`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from boltbo_bench.experiments.arms import IN_CONTEXT
from boltbo_bench.experiments.costs import costs, seconds_a_call, seconds_a_sample
from boltbo_bench.experiments.markdown import table, with_interval
from boltbo_bench.experiments.measured import (
    Best,
    Measured,
    NotMeasured,
    Part,
    arms_of,
    compare,
    compare_winners,
    has,
    longest_run,
)

DEFAULT, STBO = Best("default"), Best("STBO")
SEARCHES = ("bolt+bo", "bolt+design+bo", "perturb")


def transfer(m: Measured) -> str:
    """Other multi-task methods against the number of tasks that they learnt from, with their time and memory; then BOLT-T's.

    All over STBO after as many calls.
    """
    arms = arms_of(m, lambda a: a.startswith("transfer:"))
    if not arms:
        raise NotMeasured("no other multi-task method was run")
    rows = []
    for arm in arms:
        about = [p.methods[arm] for p in m.parts if arm in p.methods]
        calls = np.mean([1000 * seconds_a_call({**a["seconds"], "oracle": 0.0}, a["calls"]) for a in about])
        method, _, tasks = arm.partition(",")[0].removeprefix("transfer:").partition("@")
        tasks = tasks or ("0" if method == IN_CONTEXT else "all")
        rows.append((method, tasks, *_learner(m, Best(arm, longest_run(m, arm)), "learn_seconds", about, float(calls))))
    most = max(longest_run(m, arm) for arm in arms)
    try:
        asked = float(np.mean([1000 * seconds_a_sample(p) for p in m.parts]))
    except NotMeasured:
        asked = math.nan
    for model in m.parts[0].models:
        label = str(model["label"])
        about = [x for p in m.parts for x in p.models if x["label"] == label]
        best = Best(label, min(most, longest_run(m, label)))
        rows.append((label, str(model["tasks"]), *_learner(m, best, "fit_seconds", about, asked)))
    return table(("method", "tasks", "calls", "over STBO's", "typical", "s to learn", "ms a call", "peak MiB"), rows)


def _learner(m: Measured, best: Best, learning: str, about: Sequence[Mapping[str, Any]], ms: float) -> Sequence[str]:
    found = compare_winners(m.parts, best, Best("STBO", best.k))
    seconds = np.mean([float(a.get(learning) or math.nan) for a in about])
    memory = max(int(a.get("peak_mib") or 0) for a in about)
    numbers = [f"{x:.3g}" if math.isfinite(x) else "" for x in (seconds, ms)]
    return (str(best.k), with_interval(found.sums), with_interval(found.typical), *numbers, str(memory or ""))


def fixed_budget(m: Measured) -> str:
    """Everything at the seconds that STBO takes: oracle, optimizer, samples, and each task's part of the model's making."""
    parts = m.parts
    told_of = [(p, costs(p)) for p in parts]
    rows = []
    stbo = [seconds_a_call(p.methods["STBO"]["seconds"], p.methods["STBO"]["calls"]) * p.longest("STBO") for p in parts]
    rows.append(("STBO", str(parts[0].longest("STBO")), f"{np.mean(stbo):.3g}", "0", "1", "1"))
    for arm in (parts[0].final, *SEARCHES):
        if not has(m, arm):
            continue
        model, counts = [], []
        for (p, c), seconds in zip(told_of, stbo, strict=True):
            initial = p.longest(arm) if arm == p.final else int(p.told["settings"]["run"]["initial"])
            asks = 0.0 if arm == "perturb" else seconds_a_sample(p) * initial
            model.append(asks + (0.0 if arm == "perturb" else (c.pretrain + c.fine_tuning) / max(c.tasks, 1)))
            a_call = seconds_a_call(p.methods[arm]["seconds"], p.methods[arm]["calls"])
            counts.append(min(p.longest(arm), int((seconds - model[-1]) / max(a_call, 1e-12))))
        k = min(counts)
        if k < 1:
            rows.append((arm, "0", f"{np.mean(stbo):.3g}", f"{np.mean(model):.3g}", "the model alone takes longer", ""))
            continue
        found = compare(parts, Best(arm, k), STBO)
        rows.append(
            (
                arm,
                str(k),
                f"{np.mean(stbo):.3g}",
                f"{np.mean(model):.3g}",
                with_interval(found.sums),
                with_interval(found.typical),
            )
        )
    head = (
        "method",
        "calls within the budget",
        "budget a task, s",
        "of which the model, s",
        "over STBO (95% interval)",
        "typical",
    )
    return table(head, rows)


def seconds(m: Measured) -> str:
    """Where a campaign's seconds went."""
    rows = []
    for p in m.everything:
        c = costs(p)
        places = ", ".join(f"{s:.3g} s at task {place}" for place, s in p.told["train"]["tasks"].items()) or "-"
        rows.append((
            p.variant or "plain", str(p.seed), f"{c.oracle:.4g}", f"{c.optimizer:.4g}", f"{c.pretrain:.4g}",
            f"{c.fine_tuning:.4g}", f"{c.sampling:.4g}", f"{c.model / c.total:.1%}", places,
        ))  # fmt: skip
    head = (
        "campaign",
        "seed",
        "oracle, s",
        "optimizer",
        "pretraining",
        "fine-tuning",
        "samples",
        "model's share",
        "a task's run",
    )
    return table(head, rows)


def trained(m: Measured) -> str:
    """Every model: what it read, how long it learnt, how right it is without a grammar, its first samples, and memory."""
    rows = []
    for p in m.everything:
        own = [(str(read["label"]), read, str(read.get("peak_mib") or "")) for read in p.models]
        arms = [(name, a["model"], str(a.get("peak_mib") or "")) for name, a in p.methods.items() if "model" in a]
        for name, read, peak in (*own, *arms):
            invalid = "" if read.get("invalid_raw") is None else f"{read['invalid_raw']:.0%}"
            found = _first_ten(p, name)
            cells = (str(read["tasks"]), str(read.get("pairs", "")), f"{read['fit_seconds']:.4g}", invalid, found, peak)
            rows.append((f"{p.variant}: {name}" if p.variant else name, str(p.seed), *cells))
    if not rows:
        raise NotMeasured("no model was trained")
    head = (
        "model",
        "seed",
        "tasks",
        "pairs",
        "s of fine-tuning",
        "invalid without grammar",
        "Best@10, typical",
        "peak MiB",
    )
    return table(head, rows)


def _first_ten(p: Part, method: str) -> str:
    try:
        return with_interval(compare([p], Best(method, 10), DEFAULT).typical)
    except NotMeasured:
        return ""
