"""Columns of generated data, compact: numbers, or numbers of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """One column of a table; a negative entry of `codes` is NULL.

    Attributes:
        codes: The values, or the positions of the values in `words`.
        words: The distinct texts.
    """

    codes: Ints
    words: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def fields(self, start: int, stop: int) -> list[str]:
        """Rows `start` to `stop` in PostgreSQL's text format."""
        codes = self.codes[start:stop]
        if self.words is not None:
            return list(self._escaped[codes])
        return [str(code) if code >= 0 else r"\N" for code in codes.tolist()]

    @cached_property
    def _escaped(self) -> NDArray[np.object_]:
        """The words as COPY reads them; the last entry is what a code of -1 finds."""
        return np.array([*map(_escape, self.words or ()), r"\N"], dtype=object)


Table = Mapping[str, Column]


def copy_text(table: Table, start: int, stop: int) -> bytes:
    """Rows `start` to `stop` of a table as COPY reads them, columns in the mapping's order."""
    columns = [column.fields(start, stop) for column in table.values()]
    return ("\n".join(map("\t".join, zip(*columns, strict=True))) + "\n").encode()


def n_rows(table: Table) -> int:
    return len(next(iter(table.values())))


def numbered(columns: Mapping[str, Column]) -> Table:
    """The columns with the primary key, 1, 2, …, before them."""
    return {"id": Column(np.arange(1, n_rows(columns) + 1)), **columns}


def null(n: int) -> Column:
    return Column(np.full(n, -1))


def texts(values: Sequence[str | None]) -> Column:
    """A column of any texts."""
    places: dict[str, int] = {}
    codes = [-1 if v is None else places.setdefault(v, len(places)) for v in values]
    return Column(np.array(codes, dtype=np.int64), tuple(places))


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
