"""The work of `boltbo peptides train-oracle`: train, save, cross-validate, tell."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from rich import box
from rich.markup import escape
from rich.table import Table

from boltbo.cli.common import console
from boltbo.domains.peptides.oracle.data import Measurements, read_measurements
from boltbo.domains.peptides.oracle.predictor import MicPredictor
from boltbo.domains.peptides.oracle.validation import IDENTITY, Split, cross_validate
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars

FILE = "validation.json"

SPEED_SAMPLE = 2000
"""Number of sequences that are scored once more to measure the speed."""


def carry_out(path: Path, out: Path, members: int, seed: int, judge: bool, folds: int) -> dict[str, Any]:
    """Train on a CSV, write the models and what is known of their accuracy into `out`, return what was written of it.

    Raises:
        ConfigError: The CSV cannot be used.
    """
    from boltbo.domains.peptides.oracle.judge_train import fit_judge
    from boltbo.domains.peptides.oracle.train import fit_ensemble

    data = read_measurements(path)
    bars = Bars()
    for note in data.notes:
        bars.note(note)
    bars.note(f"{len(data.sequences)} peptides, {int(data.counts().sum())} measurements, {len(data.species)} species")
    began = time.process_time()
    with bars.track("members", members) as update:
        oracle = fit_ensemble(data, members, seed, update)
    oracle.save(out)
    trained: dict[str, tuple[MicPredictor, Callable[[Measurements], MicPredictor]]] = {
        "oracle": (oracle, lambda part: fit_ensemble(part, members, seed))
    }
    seconds = {"oracle": time.process_time() - began}
    if judge:
        began = time.process_time()
        judged = fit_judge(data, seed + 1)
        judged.save(out)
        trained["judge"] = judged, lambda part: fit_judge(part, seed + 1)
        seconds["judge"] = time.process_time() - began
    record: dict[str, Any] = {
        "seed": seed, "members": members, "folds": folds, "identity": IDENTITY, "digest": data.digest,
        "peptides": len(data.sequences), "notes": list(data.notes),
        "bytes": {f.name: f.stat().st_size for f in sorted(out.glob("*.safetensors"))},
        "training CPU seconds": seconds,
        "sequences per CPU second": {name: _speed(model, data) for name, (model, _) in trained.items()},
    }  # fmt: skip
    if folds:
        for name, (_, fit) in trained.items():
            record[name] = {split: _validated(data, fit, split, folds, seed, name, bars) for split in get_args(Split)}
    write_whole(out / FILE, json.dumps(record, indent=1) + "\n")
    return record


def show(record: dict[str, Any]) -> None:
    """Print the record of `carry_out` as tables."""
    for name in ("oracle", "judge"):
        for split, scores in record.get(name, {}).items():
            table = Table("species", "n", "R2 (95%)", "Pearson (95%)", "RMSE (95%)", box=box.SIMPLE_HEAD)
            for s in scores["species"]:
                cells = [
                    "{:.2f} ({:.2f} to {:.2f})".format(s[k], *s[f"{k}_interval"]) for k in ("r2", "pearson", "rmse")
                ]
                table.add_row(escape(s["species"]), str(s["n"]), *cells)
            console.print(f"{name}, {record['folds']} folds, split {split}")
            console.print(table)
    for name, speed in record["sequences per CPU second"].items():
        console.print(f"{name}: {speed:.0f} sequences a CPU second, {record['bytes'][f'{name}.safetensors']} bytes")


def _validated(
    data: Measurements,
    fit: Callable[[Measurements], MicPredictor],
    split: Split,
    folds: int,
    seed: int,
    name: str,
    bars: Bars,
) -> dict[str, Any]:
    with bars.track(f"{name}, split {split}", folds) as update:
        scores, correlation = cross_validate(data, fit, split, folds, seed, update)
    rank_correlation = None if correlation != correlation else correlation
    return {"species": [asdict(s) for s in scores], "spread against error, rank correlation": rank_correlation}


def _speed(model: MicPredictor, data: Measurements) -> float:
    sequences = (data.sequences * (1 + SPEED_SAMPLE // len(data.sequences)))[:SPEED_SAMPLE]
    began = time.process_time()
    model.predict(sequences)
    return len(sequences) / max(time.process_time() - began, 1e-9)
