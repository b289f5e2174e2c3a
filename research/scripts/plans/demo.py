"""What the demo's campaigns found: the table of docs/results/scripts/demo.md, and how many calls from scratch samples are worth.

    make demo demo-seed
    python research/scripts/plans/demo.py keep demo/plans.db --minutes 9 --out research/results/plans-demo.json
    python research/scripts/plans/demo.py keep demo/plans-seed1.db --minutes 9 --out research/results/plans-demo-seed1.json
    python research/scripts/plans/demo.py show research/results/plans-demo.json research/results/plans-demo-seed1.json

`keep` takes a second; the minutes are those that `make` took. `show` prints the table, one column a campaign.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.campaign.results import Results
from boltbo.storage import open_storage
from boltbo.system.files import write_whole
from boltbo_bench.recorded import commit, cpu

SHOWN = ("default", "initial design", "STBO", "BOLT-10 Best@50", "BOLT-30 Best@50")
LAST = "BOLT-30+"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    keep_ = verbs.add_parser("keep", help="write what a storage says as a result file")
    keep_.add_argument("storage")
    keep_.add_argument("--minutes", type=float, required=True, help="what make took")
    keep_.add_argument("--out", type=Path, required=True)
    show_ = verbs.add_parser("show", help="print the table of result files")
    show_.add_argument("files", type=Path, nargs="+")
    args = parser.parse_args()
    if args.verb == "keep":
        keep(args.storage, args.minutes, args.out)
    else:
        show([json.loads(path.read_text()) for path in args.files])


def keep(storage: str, minutes: float, out: Path) -> None:
    with open_storage(storage) as store:
        config = store.find()["config"]
        results = Results.read(store).as_dict()
    results["curves"] = {method: curves for method, curves in results["curves"].items() if method in ("STBO", LAST)}
    target = "demo-seed" if config["seed"] else "demo"
    about = {
        "command": f"make {target}", "commit": commit(), "seed": config["seed"], "minutes": minutes, "machine": cpu(),
    }  # fmt: skip
    write_whole(out, json.dumps({**about, "results": results}, indent=1, default=str) + "\n")


def show(campaigns: list[dict[str, Any]]) -> None:
    for c in campaigns:
        print(f"{c['command']}: commit {c['commit']}, seed {c['seed']}, {c['minutes']:g} minutes, {c['machine']}")
    print("| method | oracle calls |" + "".join(f" seed {c['seed']} | typical |" for c in campaigns))
    print("| --- | --- |" + " --- | --- |" * len(campaigns))
    rows = [{r["method"]: r for r in c["results"]["rows"]} for c in campaigns]
    for method in (*SHOWN, *(f"{LAST} Best@{k}" for k in (1, 10, 50))):
        cells = "".join(f" {_ratio(by[method])} | {by[method]['typical']:.2f} |" for by in rows)
        print(f"| {method} | {rows[0][method]['calls']} |{cells}")
    for k in (10, 50):
        calls = [_worth(c["results"]["curves"], k) for c in campaigns]
        print(f"{LAST}, best of {k}: worth {' and '.join(map(str, calls))} calls of STBO")


def _ratio(row: dict[str, Any]) -> str:
    return f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def _worth(curves: dict[str, dict[str, list[float]]], k: int) -> str:
    """The calls after which STBO's sum over tasks is as low as that of the model's first `k` samples."""
    samples = sum(curve[:k][-1] for curve in curves[LAST].values())
    stbo = np.sum([curves["STBO"][task] for task in curves[LAST]], axis=0)
    reached = np.flatnonzero(stbo <= samples)
    return str(reached[0] + 1) if len(reached) else f"more than {len(stbo)}"


if __name__ == "__main__":
    main()
