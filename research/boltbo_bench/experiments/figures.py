"""One picture of an experiment: best values against calls, and Best@k against the number of training tasks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.problem import FloatArray
from boltbo_bench.experiments import calls as lines
from boltbo_bench.experiments.measured import Best, Measured, NotMeasured, common, values

LINES = {
    "STBO": ("#b3541e", "-"), "bolt+bo": ("#0d3373", "--"), "bolt+design+bo": ("#2a7f4f", "--"), "perturb": ("#8a6bbf", "--"),
    "random": ("#999999", "-"), "commonest": ("#8a6bbf", "-"), "retrieval": ("#c07ab8", "-"), "shuffled": ("#c9a227", "-"),
    "augmented": ("#1f9bb4", "-"),
}  # fmt: skip
BEST_AT = (1, 10, 50, 100, 1000)


def draw_experiment(m: Measured, path: Path) -> Path | None:
    """Write the picture; None where there is no model to draw.

    Raises:
        ModuleNotFoundError: matplotlib is missing (`pip install -e research`).
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    try:
        last = m.parts[0].final
    except (NotMeasured, IndexError):
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), constrained_layout=True)
    for method, (color, style) in {last: ("#0d3373", "-"), **LINES}.items():
        try:
            curve = _curve(m, method)
        except NotMeasured:
            continue
        left.plot(np.arange(1, len(curve) + 1), curve, color=color, ls=style, lw=1.6, label=method)
    left.axhline(1, color="#555555", ls=":", lw=1)
    left.set(
        xscale="log", yscale="log", xlabel="oracle calls for each task", ylabel="sum of best values over the default's"
    )
    _against_tasks(m, right)
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(m.title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
    return path


def _curve(m: Measured, method: str) -> FloatArray:
    """The sum of best values after each call over the default's sum, the mean over seeds."""
    having, tasks = common(m.parts, method)
    length = max(p.longest(method) for p in having)
    sums = []
    for p in having:
        own = [lines.curve(p.calls(method)[t], length) for t in tasks]
        filled = [[v if math.isfinite(v) else p.default[t] for v in c] for t, c in zip(tasks, own, strict=True)]
        sums.append(np.sum(filled, axis=0) / sum(p.default[t] for t in tasks))
    return np.asarray(np.mean(sums, axis=0))


def _blue(lightness: float) -> tuple[float, float, float]:
    """From a light to a dark blue as `lightness` goes from 0.75 to 0."""
    dark, light = np.array([0.05, 0.20, 0.45]), np.array([0.62, 0.78, 0.93])
    r, g, b = dark + (light - dark) * lightness / 0.75
    return float(r), float(g), float(b)


def _against_tasks(m: Measured, axes: Any) -> None:
    part = m.parts[0]
    own = [(int(x["tasks"]), str(x["label"])) for x in part.models if not str(x["label"]).endswith("+")]
    refit = [(int(a.removeprefix("tasks=")), a) for a in part.methods if a.removeprefix("tasks=").isdigit()]
    points = sorted([*own, *((t, a) for t, a in refit if t not in dict(own))])
    longest = min(p.longest(method) for _, method in points for p in common(m.parts, method)[0])
    ks = [k for k in BEST_AT if k <= longest]
    for i, k in enumerate(ks):
        heights = []
        for _, method in points:
            having, tasks = common(m.parts, method)
            default = values(having, Best("default"), tasks).sum()
            heights.append(values(having, Best(method, k), tasks).sum() / default)
        shade = 0.75 - 0.75 * (i + 1) / len(ks)
        axes.plot([t for t, _ in points], heights, marker="o", color=_blue(shade), label=f"Best@{k}")
    for name, style in (("initial design", "--"), ("STBO", "-")):
        curve = _curve(m, name)
        axes.axhline(curve[-1], ls=style, color="#b3541e", lw=1.2, label=f"{name} ({len(curve)} calls)")
    axes.axhline(1, color="#555555", ls=":", lw=1, label="default")
    axes.set(xscale="log", yscale="log", xlabel="training tasks that the model has read (T)")
    axes.set_xticks([t for t, _ in points], [str(t) for t, _ in points])
    axes.minorticks_off()
