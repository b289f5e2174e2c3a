"""The picture of a campaign: Best@k of each round's model against the default, the initial design and STBO."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from boltbo.campaign.results import Results

_STBO, _LINE = "#b3541e", "#555555"


def draw(results: Results, path: Path) -> Path:
    """Write the picture as `path` (its suffix says the format: .png, .svg, .pdf).

    Raises:
        ModuleNotFoundError: matplotlib is missing (`pip install 'boltbo[report]'`).
        ValueError: There is nothing to draw yet.
    """
    if not results.rows:
        raise ValueError("no validation task is finished yet: nothing to draw")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), constrained_layout=True)
    _curves(results, left)
    _rounds(results, right)
    figure.suptitle(
        f"{results.name}: {len(results.rows[0].values)} validation tasks, {results.tasks_done} tasks solved"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def _sums(curves: dict[str, list[float]] | object, tasks: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The sum over tasks of the best value after each call; a curve that ended early stays at its last value."""
    assert isinstance(curves, dict)
    longest = max(len(curves[t]) for t in tasks)
    padded = [np.pad(curves[t], (0, longest - len(curves[t])), mode="edge") for t in tasks]
    return np.asarray(np.sum(padded, axis=0))


def _curves(results: Results, axes: object) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    tasks = list(results.rows[0].values)
    bolt = [m for m in results.curves if m.startswith("BOLT")]
    for i, method in enumerate(bolt):
        curve = _sums(results.curves[method], tasks)
        shade = str(0.75 - 0.75 * (i + 1) / len(bolt)) if len(bolt) > 1 else "0"
        axes.plot(
            np.arange(1, len(curve) + 1), curve, color=plt_blue(float(shade)), label=f"{method}, samples alone", lw=1.8
        )
    curve = _sums(results.curves["STBO"], tasks)
    axes.plot(np.arange(1, len(curve) + 1), curve, color=_STBO, label="STBO", lw=1.8)
    axes.axhline(results.row("default").total, color=_LINE, ls=":", lw=1.2, label="default")
    axes.set(xscale="log", xlabel="oracle calls for each task")
    axes.xaxis.set_major_formatter("{x:g}")
    _finish(axes)


def plt_blue(lightness: float) -> tuple[float, float, float]:
    """From a light to a dark blue as `lightness` goes from 0.75 to 0."""
    dark, light = np.array([0.05, 0.20, 0.45]), np.array([0.62, 0.78, 0.93])
    r, g, b = dark + (light - dark) * lightness / 0.75
    return float(r), float(g), float(b)


def _rounds(results: Results, axes: object) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    labels = list(dict.fromkeys(r.method.split()[0] for r in results.rows if r.method.startswith("BOLT")))
    learnt = [label.removeprefix("BOLT-") for label in labels]
    ks = sorted({r.calls for r in results.rows if r.method.startswith("BOLT")})
    for i, k in enumerate(ks):
        rows = [next((r for r in results.rows if r.method == f"BOLT-{t} Best@{k}"), None) for t in learnt]
        points = [(at, r.total) for at, r in enumerate(rows) if r is not None]
        shade = 0.75 - 0.75 * (i + 1) / len(ks)
        axes.plot(*zip(*points, strict=True), marker="o", color=plt_blue(shade), label=f"BOLT Best@{k}")
    for name, style in (("default", ":"), ("initial design", "--"), ("STBO", "-")):
        row = results.row(name)
        axes.axhline(
            row.total,
            ls=style,
            color=_STBO if name == "STBO" else _LINE,
            lw=1.2,
            label=f"{name} ({row.calls} call{'s' * (row.calls != 1)})",
        )
    axes.set(xlabel="training tasks that the model has read (T)")
    axes.set_xticks(range(len(learnt)), learnt)
    _finish(axes)


def _finish(axes: object) -> None:
    """Values on a log scale in plain digits, the legend below the axes, where it hides no curve."""
    from matplotlib.axes import Axes
    from matplotlib.ticker import LogLocator, NullLocator

    assert isinstance(axes, Axes)
    axes.set(yscale="log", ylabel="sum of best values")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    axes.spines[["top", "right"]].set_visible(False)
