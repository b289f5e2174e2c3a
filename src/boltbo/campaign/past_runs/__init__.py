"""What was observed elsewhere: files and trajectories, checked, as finished runs of a campaign."""

from boltbo.campaign.past_runs.past import Past, imported, own_calls, solved_before
from boltbo.campaign.past_runs.record import ImportReport, record
from boltbo.campaign.past_runs.rows import Row, rows_of

__all__ = ["ImportReport", "Past", "Row", "imported", "own_calls", "record", "rows_of", "solved_before"]
