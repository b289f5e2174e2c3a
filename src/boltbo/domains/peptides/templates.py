"""Template peptides from a FASTA or a CSV file; whatever is no natural peptide is refused, with its place."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from boltbo.domains.peptides.oracle.scales import AMINO_ACIDS
from boltbo.errors import ConfigError

SHORTEST, LONGEST = 5, 50
"""Least and greatest number of residues of a template."""

SEQUENCE, NAMES = "sequence", ("name", "id")
"""Columns of a CSV file, in upper or lower case; without a name, a record is called after its line"""


@dataclass(frozen=True, slots=True)
class Template:
    """A peptide to start from, in capital one-letter codes, and what it is called."""

    name: str
    sequence: str


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    name: str
    sequence: str


def read_templates(path: Path) -> list[Template]:
    """The templates of a file, in its order: FASTA where it begins with `>`, CSV with a column `sequence` otherwise.

    Raises:
        ConfigError: The file cannot be read, holds no record, or a record is unnamed, called like an earlier one, too short,
            too long, or written with anything but the twenty natural residues. The message names file, line and record.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8 (byte {error.start}): expected FASTA or CSV") from error
    records = _fasta(path, text) if text.lstrip().startswith(">") else _csv(path, text)
    templates = list(_checked(path, records))
    if not templates:
        raise ConfigError(
            f"{path} holds no template: expected FASTA (>name, then residues) or CSV with a column sequence"
        )
    return templates


def _fasta(path: Path, text: str) -> Iterator[_Record]:
    record: _Record | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith(">"):
            if record is not None:
                yield record
            record = _Record(number, (line[1:].split() or [""])[0], "")
        elif line and record is not None:
            record = _Record(record.line, record.name, record.sequence + line)
    if record is not None:
        yield record


def _csv(path: Path, text: str) -> Iterator[_Record]:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        if SEQUENCE not in header:
            raise ConfigError(f"{path}, line 1: neither FASTA (a line >name) nor CSV with a column {SEQUENCE}")
        named = next((header.index(name) for name in NAMES if name in header), None)
        place = header.index(SEQUENCE)
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            line = reader.line_num
            if len(cells) != len(header):
                raise ConfigError(f"{path}, line {line}: {len(cells)} cells, the header has {len(header)}")
            yield _Record(line, f"line-{line}" if named is None else cells[named], cells[place])
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.line_num}: no CSV: {error}") from error


def _checked(path: Path, records: Iterable[_Record]) -> Iterator[Template]:
    lines: dict[str, int] = {}
    for record in records:
        where = f"{path}, line {record.line}, record {record.name[:60]!r}"
        if not record.name:
            raise ConfigError(f"{where}: it has no name")
        if record.name in lines:
            raise ConfigError(f"{where}: the record on line {lines[record.name]} has this name already")
        lines[record.name] = record.line
        if (wrong := what_is_wrong(record.sequence)) is not None:
            raise ConfigError(f"{where}: {wrong}")
        yield Template(record.name, record.sequence)


def what_is_wrong(sequence: str) -> str | None:
    """Why a text is no template; None if it is one."""
    strange = next((i for i, letter in enumerate(sequence) if letter not in AMINO_ACIDS), None)
    if strange is not None:
        letter = sequence[strange]
        small = letter.upper() in AMINO_ACIDS
        hint = " (lower case often stands for D-residues, which are not modelled: write capitals)" if small else ""
        return f"{letter!r} at residue {strange + 1} is none of the natural residues {AMINO_ACIDS}{hint}"
    if not SHORTEST <= len(sequence) <= LONGEST:
        return f"{len(sequence)} residues, expected {SHORTEST} to {LONGEST}"
    return None
