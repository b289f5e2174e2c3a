"""What pages and pictures are drawn with, by the report and by domains alike: a frame, a palette, charts, one protocol.

It stands below the domains and the faces: a domain draws its own solutions (`protocol.Drawing`), the report a campaign.
"""

from boltbo.drawing.protocol import Drawing, Solution

__all__ = ["Drawing", "Solution"]
