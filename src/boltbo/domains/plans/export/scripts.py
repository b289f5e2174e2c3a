"""Handed-over plans as files: one for each query, and a manifest from which they can be checked again."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

from boltbo.domains.plans.export.handover import Handover
from boltbo.errors import ConfigError
from boltbo.system.files import write_whole

MANIFEST = "manifest.json"
FIRST_QUERY_ID = 17
"""The version of PostgreSQL whose pg_hint_plan finds hints by query id; older ones by the text with ? for constants"""


def write(folder: Path, checked: Sequence[Handover]) -> list[Handover]:
    """Write those that hold in place of an earlier export to the same folder; the manifest has the others with their reason.

    Returns:
        All plans, with the verdicts of what was written: the hint table has room for one of several queries that differ by
        constants only.

    Raises:
        ConfigError: The folder cannot be written, or its manifest is no export's.
    """
    checked = _one_for_each_row(checked)
    good = [h for h in checked if h.holds]
    names = _file_names([h.task for h in good])
    earlier = _manifest(folder)["files"].values() if (folder / MANIFEST).exists() else ()
    manifest = {
        "version": 1,
        "plans": [asdict(h) for h in good],
        "files": names,
        "not_exported": [_finite(asdict(h)) for h in checked if not h.holds],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for h in good:
            write_whole(folder / names[h.task], script(h))
        write_whole(folder / MANIFEST, json.dumps(manifest, indent=1, allow_nan=False))
        for name in {_plain(str(name)) for name in earlier} - set(names.values()):
            if name.endswith(".sql"):  # what no longer holds must not lie about as if it did
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}") from error
    return checked


def read(folder: Path) -> list[Handover]:
    """The plans of a manifest.

    Raises:
        ConfigError: There is none, or it cannot be read.
    """
    try:
        return [Handover.from_json(plan) for plan in _manifest(folder)["plans"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder / MANIFEST} is no manifest of exported plans: {type(error).__name__}: {error}"
        ) from error


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        if (
            manifest["version"] != 1
            or not isinstance(manifest["plans"], list)
            or not isinstance(manifest["files"], dict)
        ):
            raise ValueError(f"version {manifest['version']!r}")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; name a folder that boltbo plans export wrote"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no manifest of exported plans: {type(error).__name__}: {error}") from error
    return dict(manifest)


def _one_for_each_row(checked: Sequence[Handover]) -> list[Handover]:
    """Keep the plan that saves the most of those that would stand in one row of the hint table."""
    best: dict[str, Handover] = {}
    for h in checked:
        if h.holds and (_row_of(h) not in best or _saved(h) > _saved(best[_row_of(h)])):
            best[_row_of(h)] = h

    def settled(h: Handover) -> Handover:
        first = best[_row_of(h)] if h.holds else h
        if first is h:
            return h
        return replace(h, verdict=f"the table has one row for it and {first.task}, which saves more")

    return [settled(h) for h in checked]


def _row_of(h: Handover) -> str:
    in_table = h.form == "hint-table" and not (_by_id(h) and h.query_id is None)
    return _key(h) if in_table else f"task {h.task}"


def _saved(h: Handover) -> float:
    return median(h.comparison.before) - median(h.comparison.after) if h.comparison else 0.0


def script(h: Handover) -> str:
    """The file of one plan: what was measured, as a comment, and what to execute."""
    body = _row(h) if h.form == "hint-table" else "\n".join(_statement(h))
    facts = [line for fact in _facts(h) for line in fact.splitlines()]
    return "\n".join([*(f"-- {line}" for line in facts), "", body, ""])


def _facts(h: Handover) -> Iterator[str]:
    yield f"{h.task}: a plan found and checked by boltbo, {h.when}, PostgreSQL {h.server}"
    if h.comparison is not None:
        c = h.comparison
        before, after = (h.shown * median(values) for values in (c.before, c.after))
        yield f"{h.objective}: {before:.4g} {h.unit} before, {after:.4g} after"
        yield f"ratio {c.ratio:.3f}, 95% interval {c.low:.3f} to {c.high:.3f}, {len(c.before)} executions of each in turn"
        counted = "in these numbers" if h.planning == "included" else "not in these numbers"
        yield f"planning: {1e3 * c.planning[0]:.3g} ms before, {1e3 * c.planning[1]:.3g} ms after, {counted}"
    yield f"plan: {h.candidate}"


def _statement(h: Handover) -> Iterator[str]:
    # on a line of its own: the statement may end in a comment
    if not h.settings:
        yield f"{h.sql}\n;"
        return
    yield "BEGIN;"
    for name, value in h.settings:
        yield f"SET LOCAL {name} = {_literal(value)};"
    yield f"{h.sql}\n;"
    yield "COMMIT;"


def _row(h: Handover) -> str:
    """The hints hold for every query that differs from this one by constants only: such is the table."""
    column = "query_id" if _by_id(h) else "norm_query_string"
    return (
        "-- hints in the table hold for all queries that differ from this one by constants only\n"
        "-- it takes: CREATE EXTENSION pg_hint_plan; SET pg_hint_plan.enable_hint_table = on;\n"
        + (
            "-- and compute_query_id = on\n"
            if _by_id(h)
            else "-- the text must be the client's to the letter, with its semicolon if it sends one\n"
        )
        + f"INSERT INTO hint_plan.hints ({column}, application_name, hints)\n"
        f"VALUES ({_key(h)}, '', {_literal(h.hints)})\n"
        f"ON CONFLICT ({column}, application_name) DO UPDATE SET hints = excluded.hints;"
    )


def _key(h: Handover) -> str:
    """What the hint table finds a query by, as SQL."""
    if not _by_id(h):
        return _literal(normalized(h.original))
    return (
        str(h.query_id)
        if h.query_id is not None
        else "NULL /* put what EXPLAIN (VERBOSE) calls its Query Identifier */"
    )


def _by_id(h: Handover) -> bool:
    major = re.match(r"\d+", h.server)
    return major is not None and int(major[0]) >= FIRST_QUERY_ID


_CONSTANT = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")


def normalized(sql: str) -> str:
    """A query with ? for its constants, as pg_hint_plan before PostgreSQL 17 finds it."""
    return _CONSTANT.sub("?", sql) + ";"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _file_names(tasks: Iterable[str]) -> dict[str, str]:
    """A file name for each task, all different, also where upper and lower case are not."""
    names: dict[str, str] = {}
    for task in tasks:
        plain, n = _plain(task), 1
        name = plain
        while f"{name}.sql".lower() in {taken.lower() for taken in names.values()}:
            n += 1
            name = f"{plain}-{n}"
        names[task] = f"{name}.sql"
    return names


def _plain(text: str) -> str:
    """A name that cannot leave its folder."""
    return re.sub(r"[^\w.-]+", "_", text)


def _finite(value: Any) -> Any:
    """Replace infinities, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
