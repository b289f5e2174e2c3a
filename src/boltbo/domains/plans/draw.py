"""A query plan drawn from its text alone, as it runs: from top to bottom, one row for each relation.

A chain stands on one vertical line: the first relation on top, below it join after join, each with the relation that it
adds; a join of a bushy right side takes that side's own line in from the right.

    o t
    o nest ci
    |   o mi1
    |   o join it1
    o hash <-'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from markupsafe import Markup

from boltbo.domains.plans.language.plan import SWITCHES, Join, Operator, Scan, Tree, aliases_of
from boltbo.domains.plans.language.spelling import DEFAULT, trees_of
from boltbo.drawing import Drawing
from boltbo.drawing.pages import fragment, text_of
from boltbo.errors import InvalidCandidate
from boltbo.problem import Task

HERE = "boltbo.domains.plans"
STEP, INDENT, LEFT, LETTER = 24, 26, 12, 7.4
"""Height of a row, distance of a bushy side's line, the first line's place, width of a letter"""
MOST = 300
"""Symbols of a plan that is drawn"""


class PlanDrawing(Drawing):
    """Each plan as a tree; for the server's own plan that one, where the task recorded it."""

    def __init__(self) -> None:
        self.styles = text_of(HERE, "plans.css")

    def candidate(self, task: Task, candidate: str) -> Markup:
        tables = _tables(task)
        picture = plan_picture(candidate, tables)
        if candidate != DEFAULT:
            return picture
        try:
            server_plan = _server_plan(task)
            return picture + (plan_picture(server_plan, tables) if server_plan else _NOT_RECORDED)
        except InvalidCandidate:
            return picture


_NOT_RECORDED = Markup('<p class="soft">Its tree was not recorded.</p>')


def plan_picture(text: str, tables: Mapping[str, str] | None = None) -> Markup:
    """A candidate of the plans domain as SVG, or in words where it only switches methods off.

    Args:
        text: The candidate.
        tables: Alias -> table, where they are known.

    Raises:
        InvalidCandidate: The text is no plan, or too large a one.
    """
    symbols = text.split()
    if symbols[:1] == [DEFAULT]:
        return fragment(HERE, "switches.html.j2", off=[SWITCHES.get(s, s) for s in symbols[1:]])
    if len(symbols) > MOST:
        raise InvalidCandidate(f"a plan of {len(symbols)} symbols; {MOST} are drawn at most")
    picture = _Picture(tables or {})
    for i, tree in enumerate(trees_of(symbols)):
        if i:
            picture.row += 1
        picture.chain(tree, LEFT)
    return fragment(
        HERE,
        "plan.svg.j2",
        text=text,
        width=round(picture.width) + 8,
        height=picture.row * STEP,
        lines=picture.lines,
        nodes=picture.nodes,
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


@dataclass(frozen=True, slots=True)
class _Node:
    """One row of the picture: a scan, a join with the scan that it adds, or a join of a bushy right side.

    Attributes:
        x, y: The place of the node.
        text_x: Where its text begins.
        style: The class of the node: its operator, or `leaf`.
        title: What it joins or scans, in words.
        operator, alias: As text; empty where there is none.
        table: The table behind the alias and how it is scanned.
    """

    x: int
    y: int
    text_x: int
    style: str
    title: str
    operator: str
    alias: str
    table: str


class _Picture:
    """Places nodes and lines, row by row."""

    def __init__(self, tables: Mapping[str, str]) -> None:
        self.tables = tables
        self.row = 0
        self.lines: list[str] = []
        self.nodes: list[_Node] = []
        self.width = 0.0

    def chain(self, tree: Tree, x: int) -> None:
        """A tree whose left spine is the vertical line at `x`."""
        joins: list[Join] = []
        while isinstance(tree, Join):
            joins.append(tree)
            tree = tree.left
        top = self._y()
        self._node(x, None, tree, f"scan of {tree.alias}")
        for join in reversed(joins):
            left, right = " ".join(aliases_of(join.left)), " ".join(aliases_of(join.right))
            title = f"{join.operator.value} of ({left}) and ({right})"
            if isinstance(join.right, Join):
                inner = x + INDENT
                self.chain(join.right, inner)
                above, here = self._y() - STEP, self._y()
                self.lines.append(f"M{inner} {above}V{here - 8}q0 8 -8 8H{x}")
                self._node(x, join.operator, None, title, INDENT)
            else:
                self._node(x, join.operator, join.right, title)
        if joins:
            self.lines.append(f"M{x} {top}V{self._y() - STEP}")

    def _y(self) -> int:
        return self.row * STEP + STEP // 2

    def _node(self, x: int, operator: Operator | None, scan: Scan | None, title: str, right: int = 0) -> None:
        word = "" if operator is None else operator.value
        alias = table = ""
        if scan is not None:
            alias, name = scan.alias, self.tables.get(scan.alias, "")
            method = f"by {scan.method.value}" if scan.method else ""
            table = " ".join(part for part in (name if name != alias else "", method) if part)
        letters = (len(word) + 1 if word else 0) + (len(alias) + len(table) + 1 if scan is not None else 0)
        self.nodes.append(_Node(x, self._y(), x + right + 11, word or "leaf", title, word, alias, table))
        self.width = max(self.width, x + right + 11 + LETTER * letters)
        self.row += 1


drawing = PlanDrawing()
"""What the command line hands to the report"""
