"""One HTML page that needs nothing else: alignments, predictions of oracle and judge, properties, curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boltbo.domains.peptides.alignment import Cell, aligned
from boltbo.domains.peptides.draw import HERE, ruler, styles
from boltbo.domains.peptides.oracle import SPECIES
from boltbo.domains.peptides.shortlist.listed import Listed, Shortlist, View
from boltbo.drawing.chart import Figure, figure
from boltbo.drawing.lines import Axis, Level, Line, staircase
from boltbo.drawing.numbers import number, with_unit
from boltbo.drawing.pages import page


@dataclass(frozen=True, slots=True)
class About:
    """What the head of the page says.

    Attributes:
        objective: The objective in words.
        unit: The unit of the objective's value: µM, or nothing for a ratio.
        species, judged: The columns of the two predictors' views.
        facts: (what, value) of the search: budget, similarity, model, seed.
    """

    objective: str
    unit: str
    species: Sequence[str]
    judged: Sequence[str]
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is predicted of one candidate for one species; empty where a predictor does not know the species.

    Attributes:
        mean: The oracle's mean.
        interval: One spread to either side of it.
        judge: The judge's mean.
    """

    mean: str = ""
    interval: str = ""
    judge: str = ""


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """One candidate, or the template, in all tables of its section.

    Attributes:
        name: Its label, or `template`.
        style: The class of its rows: `template`, `head` of another family, or nothing.
        value: The oracle's value; `judge` the other's, None without a judge.
        cells: Its row of the alignment; `ruler` the numbers above it.
        similarity, edits: How near it is to the template, and what was changed.
        predictions: A cell for each species.
        properties: A cell for each property.
        place: The oracle call in which it was found, and what proposed it.
    """

    name: str
    style: str
    value: str
    judge: str | None
    cells: Sequence[Cell]
    ruler: str
    similarity: str
    edits: str
    predictions: Sequence[Prediction]
    properties: Sequence[str]
    place: str


def designs_page(about: About, shortlists: Sequence[Shortlist]) -> str:
    """The whole page as text."""
    columns = [*about.species, *(name for name in about.judged if name not in about.species)]
    return page(
        HERE,
        "designs.html.j2",
        styles=[styles()],
        about=about,
        species=[short(name) for name in columns],
        shortlists=[
            {
                "name": s.name,
                "numbers": _numbers(about, s.template, s.candidates[0] if s.candidates else None),
                "failed": s.failed,
                "figure": best_so_far(s.best, s.judged, s.template.oracle.value, about.unit),
                "properties": list(s.template.properties),
                "rows": _rows(about, s, columns) if s.candidates else [],
            }
            for s in shortlists
        ],
    )


def best_so_far(best: Sequence[float], judged: Sequence[float], template: float, unit: str) -> Figure | None:
    """Falling lines over oracle calls, the vertical axis logarithmic; None where there are no two calls.

    Args:
        best: The oracle's best value after each call; what is not finite is left out.
        judged: The judge's value of the same candidates; empty without a judge.
        template: The template's value, a horizontal line.
        unit: The unit of all values.
    """
    if max(len(best), len(judged)) < 2:
        return None
    lines = [Line("oracle", "oracle", staircase(best))]
    if judged:
        lines.append(Line("judge, of the same candidates", "judge", staircase(judged)))
    return figure(lines, [Level("template", "level", template)], Axis("oracle calls"), Axis(unit, log=True))


def _numbers(about: About, template: Listed, best: Listed | None) -> list[tuple[str, str]]:
    numbers = [("template", with_unit(number(template.oracle.value), about.unit))]
    if best is not None:
        numbers += [
            ("best found", with_unit(number(best.oracle.value), about.unit)),
            ("lower, by the oracle", _fold(template.oracle, best.oracle)),
        ]
        if template.judge is not None and best.judge is not None:
            numbers.append(("lower, by the judge", _fold(template.judge, best.judge)))
    return numbers


def _rows(about: About, s: Shortlist, columns: Sequence[str]) -> list[CandidateRow]:
    template, rows = aligned(s.template.sequence, [f.sequence for f in s.candidates])
    shown = [s.template, *s.candidates]
    return [
        CandidateRow(
            name=label(f) or "template",
            style=_style(shown, i),
            value=number(f.oracle.value),
            judge=None if f.judge is None else number(f.judge.value),
            cells=cells,
            ruler="" if f.place else ruler(cells),
            similarity=f"{f.similarity:.0%}",
            edits=" ".join(f.edits),
            predictions=[_prediction(about, f, name) for name in columns],
            properties=[_plain(f.properties[name]) for name in s.template.properties],
            place=f"call {f.call}, {f.source}" if f.call else "not scored",
        )
        for i, (f, cells) in enumerate(zip(shown, [template, *rows], strict=True))
    ]


def _style(shown: Sequence[Listed], i: int) -> str:
    """The class of the i-th row, the template's first: where another family begins, a line is drawn above it."""
    if i == 0:
        return "template"
    return "head" if i > 1 and shown[i].family != shown[i - 1].family else ""


def _prediction(about: About, f: Listed, name: str) -> Prediction:
    mean = interval = judge = ""
    if name in about.species:
        middle, spread = _of(f.oracle, about.species, name)
        mean = number(10**middle)
        interval = f"{number(10 ** (middle - spread))}–{number(10 ** (middle + spread))}"
    if f.judge is not None and name in about.judged:
        judge = number(10 ** _of(f.judge, about.judged, name)[0])
    return Prediction(mean, interval, judge)


def _of(view: View, species: Sequence[str], name: str) -> tuple[float, float]:
    i = list(species).index(name)
    return float(view.mean[i]), float(view.spread[i])


def label(f: Listed) -> str:
    """The family's letter and the place in it, such as B2; nothing for the template."""
    return f"{chr(ord('A') + (f.family - 1) % 26)}{f.place}" if f.place else ""


def short(name: str) -> str:
    """`E. coli` for `E_coli`; what is unknown as it is."""
    if name not in SPECIES:
        return name
    genus, _, epithet = SPECIES[name].name.partition(" ")
    return f"{genus[0]}. {epithet}"


def _fold(before: View, after: View) -> str:
    return f"{before.value / after.value:.1f}×" if after.value > 0 else "–"


def _plain(value: float | str) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
