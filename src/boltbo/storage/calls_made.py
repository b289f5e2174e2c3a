"""A counter of the oracle calls of many runs, for a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from boltbo.storage.protocol import Storage


def calls_made(store: Storage, run_ids: Sequence[int]) -> Callable[[], int]:
    """Return a counter of the oracle calls that these runs have made by now; it caches finished runs.

    A progress bar asks three times a second, and would otherwise read all observations of a round of many tasks each time.
    """
    unfinished, finished = list(run_ids), 0

    def calls() -> int:
        nonlocal unfinished, finished
        if done := store.done(unfinished):
            finished += store.count(sorted(done))
            unfinished = [i for i in unfinished if i not in done]
        return finished + store.count(unfinished)

    return calls
