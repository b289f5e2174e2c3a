"""How plans are spelled, and their trees read again, with nothing known of the query: `grammar.py` has the grammar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote, unquote

from boltbo.domains.plans.language.plan import Join, Method, Operator, Plan, Scan, Tree
from boltbo.errors import InvalidCandidate

DEFAULT = "default"
NEXT = ";"

_RESERVED = frozenset({DEFAULT, NEXT, *Operator, *Method})
_OPERATORS = frozenset(Operator)
_METHODS = frozenset(Method)
_PLAIN = re.compile(r'[^\s()"\-][^\s()"]*')


@lru_cache(maxsize=1 << 12)
def symbol_of(alias: str) -> str:
    """How plans write an alias."""
    if _PLAIN.fullmatch(alias) and alias not in _RESERVED:
        return alias
    return f'"{quote(alias, safe="")}"'


def alias_of(symbol: str) -> str:
    """The alias that a symbol of a plan stands for."""
    return unquote(symbol[1:-1]) if symbol[:1] == '"' else symbol


def spell(plan: Plan) -> str:
    """The text of a plan that is canonical already."""
    if not plan.trees:
        return " ".join([DEFAULT, *plan.off])
    words: list[str] = []
    for tree in plan.trees:
        if words:
            words.append(NEXT)
        _write(tree, words)
    return " ".join(words)


def _write(tree: Tree, words: list[str]) -> None:
    if isinstance(tree, Scan):
        if tree.method:
            words.append(tree.method)
        words.append(symbol_of(tree.alias))
        return
    _write(tree.left, words)
    words.append(tree.operator)
    if isinstance(tree.right, Scan):
        _write(tree.right, words)
        return
    words.append("(")
    _write(tree.right, words)
    words.append(")")


def trees_of(symbols: Sequence[str]) -> tuple[Tree, ...]:
    """The trees that symbols write, with nothing known of their query: enough to draw them.

    Raises:
        InvalidCandidate: They do not make whole trees.
    """
    trees: list[Tree] = []
    frames: list[tuple[Tree | None, Operator | None]] = []
    tree: Tree | None = None
    operator: Operator | None = None
    method: Method | None = None
    for symbol in [*symbols, NEXT]:
        unit: Tree | None = None
        if symbol == "(":
            frames.append((tree, operator))
            tree, operator = None, None
        elif symbol in _METHODS:
            method = Method(symbol)
        elif symbol not in _RESERVED and symbol != ")":
            unit, method = Scan(alias_of(symbol), method), None
        elif tree is None or operator is not None or method is not None:
            raise InvalidCandidate(f"{symbol[:40]!r} cannot stand there: {' '.join(symbols)[:80]}")
        elif symbol in _OPERATORS:
            operator = Operator(symbol)
        elif symbol == NEXT and not frames:
            trees.append(tree)
            tree = None
        elif symbol == ")" and frames:
            unit = tree
            tree, operator = frames.pop()
        else:
            raise InvalidCandidate(f"{symbol[:40]!r} cannot stand there: {' '.join(symbols)[:80]}")
        if unit is not None and (tree is None) == (operator is None):
            tree, operator = (unit if tree is None or operator is None else Join(operator, tree, unit)), None
        elif unit is not None:
            raise InvalidCandidate(f"an operator is missing or too many: {' '.join(symbols)[:80]}")
    return tuple(trees)
