"""Rows of imports as they stand in a CSV or JSONL file, or in trajectories; what they say is checked in `check.py`.

| column | |
| --- | --- |
| `task` | the task's id |
| `candidate` | as text |
| `value` | lower is better; a bound where `status` is `censored`; may be empty for `infeasible` and `failed` |
| `status` | optional: `complete` (the default), `censored`, `infeasible`, `failed` |
| `seconds` | optional: what the oracle took |
| `context` | of a task that the campaign does not know: the text that tells it apart |
| `data` | optional, of such a task: what its domain needs beyond the context, a JSON object |
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boltbo.errors import InvalidRuns
from boltbo.problem import Trajectory

REQUIRED = ("task", "candidate", "value")
COLUMNS = (*REQUIRED, "status", "seconds", "context", "data")


@dataclass(frozen=True, slots=True)
class Row:
    """One observation, unchecked: where it stands, and its cells by column; `wrong` where it is no row at all."""

    where: str
    cells: Mapping[str, Any]
    wrong: str = ""


def rows_of(source: str | Path | Sequence[Trajectory]) -> list[Row]:
    """All rows of a file (`.csv`, `.jsonl`, `.ndjson`) or of trajectories.

    Raises:
        InvalidRuns: The file cannot be read, is of another kind, lacks a column or has no row.
    """
    if not isinstance(source, str | Path):
        return [row for i, trajectory in enumerate(source) for row in _of_trajectory(i, trajectory)]
    path = Path(source)
    readers = {".csv": _of_csv, ".jsonl": _of_jsonl, ".ndjson": _of_jsonl}
    if path.suffix.lower() not in readers:
        raise InvalidRuns(f"{path} cannot be imported: its name should end in {', '.join(readers)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidRuns(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidRuns(f"{path} is no UTF-8 text: {error}") from error
    rows = list(readers[path.suffix.lower()](path, text))
    if not rows:
        raise InvalidRuns(f"{path} holds no observation")
    return rows


def _of_csv(path: Path, text: str) -> Iterator[Row]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header)
        line = reader.line_num + 1  # a quoted cell may have several lines: a row's first one is named
        for cells in reader:
            if len(cells) == len(header):
                yield Row(f"line {line}", {k: v for k, v in zip(header, cells, strict=True) if v.strip()})
            elif cells:
                yield Row(f"line {line}", {}, f"{len(cells)} cells where the header has {len(header)} columns")
            line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidRuns(f"{path} is no CSV: line {reader.line_num}: {error}") from error


def _check_header(path: Path, header: Sequence[str]) -> None:
    missing = [c for c in REQUIRED if c not in header]
    unknown = [c for c in header if c not in COLUMNS]
    twice = sorted({c for c in header if header.count(c) > 1})
    lines = [f"no column {c!r}" for c in missing] + [f"{c!r} is no column" for c in unknown]
    lines += [f"column {c!r} stands there twice" for c in twice]
    if lines:
        columns = f"needed: {', '.join(REQUIRED)}; optional: {', '.join(COLUMNS[len(REQUIRED) :])}; separated by commas"
        raise InvalidRuns(f"{path} cannot be imported: line 1: {'; '.join(lines)} ({columns})")


def _of_jsonl(path: Path, text: str) -> Iterator[Row]:
    for i, line in enumerate(text.split("\n")):  # not splitlines: JSON's strings may hold U+2028
        if not line.strip():
            continue
        where = f"line {i + 1}"
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row(where, {}, f"is no JSON: {error}")
            continue
        if not isinstance(cells, dict):
            yield Row(where, {}, f"is no JSON object: {line.strip()[:40]}")
        elif unknown := [key for key in cells if key not in COLUMNS]:
            yield Row(where, {}, f"{unknown[0]!r} is no column; there are {', '.join(COLUMNS)}")
        else:
            yield Row(where, {k: v for k, v in cells.items() if v is not None})


def _of_trajectory(i: int, trajectory: Trajectory) -> Iterator[Row]:
    task = trajectory.task
    about = {"task": task.id, "context": task.context, "data": dict(task.data)}
    for j, o in enumerate(trajectory.observations):
        cells = {"candidate": o.candidate, "value": o.value, "status": o.status.value, "seconds": o.seconds}
        yield Row(f"trajectory {i + 1} ({task.id}), observation {j + 1}", {**about, **cells})
