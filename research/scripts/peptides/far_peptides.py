"""Whether what was learnt reaches far: the validation templates in thirds, by how like the nearest training template is.

    python research/scripts/peptides/far_peptides.py --out FILE
    python research/scripts/peptides/far_peptides.py --experiment peptides-400 --out FILE

Reads the experiment's committed results and makes no oracle call. The split keeps near copies apart already: no validation
template shares 60% with a training template (`domains/peptides/split.py`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.cli.config import load_config
from boltbo.domains.peptides.similarity import identities
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars
from boltbo_bench.experiments.experiment import read_experiment
from boltbo_bench.experiments.measured import Best, Measured, values
from boltbo_bench.experiments.ratios import ratio

GROUPS = 3
RESULTS = Path(__file__).parents[2] / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--experiment", default="peptides-again", help="an experiment on peptides with committed results"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    alike = nearest_training(args.experiment)
    measured = Measured.read(RESULTS / f"bench-{args.experiment}.json")
    [part] = measured.parts
    last, first = part.final, str(part.models[0]["label"])
    pairs = {
        f"{last}@50 / initial design": (Best(last, 50), Best("initial design")),
        f"{last}@50 / {first}@50": (Best(last, 50), Best(first, 50)),
        f"{last}@50 / retrieval@50": (Best(last, 50), Best("retrieval", 50)),
        f"{last}@50 / STBO": (Best(last, 50), Best("STBO")),
        "BOLT + BO / STBO": (Best("bolt+bo"), Best("STBO", part.longest("bolt+bo"))),
    }
    rows: list[dict[str, Any]] = []
    for group in np.array_split(sorted(alike, key=lambda t: (alike[t], t)), GROUPS):
        tasks = group.tolist()
        row: dict[str, Any] = {
            "identity": [alike[tasks[0]][0], alike[tasks[-1]][0]],
            "tasks": len(tasks),
            "residues": float(np.mean([alike[t][1] for t in tasks])),
        }
        for name, (one, other) in pairs.items():
            if {one.method, other.method} <= {*part.methods, "initial design"}:
                r = ratio(values([part], one, tasks), values([part], other, tasks))
                row[name] = {
                    "sums": [r.sums.value, r.sums.low, r.sums.high],
                    "typical": [r.typical.value, r.typical.low, r.typical.high] if r.typical else None,
                }
        rows.append(row)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    command = " ".join(["python", "research/scripts/peptides/far_peptides.py", *sys.argv[1:]])
    told = {"command": command, "commit": commit, "experiment": args.experiment, "groups": rows}
    write_whole(args.out, json.dumps(told, indent=1) + "\n")
    for row in rows:
        low, high = row["identity"]
        print(f"{low:.2f} to {high:.2f}, {row['tasks']} templates of {row['residues']:.0f} residues on average")
        for name in pairs:
            if name in row:
                print(
                    f"  {name:32}", *(f"{k} {v[0]:.3g} ({v[1]:.3g} to {v[2]:.3g})" for k, v in row[name].items() if v)
                )


def nearest_training(experiment: str) -> dict[str, tuple[float, int]]:
    """Validation task -> the identity of its template to the most similar training template, in [0, 1], and its length."""
    e = read_experiment(experiment)
    loaded = load_config(e.campaign, e.parts[0].changes)
    with (
        tempfile.TemporaryDirectory() as caches,
        loaded.build(loaded.options, loaded.settings.seed, Path(caches), Bars(False)) as problem,
    ):
        own, others = ([str(t.data["template"]) for t in tasks] for tasks in (problem.validation, problem.tasks))
        ids = [t.id for t in problem.validation]
    alike = identities(own, others).max(axis=1).tolist()
    return {id_: (identity, len(text)) for id_, identity, text in zip(ids, alike, own, strict=True)}


if __name__ == "__main__":
    main()
