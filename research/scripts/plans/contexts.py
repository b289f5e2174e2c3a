"""What a model reads of a query, by policy, compared on templates that it has never seen.

    python research/scripts/plans/contexts.py --set domain.workload=FOLDER --storage contexts --out contexts.json

One campaign for each policy, `contexts.toml` each time: the same tasks, default values, seeds and searches; only the text of
the contexts differs, in the pretraining pairs of pretraining too. Stop and repeat it at any time.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from boltbo import Campaign, Task
from boltbo.campaign.results import Results
from boltbo.cli.config import Config, load_config
from boltbo.domains.build import Built
from boltbo.domains.plans.context import Policy
from boltbo.domains.plans.domain import PlansDomain
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path(__file__).parents[2] / "campaigns" / "contexts.toml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument("--storage", default="contexts", help="files STORAGE-POLICY.db and a folder of caches")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    args = parser.parse_args()
    config = load_config(args.config, args.changes)
    found: dict[str, Results] = {}
    with config.build(config.options, config.settings.seed, Path(f"{args.storage}.caches"), Bars()) as problem:
        for policy in get_args(Policy):
            found[policy] = one_policy(config, problem, policy, f"{args.storage}-{policy}.db")
    show(found)
    if args.out:
        record = {"settings": config.settings.resolved(), "domain": dict(config.options)}
        policies: dict[str, Any] = {policy: results.as_dict() for policy, results in found.items()}
        args.out.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**record, "policies": policies}, indent=1, default=str)
        write_whole(args.out, text.replace("Infinity", "null").replace("NaN", "null"))


def one_policy(config: Config, problem: Built, policy: Policy, storage: str) -> Results:
    """The campaign in which contexts are of this policy."""
    assert isinstance(problem.domain, PlansDomain)
    domain = copy.copy(problem.domain)
    domain.context = policy
    writer = domain.context_writer()

    def rewritten(task: Task) -> Task:
        return replace(task, context=writer.write(domain.query(task)))

    tasks, validation = [[rewritten(t) for t in part] for part in (problem.tasks, problem.validation)]
    return Campaign(domain, tasks, validation, settings=config.settings, storage=storage).run()


def show(found: dict[str, Results]) -> None:
    print(
        f"{'context':<10} {'method':<22} {'ratio of sums (95% interval)':>30} {'typical':>8} {'better':>7} {'valid':>6}"
    )
    for policy, results in found.items():
        invalid = results.models[-1]["invalid_raw"] if results.models else None
        for row in results.rows:
            interval = f"{row.ratio:.2f} ({row.low:.2f} to {row.high:.2f})"
            said = f"{invalid:.0%}" if invalid is not None and row.method.startswith("BOLT") else ""
            print(f"{policy:<10} {row.method:<22} {interval:>30} {row.typical:>8.2f} {row.wins:>7.0%} {said:>8}")


if __name__ == "__main__":
    main()
