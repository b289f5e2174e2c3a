"""From rows to observations: every cell is checked, every candidate made canonical under its task's grammar."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from boltbo.campaign.past_runs.rows import Row
from boltbo.domain import Domain, Grammar
from boltbo.errors import InvalidCandidate, InvalidRuns
from boltbo.problem import Observation, Status, Task

__all__ = ["Checked", "InvalidRuns", "check", "raise_if_wrong"]

SHOWN = 10


class _Wrong(ValueError):
    """One cell cannot be used."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(f"column {column}: {message}" if column else message)


@dataclass(slots=True)
class Checked:
    """Task id -> its task and observations, in the order of the rows; and what was wrong with the others."""

    tasks: dict[str, Task] = field(default_factory=dict)
    observations: dict[str, list[Observation]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def check(rows: Iterable[Row], domain: Domain, known: Mapping[str, Task], validation: Sequence[Task]) -> Checked:
    """Check rows against a campaign.

    Args:
        rows: The rows.
        domain: Domain whose grammars say what a candidate is.
        known: Tasks whose context need not be given, by id.
        validation: Tasks of which nothing may be imported: no model may learn from them.
    """
    checked, rows = Checked(), list(rows)
    reader = _Reader(domain, known, validation, _described(rows))
    for row in rows:
        try:
            if row.wrong:
                raise _Wrong("", row.wrong)
            task, grammar = reader.task(row.cells)
            observation = _observation(row.cells, grammar)
        except _Wrong as wrong:
            checked.wrong.append(f"{row.where}: {wrong}" if row.wrong else f"{row.where}, {wrong}")
            continue
        checked.tasks[task.id] = task
        checked.observations.setdefault(task.id, []).append(observation)
    return checked


def raise_if_wrong(source: str, checked: Checked, rows: int) -> None:
    """
    Raises:
        InvalidRuns: Some row cannot be used.
    """
    wrong = checked.wrong
    if wrong:
        more = [f"  and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        lines = "\n".join([*(f"  {w}" for w in wrong[:SHOWN]), *more])
        raise InvalidRuns(
            f"{source} cannot be imported: {len(wrong)} of {rows} rows are wrong. Mend them, or leave them out with "
            f"--skip-invalid (skip_invalid=True); nothing was imported.\n{lines}"
        )


class _Reader:
    """Finds the task of a row, and its grammar once."""

    def __init__(
        self, domain: Domain, known: Mapping[str, Task], validation: Sequence[Task], described: Mapping[str, Task | str]
    ) -> None:
        self.domain = domain
        self.known = known
        self.held_out = {t.id for t in validation}, {t.context for t in validation}
        self.described = described
        self._read: dict[str, tuple[Task, Grammar]] = {}

    def task(self, cells: Mapping[str, Any]) -> tuple[Task, Grammar]:
        name = _text(cells, "task")
        if name in self._read:
            return self._read[name]
        ids, contexts = self.held_out
        if name in ids:
            raise _Wrong("task", f"{name!r} is a validation task, and no model may learn from those")
        task = self.known.get(name) or self.described.get(name)
        if task is None:
            some = ", ".join(list(self.known)[:5]) or "none"
            raise _Wrong(
                "task", f"{name!r} is no task of the campaign (it has {some}, …); a new one needs column context"
            )
        if isinstance(task, str):
            raise _Wrong("context", task)
        if task.context in contexts and name not in self.known:
            raise _Wrong("context", f"{name!r} is described as a validation task is, and no model may learn from those")
        try:
            self._read[name] = task, self.domain.grammar(task)
        except Exception as error:  # a domain that needs more than the context may stumble in any way
            reason = f"{type(error).__name__}: {error}"
            raise _Wrong(
                "task", f"the domain cannot read task {name!r} ({reason}); column data gives what it needs"
            ) from None
        return self._read[name]


def _described(rows: Iterable[Row]) -> dict[str, Task | str]:
    """Task id -> the task as the rows describe it, or what is wrong with the description."""
    described: dict[str, Task | str] = {}
    for row in rows:
        if "context" not in row.cells:
            continue
        try:
            task = Task(_text(row.cells, "task"), _text(row.cells, "context"), _data(row.cells))
        except _Wrong as wrong:
            described[str(row.cells.get("task"))] = str(wrong).partition(": ")[2]
            continue
        first = described.setdefault(task.id, task)
        if isinstance(first, Task) and first != task:
            described[task.id] = f"task {task.id!r} is described in two ways"
    return described


def _observation(cells: Mapping[str, Any], grammar: Grammar) -> Observation:
    try:
        candidate = grammar.canonical(_text(cells, "candidate"))
    except InvalidCandidate as error:
        raise _Wrong("candidate", str(error)) from None
    word = cells.get("status", Status.COMPLETE)
    if not isinstance(word, str) or word.strip().lower() not in list(Status):
        raise _Wrong("status", f"{word!r} is none of {', '.join(Status)}")
    status = Status(word.strip().lower())
    value = math.nan
    if status in (Status.COMPLETE, Status.CENSORED):
        value = _number(cells, "value")
    seconds = _number(cells, "seconds") if "seconds" in cells else 0.0
    if seconds < 0:
        raise _Wrong("seconds", f"{seconds} is below 0")
    return Observation(candidate, value, status, seconds, "import")


def _text(cells: Mapping[str, Any], column: str) -> str:
    value = cells.get(column)
    if not isinstance(value, str) or not value.strip():
        raise _Wrong(column, "is empty" if value is None or value == "" else f"expected text, got {value!r}")
    return value.strip() if column == "task" else value


def _number(cells: Mapping[str, Any], column: str) -> float:
    value = cells.get(column)
    if value is None:
        raise _Wrong(column, "is empty; a row without a value needs the status failed or infeasible")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        raise _Wrong(column, f"{str(value)[:40]!r} is no number") from None
    if not math.isfinite(number):
        raise _Wrong(column, f"{value!r} is no finite number; a call without a value has the status failed")
    return number


def _data(cells: Mapping[str, Any]) -> Mapping[str, Any]:
    data = cells.get("data", {})
    try:
        data = json.loads(data) if isinstance(data, str) else data
    except ValueError as error:
        raise _Wrong("data", f"is no JSON: {error}") from None
    if not isinstance(data, Mapping):
        raise _Wrong("data", f"expected a JSON object, got {str(data)[:40]!r}")
    return data
