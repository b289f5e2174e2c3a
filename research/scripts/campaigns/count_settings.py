"""How many settings a user can set: the keys of a campaign's TOML file, of the tables inside it and of both built-in domains.

    python research/scripts/campaigns/count_settings.py

Run it with another commit's `src` in PYTHONPATH to count that commit's. `use` of [domain] counts as one.
"""

from __future__ import annotations

import importlib
from typing import Any

from pydantic import BaseModel

OPTIONS = (
    ("PlansOptions", "boltbo.domains.plans.options", "boltbo.domains.plans.build", "boltbo.domains.plans.workload"),
    ("PeptidesOptions", "boltbo.domains.peptides.build", "boltbo.domains.peptides.workload"),
)
"""A domain's table, and where it stands in some commit"""


def keys(model: type[BaseModel]) -> int:
    """The keys of a table that hold no table, and those of the tables inside it."""
    kinds = [field.annotation for field in model.model_fields.values()]
    return sum(keys(k) if isinstance(k, type) and issubclass(k, BaseModel) else 1 for k in kinds)


def table(name: str, *places: str) -> Any:
    """The model of a domain's table, from the first place that has it."""
    for place in places:
        try:
            return getattr(importlib.import_module(place), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit(f"there is no {name} in {', '.join(places)}")


def main() -> None:
    counts = {"a campaign": keys(importlib.import_module("boltbo.settings").Settings), "[domain] use": 1}
    counts |= {f"[domain] {name}": keys(table(name, *places)) for name, *places in OPTIONS}
    for name, n in {**counts, "together": sum(counts.values())}.items():
        print(f"{name:26}{n:4}")


if __name__ == "__main__":
    main()
