"""The tables of one experiment as Markdown. A table whose results are not there raises `NotMeasured`; none is made up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from boltbo.problem import FloatArray
from boltbo_bench.experiments import calls as lines
from boltbo_bench.experiments.arms import IN_CONTEXT
from boltbo_bench.experiments.costs import costs, seconds_a_call, seconds_a_sample
from boltbo_bench.experiments.measured import (
    AGAIN,
    LONGER,
    Best,
    Measured,
    NotMeasured,
    Part,
    bounds,
    common,
    compare,
    compare_winners,
)
from boltbo_bench.experiments.ratios import Interval, interval, ratio

BEST_AT = (1, 10, 50, 100, 1000)
CALLS = (10, 25, 50, 100, 200, 400, 500, 1000, 2000, 4000)
DEFAULT, STBO, DESIGN = Best("default"), Best("STBO"), Best("initial design")
STARTS = ("random", "commonest", "retrieval")
SEARCHES = ("bolt+bo", "bolt+design+bo", "perturb")


def best_at(m: Measured) -> str:
    """Best@k of each round's model, of the starts without a model, and of STBO, over the default's sum."""
    parts, rows = m.parts, list[Sequence[str]]()
    methods = [str(model["label"]) for model in parts[0].models if model["label"] in parts[0].methods]
    for best in dict.fromkeys((DESIGN, STBO, Best(parts[0].full))):
        rows.append(_against_default(parts, best, max(p.longest(best.method) for p in parts)))
    for method in (*methods, *_arms(m, lambda a: a.split(",")[0] in STARTS or a.startswith(("tasks=", "samples=")))):
        longest = max(p.longest(method) for p in common(parts, method)[0])
        for k in sorted({*(k for k in BEST_AT if k < longest), longest}):
            rows.append(_against_default(parts, Best(method, k), k))
    return table(("method", "calls", "sum", "ratio of sums (95% interval)", "typical (95% interval)", "better"), rows)


def _against_default(parts: Sequence[Part], best: Best, k: int) -> Sequence[str]:
    having, tasks = common(parts, best.method)
    found = compare(parts, best, DEFAULT)
    cells = [(p.value(best, t)[0], p.value(DEFAULT, t)[0]) for p in having for t in tasks]
    total = math.fsum(v for v, _ in cells) / len(having)
    star = "*" * bool(bounds(having, best, tasks))
    wins = np.mean([v < d for v, d in cells])
    return (best.method, str(k), f"{total:.4g}{star}", told(found.sums), told(found.typical), f"{wins:.0%}")


def few_shot(m: Measured) -> str:
    """How many calls STBO needs until its sum is as low as Best@k, of as many as it was given (`Part.full`)."""
    parts, full = m.parts, m.parts[0].full
    models = dict.fromkeys((parts[0].last, parts[0].final))
    more = _arms(m, lambda a: a.startswith("samples="))
    having, tasks = common(parts, *models, *more, full)
    length = max(p.longest(full) for p in having)
    curves = np.mean([[_curve(p, full, t, length) for t in tasks] for p in having], axis=0)
    rows = []
    asked = [(model, k) for model in models for k in BEST_AT if k <= max(p.longest(model) for p in having)]
    for model, k in (*asked, *((arm, max(p.longest(arm) for p in having)) for arm in more)):
        goal = np.mean([[p.value(Best(model, k), t)[0] for t in tasks] for p in having], axis=0)

        def needed(i: np.ndarray, goal: FloatArray = goal) -> FloatArray:
            weights = np.array([np.bincount(row, minlength=len(tasks)) for row in i])
            reached = weights @ curves <= (weights @ goal)[:, None] * (1 + 1e-12)
            return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, length + 1).astype(float)

        found = interval(needed, len(tasks))
        against = compare(parts, Best(model, k), Best(full))
        rows.append(
            (
                f"{parts[0].final if model in more else model}, {k} sample{'s' * (k > 1)}",
                _calls(found, length),
                told(against.sums),
                told(against.typical),
            )
        )
    return table(("model", "calls that STBO needs (95% interval)", f"over STBO's {length} calls", "typical"), rows)


def _calls(found: Interval, length: int) -> str:
    def one(x: float) -> str:
        return f"more than {length}" if x > length else f"{x:.0f}"

    return one(found.value) if math.isnan(found.low) else f"{one(found.value)} ({one(found.low)} to {one(found.high)})"


def over_calls(m: Measured) -> str:
    """Searches from several starts over STBO at equal calls."""
    methods = [a for a in _arms(m, lambda a: a.split(",")[0] in SEARCHES) if _has(m, a)]
    if not methods:
        raise NotMeasured("no arm goes on from the first candidates with the optimizer")
    rows = []
    longest = max(p.longest("STBO") for p in m.parts)
    for k in sorted({*(k for k in CALLS if k < longest), longest}):
        found = [compare(m.parts, Best(a, min(k, _longest(m, a))), Best("STBO", k)) for a in methods]
        rows.append((str(k), *(cell for r in found for cell in (told(r.sums), told(r.typical)))))
    return table(("calls", *(name for a in methods for name in (f"{a} / STBO", "typical"))), rows)


def winners(m: Measured) -> str:
    """What each method's best candidates are worth, measured again side by side; empty where they were not."""
    found = m.parts[0].winners
    if not found:
        return ""
    rows = []
    for name in next(iter(found.values())):
        r = compare_winners(m.parts, Best(name), STBO)
        rows.append((name, told(r.sums), told(r.typical), str(r.tasks)))
    r = ratio(np.array([[min(w.values()) for w in found.values()]]), np.array([[w["STBO"] for w in found.values()]]))
    rows.append((f"*virtual best of these {len(rows)}*", told(r.sums), told(r.typical), str(r.tasks)))
    return table(("winners of", "over STBO's (95% interval)", "typical", "tasks"), rows)


def ablations(m: Measured) -> str:
    """The model otherwise trained or asked, over the model as it is (`Part.base_of`), at equal numbers of samples."""
    final, again = m.parts[0].final, AGAIN in m.parts[0].methods
    own = [str(x["label"]) for x in m.parts[0].models if str(x["label"]).endswith("+")]
    skip = (*STARTS, *SEARCHES, "default", LONGER)
    arms = _arms(m, lambda a: a.split(",")[0] not in skip and not a.startswith("transfer:"))
    rows = []
    for method in (*own, *arms):
        other = m.parts[0].base_of(method)
        top = min(_longest(m, method), _longest(m, other))
        for k in [k for k in (1, 10, 50) if k <= top]:
            found = compare(m.parts, Best(method, k), Best(other, k))
            name = method if other == (AGAIN if again else final) else f"{method}, over {other}"
            rows.append((name, str(k), told(found.sums), told(found.typical), str(found.seeds)))
    if not rows:
        raise NotMeasured("no arm trains or asks the model otherwise")
    base = f"{final}, measured again beside the arms" if again else final
    return table(("arm", "samples", f"over {base} (95% interval)", "typical", "seeds"), rows)


def variants(m: Measured) -> str:
    """Campaigns with other settings: their last model over that of the plain campaign."""
    if not m.variants:
        raise NotMeasured("there are no variants")
    rows = []
    for name in m.variants:
        plain = {p.seed: p for p in m.parts}
        pairs = [(p, plain[p.seed]) for p in m.variant(name) if p.seed in plain]
        tasks = [t for t in m.parts[0].default if all(t in q.default for pair in pairs for q in pair)]
        for k in (1, 10, 50):
            if pairs and tasks and all(q.longest(q.last) >= k for pair in pairs for q in pair):
                one, other = (
                    np.array([[pair[i].value(Best(pair[i].last, k), t)[0] for t in tasks] for pair in pairs])
                    for i in (0, 1)
                )
                found = ratio(one, other)
                rows.append((name, str(k), told(found.sums), told(found.typical), str(found.seeds)))
    head = ("variant", "samples", "its last model over the plain campaign's (95% interval)", "typical", "seeds")
    return table(head, rows)


def transfer(m: Measured) -> str:
    """Other multi-task methods against the number of tasks that they learnt from, with their time and memory; then BOLT-T's.

    All over STBO after as many calls.
    """
    arms = _arms(m, lambda a: a.startswith("transfer:"))
    if not arms:
        raise NotMeasured("no other multi-task method was run")
    rows = []
    for arm in arms:
        about = [p.methods[arm] for p in m.parts if arm in p.methods]
        calls = np.mean([1000 * seconds_a_call({**a["seconds"], "oracle": 0.0}, a["calls"]) for a in about])
        method, _, tasks = arm.partition(",")[0].removeprefix("transfer:").partition("@")
        tasks = tasks or ("0" if method == IN_CONTEXT else "all")
        rows.append((method, tasks, *_learner(m, Best(arm, _longest(m, arm)), "learn_seconds", about, float(calls))))
    most = max(_longest(m, arm) for arm in arms)
    try:
        asked = float(np.mean([1000 * seconds_a_sample(p) for p in m.parts]))
    except NotMeasured:
        asked = math.nan
    for model in m.parts[0].models:
        label = str(model["label"])
        about = [x for p in m.parts for x in p.models if x["label"] == label]
        best = Best(label, min(most, _longest(m, label)))
        rows.append((label, str(model["tasks"]), *_learner(m, best, "fit_seconds", about, asked)))
    return table(("method", "tasks", "calls", "over STBO's", "typical", "s to learn", "ms a call", "peak MiB"), rows)


def _learner(m: Measured, best: Best, learning: str, about: Sequence[Mapping[str, Any]], ms: float) -> Sequence[str]:
    found = compare_winners(m.parts, best, Best("STBO", best.k))
    seconds = np.mean([float(a.get(learning) or math.nan) for a in about])
    memory = max(int(a.get("peak_mib") or 0) for a in about)
    numbers = [f"{x:.3g}" if math.isfinite(x) else "" for x in (seconds, ms)]
    return (str(best.k), told(found.sums), told(found.typical), *numbers, str(memory or ""))


def fixed_budget(m: Measured) -> str:
    """Everything at the seconds that STBO takes: oracle, optimizer, samples, and each task's part of the model's making."""
    parts = m.parts
    told_of = [(p, costs(p)) for p in parts]
    rows = []
    stbo = [seconds_a_call(p.methods["STBO"]["seconds"], p.methods["STBO"]["calls"]) * p.longest("STBO") for p in parts]
    rows.append(("STBO", str(parts[0].longest("STBO")), f"{np.mean(stbo):.3g}", "0", "1", "1"))
    for arm in (parts[0].final, *SEARCHES):
        if not _has(m, arm):
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
            (arm, str(k), f"{np.mean(stbo):.3g}", f"{np.mean(model):.3g}", told(found.sums), told(found.typical))
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
        return told(compare([p], Best(method, 10), DEFAULT).typical)
    except NotMeasured:
        return ""


def _curve(p: Part, method: str, task: str, length: int) -> list[float]:
    return [v if math.isfinite(v) else p.default[task] for v in lines.curve(p.calls(method)[task], length)]


def _arms(m: Measured, chosen: Callable[[str], bool]) -> list[str]:
    """The arms of the plain campaigns, in the order of the file."""
    own = {str(model["label"]) for p in m.parts for model in p.models} | {"STBO"}
    return [a for a in dict.fromkeys(a for p in m.parts for a in p.methods) if a not in own and chosen(a)]


def _has(m: Measured, method: str) -> bool:
    return all(method in p.methods for p in m.parts)


def _longest(m: Measured, method: str) -> int:
    return max(p.longest(method) for p in common(m.parts, method)[0])


def told(found: Interval | None) -> str:
    """`0.52 (0.41 to 0.66)`."""
    if found is None or math.isnan(found.value):
        return "-"
    bounds = "" if math.isnan(found.low) else f" ({found.low:.3g} to {found.high:.3g})"
    return f"{found.value:.3g}{bounds}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    out = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*out, *(f"| {' | '.join(row)} |" for row in rows)])
