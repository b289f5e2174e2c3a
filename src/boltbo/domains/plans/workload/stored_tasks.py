"""A campaign's tasks in a file beside its storage: made once, since their default values and estimates must not change in the
middle of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.options import PlansOptions
from boltbo.domains.plans.workload.files import Named
from boltbo.domains.plans.workload.outcomes import Outcomes
from boltbo.domains.plans.workload.tasks import Part, Parts
from boltbo.problem import Task
from boltbo.system.files import write_whole

_NOT_OF_TASKS = ("space", "timeout", "workload", "queries_digest")
PARTS: tuple[Part, Part] = ("train", "validation")


class StoredTasks:
    """The tasks of one workload under some options.

    Those of other options, whose campaign may be in the same storage, stay where they are, and these are kept beside them.

    Args:
        path: The file; others lie beside it by the digest of their options.
        options: What the tasks depend on.
        seed: The campaign's seed.
        queries: The workload's queries, where they lie in files; None: its options say what they are.
    """

    def __init__(self, path: Path, options: PlansOptions, seed: int, queries: Sequence[Named] | None) -> None:
        self.path = path
        self.key: dict[str, Any] = {**options.model_dump(mode="json"), "seed": seed}
        if queries is not None:
            self.key["queries_digest"] = _digest(queries)
        self._digest = _digest({k: v for k, v in self.key.items() if queries is None or k != "workload"})
        self._beside = path.with_stem(f"{path.stem}-{self._digest}")

    def read(self, domain: PlansDomain) -> Parts | None:
        """The tasks, None where they are not made yet; the domain goes on in the dialect and by the objective they began in."""
        for path in (self._beside, self.path, *sorted(self.path.parent.glob(f"{self.path.stem}-*{self.path.suffix}"))):
            stored = json.loads(path.read_text()) if path.exists() else {}
            if _same_tasks(stored.get("key", {}), self.key):
                domain.dialect_name, domain.objective_name = stored["dialect"], stored["objective"]
                return {part: [Task(**task) for task in stored[part]] for part in PARTS}
        return None

    def outcomes(self, domain: PlansDomain) -> Outcomes:
        """What became of the queries so far, for a screening that goes on after a kill."""
        objective = re.sub(r"[^\w.-]+", "_", domain.objective.name)
        return Outcomes(self.path.with_name(f"screened-{self._digest}-{objective}.jsonl"))

    def write(self, parts: Parts, dropped: Counter[str], domain: PlansDomain) -> None:
        """Keep the tasks, the file whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        path = self._beside if self.path.exists() else self.path
        tasks: dict[str, Any] = {part: [asdict(task) for task in parts[part]] for part in PARTS}
        about = {"dialect": domain.dialect.name, "objective": domain.objective.name, "dropped": dropped}
        write_whole(path, json.dumps({"key": self.key, **about, **tasks}))


def _same_tasks(stored: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    """Whether nothing differs but what changes a search and not its tasks, or where the same queries lie."""
    one, other = ({k: v for k, v in options.items() if k not in _NOT_OF_TASKS} for options in (stored, key))
    same_path = stored.get("workload") == key["workload"]  # a campaign keeps its tasks when its files change
    return one == other and (same_path or stored.get("queries_digest", "") == key.get("queries_digest"))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]
