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
from html import escape

from boltbo.domains.plans.language.plan import SWITCHES, Join, Operator, Scan, Tree, aliases_of
from boltbo.domains.plans.language.spelling import DEFAULT, trees_of
from boltbo.errors import InvalidCandidate

STEP, INDENT, LEFT, LETTER = 24, 26, 12, 7.4
MOST = 300
"""Symbols of a plan that is drawn"""


def plan_picture(text: str, tables: Mapping[str, str] | None = None) -> str:
    """A candidate of the plans domain as SVG, or in words where it only switches methods off.

    Args:
        text: The candidate.
        tables: Alias -> table, where they are known.

    Raises:
        InvalidCandidate: The text is no plan, or too large a one.
    """
    symbols = text.split()
    if symbols[:1] == [DEFAULT]:
        off = [SWITCHES.get(s, s) for s in symbols[1:]]
        return f"<p>The server's own plan{escape(', with ' + ', '.join(off) + ' off' if off else '')}.</p>"
    if len(symbols) > MOST:
        raise InvalidCandidate(f"a plan of {len(symbols)} symbols; {MOST} are drawn at most")
    picture = _Picture(tables or {})
    for i, tree in enumerate(trees_of(symbols)):
        if i:
            picture.row += 1
        picture.chain(tree, LEFT)
    return picture.svg(text)


class _Picture:
    """Draws row by row."""

    def __init__(self, tables: Mapping[str, str]) -> None:
        self.tables = tables
        self.row = 0
        self.lines: list[str] = []
        self.nodes: list[str] = []
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
            if isinstance(join.right, Join):
                inner = x + INDENT
                self.chain(join.right, inner)
                above, here = self._y() - STEP, self._y()
                self.lines.append(f'<path d="M{inner} {above}V{here - 8}q0 8 -8 8H{x}"/>')
            told = (
                f"{join.operator.value} of ({' '.join(aliases_of(join.left))}) and ({' '.join(aliases_of(join.right))})"
            )
            if isinstance(join.right, Join):
                self._node(x, join.operator, None, told, INDENT)
            else:
                self._node(x, join.operator, join.right, told)
        if joins:
            self.lines.append(f'<path d="M{x} {top}V{self._y() - STEP}"/>')

    def svg(self, text: str) -> str:
        width, height = round(self.width) + 8, self.row * STEP
        return (
            f'<svg class="plan" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            f'aria-label="{escape(text)}">{"".join(self.lines)}{"".join(self.nodes)}</svg>'
        )

    def _y(self) -> int:
        return self.row * STEP + STEP // 2

    def _node(self, x: int, operator: Operator | None, scan: Scan | None, told: str, right: int = 0) -> None:
        y, words, letters = self._y(), [], 0
        if operator is not None:
            words.append(f'<tspan class="op">{operator.value}</tspan>')
            letters += len(operator.value) + 1
        if scan is not None:
            table = self.tables.get(scan.alias, "")
            soft = " ".join(
                [table] * (table not in ("", scan.alias)) + ([f"by {scan.method.value}"] if scan.method else [])
            )
            words.append(f"<tspan>{escape(scan.alias)}</tspan>")
            words += [f'<tspan class="soft">{escape(soft)}</tspan>'] if soft else []
            letters += len(scan.alias) + len(soft) + 1
        style = "leaf" if operator is None else operator.value
        self.nodes.append(
            f'<g><title>{escape(told)}</title><circle class="{style}" cx="{x}" cy="{y}" r="5"/>'
            f'<text x="{x + right + 11}" y="{y + 4.5}">{" ".join(words)}</text></g>'
        )
        self.width = max(self.width, x + right + 11 + LETTER * letters)
        self.row += 1
