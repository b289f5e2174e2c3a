"""The picture of a campaign: the two figures of its page that say most, in one file."""

from __future__ import annotations

from pathlib import Path

from boltbo.drawing.picture import Panel, picture, write_picture
from boltbo.report.campaign.figures import learning_curve, validation_trajectories
from boltbo.report.campaign.gather import Gathered


def draw(g: Gathered, path: Path) -> Path | None:
    """Write the picture as `path`; None where no validation task is finished, so that there is nothing to draw.

    Raises:
        ConfigError: The path ends in neither .svg nor .png, what draws a PNG is not installed, or it cannot be written.
    """
    figures = [
        ("Median validation task: best value after each oracle call", validation_trajectories(g)),
        ("Best of a model's first k samples, without any search", learning_curve(g)),
    ]
    panels = [Panel(heading, figure) for heading, figure in figures if figure is not None]
    if not panels or not g.results.rows:
        return None
    count = len(g.results.rows[0].values)
    write_picture(
        picture(f"{g.results.name}: {count} validation tasks, {g.results.tasks_done} tasks solved", panels), path
    )
    return path
