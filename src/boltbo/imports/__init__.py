"""What was observed elsewhere: files and trajectories, checked, as finished runs of a campaign."""

from boltbo.imports.check import InvalidRuns
from boltbo.imports.known import Known, Unimported, best_known, known_of, own_calls
from boltbo.imports.record import ImportReport, record
from boltbo.imports.rows import Row, rows_of

__all__ = [
    "ImportReport",
    "InvalidRuns",
    "Known",
    "Row",
    "Unimported",
    "best_known",
    "known_of",
    "own_calls",
    "record",
    "rows_of",
]
