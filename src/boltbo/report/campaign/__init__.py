"""One campaign as one HTML page: `gather` reads the storage, `page` writes what stands in it."""

from boltbo.report.campaign.gather import Gathered
from boltbo.report.campaign.page import campaign_page

__all__ = ["Gathered", "campaign_page"]
