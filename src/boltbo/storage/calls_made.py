"""How many oracle calls many runs have made, asked again and again while they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from boltbo.storage.protocol import Storage


def calls_made(store: Storage, run_ids: Sequence[int]) -> Callable[[], int]:
    """What tells how many oracle calls these runs have made by now.

    Calls of runs at their end are counted once: a progress bar that asks three times a second would else read all that a
    round of many tasks has found each time.
    """
    unfinished, finished = list(run_ids), 0

    def calls() -> int:
        nonlocal unfinished, finished
        if done := store.done(unfinished):
            finished += store.count(sorted(done))
            unfinished = [i for i in unfinished if i not in done]
        return finished + store.count(unfinished)

    return calls
