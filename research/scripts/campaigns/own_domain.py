"""How the first candidates of the README's own domain do on new tasks, beside the initial design, STBO and a look-up.

    python research/scripts/campaigns/own_domain.py --seeds 5 --jobs 2 --out research/results/own-domain.json      some minutes

Runs the example of README.md as it stands there, once for each seed: the seed draws the tasks and is the campaign's. Values are
of the best candidate after so many calls on the validation tasks, the mean over the tasks of all seeds with a 95% bootstrap
interval over them. *Look-up*: the distilled solutions of the training tasks with the most similar contexts (`Retrieval`).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.campaign.distil import training_pairs
from boltbo.proposers.retrieval import Retrieval
from boltbo.system.files import write_whole
from boltbo_bench.recorded import commit, cpu, interval

ROOT = next(p for p in Path(__file__).resolve().parents if (p / "CITATION.cff").exists())
CALLS = {"initial design": (10,), "STBO": (10, 20, 30, 60), "look-up": (1, 10), "BOLT-40": (1, 10)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time, each a process")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    about = {
        "command": f"python research/scripts/campaigns/own_domain.py --seeds {args.seeds}",
        "commit": commit(),
        "machine": cpu(),
        "seeds": args.seeds,
    }
    values: dict[str, list[float]] = {}
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        for seed, found in enumerate(pool.map(curves, range(args.seeds))):
            for name, calls in CALLS.items():
                for k in calls:
                    values.setdefault(f"{name}, {k}", []).extend(float(min(curve[:k])) for curve in found[name])
            print(f"seed {seed}: " + "; ".join(f"{name} {np.mean(v):.1f}" for name, v in values.items()), flush=True)
    if args.out:
        write_whole(args.out, json.dumps({**about, "rows": rows(values)}, indent=1) + "\n")


def rows(values: dict[str, list[float]]) -> list[dict[str, Any]]:
    """One for each method and number of calls."""
    return [
        {"method": name, "tasks": len(v), "mean": float(np.mean(v)), "interval": interval(np.array(v)), "values": v}
        for name, v in values.items()
    ]


def curves(seed: int) -> dict[str, list[list[float]]]:
    """Method -> the values of its calls on each validation task, in the order in which they were made."""
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    example = example.replace("Random(0)", f"Random({seed})").replace("Settings(\n", f"Settings(seed={seed},\n")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        scope: dict[str, Any] = {"__name__": "example"}
        exec(compile(example, "README.md", "exec"), scope)
        os.chdir(ROOT)
        campaign = scope["campaign"]
        domain = campaign.domain
        found = campaign.results().curves
        trajectories = campaign.trajectories()
        pairs = training_pairs(domain, trajectories, campaign.settings.distil)
        retrieval = Retrieval.of(domain, trajectories, pairs, by="similarity")
        looked_up = [
            [domain.evaluate(task, candidate, None) for candidate, _ in proposals]
            for task, proposals in zip(
                campaign.validation, retrieval.propose(campaign.validation, 10, seed), strict=True
            )
        ]
        return {
            "initial design": list(found["STBO"].values()),
            "STBO": list(found["STBO"].values()),
            "look-up": looked_up,
            "BOLT-40": list(found["BOLT-40"].values()),
        }


if __name__ == "__main__":
    main()
