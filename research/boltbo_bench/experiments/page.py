"""`docs/results.md`: the targets, then the tables and figures of every experiment that has a result file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from boltbo.errors import ConfigError
from boltbo_bench.experiments import tables
from boltbo_bench.experiments.figures import draw_experiment
from boltbo_bench.experiments.measured import Measured, NotMeasured
from boltbo_bench.experiments.ratios import Interval
from boltbo_bench.experiments.tables import table, told
from boltbo_bench.experiments.targets import Target, targets

SECTIONS: tuple[tuple[str, str, Callable[[Measured], str]], ...] = (
    ("Best@k against T", "Best value after so many calls, over the default's; BOLT-T: the model of T tasks, its samples "
     "alone. *: of some task there is only a bound, or the default for want of any value.", tables.best_at),
    ("Few-shot against full STBO", "", tables.few_shot),
    ("With the optimizer, over calls", "", tables.over_calls),
    ("Winners measured again", "The best of so many calls, the default and the initial design, all of a task measured again "
     "within seconds (`research/scripts/winners.py`): of noisy values the least of many is a luckier one than of few. "
     "*Virtual best*: for each task the least of all its values; a plan that none of them found may be lower.",
     tables.winners),
    ("The model otherwise trained or asked", "", tables.ablations),
    ("Other campaigns", "", tables.variants),
    ("Other multi-task methods", "All over STBO after as many calls, from the same initial design, of winners measured again "
     "where they were; *ms a call* is without the oracle. Beside them the samples of BOLT-T, which have no optimizer; "
     "*s to learn* is their fine-tuning.", tables.transfer),
    ("At one fixed total budget", "All at the seconds that STBO takes for a task: oracle, optimizer, samples, and pretraining "
     "and fine-tunings divided among the training tasks. The calls of the training runs are not divided: they solved tasks of "
     "their own.", tables.fixed_budget),
    ("Seconds of the campaigns' training", "Wall time within the process; pretraining is short where it came from the cache.",
     tables.seconds),
    ("Models", "What each read, the share of its samples that the grammar would refuse, its first ten samples over the "
     "default's value, and the most memory that the process held while it was made.", tables.trained),
)  # fmt: skip

HEAD = """\
# Results

Written by `boltbo-bench tables` from `research/results/bench-*.json`; nothing here is typed by hand. Lower values are
better. *Ratio of sums*: the sum of the best values over the validation tasks over the other's sum, as the paper reports it.
*Typical*: the geometric mean over tasks of value over value, which no single large task decides. Both with 95% percentile
bootstrap intervals over tasks, in pairs; where there are several seeds, a task's values are averaged over them first. Targets
are read from winners measured again side by side where they were ("values: again"). How an arm is made stands in
[`bench/arms.py`](../src/boltbo/bench/arms.py).
"""


def write_page(results: Path, out: Path) -> list[Path]:
    """Write the page and its figures.

    Raises:
        ConfigError: There is no result file, or one cannot be read.
    """
    files = sorted(results.glob("bench-*.json"))
    if not files:
        raise ConfigError(f"there is no result file bench-*.json in {results}: make one with boltbo-bench run NAME")
    written, text = [out], [HEAD, "## Targets\n", target_table(targets(results)), ""]
    out.parent.mkdir(parents=True, exist_ok=True)
    for path in files:
        m = Measured.read(path)
        text += section(m)
        figure = draw_experiment(m, out.with_name(f"{out.stem}-{m.name}.png"))
        if figure is not None:
            text += [f"![{m.title}: best values against calls, and against T]({figure.name})", ""]
            written.append(figure)
    out.write_text("\n".join(text).rstrip() + "\n")
    return written


def section(m: Measured) -> list[str]:
    """The lines of one experiment."""
    parts = m.everything
    first = parts[0].told
    packages = ", ".join(f"{k} {v}" for k, v in first["versions"].items())
    commits = ", ".join(dict.fromkeys(str(p.told["commit"]) for p in parts))
    trained = parts[0].models[-1]["tasks"] if parts[0].models else 0
    seeds = ", ".join(str(p.seed) for p in m.parts)
    text = [
        f"## {m.title}",
        "",
        f"`{m.name}`, version {m.version}: {trained} training and {first['validation']} validation tasks, seeds {seeds}; "
        f"commit {commits}; {packages}; {first['machine']['cores']} cores.",
        "",
        "```console",
        *(f"$ {command}" for command in m.commands),
        "```",
        "",
    ]  # fmt: skip
    missing = []
    for name, note, make in SECTIONS:
        try:
            made_table = make(m)
        except NotMeasured as error:
            missing.append(f"{name.lower()} ({error})")
            continue
        if made_table:
            text += [f"### {name}", "", *([note, ""] if note else []), made_table, ""]
    if missing:
        text += [f"Not measured here: {'; '.join(missing)}.", ""]
    return text


def target_table(found: list[Target]) -> str:
    """The targets as Markdown."""
    rows = []
    for t in found:
        ratio = "not measured" if t.ratio is None else f"{t.ratio:.3g}"
        if t.interval is not None and t.ratio is not None:
            ratio = told(Interval(t.ratio, *t.interval))
        typical = "" if t.typical is None else told(Interval(*t.typical))
        met = {True: "yes", False: "no", None: "-"}[t.met]
        values = "again" if t.again else ""
        rows.append((t.name, ratio, typical, t.goal, met, values, str(t.tasks or ""), str(t.seeds or "")))
    head = ("target", "ratio of sums (95% interval)", "typical", "goal", "met", "values", "tasks", "seeds")
    return table(head, rows)
