"""The tables that compare methods of one experiment as Markdown.

A table whose results are not there raises `NotMeasured`; none is made up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from boltbo.problem import FloatArray
from boltbo_bench.experiments import calls as lines
from boltbo_bench.experiments.markdown import table, with_interval
from boltbo_bench.experiments.measured import (
    AGAIN,
    LONGER,
    Best,
    Measured,
    NotMeasured,
    Part,
    arms_of,
    bounds,
    common,
    compare,
    compare_winners,
    has,
    longest_run,
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
    for method in (*methods, *arms_of(m, lambda a: a.split(",")[0] in STARTS or a.startswith(("tasks=", "samples=")))):
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
    return (
        best.method,
        str(k),
        f"{total:.4g}{star}",
        with_interval(found.sums),
        with_interval(found.typical),
        f"{wins:.0%}",
    )


def few_shot(m: Measured) -> str:
    """How many calls STBO needs until its sum is as low as Best@k, of as many as it was given (`Part.full`)."""
    parts, full = m.parts, m.parts[0].full
    models = dict.fromkeys((parts[0].last, parts[0].final))
    more = arms_of(m, lambda a: a.startswith("samples="))
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
                with_interval(against.sums),
                with_interval(against.typical),
            )
        )
    return table(("model", "calls that STBO needs (95% interval)", f"over STBO's {length} calls", "typical"), rows)


def _calls(found: Interval, length: int) -> str:
    def one(x: float) -> str:
        return f"more than {length}" if x > length else f"{x:.0f}"

    return one(found.value) if math.isnan(found.low) else f"{one(found.value)} ({one(found.low)} to {one(found.high)})"


def over_calls(m: Measured) -> str:
    """Searches from several starts over STBO at equal calls."""
    methods = [a for a in arms_of(m, lambda a: a.split(",")[0] in SEARCHES) if has(m, a)]
    if not methods:
        raise NotMeasured("no arm goes on from the first candidates with the optimizer")
    rows = []
    longest = max(p.longest("STBO") for p in m.parts)
    for k in sorted({*(k for k in CALLS if k < longest), longest}):
        found = [compare(m.parts, Best(a, min(k, longest_run(m, a))), Best("STBO", k)) for a in methods]
        rows.append((str(k), *(cell for r in found for cell in (with_interval(r.sums), with_interval(r.typical)))))
    return table(("calls", *(name for a in methods for name in (f"{a} / STBO", "typical"))), rows)


def winners(m: Measured) -> str:
    """What each method's best candidates are worth, measured again side by side; empty where they were not."""
    found = m.parts[0].winners
    if not found:
        return ""
    rows = []
    for name in next(iter(found.values())):
        r = compare_winners(m.parts, Best(name), STBO)
        rows.append((name, with_interval(r.sums), with_interval(r.typical), str(r.tasks)))
    r = ratio(np.array([[min(w.values()) for w in found.values()]]), np.array([[w["STBO"] for w in found.values()]]))
    rows.append((f"*virtual best of these {len(rows)}*", with_interval(r.sums), with_interval(r.typical), str(r.tasks)))
    return table(("winners of", "over STBO's (95% interval)", "typical", "tasks"), rows)


def ablations(m: Measured) -> str:
    """The model otherwise trained or asked, over the model as it is (`Part.base_of`), at equal numbers of samples."""
    final, again = m.parts[0].final, AGAIN in m.parts[0].methods
    own = [str(x["label"]) for x in m.parts[0].models if str(x["label"]).endswith("+")]
    skip = (*STARTS, *SEARCHES, "default", LONGER)
    arms = arms_of(m, lambda a: a.split(",")[0] not in skip and not a.startswith("transfer:"))
    rows = []
    for method in (*own, *arms):
        other = m.parts[0].base_of(method)
        top = min(longest_run(m, method), longest_run(m, other))
        for k in [k for k in (1, 10, 50) if k <= top]:
            found = compare(m.parts, Best(method, k), Best(other, k))
            name = method if other == (AGAIN if again else final) else f"{method}, over {other}"
            rows.append((name, str(k), with_interval(found.sums), with_interval(found.typical), str(found.seeds)))
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
                rows.append((name, str(k), with_interval(found.sums), with_interval(found.typical), str(found.seeds)))
    head = ("variant", "samples", "its last model over the plain campaign's (95% interval)", "typical", "seeds")
    return table(head, rows)


def _curve(p: Part, method: str, task: str, length: int) -> list[float]:
    return [v if math.isfinite(v) else p.default[task] for v in lines.curve(p.calls(method)[task], length)]
