"""The same candidates for programs: one CSV, one FASTA."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from boltbo.domains.peptides.shortlist.listed import Listed, Shortlist, View
from boltbo.domains.peptides.shortlist.page import About, label


def as_csv(about: About, shortlists: Sequence[Shortlist]) -> str:
    """One row a peptide, each template before its candidates; concentrations in micromolar."""
    rows = [_row(about, s, f) for s in shortlists for f in (s.template, *s.candidates)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_plain(s: Shortlist) -> dict[str, Any]:
    """A shortlist as plain values."""
    return asdict(s, dict_factory=lambda pairs: {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in pairs})


def _row(about: About, s: Shortlist, f: Listed) -> dict[str, object]:
    return {
        "template": s.name,
        "candidate": label(f) or "template",
        "sequence": f.sequence,
        "edits": " ".join(f.edits),
        "similarity": f"{f.similarity:.4f}",
        "objective": _digits(f.oracle.value),
        "judge_objective": "" if f.judge is None else _digits(f.judge.value),
        "found_in_call": f.call or "",
        "source": f.source,
        **_concentrations("mic_um", about.species, f.oracle, spread=True),
        **({} if f.judge is None else _concentrations("judge_mic_um", about.judged, f.judge, spread=False)),
        **{name.replace(" ", "_"): _digits(v) if isinstance(v, float) else v for name, v in f.properties.items()},
    }


def _concentrations(prefix: str, species: Sequence[str], view: View, *, spread: bool) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, mean, sd in zip(species, view.mean.tolist(), view.spread.tolist(), strict=True):
        cells[f"{prefix}_{name}"] = _digits(10**mean)
        if spread:
            cells |= {
                f"{prefix}_{name}_low": _digits(10 ** (mean - sd)),
                f"{prefix}_{name}_high": _digits(10 ** (mean + sd)),
            }
    return cells


def as_fasta(about: About, shortlists: Sequence[Shortlist]) -> str:
    """The candidates alone; what stands behind a name are its objective and its edits."""
    records = []
    for s in shortlists:
        for f in s.candidates:
            name = "_".join(s.name.split())
            value = f"{_digits(f.oracle.value)}{about.unit.replace('µM', 'uM')}"
            records.append(f">{name}|{label(f)} objective={value} edits={','.join(f.edits)}\n{f.sequence}\n")
    return "".join(records)


def _digits(value: float) -> str:
    return f"{value:.4g}"
