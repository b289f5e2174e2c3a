"""How fast the compact model learns beside busy processes: with all of torch's threads, with one, and with `threads_by_load`.

    python research/scripts/language_models/training_threads.py --out training-threads.json      some minutes

The busy processes multiply matrices on one thread each. The ways to learn take turns, and each fit is of the same pairs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch
from llm_speed import EACH, WORDS, tasks

from boltbo.llm.backend import Example
from boltbo.llm.compact.model import CompactModel
from boltbo.llm.tuning import loop as training
from boltbo.system.files import write_whole
from boltbo.system.threads import one_torch_thread
from boltbo_bench.recorded import BUSY, commit, cpu

WAYS = ("all threads", "one thread", "by load")
TIMES, EPOCHS = 3, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    examples = tasks(32, "plans")[1][: 32 * EACH]
    model = CompactModel.create([*examples, Example(" ".join(WORDS), "")])
    for busy in (0, 1):
        with ExitStack() as stack:
            for _ in range(busy):
                process = subprocess.Popen([sys.executable, "-c", BUSY])
                stack.callback(process.wait)
                stack.callback(process.kill)
            time.sleep(3 * bool(busy))
            speeds: dict[str, list[float]] = {way: [] for way in WAYS}
            for _ in range(TIMES):
                for way in WAYS:
                    speeds[way].append(speed(model, examples, way))
        rows.append({"busy processes": busy, **{way: [round(v) for v in sorted(own)] for way, own in speeds.items()}})
        print(json.dumps(rows[-1]), flush=True)
    if args.out:
        about = {
            "command": "python research/scripts/language_models/training_threads.py",
            "commit": commit(),
            "seed": 0,
            "machine": cpu(),
        }
        write_whole(
            args.out, json.dumps({**about, "threads": torch.get_num_threads(), "tokens per second": rows}, indent=1)
        )


def speed(model: CompactModel, examples: list[Example], way: str) -> float:
    """Tokens a second of one fit."""
    by_load = training.torch_threads_by_load
    with one_torch_thread() if way == "one thread" else nullcontext():
        if way != "by load":
            training.torch_threads_by_load = lambda: nullcontext(lambda size: None)  # type: ignore[assignment]
        try:
            report = model.fit(examples, epochs=EPOCHS, seed=0)
        finally:
            training.torch_threads_by_load = by_load
    return report.tokens / report.seconds


if __name__ == "__main__":
    main()
