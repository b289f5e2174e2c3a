"""Where a workload's queries come from: a folder of .sql files, or one file with many statements.

(`pg_stat_statements` is a third source: see `pg_stat_statements.py`.)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from boltbo.domains.plans.workload.statements_of_file import Piece, split
from boltbo.errors import ConfigError, NotASelect, SqlSyntaxError

Named = tuple[str, str]
"""(id, SQL)"""

_NOT_A_QUERY = re.compile(
    r"(ALTER|ANALYZE|BEGIN|CALL|CLOSE|CLUSTER|COMMENT|COMMIT|COPY|CREATE|DEALLOCATE|DECLARE|DISCARD|DO|DROP|END|EXECUTE|"
    r"EXPLAIN|FETCH|GRANT|LISTEN|LOAD|LOCK|NOTIFY|PREPARE|REFRESH|REINDEX|RELEASE|RESET|REVOKE|ROLLBACK|SAVEPOINT|SET|SHOW|"
    r"START|TRUNCATE|UNLISTEN|VACUUM)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Workload:
    """Queries, and what a person should know about where they come from.

    Attributes:
        queries: (id, SQL), every id once.
        skipped: (where, why) of each statement that is no query.
        notes: What else a person should know.
        sampled: The ids of queries whose constants were made up.
    """

    queries: list[Named]
    skipped: list[Named] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sampled: frozenset[str] = frozenset()

    def remarks(self) -> list[str]:
        """The notes, with a line that counts what was skipped."""
        if not self.skipped:
            return self.notes
        counted = Counter(reason for _, reason in self.skipped)
        reasons = ", ".join(f"{n} {reason}" for reason, n in counted.most_common())
        return [*self.notes, f"no queries, skipped: {reasons}"]


def read_path(path: Path) -> Workload:
    """The queries of a folder or of a file.

    Raises:
        ConfigError: There is none there.
    """
    return read_file(path) if path.is_file() else read_folder(path)


def read_folder(folder: Path) -> Workload:
    """Every statement of every `.sql` file below a folder.

    A query is called by its file's path without `.sql`, and numbered (`path-1`, `path-2`, …) where the file has several.

    Raises:
        ConfigError: There is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"the workload {folder} does not exist: name a folder of .sql files, or one file")
    files = sorted(f for f in folder.rglob("*.sql") if f.is_file())
    if not files:
        raise ConfigError(f"no .sql file in {folder}")
    return _read(files, folder)


def read_file(path: Path) -> Workload:
    """Every statement of one file, called by its name and numbered (`file-1`, `file-2`, …) if there are several.

    Raises:
        ConfigError: It cannot be read.
    """
    return _read([path], path.parent)


def _read(files: Sequence[Path], base: Path) -> Workload:
    queries: list[Named] = []
    skipped: list[Named] = []
    recoded: list[str] = []
    seen: set[str] = set()
    for file in files:
        try:
            text, utf8 = decoded(file.read_bytes())
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
        recoded += [] if utf8 else [file.name]
        stem = file.relative_to(base).with_suffix("").as_posix()
        pieces = split(text)
        several = sum(_no_query(p) is None for p in pieces) > 1
        number = 0
        for piece in pieces:
            where = f"{stem}, line {piece.line}"
            if (reason := _no_query(piece)) is not None:
                skipped.append((where, reason))
                continue
            number += 1
            if (same := " ".join(piece.text.split())) in seen:
                skipped.append((where, "found before"))
            else:
                seen.add(same)
                queries.append((f"{stem}-{number}" if several else stem, piece.text))
    notes = []
    if recoded:
        names = ", ".join(recoded[:3]) + (f" and {len(recoded) - 3} more" if len(recoded) > 3 else "")
        notes = [f"not UTF-8, read as Windows-1252: {names}; convert them if letters with accents matter"]
    return Workload(_each_once(queries), skipped, notes)


def decoded(data: bytes) -> tuple[str, bool]:
    """A file's text, and whether it says its own encoding or is UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace"), True
    try:
        return data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), False


def _no_query(piece: Piece) -> str | None:
    """Why a piece is not even looked at; what writes is left to the parser to refuse."""
    if piece.command:
        return "psql command"
    word = _NOT_A_QUERY.match(piece.text)
    return word[1].upper() if word else None


def _each_once(queries: Sequence[Named]) -> list[Named]:
    """Give each query a name of its own: `a.sql` with two statements and `a-1.sql` would share one."""
    taken: set[str] = set()
    renamed = []
    for name, text in queries:
        free, n = name, 1
        while free in taken:
            n += 1
            free = f"{name}.{n}"
        taken.add(free)
        renamed.append((free, text))
    return renamed


def reason_in_short(error: ValueError) -> str:
    """Why a query is not searched, in words that are the same for all queries of its kind."""
    if isinstance(error, SqlSyntaxError):
        return "do not parse"
    if isinstance(error, NotASelect):
        keyword = re.search(r"found ([A-Z]+)$", str(error))
        return f"not a SELECT ({keyword[1]})" if keyword else "not a SELECT that only reads"
    if str(error).startswith("one relation"):
        return "one relation"
    return "no joins that can be steered"


def template_of(name: str) -> str:
    """A query's template, from its id: its folder; else the id without its number (`file-12`), and for `12c`, as the Join
    Order Benchmark names its files, `12`."""
    folder = name.rpartition("/")[0]
    if folder:
        return folder
    stem = re.sub(r"-\d+(\.\d+)?$", "", name)
    return re.sub(r"^(\d+)[a-z]$", r"\1", stem)


def stratified(queries: Sequence[Named], n: int, seed: int, templates: int | None = None) -> list[Named]:
    """`n` of the queries in a random order that takes the templates in turn (all, or the first few in their order)."""
    rng = np.random.default_rng(seed)
    groups: dict[str, list[Named]] = {}
    for i in rng.permutation(len(queries)):
        groups.setdefault(template_of(queries[i][0]), []).append(queries[i])
    groups = dict(sorted(groups.items())[:templates])
    ordered = []
    for rank in range(max(map(len, groups.values()), default=0)):
        ordered += [group[rank] for _, group in sorted(groups.items()) if rank < len(group)]
    return ordered[:n]
