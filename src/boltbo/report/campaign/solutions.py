"""Solutions of one task beside each other: plans as trees, peptides as an alignment, of other domains their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.util import find_spec

from boltbo.errors import InvalidCandidate
from boltbo.problem import Observation, Task
from boltbo.report.campaign.plan_tree import plan_picture
from boltbo.report.html import number, wide
from boltbo.report.peptides.alignment import aligned
from boltbo.report.peptides.letters import LEGEND, letters, ruler

TEXT = 1500
"""Letters of a candidate that are shown"""
LONGEST = 400
"""Residues of a peptide that is aligned"""

Solutions = Sequence[tuple[str, Observation]]
"""(what found it, the candidate with its value); the default first"""


def solutions_of(domain: str, task: Task, solutions: Solutions) -> str:
    """The drawing that the domain has, else texts. What cannot be read as the domain's is shown as text too."""
    if domain == "peptides" and (template := task.data.get("template")) and isinstance(template, str):
        texts = [o.candidate for _, o in solutions]
        if max(map(len, [template, *texts])) <= LONGEST:
            return _alignment(template, solutions)
    tables = _tables(task) if domain == "plans" else {}
    return f'<div class="beside">{"".join(_card(domain, task, name, o, tables) for name, o in solutions)}</div>'


def value_of(o: Observation) -> str:
    """The value, or that it is only a bound."""
    return number(o.value) if o.complete else f"> {number(o.value)}"


def _card(domain: str, task: Task, name: str, o: Observation, tables: Mapping[str, str]) -> str:
    drawn = ""
    if domain == "plans":
        try:
            drawn = plan_picture(o.candidate, tables)
            if o.candidate == "default":
                server = _server_plan(task)
                drawn += plan_picture(server, tables) if server else '<p class="soft">Its tree was not recorded.</p>'
        except InvalidCandidate:
            drawn = drawn or ""
    text = o.candidate[:TEXT] + "…" * (len(o.candidate) > TEXT)
    return (
        f"<div><h4>{escape(name)}: {value_of(o)}</h4>"
        f'<div class="drawn" tabindex="0" role="region" aria-label="{escape(name)}">{drawn}</div>'
        f'<p class="candidate">{escape(text)}</p></div>'
    )


def _server_plan(task: Task) -> str:
    """What `default` stands for, where the task's data or its context (of policy `plan`) tells."""
    last = task.context.rpartition("\n")[2]
    return str(task.data.get("default_plan") or (last.removeprefix("server ") if last.startswith("server ") else ""))


def _tables(task: Task) -> dict[str, str]:
    """Alias -> table, if the task's SQL can be read."""
    if find_spec("sqlglot") is None:
        return {}
    from boltbo.domains.plans.parse import parse_query

    try:
        relations = parse_query(str(task.data.get("sql", ""))).relations
    except ValueError:
        return {}
    return {r.alias: "subquery" if r.derived else r.table.strip('"') for r in relations}


def _alignment(template: str, solutions: Solutions) -> str:
    own, rows = aligned(template, [o.candidate for _, o in solutions])
    head = '<thead><tr><th class="row">found by</th><th>value</th><th class="text">residues</th></tr></thead>'
    first = (
        '<tr class="template"><th class="row" scope="row">template</th><td></td>'
        f'<td class="text peptide"><small>{ruler(own)}</small>{letters(own)}</td></tr>'
    )
    rest = "".join(
        f'<tr><th class="row" scope="row">{escape(name)}</th><td>{value_of(o)}</td>'
        f'<td class="text peptide">{letters(row)}</td></tr>'
        for (name, o), row in zip(solutions, rows, strict=True)
    )
    return LEGEND + wide("alignment", f"{head}<tbody>{first}{rest}</tbody>")
