"""The picture of `regret.py`: best values against calls for each problem, and what a step costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

COLOURS = {
    "boltbo turbo": "#0b6e4f", "boltbo local": "#7fb069", "botorch turbo": "#c1440e",
    "botorch turbo, 10 L-BFGS iterations": "#e8a87c", "optuna gp": "#3d5a80", "optuna tpe": "#98c1d9", "smac": "#7b2d8b",
    "random": "#999999",
}  # fmt: skip

FEWEST = 3
"""Seeds below which there is no curve."""


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Mean over seeds with a band of one standard error; the last panel: CPU seconds of a step, over all problems."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shown = list(dict.fromkeys(r["problem"] for r in rows))
    columns = 3
    lines = -(-(len(shown) + 1) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(4.2 * columns, 3.1 * lines), squeeze=False)
    for ax, name in zip(axes.flat, shown, strict=False):
        for arm, colour in COLOURS.items():
            own = [r for r in rows if r["problem"] == name and r["arm"] == arm]
            if len(own) < FEWEST:
                continue
            curves, start = np.array([r["best"] for r in own]), own[0]["start"]
            calls, mean = np.arange(start, curves.shape[1] + 1), curves.mean(axis=0)[start - 1 :]
            error = curves.std(axis=0)[start - 1 :] / np.sqrt(len(own))
            ax.plot(calls, mean, color=colour, lw=2.2 if arm == "boltbo turbo" else 1.3, label=arm)
            ax.fill_between(calls, mean - error, mean + error, color=colour, alpha=0.12, lw=0)
        ax.set(title=name, xlabel="oracle calls", ylabel="regret")
    cost = axes.flat[len(shown)]
    arms = [a for a in COLOURS if any(r["arm"] == a for r in rows)]
    seconds = [np.mean([np.mean(r["cpu_seconds_per_step"]) for r in rows if r["arm"] == a]) for a in arms]
    cost.barh(arms, seconds, color=[COLOURS[a] for a in arms])
    cost.set(xscale="log", title="CPU seconds a step (ten candidates)")
    cost.invert_yaxis()
    for ax in axes.flat[len(shown) + 1 :]:
        ax.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=4, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=110)
