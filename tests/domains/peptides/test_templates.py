"""Reading templates: what is written is read back, what is no peptide is refused with its place."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boltbo.domains.peptides.oracle import AMINO_ACIDS
from boltbo.domains.peptides.templates import LONGEST, SHORTEST, Template, read_templates
from boltbo.errors import ConfigError

peptides = st.text(AMINO_ACIDS, min_size=SHORTEST, max_size=LONGEST)
names = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=20)
records = st.dictionaries(names, peptides, min_size=1, max_size=6)


def read(text: str | bytes, name: str = "templates.fasta") -> list[Template]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_templates(path)


@given(records, st.integers(1, 60), st.sampled_from(["\n", "\r\n"]))
def test_fasta_is_read_back_however_it_is_wrapped(written: dict[str, str], width: int, end: str) -> None:
    lines = []
    for name, sequence in written.items():
        lines += [f">{name} what it is", *(sequence[i : i + width] for i in range(0, len(sequence), width)), ""]
    assert read(end.join(lines)) == [Template(name, sequence) for name, sequence in written.items()]


@given(records, st.booleans())
def test_csv_is_read_back(written: dict[str, str], mark: bool) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([("Name", "length", "Sequence"), *((name, len(s), s) for name, s in written.items())])
    text = ("\ufeff" if mark else "") + out.getvalue()
    assert read(text, "t.csv") == [Template(name, sequence) for name, sequence in written.items()]


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_any_text_is_templates_or_one_error_with_the_file(text: str) -> None:
    try:
        found = read(text)
    except ConfigError as error:
        assert "templates.fasta" in str(error)  # noqa: PT017
    else:
        assert found
        assert all(set(t.sequence) <= set(AMINO_ACIDS) and SHORTEST <= len(t.sequence) <= LONGEST for t in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (">a\nGIGKFLHSAK\n>b\nGIGKXLHSAK\n", r"line 3, record 'b': 'X' at residue 5"),
        (">a\nGIGkFLHSAK\n", r"record 'a': 'k' at residue 4 .* D-residues"),
        (">a\nGIGK\n", r"line 1, record 'a': 4 residues, expected 5 to 50"),
        (f">a\n{'A' * 51}\n", r"51 residues"),
        (">a\nGIGKFLHSAK\n>a\nGIGKFLHSAK\n", r"line 3, record 'a': the record on line 1"),
        (">\nGIGKFLHSAK\n", r"line 1, record '': it has no name"),
        ("", "neither FASTA"),
        ("name,peptide\na,GIGKFLHSAK\n", "line 1: neither FASTA .* column sequence"),
        ("name,sequence\na,GIGKFLHSAK\nb,GIG-FLHSAK\n", r"line 3, record 'b': '-' at residue 4"),
        ("name,sequence\na\n", r"line 2: 1 cells, the header has 2"),
        ("sequence\n", "holds no template"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
    ],
)
def test_one_error_says_where_and_what(text: str | bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(text)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_templates(tmp_path / "none.fasta")


def test_a_csv_without_names_names_the_lines() -> None:
    assert read("sequence\nGIGKFLHSAK\n\nKKLLKKLLKK\n") == [
        Template("line-2", "GIGKFLHSAK"),
        Template("line-4", "KKLLKKLLKK"),
    ]
