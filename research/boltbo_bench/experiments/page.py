"""`docs/results/`: an index with the targets, and one page with its picture for every experiment that has a result file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from boltbo.errors import ConfigError
from boltbo.system.files import write_whole
from boltbo_bench.experiments import cost_tables, tables
from boltbo_bench.experiments.figures import draw_experiment
from boltbo_bench.experiments.markdown import table, with_interval
from boltbo_bench.experiments.measured import Best, Measured, NotMeasured, compare_winners
from boltbo_bench.experiments.ratios import Interval
from boltbo_bench.experiments.targets import Target, targets

SECTIONS: tuple[tuple[str, str, Callable[[Measured], str]], ...] = (
    ("Best@k against T", "Best value after so many calls, over the default's; BOLT-T: the model of T tasks, its samples "
     "alone. *: of some task there is only a bound, or the default for want of any value.", tables.best_at),
    ("Few-shot against full STBO", "", tables.few_shot),
    ("With the optimizer, over calls", "", tables.over_calls),
    ("Winners measured again", "The best of so many calls, the default and the initial design, all of a task measured again "
     "within seconds (`research/scripts/plans/winners.py`): of noisy values the least of many is a luckier one than of few. "
     "*Virtual best*: for each task the least of all its values; a plan that none of them found may be lower.",
     tables.winners),
    ("The model otherwise trained or asked", "", tables.ablations),
    ("Other campaigns", "", tables.variants),
    ("Other multi-task methods", "All over STBO after as many calls, from the same initial design, of winners measured again "
     "where they were; *ms a call* is without the oracle. Beside them the samples of BOLT-T, which have no optimizer; "
     "*s to learn* is their fine-tuning.", cost_tables.transfer),
    ("At one fixed total budget", "All at the seconds that STBO takes for a task: oracle, optimizer, samples, and pretraining "
     "and fine-tunings divided among the training tasks. The calls of the training runs are not divided: they solved tasks of "
     "their own.", cost_tables.fixed_budget),
    ("Seconds of the campaigns' training", "Wall time within the process; pretraining is short where it came from the cache.",
     cost_tables.seconds),
    ("Models", "What each read, the share of its samples that the grammar would refuse, its first ten samples over the "
     "default's value, and the most memory that the process held while it was made.", cost_tables.trained),
)  # fmt: skip

FOLDED = ("Seconds of the campaigns' training", "Models")
"""Long tables that a reader opens by a click"""

BOOTSTRAP = """\
*Ratio of sums*: the sum of the best values over the validation tasks over the other's sum, as the paper reports it; lower is
better. *Typical*: the geometric mean over tasks of value over value, which no single large task decides. Both with 95%
percentile bootstrap intervals over tasks, in pairs; where there are several seeds, a task's values are averaged first."""

INDEX = f"""\
# Results

What was claimed, and what was measured. `boltbo-bench tables` writes these pages from `research/results/bench-*.json`, and
`boltbo-bench run NAME` writes such a file; nothing here is typed by hand. How an arm of an experiment is made stands in
[`arms.py`](../../research/boltbo_bench/experiments/arms.py), the story of the measurements in the
[notebook](../../research/notebook/README.md), and what single scripts measured in [`scripts/`](scripts/index.md).

{BOOTSTRAP}

## Targets

Targets are read from winners measured again side by side where they were ("values: again").
"""


def write_pages(results: Path, out: Path) -> list[Path]:
    """Write `index.md` and, for each experiment, NAME.md and NAME.png into the folder `out`.

    Raises:
        ConfigError: There is no result file, or one cannot be read.
    """
    files = sorted(results.glob("bench-*.json"))
    if not files:
        raise ConfigError(f"there is no result file bench-*.json in {results}: make one with boltbo-bench run NAME")
    out.mkdir(parents=True, exist_ok=True)
    every = [Measured.read(path) for path in files]
    written = [_written(out / "index.md", [INDEX, target_table(targets(results)), "", *_list(every)])]
    for m in every:
        figure = draw_experiment(m, out / f"{m.name}.png")
        written.append(_written(out / f"{m.name}.md", page(m, figure)))
        written += [figure] if figure is not None else []
    return written


def _written(path: Path, lines: list[str]) -> Path:
    write_whole(path, "\n".join(lines).rstrip() + "\n")
    return path


def _list(every: list[Measured]) -> list[str]:
    rows = [(f"[{m.name}]({m.name}.md)", m.question or m.title, answer(m)) for m in every]
    return ["## Experiments", "", table(("experiment", "question", "answer"), rows)]


def page(m: Measured, figure: Path | None) -> list[str]:
    """The lines of one experiment: question, answer, command, picture, tables."""
    parts = m.everything
    first = parts[0].told
    packages = ", ".join(f"{k} {v}" for k, v in first["versions"].items())
    commits = ", ".join(dict.fromkeys(str(p.told["commit"]) for p in parts))
    trained = parts[0].models[-1]["tasks"] if parts[0].models else 0
    seeds = ", ".join(str(p.seed) for p in m.parts)
    text = [f"# {m.title}", ""]
    text += [part for line in (m.question, answer(m)) if line for part in (line, "")]
    text += ["```console", *(f"$ {command}" for command in m.commands), "```", ""]
    text += [
        f"`{m.name}`, version {m.version}: {trained} training and {first['validation']} validation tasks, seeds {seeds}; "
        f"commit {commits}; {packages}; {first['machine']['cores']} cores. The [index](index.md) explains the columns.",
        "",
    ]
    if figure is not None:
        text += [f"![{m.title}: best values against calls, and against T]({figure.name})", ""]
    missing = []
    for name, note, make in SECTIONS:
        try:
            made_table = make(m)
        except NotMeasured as error:
            missing.append(f"{name.lower()} ({error})")
            continue
        if made_table:
            body = [*([note, ""] if note else []), made_table, ""]
            if name in FOLDED:
                text += [f"<details><summary>{name}</summary>", "", *body, "</details>", ""]
            else:
                text += [f"## {name}", "", *body]
    if missing:
        text += [f"Not measured here: {'; '.join(missing)}.", ""]
    return text


def answer(m: Measured) -> str:
    """One sentence: fifty samples of the last model, or as many as there are, over the longest search from scratch."""
    try:
        p = m.parts[0]
        k, length = min(50, p.longest(p.final)), p.longest(p.full)
        found = compare_winners(m.parts, Best(p.final, k), Best(p.full))
    except (NotMeasured, IndexError):
        return ""
    again = ", of winners measured again" if found.again else ""
    return (
        f"{k} samples of {p.final}, without an optimizer, are at {with_interval(found.sums)} of STBO's {length} calls by sums, "
        f"{with_interval(found.typical)} typical{again}."
    )


def target_table(found: list[Target]) -> str:
    """The targets as Markdown."""
    rows = []
    for t in found:
        ratio = "not measured" if t.ratio is None else f"{t.ratio:.3g}"
        if t.interval is not None and t.ratio is not None:
            ratio = with_interval(Interval(t.ratio, *t.interval))
        typical = "" if t.typical is None else with_interval(Interval(*t.typical))
        met = {True: "yes", False: "no", None: "-"}[t.met]
        values = "again" if t.again else ""
        rows.append((t.name, ratio, typical, t.goal, met, values, str(t.tasks or ""), str(t.seeds or "")))
    head = ("target", "ratio of sums (95% interval)", "typical", "goal", "met", "values", "tasks", "seeds")
    return table(head, rows)
