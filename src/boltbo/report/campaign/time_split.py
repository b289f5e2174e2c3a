"""Where a campaign's seconds went: shares of each kind of work, and the activities within."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boltbo.drawing.numbers import number
from boltbo.report.campaign.gather import Gathered

KINDS = {
    "oracle": "oracle",
    "fit": "optimizer", "acquire": "optimizer", "decode": "optimizer", "initial design": "optimizer",
    "fine-tuning": "model", "sampling": "model", "pretraining": "model",
}  # fmt: skip
"""Activity -> the kind of work that it belongs to; any other is `other`"""


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Where the seconds went.

    Attributes:
        shares: (kind, its share), the largest first.
        rows: (activity, kind, seconds, share as text) of each activity, kind by kind.
        missing: The activities that were not recorded, each written as `of sampling`.
    """

    shares: Sequence[tuple[str, float]]
    rows: Sequence[tuple[str, str, str, str]]
    missing: Sequence[str]

    @property
    def in_words(self) -> str:
        """The shares as text."""
        return ", ".join(f"{kind} {share:.0%}" for kind, share in self.shares)


def time_split(g: Gathered) -> TimeSplit | None:
    """The seconds of all workers together; None while nothing was spent."""
    spent = {activity: seconds for activity, seconds in g.seconds.items() if seconds > 0}
    total = sum(spent.values())
    if not total:
        return None
    kinds: dict[str, float] = {}
    for activity, seconds in spent.items():
        kinds[_kind(activity)] = kinds.get(_kind(activity), 0.0) + seconds
    order = sorted(kinds, key=lambda kind: -kinds[kind])
    activities = sorted(spent, key=lambda a: (order.index(_kind(a)), -spent[a]))
    return TimeSplit(
        [(kind, kinds[kind] / total) for kind in order],
        [(a, _kind(a), number(spent[a]), f"{spent[a] / total:.1%}") for a in activities],
        [f"of {a}" for a in ("sampling", "pretraining") if g.models and a not in spent],
    )


def _kind(activity: str) -> str:
    return KINDS.get(activity, "other")
