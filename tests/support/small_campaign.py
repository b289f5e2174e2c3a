"""A campaign of two rounds on the quadratic family, with the real compact model, and what its storage holds."""

from __future__ import annotations

from pathlib import Path

from boltbo import Campaign, Settings
from boltbo.storage import Storage
from support.quadratic import Quadratic, make_tasks

SMALL = {
    "rounds": (3, 3),
    "run": {"budget": 14, "initial": 6, "optimizer": "local"},
    "distil": {"top_k": 4},
    "model": {"pretraining_pairs": 60, "pretraining_epochs": 1, "epochs": 2},
    "validation": {"samples": 5, "reference_budget": 10},
}


def campaign(path: Path, domain: Quadratic | None = None, **changes: object) -> Campaign:
    settings = Settings(**{**SMALL, **changes})
    return Campaign(
        domain or Quadratic(), make_tasks(6), make_tasks(2, 1, "v"), settings=settings, storage=path / "s.db"
    )


def content(store: Storage) -> list[tuple[object, ...]]:
    """Everything that a deterministic oracle determines, in an order that workers do not change."""
    return sorted(
        (r.stage, r.round, r.task.id, i, o.candidate, o.value, o.source)
        for r in store.runs()
        for i, o in enumerate(store.observations(r.id))
    )
