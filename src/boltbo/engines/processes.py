"""Many runs at once, in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

from boltbo.engines.base import R, T


class LocalProcesses:
    """`workers` processes of this machine. The first exception stops all of them and is raised here.

    Workers ignore Ctrl-C (this process decides) and end by themselves when this process is gone.
    """

    in_process = False

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, function: Callable[[T], R], items: Iterable[T], tick: Callable[[], None]) -> Iterator[R]:
        todo = list(items)
        if not todo:
            return
        # spawn: forking a process that runs torch's threads may deadlock
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(self.workers, len(todo)), context, _begin_worker, (os.getpid(),))
        try:
            pending: set[Future[R]] = {pool.submit(function, item) for item in todo}
            while pending:
                finished, pending = wait(pending, timeout=0.3, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
                tick()
        except BaseException:
            _kill(pool)
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _kill(pool: ProcessPoolExecutor) -> None:
    processes: dict[int, Any] = getattr(pool, "_processes", None) or {}
    for process in list(processes.values()):
        process.terminate()


def _begin_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """A worker that outlives a killed campaign would score candidates beside the campaign's next start."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
