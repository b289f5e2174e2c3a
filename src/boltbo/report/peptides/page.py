"""One HTML page that needs nothing else: alignments, predictions of oracle and judge, properties, curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from boltbo.domains.peptides.oracle import SPECIES
from boltbo.report.html import document, legend, number, numbers, wide
from boltbo.report.peptides.alignment import Cell, aligned
from boltbo.report.peptides.curves import curve
from boltbo.report.peptides.letters import LEGEND, letters, ruler, sheet
from boltbo.report.peptides.shortlist import Found, Shortlist, View


@dataclass(frozen=True, slots=True)
class About:
    """What the head of the page says.

    Attributes:
        objective: In words.
        unit: Of the objective's value: µM, or nothing for a ratio.
        species, judged: The columns of the two predictors' views.
        facts: (what, value) of the search: budget, similarity, model, seed.
    """

    objective: str
    unit: str
    species: Sequence[str]
    judged: Sequence[str]
    facts: Sequence[tuple[str, str]]


def page(about: About, shortlists: Sequence[Shortlist]) -> str:
    """The whole page as text."""
    body = "".join(_section(about, s, i) for i, s in enumerate(shortlists))
    contents = "".join(f'<li><a href="#t{i}">{escape(s.name)}</a></li>' for i, s in enumerate(shortlists))
    nav = f'<nav aria-label="Templates"><ul>{contents}</ul></nav>' if len(shortlists) > 1 else ""
    return document(
        "Peptide designs",
        f"""<h1>Peptide designs</h1>
<p>Relatives of {len(shortlists)} template{"s" * (len(shortlists) != 1)} with a low predicted minimal inhibitory concentration
(MIC). Objective: {escape(about.objective)}.</p>
<p class="soft">Every number here is predicted, none is measured. The search asked the oracle and so may have exploited its
errors; the judge is a model of another kind, trained apart, which no search
asks. Where they disagree, trust the smaller gain.</p>
{numbers(about.facts)}
{nav}
{body}""",
        styles=[sheet()],
    )


def _section(about: About, s: Shortlist, place: int) -> str:
    best = s.found[0] if s.found else None
    lines = [("oracle", "oracle", s.best), *([("judge", "judge", s.judged)] if s.judged else [])]
    failed = f'<p class="soft">{s.failed} oracle calls had no value.</p>' if s.failed else ""
    if best is None:
        rest = "<p>Nothing better than the template itself was found.</p>"
    else:
        rest = (
            f"<h3>Alignment</h3>{LEGEND}{_alignment(about, s)}"
            f"<h3>Predicted MIC in µM</h3><p class=caption>Mean, and one spread to either side of it"
            f"{'; below it the judge' if s.judged else ''}.</p>{_predictions(about, s)}"
            f"<h3>Properties</h3><p class=caption>{PROPERTIES}</p>{_properties(s)}"
        )
    return f"""<section id="t{place}">
<h2>{escape(s.name)}</h2>
{numbers(_numbers(about, s.template, best))}
{failed}<h3>Best so far</h3>
{legend(_curve_legend(bool(s.judged)))}
{curve(lines, ("template", s.template.oracle.value), about.unit)}
{rest}</section>
"""


def _numbers(about: About, template: Found, best: Found | None) -> list[tuple[str, str]]:
    told = [("template", _amount(template.oracle.value, about.unit))]
    if best is not None:
        told += [
            ("best found", _amount(best.oracle.value, about.unit)),
            ("lower, by the oracle", _fold(template.oracle, best.oracle)),
        ]
        if template.judge is not None and best.judge is not None:
            told.append(("lower, by the judge", _fold(template.judge, best.judge)))
    return told


PROPERTIES = (
    "Net charge at pH 7; largest mean hydrophobic moment of 11 residues of a helix; GRAVY: mean hydropathy; instability index "
    "(a protein above 40 is called unstable); novelty: 1 minus identity to the nearest known peptide. Nothing here tells "
    "haemolysis or toxicity: measure them."
)


def _curve_legend(judged: bool) -> list[tuple[str, str]]:
    judge = [("judge", "judge, of the same candidates")] if judged else []
    return [("oracle", "oracle"), *judge, ("level", "template")]


def _alignment(about: About, s: Shortlist) -> str:
    template, rows = aligned(s.template.sequence, [f.sequence for f in s.found])
    judge = "<th>judge</th>" if about.judged else ""
    head = (
        f'<th class="row">candidate</th><th>{about.unit or "ratio"}</th><th class="text">residues</th>{judge}'
        '<th>similar</th><th class="text">edits</th>'
    )
    body = "".join(
        _aligned(f, row, _style(s, i))
        for i, (f, row) in enumerate(zip([s.template, *s.found], [template, *rows], strict=True))
    )
    return wide("alignment", f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")


def _aligned(f: Found, cells: Sequence[Cell], style: str) -> str:
    above = "" if f.place else f"<small>{ruler(cells)}</small>"
    judge = "" if f.judge is None else f"<td>{number(f.judge.value)}</td>"
    return (
        f'<tr class="{style}"><th class="row" scope="row">{_name(f)}</th><td>{number(f.oracle.value)}</td>'
        f'<td class="text peptide">{above}{letters(cells)}</td>{judge}<td>{f.similarity:.0%}</td>'
        f'<td class="text">{escape(" ".join(f.edits))}</td></tr>'
    )


def _predictions(about: About, s: Shortlist) -> str:
    columns = [*about.species, *(name for name in about.judged if name not in about.species)]
    titles = "".join(f'<th class="species">{escape(short(name))}</th>' for name in columns)
    rows = []
    for i, f in enumerate([s.template, *s.found]):
        cells = "".join(f"<td>{_prediction(about, f, name)}</td>" for name in columns)
        rows.append(f'<tr class="{_style(s, i)}"><th class="row" scope="row">{_name(f)}</th>{cells}</tr>')
    return wide(
        "predictions", f'<thead><tr><th class="row">candidate</th>{titles}</tr></thead><tbody>{"".join(rows)}</tbody>'
    )


def _prediction(about: About, f: Found, name: str) -> str:
    told = ""
    if name in about.species:
        mean, spread = _of(f.oracle, about.species, name)
        told = f"{number(10**mean)}<small>{number(10 ** (mean - spread))}–{number(10 ** (mean + spread))}</small>"
    if f.judge is not None and name in about.judged:
        mean, _ = _of(f.judge, about.judged, name)
        told += f'<small class="judge">judge {number(10**mean)}</small>'
    return told


def _of(view: View, species: Sequence[str], name: str) -> tuple[float, float]:
    i = list(species).index(name)
    return float(view.mean[i]), float(view.spread[i])


def _properties(s: Shortlist) -> str:
    names = list(s.template.properties)
    titles = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = []
    for i, f in enumerate([s.template, *s.found]):
        cells = "".join(f"<td>{escape(_plain(f.properties[name]))}</td>" for name in names)
        place = f"call {f.call}, {escape(f.source)}" if f.call else "not scored"
        rows.append(
            f'<tr class="{_style(s, i)}"><th class="row" scope="row">{_name(f)}</th>{cells}<td>{place}</td></tr>'
        )
    head = f'<thead><tr><th class="row">candidate</th>{titles}<th>found in</th></tr></thead>'
    return wide("properties", f"{head}<tbody>{''.join(rows)}</tbody>")


def _style(s: Shortlist, i: int) -> str:
    """Of the i-th row, the template's first."""
    return "template" if i == 0 else "head" if _heads(s, i - 1) else ""


def _heads(s: Shortlist, i: int) -> bool:
    return i > 0 and s.found[i].family != s.found[i - 1].family


def _name(f: Found) -> str:
    return label(f) or "template"


def label(f: Found) -> str:
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


def _amount(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".rstrip()


def _plain(value: float | str) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
