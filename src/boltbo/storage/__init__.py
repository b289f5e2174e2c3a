"""Everything that was paid for, on disk before the next oracle call."""

from boltbo.storage.calls_made import calls_made
from boltbo.storage.sql import ModelVersion, Run, Stage, Step, Store

__all__ = ["ModelVersion", "Run", "Stage", "Step", "Store", "calls_made"]
