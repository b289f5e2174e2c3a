"""Everything that was paid for, on disk before the next oracle call."""

from boltbo.storage.calls_made import calls_made
from boltbo.storage.store import (
    CampaignBusy,
    CampaignMismatch,
    ModelVersion,
    Run,
    Stage,
    Step,
    StorageError,
    Store,
)

__all__ = [
    "CampaignBusy",
    "CampaignMismatch",
    "ModelVersion",
    "Run",
    "Stage",
    "Step",
    "StorageError",
    "Store",
    "calls_made",
]
