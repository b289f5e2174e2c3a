"""What was observed elsewhere: files and trajectories, checked, as finished runs of a campaign."""

from boltbo.campaign.past_runs.known import Known, Unimported, best_known, known_of, own_calls
from boltbo.campaign.past_runs.record import ImportReport, record
from boltbo.campaign.past_runs.rows import Row, rows_of

__all__ = [
    "ImportReport",
    "Known",
    "Row",
    "Unimported",
    "best_known",
    "known_of",
    "own_calls",
    "record",
    "rows_of",
]
