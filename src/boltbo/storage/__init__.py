"""Everything that was paid for, on disk before the next oracle call."""

from boltbo.storage.calls_made import calls_made
from boltbo.storage.open import open_storage
from boltbo.storage.protocol import ModelVersion, Run, Stage, Step, Storage

__all__ = ["ModelVersion", "Run", "Stage", "Step", "Storage", "calls_made", "open_storage"]
